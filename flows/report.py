"""The report: one HTML file that needs nothing else, so that it can be mailed, archived and opened in ten years."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from flows import charts, figures
from flows.charts import Axis, Bar
from flows.config import FieldConfig
from flows.cost import cost_line
from flows.field_run import FieldRun, describe
from flows.findings import Exam, Findings, findings
from harvest.store import write_text
from train.records import Arm
from train.sweep import Settings, SweepResult

REPORT_VERSION = 2

CONTENTS = {
    "exams": "What each model knew",
    "retrieval": "Learnt, or looked up",
    "samples": "Asked both",
    "calibration": "Calibration",
    "abstention": "Saying that one does not know",
    "fairness": "Whether the choices are fair",
    "seeds": "Other trainings",
    "forgetting": "What was forgotten",
    "versions": "Beside the version before",
    "gate": "The gate",
    "parity": "Exports beside the model",
    "training": "Training",
    "data": "Data",
    "pairs": "Training pairs",
    "settings": "Settings, versions, seals",
}
OVER_BASE = ("tuned", "base_retrieval", "tuned_retrieval")
OVER_RETRIEVAL = ("tuned_over_retrieval", "tuned_retrieval_over_retrieval")

Chart = tuple[list[tuple[str, list[tuple[str, Bar]]]], Axis]


def write_html(run: FieldRun, out: Path) -> None:
    """Write `out/report.html`; everything in it is escaped, since papers and replies are hostile until parsed."""
    found = findings(run)
    page = _pages().get_template("report.html.j2").render(**_view(found))
    write_text(out / "report.html", page.lstrip())


def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("flows", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters |= {
        "describe": describe,
        "nats": lambda gain: _typeset(figures.nats(gain)),
        "points": lambda gain: _typeset(figures.points(gain)),
        "typeset": _typeset,
        "share": figures.share,
        "nll": figures.nll,
        "p_value": figures.p_value,
        "verdict": figures.verdict,
        "capitalised": lambda words: words[:1].upper() + words[1:],
        "first_word": lambda words: words.split()[0],
        "exam": figures.exam_title,
        "exams_in_order": figures.in_order,
        "comparison": figures.comparison_title,
        "measure": figures.MEASURES.__getitem__,
        "unit": figures.UNITS.__getitem__,
        "measured": figures.measured,
        "said": lambda gain, measure: _typeset(figures.said(gain, measure)),
    }
    return pages


def _typeset(text: str) -> str:
    """Minus signs as wide as plus signs, arrows, and no break within a figure; terminals are better off without them."""
    text = re.sub(r"(?<![\w-])-(?=[\d∞])", "−", text).replace(" -> ", " → ")
    return re.sub(r" (?=%)|(?<=[\d∞],) (?=[+−])", "\u00a0", text)


def _view(found: Findings) -> dict[str, Any]:
    return {
        "found": found,
        "config": found.run.config,
        "headline": found.headline,
        "contents": {name: title for name, title in CONTENTS.items() if name != "versions" or found.versions},
        "cost": cost_line(found.cost),
        "arms": figures.arms_in_order({arm for exam in found.exams for arm in exam.report.arms}),
        "measures": [name for name in figures.MEASURES if _any_gain(found, name)],
        "arm_names": figures.ARM_TITLES,
        "over_base": gains_chart(found.exams, OVER_BASE, found.measure),
        "over_retrieval": gains_chart(found.exams, OVER_RETRIEVAL, found.measure),
        "calibrated": [exam for exam in found.exams if any(score.calibration for _, score in exam.arms)],
        "abstaining": [exam for exam in found.exams if any(score.abstained_wrongly is not None for _, score in exam.arms)],
        "silent": [exam for exam in found.exams if any(score.abstained is not None for _, score in exam.arms)],
        "fair": [exam for exam in found.exams if exam.report.fairness],
        "general": next((exam for exam in found.exams if exam.name == "general" and "tuned" in exam.report.gains), None),
        "plots": list(_reliability(found)),
        "lessons": _lessons(found.training.counts),
        "losses": charts.loss_charts(found.training.losses),
        "trials": list(_trials(found.sweep)) if found.sweep else [],
        "settings": _settings(found.run.config),
        "versions": _versions(found),
    }


def _trials(sweep: SweepResult) -> Iterator[tuple[Settings, bool, list[str]]]:
    """Settings, whether they were chosen, and the held-out loss of each round; a round that they did not reach is empty."""
    for number, settings in enumerate(sweep.trials):
        outcomes = [next((one for one in some if one.trial == number), None) for some in sweep.rounds]
        losses = ["" if one is None else "diverged" if one.loss is None else f"{one.loss:.3f}" for one in outcomes]
        yield settings, settings == sweep.chosen, losses


def gains_chart(exams: tuple[Exam, ...], comparisons: tuple[str, ...], measure: str) -> Chart:
    """Exam -> rows of the interval chart, all on one axis; an exam without such a comparison or measure has no rows and is left out."""
    found = {(exam.name, name): figures.measured(gain, measure) for exam in exams for name, gain in exam.gains if name in comparisons}
    gains = {row: gain for row, gain in found.items() if gain}
    bars, axis = charts.interval_chart(gains)
    rows = []
    for exam in exams:
        some = [(_row_label(name), bars[exam.name, name]) for name in comparisons if (exam.name, name) in bars]
        rows += [(exam.title, some)] if some else []
    return rows, axis


def _any_gain(found: Findings, measure: str) -> bool:
    return any(figures.measured(gain, measure) for exam in found.exams for _, gain in exam.gains)


def _row_label(comparison: str) -> str:
    """The other side is the same for a whole chart, and is said there."""
    return figures.arm_titles(comparison)[0]


def _reliability(found: Findings) -> Iterator[tuple[Arm, charts.Reliability]]:
    """A diagram for each model on the exam that decides."""
    for exam in found.exams:
        if exam.name == found.deciding:
            yield from ((arm, charts.reliability(score.calibration)) for arm, score in exam.arms if score.calibration)


def _lessons(counts: Mapping[str, int]) -> dict[str, Any]:
    """The counts of `Training`, named `<stage> <what>`, as a table: stages, and what was counted in some of them."""
    stages: dict[str, dict[str, int]] = defaultdict(dict)
    for name, count in counts.items():
        stage, _, what = name.partition(" ")
        stages[stage][what.replace("_", " ")] = count
    return {"counts": stages, "names": list(dict.fromkeys(what for found in stages.values() for what in found))} if stages else {}


def _settings(config: FieldConfig) -> str:
    """The settings that shaped the model and its proof, as YAML; where harvest and teacher read from is not for a file that is mailed."""
    shown = config.model_dump(mode="json", include={"seed", "train", "prove", "gate", "release"}, exclude_none=True)
    return str(yaml.safe_dump(shown, allow_unicode=True, sort_keys=False))


def _versions(found: Findings) -> dict[str, str]:
    used = {name: version for record in found.stages.values() for name, version in record.versions.items()}
    return dict(sorted({**used, **found.training.versions}.items()))
