"""What happens while the trainer works: progress in words, and seals on whole checkpoints."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from train.tune import checkpoints

log = logging.getLogger(__name__)


def watchers(folder: Path) -> list[Any]:
    """The callbacks of one stage whose checkpoints lie in `folder`."""
    return [_Sealer(folder), _Progress(folder.name)]


class _Sealer(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Seals a checkpoint once the trainer has written all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        checkpoints.seal(self.folder / f"checkpoint-{state.global_step}")


class _Progress(TrainerCallback):  # type: ignore[misc]
    """Says where a stage stands and how long it will take, from the pace since it (re)started."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = 0.0
        self.first = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.began, self.first = time.monotonic(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        for key, what in (("loss", "loss"), ("eval_loss", "loss on the validation pairs")):
            if logs and key in logs:
                log.info("%s: step %d/%d, %s %.3f%s", self.name, state.global_step, state.max_steps, what, logs[key], self._left(state))

    def _left(self, state: Any) -> str:
        done = state.global_step - self.first
        if done <= 0 or state.global_step >= state.max_steps:
            return ""
        seconds = (time.monotonic() - self.began) / done * (state.max_steps - state.global_step)
        return f", about {seconds:.0f} s left" if seconds < 90 else f", about {seconds / 60:.0f} min left"
