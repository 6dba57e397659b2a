"""The whole way as a user walks it: `fieldsmith run`, killed in the middle of every stage, asked again, changed, and asked of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_teacher import ScriptedTeacher

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "t-mere-rf.tex",
    "t-rf-proceedings.pdf",
    "t-mere-vacuum.tex",
    "t-incident-water.pdf",
    "h-pike-linac.tex",
    "h-heron-booster.pdf",
)
FIELD = """\
title: Testing
harvest:
  sources:
    - folder: {{path: papers, licence: CC0-1.0}}
qagen:
  method: answer-aware
  pairs_per_chunk: 2
  teacher: {{model: scripted, base_url: "{url}", concurrency: 4}}
  split: {{validation: 0, assign: {{unseen: ["h-*"]}}}}
  exams: {{seen: 5, unseen: 5, expert: exam.jsonl}}
train:
  base: "{base}"
  backend: peft
  stages:
    - {{kind: cpt, max_steps: 6, batch_size: 2, max_length: 64, checkpoint_steps: 1}}
    - {{kind: sft, max_steps: 6, batch_size: 2, max_length: 128, checkpoint_steps: 1}}
"""


@pytest.fixture(scope="module")
def teacher() -> Iterator[ScriptedTeacher]:
    with ScriptedTeacher(delay=0.02) as teacher:
        yield teacher


def make_lab(place: Path, teacher: ScriptedTeacher, base: str) -> Path:
    """A lab's folder with a field of six documents, two of them near-copies, and an expert exam."""
    papers = place / "fields" / "papers"
    papers.mkdir(parents=True)
    demo = ROOT / "examples" / "demo"
    for name in DOCUMENTS:
        shutil.copy(demo / "documents" / name, papers)
    ids = {Path(name).stem for name in DOCUMENTS}
    lines = (demo / "exam.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (place / "fields" / "exam.jsonl").write_text("".join(line for line in lines if json.loads(line)["document"] in ids), encoding="utf-8")
    (place / "fields" / "lab.yaml").write_text(FIELD.format(url=teacher.url, base=base), encoding="utf-8")
    return place


def start(place: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "flows.cli", *arguments]
    return subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def fieldsmith(place: Path, *arguments: str) -> tuple[int, str, str]:
    process = start(place, *arguments)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def results(place: Path) -> dict[str, str]:
    """What a killed run must end in too: every byte of the dataset, and the adapter's weights."""
    run = place / "runs" / "lab"
    files = [path for path in (run / "dataset").rglob("*") if path.is_file() and not path.name.startswith(".")]
    files += run.glob("models/*/adapter/*.safetensors")
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, teacher: ScriptedTeacher, base: str) -> tuple[Path, str]:
    place = make_lab(tmp_path_factory.mktemp("undisturbed"), teacher, base)
    code, out, err = fieldsmith(place, "run", "lab")
    assert code == 0, err
    return place, out


def test_a_run_ends_with_places_cost_table_and_answers(undisturbed: tuple[Path, str]) -> None:
    place, out = undisturbed
    for said in ("adapter", "report", "cost", "expert, trained documents", "The gate is not passed", "truth", "source ("):
        assert said in out
    metrics = json.loads(next(place.glob("runs/lab/models/*/metrics.json")).read_text(encoding="utf-8"))
    for name in ("seen", "unseen", "expert", "expert_trained", "expert_held_out", "general", "unanswerable"):
        exam = metrics["exams"][name]
        assert exam["n"] >= 5
        for arm in ("base", "base_retrieval", "tuned", "tuned_retrieval"):
            assert exam["arms"][arm]["nll"] > 0
        gain = exam["gains"]["tuned"]["nll"]
        low, high = gain["ci95"]
        assert low <= gain["value"] <= high
        assert gain["value"] == pytest.approx(exam["arms"]["base"]["nll"] - exam["arms"]["tuned"]["nll"])


def test_a_model_that_learnt_nothing_leaves_nothing(undisturbed: tuple[Path, str]) -> None:
    [model] = (path.parent for path in undisturbed[0].glob("runs/lab/models/*/metrics.json"))
    assert not json.loads((model / "gate.json").read_text(encoding="utf-8"))["passed"]
    assert not (model / "release").exists()
    assert not (undisturbed[0] / "runs" / "lab" / "released.json").exists()


def test_near_copies_and_held_out_documents_stay_apart(undisturbed: tuple[Path, str]) -> None:
    dataset = undisturbed[0] / "runs" / "lab" / "dataset"
    split = {entry["document_id"]: entry for entry in read(dataset / "split.jsonl")}
    assert split["t-mere-rf"]["cluster"] == split["t-rf-proceedings"]["cluster"]
    for name in ("train", "corpus"):
        assert not {line["document_id"] for line in read(dataset / f"{name}.jsonl")} & {"h-pike-linac", "h-heron-booster"}


