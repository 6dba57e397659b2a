"""Successive halving finds what a full search would, trains nothing twice, and survives being killed."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.store import FieldsmithError, UsageError, save_lines
from train.config import LoraConfig, StageConfig, SweepConfig, TrainConfig
from train.sweep import SweepResult, chosen, load_sweep, run_sweep, train_trial, trial_loss, trials

ROOT = Path(__file__).parents[1]


def config(**sweep: Any) -> TrainConfig:
    stages = (StageConfig(kind="cpt", epochs=5, learning_rate=7e-3), StageConfig(kind="sft", epochs=3))
    return TrainConfig(base="x", lora=LoraConfig(r=16, alpha=32), stages=stages, sweep=SweepConfig(**sweep), seeds=3)


class Trainer:
    """Knows a loss for each learning rate, and keeps what it was asked to train."""

    def __init__(self, losses: dict[float, float]) -> None:
        self.losses, self.asked = losses, list[tuple[float, int]]()

    def __call__(self, one: TrainConfig, out: Path) -> float:
        last = one.stages[-1]
        out.mkdir(parents=True)
        self.asked.append((last.learning_rate, last.max_steps or 0))
        return self.losses[last.learning_rate]


rates = st.lists(st.integers(1, 10**6), min_size=2, max_size=12, unique=True).map(lambda some: [one / 10**6 for one in some])


@settings(deadline=None)
@given(rates, st.data(), st.integers(1, 40))
def test_the_best_of_steady_losses_wins_and_the_work_is_halved(values: list[float], data: st.DataObject, first: int) -> None:
    losses = data.draw(st.lists(st.integers(0, 5).map(float), min_size=len(values), max_size=len(values)))
    train, asked = Trainer(dict(zip(values, losses, strict=True))), config(learning_rate=values, first_steps=first)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = run_sweep(asked, folder, train)
        kept = load_sweep(folder)
        assert not (folder / "work").exists(), "adapters of trials were left behind"
    best = min(range(len(values)), key=lambda place: (losses[place], place))
    assert result.chosen == {"learning_rate": values[best]}
    assert chosen(asked, result).stages[-1].learning_rate == values[best]
    assert chosen(asked, kept) == chosen(asked, result)
    sizes = [len(one) for one in result.rounds]
    assert sizes[0] == len(values)
    assert all(after == math.ceil(before / 2) for before, after in pairwise(sizes))
    assert Counter(steps for _, steps in train.asked) == {first * 2**number: size for number, size in enumerate(sizes)}


def test_every_combination_is_tried_and_a_rank_keeps_its_scale() -> None:
    asked = config(learning_rate=[1e-4, 2e-4], r=[8, 64], dropout=[0.0, 0.1])
    every = trials(asked)
    assert len(every) == 8
    assert every[0] == {"learning_rate": 1e-4, "r": 8, "dropout": 0.0}
    best = chosen(asked, SweepResult("", tuple(every), (), {"learning_rate": 2e-4, "r": 64.0, "dropout": 0.1}, 1.0))
    assert (best.lora.r, best.lora.alpha, best.lora.dropout) == (64, 128, 0.1)
    assert [stage.learning_rate for stage in best.stages] == [7e-3, 2e-4]
    assert best.sweep is None
    assert best.seeds == 3


def test_a_value_written_twice_is_one_trial() -> None:
    assert len(trials(config(learning_rate=[1e-4, 1e-4, 2e-4]))) == 2


def test_a_round_shows_every_trial_the_same_share_of_its_training(tmp_path: Path) -> None:
    """Batches of 32 need a quarter of the steps of batches of 8; a training of one epoch is a third of one of three."""
    seen: dict[tuple[int, float], tuple[int | None, int | None]] = {}

    def train(one: TrainConfig, out: Path) -> float:
        last = one.stages[-1]
        seen.setdefault((last.batch_size, last.epochs), (last.max_steps, one.stages[0].max_steps))
        return 1.0

    run_sweep(config(batch_size=[8, 32], epochs=[1, 3], first_steps=24), tmp_path, train)
    assert seen == {(8, 1): (8, 8), (8, 3): (24, 24), (32, 1): (2, 2), (32, 3): (6, 6)}


def test_a_trial_watches_its_loss_at_its_end_and_reports_to_nobody(tmp_path: Path) -> None:
    seen = list[TrainConfig]()

    def train(one: TrainConfig, out: Path) -> float:
        seen.append(one)
        return 1.0

    run_sweep(config(learning_rate=[1e-4, 2e-4], first_steps=7), tmp_path, train)
    assert {(one.stages[-1].max_steps, one.stages[-1].eval_steps) for one in seen} == {(7, 7)}
    assert {(one.seeds, one.sweep, one.merge, one.report_to) for one in seen} == {(1, None, None, ())}


def test_a_training_that_diverged_loses(tmp_path: Path) -> None:
    result = run_sweep(config(learning_rate=[1.0, 1e-4, 2.0]), tmp_path, Trainer({1.0: math.nan, 1e-4: 9.0, 2.0: math.inf}))
    assert result.chosen == {"learning_rate": 1e-4}
    assert [outcome.loss for outcome in result.rounds[0]] == [None, 9.0, None]
    json.loads((tmp_path / "sweep.json").read_text(), parse_constant=pytest.fail)  # no NaN, which is not JSON
    with pytest.raises(FieldsmithError, match="every trial of the sweep diverged"):
        run_sweep(config(learning_rate=[1.0, 2.0]), tmp_path / "other", Trainer({1.0: math.nan, 2.0: math.inf}))


def test_impossible_combinations_come_to_light_before_anything_is_trained() -> None:
    asked = config(batch_size=[8, 12])
    stages = (asked.stages[-1].model_copy(update={"micro_batch": 8}),)
    with pytest.raises(UsageError, match=r"with batch_size 12, .*not a multiple of micro_batch 8"):
        trials(asked.model_copy(update={"stages": stages}))


def test_a_sweep_that_is_done_is_not_done_again_and_other_values_are(tmp_path: Path) -> None:
    train = Trainer({1e-4: 1.0, 2e-4: 2.0, 3e-4: 0.5})
    first = run_sweep(config(learning_rate=[1e-4, 2e-4]), tmp_path, train)
    assert run_sweep(config(learning_rate=[1e-4, 2e-4]), tmp_path, train) == first
    assert len(train.asked) == 2
    again = run_sweep(config(learning_rate=[1e-4, 2e-4, 3e-4]), tmp_path, train)
    assert again.chosen == {"learning_rate": 3e-4}


def test_pieces_of_a_round_may_be_done_by_others_in_any_order(tmp_path: Path) -> None:
    """As flows does with Prefect's tasks."""
    names = list[str]()

    def each(name: str, work: Any, pieces: Any) -> list[Any]:
        names.append(name)
        return [work(piece) for piece in pieces[::-1]][::-1]

    result = run_sweep(config(learning_rate=[1e-4, 2e-4, 3e-4]), tmp_path, Trainer({1e-4: 3.0, 2e-4: 2.0, 3e-4: 2.0}), each=each)
    assert result.chosen == {"learning_rate": 2e-4}
    assert names == ["trial", "trial"]


