"""A small sweep: a few values each, all combinations, by successive halving on the held-out loss.

Successive halving (Jamieson and Talwalkar, arXiv 1502.07943): all trials train a little, the better half twice as long, and so on
until one is left. A trial trains anew in every round, with warm-up and decay laid out for that round's steps: gone on from the round
before, it would be compared in the middle of a schedule, where high learning rates look worse than they end. That costs at most twice
the steps of going on, and makes the loss of each round that of a whole, if short, training.

`first_steps` are those of the longest trial. One of larger batches or fewer epochs takes proportionally fewer, so that in a round all
trials have done the same share of what they would do in full: otherwise larger batches would win by seeing more data.

    trials      TrainConfig -> the combinations, each a TrainConfig
    run_sweep   trials, and a function that trains one -> SweepResult (sweep.json); what is finished is not run again
    chosen      TrainConfig, SweepResult -> the TrainConfig to train with
    train_trial the function for this process
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harvest.store import FieldsmithError, UsageError, fingerprint, first_problem, load, save
from train.config import StageConfig, TrainConfig

STAGE_VALUES = ("learning_rate", "batch_size", "epochs")
"""What is set in the last stage, whose held-out loss decides; the others belong to the adapter."""

NAMES = (*STAGE_VALUES, "r", "dropout")

Settings = Mapping[str, float]
Each = Callable[[str, Callable[[Any], Any], Sequence[Any]], list[Any]]
"""How pieces of work of one kind are done: (what they are called, work, pieces) -> results in order."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial in a round: its number among the combinations, optimiser steps of its last stage, held-out loss (None: it diverged)."""

    trial: int
    steps: int
    loss: float | None


@dataclass(frozen=True, slots=True)
class SweepResult:
    """`sweep.json`: all combinations, what came of them round by round, and the settings that won with their loss of the last round."""

    fingerprint: str
    trials: tuple[Settings, ...]
    rounds: tuple[tuple[Outcome, ...], ...]
    chosen: Settings
    loss: float


@dataclass(frozen=True, slots=True)
class Job:
    """One trial of one round: what to train, where, and where its outcome is kept."""

    trial: int
    config: TrainConfig
    out: Path
    kept: Path


def in_turn(name: str, work: Callable[[Any], Any], pieces: Sequence[Any]) -> list[Any]:
    """One after the other, in this process."""
    return [work(piece) for piece in pieces]


# ---- combinations


def trials(config: TrainConfig) -> list[Settings]:
    """All combinations of the sweep's values, in the order in which they are written; `UsageError` for one that cannot be."""
    if config.sweep is None:
        raise UsageError("there is nothing to sweep: name what is to be tried under train.sweep")
    sweep = config.sweep
    values = {name: tuple(dict.fromkeys(getattr(sweep, name))) for name in NAMES if getattr(sweep, name)}
    every: list[Settings] = [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]
    for settings in every:
        with_settings(config, settings)
    return every


def with_settings(config: TrainConfig, settings: Settings) -> TrainConfig:
    """The settings put into the last stage and the adapter; `alpha` keeps its ratio to `r`, so that a rank is tried and not a scale."""
    data = config.model_copy(update={"sweep": None}).model_dump()
    data["stages"] = [*data["stages"][:-1], data["stages"][-1] | {name: settings[name] for name in STAGE_VALUES if name in settings}]
    if "r" in settings:
        data["lora"] |= {"r": settings["r"], "alpha": max(1, round(config.lora.alpha * settings["r"] / config.lora.r))}
    if "dropout" in settings:
        data["lora"]["dropout"] = settings["dropout"]
    try:
        return TrainConfig.model_validate(data)
    except ValidationError as error:
        said = ", ".join(f"{name} {value:g}" for name, value in settings.items())
        raise UsageError(f"train.sweep: with {said}, {first_problem(error)}") from error


def shortened(config: TrainConfig, steps: int) -> TrainConfig:
    """A trial's training: no stage longer than so many steps, the loss watched at the end of the last one, and nothing reported."""
    stages = [_limited(stage, steps, last=place == len(config.stages)) for place, stage in enumerate(config.stages, 1)]
    return config.model_copy(update={"stages": tuple(stages), "sweep": None, "seeds": 1, "merge": None, "report_to": ()})


def _limited(stage: StageConfig, steps: int, *, last: bool) -> StageConfig:
    most = min(steps, stage.max_steps or steps)
    return stage.model_copy(update={"max_steps": most, "eval_steps": most if last else None, "early_stopping": None})


def _steps(config: TrainConfig, longest: float, steps: int) -> int:
    return max(1, round(steps * _length(config) / longest))


def _length(config: TrainConfig) -> float:
    """Steps of a whole training, up to the number of rows, which all trials share."""
    return config.stages[-1].epochs / config.stages[-1].batch_size


# ---- rounds


