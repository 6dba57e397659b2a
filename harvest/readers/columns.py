"""The order in which a page is read: bands of full width, and the columns between them.

A gutter is a strip that hardly any line crosses while many lie on each side. Lines that reach across it, and what stands at their
height, are a band of full width: it is read before what is below it. A band may have columns of its own, as abstracts beside keywords.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harvest.readers.extract import CAPTION
from harvest.readers.leaf import Leaf, rows_of
from harvest.readers.visible import Line

_STEPS = 60  # candidate positions of a gutter over the middle of a page
_CELL = 36  # letters of the pieces of a table's row, at most
_TOLERANCE = 4.0  # points by which a line may reach into the next column


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
    return [usual if own is None and _crossing(leaf.lines, usual.middle) < 0.25 else own for own, leaf in zip(found, leaves, strict=True)]


def reading_order(lines: Sequence[Line], gutter: Gutter | None) -> list[list[Line]]:
    """The lines of one page as columns in reading order, each from top to bottom with rows joined to one line."""
    level = [line for line in lines if line.level]
    if len(level) * 2 < len(lines):  # vertical writing: PyMuPDF's own order is the best that is known
        return [_run_together(list(lines))]
    columns: list[list[Line]] = []
    was_whole = False
    for band, is_wide in _bands(level, gutter):
        parts = _side_by_side(band) if is_wide or gutter is None else _halves(band, gutter.middle)
        if is_whole := len(parts) == 1:
            columns = [*columns[:-1], columns[-1] + band] if was_whole else [*columns, band]
        else:
            columns += parts
        was_whole = is_whole
    return [[_merge(row) for row in rows_of(column)] for column in columns if column]


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


def _crossing(lines: Sequence[Line], x: float) -> float:
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


def _bands(lines: Sequence[Line], gutter: Gutter | None) -> list[tuple[list[Line], bool]]:
    """Stretches of a page from top to bottom, and whether they have the full width."""
    if gutter is None:
        return [(stretch, True) for stretch in _stretches(lines)]
    wide = [line for line in lines if _crosses(line, gutter, lines)]
    wide += _tabular(lines, gutter)
    spans = _joined_spans([(line.y0, line.y1) for line in [*wide, *_last_lines(wide, lines, gutter)]])
    if not spans:
        return [(part, False) for part in _parts(lines, gutter)]
    bands: list[tuple[list[Line], bool]] = []
    rest = list(lines)
    for top, bottom in spans:
        above = [line for line in rest if line.y1 - top < 0.4 * line.height]
        below = [line for line in rest if bottom - line.y0 < 0.4 * line.height]
        elsewhere = {id(line) for line in (*above, *below)}
        inside = [line for line in rest if id(line) not in elsewhere]
        rest = below
        above, head = _without_head(above, inside)
        bands += [
            *((part, False) for part in _parts(above, gutter)),
            *((stretch, True) for stretch in [head, *_stretches(inside)] if stretch),
        ]
    return [*bands, *((part, False) for part in _parts(rest, gutter))]


def _without_head(above: list[Line], wide: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """Two columns without the heading of the band of full width below them, and this: bold, alone, as far left as the band."""
    last = _stretches(above)[-1] if above else []
    left = min((line.x0 for line in wide), default=0.0)
    if len(last) > 2 or len(last) == len(above) or not all(line.bold and abs(line.x0 - left) < 20 for line in last):
        return above, []
    return [line for line in above if line not in last], last


def _parts(lines: Sequence[Line], gutter: Gutter) -> list[list[Line]]:
    """Two columns as one part, or as two where both stop at one height and go on below in letters of another size, as references may."""
    stretches = _stretches(lines)
    for at in range(1, len(stretches)):
        upper, lower = ([line for stretch in part for line in stretch] for part in (stretches[:at], stretches[at:]))
        sizes = [_size(half) for part in (upper, lower) for half in _halves(part, gutter.middle)]
        if all(sizes) and sizes[0] == sizes[1] and sizes[2] == sizes[3] and abs(sizes[0] - sizes[2]) > 0.6:
            return [upper, lower]
    return [list(lines)] if lines else []


def _size(lines: Sequence[Line]) -> float:
    """The size of most letters; 0 of fewer than three lines."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if len(lines) > 2 else 0.0


def _crosses(line: Line, gutter: Gutter, lines: Sequence[Line]) -> bool:
    """Whether a line has the full width: it reaches well over the gutter, and no line of the right column stands at its height."""
    if line.x0 > gutter.left - _TOLERANCE or line.x1 < gutter.right + _TOLERANCE or not (line.x0 < gutter.middle < line.x1):
        return False
    return not any(
        abs(other.x0 - gutter.right) < 3 and len(other.text) > 12 and abs(other.base - line.base) < line.size and other is not line
        for other in lines
    )


