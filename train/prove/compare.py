"""Two arms on one exam: what each scored, and what the one gains over the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from harvest.store import FieldsmithError, load, load_lines, sha256_file
from train.prove.exam import read_exam
from train.prove.statistics import calibrate, detectable, mcnemar, paired_bootstrap, pooled_bootstrap, questions_needed
from train.records import ARMS, COMPARISONS, Arm, Calibration, Comparison, Estimate, EvalResult, ExamItem, Metrics, Score, SeedGain, Seeds

FEW = 5
"""Fewer documents than this say nothing of others: questions are resampled, and an interval speaks of these documents alone."""

NARROW = 0.05
"""`Comparison.needed` questions would narrow the interval of right choices to plus or minus this."""


# ---- one comparison


def documents(items: Sequence[ExamItem]) -> dict[str, str]:
    """Question -> its document, for `compare`; a question without one stands for itself and is left out."""
    return {item.id: item.document_id for item in items if item.document_id}


def summarise(results: Sequence[EvalResult], items: Sequence[ExamItem]) -> Score:
    """What one arm scored on one exam; figures that the exam has no questions for are None.

    Errors: `FieldsmithError` for an exam without questions and for results of other questions than the exam's.
    """
    if not results or [result.item_id for result in results] != [item.id for item in items]:
        raise FieldsmithError("the results are not those of the exam's questions, in their order: examine the model again")
    silent = [(item.answerable, result.abstained) for item, result in zip(items, results, strict=True) if result.abstained is not None]
    return Score(
        nll=fmean(result.nll for result in results),
        accuracy=_mean(_rights(results)),
        match=_mean([float(result.match) for result in results if result.match is not None]),
        abstained=_mean([float(said) for answerable, said in silent if not answerable]),
        abstained_wrongly=_mean([float(said) for answerable, said in silent if answerable]),
        calibration=_calibration(results, items),
    )


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _rights(results: Sequence[EvalResult]) -> list[float]:
    return [float(result.correct) for result in results if result.correct is not None]


def _calibration(results: Sequence[EvalResult], items: Sequence[ExamItem]) -> Calibration | None:
    found = [
        (result.probabilities, result.choice, item.correct)
        for item, result in zip(items, results, strict=True)
        if result.probabilities and result.choice is not None and item.correct is not None
    ]
    if not found:
        return None
    probabilities, chosen, right = zip(*found, strict=True)
    return calibrate(probabilities, chosen, right)


def compare(
    before: Sequence[EvalResult], after: Sequence[EvalResult], *, seed: int, clusters: Mapping[str, str] | None = None
) -> Comparison:
    """What the arm `after` gains over `before` on the same questions; positive is better everywhere.

    `clusters` (`documents(items)`) names each question's document: from `FEW` of them on they are resampled whole, as questions about
    one document go right or wrong together. A figure with fewer than two questions has no interval and is None.
    Errors: `FieldsmithError` where the questions differ.
    """
    if [result.item_id for result in before] != [result.item_id for result in after]:
        raise FieldsmithError("the two results are not of the same questions: examine both models on one exam again")
    pairs = list(zip(before, after, strict=True))
    choices = [(a, b) for a, b in pairs if a.correct is not None and b.correct is not None]
    replies = [(a, b) for a, b in pairs if a.match is not None and b.match is not None]
    gains = [float(b.correct or 0) - float(a.correct or 0) for a, b in choices]
    names = _names([a.item_id for a, _ in choices], clusters)
    margins = [(a.item_id, b.margin - a.margin) for a, b in choices if a.margin is not None and b.margin is not None]
    return Comparison(
        nll=_gain([(a.item_id, a.nll - b.nll) for a, b in pairs], seed, clusters),
        accuracy=_share(_gain([(a.item_id, gain) for (a, _), gain in zip(choices, gains, strict=True)], seed, clusters)),
        match=_share(_gain([(a.item_id, float(b.match or 0) - float(a.match or 0)) for a, b in replies], seed, clusters)),
        mcnemar=mcnemar(gains.count(1.0), gains.count(-1.0)) if choices else None,
        needed=questions_needed(gains, NARROW, clusters=names) if len(choices) > 1 else None,
        margin=_gain(margins, seed, clusters),
    )


def _names(ids: Sequence[str], clusters: Mapping[str, str] | None) -> list[str] | None:
    """Each question's cluster, its document or itself; None where clusters are unknown or too few."""
    if clusters is None:
        return None
    names = [f"document {clusters[name]}" if clusters.get(name) else f"question {name}" for name in ids]
    return names if len(set(names)) >= FEW else None


def _gain(gains: Sequence[tuple[str, float]], seed: int, clusters: Mapping[str, str] | None) -> Estimate | None:
    if len(gains) < 2:
        return None
    values = [gain for _, gain in gains]
    return paired_bootstrap([0.0] * len(values), values, seed=seed, clusters=_names([name for name, _ in gains], clusters))


def _share(estimate: Estimate | None) -> Estimate | None:
    """A difference of shares lies between -1 and 1."""
    if estimate is None:
        return None
    low, high = estimate.ci95
    return Estimate(estimate.value, (max(low, -1.0), min(high, 1.0)))


