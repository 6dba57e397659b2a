"""One run of one field: its settings, its folders, and how its counts read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.config import FieldConfig, load_field
from harvest.store import FieldsmithError, read_manifest
from train.sweep import Each, in_turn


@dataclass(frozen=True, slots=True)
class FieldRun:
    """One run of one field: settings with the flow's parameters applied, and the folder that holds its files.

    `each` does several pieces of work of one kind: in turn, or under Prefect each as a task.
    """

    name: str
    config: FieldConfig
    run: Path
    refresh: bool = False
    each: Each = in_turn

    @property
    def dataset(self) -> Path:
        """The folder of training data and exams."""
        return self.run / "dataset"


def open_run(field: str, *, max_papers: int | None = None, seed: int | None = None, refresh: bool = False) -> FieldRun:
    """Load a field and apply what was asked for on the command line; raises `UsageError` for bad YAML."""
    file = load_field(field)
    config = file.config
    if max_papers is not None:
        config = config.model_copy(update={"harvest": config.harvest.model_copy(update={"max_papers": max_papers})})
    if seed is not None:
        config = config.model_copy(update={"seed": seed})
    return FieldRun(file.name, config, file.run, refresh)


def newest_model(run: FieldRun) -> Path:
    """The model that was trained last, whatever the settings are now; raises `FieldsmithError` before the first."""
    record = read_manifest(run.run).get("train")
    if record is None:
        raise FieldsmithError(f"field {run.name} has no model yet; build one: fieldsmith run {run.name}")
    return run.run / "models" / str(record.counts["model"])


def describe(counts: Mapping[str, Any]) -> str:
    """Counts as one line for a person; the hash over a stage's files, which stands among them, is for machines."""
    counts = {name: value for name, value in counts.items() if name != "files"}
    flat = [f"{name} {value}" for name, value in counts.items() if not isinstance(value, Mapping) and value != []]
    nested = [f"{name} ({describe(value)})" for name, value in counts.items() if isinstance(value, Mapping) and value]
    return ", ".join(flat + nested)
