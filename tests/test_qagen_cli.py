"""`python -m qagen`: what a person types, what comes back, and the exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harvest.records import Document, Paper, Rejection
from harvest.store import load_lines, read_manifest, save, save_lines, sha256_text
from qagen.__main__ import main
from qagen.records import Example, QAPair, Span, SplitEntry

TEXT = "The Mere ring stores electrons. Its beam energy is 3.2 GeV and its circumference is 412 m. The vacuum system holds 2 nPa."


def run(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    command = [sys.executable, "-m", "qagen", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, cwd=folder, env=environment, check=False)


def lines(folder: Path, name: str, *records: Any) -> Path:
    path = folder / name
    path.write_text("".join(f"{record if isinstance(record, str) else json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def document(folder: Path, name: str = "doc") -> Path:
    save(folder / f"{name}.json", Document(name, Paper(name, "folder", "The Mere ring"), (), TEXT, sha256_text(TEXT), "test"))
    return folder / f"{name}.json"


# ---- dedup


def test_dedup_gives_back_the_kept_lines_byte_for_byte(tmp_path: Path) -> None:
    mine = '{"question": "What is the beam energy of the Mere ring?",  "answer": "3.2 GeV", "mine": 7}'
    copy = {"question": "What is the beam energy of the Mere ring", "answer": "3.2 GeV"}
    path = lines(tmp_path, "in.jsonl", mine, "{", '{"question":"环的周长是多少？","answer":"412 m"}', copy)
    done = run("dedup", path, "--rejected", tmp_path / "out" / "rejected.jsonl")
    assert done.returncode == 0
    kept = done.stdout.decode().splitlines(keepends=True)
    assert len(kept) == 2
    assert [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line in kept] == kept
    assert json.loads(done.stderr)["kept"] == 2
    assert [item.stage for item in load_lines(tmp_path / "out" / "rejected.jsonl", Rejection)] == ["dedup", "own"]


def test_dedup_reads_any_layout(tmp_path: Path) -> None:
    chat = {"messages": [{"role": "user", "content": "How long is the ring?"}, {"role": "assistant", "content": "412 m"}]}
    done = run("dedup", lines(tmp_path, "in.jsonl", chat, chat))
    assert [json.loads(line) for line in done.stdout.splitlines()] == [chat]
    (tmp_path / "in.csv").write_text("question,answer\nHow long is the ring?,412 m\nHow long is the ring?,412 m\n")
    (pair,) = [json.loads(line) for line in run("dedup", tmp_path / "in.csv").stdout.splitlines()]
    assert (pair["question"], pair["answer"]) == ("How long is the ring?", "412 m")


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    path = lines(tmp_path, "in.jsonl", *({"question": f"What is the length of part number {n}?", "answer": f"{n} m"} for n in range(2000)))
    command = f"{sys.executable} -m qagen dedup {path} 2> {tmp_path / 'err'} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["0"]
    assert "Traceback" not in (tmp_path / "err").read_text()


# ---- filter


def pair(name: str, question: str, answer: str, sentence: str, owner: str = "doc") -> QAPair:
    start = TEXT.index(sentence)
    return QAPair(name, owner, "c", "fact", "en", question, answer, (Span(start, start + len(sentence)),), "t", "p", "CC0-1.0")


SENTENCE = "Its beam energy is 3.2 GeV and its circumference is 412 m."


def test_filter_keeps_what_the_document_bears_out_and_counts_the_rest(tmp_path: Path) -> None:
    good = pair("good", "What is the beam energy of the Mere ring?", "3.2 GeV", SENTENCE)
    wrong = pair("wrong", "What is the beam energy of the Mere ring?", "7.5 GeV", SENTENCE)
    stranger = pair("stranger", "What is the beam energy of the Mere ring?", "3.2 GeV", SENTENCE, owner="other")
    save_lines(tmp_path / "in.jsonl", [good, wrong, stranger])
    done = run("filter", tmp_path / "in.jsonl", "--document", document(tmp_path), "--rejected", tmp_path / "rejected.jsonl")
    assert done.returncode == 0
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["good"]
    rejected = {item.id: item.reason for item in load_lines(tmp_path / "rejected.jsonl", Rejection)}
    assert rejected.keys() == {"wrong", "stranger"}
    assert rejected["stranger"] == "no-document"
    assert json.loads(done.stderr) == {"kept": 1, "dropped": dict.fromkeys(sorted(rejected.values()), 1)}


def test_filter_takes_pairs_of_any_layout_with_a_quote(tmp_path: Path) -> None:
    given = [
        {"question": "What is the beam energy of the Mere ring?", "answer": "3.2 GeV", "evidence": SENTENCE},
        {"question": "What is the beam energy of the Mere ring?", "answer": "3.2 GeV", "evidence": "It was said to be high."},
        {"question": "What is the beam energy of the Mere ring?", "answer": "3.2 GeV"},
    ]
    done = run("filter", lines(tmp_path, "in.jsonl", *given), "--document", document(tmp_path))
    assert [json.loads(line) for line in done.stdout.splitlines()] == given[:1]
    assert json.loads(done.stderr)["dropped"] == {"no-evidence": 1, "quote-not-found": 1}


# ---- a field

YAML = """
title: A simulator
seed: 3
qagen:
  teacher: {model: none}
  exams: {seen: 10, unseen: 10}
  own:
    - {name: sim, callable: "sim:pairs", licence: CC0-1.0}
