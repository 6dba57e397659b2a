"""The card's evidence: what was proven, with intervals and the exams' hashes, and what was not."""

from __future__ import annotations

import math
from collections.abc import Iterator

from train.records import ARMS, Comparison, Estimate, Metrics, Parity, Score, Seeds, Verdict
from train.release.markdown import code, escaped, table

ARM_WORDS = {"base": "base", "base_retrieval": "base + retrieval", "tuned": "this model", "tuned_retrieval": "this model + retrieval"}
GAIN_WORDS = {
    "tuned": "this model over base",
    "base_retrieval": "base + retrieval over base",
    "tuned_retrieval": "this model + retrieval over base",
    "tuned_over_retrieval": "this model over base + retrieval",
    "tuned_retrieval_over_retrieval": "this model + retrieval over base + retrieval",
}
AGAINST = "tuned_over_retrieval"
_DECIDING = ("expert_trained", "expert", "seen", "unseen", "later")

# ---- retrieval


def deciding_exam(metrics: Metrics, deciding: str | None) -> str | None:
    """The exam on which model and retrieval are compared first: the given one, else the expert's, else `seen`."""
    wanted = (deciding,) if deciding else _DECIDING
    return next((name for name in wanted if name in metrics.exams and AGAINST in metrics.exams[name].gains), None)


def retrieval_leads(metrics: Metrics, deciding: str | None = None) -> bool:
    """Whether the base with retrieval does better: as measured (right option, else likelihood), or by the whole interval of any measure."""
    name = deciding_exam(metrics, deciding)
    if name is None:
        return False
    gain = metrics.exams[name].gains[AGAINST]
    certain = any(found is not None and found.ci95[1] < 0 for found in (gain.margin, gain.nll, gain.accuracy, gain.match))
    measured = gain.margin or gain.nll
    return certain or (measured is not None and measured.value < 0)


def retrieval_line(metrics: Metrics, deciding: str | None = None) -> str:
    """How this model stands against its base with retrieval, as a sentence in Markdown."""
    name = deciding_exam(metrics, deciding)
    if name is None:
        return "It was not compared with its base model and retrieval over the same documents."
    said = f"on the exam {code(name)} (n = {metrics.exams[name].n}): {_figures(metrics.exams[name].gains[AGAINST])}"
    if retrieval_leads(metrics, deciding):
        return f"The base model with retrieval over the same documents does better than this model {said}."
    return f"Against its base model with retrieval over the same documents, this model gains {said}."


def _figures(gain: Comparison) -> str:
    parts = [
        ("nats for the right option", gain.margin, 1.0),
        ("nats per answer token", gain.nll, 1.0),
        ("% of choices", gain.accuracy, 100.0),
        ("% of free answers", gain.match, 100.0),
    ]
    return ", ".join(f"{estimate(found, times)} {unit}" for unit, found, times in parts if found is not None) or "nothing was measured"


def estimate(found: Estimate | None, times: float = 1.0) -> str:
    """A gain with its 95 % interval, such as `+0.31 [+0.12, +0.50]`."""
    if found is None:
        return "-"
    digits = 2 if times == 1 else 0
    low, high = (bound * times for bound in found.ci95)
    interval = f"[{low:+.{digits}f}, {high:+.{digits}f}]" if math.isfinite(low) and math.isfinite(high) else "[no interval]"
    return f"{found.value * times:+.{digits}f} {interval}"


# ---- proven


def proven(metrics: Metrics, seeds: Seeds | None) -> Iterator[str]:
    """Every exam's figures, gains and hash."""
    yield "## What was proven"
    yield ""
    if not metrics.exams:
        yield "Nothing: no exam was sat."
        yield ""
        return
    yield (
        "Each exam was sealed before training data existed. Nats per answer token: lower is better; gains: positive is better. "
        "In brackets: 95 % intervals (paired bootstrap)."
    )
    yield ""
    yield from _scores(metrics)
    yield from _gains(metrics)
    if seeds is not None and len(seeds.seeds) > 1:
        yield from _over_seeds(seeds)
    yield from _hashes(metrics)


def _scores(metrics: Metrics) -> Iterator[str]:
    head = ["exam", "n", *(ARM_WORDS[arm] for arm in ARMS)]
    yield from table(
        head, ([code(name), str(exam.n), *(_score(exam.arms.get(arm)) for arm in ARMS)] for name, exam in metrics.exams.items())
    )


def _score(score: Score | None) -> str:
    if score is None:
        return "-"
    shares = (("choices", score.accuracy), ("answers", score.match), ("abstained", score.abstained))
    return "; ".join([f"{score.nll:.2f} nats", *(f"{value:.0%} {word}" for word, value in shares if value is not None)])


def _gains(metrics: Metrics) -> Iterator[str]:
    rows = [
        [
            code(name),
            GAIN_WORDS.get(which, escaped(which)),
            *map(estimate, (gain.margin, gain.nll)),
            *(estimate(found, 100) for found in (gain.accuracy, gain.match)),
        ]
        for name, exam in metrics.exams.items()
        for which, gain in exam.gains.items()
    ]
    if rows:
        yield from table(["exam", "gain of", "right option, nats", "nats per answer token", "% of choices", "% of free answers"], rows)


