"""The first lines of report and terminal: what was shown, or that nothing was, and whether the model may leave.

Nothing here sounds better than its interval: a gain is claimed only where the interval lies above zero, in the model that is
released and over all trainings where there are several. Where the base with retrieval does better, that is the first thing said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from flows.figures import MEASURES, exam_title, flipped, measured, nats, points, said, share
from train.records import COMPARISONS, Check, Comparison, Estimate, ExamReport, Metrics, Parity, Seeds, Verdict
from train.release.gate import UNTRAINED

NOTHING = "Nothing is shown about what this model learnt"
LEARNT = "The tuned model has learnt from its documents"
FORM = "The tuned model answers better than its base, which may be form alone"
WORSE = "The tuned model is worse than its base"

AGAINST_RETRIEVAL = "tuned_over_retrieval"


@dataclass(frozen=True, slots=True)
class Statement:
    """A claim and the figures that it rests on; neither ends with a full stop."""

    claim: str
    figures: str

    def __str__(self) -> str:
        return f"{self.claim}: {self.figures}"


@dataclass(frozen=True, slots=True)
class Headline:
    """`said` before all else; `gate`: whether anything may leave; `beside`: what else belongs to the truth of it.

    `tone` is good news, bad news or none, as `figures.verdict` begins.
    """

    said: Statement
    gate: str
    beside: tuple[str, ...] = ()
    tone: Literal["better", "worse", "no"] = "no"

    @property
    def first(self) -> str:
        """The first sentence."""
        return f"{self.said}."


def headline(
    metrics: Metrics,
    deciding: str,
    wanted: str,
    *,
    seeds: Seeds | None,
    gate: Verdict | None,
    parity: Parity | None,
    regressed: bool = False,
) -> Headline:
    """The headline of a model that was examined; `deciding` is the exam that its gate decides on, `wanted` the measure.

    `regressed`: it is worse than the version released before.
    """
    exam, measure = metrics.exams.get(deciding), deciding_measure(metrics, deciding, wanted)
    if exam is None or not _evidence(metrics, deciding, "tuned", measure, None):
        why = f"the exam that decides ({exam_title(deciding)}) {'has too few questions for an interval' if exam else 'was not sat'}"
        return Headline(_with(Statement(NOTHING, why), regressed), gate_line(gate, parity), tuple(warnings(metrics)))
    learnt, retrieval = learnt_line(metrics, deciding, measure, seeds), retrieval_line(metrics, deciding, measure, seeds)
    leads = retrieval_leads(exam, measure)
    first, second = (retrieval, learnt) if leads else (learnt, retrieval)
    first = Statement(first.claim, f"{first.figures} (exam: {exam_title(deciding)}, {exam.n} questions)")
    bad = leads or regressed or learnt.claim == WORSE
    tone: Literal["better", "worse", "no"] = "worse" if bad else "better" if learnt.claim == LEARNT else "no"
    return Headline(_with(first, regressed), gate_line(gate, parity), (f"{second}.", *warnings(metrics)), tone)


def deciding_measure(metrics: Metrics, deciding: str, wanted: str) -> str:
    """The measure that is spoken of: the gate's, or the likelihood of true answers where the exam that decides has no such figure."""
    exam = metrics.exams.get(deciding)
    return wanted if exam and measured(exam.gains.get("tuned"), wanted) else "nll"


def _with(said: Statement, regressed: bool) -> Statement:
    return Statement(f"{said.claim}, and this model is worse than the version released before", said.figures) if regressed else said


# ---- learnt


def learnt_line(metrics: Metrics, deciding: str, measure: str, seeds: Seeds | None) -> Statement:
    """Whether tuning taught the model anything."""
    trained = _evidence(metrics, deciding, "tuned", measure, seeds)
    held_out = _evidence(metrics, UNTRAINED.get(deciding, ""), "tuned", measure, seeds)
    beside = f" (gain on held-out documents {said(held_out[0], measure)})" if held_out else ""
    if len(trained) > 1 and seeds:
        beside += f"; gain over {len(seeds.seeds)} trainings {said(trained[1], measure)}"
    first, *others = _phrases(metrics.exams[deciding], "tuned", measure)
    return Statement(claim(trained, held_out), "; ".join([first + beside, *others]))


def claim(trained: Sequence[Estimate], held_out: Sequence[Estimate]) -> str:
    """What the gains allow one to say, of the released model and, where there are several trainings, over all of them.

    Facts of a document can be learnt only where it was read: what is gained elsewhere too is form.
    """
    if trained[0].ci95[1] < 0:
        return WORSE
    if trained[0].ci95[0] <= 0:
        return "No gain is shown"
    if any(gain.ci95[0] <= 0 for gain in trained):
        return "No gain is shown over all trainings, though the model shown here has one"
    if not held_out or min(gain.ci95[0] for gain in trained) <= max(gain.ci95[1] for gain in held_out):
        return FORM
    return LEARNT


