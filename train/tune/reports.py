"""Where losses are sent while a stage trains: TensorBoard, Weights & Biases, trackio.

Each goes on with the same run when a stage goes on: a step that was trained twice is shown once. Keys come from the environment
(`WANDB_API_KEY`, `HF_TOKEN`) and are read by these packages alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harvest.store import UsageError, sha256_text
from train.backends import processes

LOGS = "tensorboard"
"""TensorBoard's folder, inside a stage's own: it goes with the stage that begins anew and stays with one that goes on."""


def check_reports(wanted: Sequence[str]) -> None:
    """`UsageError` for a package that is asked for and not installed."""
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"train.report_to names {missing[0]}, which is not installed: run `pip install {missing[0]}`, or leave it out of report_to"
        )


def reporters(wanted: Sequence[str], folder: Path, key: str, step: int) -> list[Any]:
    """The callbacks that report a stage, which starts or goes on after `step`."""
    if not processes.is_first():
        return []
    makers = {"tensorboard": _tensorboard, "wandb": _wandb, "trackio": _trackio}
    return [makers[name](folder, key, step) for name in wanted]


def run_name(folder: Path) -> str:
    """What a stage is called where many runs are shown together: field, version and stage, as its folder lies."""
    return "-".join(part for part in folder.resolve().parts[-5:] if part not in ("work", "models", "runs", "/"))


def _tensorboard(folder: Path, key: str, step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    # The steps after the checkpoint are trained again: what was written of them is hidden.
    return TensorBoardCallback(SummaryWriter(log_dir=str(folder / LOGS), purge_step=step + 1))


def _wandb(folder: Path, key: str, step: int) -> Any:
    from transformers.integrations import WandbCallback

    os.environ["WANDB_RUN_ID"] = _run_id(folder, key)
    os.environ["WANDB_RESUME"] = "allow"
    os.environ.setdefault("WANDB_PROJECT", "fieldsmith")
    os.environ.setdefault("WANDB_DIR", str(folder.parent))  # not the folder in which the user happens to be

    class OneRun(WandbCallback):  # type: ignore[misc]
        """A stage is a run: the next one must not go on in it."""

        def on_train_end(self, *args: Any, **more: Any) -> None:
            super().on_train_end(*args, **more)
            self._wandb.finish()

    return OneRun()


def _trackio(folder: Path, key: str, step: int) -> Any:
    from transformers.integrations import TrackioCallback

    return TrackioCallback()  # it resumes by the run's name


def _run_id(folder: Path, key: str) -> str:
    return sha256_text(f"{folder.resolve()} {key}")[:16]
