"""Two versions of a model on the same exams: what the new one gained, and where it fell behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harvest.store import FieldsmithError
from train.prove.compare import compare, read_documents, read_metrics, read_results
from train.records import Comparison, Estimate, Metrics


@dataclass(frozen=True, slots=True)
class VersionReport:
    """What the tuned model `new` gains over the tuned model `old`, exam by exam; both are named by their adapters' SHA-256.

    `regressions` are the exams on which the interval of the nll or of the right choices lies wholly below zero; `unmatched` those
    that only one of the two sat, or that hold other questions.
    """

    old: str
    new: str
    exams: Mapping[str, Comparison]
    regressions: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()


def compare_versions(old: Path, new: Path, *, seed: int, exams: Path | None = None) -> VersionReport:
    """Compare the tuned models of two folders `models/<version>/` by their results; `exams` is the folder of the exams they sat.

    With `exams`, whole documents are resampled. Errors: `FieldsmithError` where a model was not examined, and where the two versions
    sat no exam in common.
    """
    before, after = read_metrics(old), read_metrics(new)
    common = _common(before, after)
    compared = {}
    for exam in common:
        clusters = read_documents(exams, exam, after.exams[exam].sha256) if exams else None
        compared[exam] = compare(read_results(old, exam, "tuned"), read_results(new, exam, "tuned"), seed=seed, clusters=clusters)
    regressions = tuple(exam for exam, comparison in compared.items() if _worse(comparison.nll) or _worse(comparison.accuracy))
    unmatched = tuple(sorted((set(before.exams) | set(after.exams)) - set(common)))
    return VersionReport(before.adapter, after.adapter, compared, regressions, unmatched)


def _common(before: Metrics, after: Metrics) -> list[str]:
    """Exams with the same seal: numbers of different questions are not compared."""
    common = [exam for exam, report in after.exams.items() if exam in before.exams and before.exams[exam].sha256 == report.sha256]
    if not common:
        raise FieldsmithError(
            f"the two versions sat no exam in common ({_listed(before)}; {_listed(after)}; an exam of one name may hold other questions): "
            "examine both on one"
        )
    return common


def _listed(metrics: Metrics) -> str:
    return ", ".join(f"{exam} {report.sha256[:8]}" for exam, report in metrics.exams.items()) or "none"


def _worse(estimate: Estimate | None) -> bool:
    return estimate is not None and not estimate.ci95[1] >= 0  # so that what is not a number counts as worse


def version_table(report: VersionReport) -> str:
    """The comparison for a terminal: one line an exam, then where the new version fell behind."""
    rows = [(exam, _cell(found.nll), _cell(found.accuracy), _odds(found)) for exam, found in report.exams.items()]
    rows.insert(0, ("exam", "gain in nats/token", "gain in right choices", "McNemar"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.append(f"worse on: {', '.join(report.regressions)}" if report.regressions else "worse on no exam")
    if report.unmatched:
        lines.append(f"not the same for both, and not compared: {', '.join(report.unmatched)}")
    return "\n".join(lines)


def _cell(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:+.3f} [{estimate.ci95[0]:+.3f}, {estimate.ci95[1]:+.3f}]"


def _odds(comparison: Comparison) -> str:
    found = comparison.mcnemar
    return "-" if found is None else f"+{found.better} -{found.worse}, p = {found.p:.2g}"
