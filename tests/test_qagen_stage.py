"""The stages of qagen on a run: skipped when nothing changed, the same bytes whatever happened in between."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harvest.records import Document, Paper, Rejection, Section
from harvest.store import FieldsmithError, load_lines, read_manifest, safe_name, save, save_lines
from qagen.config import QAGenConfig
from qagen.records import Example, ExamQuestion, Passage, QAPair, Span, SplitEntry
from qagen.stage import build_dataset, generate, split

ROOT = Path(__file__).parent.parent
MACHINES = ["Osprey", "Heron", "Kestrel", "Plover", "Avocet", "Curlew", "Dunlin", "Godwit", "Knot", "Ruff"]
QUANTITIES = {"voltage": "V", "current": "A", "length": "mm", "power": "W", "pressure": "Pa", "delay": "ns", "field": "T", "weight": "kg"}


def settings(expert: Path | None = None, **changes: object) -> QAGenConfig:
    exams = {"seen": 8, "unseen": 10, "unanswerable": 0, "general": False, "expert": expert}
    return QAGenConfig.model_validate({"teacher": {"model": "scripted", "base_url": "http://127.0.0.1:9/v1"}, "exams": exams, **changes})


def make_document(number: int) -> tuple[Document, list[QAPair]]:
    """A report on one machine, a fact in each sentence, and a pair for each fact."""
    choice, name, machine = random.Random(number), f"note:{number:02d}", f"{MACHINES[number % 10]}-{number}"
    facts = [(word, f"{choice.randrange(10, 9999)} {unit}") for word, unit in QUANTITIES.items()]
    sentences = [f"In the report on the {machine}, the {word} of its gun{number} is set to {value}." for word, value in facts]
    text = "\n\n".join(sentences)
    paper = Paper(name, "folder", f"Report {number} on machine {machine}", licence="CC-BY-4.0" if number % 2 else "LicenseRef-unknown")
    document = Document(name, paper, (Section("Settings", 1, 0, len(text)),), text, hashlib.sha256(text.encode()).hexdigest(), "test 1")
    pairs = []
    for index, ((word, value), sentence) in enumerate(zip(facts, sentences, strict=True)):
        start = text.index(sentence)
        span = (Span(start, start + len(sentence)),)
        for variant, question in enumerate((f"What is the {word} of the gun of the {machine}?", f"What {word} has the {machine} gun?")):
            identity = f"{name}/{index}.{variant}"
            pairs.append(QAPair(identity, name, f"{name}#1", "fact", "en", question, value, span, "scripted", "f00d", paper.licence))
    return document, pairs


def make_run(run: Path, numbers: range) -> None:
    for number in numbers:
        document, pairs = make_document(number)
        save(run / "documents" / f"{safe_name(document.id)}.json", document)
        save_lines(run / "pairs" / f"{safe_name(document.id)}.jsonl", pairs)


def snapshot(run: Path) -> dict[str, bytes]:
    files = [path for folder in ("dataset", "rejected") for path in (run / folder).rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(run)): path.read_bytes() for path in files}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    make_run(tmp_path / "run", range(12))
    split(settings(), tmp_path / "run", seed=1)
    return tmp_path / "run"


def parts(run: Path) -> dict[str, str]:
    return {entry.document_id: entry.part for entry in load_lines(run / "dataset" / "split.jsonl", SplitEntry)}


def test_the_split_is_written_once_and_grows_without_moving_anyone(run: Path) -> None:
    before, record = parts(run), read_manifest(run)["split"]
    assert split(settings(), run, seed=1) == record
    make_run(run, range(40))
    grown = split(settings(), run, seed=1)
    assert before.items() <= parts(run).items()
    assert grown.counts["documents"] == {part: list(parts(run).values()).count(part) for part in ("train", "validation", "unseen")}


def test_a_lost_or_changed_split_is_made_again(run: Path) -> None:
    before = snapshot(run)
    (run / "dataset" / "split.jsonl").unlink()
    split(settings(), run, seed=1)
    assert snapshot(run) == before


def test_another_seed_splits_anew(run: Path) -> None:
    make_run(run, range(40))
    split(settings(), run, seed=1)
    first = parts(run)
    split(settings(), run, seed=2)
    assert parts(run) != first


def test_nothing_is_asked_before_the_split(tmp_path: Path) -> None:
    make_run(tmp_path, range(3))
    with pytest.raises(FieldsmithError, match="run the split first"):
        generate(settings(), tmp_path, seed=1)


def test_a_split_that_does_not_fit_the_documents_is_refused(run: Path) -> None:
    make_run(run, range(13))
    with pytest.raises(FieldsmithError, match="run the split again"):
        generate(settings(), run, seed=1)


def test_a_run_without_documents_says_so(tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match="run harvest first"):
        split(settings(), tmp_path, seed=1)


def test_the_dataset_holds_what_it_may_and_counts_what_it_dropped(run: Path) -> None:
    record = build_dataset(settings(), run, seed=1)
    part_of, folder = parts(run), run / "dataset"
    train = list(load_lines(folder / "train.jsonl", Example))
    validation = list(load_lines(folder / "validation.jsonl", Example))
    passages = list(load_lines(folder / "corpus.jsonl", Passage))
    assert {part_of[example.document_id] for example in train} == {"train"}
    assert {part_of[example.document_id] for example in validation} == {"validation"}
    assert {part_of[passage.document_id] for passage in passages} == {"train"}
    exams = {name: list(load_lines(folder / "exams" / f"{name}.jsonl", ExamQuestion)) for name in ("seen", "unseen")}
    assert {part_of[question.document_id] for question in exams["seen"]} == {"train"}
    assert {part_of[question.document_id] for question in exams["unseen"]} == {"unseen"}
    assert all(
        question.evidence.startswith("In the report") and len(question.options) in (0, 4) for held in exams.values() for question in held
    )
    assert all(question.licence in ("CC-BY-4.0", "LicenseRef-unknown") for held in exams.values() for question in held)
    assert record.counts["exams"] == {name: len(held) for name, held in exams.items()} == {"seen": 8, "unseen": 10}
    assert record.counts["examples"] == {"train": len(train), "validation": len(validation)}
    rejected = [item for path in (run / "rejected").glob("de*/*.jsonl") for item in load_lines(path, Rejection)]
    assert len(rejected) == sum(record.counts["dropped"].values()) + sum(record.counts["rejections"].values()) > 0
    learnt = sum(record.counts["pairs"][part] for part in ("train", "validation"))
    lost = [item.id for item in rejected if part_of[item.id.split("/")[0]] != "unseen"]
    assert len(train) + len(validation) + len(exams["seen"]) + len(lost) == learnt


def test_the_dataset_opens_in_datasets_and_its_card_tells_what_may_not_be_passed_on(run: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    build_dataset(settings(), run, seed=1)
    folder = run / "dataset"
    files = {"train": str(folder / "train.jsonl"), "validation": str(folder / "validation.jsonl")}
    opened = load_dataset("json", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert [message["role"] for message in opened["train"][0]["messages"]] == ["user", "assistant"]
    corpus = load_dataset(str(folder), "corpus", cache_dir=str(tmp_path / "cache"))["train"]
    assert set(corpus.column_names) == {"id", "document_id", "text", "licence", "title", "section"}
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "Not publishable" in card
    assert "`LicenseRef-unknown`: note:00, note:02" in card
    seal = json.loads((folder / "exams" / "seal.json").read_text())
    assert all(held["sha256"] in card for held in seal.values())


def test_nothing_changed_is_skipped_and_the_same_inputs_give_the_same_bytes(run: Path) -> None:
    record, before = build_dataset(settings(), run, seed=1), snapshot(run)
    times = {path: path.stat().st_mtime_ns for path in (run / "dataset").rglob("*")}
    assert build_dataset(settings(), run, seed=1) == record
    assert {path: path.stat().st_mtime_ns for path in (run / "dataset").rglob("*")} == times
    shutil.rmtree(run / "rejected")
    for path in [*(run / "dataset").glob("*.md"), *(run / "dataset").glob("[tvc]*.jsonl")]:
        path.unlink()
    build_dataset(settings(), run, seed=1)
    assert snapshot(run) == before


def test_changed_training_data_is_made_again(run: Path) -> None:
    build_dataset(settings(), run, seed=1)
    before = snapshot(run)
    with (run / "dataset" / "train.jsonl").open("a") as file:
        file.write("{}\n")
    build_dataset(settings(), run, seed=1)
    assert snapshot(run) == before


def test_a_changed_exam_is_an_error_until_it_is_drawn_again(run: Path) -> None:
    build_dataset(settings(), run, seed=1)
    before = snapshot(run)
    path = run / "dataset" / "exams" / "seen.jsonl"
    path.write_bytes(path.read_bytes().replace(b"gun", b"gnu", 1))
    with pytest.raises(FieldsmithError, match="changed after it was sealed"):
        build_dataset(settings(), run, seed=1)
    shutil.rmtree(path.parent)
    build_dataset(settings(), run, seed=1)
    assert snapshot(run) == before


def test_an_expert_exam_has_halves_and_is_not_trained_on(run: Path, tmp_path: Path) -> None:
    trained = next(name for name, part in parts(run).items() if part == "train")
    unseen = next(name for name, part in parts(run).items() if part == "unseen")
    number = int(trained.removeprefix("note:"))
    machine, voltage = f"{MACHINES[number % 10]}-{number}", make_document(number)[1][0].answer
    lines = [
        {
            "id": "x1",
            "document": trained,
            "question": f"Which voltage has the gun of the {machine}?",
            "answer": voltage,
        },
        {"id": "x2", "document": unseen, "question": "Who wrote it?", "answer": "nobody", "options": ["nobody", "somebody"]},
    ]
    expert = tmp_path / "exam.jsonl"
    expert.write_text("".join(json.dumps(line) + "\n" for line in lines))
    build_dataset(settings(), run, seed=1)
    record = build_dataset(settings(expert), run, seed=1)
    assert {name: n for name, n in record.counts["exams"].items() if "expert" in name} == {
        "expert": 2,
        "expert_trained": 1,
        "expert_held_out": 1,
    }
    asked = {example.messages[0].content for example in load_lines(run / "dataset" / "train.jsonl", Example)}
    assert not {question for question in asked if machine in question and "voltage" in question}
    build_dataset(settings(), run, seed=1)
    assert not (run / "dataset" / "exams" / "expert.jsonl").exists()


def test_a_leak_fails_the_build_and_leaves_nothing_to_train_on(run: Path) -> None:
    build_dataset(settings(), run, seed=1)
    stranger = run / "dataset" / "exams" / "mine.jsonl"
    save_lines(stranger, [])
    (run / "dataset" / "exams" / "seal.json").unlink()
    with pytest.raises(FieldsmithError, match=r"mine\.jsonl is no sealed exam"):
        build_dataset(settings(), run, seed=1)
    assert not list((run / "dataset").glob("[tvc]*.jsonl"))


def test_without_pairs_there_is_nothing_to_train_on(run: Path) -> None:
    shutil.rmtree(run / "pairs")
    with pytest.raises(FieldsmithError, match="none is left to train on"):
        build_dataset(settings(), run, seed=1)


def test_the_teacher_is_not_asked_again_for_what_was_answered(run: Path) -> None:
    from scripted_teacher import ScriptedTeacher

    shutil.rmtree(run / "pairs")
    with ScriptedTeacher() as teacher:
        config = settings(method="answer-aware", teacher={"model": "scripted", "base_url": teacher.url})
        record = generate(config, run, seed=1)
        made, asked = {path.name: path.read_bytes() for path in (run / "pairs").glob("*.jsonl")}, teacher.requests
        assert generate(config, run, seed=1) == record
        assert sum(record.counts["pairs"].values()) == sum(data.count(b"\n") for data in made.values()) > 0
        assert record.counts["documents"] == 12
        assert record.cost["calls_made"] == asked > 0
        next(iter((run / "pairs").glob("*.jsonl"))).unlink()
        generate(config, run, seed=1)
        assert {path.name: path.read_bytes() for path in (run / "pairs").glob("*.jsonl")} == made
        assert teacher.requests == asked


BUILD = """
import sys
from pathlib import Path
from qagen.config import QAGenConfig
from qagen.stage import build_dataset, split
config = QAGenConfig.model_validate_json(sys.argv[2])
print("ready", flush=True)
split(config, Path(sys.argv[1]), seed=1)
build_dataset(config, Path(sys.argv[1]), seed=1)
"""


def start(run: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILD, str(run), settings().model_dump_json()]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_killed_anywhere_and_run_again_it_ends_in_the_same_bytes(tmp_path: Path) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    for folder in (whole, run):
        make_run(folder, range(16))
    undisturbed, started = start(whole), time.monotonic()
    assert undisturbed.wait(timeout=120) == 0
    length, killed = time.monotonic() - started, 0
    for step in range(1, 8):
        process = start(run)
        time.sleep(length * step / 8)
        process.kill()
        killed += process.wait() == -9
    assert killed, "no kill came in time: the test shows nothing"
    assert start(run).wait(timeout=120) == 0
    assert snapshot(run) == snapshot(whole)


def test_what_a_crash_left_half_written_is_swept_away(run: Path) -> None:
    build_dataset(settings(), run, seed=1)
    before = snapshot(run)
    for folder in ("dataset", "dataset/exams", "rejected/dedup"):
        (run / folder / ".abc.tmp").write_text("half")
    (run / "dataset" / "README.md").unlink()
    build_dataset(settings(), run, seed=1)
    assert snapshot(run) == before
