"""The geometry of the report's charts, so that the template only draws.

Places along an axis are percentages of its width, so that a chart fits any page while its words keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from train.records import Calibration, Estimate

INSET = 5.0
"""Percent left free at both ends of an axis, for dots and words."""

HELD_OUT = " validation"
"""How `Training.losses` marks a stage's held-out curve."""

NARROWEST = 1e-6
"""Gains that differ by less all stand at zero: models do not compute more exactly."""

Name = TypeVar("Name")
Curve = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Bar:
    """A gain on the axis: where its interval begins and ends, and its value, in percent."""

    low: float
    value: float
    high: float
    gain: Estimate


@dataclass(frozen=True, slots=True)
class Axis:
    """Ticks as (place in percent, words), and the place of zero."""

    ticks: tuple[tuple[float, str], ...]
    zero: float


@dataclass(frozen=True, slots=True)
class LossChart:
    """Curves of one stage as (name, SVG points within 100 x 100), the losses' range, the last step and the lowest held-out loss."""

    curves: tuple[tuple[str, str], ...]
    low: float
    high: float
    last: int
    best: tuple[int, float] | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins as (confidence, accuracy, radius), each within 0 to 1, the radius growing with the number of questions."""

    bins: tuple[tuple[float, float, float], ...]


def interval_chart(gains: Mapping[Name, Estimate]) -> tuple[dict[Name, Bar], Axis]:
    """All gains on one axis that holds zero; an interval without an end runs to the edge."""
    ends = [end for gain in gains.values() for end in (gain.value, *gain.ci95) if math.isfinite(end)]
    low, high = min(0.0, *ends) if ends else -1.0, max(0.0, *ends) if ends else 1.0
    if high - low < NARROWEST:
        low, high = -1.0, 1.0

    def place(value: float) -> float:
        return round(min(100.0, max(0.0, INSET + (100 - 2 * INSET) * (value - low) / (high - low))), 2)

    bars = {name: Bar(place(gain.ci95[0]), place(gain.value), place(gain.ci95[1]), gain) for name, gain in gains.items()}
    return bars, Axis(tuple((place(tick), f"{tick:+g}" if tick else "0") for tick in ticks(low, high)), place(0.0))


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """About as many round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high` as wanted."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def loss_charts(losses: Mapping[str, Curve]) -> dict[str, LossChart]:
    """Stage -> its training loss and, where there was held-out data, its held-out loss on the same axes."""
    stages = [name for name in losses if not name.endswith(HELD_OUT)]
    charts = {name: _loss_chart({"training": losses[name], "held out": losses.get(name + HELD_OUT, ())}) for name in stages}
    return {name: chart for name, chart in charts.items() if chart is not None}


def _loss_chart(curves: Mapping[str, Curve]) -> LossChart | None:
    finite = {name: [(step, loss) for step, loss in curve if math.isfinite(loss)] for name, curve in curves.items()}
    drawn = {name: curve for name, curve in finite.items() if curve}
    if sum(map(len, drawn.values())) < 2:
        return None
    last = max(step for curve in drawn.values() for step, _ in curve) or 1
    low, high = _range(loss for curve in drawn.values() for _, loss in curve)
    points = {
        name: " ".join(f"{100 * step / last:.2f},{100 * (high - loss) / (high - low):.2f}" for step, loss in curve)
        for name, curve in drawn.items()
    }
    best = min(drawn["held out"], key=lambda point: point[1]) if "held out" in drawn else None
    return LossChart(tuple(points.items()), low, high, last, best)


def _range(values: Iterable[float]) -> tuple[float, float]:
    found = list(values)
    low, high = min(found), max(found)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def reliability(calibration: Calibration) -> Reliability:
    """The bins of a reliability diagram; areas are proportional to the number of questions."""
    most = max((count for _, _, count in calibration.bins), default=1)
    return Reliability(tuple((sure, right, 0.015 + 0.045 * math.sqrt(count / most)) for sure, right, count in calibration.bins if count))
