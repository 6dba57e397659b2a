"""How many examples go through the model at once, and what happens when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.modules.module import register_module_forward_pre_hook

from harvest.store import FieldsmithError, save_lines
from train import LoraConfig, StageConfig, TrainConfig, Training, train
from train.tune.fitting import _group_limits, free_memory, largest_divisor, ran_out


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    pairs = [{"question": f"What is the current of ring {name}?", "answer": f"{310 + 20 * at} mA"} for at, name in enumerate("ABCDEFGH")]
    save_lines(tmp_path / "data" / "train.jsonl", pairs)
    return tmp_path / "data"


def learn(base: str, dataset: Path, out: Path, **stage: Any) -> Training:
    settings = {"epochs": 6, "learning_rate": 1e-3, "batch_size": 8, "max_length": 128, "checkpoint_steps": 2, "warmup_steps": 0} | stage
    stages = (StageConfig(kind="sft", packing=False, **settings),)
    return train(TrainConfig(base=base, backend="peft", lora=LoraConfig(dropout=0.0), stages=stages), dataset, out, seed=1)


@contextmanager
def machine_that_holds(examples: int, *, from_step: int = 0) -> Iterator[list[int]]:
    """PyTorch is really asked for more memory than there is whenever a step takes more examples at once; yields the sizes of all steps."""
    sizes: list[int] = []

    def take(module: Any, inputs: Any) -> None:
        if isinstance(module, torch.nn.Embedding) and module.training:
            sizes.append(len(inputs[0]))
            if len(inputs[0]) > examples and len(sizes) > from_step:
                torch.empty(2**60)

    hook = register_module_forward_pre_hook(take)
    try:
        yield sizes
    finally:
        hook.remove()


@pytest.mark.parametrize("from_step", [0, 3], ids=["at the first step", "after a checkpoint"])
def test_out_of_memory_is_caught_once_and_the_optimisers_batch_stays(from_step: int, base: str, dataset: Path, tmp_path: Path) -> None:
    whole = learn(base, dataset, tmp_path / "whole")
    with machine_that_holds(4, from_step=from_step) as sizes:
        split = learn(base, dataset, tmp_path / "split")
    redone = 0 if from_step == 0 else 1  # the step after the checkpoint of step 2
    assert sizes == [8] * (from_step + 1) + [4, 4] * (6 - from_step + redone)
    assert any("memory ran out with 8 examples at once: going on with 4" in note for note in split.notes)
    assert [step for step, _ in split.losses["1-sft"]] == [step for step, _ in whole.losses["1-sft"]]
    assert [loss for _, loss in split.losses["1-sft"]] == pytest.approx([loss for _, loss in whole.losses["1-sft"]], abs=0.02)


def test_out_of_memory_twice_is_an_error_that_says_what_to_do(base: str, dataset: Path, tmp_path: Path) -> None:
    with machine_that_holds(2), pytest.raises(FieldsmithError, match="memory ran out again with 4 examples at once: set micro_batch: 1"):
        learn(base, dataset, tmp_path)
    # A smaller micro_batch is another way to the same adapter: the stage goes on.
    key = (tmp_path / "work" / "1-sft" / "key").read_text()
    (tmp_path / "work" / "1-sft" / "memory.json").unlink()
    with machine_that_holds(2) as sizes:
        training = learn(base, dataset, tmp_path, micro_batch=2)
    assert set(sizes) == {2}
    assert training.fingerprint == key
    assert any("2 examples at once, as the settings ask" in note for note in training.notes)


def test_an_error_of_another_kind_is_not_taken_for_memory() -> None:
    with pytest.raises(RuntimeError) as found:
        torch.empty(2**60)
    assert ran_out(found.value)
    with pytest.raises(RuntimeError) as other:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not ran_out(other.value)


@given(st.integers(1, 500), st.floats(0.01, 1000))
def test_what_is_chosen_divides_the_batch_and_fits(number: int, limit: float) -> None:
    divisor = largest_divisor(number, limit)
    assert number % divisor == 0
    assert divisor <= max(1, limit)
    assert not any(number % other == 0 for other in range(divisor + 1, min(number, int(limit)) + 1))


def test_the_limits_of_containers_are_seen(tmp_path: Path) -> None:
    group = tmp_path / "cgroup" / "slurm" / "job"
    group.mkdir(parents=True)
    (tmp_path / "membership").write_text("0::/slurm/job\n")
    (group / "memory.max").write_text("max\n")
    for name, value in {"memory.max": "1000", "memory.current": "700", "memory.stat": "anon 500\ninactive_file 200\n"}.items():
        (group.parent / name).write_text(value)
    assert _group_limits(tmp_path / "cgroup", tmp_path / "membership") == [500]
    assert _group_limits(tmp_path / "cgroup", tmp_path / "none") == []
    assert free_memory() > 0
