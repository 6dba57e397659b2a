"""One of two pairs that ask the same is kept; two that only look alike both are."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.store import FieldsmithError, UsageError, save_lines
from qagen.curate.borderline import settle_borderline
from qagen.curate.dedup import DedupResult, deduplicate
from qagen.curate.guards import read_marks
from qagen.curate.likeness import difference, read_pair
from qagen.curate.semantic import near_vectors
from qagen.curate.stream import deduplicate_file
from qagen.records import QAPair
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.protocol import Failure


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
    ("How does the lambda baryon lose energy?", "By ionisation", "How does the sigma baryon lose energy?", "By ionisation"),
    ("What voltage is on the inner grid?", "3 kV", "What voltage is on the outer grid?", "3 kV"),
    ("When was the hall built?", "In 1990, of concrete", "Where was the hall built?", "In 1990, of concrete"),
    (
        "What is the cryoplant of Mere?",
        "Teal is the cryoplant of Mere.",
        "What is the timing system of Mere?",
        "Gull is the timing system of Mere.",
    ),
    ("What is the width of the resonance?", "2.5 GeV", "共振的质量是多少？", "2.5 GeV"),
    ("At what pressure was the film grown on silicon?", "2 mbar", "At what pressure was the film annealed again on silicon?", "2 mbar"),
]
SAME = [
    ("What is the supply voltage of the magnet?", "24 V", "What is the magnet's supply voltage?", "24 volts"),
    ("At what energy of 7 TeV does it break?", "never", "At what energy of 7000 GeV does it break?", "never"),
    ("Which energy has the electron beam in the ring?", "3 GeV", "What is the energy of the electron beam in the ring?", "It is 3 GeV."),
    ("How many BPMs does the ring have?", "1,152", "How many BPMs are there in the ring?", "1152"),
    ("储存环的束流能量是多少？", "3.5 GeV", "请问储存环束流能量为多少", "3.5GeV"),
    ("How large is the gap of the magnet?", "5 cm", "What gap does the magnet have?", "50 mm"),
    ("What is the wavelength of the laser?", "780 nm", "激光的波长是多少？", "780 nm"),
    ("Why does the tune rise with current?", "Image charges focus", "For what reason does the tune grow with current?", "Image charges"),
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
    every = dict(enumerate(pairs))
    alike = {
        (a, b)
        for a, one in every.items()
        for b, two in every.items()
        if a < b and naive(one, two) >= threshold and difference(*(read_pair(p.question, p.answer) for p in (one, two))) is None
    }
    kept = {id(held) for held in result.kept}
    assert not [(a, b) for a, b in alike if id(every[a]) in kept and id(every[b]) in kept], "nothing alike was overlooked"


def naive(one: QAPair, two: QAPair) -> float:
    a, b = (read_pair(held.question, held.answer).question.content for held in (one, two))
    return 2 * len(a & b) / (len(a) + len(b))


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


# ---- the labelled sets

LABELLED = Path(__file__).parent.parent / "benchmarks" / "labelled"


@pytest.mark.parametrize(("name", "least"), [("twins", 0.88), ("twins_test", 0.76), ("twins_blind", 0.8)])
def test_labelled_questions_are_told_apart_without_losing_one(name: str, least: float) -> None:
    counts: Counter[tuple[bool, bool]] = Counter()
    for line in (LABELLED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        _, same, *words = json.loads(line)
        counts[same, bool(deduplicate([pair("1", *words[:2]), pair("2", *words[2:])]).dropped)] += 1
    assert counts[False, True] == 0, "a lost question is worse than a double one"
    assert 2 * counts[True, True] / (2 * counts[True, True] + counts[True, False]) >= least


# ---- embeddings


def by_letters(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """A stand-in for a language-blind embedder: what is written in capitals in brackets is the meaning."""
    rows = np.zeros((len(texts), 26), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for letter in text.partition("[")[2].partition("]")[0]:
            row[ord(letter) - 65] += 1
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)


def test_an_embedding_finds_what_no_word_says_and_is_overruled_by_a_number() -> None:
    first = pair("1", "cosa degrada il fascio [ABCD]", "la dispersione")
    second = pair("2", "qu'est-ce qui dégrade le faisceau [ABCD]", "la diffusion")
    third = pair("3", "qu'est-ce qui dégrade le faisceau après 7 tours [ABCD]", "la diffusion")
    assert not deduplicate([first, second, third]).dropped
    result = deduplicate([first, second, third], embed=by_letters)
    assert [(item.pair.id, item.twin.id, item.reason) for item in result.dropped] == [("2", "1", "semantic")]
    assert [kept.id for kept in result.at(1.0).kept] == ["1", "3"]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), blocks=st.integers(1, 3))
def test_near_vectors_of_a_small_set_are_all_found(seed: int, blocks: int) -> None:
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(60, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    block = draw.integers(0, blocks, 60).astype(np.uint64)
    found = {(int(a), int(b)) for part in near_vectors(rows, block, 0.9) for a, b in zip(part[0], part[1], strict=True)}
    assert found == {(a, b) for a in range(60) for b in range(a + 1, 60) if block[a] == block[b] and rows[a] @ rows[b] >= 0.9}


def test_near_vectors_of_a_large_set_are_nearly_all_found() -> None:
    draw = np.random.default_rng(1)
    centres = draw.normal(size=(5000, 32))
    rows = (np.repeat(centres, 2, axis=0) + 0.15 * draw.normal(size=(10_000, 32))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    wanted = {(place, place + 1) for place in range(0, 10_000, 2) if rows[place] @ rows[place + 1] >= 0.8}
    found = {
        (int(a), int(b)) for part in near_vectors(rows, np.zeros(10_000, np.uint64), 0.8) for a, b in zip(part[0], part[1], strict=True)
    }
    assert len(wanted & found) >= 0.95 * len(wanted) > 4000


# ---- paraphrases


def test_a_paraphrase_stays_beside_its_original_and_its_exact_copy_goes() -> None:
    original = pair("o", *SAME[0][:2], score=0.1)
    wording = replace(pair("w", *SAME[0][2:], score=0.9), paraphrase_of="o")
    copy = replace(wording, id="x")
    stranger = pair("s", "What supply voltage has the magnet?", "24 V", score=0.0)
    result = deduplicate([original, wording, copy, stranger])
    assert [kept.id for kept in result.kept] == ["o", "w"]
    assert {(item.pair.id, item.reason) for item in result.dropped} == {("x", "exact"), ("s", "near")}


# ---- a file of any length


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@settings(max_examples=40, deadline=None)
@given(pairs=PAIRS, threshold=st.sampled_from([0.4, 0.8]), embedded=st.booleans())
def test_a_file_gives_what_memory_gives(
    pairs: list[QAPair], threshold: float, embedded: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("dedup")
    embed = by_letters if embedded else None
    save_lines(folder / "in.jsonl", pairs)
    done = deduplicate_file(
        folder / "in.jsonl",
        folder / "out.jsonl",
        threshold=threshold,
        embed=embed,
        dropped=folder / "gone.jsonl",
        borderline=folder / "doubts.jsonl",
    )
    result = deduplicate(pairs, threshold=threshold, embed=embed)
    assert [line["id"] for line in lines(folder / "out.jsonl")] == [kept.id for kept in result.kept]
    assert [(line["id"], line["twin"], line["score"], line["reason"]) for line in lines(folder / "gone.jsonl")] == [
        (item.pair.id, item.twin.id, round(item.score, 4), item.reason) for item in result.dropped
    ]
    assert [(line["id"], line["twin"]) for line in lines(folder / "doubts.jsonl")] == [(item.a.id, item.b.id) for item in result.borderline]
    assert (done.pairs, done.kept, done.borderline) == (len(pairs), len(result.kept), len(result.borderline))
    assert not list(folder.glob("dedup-*"))


def test_lines_are_kept_as_they_are(tmp_path: Path) -> None:
    first = '{"question":"How long is the ring?",  "answer":"300 m", "more": 1}'
    written = f'{first}\n\n{{"answer":"300 m","question":"How long is the ring"}}\n{{"question":"环多宽？","answer":"3 m"}}'
    (tmp_path / "in.jsonl").write_text(written, encoding="utf-8")
    done = deduplicate_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl", dropped=tmp_path / "gone.jsonl")
    assert (done.pairs, dict(done.dropped)) == (3, {"exact": 1})
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines() == [written.split("\n")[0], written.split("\n")[3]]
    assert lines(tmp_path / "gone.jsonl")[0]["line"] == 3


@pytest.mark.parametrize("bad", ["no json", "[1]", '{"question": "?"}', '{"question": 1, "answer": "x"}'])
def test_a_line_that_is_no_pair_is_named_and_nothing_is_written(tmp_path: Path, bad: str) -> None:
    (tmp_path / "in.jsonl").write_text(f'{{"question": "a?", "answer": "b"}}\n{bad}\n')
    with pytest.raises(FieldsmithError, match="line 2"):
        deduplicate_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    with pytest.raises(UsageError, match="no file"):
        deduplicate_file(tmp_path / "nowhere", tmp_path / "out.jsonl")


# ---- what rules cannot tell


class Teacher:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, said: str) -> None:
        self.said, self.asked = said, list[str]()

    async def __call__(self, request: Request) -> Reply | Failure:
        self.asked.append(request.messages[-1].content)
        return Reply(self.said, "stop", 1, 1) if self.said else Failure("it is down")


def doubtful() -> DedupResult:
    return deduplicate(
        [pair("1", "Which code tracked the particles?", "SixTrack"), pair("2", "Which program tracked the particles?", "SixTrack")]
    )


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('{"verdicts": [{"pair": 1, "same": true}, {"pair": 2, "same": false}]}', 1),
        ('{"verdicts": [{"pair": 1, "same": false}, {"pair": 2, "same": false}]}', 2),
        ('{"verdicts": [{"pair": 1, "same": true}, {"pair": 2, "same": true}]}', 2),  # calls the same what is plainly two
        ('{"verdicts": [{"pair": 1, "same": true}, {"pair": 1, "same": false}, {"pair": 2, "same": false}]}', 2),
        ('{"verdicts": [{"pair": 1, "same": true}', 2),
        ("they are the same", 2),
        ("", 2),
    ],
)
def test_a_teacher_settles_what_a_synonym_leaves_open(said: str, kept: int) -> None:
    result, teacher = doubtful(), Teacher(said)
    assert [(doubt.a.id, doubt.b.id, doubt.doubt) for doubt in result.borderline] == [("1", "2", "exchanged")]
    settled = asyncio.run(settle_borderline(result, teacher))
    assert len(settled.kept) == kept
    assert len(settled.kept) + len(settled.dropped) == 2
    assert "Which program" in teacher.asked[0]


def test_without_doubts_nobody_is_asked() -> None:
    teacher = Teacher("")
    assert asyncio.run(settle_borderline(deduplicate([pair("1", "a?", "b")]), teacher)).kept
    assert not teacher.asked
