"""Several processes that train together, as torchrun starts them: on a CPU they speak over gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
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
    settings = {"epochs": 3, "learning_rate": 1e-2, "batch_size": 4, "max_length": 128, "checkpoint_steps": 2, "warmup_steps": 0}
    sft = {"kind": "sft", **settings, **stage}
    config = {"base": base, "backend": backend, "stages": [sft]}
    save(tmp_path / "plan.json", {"task": "train", "config": config, "dataset": dataset, "out": out, "seed": 3})
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--master-port", "0"] if processes > 1 else []
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
    for curve in ("1-sft", "1-sft validation"):
        assert [step for step, _ in got["losses"][curve]] == [step for step, _ in expected["losses"][curve]]
        assert [loss for _, loss in got["losses"][curve]] == pytest.approx([loss for _, loss in expected["losses"][curve]], abs=1e-3)
    weights, others = (load_file(out / "adapter" / "adapter_model.safetensors") for out in (one, two))
    assert weights.keys() == others.keys()
    assert all(torch.allclose(weights[name], others[name], atol=1e-3) for name in weights)
    assert got["backend"] == "peft"
    assert "2 processes train together" in got["backend_reason"]
    assert any("2 processes trained together, each with the whole model (DDP)" in note for note in got["notes"])
    assert together.stderr.count("train: 1-sft: step 1/9") == 1, "only the first process says what happens"
    assert not list(two.rglob("checkpoint-*"))
    assert not list((tmp_path / "cwd").iterdir()), "something was left in the user's folder"


def test_a_batch_that_cannot_be_shared_out_is_refused(base: str, dataset: Path, tmp_path: Path) -> None:
    done = run(tmp_path, base, dataset, tmp_path / "out", processes=2, batch_size=3)
    assert done.returncode != 0
    assert "batch_size 3 is over all processes and cannot be shared among 2" in done.stderr


@pytest.mark.skipif(find_spec("unsloth") is None, reason="unsloth is not installed")
def test_unsloth_by_name_is_refused_under_several_processes(base: str, dataset: Path, tmp_path: Path) -> None:
    done = run(tmp_path, base, dataset, tmp_path / "out", processes=2, backend="unsloth")
    assert done.returncode != 0
    assert "set backend: peft, or start one process" in done.stderr
