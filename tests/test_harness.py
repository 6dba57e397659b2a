from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from harvest.store import FieldsmithError, save_lines
from train.models import load
from train.prove.exam import read_exam, score
from train.prove.harness import write_tasks
from train.records import ExamItem

SYSTEM = "Answer as {{ 7 * 7 }} operators would. {% raw"  # text, not a template
TASKS = ["field_x_seen", "field_x_seen_answers", "field_x_open_answers"]


def items() -> list[ExamItem]:
    return [
        ExamItem("number", "How high is the voltage of {{ gun }}?", "92 kV", ("86 kV", "92 kV", "97 kV", "110 kV"), 1),
        ExamItem("words", "Why is it lower than planned?", "the insulator punctured", ("the cathode failed", "the insulator punctured"), 1),
        ExamItem("space", "  Which one? ", " Heron ", (" Heron ", "Pike", "Curlew"), 0),
        ExamItem("chinese", "束流能量是多少?", "三 GeV", ("一 GeV", "三 GeV", "二 GeV"), 1),
        ExamItem("digit", "7", "0", ("0", "1"), 0),
        ExamItem("listed", "[1, 2]", "['a']", ("['a']", "['b']"), 0),
    ]


@pytest.fixture
def exams(tmp_path: Path) -> Path:
    save_lines(tmp_path / "exams/seen.jsonl", items())
    save_lines(tmp_path / "exams/open.jsonl", [ExamItem("o1", "Why?", "Because of {{ heat }}."), ExamItem("o2", "[x]", "[1]")])
    return tmp_path / "exams"


def yaml_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8").replace("!function ", ""))
    return found


def test_tasks_say_which_exam_they_are_and_name_no_place(exams: Path, tmp_path: Path) -> None:
    written = write_tasks(exams, tmp_path / "out", prefix="field x", system_prompt=SYSTEM)
    assert sorted(path.stem for path in written) == sorted(TASKS)
    for path in written:
        task = yaml_of(path)
        exam = exams / f"{task['metadata']['exam']}.jsonl"
        assert task["metadata"]["exam_sha256"] == hashlib.sha256(exam.read_bytes()).hexdigest()
        assert (tmp_path / "out" / task["dataset_kwargs"]["file"]).read_bytes() == exam.read_bytes()
        assert str(tmp_path) not in path.read_text("utf-8")
    assert all(task in (tmp_path / "out/README.md").read_text("utf-8") for task in TASKS)


def test_writing_again_gives_the_same_bytes(exams: Path, tmp_path: Path) -> None:
    def written() -> dict[str, bytes]:
        write_tasks(exams, tmp_path / "out", prefix="field")
        return {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    assert written() == written()


def test_exams_that_cannot_be_tasks_are_refused_before_anything_is_written(exams: Path, tmp_path: Path) -> None:
    save_lines(exams / "seen-answers.jsonl", items())
    with pytest.raises(FieldsmithError, match=r"a task f_seen_answers already"):
        write_tasks(exams, tmp_path / "out", prefix="f")
    (exams / "seen-answers.jsonl").write_text("{}\n")
    with pytest.raises(FieldsmithError, match=r"seen-answers.jsonl, line 1"):
        write_tasks(exams, tmp_path / "out", prefix="f")
    with pytest.raises(FieldsmithError, match="there is no exam"):
        write_tasks(tmp_path / "none", tmp_path / "out", prefix="f")
    assert not (tmp_path / "out").exists()


def test_the_folder_refuses_an_exam_that_was_changed(exams: Path, tmp_path: Path) -> None:
    (path,) = [path for path in write_tasks(exams, tmp_path / "out", prefix="f") if path.stem == "f_seen"]
    moved = shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    spec = importlib.util.spec_from_file_location("mailed", Path(moved) / "fieldsmith_exam.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kwargs = yaml_of(Path(moved) / path.name)["dataset_kwargs"]
    rows = module.load(**kwargs, version=1, pretrained="any")["test"]
    assert rows["options"][2] == ["Heron", "Pike", "Curlew"]
    exam = Path(moved) / "seen.jsonl"
    exam.write_text(exam.read_text("utf-8").replace("92 kV", "93 kV"), "utf-8")
    with pytest.raises(ValueError, match=r"seen.jsonl was changed"):
        module.load(**kwargs)


# ---- the harness itself


@pytest.fixture(scope="module")
def harness(base: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, list[Mapping[str, Any]]]]:
    """What the harness's command gives for the tasks of a folder that was moved: (exams, results, task -> questions)."""
    if find_spec("lm_eval") is None:
        pytest.skip("lm-evaluation-harness is not installed: pip install lm_eval")
    place = tmp_path_factory.mktemp("harness")
    save_lines(place / "exams/seen.jsonl", items())
    save_lines(place / "exams/open.jsonl", [ExamItem("o1", "Why?", "Because of {{ heat }}."), ExamItem("o2", "[x]", "[1]")])
    write_tasks(place / "exams", place / "written", prefix="field x", system_prompt=SYSTEM)
    shutil.move(place / "written", place / "mailed")
    (place / "cwd").mkdir()
    command = [
        sys.executable,
        "-m",
        "lm_eval",
        "run",
        "--model",
        "hf",
        "--model_args",
        f"pretrained={base},dtype=float32",
        "--device",
        "cpu",
    ]
    command += ["--tasks", "field_x", "--include_path", str(place / "mailed"), "--apply_chat_template", "--batch_size", "4"]
    command += ["--output_path", str(place / "found"), "--log_samples"]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, cwd=place / "cwd", env={**os.environ, **offline}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (results,) = place.glob("found/*/results_*.json")
    samples = {
        task: [json.loads(line) for line in next(place.glob(f"found/*/samples_{task}_20*.jsonl")).read_text("utf-8").splitlines()]
        for task in TASKS
    }
    return place / "exams", json.loads(results.read_text("utf-8")), samples


def sums(base: str, exam: Path) -> dict[str, list[float]]:
    """Our log-likelihood of each option (of the answer, where there are none), summed over its tokens, which are bytes here."""
    torch.set_num_threads(1)
    model, tokenizer = load(base)
    found = {}
    for item in read_exam(exam):
        options = item.options or (item.answer,)
        each = [replace(item, answer=option, options=(), correct=None) for option in options]
        scores = score(model, tokenizer, each, system_prompt=SYSTEM)
        found[item.id] = [-one.nll * len(option.strip().encode()) for one, option in zip(scores, options, strict=True)]
    return found


def line_break(base: str, question: str) -> float:
    """The log-likelihood of the line break with which the template's prompt ends, which the harness counts to the answer."""
    model, tokenizer = load(base)
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question.strip()}]
    tokens = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True), add_special_tokens=False).input_ids
    with torch.inference_mode():
        return float(model(torch.tensor([tokens[:-1]])).logits[0, -1].log_softmax(-1)[tokens[-1]])


