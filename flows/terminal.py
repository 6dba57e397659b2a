"""A run's findings as plain text: what `fieldsmith status` and the end of `make demo` print."""

from __future__ import annotations

from collections.abc import Iterator

from flows.cost import cost_line
from flows.findings import Exam, Findings


def summary(found: Findings) -> str:
    """The whole result on one screen: where things are, what it cost, what the exams say, three answers."""
    return "\n".join([*_places(found), "", *_table(found.exams), "", *_samples(found)])


def _places(found: Findings) -> Iterator[str]:
    yield f"{found.run.name}: {found.headline}"
    yield ""
    yield f"adapter  {found.adapter}"
    yield f"report   {found.report}"
    yield f"cost     {cost_line(found.cost)}"
    yield f"backend  {found.backend} ({found.backend_reason})"


def _table(exams: tuple[Exam, ...]) -> Iterator[str]:
    yield f"{'exam':<34}{'n':>5}   {'nats per answer token':<42}{'right choices':<38}"
    yield f"{'':<34}{'':>5}   {'base':>6} {'tuned':>6}  {'gain [95 % interval]':<26}{'base':>6} {'tuned':>6}  {'gain [95 % interval]':<24}"
    for exam in exams:
        yield f"{exam.title:<34}{exam.n:>5}   {exam.base_nll:>6.2f} {exam.tuned_nll:>6.2f}  {exam.nll.nats:<26}{_choices(exam)}"


def _choices(exam: Exam) -> str:
    if exam.accuracy is None or exam.base_accuracy is None or exam.tuned_accuracy is None:
        return "no options"
    gain = exam.accuracy
    return f"{exam.base_accuracy:>6.0%} {exam.tuned_accuracy:>6.0%}  {gain.value:+.0%} [{gain.low:+.0%}, {gain.high:+.0%}]"


def _samples(found: Findings) -> Iterator[str]:
    for sample in found.samples:
        yield f"Q       {sample.question}"
        yield f"  base  {_one_line(sample.base)}"
        yield f"  tuned {_one_line(sample.tuned)}"
        yield f"  truth {sample.truth}"
        yield f"  source ({sample.document_id}) {_one_line(sample.evidence)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
