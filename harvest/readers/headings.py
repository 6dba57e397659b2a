"""Which lines are headings, and of what level: by numbers, by well-known words, by size and weight."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from harvest.readers.extract import CAPTION, CJK, MEMBERS, REFERENCES
from harvest.readers.visible import Line

if TYPE_CHECKING:
    from harvest.readers.paragraphs import Paragraph

NUMBERED = re.compile(
    rf"^(?:(?P<number>\d{{1,2}}(?:\.\d{{1,2}}){{0,4}})(?:\.\s*|\s+|(?=[{CJK}]))|(?P<roman>[IVX]{{1,5}})\.\s+|(?P<letter>[A-Z](?:\.\d{{1,2}})*)\.?\s+"
    rf"|(?P<zh>第\s*[一二三四五六七八九十百\d]+\s*[章节])\s*"
    rf"|(?P<appendix>(?:Appendix|附录)\s*(?:[A-Z\d](?:\.\d+)*\b)?)[.:\s]*)(?P<title>[A-Za-z{CJK}À-ž“($\u0370-\u03ff\U0001d400-\U0001d7ff].{{0,160}})$"
)
_PLAIN = re.compile(
    r"^(?:abstract|introduction|conclusions?|summary|acknowledge?ments?|references|bibliography|discussions?|results|methods|appendix|outlook"
    r"|keywords|appendices|funding|contents|author contributions|conflicts? of interest|data availability(?: statement)?"
    r"|摘\s*要|引\s*言|结\s*论|致\s*谢|参\s*考\s*文\s*献|总\s*结)[.:]?$",
    re.IGNORECASE,
)
_RUN_IN = re.compile(r"^(?:abstract|acknowledge?ments?|摘\s*要|致\s*谢)\s*[.:：—–-]?\s*", re.IGNORECASE)

BY_SIZE = 9  # level of a heading without a number


def heading_level(line: Line, size: float) -> int:
    """The level of a heading (1 and up, BY_SIZE for one whose level only its look tells) in a body of this size; 0 for other text."""
    text = line.text.strip()
    chinese = len(re.findall(rf"[{CJK}]", text))
    if line.role or not _could_head(text, chinese):
        return 0
    larger = line.size > 1.08 * size
    capitals = not chinese and text.upper() == text and re.search(r"[A-Z]{3}", text) is not None
    marked = line.size >= 0.9 * size and (line.bold or larger or (capitals and len(text) > 5))
    if _PLAIN.match(text) and (marked or len(text) < 14 or line.italic):
        return BY_SIZE
    match = NUMBERED.match(text)
    if match and _is_numbered_heading(match, marked, line.italic and line.size >= 0.9 * size, chinese):
        return 2 if match["letter"] else (match["number"] or "").count(".") + 1
    return BY_SIZE if marked and len(text) + chinese < 100 else 0


def _is_numbered_heading(match: re.Match[str], marked: bool, italic: bool, chinese: int) -> bool:
    if match["letter"] and re.match(r"[A-Z]\.?\s+(?:[A-Z][\w’'-]+,?\s+)+(?:[A-Z]\.|and\b)", match[0]):
        return False  # N. Someone, A. Other
    dotted = not match["letter"] or match[0][len(match["letter"])] == "."
    return (
        marked
        or (italic and dotted and match["title"][0].isupper())
        or (chinese > 1 and chinese * 2 < 40 and "." in (match["number"] or ""))
    )


def _could_head(text: str, chinese: int) -> bool:
    """Whether the words of a line can be a heading at all: not too long, words rather than signs, no sentence."""
    if not 2 <= len(text) + chinese <= 160 or text.endswith((";", "。", "，", "；")) or re.search(r"[。；∫∑±]", text):
        return False
    if text.endswith((".", ",")) and not NUMBERED.match(text) and not _PLAIN.match(text):
        return False
    if CAPTION.match(text) or re.match(r"(?:[•▪◦‣·∙–—-]|doi|https?|www\.|arxiv|[,+=(])", text, re.IGNORECASE):
        return False
    letters = len(re.findall(r"[^\W\d_]", text))
    signs = len(re.sub(r"^[\d.]+|\s", "", text))
    if len(re.findall(r"\b[A-Z]\.(?=[\s-]?[A-Z])", text)) >= 2:  # a list of authors
        return False
    return letters * 10 >= signs * 6 and (chinese > 1 or re.search(r"[A-Za-zÀ-ž]{3}", text) is not None)


def settle_headings(paragraphs: Sequence[Paragraph], size: float) -> None:
    """Take back the headings that head nothing or are out of order, and give levels to those that only their look tells."""
    _promote_alone(paragraphs)
    _promote_members(paragraphs)
    _demote_front(paragraphs)
    _demote_out_of_order(paragraphs)
    _demote_idle(paragraphs, size)
    _rank(paragraphs)


def split_run_in(text: str) -> tuple[str, str] | None:
    """The heading and the rest of a paragraph that opens with "Abstract" or "Acknowledgements"; None for others."""
    match = _RUN_IN.match(text)
    rest = text[match.end() :] if match else ""
    if not match or len(rest) < 60 or not (rest[0].isupper() or re.match(rf"[{CJK}“\"(]", rest)):
        return None
    return re.sub(r"[\s.:：—–-]+$", "", match[0]), rest


def title_of(text: str, is_numbered: bool) -> str:
    """The words of a heading without its number."""
    match = NUMBERED.match(text) if is_numbered else None
    if match and not match["zh"] and not match["appendix"]:
        return match["title"].strip()
    return text.rstrip(":")


def _promote_alone(paragraphs: Sequence[Paragraph]) -> None:
    """A numbered line that stands alone can be a heading in the letters of the body: "A.1 Details of the fit"."""
    for paragraph in paragraphs:
        if paragraph.role == "text" and len(paragraph.lines) == 1 and len(paragraph.text) < 100:
            match = NUMBERED.match(paragraph.text)
            number = (match["number"] or match["letter"] or "") if match else ""
            if match and "." in number and re.match(r"[A-Z][a-z]+", match["title"]) and _could_head(paragraph.text, 0):
                paragraph.role, paragraph.level, paragraph.is_numbered = "heading", number.count(".") + 1 + number[0].isalpha(), True


def _promote_members(paragraphs: Sequence[Paragraph]) -> None:
    """The name of a collaboration that stands alone below the references heads the list of its members."""
    below = False
    for paragraph in paragraphs:
        below = below or REFERENCES.match(paragraph.text) is not None
        if below and paragraph.role == "text" and len(paragraph.lines) == 1 and MEMBERS.match(paragraph.text):
            paragraph.role, paragraph.level = "heading", BY_SIZE


def _demote(paragraph: Paragraph) -> None:
    paragraph.role, paragraph.level, paragraph.is_numbered = "text", 0, False


def _demote_front(paragraphs: Sequence[Paragraph]) -> None:
    """Authors, dates and journals above the first section are printed large but head nothing."""
    first = paragraphs[0].lines[0].page if paragraphs else 0
    front = list(takewhile(lambda p: p.lines[0].page == first and not _opens_text(p), paragraphs))
    opening = paragraphs[len(front)] if len(front) < len(paragraphs) else None
    if opening and (opening.lines[0].page == first or any(_is_first(p) for p in paragraphs[len(front) :])):
        for paragraph in front:
            if paragraph.level:
                _demote(paragraph)


def _is_first(paragraph: Paragraph) -> bool:
    """Whether a heading is the first of a numbered text: what stands above it is a title page."""
    match = NUMBERED.match(paragraph.text) if paragraph.is_numbered else None
    return match is not None and (match["number"] == "1" or match["roman"] == "I")


def _opens_text(paragraph: Paragraph) -> bool:
    """Whether the text begins here: at a heading with a number (no address in italics, no “A search for …”) or a well-known name."""
    match = NUMBERED.match(paragraph.text) if paragraph.is_numbered else None
    is_numbered = match is not None and not match["letter"] and (paragraph.lines[0].bold or not paragraph.lines[0].italic)
    return is_numbered or _names_section(paragraph)


def _names_section(paragraph: Paragraph) -> bool:
    if paragraph.level:
        return _PLAIN.match(paragraph.text) is not None
    return split_run_in(" ".join(line.text for line in paragraph.lines)) is not None


def _demote_out_of_order(paragraphs: Sequence[Paragraph]) -> None:
    """Numbers of sections grow: of the numbered headings the longest growing sequence is kept."""
    numbered = [(p, key) for p in paragraphs if p.level and (key := _key(p.text))]
    best: list[tuple[int, int]] = []  # length of the longest sequence that ends here, and where it came from
    for place, (_, key) in enumerate(numbered):
        before = [(best[other][0], other) for other in range(max(0, place - 200), place) if numbered[other][1] < key]
        length, origin = max(before, default=(0, -1))
        best.append((length + 1, origin))
    at = max(range(len(best)), key=lambda place: best[place][0], default=-1)
    kept = set()
    while at >= 0:
        kept.add(at)
        at = best[at][1]
    for place, (paragraph, _) in enumerate(numbered):
        if place not in kept and not paragraph.lines[0].bold:
            _demote(paragraph)
    _demote_letters(paragraphs)


def _demote_letters(paragraphs: Sequence[Paragraph]) -> None:
    """Letters of headings begin with A below another heading, and go on; others are initials, or words as in "A search for …"."""
    last = ""
    others = False
    for paragraph in paragraphs:
        match = NUMBERED.match(paragraph.text) if paragraph.is_numbered else None
        if match and match["letter"]:
            letter = match["letter"][0]
            if others and (letter == "A" or (last and ord(letter) - ord(last) in (0, 1))):
                last = letter
            else:
                paragraph.is_numbered = False
                paragraph.level = BY_SIZE if letter == "A" else 0
                paragraph.role = "heading" if letter == "A" else "text"
        others = others or paragraph.is_numbered or (paragraph.level > 0 and _PLAIN.match(paragraph.text) is not None)


def _key(text: str) -> tuple[int, ...] | None:
    match = NUMBERED.match(text)
    return tuple(map(int, match["number"].split("."))) if match and match["number"] else None


def _demote_idle(paragraphs: Sequence[Paragraph], size: float) -> None:
    """A heading by its look heads text: prose, code or a table stands below it or below the headings that follow it."""
    heads = False
    for paragraph in reversed(paragraphs):
        if paragraph.role == "heading":
            if paragraph.level == BY_SIZE and not heads and not _PLAIN.match(paragraph.text):
                _demote(paragraph)
        elif paragraph.role == "text":
            heads = sum(len(line.text) for line in paragraph.lines[:3]) > 40 and paragraph.size > size - 1.6
        elif paragraph.role in ("code", "table"):
            heads = True


def _rank(paragraphs: Sequence[Paragraph]) -> None:
    """Levels of headings without a number: by their sizes, the numbered ones setting the scale."""
    has_romans = any(p.is_numbered and (match := NUMBERED.match(p.text)) and match["roman"] for p in paragraphs)
    for paragraph in paragraphs:  # letters number appendices, or what is below roman numbers
        match = NUMBERED.match(paragraph.text) if paragraph.is_numbered else None
        if match and match["letter"]:
            paragraph.level = match["letter"].count(".") + 1 + has_romans
    numbered = {p.size: p.level for p in paragraphs if 0 < p.level < BY_SIZE}
    sizes = sorted({p.size for p in paragraphs if p.level == BY_SIZE}, reverse=True)
    ranks: dict[float, int] = {}
    for place, size in enumerate(sizes):
        near = [level for known, level in numbered.items() if abs(known - size) < 0.6]
        ranks[size] = min(near) if near else (1 if not numbered or size > max(numbered) else min(place + 1, 3))
    for paragraph in paragraphs:
        if paragraph.level == BY_SIZE:
            paragraph.level = 1 if REFERENCES.match(paragraph.text) else ranks[paragraph.size]
