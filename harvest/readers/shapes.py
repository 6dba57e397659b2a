"""What is drawn on a page of a PDF besides its text: images, areas and lines, and what they may cover or be lost on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Box = tuple[float, float, float, float]

FAINTEST = 26  # of 255: the opacity below which nothing is seen
_ALIKE = 48  # the largest difference of a colour channel at which letters may be lost on what is behind them
_THICK, _LONG = 3.0, 20.0  # points: an area can hide letters from so thick, a line is of interest from so long
_THICKEST_LINE = 40.0  # points: the box of a stroked shape that is higher is that of a frame
_SHAPE = re.compile(r"<vector (?P<how>\w+), color: #(?P<colour>[0-9a-f]{6}), alpha: (?P<alpha>\d+)")


@dataclass(frozen=True, slots=True)
class Shape:
    """Something drawn that is no text: `colour` is 0xRRGGBB, None for an image; `order` grows as the page is drawn."""

    box: Box
    colour: int | None
    filled: bool
    order: int
    opaque: bool = True

    @property
    def is_thick(self) -> bool:
        """Whether letters could stand on it or under it."""
        return min(self.box[2] - self.box[0], self.box[3] - self.box[1]) >= _THICK

    @property
    def may_cover(self) -> bool:
        """Whether it is an area, an image or a thick line, not a frame."""
        return self.is_thick and (self.filled or self.box[3] - self.box[1] < _THICKEST_LINE)


class Boxes:
    """Boxes of shapes, to be asked many times."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        import numpy

        self._shapes = list(shapes)
        self._boxes = numpy.array([shape.box for shape in self._shapes], float).reshape(-1, 4)
        around = (*self._boxes[:, :2].min(0).tolist(), *self._boxes[:, 2:].max(0).tolist()) if self._shapes else None
        self._around: Box | None = around

    def __len__(self) -> int:
        return len(self._shapes)

    def holding(self, box: Box, part: float = 0.4) -> list[Shape]:
        """The shapes that hold at least this part of a box."""
        if self._around is None or not common(self._around, box):
            return []
        wide = self._boxes[:, 2].clip(max=box[2]) - self._boxes[:, 0].clip(min=box[0])
        high = self._boxes[:, 3].clip(max=box[3]) - self._boxes[:, 1].clip(min=box[1])
        return [self._shapes[at] for at in (wide.clip(min=0) * high.clip(min=0) > part * area(box)).nonzero()[0]]


def shapes_of(blocks: Iterable[tuple[Any, ...]]) -> Iterator[Shape]:
    """Images, areas and long lines of PyMuPDF's list of blocks, in the order in which they are drawn; dots of plots are left out."""
    for order, (x0, y0, x1, y1, text, _, kind) in enumerate(blocks):
        if kind == 0 or (x1 - x0 < _LONG and (x1 - x0 < _THICK or y1 - y0 < _THICK)):
            continue
        match = _SHAPE.search(text) if kind == 3 else None
        if kind == 1:
            yield Shape((x0, y0, x1, y1), None, True, order)
        elif match and int(match["alpha"]) >= FAINTEST:
            yield Shape((x0, y0, x1, y1), int(match["colour"], 16), match["how"] == "filled", order, match["alpha"] == "255")


def covers_of(shapes: Iterable[Shape], blocks: Iterable[tuple[Any, ...]]) -> list[Shape]:
    """Shapes large enough to hide a word that are drawn over text that was there before."""
    import numpy

    large = [shape for shape in shapes if shape.may_cover]
    if not large:
        return []
    boxes = numpy.array([shape.box for shape in large])
    orders = numpy.array([shape.order for shape in large])
    covering = numpy.zeros(len(large), bool)
    for order, (x0, y0, x1, y1, _, _, kind) in enumerate(blocks):
        if kind == 0:
            covering |= (orders > order) & (boxes[:, 0] < x1) & (boxes[:, 2] > x0) & (boxes[:, 1] < y1) & (boxes[:, 3] > y0)
    return [shape for shape, covers in zip(large, covering, strict=True) if covers]


def luminance(colour: int) -> float:
    """The grey, 0 to 255, that a colour (0xRRGGBB) is printed in."""
    return 0.299 * (colour >> 16 & 255) + 0.587 * (colour >> 8 & 255) + 0.114 * (colour & 255)


def are_alike(colour: int, other: int | None) -> bool:
    """Whether letters of one colour may be lost on another; on an image always."""
    return other is None or max(abs((colour >> shift & 255) - (other >> shift & 255)) for shift in (16, 8, 0)) < _ALIKE


def area(box: Box) -> float:
    """Square points of a box."""
    return (box[2] - box[0]) * (box[3] - box[1])


def common(one: Box, other: Box) -> float:
    """The area that two boxes share, in square points."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide * high if wide > 0 and high > 0 else 0.0
