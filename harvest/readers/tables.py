"""Tables between rules, as books set them, and grids: found from lines and words of a page, written as Markdown.

PyMuPDF's own `find_tables` takes 50 to 500 ms a page and sees little without vertical lines. Here a table is a run of horizontal rules
of one width with rows between them, beside a caption that says so or with rules enough; its columns are where words leave a gap in
nearly every row. What does not fill such a scheme, or reads like prose, stays text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from harvest.readers.grid import Word, chunks_of, columns_of, rows_of_words, words_of
from harvest.readers.hidden import Sheet
from harvest.readers.shapes import Box
from harvest.readers.visible import Line

_CAPTION = re.compile(r"\s*(?:tab(?:le(?:au)?|elle|ella|la|\.)?|таблица|表)\s*(?:[a-z]?\.?\d|[ivxlc]+\b)", re.IGNORECASE)
_THIN = 2.5  # points: thicker than a rule is an area
_SHORTEST = 60.0  # points: shorter rules are those of fractions and roots
_ALIGNED = 4.0  # points by which the ends of the rules of one table may differ
_FROM_CAPTION = 40.0  # points between a table and its caption
_MOST_WORDS = 7.0  # words of a cell, on average: more is prose in columns


@dataclass(frozen=True, slots=True)
class Table:
    """`box` in points, `rows` of as many cells each, the first being the header, and the lines of the page that it consists of."""

    box: Box
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[Line, ...]

    def markdown(self) -> list[str]:
        """One line of a pipe table for each row, and the one below the header."""
        head, *body = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in self.rows]
        return [head, "| " + " | ".join(["---"] * len(self.rows[0])) + " |", *body]


def with_tables(sheet: Sheet, lines: list[Line]) -> list[Line]:
    """The lines of a page, those of tables replaced by lines in the role "table", one for each row of Markdown."""
    kept = lines
    for table in tables_of(sheet, lines):
        consumed = {id(line) for line in table.lines}
        place = next(at for at, line in enumerate(kept) if id(line) in consumed)
        left = [line for line in kept if id(line) not in consumed]
        kept = [*left[:place], *_as_lines(table), *left[place:]]
    return kept


def tables_of(sheet: Sheet, lines: Sequence[Line]) -> list[Table]:
    """The tables of a page that stands upright, from top to bottom."""
    captions = [_whole(line, lines) for line in lines if line.level and _CAPTION.match(line.text)]
    runs = [run for run in _runs(_rules(sheet), captions) if len(run) > 3 or _may_be_captioned(run, captions)]
    if not runs:
        return []
    words = words_of(sheet.letters())
    found: list[Table] = []
    for run in runs:
        if not any(run[0][1] < table.box[3] and run[-1][3] > table.box[1] and run[0][0] < table.box[2] for table in found):
            found += _tables_in(run, words, lines, captions)
    return found


def _whole(caption: Line, lines: Sequence[Line]) -> Line:
    """The first line of a caption with the box of all its lines."""
    whole = replace(caption)
    for line in sorted(lines, key=lambda line: line.y0):
        if line.y0 - whole.y0 > 0 and line.y0 - whole.y1 < 0.5 * caption.height and line.x0 < whole.x1 and line.x1 > whole.x0:
            if line.size > 1.1 * caption.size or len(line.text) < 12:
                break
            whole.y1, whole.x0, whole.x1 = max(whole.y1, line.y1), min(whole.x0, line.x0), max(whole.x1, line.x1)
    return whole


def _rules(sheet: Sheet) -> list[Box]:
    """Horizontal rules, pieces on one height joined, from top to bottom."""
    pieces = sorted(
        (shape.box for shape in sheet.shapes if shape.box[3] - shape.box[1] < _THIN and shape.colour is not None),
        key=lambda box: (round(box[1]), box[0]),
    )
    rules: list[Box] = []
    for box in pieces:
        last = rules[-1] if rules else None
        if last and abs(last[1] - box[1]) < 1.5 and box[0] - last[2] < 3:
            rules[-1] = (min(last[0], box[0]), last[1], max(last[2], box[2]), last[3])
        else:
            rules.append(box)
    return [rule for rule in rules if rule[2] - rule[0] > _SHORTEST]


def _runs(rules: Sequence[Box], captions: Sequence[Line]) -> list[list[Box]]:
    """Rules of one width below each other, cut where a caption stands between them."""
    runs: list[list[Box]] = []
    for rule in rules:
        for run in runs:
            last = run[-1]
            if abs(last[0] - rule[0]) < _ALIGNED and abs(last[2] - rule[2]) < _ALIGNED and not _parted(last, rule, captions):
                run.append(rule)
                break
        else:
            runs.append([rule])
    return [run for run in runs if len(run) > 1 and run[-1][3] - run[0][1] > 15]


def _parted(above: Box, below: Box, captions: Sequence[Line]) -> bool:
    return any(above[1] - 2 < line.y0 < below[1] and line.x0 < below[2] and line.x1 > below[0] for line in captions)


def _tables_in(run: list[Box], words: Sequence[Word], lines: Sequence[Line], captions: Sequence[Line]) -> list[Table]:
    """The table of a run of rules; rules at its ends that belong to something else (a footnote, the head of the page) are tried without."""
    for first, last in _trials(len(run)):
        part = run[first:last]
        captioned = any(_is_beside(line, part) for line in captions)
        table = _table(part, words, lines) if len(part) >= (2 if captioned else 4) else None
        if table and (_is_full(table, 0.45) if captioned else _is_certain(table)):
            return [table]
    return []


def _is_full(table: Table, least: float) -> bool:
    """Whether at least this part of the cells have words."""
    return sum(bool(cell) for row in table.rows for cell in row) >= least * len(table.rows) * len(table.rows[0])


def _is_certain(table: Table) -> bool:
    """Whether what no caption calls a table is one: several full rows of short cells, and no listing of a program."""
    words = sum(len(cell.split()) for row in table.rows for cell in row)
    code = sum(line.mono for line in table.lines)
    return (
        len(table.rows) > 3 and _is_full(table, 0.75) and words < 3 * len(table.rows) * len(table.rows[0]) and 2 * code < len(table.lines)
    )


def _trials(count: int) -> list[tuple[int, int]]:
    """Ends of parts of a run: all of it, then without its last rules and its first."""
    return [(0, count), *((0, end) for end in range(count - 1, 1, -1)), *((start, count) for start in range(1, count - 1))]


def _may_be_captioned(run: Sequence[Box], captions: Sequence[Line]) -> bool:
    return any(_is_beside(line, [run[first], run[last - 1]]) for first, last in _trials(len(run)) for line in captions)


def _is_beside(caption: Line, run: Sequence[Box]) -> bool:
    top, bottom = run[0], run[-1]
    above = caption.y0 < top[1] and top[1] - caption.y1 < _FROM_CAPTION
    near = above or -3 < caption.y0 - bottom[3] < _FROM_CAPTION
    return near and caption.x0 < top[2] and caption.x1 > top[0]


def _table(rules: Sequence[Box], words: Sequence[Word], lines: Sequence[Line]) -> Table | None:
    """The table between the first and the last of some rules; None if what stands there is none."""
    x0, y0, x1, y1 = rules[0][0] - 3, rules[0][1], rules[0][2] + 3, rules[-1][3]
    within = [word for word in words if y0 < (word.y0 + word.y1) / 2 < y1 and x0 < (word.x0 + word.x1) / 2 < x1]
    rows = [chunks_of(row) for row in rows_of_words(within)]
    if len(rows) < 2:
        return None
    inner = [rule[1] for rule in rules[1:-1]]
    body = [row for row in rows if not inner or row[0].y0 > inner[0] - 2] or rows
    columns = columns_of(body if len(body) > 1 else rows)
    if len(columns) < 2 or _is_prose(rows, len(columns)):
        return None
    cells = _joined([(row[0].y0, _cells(row, columns)) for row in rows], inner)
    used = [line for line in lines if _holds((x0, y0, x1, y1), line)]
    if len(cells) < 2 or not used:
        return None
    return Table((x0, y0, x1, y1), tuple(tuple(row) for row in cells), tuple(used))


def _is_prose(rows: Sequence[Sequence[Word]], columns: int) -> bool:
    """Whether the rows are lines of text: few of them have several cells, or the cells are long."""
    several = sum(len(row) > 1 for row in rows)
    words = sum(len(chunk.text.split()) for row in rows for chunk in row) / sum(map(len, rows))
    return several < 0.5 * len(rows) or words > _MOST_WORDS or sum(map(len, rows)) < 0.35 * len(rows) * columns


def _cells(row: Sequence[Word], columns: Sequence[tuple[float, float]]) -> list[str]:
    """The text of a row in each column; what spans several stands in the first of them."""
    cells = [""] * len(columns)
    for chunk in row:
        shares = [min(chunk.x1, end) - max(chunk.x0, start) for start, end in columns]
        touched = [at for at, share in enumerate(shares) if share > 2] or [max(range(len(shares)), key=shares.__getitem__)]
        at = touched[0] if len(touched) > 1 else max(range(len(shares)), key=shares.__getitem__)
        cells[at] = f"{cells[at]} {chunk.text}".strip()
    return cells


def _joined(rows: Sequence[tuple[float, list[str]]], inner: Sequence[float]) -> list[list[str]]:
    """Rows of cells: those above the first inner rule are the header; where every row has its rule, what lies between two is one row."""
    if not inner:
        return _continued([cells for _, cells in rows])
    bands = [float("-inf"), *inner, float("inf")]
    groups = [[cells for y, cells in rows if above - 2 < y <= below - 2] for above, below in pairwise(bands)]
    groups = [group for group in groups if group]
    if len(groups) > 3 and all(len(group) < 6 for group in groups):
        return [_merged(group) if _is_one_row(group) else row for group in groups for row in ([group] if _is_one_row(group) else group)]  # type: ignore[misc]
    return [_merged(groups[0]), *_continued([cells for group in groups[1:] for cells in group])]


def _is_one_row(group: Sequence[Sequence[str]]) -> bool:
    """Whether lines between two rules are one row whose cells have several lines: only its first line is full."""
    return len(group) == 1 or any(not all(row) for row in group[1:])


def _continued(rows: Sequence[list[str]]) -> list[list[str]]:
    """A line that has one cell only, and not the first, goes on with that cell of the row above."""
    done: list[list[str]] = []
    for row in rows:
        if done and len(row) > 2 and not row[0] and sum(map(bool, row)) == 1:
            done[-1] = [f"{above} {below}".strip() for above, below in zip(done[-1], row, strict=True)]
        else:
            done.append(row)
    return done


def _merged(rows: Sequence[Sequence[str]]) -> list[str]:
    return [" ".join(cell for cell in column if cell) for column in zip(*rows, strict=True)]


def _holds(box: Box, line: Line) -> bool:
    x, y = (line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2
    return box[0] < x < box[2] and box[1] < y < box[3]


def _as_lines(table: Table) -> list[Line]:
    """Rows as lines of the page, evenly over the place of the table."""
    rows = table.markdown()
    x0, y0, x1, y1 = table.box
    step = (y1 - y0) / len(rows)
    size = sorted(line.size for line in table.lines)[len(table.lines) // 2]
    return [
        replace(table.lines[0], text=text, x0=x0 + 3, y0=y0 + at * step, x1=x1 - 3, y1=y0 + (at + 1) * step, size=size, bold=False,
                level=True, role="table")
        for at, text in enumerate(rows)
    ]  # fmt: skip
