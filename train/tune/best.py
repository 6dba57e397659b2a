"""The adapter with the lowest held-out loss of a stage, kept beside its checkpoints until the stage is done."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvest.store import load, save
from train.backends import processes
from train.tune.checkpoints import move_into_place

RECORD = "best.json"


@dataclass(frozen=True, slots=True)
class Best:
    """After which step the held-out loss was lowest, and what it was."""

    step: int
    loss: float


def keep(trainer: Any, folder: Path, found: Best) -> None:
    """Write the adapter as it is now as `folder/best-<step>`, which appears whole; what was the best before goes only then."""
    partial = folder / ".best.partial"
    if processes.is_first():
        shutil.rmtree(partial, ignore_errors=True)
    write_adapter(trainer, partial)
    if not processes.is_first():
        return
    save(partial / RECORD, found)
    final = folder / f"best-{found.step}"
    move_into_place(partial, final)
    for other in _kept(folder):
        if other != final:
            shutil.rmtree(other)


def write_adapter(trainer: Any, folder: Path) -> None:
    """The adapter of a model in training, in PEFT's layout; called by every process, since each may hold a part of it."""
    weights: Mapping[str, Any] | None = None
    if processes.shards():
        weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if processes.is_first():
        trainer.accelerator.unwrap_model(trainer.model_wrapped).save_pretrained(str(folder), state_dict=weights)


def lowest(folder: Path) -> Best | None:
    """What is kept in a stage's folder, if anything is."""
    found = [load(path / RECORD, Best) for path in _kept(folder)]
    return min(found, key=lambda one: (one.loss, one.step), default=None)


def where(folder: Path, found: Best) -> Path:
    """The folder of its adapter."""
    return folder / f"best-{found.step}"


def drop(folder: Path) -> None:
    """Remove it, when the stage is done."""
    for path in _kept(folder):
        shutil.rmtree(path)


def _kept(folder: Path) -> list[Path]:
    return [path for path in folder.glob("best-*") if (path / RECORD).is_file()]
