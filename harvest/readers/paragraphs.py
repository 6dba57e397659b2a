"""Lines in reading order to paragraphs: where one ends and the next begins, and what each of them is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from harvest.readers.extract import CAPTION, CJK
from harvest.readers.headings import NUMBERED, heading_level
from harvest.readers.visible import Line

_PROSE = re.compile(r"\b(?:the|of|and|in|is|are|to|that|for|with|we|by|be|was|der|die|und|le|la|et)\b|[的是在了与和为]")
_ENDS = re.compile(r"[.!?:;。！？：；”\"')\]]\s*$")
_STOPS = re.compile(r"[.!?。！？][”\"')\]\d,]*\s*$")
_ITEM = re.compile(r"^(?:[•▪◦‣·∙–—-]|\(?[a-z\d]{1,2}[.)]|\([ivx]{1,4}\)|\[\d{1,3}\])\s")
_BULLET = re.compile(r"^[•▪◦‣∙]\s*\S")
_WORDS = re.compile(rf"[^\W\d_]{{3,}}|[{CJK}]|\b(?:a|an|as|at|be|by|he|if|in|is|it|no|of|on|or|so|to|up|us|we)\b")
_SIGNS = re.compile(r"[=≈≃≅∼~<>≤≥≪≫±∓×·→←↔⇒∈∑∏∫√∂∇∞+−∝≡^|/\u0370-\u03ff\U0001d400-\U0001d7ff]|\(\w{1,3}(?:\.\w{1,3})*\)$")
_NOTE = re.compile(
    r"^(?:\d{1,3}[).]?\s*(?=[^\W\d_]|[(“\"])|[a-z][).]?\s+(?=[A-Z])|[*∗⁎†‡§¶#]+\s*\S|\(\w\)\s*\S|\[\d+\]\s*\S|[a-z]\s*e-?mail)"
)
_LEGAL = re.compile(
    r"©|copyright|licen[cs]e|rights reserved|permission|open access|published (?:by|under|online)|received|revised|correspond|e-?mail|@"
    r"|issn|https?://|doi\b|preprint|submitted to|supported by|基金|收稿",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Paragraph:
    """Lines of one column. `role`: text, heading, caption, note, code or table; `level` of a heading as `heading_level` says it, and
    whether its number is one.

    `column` counts the columns of the document; `left` and `right` are the edges of its text.
    """

    lines: list[Line]
    role: str = "text"
    level: int = 0
    is_numbered: bool = False
    column: int = 0
    left: float = 0.0
    right: float = 0.0
    formulas: set[int] = field(default_factory=set)  # ids of those lines that are displayed formulas

    @property
    def size(self) -> float:
        """Size of its first line, in points."""
        return self.lines[0].size

    @property
    def text(self) -> str:
        """Its first line."""
        return self.lines[0].text.strip()


@dataclass(frozen=True, slots=True)
class Style:
    """What is usual in a document: size of the body, distance of its baselines (by size of letters), whether paragraphs are indented."""

    size: float
    pitches: dict[float, float]
    indented: bool

    def pitch(self, size: float) -> float:
        """The usual distance of baselines, in points, of lines of this size."""
        return self.pitches.get(size) or 1.2 * size


def body_size(lines: Sequence[Line]) -> float:
    """The size of most prose, in points: lists of authors are longer than some papers."""
    sizes: Counter[float] = Counter()
    for line in lines:
        if not line.role:
            sizes[line.size] += 1 + 40 * len(_PROSE.findall(line.text))
    return sizes.most_common(1)[0][0] if sizes else 10.0


def style_of(columns: Sequence[Sequence[Line]]) -> Style:
    """The style of a document from all its columns."""
    pitches: dict[float, Counter[float]] = {}
    indents = starts = 0
    for column in columns:
        left, right = edges(column)
        for above, line in pairwise(line for line in column if not line.role):
            if above.size == line.size and len(line.text) > 30 and 0.8 * line.size < line.base - above.base < 3 * line.size:
                pitches.setdefault(line.size, Counter())[round((line.base - above.base) * 4) / 4] += 1
            if _STOPS.search(above.text) and above.x1 < right - 4 * line.size and len(line.text) > 30:
                starts += 1
                indents += 0.7 * line.size < line.x0 - left < 5 * line.size
    size = body_size([line for column in columns for line in column])
    return Style(size, {size: _least_usual(found) for size, found in pitches.items()}, indents * 2 > starts)


def _least_usual(found: Counter[float]) -> float:
    """The smallest distance that is about as frequent as the most frequent one: stretched pages do not set the rule."""
    most = found.most_common(1)[0][1]
    return min(pitch for pitch, count in found.items() if count * 2 > most)


def edges(column: Sequence[Line]) -> tuple[float, float]:
    """Where most lines of a column begin, and where its long lines end."""
    long = [line for line in column if len(line.text) > 20 and not line.role] or list(column)
    left = Counter(round(line.x0) for line in long).most_common(1)[0][0]
    ends = sorted(line.x1 for line in long)
    return float(left), ends[int(0.9 * (len(ends) - 1))]


def paragraphs(columns: Sequence[Sequence[Line]], style: Style) -> list[Paragraph]:
    """All paragraphs of a document, column by column; small print below the text of a page is notes."""
    found: list[Paragraph] = []
    for number, column in enumerate(columns):
        left, right = edges(column)
        for paragraph in _split(column, style):
            paragraph.column, paragraph.left, paragraph.right = number, left, right
            paragraph.role = _role(paragraph)
            found.append(paragraph)
    _settle_captions(found, style.size)
    for _, page in groupby(found, key=lambda paragraph: paragraph.lines[0].page):
        _mark_notes(list(page), style.size)
    return found


def _role(paragraph: Paragraph) -> str:
    if paragraph.level:
        return "heading"
    if paragraph.lines[0].role:
        return paragraph.lines[0].role
    if CAPTION.match(paragraph.text) and not _is_reference_to_float(paragraph):
        return "caption"
    return "code" if all(line.mono for line in paragraph.lines) and len(paragraph.lines) > 1 else "text"


def _is_reference_to_float(paragraph: Paragraph) -> bool:
    """A sentence may begin with "Figure 3 shows"."""
    match = CAPTION.match(paragraph.text)
    return bool(match and not match["sign"].strip() and re.match(r"[a-z,(]", paragraph.text[match.end() :]))


def _settle_captions(found: Sequence[Paragraph], size: float) -> None:
    """Where captions are set smaller than the body or bold, a paragraph of the body that opens with "Table 2." is none."""
    captions = [paragraph for paragraph in found if paragraph.role == "caption"]
    plain = [paragraph for paragraph in captions if abs(paragraph.size - size) < 0.3 and not paragraph.lines[0].bold]
    if len(plain) * 2 < len(captions):
        for paragraph in plain:
            paragraph.role = "text"


def _mark_notes(page: Sequence[Paragraph], size: float) -> None:
    """Small print below all text of the body is notes if it opens with a mark or follows a note; on a first page also legal words."""
    body = [(p.lines[0].x0, p.right, p.lines[-1].y1) for p in page if p.role in ("text", "heading") and p.size > size - 0.8]
    marked = False
    for paragraph in page:
        first = paragraph.lines[0]
        is_small = paragraph.role == "text" and paragraph.size <= size - 0.8
        if not is_small or not body or any(y1 > first.y1 and x0 < first.x1 and first.x0 < x1 for x0, x1, y1 in body):
            marked = False
            continue
        is_legal = first.page == 0 and any(_LEGAL.search(line.text) for line in paragraph.lines[:3])
        marked = marked or is_legal or _NOTE.match(paragraph.text) is not None
        if marked:
            paragraph.role = "note"


def _split(column: Sequence[Line], style: Style) -> Iterator[Paragraph]:
    left, right = edges(column)
    current: Paragraph | None = None
    for line in column:
        level = heading_level(line, style.size)
        formula = not level and is_formula(line, left) and not _is_inline(current, line, style)
        if current and _begins(current, line, level, formula, (left, right), style):
            yield current
            current = None
        if current is None:
            current = Paragraph([], level=level, is_numbered=level > 0 and NUMBERED.match(line.text.strip()) is not None)
        current.lines.append(line)
        if formula:
            current.formulas.add(id(line))
    if current:
        yield current


def _is_inline(current: Paragraph | None, line: Line, style: Style) -> bool:
    """Whether a line is a piece of the prose line above it, as the sign of a root may be."""
    above = current.lines[-1] if current else None
    if current is None or above is None or id(above) in current.formulas:
        return False
    return abs(line.base - above.base) < 0.75 * style.pitch(above.size)


def is_formula(line: Line, left: float) -> bool:
    """Whether a line of a column that begins at `left` is a displayed formula: set in, few words, signs of mathematics."""
    text = line.text.strip()
    if line.role or line.mono or (line.x0 < left + 0.7 * line.size and len(text) >= 12):
        return False
    words = sum(map(len, _WORDS.findall(text)))
    signs = len(re.sub(r"\s", "", text))
    return words * 2 < signs and (_SIGNS.search(text) is not None or len(text) < 4)


def _begins(current: Paragraph, line: Line, level: int, formula: bool, edges: tuple[float, float], style: Style) -> bool:
    """Whether a new paragraph begins with this line."""
    above = current.lines[-1]
    if line.role or above.role:  # rows of one table touch
        return line.role != above.role or abs(line.y0 - above.y1) > 1
    gap = (line.base - above.base) / style.pitch(line.size)
    if current.level or level:
        return not _heading_goes_on(current, line, level, gap)
    if formula or id(above) in current.formulas:
        return _begins_at_formula(current, line, formula, gap, edges[0])
    if abs(gap) < 0.5:  # a piece of the row above
        return False
    if line.mono and above.mono:
        return not -0.5 < gap < 2.6
    if gap < -0.5 or gap > 1.6 or abs(above.size - line.size) > 1.2 or _opens_caption(line, above, gap):
        return True
    is_item = _ITEM.match(line.text) and (line.x0 < above.x0 - 2 or _ENDS.search(above.text))
    if is_item or _BULLET.match(line.text):
        return True
    return _looks_new(above, line, gap, edges, style)


def _looks_new(above: Line, line: Line, gap: float, edges: tuple[float, float], style: Style) -> bool:
    """Whether a line that follows closely begins a paragraph: it is set in, or there is some room, or the line above is short."""
    left, right = edges
    ends = _ENDS.search(above.text) is not None
    goes_on = not ends and above.x1 > right - 2 * line.size and line.x0 < left + 0.7 * line.size
    if gap > 1.25 and (_STOPS.search(above.text) is not None or (gap > 1.45 and not goes_on)):
        return True
    if 0.7 * line.size < line.x0 - left < 5 * line.size and above.x0 - left < 0.5 * line.size:
        return ends or above.x1 < line.x1 - 4 * line.size
    is_short = above.x1 < right - 0.25 * (right - left)
    return not style.indented and is_short and ends and _STOPS.search(above.text) is not None and line.x0 <= left + 1


def _begins_at_formula(current: Paragraph, line: Line, formula: bool, gap: float, left: float) -> bool:
    """A formula belongs to the paragraph that it interrupts, and so does the line below it unless it is set in or far away."""
    above = current.lines[-1]
    if gap < -1.5 or gap > 3.3 or _opens_caption(line, above, gap) or CAPTION.match(current.text):
        return True
    if formula:
        return False
    return abs(line.size - current.size) > 1.2 or 0.7 * line.size < line.x0 - left < 5 * line.size


def _opens_caption(line: Line, above: Line, gap: float) -> bool:
    match = CAPTION.match(line.text)
    if match is None:
        return False
    return gap > 1.2 or abs(above.size - line.size) > 0.4 or (line.bold and not above.bold)


def _heading_goes_on(current: Paragraph, line: Line, level: int, gap: float) -> bool:
    """Whether a heading has a further line."""
    above = current.lines[-1]
    if not current.level or len(current.lines) > 3 or NUMBERED.match(line.text.strip()):
        return False
    close = -0.5 < gap < 1.7 and abs(above.size - line.size) <= 0.6
    alike = (above.bold, above.italic) == (line.bold, line.italic)
    return close and alike and (bool(level) or line.bold or line.size > 1.08 * current.size)
