"""What stands on every page and is no part of the text: running heads and feet, page numbers, stamps and line numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from harvest.readers.extract import CJK
from harvest.readers.leaf import Leaf, rows_of
from harvest.readers.visible import Line

_MARGIN = 0.1  # of the height of a page: where running heads and feet stand
_WIDE_MARGIN = 0.14  # where they stand if they are apart from the text
_PAGE_NUMBER = re.compile(
    r"^[-–—\s|·•]*(?:page\s*|p\.\s*|第\s*)?(?:(?P<number>\d{1,4})|[ivxlcdm]{1,7})(?:\s*(?:of|/|页，?共)\s*\d{1,4})?(?:\s*页)?[-–—\s|·•]*$",
    re.IGNORECASE,
)
_CJK = re.compile(f"[{CJK}]")
_STANDING = 0.5  # of the pages: a row that stands at the same height on so many, with a gap, is a running head
_FEWEST_NUMBERS = 6  # line numbers on a page


@dataclass(frozen=True, slots=True)
class _Known:
    """What was seen on how many pages, from how many on it is furniture, and how far printed numbers are from those of the file."""

    seen: Counter[tuple[str, int]]
    least: int
    offset: int | None


def without_furniture(leaves: Sequence[Leaf]) -> list[Leaf]:
    """The pages without lines that repeat at the same place of other pages, rows that stand apart at the edge, and numbers of lines."""
    seen: Counter[tuple[str, int]] = Counter()
    for leaf in leaves:
        seen.update({key for line in leaf.lines if (key := _place(line, leaf))})
    known = _Known(seen, 2 if len(leaves) <= 5 else max(3, len(leaves) // 10), _usual_offset(leaves))
    gone = _standing(leaves).union(*(_repeated(leaf, known) for leaf in leaves))
    bare = _without(leaves, gone)
    bare = _without(bare, _standing(bare))  # a head may have two rows
    bare = _without_line_numbers(bare)
    return bare if any(leaf.lines for leaf in bare) else list(leaves)  # what is alone on its page is its text


def _usual_offset(leaves: Sequence[Leaf]) -> int | None:
    """What must be added to the place of a page in the file to have its printed number; None if too few pages agree."""
    offsets: Counter[int] = Counter()
    for leaf in leaves:
        offsets.update({number - leaf.number for line in leaf.lines if (number := _number(line, leaf)) is not None})
    offset, count = offsets.most_common(1)[0] if offsets else (0, 0)
    return offset if count >= max(3, 0.3 * len(leaves)) else None


def _number(line: Line, leaf: Leaf) -> int | None:
    match = _PAGE_NUMBER.match(line.text.strip()) if line.level and _near_edge(line, leaf, _MARGIN) else None
    return int(match["number"]) if match and match["number"] else None


def _without(leaves: Sequence[Leaf], gone: set[int]) -> list[Leaf]:
    return [replace(leaf, lines=[line for line in leaf.lines if id(line) not in gone]) for leaf in leaves]


def _repeated(leaf: Leaf, known: _Known) -> set[int]:
    """Ids of lines that repeat, and of what stands beside them at the edge, as the title of a section beside a journal."""
    edges = [line for line in leaf.lines if line.level and not line.role and _near_edge(line, leaf, _MARGIN)]
    repeated = [line for line in leaf.lines if _is_furniture(line, leaf, known, edges)]
    bases = [line.base for line in repeated if line.level]
    beside = [line for line in edges if any(abs(line.base - base) < 1.5 for base in bases)]
    return {id(line) for line in (*repeated, *beside)}


def _is_furniture(line: Line, leaf: Leaf, known: _Known, edges: Sequence[Line]) -> bool:
    if line.role:
        return False
    if not line.level:
        return _near_edge(line, leaf, _MARGIN) or (line.height > 60 and (line.x1 < 60 or line.x0 > leaf.width - 60))
    if _near_edge(line, leaf, _MARGIN) and _PAGE_NUMBER.match(line.text.strip()):
        number = _number(line, leaf)
        is_alone = not any(abs(other.base - line.base) < line.size for other in edges if other is not line)
        return is_alone or (number is not None and number - leaf.number == known.offset)
    key = _place(line, leaf)
    return key is not None and sum(known.seen[key[0], key[1] + shift] for shift in (-1, 0, 1)) >= known.least


def _near_edge(line: Line, leaf: Leaf, margin: float) -> bool:
    return line.y1 < margin * leaf.height or line.y0 > (1 - margin) * leaf.height


def _place(line: Line, leaf: Leaf) -> tuple[str, int] | None:
    """A running line by its words without numbers, and its place to some points."""
    if not _near_edge(line, leaf, _MARGIN):
        return None
    words = re.sub(r"\d+|\b[ivxlc]+\b", "#", line.text.strip().lower())
    letters = sum(map(str.isalnum, words)) + 2 * len(_CJK.findall(words))  # pieces of formulas may stand anywhere
    return (words, round(line.y0 / 6)) if letters > 3 else None


def _standing(leaves: Sequence[Leaf]) -> set[int]:
    """Ids of the outermost rows that stand at one height on most pages, apart from the rest: their words may change."""
    found: set[int] = set()
    full = sum(1 for leaf in leaves if leaf.lines)
    for top in (True, False):
        edges = [row for leaf in leaves if (row := _edge_row(leaf, top))]
        places = Counter(round(row[0].base) for row in edges)
        at = places.most_common(1)[0][0] if places else 0
        standing = [row for row in edges if abs(row[0].base - at) <= 1.5]
        if full >= 4 and len(standing) >= _STANDING * full:
            found |= {id(line) for row in standing for line in row}
    return found


def _edge_row(leaf: Leaf, top: bool) -> list[Line]:
    """The outermost row of a page if it is near the edge, stands apart, and is not set larger than the text beside it."""
    rows = rows_of(line for line in leaf.lines if line.level and (line.y0 < 0.3 * leaf.height if top else line.y1 > 0.7 * leaf.height))
    if len(rows) < 2:
        return []
    edge, inner = (rows[0], rows[1]) if top else (rows[-1], rows[-2])
    if not all(_near_edge(line, leaf, _WIDE_MARGIN) and not line.role for line in edge):
        return []
    size = max(line.size for line in edge)
    gap = min(abs(line.base - other.base) for line in edge for other in inner)
    apart = gap > 1.6 * _usual_pitch(rows)
    return edge if apart and size <= 1.15 * _usual_size(leaf) else []


def _usual_pitch(rows: Sequence[Sequence[Line]]) -> float:
    """The distance, in points, of the baselines of most rows."""
    pitches = sorted(below[0].base - above[0].base for above, below in pairwise(rows))
    return pitches[(len(pitches) - 1) // 2]


def _usual_size(leaf: Leaf) -> float:
    sizes: Counter[float] = Counter()
    for line in leaf.lines:
        sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0]


def _without_line_numbers(leaves: list[Leaf]) -> list[Leaf]:
    """Drafts number their lines on a margin: numbers that grow from top to bottom, on most pages, outside all text."""
    found = [_marginal_numbers(leaf) for leaf in leaves]
    full = sum(1 for leaf in leaves if len(leaf.lines) > 10)
    if sum(len(numbers) >= _FEWEST_NUMBERS for numbers in found) * 2 <= full:
        return leaves
    dropped = {id(line) for numbers in found for line in numbers}
    return _without(leaves, dropped)


def _marginal_numbers(leaf: Leaf) -> list[Line]:
    left = min((line.x0 for line in leaf.lines if len(line.text) > 30), default=0.0)
    right = max((line.x1 for line in leaf.lines if len(line.text) > 30), default=leaf.width)
    numbers = [line for line in leaf.lines if re.fullmatch(r"\d{1,4}", line.text.strip()) and (line.x1 <= left + 2 or line.x0 >= right - 2)]
    numbers.sort(key=lambda line: (line.x0 > left, line.y0))
    grows = sum(int(above.text) < int(below.text) for above, below in pairwise(numbers))
    return numbers if grows >= 0.8 * (len(numbers) - 1) else []