def _evidence(metrics: Metrics, exam: str, comparison: str, measure: str, seeds: Seeds | None) -> list[Estimate]:
    """A gain on an exam: this model's, and the one over all trainings where there are several."""
    report = metrics.exams.get(exam)
    gain = measured(report.gains.get(comparison), measure) if report else None
    if gain is None:
        return []
    pooled = seeds.exams.get(exam, {}).get(comparison, {}).get(measure) if seeds else None
    return [gain, pooled.pooled] if pooled else [gain]


def _phrases(exam: ExamReport, comparison: str, first: str) -> list[str]:
    """All that was measured of a comparison as parts of a sentence, that of the measure `first` before the others."""
    gain = exam.gains[comparison]
    found = [(name, measured(gain, name)) for name in sorted(MEASURES, key=lambda name: name != first)]
    return [_phrase(exam, comparison, name, estimate) for name, estimate in found if estimate]


def _phrase(exam: ExamReport, comparison: str, measure: str, gain: Estimate) -> str:
    against = comparison == AGAINST_RETRIEVAL
    if measure in ("accuracy", "match"):
        before, after = (share(getattr(exam.arms[arm], measure)) for arm in COMPARISONS[comparison])
        way = f"{after} against {before}" if against else f"{before} -> {after}"
        return f"{MEASURES[measure]} {way}, {points(gain)} points"
    ahead = gain.value >= 0
    alone, beside = ("likelier", "with the tuned model") if ahead else ("less likely", "with retrieval")
    likelier = f"likelier {beside}" if against else alone
    what, unit = ("the right option is", "nats") if measure == "margin" else ("true answers are", "nats per token")
    return f"{what} {nats(gain if ahead else flipped(gain))} {unit} {likelier}"


# ---- retrieval


def retrieval_leads(exam: ExamReport, measure: str) -> bool:
    """Whether the base with retrieval does better than the tuned model: by an interval of any measure, or in the deciding one."""
    gain = exam.gains.get(AGAINST_RETRIEVAL)
    value = measured(gain, measure)
    return gain is not None and (bool(_lost(gain)) or (value is not None and value.value < 0))


def retrieval_line(metrics: Metrics, deciding: str, measure: str, seeds: Seeds | None) -> Statement:
    """How the tuned model stands against its base with retrieval."""
    exam, found = metrics.exams[deciding], _evidence(metrics, deciding, AGAINST_RETRIEVAL, measure, seeds)
    if not found:
        return Statement("Whether retrieval alone would do is not known", "the base did not sit this exam with retrieval")
    figures = "; ".join(_phrases(exam, AGAINST_RETRIEVAL, measure))
    return Statement(_standing(_lost(exam.gains[AGAINST_RETRIEVAL]), measure, found), figures)


def _standing(lost: Sequence[str], measure: str, found: Sequence[Estimate]) -> str:
    """Who is ahead, in as many words as the intervals allow."""
    if measure in lost:
        return "The base model with retrieval beats the tuned model"
    if lost:
        words = " and ".join(MEASURES[name] for name in lost)
        return f"The base model with retrieval beats the tuned model in {words}, though not in {MEASURES[measure]}"
    if found[0].value < 0:
        return "The base model with retrieval is ahead of the tuned model, by less than can be told from chance"
    if any(one.ci95[0] <= 0 for one in found):
        return "The tuned model and its base with retrieval cannot be told apart"
    return "The tuned model beats its base with retrieval"


def _lost(gain: Comparison) -> list[str]:
    """The measures in which the interval says that the tuned model is the worse one."""
    found = {name: measured(gain, name) for name in MEASURES}
    return [name for name, estimate in found.items() if estimate and estimate.ci95[1] < 0]


# ---- gate


def gate_line(gate: Verdict | None, parity: Parity | None) -> str:
    """Whether anything may leave, and why not."""
    if gate is None:
        return "The gate has not judged this model yet."
    refused = failed(gate)
    if refused:
        why = "; ".join(f"{check.name}: {check.said.rstrip('.')}" for check in refused)
        return f"The gate is not passed, {len(refused)} of {_checks(len(gate.checks))} failed, so nothing leaves ({why})."
    held = f"The gate is passed: {_checks(len(gate.checks))} held"
    if parity is None or parity.passed:
        return f"{held}."
    return f"{held}. Nothing leaves all the same, as exports are not the model that was examined: {', '.join(drifted(parity))}."


def failed(gate: Verdict | None) -> list[Check]:
    """The conditions that do not hold."""
    return [check for check in gate.checks if not check.passed] if gate else []


def drifted(parity: Parity) -> Iterator[str]:
    """The exported forms, and the templates, that are not what was examined."""
    yield from (row.form for row in parity.rows if not row.passed)
    yield from (check.name for check in parity.templates if not check.passed)


def _checks(count: int) -> str:
    return f"{count} check{'s' * (count != 1)}"


# ---- warnings


def warnings(metrics: Metrics) -> Iterator[str]:
    """What a reader must know before believing an exam."""
    for name, exam in metrics.exams.items():
        if exam.fairness and exam.fairness.suspect:
            rules = ", ".join(exam.fairness.suspect)
            yield f"The choices of the exam “{exam_title(name)}” can be guessed above chance without reading the question (by {rules})."
