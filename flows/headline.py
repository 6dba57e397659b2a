"""The first lines of report and terminal: what was shown, or that nothing was, and whether the model may leave.

Nothing here sounds better than its interval: a gain is claimed only where the interval lies above zero, in the model that is
released and over all trainings where there are several. Where the base with retrieval does better, that is the first thing said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from flows.figures import exam_title, flipped, nats, points, share
from train.records import COMPARISONS, Check, Comparison, Estimate, ExamReport, Metrics, Parity, Seeds, Verdict

NOTHING = "Nothing is shown about what this model learnt"
LEARNT = "The tuned model has learnt from its documents"
WORSE = "The tuned model is worse than its base"
HELD_OUT = {"expert_trained": "expert_held_out", "seen": "unseen"}
"""Exam on trained documents -> the exam of the same kind on documents that were not trained on."""

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
    metrics: Metrics, deciding: str, *, seeds: Seeds | None, gate: Verdict | None, parity: Parity | None, regressed: bool = False
) -> Headline:
    """The headline of a model that was examined; `deciding` is the exam that its gate decides on.

    `regressed`: it is worse than the version released before.
    """
    exam = metrics.exams.get(deciding)
    if exam is None or not _evidence(metrics, deciding, "tuned", None):
        why = f"the exam that decides ({exam_title(deciding)}) {'has too few questions for an interval' if exam else 'was not sat'}"
        return Headline(_with(Statement(NOTHING, why), regressed), gate_line(gate, parity), tuple(warnings(metrics)))
    learnt, retrieval, leads = learnt_line(metrics, deciding, seeds), retrieval_line(metrics, deciding, seeds), retrieval_leads(exam)
    first, second = (retrieval, learnt) if leads else (learnt, retrieval)
    first = Statement(first.claim, f"{first.figures} (exam: {exam_title(deciding)}, {exam.n} questions)")
    bad = leads or regressed or learnt.claim == WORSE
    tone: Literal["better", "worse", "no"] = "worse" if bad else "better" if learnt.claim == LEARNT else "no"
    return Headline(_with(first, regressed), gate_line(gate, parity), (f"{second}.", *warnings(metrics)), tone)


def _with(said: Statement, regressed: bool) -> Statement:
    return Statement(f"{said.claim}, and this model is worse than the version released before", said.figures) if regressed else said


# ---- learnt


def learnt_line(metrics: Metrics, deciding: str, seeds: Seeds | None) -> Statement:
    """Whether tuning taught the model anything."""
    trained = _evidence(metrics, deciding, "tuned", seeds)
    held_out = _evidence(metrics, HELD_OUT.get(deciding, ""), "tuned", seeds)
    said = f"true answers are {_likelier(trained[0])}"
    if held_out:
        said += f" (gain on held-out documents {nats(held_out[0])})"
    if len(trained) > 1 and seeds:
        said += f"; gain over {len(seeds.seeds)} trainings {nats(trained[1])}"
    return Statement(claim(trained, held_out), said + _shares(metrics.exams[deciding], "tuned"))


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
        return "The tuned model answers better than its base, which may be form alone"
    return LEARNT


def _evidence(metrics: Metrics, exam: str, comparison: str, seeds: Seeds | None) -> list[Estimate]:
    """A gain in likelihood on an exam: this model's, and the one over all trainings where there are several."""
    report = metrics.exams.get(exam)
    gain = report.gains.get(comparison) if report else None
    if gain is None or gain.nll is None:
        return []
    pooled = seeds.exams.get(exam, {}).get(comparison, {}).get("nll") if seeds else None
    return [gain.nll, pooled.pooled] if pooled else [gain.nll]


def _likelier(gain: Estimate) -> str:
    """A gain in likelihood in words that fit its sign."""
    return f"{nats(flipped(gain))} nats per token less likely" if gain.value < 0 else f"{nats(gain)} nats per token likelier"


# ---- retrieval


def retrieval_leads(exam: ExamReport) -> bool:
    """Whether the base with retrieval does better than the tuned model: by an interval of any measure, or by the likelihood as measured."""
    gain = exam.gains.get(AGAINST_RETRIEVAL)
    return gain is not None and (bool(_lost(gain)) or (gain.nll is not None and gain.nll.value < 0))


def retrieval_line(metrics: Metrics, deciding: str, seeds: Seeds | None) -> Statement:
    """How the tuned model stands against its base with retrieval."""
    exam = metrics.exams[deciding]
    gain, likelihood = exam.gains.get(AGAINST_RETRIEVAL), _evidence(metrics, deciding, AGAINST_RETRIEVAL, seeds)
    if gain is None or gain.nll is None:
        return Statement("Whether retrieval alone would do is not known", "the base did not sit this exam with retrieval")
    who, by = ("retrieval", flipped(gain.nll)) if gain.nll.value < 0 else ("the tuned model", gain.nll)
    return Statement(_standing(gain, likelihood), f"true answers are {_likelier(by)} with {who}{_shares(exam, AGAINST_RETRIEVAL)}")


def _standing(gain: Comparison, likelihood: Sequence[Estimate]) -> str:
    """Who is ahead, in as many words as the intervals allow."""
    lost = _lost(gain)
    if "nll" in lost:
        return "The base model with retrieval beats the tuned model"
    if lost:
        words = " and ".join({"accuracy": "right choices", "match": "right free answers"}[name] for name in lost)
        return f"The base model with retrieval beats the tuned model in {words}, though not in likelihood"
    if likelihood[0].value < 0:
        return "The base model with retrieval is ahead of the tuned model, by less than can be told from chance"
    if any(one.ci95[0] <= 0 for one in likelihood):
        return "The tuned model and its base with retrieval cannot be told apart"
    return "The tuned model beats its base with retrieval"


def _lost(gain: Comparison) -> list[str]:
    """The measures in which the interval says that the tuned model is the worse one."""
    found = {"nll": gain.nll, "accuracy": gain.accuracy, "match": gain.match}
    return [name for name, estimate in found.items() if estimate and estimate.ci95[1] < 0]


def _shares(exam: ExamReport, comparison: str) -> str:
    """Choices and free answers as an end of the sentence: from the base to here, or against the base with retrieval."""
    gain = exam.gains[comparison]
    (before, after), words = COMPARISONS[comparison], "{1} against {0}" if comparison == AGAINST_RETRIEVAL else "{0} -> {1}"
    base, tuned = exam.arms[before], exam.arms[after]
    said = ""
    if gain.accuracy:
        said += f"; right choices {words.format(share(base.accuracy), share(tuned.accuracy))}, {points(gain.accuracy)} points"
    if gain.match:
        said += f"; right free answers {words.format(share(base.match), share(tuned.match))}, {points(gain.match)} points"
    return said


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
