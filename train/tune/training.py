"""A whole training: one LoRA through all stages, each resumable, and the record of it."""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError, fingerprint, hold, load, save, versions
from train.backends import processes
from train.backends.choose import Backend, choose
from train.backends.learner import Learner, read_tokenizer, take_up
from train.config import StageConfig, TrainConfig
from train.dataset import Material, digests, prepare
from train.models import cache_folder, identity, materialise
from train.records import Training
from train.tune.checkpoints import move_into_place
from train.tune.fitting import share_of
from train.tune.reports import check_reports
from train.tune.stage import RECORD, Lesson, StageResult, finished, tune

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "unsloth", "unsloth_zoo")

NOT_LEARNT = {"stages", "report_to", "seeds", "sweep", "merge"}
"""Settings that no stage's adapter follows from: changed, they do not begin a training anew."""

log = logging.getLogger(__name__)


def train(config: TrainConfig, dataset: Path, out: Path, *, seed: int) -> Training:
    """Train one LoRA through all stages; returns (and leaves as `out/training.json`, written last) what was done.

    `dataset` is a folder (`train.jsonl`, `corpus.jsonl`, perhaps `validation.jsonl`) or a JSONL file of pairs. Called
    again it goes on where it was stopped, and does nothing where it was done. Several processes (torchrun) train together
    and all return the record, which the first one writes. Errors: `FieldsmithError` for data or a base model that cannot
    be read, before anything is trained; where memory runs out twice, with what can be done.
    """
    check_reports(config.report_to)
    for stage in config.stages:
        share_of(stage)
    processes.join()
    with _alone(out):
        processes.wait()
        keys = _stage_keys(config, dataset, seed)
        done = processes.agree(lambda: _finished_training(out, _whole_key(keys, config)))
        return done or _train(config, dataset, out, keys, seed)


def _alone(out: Path) -> AbstractContextManager[None]:
    """One training in a folder at a time; of processes that train together, the first holds it for all."""
    return hold(out / "work", f"the training in {out}") if processes.is_first() else nullcontext()


def _train(config: TrainConfig, dataset: Path, out: Path, keys: list[str], seed: int) -> Training:
    began = time.monotonic()
    backend = choose(config.backend, cache_folder() / "unsloth")
    base = processes.agree(lambda: materialise(config.base))
    tokenizer = read_tokenizer(config.base, base)
    names = [f"{number}-{stage.kind}" for number, stage in enumerate(config.stages, 1)]
    # All data is read before anything is trained: a bad line must not come to light after hours.
    material = [prepare(dataset, stage, tokenizer, config.system_prompt, seed=seed) for stage in config.stages]
    for name, stage, rows in zip(names, config.stages, material, strict=True):
        _check_watched(name, stage, rows)
    results: dict[str, StageResult] = {}
    learner: Learner | None = None
    last: Path | None = None
    for name, key, stage, rows in zip(names, keys, config.stages, material, strict=True):
        folder = out / "work" / name
        result = processes.agree(partial(finished, folder, key))
        if result is None:
            learner = learner or _open(backend, config, base, tokenizer, last, seed)
            result = tune(learner, Lesson(stage, rows.learn, rows.watch.rows, folder, key, seed, config.report_to))
        results[name], last = result, folder / "adapter"
    notes = (*_device_notes(config), *_stage_notes(material, results))

    def publish() -> Training:
        _publish(out / "work" / names[-1] / "adapter", out)
        training = _record(config, out, base, backend, results, notes, _whole_key(keys, config), time.monotonic() - began)
        save(out / "training.json", training)
        return training

    return processes.agree(publish)


def _open(backend: Backend, config: TrainConfig, base: Path | str, tokenizer: Any, adapter: Path | None, seed: int) -> Learner:
    """The base model with its LoRA as an earlier stage's adapter has it, or a fresh one."""
    learner = backend.open_model(config, base, tokenizer, max_length=max(stage.max_length for stage in config.stages), seed=seed)
    if adapter is not None:
        take_up(learner, adapter)
    return learner


def _check_watched(name: str, stage: StageConfig, rows: Material) -> None:
    if stage.early_stopping and not rows.watch.rows:
        raise FieldsmithError(
            f"{name}: early_stopping watches the loss on held-out data, and there is none: name a file under validation, "
            "or leave early_stopping out"
        )


# ---- which training this is


def _stage_keys(config: TrainConfig, dataset: Path, seed: int) -> list[str]:
    """A fingerprint per stage of all that its adapter follows from, the stages before it included."""
    key = fingerprint(config.model_dump(mode="json", exclude=NOT_LEARNT), identity(config.base), seed)
    keys = []
    for stage in config.stages:
        # How many examples go through the model at once is a matter of memory: a stage that ran out of it goes on with less.
        key = fingerprint(key, stage.model_copy(update={"micro_batch": None}), digests(dataset, stage))
        keys.append(key)
    return keys


def _whole_key(keys: list[str], config: TrainConfig) -> str:
    return fingerprint(keys[-1], config.merge, identity(config.merge.model)) if config.merge else keys[-1]


def _finished_training(out: Path, key: str) -> Training | None:
    if not (out / "training.json").exists() or not (out / "adapter").is_dir():
        return None
    training = load(out / "training.json", Training)
    if training.fingerprint != key:
        return None
    log.info("the adapter in %s is trained already", out)
    return training


# ---- what it leaves


def _publish(stage_adapter: Path, out: Path) -> None:
    """The last stage's adapter becomes `out/adapter`, in one instant; from then until the record is written it has none."""
    (out / "training.json").unlink(missing_ok=True)
    unfinished = out / ".adapter.partial"
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(stage_adapter, unfinished, ignore=shutil.ignore_patterns(RECORD))
    move_into_place(unfinished, out / "adapter")


def _record(
    config: TrainConfig,
    out: Path,
    base: Path | str,
    backend: Backend,
    stages: dict[str, StageResult],
    notes: tuple[str, ...],
    key: str,
    seconds: float,
) -> Training:
    merged: str | None = None
    if config.merge:
        from train.merge import merge_models

        said = merge_models(config.base, out / "adapter", config.merge, out / "merged")
        merged, notes = str(out / "merged"), (*notes, *said.notes)
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
        notes=notes,
        merged=merged,
    )


def _stage_notes(material: list[Material], results: dict[str, StageResult]) -> list[str]:
    pairs = zip(material, results.items(), strict=True)
    return [f"{name}: {note}" for rows, (name, result) in pairs for note in (*rows.notes, *result.notes)]


def _device_notes(config: TrainConfig) -> list[str]:
    import torch

    notes, together = [], processes.count()
    if config.load_in_4bit and not torch.cuda.is_available():
        notes.append("load_in_4bit needs a GPU: the base model was kept in 32 bit on this CPU")
    if together > 1:
        how = "sharded (FSDP)" if processes.shards() else "each with the whole model (DDP)"
        notes.append(f"{together} processes trained together, {how}")
    if together == 1 and torch.cuda.device_count() > 1:
        notes.append(f"one of this machine's {torch.cuda.device_count()} GPUs was used: torchrun starts a process for each")
    return notes
