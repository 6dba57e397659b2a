"""One stage of training: rows through TRL's SFTTrainer, resumable at any instant, ending in a stage adapter."""

from __future__ import annotations

import logging
import math
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harvest.store import load, save, write_text
from train.backends import processes
from train.backends.learner import Learner, adapter_weights, computes_in_bf16, put_back, take_up
from train.config import StageConfig
from train.data import Prepared, Row
from train.tune import best, checkpoints
from train.tune.fitting import Fitting, fitting, free_up, ran_out, smaller
from train.tune.layout import Collator, collator
from train.tune.order import training_order
from train.tune.reports import reporters

Curve = tuple[tuple[int, float], ...]

RECORD = "stage.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage left: its key, losses by step (`evals`: held-out), counts of rows and steps, seconds, and what was decided."""

    key: str
    losses: Curve
    evals: Curve = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


def finished(folder: Path, key: str) -> StageResult | None:
    """The result of a stage that is done for this key; what another key left in the folder is removed."""
    begun = folder / "key"
    if folder.exists() and not (begun.exists() and begun.read_text(encoding="utf-8") == key):
        log.info("%s was begun with other settings or data and begins anew", folder.name)
        shutil.rmtree(folder)
    record = folder / "adapter" / RECORD
    return load(record, StageResult) if record.exists() else None


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one stage learns and where: its settings, rows in any order, held-out rows, folder, key, seed, and where losses are sent."""

    config: StageConfig
    prepared: Prepared
    validation: tuple[Row, ...]
    folder: Path
    key: str
    seed: int
    report_to: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """Tokens of the longest row, learnt or watched."""
        return max(len(row["input_ids"]) for row in (*self.prepared.rows, *self.validation))


@dataclass(frozen=True, slots=True)
class Course:
    """The rows of all optimiser steps, one after the other, and how many steps there are."""

    rows: list[Row]
    steps: int


def tune(learner: Learner, lesson: Lesson) -> StageResult:
    """Train the learner's LoRA and leave `lesson.folder/adapter`; a run that was stopped goes on from its last whole checkpoint.

    The adapter is the one with the lowest held-out loss where there are held-out rows, else the last. Errors: `FieldsmithError`
    where memory runs out twice.
    """
    began = time.monotonic()
    course = lay_out(lesson)
    if processes.is_first():
        write_text(lesson.folder / "key", lesson.key)
    processes.wait()
    batches = collator(lesson.config, learner, lesson.prepared.rows)
    fit = fitting(lesson.config, learner.model, lesson.longest, lesson.folder)
    trainer, fit = _learn_in_memory(learner, lesson, course, batches, fit)
    notes = (*_schedule_notes(lesson, course, trainer), fit.said, batches.said, *_leave_adapter(trainer, learner, lesson))
    history = trainer.state.log_history
    counts = {**lesson.prepared.counts, "steps": trainer.state.global_step}
    result = StageResult(lesson.key, _curve(history, "loss"), _curve(history, "eval_loss"), counts, time.monotonic() - began, notes)
    if processes.is_first():
        _seal(lesson.folder, result)
    processes.wait()
    return result


def lay_out(lesson: Lesson) -> Course:
    """All rows in the order of training, for all epochs, beforehand.

    A resume then needs no luck with random number generators: it skips as many rows as there were steps. Several processes take
    equal shares of every step, so that rows without loss fill up the last one.
    """
    config, rows = lesson.config, lesson.prepared.rows
    order = training_order([len(row["input_ids"]) for row in rows], epochs=config.epochs, batch=config.batch_size, seed=lesson.seed)
    steps = min(math.ceil(len(order) / config.batch_size), config.max_steps or len(order))
    course = [rows[at] for at in order]
    if processes.count() > 1:
        from train.tune.trainer import blank

        course += [blank(rows[0])] * (-len(course) % config.batch_size)
    return Course(course, steps)


def _learn_in_memory(learner: Learner, lesson: Lesson, course: Course, batches: Collator, fit: Fitting) -> tuple[Any, Fitting]:
    """Train; where memory runs out, go on from the last checkpoint (or the beginning) with fewer examples at once."""
    beginning = adapter_weights(learner)
    while True:
        try:
            return _learn(learner, lesson, course, batches, fit), fit
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        # Outside of the except clause, whose error holds on to the tensors of the step that failed.
        fit = smaller(fit, lesson.folder.name, lesson.folder)
        free_up()
        put_back(learner, beginning)


def _learn(learner: Learner, lesson: Lesson, course: Course, batches: Collator, fit: Fitting) -> Any:
    checkpoint = processes.agree(lambda: checkpoints.last_whole(lesson.folder))
    step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    trainer = _trainer(learner, lesson, course, batches, fit.examples, step)
    rows, going_on = len(lesson.prepared.rows), f", going on from {checkpoint.name}" if checkpoint else ""
    log.info("%s: %d steps over %d rows, %s; %s%s", lesson.folder.name, course.steps, rows, fit.said, batches.said, going_on)
    # Some libraries print while they train, and standard output belongs to whoever calls.
    with redirect_stdout(sys.stderr), learner.noise(lesson.config.neftune_alpha):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return trainer


# ---- what is left


def _leave_adapter(trainer: Any, learner: Learner, lesson: Lesson) -> tuple[str, ...]:
    """Write what becomes the stage's adapter to its partial folder: the best weights or the last; returns what is to be said of it."""
    partial, last = lesson.folder / ".adapter.partial", trainer.state.global_step
    if processes.is_first():
        shutil.rmtree(partial, ignore_errors=True)
    found = processes.agree(lambda: best.lowest(lesson.folder))
    if found is None or found.step == last:
        best.write_adapter(trainer, partial)
        return (f"the held-out loss was lowest ({found.loss:.4f}) after the last step, {last}",) if found else ()
    if processes.is_first():
        shutil.copytree(best.where(lesson.folder, found), partial, ignore=shutil.ignore_patterns(best.RECORD))
    processes.wait()
    take_up(learner, partial)  # the next stage goes on from these weights, as it would if it were run later
    return (f"kept the weights after step {found.step} of {last}, where the held-out loss was lowest ({found.loss:.4f})",)


