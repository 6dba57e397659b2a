"""The sweep: trials of a few settings, each in a process of its own; under Prefect each is a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.child import run_train
from flows.field_run import FieldRun
from flows.model_run import plan, sweep_folder
from train.config import TrainConfig


def try_settings(run: FieldRun) -> dict[str, Any]:
    """Try the settings of `train.sweep` and keep what was chosen; returns its counts for the manifest."""
    from train.sweep import run_sweep, trial_loss

    folder = sweep_folder(run)

    def trial(config: TrainConfig, out: Path) -> float:
        run_train(plan(run, "trial", out, config=config), out)
        return trial_loss(out)

    result = run_sweep(run.config.train, folder, trial, each=run.each)
    return {"trials": len(result.trials), "chosen": dict(result.chosen), "held-out loss": result.loss}
