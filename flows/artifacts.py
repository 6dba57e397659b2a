"""The findings in Prefect's own UI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.cost import cost_line
from flows.field_run import FieldRun
from flows.figures import ARM_TITLES, MEASURES, UNITS, comparison_title, measured, said
from flows.findings import Findings, findings
from flows.terminal import plain, summary
from train.release.markdown import escaped

Row = dict[str, Any]


def publish_artifacts(run: FieldRun) -> None:
    """Leave the report, the exams, the gains, the gate, the exports and the rejections as artifacts of this flow run."""
    found = findings(run)
    key = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in run.name.lower()).strip("-") or "field"
    create_markdown_artifact(key=f"{key}-report", markdown=markdown(found), description=plain(found.headline.said.claim))
    for name, (rows, description) in tables(found).items():
        create_table_artifact(key=f"{key}-{name}", table=rows, description=description)


def markdown(found: Findings) -> str:
    """The headline, and the summary that a terminal shows; nothing foreign in it becomes Markdown."""
    first, text = found.headline, summary(found)
    fence = "`" * (3 + max((len(run) for run in re.findall("`+", text)), default=0))
    beside = "\n\n".join(escaped(sentence) for sentence in first.beside)
    head = f"# {escaped(found.run.config.title)}\n\n**{escaped(first.first)}**\n\n{escaped(first.gate)}\n\n{beside}\n\n"
    return f"{head}Cost: {escaped(cost_line(found.cost))}\n\n{fence}\n{text}\n{fence}\n"


def tables(found: Findings) -> dict[str, tuple[list[Row], str]]:
    """Name -> rows and what they are; a table with nothing in it is left out."""
    every = {
        "exams": (list(_scores(found)), "What each model scored"),
        "gains": (list(_gains(found)), "What each model gains over another, with 95 % intervals"),
        "gate": (list(_gate(found)), "What a model must have shown before it leaves"),
        "parity": (list(_parity(found)), "The exam again on every exported form"),
        "rejections": (list(_rejections(found)), "What was left out, and why"),
    }
    return {name: (rows, description) for name, (rows, description) in every.items() if rows}


def _scores(found: Findings) -> Iterator[Row]:
    for exam in found.exams:
        for arm, score in exam.arms:
            yield {
                "exam": plain(exam.title),
                "n": exam.report.n,
                "model": ARM_TITLES[arm],
                "nats per token": round(score.nll, 3),
                "right choices": _rounded(score.accuracy),
                "right free answers": _rounded(score.match),
            }


def _gains(found: Findings) -> Iterator[Row]:
    for exam in found.exams:
        for name, gain in exam.gains:
            row: Row = {"exam": plain(exam.title), "comparison": comparison_title(name)}
            for measure, words in MEASURES.items():
                value = measured(gain, measure)
                row[f"{words}, {UNITS[measure]}"] = said(value, measure) if value else ""
            yield row


def _gate(found: Findings) -> Iterator[Row]:
    for check in found.gate.checks if found.gate else ():
        yield {"check": check.name, "holds": check.passed, "found": plain(check.said)}


def _parity(found: Findings) -> Iterator[Row]:
    for row in found.parity.rows if found.parity else ():
        yield {
            "form": row.form,
            "holds": row.passed,
            "drift, nats": round(row.drift, 4),
            "allowed": row.tolerance,
            "same choices": row.agree,
        }


def _rejections(found: Findings) -> Iterator[Row]:
    for stage, reasons in found.rejections.items():
        for reason, count in reasons.items():
            yield {"stage": stage, "reason": plain(reason), "count": count}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
