"""Every setting of a training does what it says, on both backends; what cannot be had is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from harvest.store import FieldsmithError, UsageError, save_lines
from train import LoraConfig, StageConfig, TrainConfig, Training, train
from train.tune.reports import check_reports

ROOT = Path(__file__).parents[1]
BACKENDS = ["peft", pytest.param("unsloth", marks=pytest.mark.skipif(find_spec("unsloth") is None, reason="unsloth is not installed"))]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    pairs = [{"question": f"What is the current of ring {name}?", "answer": f"{310 + 20 * at} mA"} for at, name in enumerate("ABCDEFGH")]
    save_lines(tmp_path / "data" / "train.jsonl", pairs)
    save_lines(tmp_path / "data" / "validation.jsonl", [{"question": "What is the current of ring Z?", "answer": "900 mA"}])
    save_lines(tmp_path / "data" / "corpus.jsonl", [{"text": f"Ring {name} is small."} for name in "ABCD"])
    return tmp_path / "data"


def learn(base: str, dataset: Path, out: Path, *, lora: LoraConfig = LoraConfig(), **stage: Any) -> Training:  # noqa: B008 - frozen
    settings = {"epochs": 2, "learning_rate": 1e-3, "batch_size": 8, "max_length": 128, "warmup_steps": 0} | stage
    stages = (StageConfig(kind="sft", **settings),)
    return train(TrainConfig(base=base, backend="peft", lora=lora, stages=stages, report_to=()), dataset, out, seed=1)


PROBE = """
import json, sys
from pathlib import Path
from train.backends.choose import choose
from train.backends.learner import read_tokenizer
from train.config import LoraConfig, TrainConfig

base, backend = sys.argv[1:]
lora = LoraConfig(r=4, alpha=8, dropout=0.5, rslora=True, dora=True, target_modules="all-linear")
config = TrainConfig(base=base, lora=lora)
learner = choose(backend, Path("compiled")).open_model(config, base, read_tokenizer(base, base), max_length=256, seed=1)
import torch

learner.model.save_pretrained("adapter")
embeddings = learner.model.get_input_embeddings()
ids = torch.arange(50)[None]
with torch.no_grad():
    quiet = embeddings(ids)
    learner.model.train()
    with learner.noise(5.0):
        noisy = embeddings(ids) - quiet
        learner.model.eval()
        still = embeddings(ids) - quiet
    learner.model.train()
    after = embeddings(ids) - quiet
bound = 5.0 / (50 * quiet.shape[-1]) ** 0.5
print(json.dumps({"noise": noisy.abs().max().item() / bound, "still": still.abs().max().item(), "after": after.abs().max().item()}))
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_adapter_is_of_the_kind_that_was_asked_for(backend: str, base: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", PROBE, base, backend]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert 0.9 < found["noise"] <= 1.0, "NEFTune's noise, once"
    assert found["still"] == found["after"] == 0
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    expected = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.5, "use_rslora": True, "use_dora": True}
    assert {name: settings[name] for name in expected} == expected
    names = load_file(tmp_path / "adapter" / "adapter_model.safetensors").keys()
    assert any("lora_magnitude_vector" in name for name in names)
    for module in ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"):
        assert any(module in name for name in names)
    assert not any("lm_head" in name for name in names)


def test_neftune_changes_the_training_and_not_the_watching(base: str, dataset: Path, tmp_path: Path) -> None:
    plain, noisy = (learn(base, dataset, tmp_path / name, neftune_alpha=alpha) for name, alpha in (("plain", None), ("noisy", 5.0)))
    assert plain.losses["1-sft"][0] != noisy.losses["1-sft"][0]
    assert any("NEFTune scales its noise by the length of a row" in note or "of one length" in note for note in noisy.notes)


