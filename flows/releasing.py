"""The gate and what lies behind it: a model that has not shown what was asked leaves nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.child import run_train
from flows.field_run import FieldRun
from flows.model_run import deciding, metrics_of, plan
from harvest.store import FieldsmithError, load, save, whole_lines
from train.records import Release, Seeds, Verdict


@dataclass(frozen=True, slots=True)
class Released:
    """`released.json`: the version that was released last, a folder under models/."""

    model: str


def decide(run: FieldRun, out: Path) -> dict[str, Any]:
    """Judge the model in `out` by `gate:` and leave gate.json; returns counts for the manifest."""
    from train.prove.versions import compare_versions
    from train.release.gate import judge

    before = previous(run)
    report = None
    if before is not None and before != out and _exams(before) & _exams(out):
        report = compare_versions(before, out, seed=run.config.seed, exams=run.dataset / "exams")
    if report is not None:
        save(out / "versions.json", report)
    else:
        (out / "versions.json").unlink(missing_ok=True)
    seeds = load(out / "seeds.json", Seeds) if (out / "seeds.json").exists() else None
    verdict = judge(run.config.gate, metrics_of(out), leaks=leaks(run), previous=report, seeds=seeds)
    save(out / "gate.json", verdict)
    return {"passed": verdict.passed, "held": sum(check.passed for check in verdict.checks), "asked": len(verdict.checks)}


def _exams(out: Path) -> set[tuple[str, str]]:
    return {(name, report.sha256) for name, report in metrics_of(out).exams.items()}


def previous(run: FieldRun) -> Path | None:
    """The folder of the version released last; None before the first, and where it was deleted."""
    pointer = run.run / "released.json"
    if not pointer.exists():
        return None
    folder = run.run / "models" / load(pointer, Released).model
    return folder if (folder / "metrics.json").exists() else None


def leaks(run: FieldRun) -> int:
    """How many pieces of training data the sealed exams still share, searched anew in the files as they lie there."""
    from qagen.stage import count_leaks

    return count_leaks(run.config.qagen, run.run)


def release(run: FieldRun, out: Path) -> dict[str, Any]:
    """Export what passed; a model that did not pass leaves nothing, and any earlier export of it goes."""
    verdict = load(out / "gate.json", Verdict)
    exam = deciding(run)
    if not verdict.passed or exam is None:
        failed = [check.name for check in verdict.checks if not check.passed]
        return {"released": False, "because": failed}
    card = run.dataset / "published" / "README.md"
    told: dict[str, Any] = {
        "exam": run.dataset / "exams" / f"{exam}.jsonl",
        "about": about(run),
        "dataset_card": card if card.is_file() else None,
    }
    run_train(plan(run, "export", out, release=run.config.release, **told), out)
    done = load(out / "release" / "release.json", Release)
    save(run.run / "released.json", Released(out.name))
    return {"released": True, "files": len(done.files), **({"pushed to": done.pushed_to} if done.pushed_to else {})}


def about(run: FieldRun) -> dict[str, Any]:
    """What the model card says of the field."""
    release = run.config.release
    return {
        "name": run.name,
        "title": run.config.title,
        "description": run.config.description,
        "licence": release.licence,
        "base": run.config.train.base,
        "repo": release.push_to,
        "languages": sorted(run.config.qagen.languages),
        "paper_licences": dict(Counter(str(passage["licence"]) for passage in _documents(run))),
    }


def _documents(run: FieldRun) -> list[dict[str, Any]]:
    """One passage of each document that was trained on, with its licence."""
    path = run.dataset / "corpus.jsonl"
    passages = list(whole_lines(path)) if path.exists() else []
    return list({passage["document_id"]: passage for passage in passages}.values())


def released_folder(run: FieldRun, out: Path) -> Path:
    """The release of the model in `out`; `FieldsmithError` where there is none, with the reason."""
    folder = out / "release"
    if (folder / "release.json").exists():
        return folder
    if not (out / "gate.json").exists():
        raise FieldsmithError(f"the model of field {run.name} has not been judged yet; go on with: fieldsmith run {run.name}")
    verdict = load(out / "gate.json", Verdict)
    why = "; ".join(check.said for check in verdict.checks if not check.passed) or "its export was not finished"
    raise FieldsmithError(f"the model of field {run.name} was not released: {why}")
