"""The order in which a page is read: bands of full width, and the columns between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from harvest.readers.visible import Line

_STEPS = 60  # candidate positions of a gutter over the middle of a page


def gutters(pages: Sequence[Sequence[Line]], widths: Sequence[float]) -> list[float | None]:
    """The gutter of each page; a page that hides its own among formulas has that of its neighbours, if it fits."""
    found = [find_gutter([line for line in lines if line.level], width) for lines, width in zip(pages, widths, strict=True)]
    known = sorted(x for x in found if x is not None)
    if len(known) * 2 < len(found):
        return found
    usual = known[len(known) // 2]
    return [usual if x is None and _crossing(lines, usual) < 0.25 else x for x, lines in zip(found, pages, strict=True)]


def reading_order(lines: Sequence[Line], gutter: float | None) -> list[list[Line]]:
    """The lines of one page as columns in reading order, each from top to bottom with rows joined to one line."""
    level = [line for line in lines if line.level]
    if len(level) * 2 < len(lines):  # vertical writing: PyMuPDF's own order is the best that is known
        return [_run_together(list(lines))]
    if gutter is None:
        return [_rows(level)]
    columns: list[list[Line]] = []
    band: list[Line] = []
    for line in sorted(level, key=lambda line: (line.y0, line.x0)):
        if line.x0 < gutter - 4 and line.x1 > gutter + 4:
            columns += _two(band, gutter)
            band = []
            columns.append([line])
        else:
            band.append(line)
    return [column for column in _joined(columns + _two(band, gutter)) if column]


def find_gutter(lines: Sequence[Line], width: float) -> float | None:
    """The x between two columns: hardly any line crosses it while many lie on each side, some of them side by side."""
    total = sum(line.height for line in lines)
    if len(lines) < 8 or not total:
        return None
    best: tuple[float, float] | None = None
    for step in range(_STEPS + 1):
        x = width * (0.35 + 0.3 * step / _STEPS)
        crossing = _crossing(lines, x)
        distance = abs(x - width / 2) / width
        if best is None or (crossing + distance / 4, x) < best:
            best = (crossing + distance / 4, x)
    x = _centred(lines, best[1]) if best else width / 2
    return x if _has_two_columns(lines, x, total, width) else None


def _crossing(lines: Sequence[Line], x: float) -> float:
    """The part of all lines, by height, that runs across x."""
    total = sum(line.height for line in lines) or 1.0
    return sum(line.height for line in lines if line.x0 < x - 1 and line.x1 > x + 1) / total


def _centred(lines: Sequence[Line], x: float) -> float:
    """The middle of the free strip around x."""
    left = [line.x1 for line in lines if line.x1 <= x + 1]
    right = [line.x0 for line in lines if line.x0 >= x - 1]
    return (_percentile(left, 0.98) + _percentile(right, 0.02)) / 2 if left and right else x


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


def _two(band: list[Line], gutter: float) -> list[list[Line]]:
    left = [line for line in band if (line.x0 + line.x1) / 2 < gutter]
    right = [line for line in band if (line.x0 + line.x1) / 2 >= gutter]
    return [_rows(left), _rows(right)]


def _joined(columns: list[list[Line]]) -> list[list[Line]]:
    """Neighbouring lines of full width as one column."""
    done: list[list[Line]] = []
    for column in columns:
        if not column:
            continue
        if done and len(column) == 1 and _below(done[-1][-1], column[0]):
            done[-1].append(column[0])
        else:
            done.append(list(column))
    return [_rows(column) for column in done]


def _below(above: Line, line: Line) -> bool:
    return (
        abs(line.y0 - above.y1) < line.height and abs(line.x0 - above.x0) < 30 and abs(line.x1 - above.x1) < 200 and line.x1 - above.x1 < 30
    )


def _rows(lines: list[Line]) -> list[Line]:
    """Pieces on one baseline as one line, from top to bottom."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.y1 + line.y0) / 2):
        middle = (line.y0 + line.y1) / 2
        row = rows[-1] if rows else None
        if row and any(_same_row(piece, line, middle) for piece in row[-4:]):
            row.append(line)
        else:
            rows.append([line])
    return [_merge(sorted(row, key=lambda piece: piece.x0)) for row in rows]


def _same_row(piece: Line, line: Line, middle: float) -> bool:
    overlap = min(piece.y1, line.y1) - max(piece.y0, line.y0)
    apart = line.x0 >= piece.x1 - 2 or piece.x0 >= line.x1 - 2
    return apart and overlap > 0.5 * min(piece.height, line.height)


def _merge(row: list[Line]) -> Line:
    if len(row) == 1:
        return row[0]
    main = max(row, key=lambda piece: len(piece.text))
    text = row[0].text.strip()
    for before, piece in pairwise(row):
        gap = piece.x0 - before.x1
        text += ("" if gap < 0.12 * piece.size else " ") + piece.text.strip()
    bold = sum(len(p.text) for p in row if p.bold) * 10 >= sum(len(p.text) for p in row) * 7
    return Line(text, row[0].x0, min(p.y0 for p in row), max(p.x1 for p in row), max(p.y1 for p in row), main.size, bold, main.page)


def _run_together(lines: list[Line]) -> list[Line]:
    """Letters of vertical writing as lines: one line for each column of letters."""
    runs: list[list[Line]] = []
    for line in lines:
        if runs and abs(runs[-1][-1].x0 - line.x0) < line.size / 2:
            runs[-1].append(line)
        else:
            runs.append([line])
    return [_merge_down(run) for run in runs]


def _merge_down(run: list[Line]) -> Line:
    first, last = run[0], run[-1]
    return Line("".join(line.text for line in run), first.x0, first.y0, last.x1, last.y1, first.size, False, first.page)
