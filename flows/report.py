"""The report: one HTML file that needs nothing else, so that it can be mailed, archived and opened in ten years."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from flows.cost import cost_line
from flows.field_run import FieldRun, describe
from flows.findings import Findings, findings
from harvest.store import write_text

REPORT_VERSION = 1
WIDTH, HEIGHT, LEFT, BOTTOM = 640, 220, 46, 26


def write_html(run: FieldRun, out: Path) -> None:
    """Write `out/report.html`; everything in it is escaped, since papers and replies are hostile until parsed."""
    found = findings(run)
    pages = Environment(
        loader=PackageLoader("flows", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["describe"] = describe
    template = pages.get_template("report.html.j2")
    html = template.render(
        found=found,
        config=run.config,
        cost=cost_line(found.cost),
        intervals=interval_chart(found),
        losses={name: loss_chart(points) for name, points in found.losses.items() if len(points) > 1},
        chart=(WIDTH, HEIGHT, LEFT, BOTTOM),
    )
    write_text(out / "report.html", html)


def interval_chart(found: Findings) -> list[tuple[str, str, float, float, float, float]]:
    """Rows of the interval chart: title, verdict, and low, value, high and zero in percent of the axis."""
    if not found.exams:
        return []
    low = min(0.0, *(exam.nll.low for exam in found.exams))
    high = max(0.0, *(exam.nll.high for exam in found.exams))
    wide = (high - low) or 1.0

    def place(value: float) -> float:
        return round(4 + 92 * (value - low) / wide, 2)

    return [
        (exam.title, exam.nll.verdict, place(exam.nll.low), place(exam.nll.value), place(exam.nll.high), place(0.0)) for exam in found.exams
    ]


def loss_chart(points: Sequence[tuple[float, float]]) -> tuple[str, float, float, float]:
    """A loss curve as SVG coordinates, with the last step, the smallest and the largest loss for the axes."""
    last = max(step for step, _ in points) or 1.0
    low, high = min(loss for _, loss in points), max(loss for _, loss in points)
    tall = (high - low) or 1.0
    drawn = (
        f"{LEFT + (WIDTH - LEFT - 8) * step / last:.1f},{8 + (HEIGHT - BOTTOM - 16) * (high - loss) / tall:.1f}" for step, loss in points
    )
    return " ".join(drawn), last, low, high