def test_an_unfinished_sweep_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match="not finished"):
        load_sweep(tmp_path)


# ---- kill -9

SLOW = """
import sys, time
from pathlib import Path
from train.config import SweepConfig, TrainConfig
from train.sweep import run_sweep

folder = Path(sys.argv[1])

def trial(config, out):
    with (folder / "log").open("a") as log:
        log.write(f"{config.stages[-1].learning_rate} {config.stages[-1].max_steps}\\n")
    time.sleep(float(sys.argv[2]))
    return 1 / config.stages[-1].learning_rate

run_sweep(TrainConfig(base="x", sweep=SweepConfig(learning_rate=[1, 2, 3, 4, 5], first_steps=3)), folder, trial)
"""


def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path), "0.3"], env=environment)
    deadline = time.monotonic() + 100
    while len(list((tmp_path / "trials").glob("*.json"))) < 6:
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "sweep.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "trials").glob("*.json")}
    subprocess.run([sys.executable, "-c", SLOW, str(tmp_path), "0"], env=environment, check=True, timeout=100)
    result = load_sweep(tmp_path)
    assert result.chosen == {"learning_rate": 5.0}
    assert [len(one) for one in result.rounds] == [5, 3, 2]
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    trained = Counter((tmp_path / "log").read_text().splitlines())
    assert len(trained) == 10
    assert sum(trained.values()) <= 11, "what was finished was trained again"


# ---- with a model


def test_a_rate_that_learns_wins_over_one_that_does_not(base: str, tmp_path: Path) -> None:
    pairs = [{"question": f"What is the current of ring {name}?", "answer": f"{place} mA"} for place, name in enumerate("ABCDEFGH", 310)]
    save_lines(tmp_path / "train.jsonl", pairs)
    save_lines(tmp_path / "validation.jsonl", pairs[:4])
    stage = StageConfig(kind="sft", epochs=50, batch_size=4, max_length=128, warmup_steps=0)
    asked = TrainConfig(base=base, backend="peft", stages=(stage,), sweep=SweepConfig(learning_rate=[1e-6, 1e-2], first_steps=12))

    def trial(one: TrainConfig, out: Path) -> float:
        loss = train_trial(one, tmp_path, out, seed=1)
        assert trial_loss(out) == loss
        return loss

    result = run_sweep(asked, tmp_path / "sweep", trial)
    assert result.chosen == {"learning_rate": 1e-2}
    slow, fast = (outcome.loss or 0 for outcome in result.rounds[0])
    assert fast < 0.8 * slow


def test_a_sweep_without_held_out_pairs_is_refused_before_training(base: str, tmp_path: Path) -> None:
    save_lines(tmp_path / "train.jsonl", [{"question": "q", "answer": "a"}])
    with pytest.raises(FieldsmithError, match="held-out data, and its last stage has none"):
        train_trial(TrainConfig(base=base), tmp_path, tmp_path / "out", seed=1)
    assert not (tmp_path / "out").exists()