def _tabular(lines: Sequence[Line], gutter: Gutter) -> list[Line]:
    """Rows of short pieces, two or more on each side of the gutter, three or more rows below each other: a table of full width."""
    found: list[Line] = []
    run: list[list[Line]] = []
    count = 0  # rows of the run that are of the table; a caption beside it has lines between them
    for row in [*rows_of(lines), []]:
        left = sum(line.x1 <= gutter.middle for line in row)
        if row and all(len(line.text) < _CELL and not line.role for line in row):
            is_cells = min(left, len(row) - left) >= 2
            count += is_cells
            if is_cells or run:
                run.append(row)
            continue
        if count >= 3 and _is_aligned(run, gutter):
            found += [line for row in run for line in row]
        run, count = [], 0
    return found


def _is_aligned(rows: Sequence[Sequence[Line]], gutter: Gutter) -> bool:
    """Whether the pieces right of the gutter begin or end below each other, as those of formulas would not."""
    cells = [(number, line) for number, row in enumerate(rows) for line in row if line.x0 > gutter.middle]
    aligned = sum(
        any(number != other and min(abs(line.x0 - cell.x0), abs(line.x1 - cell.x1)) < 2 for other, cell in cells) for number, line in cells
    )
    return aligned >= 0.8 * len(cells)


def _last_lines(wide: Sequence[Line], lines: Sequence[Line], gutter: Gutter) -> list[Line]:
    """Short last lines of paragraphs of full width: below a wide line, of its size, with nothing beside them in the right column."""
    short = [line for line in lines if line.x0 < gutter.left and any(_is_below(line, above) for above in wide)]
    right = [line.base for line in lines if line.x0 > gutter.left]
    return [line for line in short if not any(abs(base - line.base) < line.size for base in right)]


def _is_below(line: Line, above: Line) -> bool:
    return line.size == above.size and 0 < line.base - above.base < 1.4 * line.size and line.x0 > above.x0 - 3 * line.size


def _joined_spans(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Heights of lines that follow each other closely, as one."""
    joined: list[tuple[float, float]] = []
    for top, bottom in sorted(spans):
        if joined and top - joined[-1][1] < 1.2 * (bottom - top):
            joined[-1] = (joined[-1][0], max(bottom, joined[-1][1]))
        else:
            joined.append((top, bottom))
    return joined


def _stretches(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines between which there is room from edge to edge, from top to bottom."""
    stretches: list[list[Line]] = []
    bottom = 0.0
    for line in sorted(lines, key=lambda line: line.y0):
        if not stretches or line.y0 > bottom + 1.2 * line.size:
            stretches.append([])
        stretches[-1].append(line)
        bottom = max(bottom, line.y1)
    return _with_heads(stretches)


def _with_heads(stretches: list[list[Line]]) -> list[list[Line]]:
    """Stretches, a row of heads together with the columns below it."""
    done: list[list[Line]] = []
    for stretch in stretches:
        if done and len(done[-1]) == 2 and len(rows_of(done[-1])) == 1 and len(_side_by_side(done[-1] + stretch)) == 2:
            done[-1] += stretch
        else:
            done.append(stretch)
    return done


def _side_by_side(band: list[Line]) -> list[list[Line]]:
    """A band as one column, or as two where prose stands beside something that is not set on its lines, as a table's rows would be."""
    beside = _beside_caption(band)
    if beside is not None:
        return _halves(band, beside)
    x = _gap(band)
    if x is None:
        return [band]
    left, right = _halves(band, x)
    prose = max((sum(len(line.text) > 28 for line in side) / len(side), len(side)) for side in (left, right))
    bases = sorted(line.base for line in right)
    aligned = sum(any(abs(base - line.base) < 1.5 for base in bases) for line in left)
    return [left, right] if prose[0] >= 0.6 and prose[1] >= 3 and aligned < 0.6 * len(left) else [band]


def _beside_caption(band: Sequence[Line]) -> float | None:
    """The x between a narrow caption and the table or figure beside it; None where there is no such thing."""
    label = next((line for line in band if CAPTION.match(line.text.strip())), None)
    if label is None:
        return None
    told = [line for line in band if line.size == label.size and abs(line.x0 - label.x0) < 3 and line.base >= label.base]
    edge = max(line.x1 for line in told)
    right = [line for line in band if line.x0 > edge + 3]
    is_free = len(told) >= 3 and len(right) >= 3 and not any(line.x0 < edge < line.x1 - 1 for line in band)
    return (edge + min(line.x0 for line in right)) / 2 if is_free and any(abs(line.base - told[0].base) < 20 for line in right) else None


def _gap(band: Sequence[Line]) -> float | None:
    """The middle of the widest strip that no line enters, with three lines or more on each side."""
    if len(band) < 6:
        return None
    widest, middle, end = 8.0, None, 0.0
    for place, line in enumerate(sorted(band, key=lambda line: line.x0)):
        if place >= 3 and len(band) - place >= 3 and line.x0 - end > widest:
            widest, middle = line.x0 - end, (line.x0 + end) / 2
        end = max(end, line.x1)
    return middle


def _halves(band: Sequence[Line], x: float) -> list[list[Line]]:
    left = [line for line in band if (line.x0 + line.x1) / 2 < x]
    right = [line for line in band if (line.x0 + line.x1) / 2 >= x]
    return [left, right]


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
