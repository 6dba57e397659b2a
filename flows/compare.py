"""Two versions of a field's model on the exams that both sat."""

from __future__ import annotations

from pathlib import Path

from flows.field_run import FieldRun, newest_model, open_run
from flows.releasing import previous
from harvest.store import FieldsmithError, UsageError
from train.prove.versions import compare_versions, version_table


def compare(field: str, old: str | None, new: str | None) -> str:
    """A table of what `new` gains over `old`, versions by their folders' names; by default the newest over the one released last."""
    run = open_run(field)
    before = _version(run, old) if old else previous(run)
    if before is None:
        raise FieldsmithError(f"field {run.name} has released no version yet; name two of them: fieldsmith compare {run.name} OLD NEW")
    after = _version(run, new) if new else newest_model(run)
    report = compare_versions(before, after, seed=run.config.seed, exams=run.dataset / "exams")
    return f"{run.name}: what {after.name} gains over {before.name}\n{version_table(report)}"


def _version(run: FieldRun, name: str) -> Path:
    folder = run.run / "models" / name
    if Path(name).name != name or not folder.is_dir():
        known = ", ".join(sorted(path.name for path in (run.run / "models").glob("*/") if (path / "metrics.json").exists())) or "none"
        raise UsageError(f"field {run.name} has no version {name}; examined versions: {known}")
    return folder
