"""The gutter of a page: a strip that hardly any line crosses while many lie on each side, some of them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harvest.readers.leaf import Leaf
from harvest.readers.visible import Line

_STEPS = 60  # candidate positions of a gutter over the middle of a page


@dataclass(frozen=True, slots=True)
class Gutter:
    """The strip between two columns: where most lines of the left one end and most of the right one begin."""

    left: float
    right: float

    @property
    def middle(self) -> float:
        """The x of its middle, in points."""
        return (self.left + self.right) / 2


def gutters(leaves: Sequence[Leaf]) -> list[Gutter | None]:
    """The gutter of each page; a page that hides its own among formulas has that of its neighbours, if it fits."""
    found = [find_gutter([line for line in leaf.lines if line.level], leaf.width) for leaf in leaves]
    known = sorted((gutter for gutter in found if gutter is not None), key=lambda gutter: gutter.middle)
    if len(known) * 2 < len(found):
        return found
    usual = known[len(known) // 2]
    return [usual if own is None and crossing(leaf.lines, usual.middle) < 0.25 else own for own, leaf in zip(found, leaves, strict=True)]


def find_gutter(lines: Sequence[Line], width: float) -> Gutter | None:
    """The strip between two columns: hardly any line crosses it while many lie on each side, some of them side by side."""
    lines = [line for line in lines if not line.role]
    total = sum(line.height for line in lines)
    if len(lines) < 8 or not total:
        return None
    xs = [width * (0.35 + 0.3 * step / _STEPS) for step in range(_STEPS + 1)]
    ends = sorted((line.x1, line.height) for line in lines)
    starts = sorted((line.x0, line.height) for line in lines)
    begun, ended = _sums(starts, [x - 1 for x in xs]), _sums(ends, [x + 1 for x in xs])
    badness = [(begun[at] - ended[at]) / total + abs(x - width / 2) / width / 4 for at, x in enumerate(xs)]
    gutter = _strip(lines, xs[badness.index(min(badness))])
    return gutter if gutter and _has_two_columns(lines, gutter.middle, total, width) else None


def _sums(places: Sequence[tuple[float, float]], limits: Sequence[float]) -> list[float]:
    """For each of growing limits the sum of the weights of (place, weight) below it."""
    sums: list[float] = []
    at, total = 0, 0.0
    for limit in limits:
        while at < len(places) and places[at][0] < limit:
            total += places[at][1]
            at += 1
        sums.append(total)
    return sums


def crossing(lines: Sequence[Line], x: float) -> float:
    """The part of all lines, by height, that runs across x."""
    total = crossing = 0.0
    for line in lines:
        height = line.y1 - line.y0
        total += height
        if line.x0 < x - 1 and line.x1 > x + 1:
            crossing += height
    return crossing / total if total else 0.0


def _strip(lines: Sequence[Line], x: float) -> Gutter | None:
    """The free strip around x."""
    left = [line.x1 for line in lines if line.x1 <= x + 1]
    right = [line.x0 for line in lines if line.x0 >= x - 1]
    return Gutter(_percentile(left, 0.98), _percentile(right, 0.02)) if left and right else None


def _percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(int(part * len(values)), len(values) - 1)]


def _has_two_columns(lines: Sequence[Line], x: float, total: float, width: float) -> bool:
    left = [line for line in lines if line.x1 <= x + 2]
    right = [line for line in lines if line.x0 >= x - 2]
    if sum(line.height for line in left) < 0.15 * total or sum(line.height for line in right) < 0.15 * total:
        return False
    wide = [line for line in (*left, *right) if line.x1 - line.x0 > 0.25 * width]
    letters = sum(len(line.text) for line in (*left, *right))
    return sum(len(line.text) for line in wide) >= 0.5 * letters and sum(line.x0 >= x - 2 for line in wide) >= 3
