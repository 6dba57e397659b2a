"""Several processes that train together, as torchrun starts them: on a CPU they speak over gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from harvest.store import save, save_lines

ROOT = Path(__file__).parents[1]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Examples of different lengths, and so many that the last step is not a whole one."""
    names = ["A", "Bravo", "Charlie the third", "D", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett", "Kilo"]
    pairs = [{"question": f"What is the current of ring {name}?", "answer": f"{310 + 20 * at} mA"} for at, name in enumerate(names)]
    save_lines(tmp_path / "data" / "train.jsonl", pairs)
    save_lines(tmp_path / "data" / "validation.jsonl", pairs[:3])
    return tmp_path / "data"


def run(tmp_path: Path, base: str, dataset: Path, out: Path, *, processes: int, backend: str = "peft", **stage: Any) -> Any:
    settings = {"epochs": 3, "learning_rate": 1e-3, "batch_size": 4, "max_length": 128, "checkpoint_steps": 2, "warmup_steps": 0}
    sft = {"kind": "sft", **settings, **stage}
    config = {"base": base, "backend": backend, "stages": [sft]}
    save(tmp_path / "plan.json", {"task": "train", "config": config, "dataset": dataset, "out": out, "seed": 3})
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    (tmp_path / "cwd").mkdir(exist_ok=True)
    command = [sys.executable, *torchrun, "-m", "train", "run", str(tmp_path / "plan.json")]
    return subprocess.run(
        command, cwd=tmp_path / "cwd", env=environment, capture_output=True, text=True, timeout=300, stdin=pipe(), check=False
    )


def pipe() -> int:
    """Standard input that stays open: a training ends when it closes."""
    reading, _ = os.pipe()
    return reading


def test_two_processes_train_what_one_trains(base: str, dataset: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    alone = run(tmp_path, base, dataset, one, processes=1)
    assert alone.returncode == 0, alone.stderr
    together = run(tmp_path, base, dataset, two, processes=2, backend="auto")
    assert together.returncode == 0, together.stderr

    expected, got = (json.loads((out / "training.json").read_text()) for out in (one, two))
    assert got["counts"] == expected["counts"]
    # Where the CPU computes in bfloat16, sums in another order differ in the third digit, and training carries that on.
    for curve in ("1-sft", "1-sft validation"):
        (steps, losses), (others, close) = (zip(*training["losses"][curve], strict=True) for training in (got, expected))
        assert steps == others
        assert losses == pytest.approx(close, abs=0.03)
    assert got["losses"]["1-sft"][0][1] == pytest.approx(expected["losses"]["1-sft"][0][1], abs=1e-3)
    assert gradient_norm(two) == pytest.approx(gradient_norm(one), rel=0.01)
    weights, others = (flat(load_file(out / "adapter" / "adapter_model.safetensors")) for out in (one, two))
    assert torch.nn.functional.cosine_similarity(weights, others, dim=0) > 0.999
    assert got["backend"] == "peft"
    assert "2 processes train together" in got["backend_reason"]
    assert any("2 processes trained together, each with the whole model (DDP)" in note for note in got["notes"])
    assert together.stderr.count("train: 1-sft: step 1/9") == 1, "only the first process says what happens"
    assert not list(two.rglob("checkpoint-*"))
    assert not list((tmp_path / "cwd").iterdir()), "something was left in the user's folder"


def gradient_norm(out: Path) -> float:
    """Of the first step: a wrong mean over the processes shows in it, while Adam would hide it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(out / "work" / "1-sft" / "tensorboard")).Reload()
    return float(events.Scalars("train/grad_norm")[0].value)


def flat(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([weights[name].flatten() for name in sorted(weights)])


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "train(TrainConfig(base='x', stages=[StageConfig(kind='sft', batch_size=3)]), Path('x'), Path('out'), seed=0)",
            "batch_size 3 is over all processes and cannot be shared among 2",
        ),
        (
            "train(TrainConfig(base='x', stages=[StageConfig(kind='sft', batch_size=4, micro_batch=4)]), Path('x'), Path('out'), seed=0)",
            "a process's share of 2 examples of a batch is not a multiple of micro_batch 4",
        ),
        ("choose('unsloth', Path())", "set backend: peft, or start one process"),
        ("raise FieldsmithError(choose('auto', Path()).name)", "peft"),
    ],
)
def test_what_several_processes_cannot_do_is_refused_at_once(script: str, said: str, tmp_path: Path) -> None:
    imports = (
        "from pathlib import Path; from harvest.store import FieldsmithError; from train import train, StageConfig, TrainConfig\n"
        "from train.backends.choose import choose\n"
    )
    code = f"{imports}try:\n    {script}\nexcept FieldsmithError as error:\n    print(error)"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "WORLD_SIZE": "2", "RANK": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert said in done.stdout, done.stderr