def _over_seeds(seeds: Seeds) -> Iterator[str]:
    numbers = ", ".join(map(str, seeds.seeds))
    yield f"Over {len(seeds.seeds)} trainings (seeds {numbers}; the first is released), questions and trainings resampled:"
    yield ""
    rows = []
    for exam, comparisons in seeds.exams.items():
        for which, measures in comparisons.items():
            for measure, gain in measures.items():
                times = 1.0 if measure in ("nll", "margin") else 100.0
                each = ", ".join(f"{value * times:+.{2 if times == 1 else 0}f}" for value in gain.per_seed)
                unit = {
                    "margin": "right option, nats",
                    "nll": "nats per answer token",
                    "accuracy": "% of choices",
                    "match": "% of free answers",
                }.get(measure, escaped(measure))
                rows.append([code(exam), GAIN_WORDS.get(which, escaped(which)), unit, each, estimate(gain.pooled, times)])
    yield from table(["exam", "gain of", "measure", "each training", "pooled"], rows)


def _hashes(metrics: Metrics) -> Iterator[str]:
    yield "SHA-256 of the exams:"
    yield ""
    for name, exam in metrics.exams.items():
        yield f"- {code(name)}: {code(exam.sha256)}"
    if metrics.retrieval is not None:
        found = metrics.retrieval
        embedder = f" with {code(found.embedder)}" if found.embedder else ""
        yield f"- passages for retrieval ({found.n}, {escaped(found.how)}{embedder}, {found.shown} shown): {code(found.sha256)}"
    yield f"- weights of the adapter: {code(metrics.adapter)}"
    yield ""


# ---- not proven


def not_proven(metrics: Metrics, verdict: Verdict | None, seeds: Seeds | None) -> Iterator[str]:
    """What the figures do not say, each point named by what is missing from them."""
    yield "## What was not proven"
    yield ""
    points = [*_failed(verdict), *_uncertain(metrics), *_absent(metrics, seeds)]
    for point in points:
        yield f"- {point}"
    yield "- Questions were asked one by one: long conversations, tools and instructions of other kinds were not examined."
    yield ""


def _failed(verdict: Verdict | None) -> Iterator[str]:
    for check in verdict.checks if verdict else ():
        if not check.passed:
            yield f"The gate's condition {code(check.name)} does not hold: {escaped(check.said)}"


def _uncertain(metrics: Metrics) -> Iterator[str]:
    for name, exam in metrics.exams.items():
        gain = exam.gains.get("tuned")
        if gain is not None and gain.nll is not None and name != "general" and gain.nll.ci95[0] <= 0:
            yield f"No gain over the base is shown on {code(name)}: the interval {estimate(gain.nll)} reaches zero{_needed(gain)}."
        if exam.fairness is not None and exam.fairness.suspect:
            rules = ", ".join(map(escaped, exam.fairness.suspect))
            yield f"Choices of {code(name)} can be guessed above chance without reading the question (rules: {rules})."


def _needed(gain: Comparison) -> str:
    return f" ({gain.needed} questions would narrow that of right choices to 5 points)" if gain.needed else ""


def _absent(metrics: Metrics, seeds: Seeds | None) -> Iterator[str]:
    said = {
        "unseen": "Whether anything carries over to documents that were not trained on: there was no such exam.",
        "general": "What was forgotten: there was no general exam.",
        "unanswerable": "Whether it admits what cannot be known: there was no exam of unanswerable questions.",
        "later": "How it does on documents after its cut-off date: there was no such exam.",
    }
    yield from (sentence for name, sentence in said.items() if name not in metrics.exams)
    if metrics.retrieval is None:
        yield "Whether retrieval over the same documents would do as well: it was not examined."
    if seeds is None or len(seeds.seeds) < 2:
        yield "How much another training with the same data would differ: it was trained once."


# ---- parity


def parity_table(parity: Parity | None) -> Iterator[str]:
    """The exam again on every exported form."""
    yield "## Parity of the exported forms"
    yield ""
    if parity is None:
        yield "The exported forms were not examined."
        yield ""
        return
    yield f"Every form sat the exam {code(parity.exam)} ({parity.n} questions) again; drift is against the adapter as trained."
    yield ""
    yield from table(
        ["form", "nats per answer token", "choices", "drift (nats)", "same choice", "tolerance", ""],
        (
            [
                code(row.form),
                f"{row.nll:.3f}",
                "-" if row.accuracy is None else f"{row.accuracy:.0%}",
                f"{row.drift:.4f}",
                "-" if row.agree is None else f"{row.agree:.0%}",
                f"{row.tolerance:g}",
                "passed" if row.passed else "**drifted**",
            ]
            for row in parity.rows
        ),
    )
    for check in parity.templates:
        yield f"- {escaped(check.name)}: {'' if check.passed else '**failed**, '}{escaped(check.said)}"
    yield ""
