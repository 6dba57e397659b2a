"""A whole training: one LoRA through all stages, each resumable, and the record of it."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import Any

from harvest.store import fingerprint, hold, load, save, versions
from train.backends.choose import Backend, choose
from train.backends.learner import Learner, read_tokenizer, take_up
from train.config import TrainConfig
from train.dataset import digests, prepare
from train.models import cache_folder, identity, materialise
from train.records import Training
from train.tune.checkpoints import move_into_place
from train.tune.stage import RECORD, Lesson, StageResult, finished, tune

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "unsloth", "unsloth_zoo")

log = logging.getLogger(__name__)


def train(config: TrainConfig, dataset: Path, out: Path, *, seed: int) -> Training:
    """Train one LoRA through all stages; returns (and leaves as `out/training.json`, written last) what was done.

    `dataset` is a folder (`train.jsonl`, `corpus.jsonl`, perhaps `validation.jsonl`) or a JSONL file of pairs. Called
    again it goes on where it was stopped, and does nothing where it was done. Errors: `FieldsmithError` for data or a
    base model that cannot be read, before anything is trained.
    """
    with hold(out / "work", f"the training in {out}"):
        keys = _stage_keys(config, dataset, seed)
        done = _finished_training(out, keys[-1])
        return done or _train(config, dataset, out, keys, seed)


def _train(config: TrainConfig, dataset: Path, out: Path, keys: list[str], seed: int) -> Training:
    began = time.monotonic()
    backend = choose(config.backend, cache_folder() / "unsloth")
    base = materialise(config.base)
    tokenizer = read_tokenizer(config.base, base)
    names = [f"{number}-{stage.kind}" for number, stage in enumerate(config.stages, 1)]
    # All data is read before anything is trained: a bad line must not come to light after hours.
    material = [prepare(dataset, stage, tokenizer, config.system_prompt) for stage in config.stages]
    results: dict[str, StageResult] = {}
    learner: Learner | None = None
    last: Path | None = None
    for name, key, stage, rows in zip(names, keys, config.stages, material, strict=True):
        folder = out / "work" / name
        result = finished(folder, key)
        if result is None:
            learner = learner or _open(backend, config, base, tokenizer, last, seed)
            result = tune(learner, Lesson(stage, rows.learn, rows.watch.rows, folder, key, seed))
        results[name], last = result, folder / "adapter"
    _publish(out / "work" / names[-1] / "adapter", out)
    training = _record(out, base, backend, results, keys[-1], time.monotonic() - began)
    save(out / "training.json", training)
    return training


def _open(backend: Backend, config: TrainConfig, base: Path | str, tokenizer: Any, adapter: Path | None, seed: int) -> Learner:
    """The base model with its LoRA as an earlier stage's adapter has it, or a fresh one."""
    learner = backend.open_model(config, base, tokenizer, max_length=max(stage.max_length for stage in config.stages), seed=seed)
    if adapter is not None:
        take_up(learner, adapter)
    return learner


def _stage_keys(config: TrainConfig, dataset: Path, seed: int) -> list[str]:
    """A fingerprint per stage of all that its adapter follows from, the stages before it included."""
    key = fingerprint(config.model_dump(mode="json", exclude={"stages"}), identity(config.base), seed)
    keys = []
    for stage in config.stages:
        key = fingerprint(key, stage, digests(dataset, stage))
        keys.append(key)
    return keys


def _finished_training(out: Path, key: str) -> Training | None:
    if not (out / "training.json").exists() or not (out / "adapter").is_dir():
        return None
    training = load(out / "training.json", Training)
    if training.fingerprint != key:
        return None
    log.info("the adapter in %s is trained already", out)
    return training


def _publish(stage_adapter: Path, out: Path) -> None:
    """The last stage's adapter becomes `out/adapter`, in one instant; from then until the record is written it has none."""
    (out / "training.json").unlink(missing_ok=True)
    partial = out / ".adapter.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(stage_adapter, partial, ignore=shutil.ignore_patterns(RECORD))
    move_into_place(partial, out / "adapter")


def _record(out: Path, base: Path | str, backend: Backend, stages: dict[str, StageResult], key: str, seconds: float) -> Training:
    curves = {name: result.losses for name, result in stages.items()}
    curves |= {f"{name} validation": result.evals for name, result in stages.items() if result.evals}
    return Training(
        adapter=str(out / "adapter"),
        base=str(base),
        backend=backend.name,
        backend_reason=backend.reason,
        losses=curves,
        counts={f"{name} {what}": count for name, result in stages.items() for what, count in result.counts.items()},
        versions=versions(*LIBRARIES),
        fingerprint=key,
        seconds=round(seconds, 1),
    )