@pytest.mark.parametrize(("scheduler", "last"), [("constant", 1.0), ("linear", 0.25), ("cosine", 0.146)])
def test_the_learning_rate_follows_the_schedule(scheduler: str, last: float, base: str, dataset: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    stages = (StageConfig(kind="sft", epochs=8, max_steps=8, warmup_steps=4, learning_rate=1e-3, scheduler=scheduler, max_length=128),)  # type: ignore[arg-type]
    train(TrainConfig(base=base, backend="peft", stages=stages), dataset, tmp_path / "out", seed=1)
    events = EventAccumulator(str(tmp_path / "out" / "work" / "1-sft" / "tensorboard")).Reload()
    rates = [event.value for event in events.Scalars("train/learning_rate")]
    assert rates[0] < rates[1] < rates[2], "it warms up, with every schedule"
    assert rates[-1] == pytest.approx(1e-3 * last, rel=0.05)


def test_the_best_weights_are_kept_and_the_next_stage_goes_on_from_them(base: str, dataset: Path, tmp_path: Path) -> None:
    first = StageConfig(kind="sft", epochs=30, learning_rate=1e-2, batch_size=4, max_length=128, eval_steps=3, early_stopping=4)
    second = StageConfig(kind="sft", epochs=1, learning_rate=1e-9, max_length=128, eval_steps=1)
    config = TrainConfig(base=base, backend="peft", stages=(first, second), report_to=())
    training = train(config, dataset, tmp_path / "out", seed=1)
    curve = training.losses["1-sft validation"]
    best, lowest = min(curve, key=lambda point: point[1])
    assert [step for step, _ in curve][-4:] == [best + 3 * after for after in range(1, 5)], "four evaluations later it stopped"
    assert training.counts["1-sft steps"] == best + 12
    assert any(note.startswith(f"1-sft: kept the weights after step {best} of {best + 12}") for note in training.notes)
    assert any(note.startswith("1-sft: stopped early, after step") for note in training.notes)
    assert training.losses["2-sft validation"][-1][1] == pytest.approx(lowest, abs=1e-3)


def test_the_held_out_loss_does_not_depend_on_the_batches(base: str, dataset: Path, tmp_path: Path) -> None:
    pairs = [{"question": "Q" * n, "answer": "a" * (1 + n % 7)} for n in range(3, 40, 4)]
    save_lines(dataset / "validation.jsonl", pairs)
    losses = [
        learn(base, dataset, tmp_path / str(size), micro_batch=size, packing=packing, learning_rate=1e-9).losses["1-sft validation"][0][1]
        for size, packing in ((1, False), (8, False), (8, True))
    ]
    assert losses == pytest.approx([losses[0]] * 3, rel=5e-3)  # as far as bfloat16 goes


def test_early_stopping_without_held_out_data_is_refused_before_training(base: str, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match="early_stopping watches the loss on held-out data"):
        learn(base, dataset / "train.jsonl", tmp_path / "out", early_stopping=2)
    assert not (tmp_path / "out" / "work" / "1-sft").exists()


def test_what_is_not_learnt_from_does_not_begin_a_training_anew(base: str, dataset: Path, tmp_path: Path) -> None:
    one = learn(base, dataset, tmp_path)
    written = (tmp_path / "training.json").stat().st_mtime_ns
    stages = (StageConfig(kind="sft", epochs=2, learning_rate=1e-3, batch_size=8, max_length=128, warmup_steps=0, micro_batch=2),)
    other = TrainConfig(base=base, backend="peft", stages=stages, report_to=("tensorboard",), seeds=3)
    assert train(other, dataset, tmp_path, seed=1) == one
    assert (tmp_path / "training.json").stat().st_mtime_ns == written


def test_a_report_whose_package_is_missing_is_one_sentence() -> None:
    for name in ("wandb", "trackio"):
        if find_spec(name) is None:
            with pytest.raises(UsageError, match=f"report_to names {name}, which is not installed: run `pip install {name}`"):
                check_reports((name,))
    check_reports(("tensorboard",))
    check_reports(())