def run_sweep(config: TrainConfig, folder: Path, trial: Callable[[TrainConfig, Path], float], *, each: Each = in_turn) -> SweepResult:
    """Halve the trials until one is left; returns (and leaves as `folder/sweep.json`, written last) what came of it.

    `trial` trains a configuration in a folder, which is removed after, and returns the held-out loss (infinite or NaN where training
    diverged). Its outcome is kept at once: a sweep that was stopped runs again only what was not finished. `folder` must be
    another for other data or another seed. Errors: `FieldsmithError` where every trial diverged.
    """
    every = trials(config)
    key = fingerprint("sweep", config.model_dump(mode="json", exclude={"seeds", "merge", "report_to"}))
    if done := _finished(folder, key):
        return done
    rounds = list(_rounds(config, every, folder, trial, each))
    best = _better(rounds[-1])[0]
    if best.loss is None:
        raise FieldsmithError("every trial of the sweep diverged: try lower learning rates")
    result = SweepResult(key, tuple(every), tuple(rounds), every[best.trial], best.loss)
    save(folder / "sweep.json", result)
    shutil.rmtree(folder / "work", ignore_errors=True)
    log.info("the sweep chose %s (held-out loss %.3f)", _said(result.chosen), result.loss)
    return result


def load_sweep(folder: Path) -> SweepResult:
    """What a finished sweep left; `FieldsmithError` before it is finished."""
    if not (folder / "sweep.json").is_file():
        raise FieldsmithError(f"the sweep in {folder} is not finished: run it again, and it goes on")
    return load(folder / "sweep.json", SweepResult)


def chosen(config: TrainConfig, result: SweepResult) -> TrainConfig:
    """The settings with those that won in them, to be trained in full."""
    return with_settings(config, result.chosen)


def _finished(folder: Path, key: str) -> SweepResult | None:
    result = load_sweep(folder) if (folder / "sweep.json").is_file() else None
    return result if result and result.fingerprint == key else None


def _rounds(
    config: TrainConfig, every: Sequence[Settings], folder: Path, trial: Callable[[TrainConfig, Path], float], each: Each
) -> list[tuple[Outcome, ...]]:
    sweep = config.sweep
    assert sweep is not None  # noqa: S101 - trials() has seen to it
    configs = [with_settings(config, settings) for settings in every]
    longest = max(map(_length, configs))
    left, steps, rounds = list(range(len(every))), sweep.first_steps, list[tuple[Outcome, ...]]()
    while not rounds or len(left) > 1:
        log.info("sweep, round %d: %d trials of up to %d steps", len(rounds) + 1, len(left), steps)
        jobs = [_job(folder, number, shortened(configs[number], _steps(configs[number], longest, steps))) for number in left]
        rounds.append(tuple(each("trial", lambda job: _outcome(job, trial), jobs)))
        left = sorted(outcome.trial for outcome in _better(rounds[-1]))
        steps *= 2
    return rounds


def _better(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The better half (the middle one too), best first; of equal ones those that were written first, and diverged ones last."""
    order = sorted(outcomes, key=lambda outcome: (math.inf if outcome.loss is None else outcome.loss, outcome.trial))
    return order[: math.ceil(len(order) / 2)]


def _job(folder: Path, number: int, config: TrainConfig) -> Job:
    name = f"{number}-{fingerprint(config)[:12]}"
    return Job(number, config, folder / "work" / name, folder / "trials" / f"{name}.json")


def _outcome(job: Job, trial: Callable[[TrainConfig, Path], float]) -> Outcome:
    if job.kept.is_file():
        return load(job.kept, Outcome)
    loss = trial(job.config, job.out)
    outcome = Outcome(job.trial, job.config.stages[-1].max_steps or 0, loss if math.isfinite(loss) else None)
    save(job.kept, outcome)
    shutil.rmtree(job.out, ignore_errors=True)  # adapters of trials are of no use, and many
    return outcome


def _said(settings: Settings) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in settings.items())


# ---- one trial


def train_trial(config: TrainConfig, dataset: Path, out: Path, *, seed: int) -> float:
    """Train one configuration and return (and leave in `out/trial.json`) its held-out loss, in nats per learnt token.

    Infinite where training diverged (`null` in the file). Errors: `FieldsmithError`, before anything is trained, where there is
    nothing on which the loss could be watched.
    """
    from train.dataset import has_validation
    from train.tune.training import train

    if not has_validation(dataset, config.stages[-1]):
        raise FieldsmithError(
            "a sweep compares losses on held-out data, and its last stage has none: name a file under validation, "
            "or hold pairs back (qagen.split.validation)"
        )
    training = train(config, dataset, out, seed=seed)
    curve = training.losses.get(f"{len(config.stages)}-{config.stages[-1].kind} validation", ())
    losses = [loss for _, loss in curve if math.isfinite(loss)]
    save(out / "trial.json", {"loss": min(losses, default=None)})
    return min(losses, default=math.inf)


def trial_loss(out: Path) -> float:
    """What a trial in a process of its own left in `out/trial.json`."""
    loss = load(out / "trial.json", dict[str, float | None])["loss"]
    return math.inf if loss is None else loss
