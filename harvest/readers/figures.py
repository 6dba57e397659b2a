"""Letters inside figures: numbers on axes, legends and labels are no text of the paper."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from harvest.readers.extract import CAPTION
from harvest.readers.leaf import Box, Leaf
from harvest.readers.visible import Line

_REACH = 9.0  # points between parts of one picture
_LEAST = 35.0  # points: the smallest side of a picture
_LABEL = 14.0  # points around a picture in which its labels stand
_FAR = 70.0  # points between a picture and its caption
_USUAL = 3  # lines of a font outside of pictures from which it is one of the text
_FIGURE, _TABLE = re.compile(r"\s*(?:fig|图|scheme|plate)", re.IGNORECASE), re.compile(r"\s*(?:tab|表)", re.IGNORECASE)
_PROSE, _BODY_PROSE = 9, 5  # words from which a line is prose, wherever it stands; set as large as the body


def without_figure_text(leaves: Sequence[Leaf], size: float) -> list[Leaf]:
    """The pages without the labels of figures: short lines in or at a picture that a caption of a figure names.

    Boxes of what is drawn may be larger than what is seen of it, so letters as large as the body (`size`, in points) and of a font that
    the text outside of pictures uses are text.
    """
    pictures = [_figures(leaf) for leaf in leaves]
    outside: Counter[str] = Counter()
    for leaf, boxes in zip(leaves, pictures, strict=True):
        outside.update(line.font for line in leaf.lines if not any(_is_at(line, box) for box in boxes))
    fonts = {font for font, count in outside.items() if count >= _USUAL}
    return [_bare(leaf, boxes, fonts, size) for leaf, boxes in zip(leaves, pictures, strict=True)]


def _figures(leaf: Leaf) -> list[Box]:
    """The pictures on a page that have a caption of a figure at their side."""
    captions = [line for line in leaf.lines if _FIGURE.match(line.text) and CAPTION.match(line.text.strip())]
    if not captions or not leaf.drawn:
        return []
    tables = [line for line in leaf.lines if _TABLE.match(line.text) and CAPTION.match(line.text.strip())]
    return [box for box in _pictures(leaf) if _is_captioned(box, captions, tables)]


def _bare(leaf: Leaf, pictures: Sequence[Box], fonts: set[str], size: float) -> Leaf:
    if not pictures:
        return leaf
    captions = [line for line in leaf.lines if CAPTION.match(line.text.strip())]
    told = {id(line) for caption in captions for line in _whole(caption, leaf.lines)}
    kept = []
    for line in leaf.lines:
        is_text = id(line) in told or (line.font in fonts and line.size > 0.8 * size) or not line.level
        if is_text or not any(_is_label(line, box, size) for box in pictures):
            kept.append(line)
    return replace(leaf, lines=kept)


def _whole(caption: Line, lines: Sequence[Line]) -> list[Line]:
    """All lines of a caption, and pieces of them, from its first piece."""
    found, bottom = [caption], caption.y1
    for line in sorted(lines, key=lambda line: (round(line.base), line.x0)):
        if abs(line.size - caption.size) > 1.1 or line.base < caption.base - 2 or line.x1 < caption.x0 - 3 * line.size:
            continue
        reach = max(other.x1 for other in found)
        if line.y0 < bottom + 0.7 * line.size and line.x0 < reach + 3 * line.size:
            found.append(line)
            bottom = max(bottom, line.y1)
    return found


def _pictures(leaf: Leaf) -> list[Box]:
    """Drawn things that touch or nearly touch, as boxes; backgrounds of the page and level rules, as of fractions and tables, are none."""
    whole = leaf.width * leaf.height
    drawn = [box for box in leaf.drawn if (box[2] - box[0]) * (box[3] - box[1]) < 0.6 * whole and box[3] - box[1] > 3]
    groups: list[Box] = []
    for box in sorted(drawn, key=lambda box: box[1]):
        near = [group for group in groups if _touch(group, box)]
        groups = [group for group in groups if group not in near]
        groups.append(_around([box, *near]))
    return [box for box in _settled(groups) if min(box[2] - box[0], box[3] - box[1]) >= _LEAST]


def _settled(groups: list[Box]) -> list[Box]:
    """Groups joined until none touch."""
    while True:
        done: list[Box] = []
        for box in groups:
            near = [group for group in done if _touch(group, box)]
            done = [group for group in done if group not in near]
            done.append(_around([box, *near]))
        if len(done) == len(groups):
            return done
        groups = done


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] + _REACH and other[0] < one[2] + _REACH and one[1] < other[3] + _REACH and other[1] < one[3] + _REACH


def _around(boxes: Sequence[Box]) -> Box:
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))


def _is_captioned(box: Box, captions: Sequence[Line], tables: Sequence[Line]) -> bool:
    """Whether the caption that is next to a picture is one of a figure."""
    distance, is_figure = min(
        [(_distance(box, line), True) for line in captions] + [(_distance(box, line), False) for line in tables], key=lambda found: found[0]
    )
    return is_figure and distance < _FAR


def _distance(box: Box, line: Line) -> float:
    """Points between a picture and a caption below, above or beside it."""
    across = max(line.x0 - box[2], box[0] - line.x1, 0.0)
    down = max(line.y0 - box[3], box[1] - line.y1, 0.0)
    return across + down


def _is_at(line: Line, box: Box) -> bool:
    """Whether the middle of a line is in a picture or just at it."""
    x, y = (line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2
    return box[0] - _LABEL < x < box[2] + _LABEL and box[1] - _LABEL < y < box[3] + _LABEL


def _is_label(line: Line, box: Box, size: float) -> bool:
    """Whether a line is a label: in the picture or short and just at it, and no prose."""
    text = line.text.strip()
    words = len(re.findall(r"[^\W\d_]{2,}", text))
    if words >= _PROSE or (words >= _BODY_PROSE and abs(line.size - size) < 0.6) or line.role or not _is_at(line, box):
        return False
    inside = box[0] <= (line.x0 + line.x1) / 2 <= box[2] and box[1] <= (line.y0 + line.y1) / 2 <= box[3]
    return inside or (len(text) < 25 and not re.search(r"[.,;:-]$", text))


def without_scraps(columns: Sequence[Sequence[Line]], size: float) -> list[list[Line]]:
    """Columns without the scraps above captions of figures that are not known by what is drawn: a few words in fonts that no prose has."""
    prose = Counter(line.font for column in columns for line in column if len(line.text.split()) > 6)
    fonts = {font for font, count in prose.items() if count >= _USUAL}
    dropped: set[int] = set()
    for at, column in enumerate(columns):
        for place, line in enumerate(column):
            if _FIGURE.match(line.text) and CAPTION.match(line.text.strip()):
                above = column[:place] if place else [other for other in columns[at - 1] if at and other.page == line.page]
                dropped |= {id(other) for other in takewhile(lambda other: _is_scrap(other, fonts, size), reversed(above))}
    return [kept for column in columns if (kept := [line for line in column if id(line) not in dropped])]


def _is_scrap(line: Line, fonts: set[str], size: float) -> bool:
    text = line.text.strip()
    if line.role or len(text) > 80 or len(re.findall(r"[^\W\d_]{3,}", text)) > 8 or CAPTION.match(text):
        return False
    if line.font not in fonts:
        return re.search(r"[=≈≤≥]", text) is None
    return line.size < 0.8 * size or not re.search(r"[^\W\d_=≈≤≥]", text)