def _seal(folder: Path, result: StageResult) -> None:
    partial = folder / ".adapter.partial"
    save(partial / RECORD, result)
    checkpoints.move_into_place(partial, folder / "adapter")
    checkpoints.drop(folder)
    best.drop(folder)


def _schedule_notes(lesson: Lesson, course: Course, trainer: Any) -> list[str]:
    notes, config = [], lesson.config
    if trainer.state.global_step < course.steps:
        notes.append(
            f"stopped early, after step {trainer.state.global_step} of {course.steps}: "
            f"{config.early_stopping} evaluations brought no lower held-out loss"
        )
    if config.warmup_steps > course.steps // 2:
        notes.append(f"warm-up was cut to {course.steps // 2} steps, half of all")
    return notes


def _curve(history: Sequence[Mapping[str, Any]], name: str) -> Curve:
    return tuple((int(entry["step"]), float(entry[name])) for entry in history if name in entry)


# ---- the trainer and its settings


def _trainer(learner: Learner, lesson: Lesson, course: Course, batches: Collator, micro_batch: int, step: int) -> Any:
    from datasets import Dataset
    from transformers import PrinterCallback

    from train.tune.loss import learn_answers_only
    from train.tune.trainer import StageTrainer
    from train.tune.watch import EarlyStop, KeepBest, Progress, Sealer

    own_loss = learner.own_loss and learn_answers_only(learner.model)
    keeper = KeepBest(lesson.folder)
    callbacks = [Sealer(lesson.folder), Progress(lesson.folder.name), keeper]
    if lesson.config.early_stopping:
        callbacks.append(EarlyStop(lesson.config.early_stopping))
    trainer = StageTrainer(
        model=learner.model,
        args=_arguments(lesson, "nll" if own_loss else learner.loss_type, course.steps, micro_batch),
        train_dataset=Dataset.from_list(course.rows),
        eval_dataset=Dataset.from_list(list(lesson.validation)) if lesson.validation else None,
        data_collator=batches.collate,
        processing_class=learner.tokenizer,
        callbacks=callbacks + reporters(lesson.report_to, lesson.folder, lesson.key, step),
    )
    trainer.own_loss, trainer.watched, keeper.trainer = own_loss, lesson.validation, trainer
    trainer.remove_callback(PrinterCallback)  # what it prints, our watcher says in words
    return trainer


def _arguments(lesson: Lesson, loss_type: str, steps: int, micro_batch: int) -> Any:
    """Every setting of TRL whose default would bite (bf16, gradient checkpointing, learning rate, length), for this device."""
    import torch
    from trl import SFTConfig

    from train.tune.reports import run_name

    config = lesson.config
    cuda = torch.cuda.is_available()
    bf16 = computes_in_bf16()
    arguments = SFTConfig(
        output_dir=str(lesson.folder),
        run_name=run_name(lesson.folder),
        project="fieldsmith",
        # order and length of the training
        num_train_epochs=1,
        max_steps=steps,
        train_sampling_strategy="sequential",
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=config.batch_size // (micro_batch * processes.count()),
        per_device_eval_batch_size=micro_batch,
        dataloader_num_workers=0,
        dataloader_pin_memory=cuda,
        # the optimiser
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant_with_warmup" if config.scheduler == "constant" else config.scheduler,
        warmup_steps=min(config.warmup_steps, steps // 2),
        weight_decay=config.weight_decay,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        loss_type=loss_type,
        # rows are ready: nothing is to be prepared, packed, masked or cut
        dataset_kwargs={"skip_prepare_dataset": True},
        packing=False,
        padding_free=False,
        max_length=config.max_length,
        completion_only_loss=False,
        assistant_only_loss=False,
        # the device
        use_cpu=not cuda,
        bf16=bf16,
        fp16=cuda and not bf16,
        gradient_checkpointing=cuda,
        ddp_find_unused_parameters=False,
        # what is kept and said
        save_strategy="steps",
        save_steps=config.checkpoint_steps,
        save_total_limit=2,
        eval_strategy="steps" if lesson.validation else "no",
        eval_steps=config.eval_steps or math.ceil(steps / max(1, min(10, round(config.epochs)))),
        logging_strategy="steps",
        logging_steps=_logging_steps(config, steps),
        logging_first_step=True,
        disable_tqdm=True,
        report_to="none",  # our own callbacks do, see train.tune.reports
        seed=lesson.seed,
        data_seed=lesson.seed,
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # one process, one GPU: transformers would spread a batch over all that it sees
    return arguments


def _logging_steps(config: StageConfig, steps: int) -> int:
    """About ten steps, dividing those between checkpoints: a logged loss is a mean since the last, which a resume cannot know."""
    most = max(1, min(10, steps // 10))
    return max(every for every in range(1, most + 1) if config.checkpoint_steps % every == 0)
