"""Which backend trains here, and why: a sentence that is logged and kept with the adapter."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harvest.store import FieldsmithError
from train.backends import peft, processes, unsloth
from train.backends.learner import Learner

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backend:
    """How to open a model with a fresh LoRA, and why in this way."""

    name: Literal["unsloth", "peft"]
    reason: str
    open_model: Callable[..., Learner]


def choose(wanted: Literal["auto", "unsloth", "peft"], compiled: Path) -> Backend:
    """The backend for a setting; call it before anything imports transformers or TRL, which Unsloth must precede.

    `auto` takes Unsloth wherever it imports and one process trains. Errors: `FieldsmithError` where `unsloth` is asked for and
    cannot be had.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # TRL would tell the hub of every trainer
    backend = _choose(wanted, compiled)
    log.info("%s", backend.reason)
    return backend


def _choose(wanted: str, compiled: Path) -> Backend:
    if wanted == "peft":
        return _peft("training with TRL and PEFT, as the settings ask")
    if processes.count() > 1:
        together = f"{processes.count()} processes train together, which Unsloth is not set up for here"
        if wanted == "unsloth":
            raise FieldsmithError(f"backend: unsloth is set, but {together}: set backend: peft, or start one process")
        return _peft(f"training with TRL and PEFT, because {together}")
    if not unsloth.is_installed():
        if wanted == "unsloth":
            raise FieldsmithError("backend: unsloth is set, but unsloth is not installed: run `pip install unsloth`, or set backend: auto")
        return _peft("training with TRL and PEFT, because unsloth is not installed")
    try:
        module = unsloth.import_unsloth(compiled)
    except Exception as error:  # a library that patches others on import may fail with anything; it is said, never hidden
        why = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
        if wanted == "unsloth":
            raise FieldsmithError(
                f"backend: unsloth is set, but unsloth does not import ({why}): repair it, or set backend: auto"
            ) from error
        return _peft(f"training with TRL and PEFT, because unsloth is installed but does not import ({why})")
    where = getattr(module, "DEVICE_TYPE", "device").upper()
    asked = "as the settings ask" if wanted == "unsloth" else f"because it imports here ({where})"
    return Backend("unsloth", f"training with Unsloth {module.__version__}, {asked}", unsloth.open_model)


def _peft(reason: str) -> Backend:
    return Backend("peft", reason, peft.open_model)