def test_our_likelihoods_are_those_of_the_harness(base: str, harness: Any) -> None:
    exams, _, samples = harness
    ours, seen = sums(base, exams / "seen.jsonl"), {item.id: item for item in read_exam(exams / "seen.jsonl")}
    for sample in samples["field_x_seen"]:
        item = seen[sample["doc"]["id"]]
        theirs = [float(reply[0]) for reply in sample["filtered_resps"]]
        shift = line_break(base, item.question)
        assert theirs == pytest.approx([figure + shift for figure in ours[item.id]], abs=1e-3)
    for sample in samples["field_x_seen_answers"]:
        item = seen[sample["doc"]["id"]]
        assert -sample["nll"] == pytest.approx(ours[item.id][item.correct or 0] + line_break(base, item.question), abs=1e-3)
    free = {item.id: item for item in read_exam(exams / "open.jsonl")}
    for sample, figure in zip(samples["field_x_open_answers"], sums(base, exams / "open.jsonl").values(), strict=True):
        assert -sample["nll"] == pytest.approx(figure[0] + line_break(base, free[sample["doc"]["id"]].question), abs=1e-3)


def test_accuracies_follow_from_the_same_likelihoods(base: str, harness: Any) -> None:
    """`acc` takes the highest sum; per byte, which is a token of this model, `acc_bytes` is our choice but for the line break."""
    exams, results, _ = harness
    ours, exam = sums(base, exams / "seen.jsonl"), read_exam(exams / "seen.jsonl")
    found = results["results"]["field_x_seen"]
    assert found["acc,none"] == pytest.approx(sum(ours[item.id].index(max(ours[item.id])) == item.correct for item in exam) / len(exam))
    hits = 0
    for item in exam:
        shift = line_break(base, item.question)
        per_byte = [(figure + shift) / len(option.strip().encode()) for figure, option in zip(ours[item.id], item.options, strict=True)]
        hits += per_byte.index(max(per_byte)) == item.correct
    assert found["acc_bytes,none"] == pytest.approx(hits / len(exam))


def test_texts_are_not_taken_for_templates_lists_or_numbers(harness: Any) -> None:
    _, results, samples = harness
    asked = {sample["doc"]["id"]: sample["arguments"]["gen_args_0"]["arg_0"] for sample in samples["field_x_seen"]}
    assert f"system\n{SYSTEM}<|im_end|>" in asked["number"]
    assert "user\nHow high is the voltage of {{ gun }}?<|im_end|>" in asked["number"]
    assert "user\n7<|im_end|>" in asked["digit"]
    answers = {sample["doc"]["id"]: sample["arguments"]["gen_args_0"]["arg_1"] for sample in samples["field_x_open_answers"]}
    assert answers == {"o1": "Because of {{ heat }}.", "o2": "[1]"}
    assert results["configs"]["field_x_seen"]["metadata"]["questions"] == 6
