"""Lines in reading order to headings and paragraphs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, takewhile

from harvest.readers.extract import CJK, Block
from harvest.readers.visible import Line

_NUMBERED = re.compile(
    rf"^(?:(?P<number>\d{{1,2}}(?:\.\d{{1,2}}){{0,3}})\.?\s*|(?P<roman>[IVX]{{1,5}})\.\s+|(?P<letter>[A-Z])\.\s+|(?P<zh>第\s*[一二三四五六七八九十\d]+\s*[章节])\s*"
    rf"|(?P<appendix>(?:Appendix|附录)\s*[A-Z\d]?)[.:\s]*)(?P<title>[A-Za-z{CJK}À-ž“(].{{1,140}})$"
)
_PLAIN_HEADINGS = re.compile(
    r"^(?:abstract|introduction|conclusions?|summary|acknowledge?ments?|references|bibliography|discussion|results|methods|appendix|outlook"
    r"|摘\s*要|引\s*言|结\s*论|致\s*谢|参\s*考\s*文\s*献|总\s*结)[.:]?$",
    re.IGNORECASE,
)
_CAPTION = re.compile(r"^(?P<kind>fig(?:ure|\.)?|table|tab\.|图|表)\s*(?P<number>\d+|[IVX]+)(?P<sign>\s*[.:：]|\s|$)\s*", re.IGNORECASE)
_PROSE = re.compile(r"\b(?:the|of|and|in|is|are|to|that|for|with|we|by|be|was|der|die|und|le|la|et)\b|[的是在了与和为]")
_ENDS = re.compile(r"[.!?:;。！？：；”\"')\]]\s*$")

_BY_SIZE = 9  # level of a heading without a number


@dataclass(slots=True)
class _Paragraph:
    lines: list[Line] = field(default_factory=list)
    heading: int = 0

    @property
    def size(self) -> float:
        return self.lines[0].size


@dataclass(frozen=True, slots=True)
class _Style:
    """What is usual in this document: size of the body, distance of its baselines, and its words."""

    size: float
    pitch: float
    words: frozenset[str]


def to_blocks(columns: Sequence[Sequence[Line]]) -> list[Block]:
    """Columns of lines as headings and paragraphs; a sentence that a column or a page cuts is put together again."""
    style = _style(columns)
    paragraphs = [paragraph for column in columns for paragraph in _split(column, style)]
    _demote_front(paragraphs)
    ranks = _size_ranks(paragraphs, style)
    return [_block(paragraph, style, ranks) for paragraph in _reunited(paragraphs, style)]


def _style(columns: Sequence[Sequence[Line]]) -> _Style:
    sizes: Counter[float] = Counter()
    pitches: Counter[float] = Counter()
    words: set[str] = set()
    for column in columns:
        for line in column:
            sizes[line.size] += 1 + 40 * len(_PROSE.findall(line.text))  # lists of authors are longer than some papers
            words.update(re.findall(r"[A-Za-z]+(?:-[A-Za-z]+)*", line.text.rstrip("-").lower())[:-1])
        for above, line in pairwise(column):
            if above.size == line.size and len(line.text) > 30:
                pitches[round((line.y1 - above.y1) * 2) / 2] += 1
    size = sizes.most_common(1)[0][0] if sizes else 10.0
    usual = [pitch for pitch, _ in pitches.most_common(3) if 0.8 * size < pitch < 3 * size]
    return _Style(size, usual[0] if usual else 1.2 * size, frozenset(words))


def _split(column: Sequence[Line], style: _Style) -> Iterator[_Paragraph]:
    left = _usual_left(column)
    current: list[Line] = []
    level = 0
    for line in column:
        its_level = _heading_level(line, style)
        if current and _begins(current, line, level, its_level, left, style):
            yield _Paragraph(current, level)
            current = []
        if not current:
            level = its_level
        current.append(line)
    if current:
        yield _Paragraph(current, level)


def _begins(current: list[Line], line: Line, level: int, its_level: int, left: float, style: _Style) -> bool:
    """Whether a paragraph ends above this line."""
    above = current[-1]
    if bool(level) != bool(its_level):
        return not (level and above.bold == line.bold and above.size == line.size and line.size > style.size and _close(above, line, style))
    if level:
        return not _close(above, line, style) or abs(above.size - line.size) > 0.6 or _NUMBERED.match(line.text.strip()) is not None
    if not _close(above, line, style) or abs(above.size - line.size) > 1.2 or _CAPTION.match(line.text):
        return True
    if re.match(r"^(?:[•▪◦–—-]|\(?[a-z\d]{1,2}[.)])\s", line.text) and (line.x0 < above.x0 - 2 or _ENDS.search(above.text)):
        return True
    indented = 0.7 * line.size < line.x0 - left < 5 * line.size
    return (
        indented
        and above.x0 - left < 0.5 * line.size
        and len(current) >= 1
        and (_ENDS.search(above.text) is not None or above.x1 < line.x1 - 4 * line.size)
    )


def _close(above: Line, line: Line, style: _Style) -> bool:
    pitch = line.y1 - above.y1
    return -0.5 * style.pitch < pitch < max(1.45 * style.pitch, 1.5 * max(line.size, above.size)) and line.page == above.page


def _usual_left(column: Sequence[Line]) -> float:
    lefts = Counter(round(line.x0) for line in column)
    return float(lefts.most_common(1)[0][0]) if lefts else 0.0


def _heading_level(line: Line, style: _Style) -> int:
    """The level of a heading (1 and up, _BY_SIZE for one whose level only its size tells); 0 for body text."""
    text = line.text.strip()
    chinese = len(re.findall(rf"[{CJK}]", text))
    if not _could_head(text, chinese):
        return 0
    larger = line.size > 1.08 * style.size
    capitals = text.upper() == text and re.search(r"[A-Z]{3}", text) is not None
    marked = line.size >= 0.9 * style.size and (line.bold or larger or (capitals and len(text) > 5))
    if _PLAIN_HEADINGS.match(text) and (marked or len(text) < 14):
        return _BY_SIZE
    match = _NUMBERED.match(text)
    if match and (marked or (chinese > 1 and chinese * 2 < 40 and "." in (match["number"] or ""))):
        return _numbered_level(match)
    return _BY_SIZE if marked and len(text) + chinese < 100 else 0


def _could_head(text: str, chinese: int) -> bool:
    """Whether the words of a line can be a heading at all: not too long, words rather than signs, no sentence."""
    if not 2 <= len(text) + chinese <= 160 or text.endswith((".", ",", ";", "。", "，", "；")) or re.search(r"[。；=<>∫∑±]", text):
        return False
    if _CAPTION.match(text) or re.match(r"(?:doi|https?|www\.|arxiv|[,+=(])", text, re.IGNORECASE):
        return False
    letters = len(re.findall(r"[^\W\d_]", text))
    signs = len(re.sub(r"^[\d.]+|\s", "", text))
    if len(re.findall(r"\b[A-Z]\.", text)) >= 3:  # a list of authors
        return False
    return letters * 10 >= signs * 6 and (chinese > 1 or re.search(r"[A-Za-zÀ-ž]{3}", text) is not None)


def _numbered_level(match: re.Match[str]) -> int:
    if match["number"]:
        return match["number"].count(".") + 1
    return 2 if match["letter"] else 1


def _demote_front(paragraphs: Sequence[_Paragraph]) -> None:
    """Authors, dates and journals above the abstract are printed large but head nothing."""
    first = paragraphs[0].lines[0].page if paragraphs else 0
    front = list(takewhile(lambda p: p.lines[0].page == first and (p.heading in (0, _BY_SIZE) and not _names_section(p)), paragraphs))
    if len(front) < len(paragraphs) and paragraphs[len(front)].lines[0].page == first:
        for paragraph in front:
            paragraph.heading = 0


def _names_section(paragraph: _Paragraph) -> bool:
    return paragraph.heading > 0 and _PLAIN_HEADINGS.match(paragraph.lines[0].text.strip()) is not None


def _size_ranks(paragraphs: Sequence[_Paragraph], style: _Style) -> dict[float, int]:
    """Levels of headings without a number: by their sizes, the numbered ones setting the scale."""
    numbered = {p.size: p.heading for p in paragraphs if 0 < p.heading < _BY_SIZE}
    sizes = sorted({p.size for p in paragraphs if p.heading == _BY_SIZE}, reverse=True)
    ranks: dict[float, int] = {}
    for place, size in enumerate(sizes):
        near = [level for known, level in numbered.items() if abs(known - size) < 0.6]
        ranks[size] = min(near) if near else (1 if not numbered or size > max(numbered) else min(place + 1, 3))
    return ranks


def _reunited(paragraphs: Sequence[_Paragraph], style: _Style) -> list[_Paragraph]:
    """Paragraphs cut by the end of a column: the rest is found below captions and footnotes that stand between."""
    done: list[_Paragraph] = []
    open_: _Paragraph | None = None
    for paragraph in paragraphs:
        if paragraph.heading:
            open_ = None
        elif _is_body(paragraph, style):
            if open_ is not None and _continues(open_, paragraph):
                open_.lines += paragraph.lines
                continue
            open_ = paragraph
        done.append(paragraph)
    return done


def _is_body(paragraph: _Paragraph, style: _Style) -> bool:
    return abs(paragraph.size - style.size) < 0.8 and not _CAPTION.match(paragraph.lines[0].text)


def _continues(above: _Paragraph, below: _Paragraph) -> bool:
    end, start = above.lines[-1].text.rstrip(), below.lines[0].text.lstrip()
    if _ENDS.search(end) or len(end) < 20 or len(start) < 4:
        return False
    if re.match(r"[a-z(]", start) or end.endswith(("-", ",")):
        return True
    far = above.lines[-1].page != below.lines[0].page or below.lines[0].y0 < above.lines[-1].y0
    return far and re.search(rf"[{CJK}]$", end) is not None and re.match(rf"[{CJK}]", start) is not None


def _block(paragraph: _Paragraph, style: _Style, ranks: dict[float, int]) -> Block:
    text = _joined([line.text.strip() for line in paragraph.lines], style.words)
    if paragraph.heading:
        match = _NUMBERED.match(text)
        level = ranks.get(paragraph.size, 1) if paragraph.heading == _BY_SIZE else paragraph.heading
        return Block(match["title"].strip() if match and not match["zh"] and not match["appendix"] else text.rstrip(":"), level)
    caption = _CAPTION.match(text)
    if caption and caption["sign"].strip():
        kind = "Table" if caption["kind"].lower().startswith(("tab", "表")) else "Figure"
        return Block(f"{kind}: {text[caption.end() :]}")
    return Block(text)


def _joined(lines: list[str], words: frozenset[str]) -> str:
    """Lines as one paragraph: a word cut at the end of a line is joined as the document writes it elsewhere."""
    text = lines[0]
    for line in lines[1:]:
        cut = re.search(r"([A-Za-z]+)-$", text)
        rest = re.match(r"[A-Za-z]+", line)
        if cut and rest and rest[0][0].islower():
            kept = f"{cut[1]}-{rest[0]}".lower() in words and (cut[1] + rest[0]).lower() not in words
            text = (text if kept else text[:-1]) + line
        elif text.endswith("-") and re.match(r"[a-zA-Z]", line):
            text += line
        else:
            text += " " + line
    return text
