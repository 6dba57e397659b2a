"""Checkpoints that survive `kill -9`: sealed when whole, skipped when torn, and adapters that appear in one instant.

The trainer writes a checkpoint file by file. Its seal, written last, names every file with its SHA-256, so that what
was cut off in the middle (or lost with the power) is recognised and an older one is taken.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from pathlib import Path

from harvest.store import FieldsmithError, load, save, sha256_file

SEAL = "seal.json"

log = logging.getLogger(__name__)


def seal(checkpoint: Path) -> None:
    """Say that a checkpoint is whole; call it when everything in it is written."""
    save(checkpoint / SEAL, _digests(checkpoint))


def is_whole(checkpoint: Path) -> bool:
    """Whether every file is there as it was when the checkpoint was sealed."""
    if not (checkpoint / SEAL).is_file():
        return False
    try:
        return load(checkpoint / SEAL, dict[str, str]) == _digests(checkpoint)
    except FieldsmithError:  # the seal itself is damaged
        return False


def last_whole(folder: Path) -> Path | None:
    """The newest whole `checkpoint-<step>` of a folder; torn ones are removed, since the trainer would count them."""
    for checkpoint in sorted(_checkpoints(folder), key=_step, reverse=True):
        if is_whole(checkpoint):
            return checkpoint
        log.info("%s is torn (the run was stopped while it was written) and is left aside", checkpoint.name)
        shutil.rmtree(checkpoint)
    return None


def drop(folder: Path) -> None:
    """Remove all checkpoints of a stage that is done."""
    for checkpoint in _checkpoints(folder):
        shutil.rmtree(checkpoint)


def move_into_place(partial: Path, final: Path) -> None:
    """Let a finished folder appear under its name in one rename, its files on the disk; what was there before goes."""
    for path in sorted(partial.rglob("*")):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    if final.exists():
        shutil.rmtree(final)
    partial.rename(final)


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name) and path.is_dir()]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def _digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file() and path.name != SEAL}
