"""What happens while the trainer works: progress in words, seals on whole checkpoints, the best weights so far, and the early stop."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from train.backends import processes
from train.tune import best, checkpoints

log = logging.getLogger(__name__)


class Sealer(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Seals a checkpoint once every process has written its part of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called by the trainer, in every process."""
        processes.wait()
        if processes.is_first():
            checkpoints.seal(self.folder / f"checkpoint-{state.global_step}")


class Progress(TrainerCallback):  # type: ignore[misc]
    """Says where a stage stands and how long it will take, from the pace since it (re)started."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = 0.0
        self.first = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self.began, self.first = time.monotonic(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Say the losses."""
        for key, what in (("loss", "loss"), ("eval_loss", "held-out loss")):
            if logs and key in logs:
                log.info("%s: step %d/%d, %s %.3f%s", self.name, state.global_step, state.max_steps, what, logs[key], self._left(state))

    def _left(self, state: Any) -> str:
        done = state.global_step - self.first
        if done <= 0 or state.global_step >= state.max_steps:
            return ""
        seconds = (time.monotonic() - self.began) / done * (state.max_steps - state.global_step)
        return f", about {seconds:.0f} s left" if seconds < 90 else f", about {seconds / 60:.0f} min left"


class KeepBest(TrainerCallback):  # type: ignore[misc]
    """Writes the adapter whenever the held-out loss is lower than ever before, in this run or in one that it goes on from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trainer: Any = None
        found = processes.agree(lambda: best.lowest(folder))
        self.lowest = found.loss if found else float("inf")

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        """Called after every look at the held-out rows, in every process with the same loss."""
        if metrics["eval_loss"] < self.lowest:
            self.lowest = metrics["eval_loss"]
            best.keep(self.trainer, self.folder, best.Best(state.global_step, self.lowest))


class EarlyStop(TrainerCallback):  # type: ignore[misc]
    """Stops after `patience` evaluations without a lower held-out loss.

    It counts them in the trainer's log, which every checkpoint holds: a run that goes on has not lost count.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called after every look at the held-out rows."""
        losses = [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]
        if len(losses) - 1 - losses.index(min(losses)) >= self.patience:
            control.should_training_stop = True
            # A run that went on from a checkpoint of this step would not stop at it but one step later.
            control.should_save = False
