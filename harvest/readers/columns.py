"""The order in which a page is read: from band to band, and in a band of two columns first the left one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from harvest.readers.bands import bands_of, halves, side_by_side
from harvest.readers.gutters import Gutter
from harvest.readers.leaf import rows_of
from harvest.readers.visible import Line


def reading_order(lines: Sequence[Line], gutter: Gutter | None) -> list[list[Line]]:
    """The lines of one page as columns in reading order, each from top to bottom with rows joined to one line."""
    level = [line for line in lines if line.level]
    if len(level) * 2 < len(lines):  # vertical writing: PyMuPDF's own order is the best that is known
        return [_run_together(list(lines))]
    columns: list[list[Line]] = []
    was_whole = False
    for band, is_wide in bands_of(level, gutter):
        parts = side_by_side(band) if is_wide or gutter is None else halves(band, gutter.middle)
        if is_whole := len(parts) == 1:
            columns = [*columns[:-1], columns[-1] + band] if was_whole else [*columns, band]
        else:
            columns += parts
        was_whole = is_whole
    return [[_merge(row) for row in rows_of(column)] for column in columns if column]


def _merge(row: list[Line]) -> Line:
    if len(row) == 1:
        return row[0]
    main = max(row, key=lambda piece: len(piece.text))
    text = row[0].text.strip()
    for before, piece in pairwise(row):
        gap = piece.x0 - before.x1  # pieces that stand above each other are not one word
        text += ("" if -0.4 * piece.size < gap < 0.12 * piece.size else " ") + piece.text.strip()
    letters = [sum(map(str.isalnum, piece.text)) + 0.1 for piece in row]
    bold, italic, mono = (
        sum(count * getattr(piece, look) for piece, count in zip(row, letters, strict=True)) >= 0.7 * sum(letters)
        for look in ("bold", "italic", "mono")
    )
    y0, x1, y1 = min(p.y0 for p in row), max(p.x1 for p in row), max(p.y1 for p in row)
    return Line(text, row[0].x0, y0, x1, y1, main.size, bold, main.page, True, main.base, italic, mono)


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
    return Line("".join(line.text for line in run), first.x0, first.y0, last.x1, last.y1, first.size, False, first.page, base=last.y1)
