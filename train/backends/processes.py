"""Several processes that train together, as torchrun and `accelerate launch` start them: who is first, and what all agree on.

Each process drives one GPU (or a share of the CPU) and runs the same program. The first one alone holds the lock and writes
records, seals and adapters; the others wait for it where they need what it decides.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE = timedelta(hours=2)
"""How long processes wait for the first one, which may have a model to convert; PyTorch's own limit for GPUs is ten minutes."""


def count() -> int:
    """How many processes train together, over all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def number() -> int:
    """Which of them this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this is the process that writes."""
    return number() == 0


def here() -> int:
    """How many of them share this machine and its memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", str(count())))


def gpu() -> int:
    """The GPU of this machine that belongs to this process."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def shards() -> bool:
    """Whether the model is spread over the GPUs (FSDP, as accelerate's settings ask); accelerate does so on GPUs only."""
    import torch

    return count() > 1 and os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("true", "1") and torch.cuda.is_available()


def join() -> None:
    """Bring the processes together, over NCCL between GPUs and gloo between CPUs; from then on only the first one says what it does."""
    if count() == 1:
        return
    import torch
    from accelerate import PartialState  # type: ignore[import-untyped]

    PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
    if not is_first():
        logging.getLogger("train").setLevel(logging.WARNING)


def wait() -> None:
    """Go on when all processes are here."""
    if count() > 1:
        import torch

        torch.distributed.barrier()


def agree(find: Callable[[], Found]) -> Found:
    """What the first process finds, in every process: only there is `find` called."""
    if count() == 1:
        return find()
    import torch

    box = [find() if is_first() else None]
    torch.distributed.broadcast_object_list(box)
    return box[0]  # type: ignore[return-value]  # by now every process has what the first one found
