"""Bands of a page: stretches of full width, and stretches of two columns between them.

Lines that reach across the gutter, rows of tables that do, and what stands at their height, are a band of full width. It is read
before what is below it, and may have columns of its own, as an abstract beside keywords or a table beside its caption.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harvest.readers.extract import CAPTION
from harvest.readers.gutters import Gutter
from harvest.readers.leaf import rows_of
from harvest.readers.visible import Line

_CELL = 36  # letters of the pieces of a table's row, at most
_TOLERANCE = 4.0  # points by which a line may reach into the next column


def bands_of(lines: Sequence[Line], gutter: Gutter | None) -> list[tuple[list[Line], bool]]:
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
        sizes = [_size(half) for part in (upper, lower) for half in halves(part, gutter.middle)]
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
        if done and len(done[-1]) == 2 and len(rows_of(done[-1])) == 1 and len(side_by_side(done[-1] + stretch)) == 2:
            done[-1] += stretch
        else:
            done.append(stretch)
    return done


def side_by_side(band: list[Line]) -> list[list[Line]]:
    """A band as one column, or as two where prose stands beside something that is not set on its lines, as a table's rows would be."""
    beside = _beside_caption(band)
    if beside is not None:
        return halves(band, beside)
    x = _gap(band)
    if x is None:
        return [band]
    left, right = halves(band, x)
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


def halves(band: Sequence[Line], x: float) -> list[list[Line]]:
    """The lines left of x and those right of it, by their middles."""
    left = [line for line in band if (line.x0 + line.x1) / 2 < x]
    right = [line for line in band if (line.x0 + line.x1) / 2 >= x]
    return [left, right]
