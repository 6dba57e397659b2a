"""One stage of training: rows through TRL's SFTTrainer, resumable at any instant, ending in a stage adapter."""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harvest.store import load, save, write_text
from train.backends.learner import Learner, computes_in_bf16
from train.config import StageConfig
from train.data import IGNORED, Prepared, Row
from train.tune import checkpoints
from train.tune.order import training_order

Curve = tuple[tuple[int, float], ...]

RECORD = "stage.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage left: its key, losses by step (`evals`: on the validation pairs), counts of rows and steps, seconds."""

    key: str
    losses: Curve
    evals: Curve = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


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
    """What one stage learns and where: its settings, rows in any order, validation rows, folder, key and seed."""

    config: StageConfig
    prepared: Prepared
    validation: tuple[Row, ...]
    folder: Path
    key: str
    seed: int


def tune(learner: Learner, lesson: Lesson) -> StageResult:
    """Train the learner's LoRA and leave `lesson.folder/adapter`; a run that was stopped goes on from its last whole checkpoint.

    The rows are laid out in training order for all epochs beforehand, so that a resume needs no luck with random
    number generators: it skips as many rows as there were steps.
    """
    began = time.monotonic()
    config, rows, folder = lesson.config, lesson.prepared.rows, lesson.folder
    order = training_order([len(row["input_ids"]) for row in rows], epochs=config.epochs, batch=config.batch_size, seed=lesson.seed)
    steps = min(math.ceil(len(order) / config.batch_size), config.max_steps or len(order))
    write_text(folder / "key", lesson.key)
    trainer = _trainer(learner, lesson, order, steps)
    checkpoint = checkpoints.last_whole(folder)
    log.info("%s: %d steps over %d rows%s", folder.name, steps, len(rows), f", going on from {checkpoint.name}" if checkpoint else "")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    history, counts = trainer.state.log_history, {**lesson.prepared.counts, "steps": steps}
    result = StageResult(lesson.key, _curve(history, "loss"), _curve(history, "eval_loss"), counts, time.monotonic() - began)
    _leave_adapter(learner.model, folder, result)
    return result


def _leave_adapter(model: Any, folder: Path, result: StageResult) -> None:
    partial = folder / ".adapter.partial"
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(str(partial))
    save(partial / RECORD, result)
    checkpoints.move_into_place(partial, folder / "adapter")
    checkpoints.drop(folder)


def _curve(history: Sequence[Mapping[str, Any]], name: str) -> Curve:
    return tuple((int(entry["step"]), float(entry[name])) for entry in history if name in entry)


# ---- the trainer and its settings


def _trainer(learner: Learner, lesson: Lesson, order: Sequence[int], steps: int) -> Any:
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTTrainer

    from train.tune.watch import watchers

    tokenizer = learner.tokenizer
    trainer = SFTTrainer(
        model=learner.model,
        args=_arguments(lesson, learner.loss_type, steps),
        train_dataset=Dataset.from_list(list(lesson.prepared.rows)).select(order),
        eval_dataset=Dataset.from_list(list(lesson.validation)) if lesson.validation else None,
        data_collator=Padding(int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)),
        processing_class=tokenizer,
        callbacks=watchers(lesson.folder),
    )
    trainer.remove_callback(PrinterCallback)  # what it prints, our watcher says in words
    return trainer


def _arguments(lesson: Lesson, loss_type: str, steps: int) -> Any:
    """Every setting of TRL whose default would bite (bf16, gradient checkpointing, learning rate, length), for this device."""
    import torch
    from trl import SFTConfig

    config = lesson.config
    micro_batch = config.micro_batch or config.batch_size
    cuda = torch.cuda.is_available()
    bf16 = computes_in_bf16()
    return SFTConfig(
        output_dir=str(lesson.folder),
        # order and length of the training
        num_train_epochs=1,
        max_steps=steps,
        train_sampling_strategy="sequential",
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=config.batch_size // micro_batch,
        per_device_eval_batch_size=micro_batch,
        dataloader_num_workers=0,
        dataloader_pin_memory=cuda,
        # the optimiser
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.scheduler,
        warmup_steps=min(config.warmup_steps, steps // 2),
        weight_decay=config.weight_decay,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        loss_type=loss_type,
        # rows are ready: nothing is to be prepared, packed, masked or cut
        dataset_kwargs={"skip_prepare_dataset": True},
        packing=False,
        max_length=config.max_length,
        completion_only_loss=False,
        assistant_only_loss=False,
        # the device
        use_cpu=not cuda,
        bf16=bf16,
        fp16=cuda and not bf16,
        gradient_checkpointing=cuda,
        # what is kept and said
        save_strategy="steps",
        save_steps=config.checkpoint_steps,
        save_total_limit=2,
        eval_strategy="steps" if lesson.validation else "no",
        eval_steps=math.ceil(steps / max(1, min(10, round(config.epochs)))),
        logging_strategy="steps",
        logging_steps=_logging_steps(config, steps),
        logging_first_step=True,
        disable_tqdm=True,
        report_to="none",
        seed=lesson.seed,
        data_seed=lesson.seed,
    )


def _logging_steps(config: StageConfig, steps: int) -> int:
    """About ten steps, dividing those between checkpoints: a logged loss is a mean since the last, which a resume cannot know."""
    most = max(1, min(10, steps // 10))
    return max(every for every in range(1, most + 1) if config.checkpoint_steps % every == 0)


@dataclass(frozen=True, slots=True)
class Padding:
    """Rows -> a batch of tensors (rows, longest), padded on the right; padding is neither attended to nor learnt."""

    token: int

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        """`input_ids`, `labels` and `attention_mask`, each (rows, longest)."""
        import torch

        width = max(len(row["input_ids"]) for row in rows)
        ids = torch.full((len(rows), width), self.token)
        labels = torch.full((len(rows), width), IGNORED)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for at, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[at, :length] = torch.tensor(row["input_ids"])
            labels[at, :length] = torch.tensor(row["labels"])
            mask[at, :length] = 1
        return {"input_ids": ids, "labels": labels, "attention_mask": mask}
