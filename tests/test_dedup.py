"""One of two pairs that ask the same is kept; two that only look alike both are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.store import save_lines
from qagen.curate.dedup import deduplicate
from qagen.curate.guards import read_marks
from qagen.records import QAPair

ROOT = Path(__file__).parent.parent


def pair(name: str, question: str, answer: str, score: float = 0.5) -> QAPair:
    return QAPair(name, "doc", "chunk", "fact", "en", question, answer, (), "teacher", "prompt", "CC0-1.0", {"total": score})


DIFFERENT = [
    ("What is the beam energy of the LHC?", "7 TeV", "What is the beam energy of the HL-LHC?", "7 TeV"),
    ("How long is the undulator at 7 TeV?", "4 m", "How long is the undulator at 14 TeV?", "4 m"),
    ("What gap closes at 5 mm in the ring?", "ID3", "What gap closes at 5 μm in the ring?", "ID3"),
    ("Which horizontal tune has the ring?", "0.21", "Which vertical tune has the ring?", "0.21"),
    ("Which valves must be opened first?", "V1", "Which valves must not be opened first?", "V1"),
    ("What are the chambers of the Cuckoo made of?", "copper", "What are the chambers of the Pike made of?", "copper"),
    ("What does BPM Q1 of the arc read?", "zero", "What does BPM Q2 of the arc read?", "zero"),
    ("What is Newton's second law about?", "force", "What is Newton's third law about?", "force"),
    ("What is the beam energy?", "3 GeV", "What is the beam energy?", "7 GeV"),
    ("储存环的水平发射度是多少？", "1 nm", "储存环的垂直发射度是多少？", "1 nm"),
    ("哪些阀门可以打开？", "V1", "哪些阀门不可以打开？", "V1"),
    ("第二台速调管的功率是多少？", "5 MW", "第三台速调管的功率是多少？", "5 MW"),
]
SAME = [
    ("What is the supply voltage of the magnet?", "24 V", "What is the magnet's supply voltage?", "24 volts"),
    ("At what energy of 7 TeV does it break?", "never", "At what energy of 7000 GeV does it break?", "never"),
    ("Which energy has the electron beam in the ring?", "3 GeV", "What is the energy of the electron beam in the ring?", "It is 3 GeV."),
    ("How many BPMs does the ring have?", "1,152", "How many BPMs are there in the ring?", "1152"),
    ("储存环的束流能量是多少？", "3.5 GeV", "请问储存环束流能量为多少", "3.5GeV"),
]  # fmt: skip


@pytest.mark.parametrize(("q1", "a1", "q2", "a2"), DIFFERENT)
def test_questions_that_only_look_alike_both_stay(q1: str, a1: str, q2: str, a2: str) -> None:
    assert not deduplicate([pair("1", q1, a1), pair("2", q2, a2)], threshold=0.5).dropped


@pytest.mark.parametrize(("q1", "a1", "q2", "a2"), SAME)
def test_one_question_in_other_words_goes(q1: str, a1: str, q2: str, a2: str) -> None:
    result = deduplicate([pair("1", q1, a1), pair("2", q2, a2, score=0.9)])
    assert [kept.id for kept in result.kept] == ["2"]
    assert [(item.pair.id, item.twin.id) for item in result.dropped] == [("1", "2")]


def test_exact_and_near_are_told_apart_and_ties_go_to_the_smaller_id() -> None:
    first, second = pair("b", "What is the tune of the ring?", "0.21"), pair("a", "What is the TUNE of the ring", "0.21")
    third = pair("c", "What is the ring's tune?", "0.21")
    result = deduplicate([first, second, third])
    assert [kept.id for kept in result.kept] == ["a"]
    assert {(item.pair.id, item.reason, item.score) for item in result.dropped} == {("b", "exact", 1.0), ("c", "near", 1.0)}


WORDS = [
    "energy",
    "current",
    "tune",
    "ring",
    "booster",
    "Pike",
    "7 TeV",
    "14 TeV",
    "horizontal",
    "vertical",
    "not",
    "gun",
    "能量",
    "储存环",
]
QUESTIONS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(lambda held: f"What is the {' '.join(held)}?")
PAIRS = st.lists(st.tuples(QUESTIONS, st.sampled_from(["3 GeV", "5 m", "copper"]), st.integers(0, 3)), max_size=25).map(
    lambda held: [pair(f"p{number:02d}", question, answer, score / 3) for number, (question, answer, score) in enumerate(held)]
)


@settings(max_examples=100, deadline=None)
@given(pairs=PAIRS, random=st.randoms(use_true_random=False), threshold=st.sampled_from([0.4, 0.6, 0.8, 1.0]))
def test_laws(pairs: list[QAPair], random: object, threshold: float) -> None:
    result = deduplicate(pairs, threshold=threshold)
    assert {kept.id for kept in result.kept} | {item.pair.id for item in result.dropped} == {held.id for held in pairs}
    assert len(result.kept) + len(result.dropped) == len(pairs)
    assert not deduplicate(result.kept, threshold=threshold).dropped, "what was kept has no copies"
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = deduplicate(shuffled, threshold=threshold)
    assert set(map(repr, other.kept)) == set(map(repr, result.kept))
    assert set(map(repr, other.dropped)) == set(map(repr, result.dropped))
    for item in result.dropped:
        assert read_marks(item.pair.question).numbers == read_marks(item.twin.question).numbers
        assert item.score >= threshold
        assert item.twin in result.kept


@settings(max_examples=50, deadline=None)
@given(pairs=PAIRS)
def test_a_result_is_rethresholded_without_comparing_again(pairs: list[QAPair]) -> None:
    again, fresh = deduplicate(pairs, threshold=0.4).at(0.8), deduplicate(pairs, threshold=0.8)
    assert (again.kept, again.dropped) == (fresh.kept, fresh.dropped)


def test_a_lower_threshold_needs_a_new_comparison() -> None:
    with pytest.raises(ValueError, match=r"compared down to 0\.8"):
        deduplicate([], threshold=0.8).at(0.5)


def test_it_stays_near_linear() -> None:
    pairs = [pair(f"{n:05d}", f"What is the item{n % 997} of the thing{n} in hall{n % 31}?", f"answer{n}") for n in range(4000)]
    assert len(deduplicate(pairs).kept) == 4000


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "qagen", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_keeps_lines_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    save_lines(file, [pair("1", *SAME[0][:2]), pair("2", *SAME[0][2:]), pair("3", "储存环多长？", "300 m")])
    done = run("dedup", str(file))
    assert done.returncode == 0
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    assert done.stdout == lines[0] + lines[2]
    assert json.loads(done.stderr) == {"kept": 2, "dropped": {"near": 1}}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["accelerators"], "fieldsmith qagen accelerators"),
        (["dedup", "nowhere.jsonl"], "no file"),
        (["dedup", "pyproject.toml", "--threshold", "7"], "(0, 1]"),
    ],
)
def test_a_wrong_call_is_told_in_one_sentence(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_holds_no_pairs_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"question": "?"}\n')
    done = run("dedup", str(tmp_path / "in.jsonl"))
    assert done.returncode == 1
    assert "line 1" in done.stderr