"""
SIMULATOR = """
import random

PARTS = ["magnet", "cavity", "pump", "gauge", "mirror", "shutter", "collimator", "kicker", "septum", "undulator"]

def pairs(seed):
    numbers = random.Random(seed)
    for group in range(60):
        for part in numbers.sample(PARTS, 3):
            value = numbers.randrange(100, 9999)
            yield {"question": f"What is the {part} setting of station S{group}?", "answer": f"{value} V", "group": f"station {group}"}
        wrong = [f"{numbers.randrange(100, 9999)} A" for _ in range(3)]
        choice = {"question": f"Which current has the bus of station S{group}?", "answer": f"{group + 11} A", "distractors": wrong}
        yield {**choice, "group": f"station {group}"}
"""


@pytest.fixture
def field(tmp_path: Path) -> Path:
    (tmp_path / "sim.py").write_text(SIMULATOR)
    (tmp_path / "field.yaml").write_text(YAML)
    return tmp_path / "field.yaml"


def test_a_field_of_own_pairs_alone_becomes_a_dataset_that_opens(field: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    done = run(field)
    assert done.returncode == 0, done.stderr.decode()
    folder = tmp_path / "runs" / "field" / "dataset"
    assert str(folder) in done.stdout.decode()
    parts = {entry.document_id: entry.part for entry in load_lines(folder / "split.jsonl", SplitEntry)}
    assert set(parts.values()) == {"train", "validation", "unseen"}
    examples = list(load_lines(folder / "train.jsonl", Example))
    assert {parts[example.document_id] for example in examples} == {"train"}
    opened = load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in opened.items()} == {
        part: len(list(load_lines(folder / f"{part}.jsonl", Example))) for part in ("train", "validation")
    }
    columns = load_dataset(str(folder / "parquet"), cache_dir=str(tmp_path / "cache"))["train"]
    assert columns[0]["messages"] == opened["train"][0]["messages"]
    assert {"kind", "language", "licence", "document_title", "evidence", "spans", "scores", "teacher"} <= set(columns.column_names)
    exam = load_dataset(str(folder), "exam_unseen", cache_dir=str(tmp_path / "cache"))["test"]
    assert {parts[document] for document in exam["document_id"]} == {"unseen"}
    card = (folder / "README.md").read_text()
    assert "own:sim" in card
    assert "not reviewed" in card
    assert load_dataset(str(folder / "published" / "parquet"), cache_dir=str(tmp_path / "cache"))


def test_a_field_that_has_not_changed_is_left_alone(field: Path, tmp_path: Path) -> None:
    assert run(field).returncode == 0
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*") if path.is_file() and path.name != ".lock"}
    again = run(field)
    assert again.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert b"nothing has changed" in again.stderr
    assert set(read_manifest(tmp_path / "runs" / "field")) == {"split", "generate", "dataset"}


def test_another_seed_reaches_the_simulator(field: Path, tmp_path: Path) -> None:
    texts = []
    for seed in (1, 2):
        assert run(field, "--seed", seed).returncode == 0
        texts.append((tmp_path / "runs" / "field" / "pairs" / "own_sim.jsonl").read_text())
    assert texts[0] != texts[1]


# ---- what goes wrong


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "python -m qagen FIELD"),
        (["--help"], 0, "python -m qagen dedup IN.jsonl > OUT.jsonl"),
        (["demp"], 2, "unknown field 'demp'; did you mean demo?"),
        (["none.yaml"], 2, "there is no file none.yaml"),
        (["dedup", "none.jsonl"], 2, "there is no file none.jsonl"),
        (["dedup", "in.jsonl", "--threshold", "0"], 2, "threshold must lie in (0, 1]"),
        (["filter", "in.jsonl", "--document", "none.json"], 2, "there is no document none.json"),
        (["filter", "in.jsonl", "--document", "in.jsonl"], 2, "python -m harvest read in.jsonl --format json"),
        (["dedup", "odd.jsonl"], 2, "is in no layout that is known (its columns: 'x')"),
        (["broken.yaml"], 2, "there is no such key; did you mean teacher?"),
    ],
)
def test_mistakes_are_one_sentence_with_the_right_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "demo.yaml").write_text("title: x\n")
    lines(tmp_path, "in.jsonl", {"question": "Why?", "answer": "So."})
    lines(tmp_path, "odd.jsonl", {"x": 1})
    (tmp_path / "broken.yaml").write_text("qagen:\n  teacher: {model: x}\n  teecher: {model: x}\n")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    out, error = capfd.readouterr()
    assert said in (out if code == 0 else error)
    assert "Traceback" not in error