def test_every_pair_can_be_walked_back_to_its_sentence(undisturbed: tuple[Path, str]) -> None:
    run = undisturbed[0] / "runs" / "lab"
    pairs = [pair for path in (run / "pairs").glob("*.jsonl") for pair in read(path)]
    assert pairs
    for pair in pairs:
        text = json.loads((run / "documents" / f"{pair['document_id']}.json").read_text(encoding="utf-8"))["text"]
        quoted = " ".join(text[span["start"] : span["end"]] for span in pair["evidence"])
        assert pair["answer"].rstrip(".") in " ".join(quoted.split())


def test_what_a_paper_says_invisibly_reaches_nothing(undisturbed: tuple[Path, str]) -> None:
    run = undisturbed[0] / "runs" / "lab"
    made = [path for folder in ("pairs", "dataset") for path in (run / folder).rglob("*.json*")]
    assert all("silver eels" not in path.read_text(encoding="utf-8") for path in made)
    document = json.loads((run / "documents" / "t-incident-water.json").read_text(encoding="utf-8"))
    assert "silver eels" in "".join(found["text"] for found in document.pop("hidden"))  # listed for a person, and nowhere else
    assert "silver eels" not in json.dumps(document)
    assert any("hidden text" in warning for warning in document["warnings"])


def test_a_second_run_says_that_all_is_done_and_asks_nobody(undisturbed: tuple[Path, str], teacher: ScriptedTeacher) -> None:
    place, _ = undisturbed
    before, asked = results(place), teacher.requests
    code, out, _ = fieldsmith(place, "run", "lab")
    assert (code, teacher.requests, results(place)) == (0, asked, before)
    assert "all is done already" in out


def test_both_models_can_be_asked(undisturbed: tuple[Path, str]) -> None:
    code, out, err = fieldsmith(undisturbed[0], "ask", "lab", "What is the frequency of the Bittern cavities?")
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines() if line[:1].strip()][:2] == ["base", "tuned"]


def first_checkpoint(number: int) -> Callable[[Path], bool]:
    return lambda run: any(run.glob(f"models/*/work/{number}-*/*checkpoint*"))


MIDDLES: dict[str, Callable[[Path], bool]] = {
    "harvest": lambda run: any(run.glob("papers/*/*")),
    "split": lambda run: any(run.glob("documents/*.json")),
    "generate": lambda run: sum(path.stat().st_size for path in run.glob("replies/*.jsonl")) > 3000,
    "dataset": lambda run: any(run.glob("pairs/t-rf*.jsonl")),
    "cpt": first_checkpoint(1),
    "sft": first_checkpoint(2),
    "evaluate": lambda run: any(run.glob("models/*/evaluate.plan.json")),
}


def kill_when(process: subprocess.Popen[str], reached: Callable[[], bool]) -> bool:
    """`kill -9` as soon as something is reached; False if the run ended before."""
    while process.poll() is None:
        if reached():
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return True
        time.sleep(0.005)
    process.communicate()
    return False


def test_killed_in_every_stage_it_ends_in_the_same_dataset_and_pays_once(
    undisturbed: tuple[Path, str], tmp_path: Path, teacher: ScriptedTeacher, base: str
) -> None:
    place = make_lab(tmp_path, teacher, base)
    run = place / "runs" / "lab"
    asked = teacher.requests
    killed = []
    for stage, reached in MIDDLES.items():
        if kill_when(start(place, "run", "lab"), lambda reached=reached: reached(run)):  # type: ignore[misc]
            killed.append(stage)
        time.sleep(0.5)  # the training child notices that its parent is gone
    code, _, err = fieldsmith(place, "run", "lab")
    assert code == 0, err
    assert killed == list(MIDDLES)
    assert results(place) == results(undisturbed[0])
    in_flight = 4 * sum(1 for stage in killed if stage == "generate")
    calls = sum(1 for path in (run / "replies").glob("*.jsonl") for _ in path.open(encoding="utf-8"))
    assert teacher.requests - asked <= calls + in_flight


def test_two_runs_of_one_field_do_not_mix(undisturbed: tuple[Path, str], tmp_path: Path, teacher: ScriptedTeacher, base: str) -> None:
    place = make_lab(tmp_path, teacher, base)
    first = start(place, "run", "lab")
    while not (place / "runs" / "lab" / "papers").exists():
        time.sleep(0.01)
    code, _, err = fieldsmith(place, "run", "lab")
    first.kill()
    first.communicate()
    assert code == 1
    assert "another process" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", "labb"), 2, "did you mean lab?"),
        (("run", "lab", "--max-papers", "many"), 2, "invalid int value"),
        (("ask", "lab", " "), 2, "the question is empty"),
        (("status", "other"), 1, "has no model yet"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(undisturbed: tuple[Path, str], arguments: tuple[str, ...], code: int, said: str) -> None:
    place, _ = undisturbed
    shutil.copy(place / "fields" / "lab.yaml", place / "fields" / "other.yaml")
    returned, _, err = fieldsmith(place, *arguments)
    assert returned == code
    assert said in err.splitlines()[-1]
    assert "Traceback" not in err


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