def power_sentence(comparison: Comparison, n: int) -> str:
    """What an exam of `n` choices can tell, for people; empty without choices."""
    if comparison.accuracy is None or comparison.needed is None:
        return ""
    return (
        f"With {n} choices a true gain of {detectable(comparison.accuracy):.2f} in the share of right ones shows in four exams of five; "
        f"{comparison.needed} choices would narrow the 95 % interval to +-{NARROW}."
    )


# ---- several trainings


def pool_seeds(outs: Mapping[int, Path], *, seed: int, exams: Path | None = None) -> Seeds:
    """The gains of every exam and comparison over trainings with several seeds: `outs` has each seed's folder of metrics and results.

    `exams` is the folder of the exams, whose documents are then resampled. Errors: `FieldsmithError` where a training was not
    examined as the first was, on the same exams and with the same arms.
    """
    if not outs:
        raise FieldsmithError("there is no training to pool: name at least one seed's folder")
    reports = [read_metrics(out).exams for out in outs.values()]
    pooled: dict[str, dict[str, dict[str, SeedGain]]] = {}
    for exam, report in reports[0].items():
        same = [other[exam].sha256 == report.sha256 and set(other[exam].arms) == set(report.arms) for other in reports if exam in other]
        if sum(same) < len(reports):
            raise FieldsmithError(
                f"the trainings were not all examined on the same {exam} exam, with the same arms: examine all of them again"
            )
        results = {arm: [read_results(out, exam, arm) for out in outs.values()] for arm in ARMS if arm in report.arms}
        clusters = read_documents(exams, exam, report.sha256) if exams else None
        pooled[exam] = {
            name: pool(results[before], results[after], seed=seed, clusters=clusters)
            for name, (before, after) in COMPARISONS.items()
            if before in results and after in results
        }
    return Seeds(tuple(outs), pooled)


def pool(
    before: Sequence[Sequence[EvalResult]], after: Sequence[Sequence[EvalResult]], *, seed: int, clusters: Mapping[str, str] | None = None
) -> dict[str, SeedGain]:
    """What `after` gains over `before` in several trainings of the same kind (a list of results each): "nll", "margin" and "accuracy".

    A figure with fewer than two questions is left out. Errors: `FieldsmithError` where the questions differ.
    """
    ids = [result.item_id for result in before[0]]
    if any([result.item_id for result in results] != ids for results in (*before, *after)):
        raise FieldsmithError("the trainings were examined on different questions: examine all of them on one exam again")
    kept = [place for place, result in enumerate(before[0]) if result.correct is not None]
    nll = [[a.nll - b.nll for a, b in zip(*pair, strict=True)] for pair in zip(before, after, strict=True)]
    right = [[float(b[at].correct or 0) - float(a[at].correct or 0) for at in kept] for a, b in zip(before, after, strict=True)]
    margin = [[(b[at].margin or 0.0) - (a[at].margin or 0.0) for at in kept] for a, b in zip(before, after, strict=True)]
    choices = _names([ids[at] for at in kept], clusters)
    found = {
        "nll": _pooled(nll, _names(ids, clusters), seed),
        "margin": _pooled(margin, choices, seed),
        "accuracy": _pooled(right, choices, seed),
    }
    return {what: _clipped(gain) if what == "accuracy" else gain for what, gain in found.items() if gain is not None}


def _clipped(gain: SeedGain) -> SeedGain:
    low, high = gain.pooled.ci95
    return SeedGain(gain.per_seed, Estimate(gain.pooled.value, (max(low, -1.0), min(high, 1.0))))


def _pooled(gains: Sequence[Sequence[float]], names: Sequence[str] | None, seed: int) -> SeedGain | None:
    if len(gains[0]) < 2:
        return None
    return SeedGain(tuple(fmean(values) for values in gains), pooled_bootstrap(gains, seed=seed, clusters=names))


# ---- on disk


def read_metrics(out: Path) -> Metrics:
    """What was proven of one training; `FieldsmithError` where it was not examined, or by an older fieldsmith."""
    if not (out / "metrics.json").is_file():
        raise FieldsmithError(f"there is no {out / 'metrics.json'}: examine that model first")
    try:
        return load(out / "metrics.json", Metrics)
    except FieldsmithError as error:
        raise FieldsmithError(f"{error} (was it written by an older version? examine that model again)") from error


def read_results(out: Path, exam: str, arm: Arm) -> list[EvalResult]:
    """One arm's results of one exam; `FieldsmithError` where it was not examined."""
    path = out / "results" / f"{exam}.{arm}.jsonl"
    if not path.is_file():
        raise FieldsmithError(f"there is no {path}: examine that model on the exam {exam} again")
    return list(load_lines(path, EvalResult))


def read_documents(exams: Path, exam: str, sha256: str) -> dict[str, str]:
    """Question -> its document, from the very exam that was sat; `FieldsmithError` where the file is another."""
    path = exams / f"{exam}.jsonl"
    items = read_exam(path)
    if sha256_file(path) != sha256:
        raise FieldsmithError(f"{path} is not the exam that was sat, whose SHA-256 begins with {sha256[:12]}: examine the models again")
    return documents(items)
