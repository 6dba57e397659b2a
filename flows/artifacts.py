"""The findings in Prefect's own UI."""

from __future__ import annotations

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.cost import cost_line
from flows.field_run import FieldRun
from flows.findings import Exam, Findings, findings
from flows.terminal import summary


def publish_artifacts(run: FieldRun) -> None:
    """Leave the report, the exam table and the rejections as artifacts of this flow run."""
    found = findings(run)
    key = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in run.name.lower()).strip("-") or "field"
    create_markdown_artifact(key=f"{key}-report", markdown=_markdown(found), description=found.headline)
    create_table_artifact(
        key=f"{key}-exams", table=[_row(exam) for exam in found.exams], description="Base against tuned model, 95 % intervals"
    )
    create_table_artifact(key=f"{key}-rejections", table=_rejections(found), description="What was left out, and why")


def _markdown(found: Findings) -> str:
    return f"# {found.run.config.title}\n\n{found.headline}\n\nCost: {cost_line(found.cost)}\n\n```\n{summary(found)}\n```\n"


def _row(exam: Exam) -> dict[str, object]:
    row: dict[str, object] = {"exam": exam.title, "n": exam.n, "base nll": round(exam.base_nll, 3), "tuned nll": round(exam.tuned_nll, 3)}
    row["nll gain"] = exam.nll.nats
    if exam.accuracy is not None:
        row |= {"base choices": exam.base_accuracy, "tuned choices": exam.tuned_accuracy}
        row["choices gain"] = f"{exam.accuracy.value:+.3f} [{exam.accuracy.low:+.3f}, {exam.accuracy.high:+.3f}]"
    return row


def _rejections(found: Findings) -> list[dict[str, object]]:
    return [
        {"stage": stage, "reason": reason, "count": count}
        for stage, reasons in found.rejections.items()
        for reason, count in reasons.items()
    ]
