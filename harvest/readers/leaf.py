"""A page of a PDF on its way to text: its size, its lines, and what is drawn on it besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from harvest.readers.visible import Line

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Leaf:
    """`number` from 0; sizes and boxes (x0, y0, x1, y1) in points from the top left; `drawn` are boxes of images, areas and lines."""

    number: int
    width: float
    height: float
    lines: list[Line]
    drawn: tuple[Box, ...] = ()


def upright(leaf: Leaf) -> Leaf:
    """The page turned as most of its letters stand, as for tables that are printed sideways; a page that stands upright as it is."""
    letters: Counter[int] = Counter()
    for line in leaf.lines:
        letters[line.turn or 0] += len(line.text) if line.turn is not None else 0
    turn = letters.most_common(1)[0][0] if letters else 0
    if not turn:
        return leaf
    size = (leaf.width, leaf.height)
    lines = [_turned(line, turn, size) for line in leaf.lines]
    width, height = size if turn == 2 else size[::-1]
    return Leaf(leaf.number, width, height, lines, tuple(_turned_box(box, turn, size) for box in leaf.drawn))


def _turned(line: Line, turn: int, size: tuple[float, float]) -> Line:
    x0, y0, x1, y1 = _turned_box((line.x0, line.y0, line.x1, line.y1), turn, size)
    base = {1: line.base, 2: size[1] - line.base, 3: size[0] - line.base}[turn] if line.turn == turn else y1
    return replace(line, x0=x0, y0=y0, x1=x1, y1=y1, base=base, level=line.turn == turn)


def _turned_box(box: Box, turn: int, size: tuple[float, float]) -> Box:
    """A box after the page was turned clockwise so many times by 90 degrees."""
    width, height = size
    x0, y0, x1, y1 = box
    if turn == 1:
        return height - y1, x0, height - y0, x1
    if turn == 2:
        return width - x1, height - y1, width - x0, height - y0
    return y0, width - x1, y1, width - x0


def rows_of(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines that stand side by side, from top to bottom; each row from left to right, with what is set above and below its letters."""
    rows: list[list[Line]] = []
    bottom = 0.0
    for line in sorted(lines, key=lambda line: (line.y0 + line.y1) / 2):
        is_clear = line.y0 > bottom
        bottom = line.y1 if is_clear else max(bottom, line.y1)
        if is_clear:
            rows.append([line])
        elif rows and (any(_beside(piece, line) for piece in rows[-1][-4:]) or _is_part(rows[-1], [line])):
            rows[-1].append(line)
        else:
            _settle(rows)
            rows.append([line])
    _settle(rows)
    for row in rows:
        row.sort(key=lambda line: line.x0)
    return rows


def _settle(rows: list[list[Line]]) -> None:
    """Join the last two rows if they are one."""
    if len(rows) > 1 and _is_part(rows[-2], rows[-1]):
        last = rows.pop()
        rows[-1] += last


def _beside(piece: Line, line: Line) -> bool:
    overlap = min(piece.y1, line.y1) - max(piece.y0, line.y0)
    apart = line.x0 >= piece.x1 - 2 or piece.x0 >= line.x1 - 2
    return apart and not (piece.role or line.role) and overlap > 0.5 * min(piece.y1 - piece.y0, line.y1 - line.y0)


def _is_part(above: Sequence[Line], row: Sequence[Line]) -> bool:
    """Whether two rows are one: on one baseline, or one of them small letters, as of exponents, within the height of the other."""
    main, other = (max(part, key=lambda line: len(line.text)) for part in (above, row))
    if main.role or other.role or _shared(above, row) > 0.3 * min(_width(above), _width(row)):
        return False
    if abs(main.base - other.base) < 0.25 * min(main.size, other.size):
        return True
    large, small = (main, other) if main.size > other.size else (other, main)
    within = min(large.y1, small.y1) - max(large.y0, small.y0) > 0.4 * small.height
    return within and max(line.size for line in (row if small is other else above)) < 0.85 * large.size


def _width(row: Sequence[Line]) -> float:
    return sum(line.x1 - line.x0 for line in row)


def _shared(one: Sequence[Line], other: Sequence[Line]) -> float:
    """How much of two rows stands one above the other, in points."""
    return sum(max(0.0, min(a.x1, b.x1) - max(a.x0, b.x0)) for a in one for b in other)
