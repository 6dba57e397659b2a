"""A document cut into chunks of whole sentences, and text cut into sentences (English and Chinese).

Nothing is ever rewritten: sentences and chunks are spans of the document, so that what is made of them can be walked
back to its characters. An equation (`$..$`, `$$..$$`, `\\[..\\]`, an environment) is never cut, a table is cut only
between rows and only if it alone is longer than a chunk may be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harvest.records import Document, Section
from qagen.config import ChunkConfig
from qagen.records import Chunk, Span

_DISPLAY = r"\$\$.+?\$\$|\\\[.+?\\\]|\\begin\{(?P<env>\w+\*?)\}.*?\\end\{(?P=env)\}"
_INLINE = r"\\\(.+?\\\)|(?<![\\$])\$(?!\$)(?:[^$\n]|\n(?![ \t]*\n)){1,400}?(?<!\\)\$"
_MATH = re.compile(f"(?:{_DISPLAY})|(?:{_INLINE})", re.S)
_DISPLAY_START = re.compile(r"\$\$|\\\[|\\begin\{")
_DISPLAY_END = re.compile(r"(?:\$\$|\\\]|\\end\{\w+\*?\})[ \t]*$")
_BLANK = re.compile(r"\n[ \t\r]*\n\s*")
_ROW = re.compile(r"\s*\||.*\S[ \t]*(?:\t| \| )[ \t]*\S")
_CONTINUES = re.compile(r"[a-z,;]|其中|式中|这里")

_TERMINAL = re.compile(r"[.!?。！？]+[\"'”’」』)\]）】》]*(?:\[\d[\d, –-]*\]|(?<=[a-z]{3}\.)\d{1,2}(?=\s+[A-Z]))?")
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")

# Before a full stop: `always` never ends a sentence, `numbered` does not before a number, `open` not before a name.
_ALWAYS_TEXT = "e.g i.e cf dr prof mr mrs ms vs viz"
_NUMBERED_TEXT = "fig figs eq eqs eqn ref refs sec sect secs tab no nos nr vol ch chap app art p pp"
_OPEN_TEXT = "al approx ca resp inc ltd univ dept phys rev lett nucl instrum meth proc conf ed eds st jr"
_STARTER_TEXT = (
    "a after all also an as at because before between both but by during each for from here however if in it its no not of on once "
    "one our over since such that the their then there therefore these they this those three thus to two under we when while with"
)
_ALWAYS, _NUMBERED, _OPEN = (frozenset(text.split()) for text in (_ALWAYS_TEXT, _NUMBERED_TEXT, _OPEN_TEXT))
_STARTERS = frozenset(_STARTER_TEXT.split())


@dataclass(frozen=True, slots=True)
class _Zone:
    heading: str
    start: int
    end: int


def chunk_document(document: Document, config: ChunkConfig) -> list[Chunk]:
    """Cut a document into chunks, in order: by section, whole paragraphs first, else whole sentences.

    Every character that is neither white space nor a heading is in exactly one chunk. A chunk is at most
    `config.max_chars` long unless a single sentence, equation or table row is longer. `Chunk.section` is the path of
    headings, such as `Magnets > Power supplies`; the id names document and span.
    """
    return [
        Chunk(
            f"{document.id}#{span.start}-{span.end}", document.id, zone.heading, span.start, span.end, document.text[span.start : span.end]
        )
        for zone in _zones(document)
        for span in _zone_spans(document.text, zone, config.max_chars)
    ]


def sentences(text: str) -> list[Span]:
    """The sentences of a text, in order; a table is one span, a display equation belongs to the sentence around it.

    Knows abbreviations (Fig. 3, et al., e.g.), decimals, initials and enumerations in English, and 。！？ in Chinese.
    A blank line always ends a sentence, unless an equation stands there.
    """
    return [sentence for paragraph in _paragraphs(text) for sentence in paragraph]


# ---- sections


def _chunk(document: Document, heading: str, start: int, end: int) -> Chunk:
    return Chunk(f"{document.id}#{start}-{end}", document.id, heading, start, end, document.text[start:end])


def _zones(document: Document) -> Iterator[_Zone]:
    """Sections in order, with what lies between them; headings, which stand above their section or on its first line, are left out."""
    text, position, path = document.text, 0, list[Section]()
    for section in sorted(document.sections, key=lambda section: (section.start, section.end)):
        start, end = max(section.start, position), max(section.end, position)
        yield _Zone(_heading(path), position, _before_heading(text, section.title, position, start))
        path = [above for above in path if above.level < section.level] + [section]
        yield _Zone(_heading(path), _after_heading(text, section.title, start, end), end)
        position = end
    yield _Zone(_heading(path), position, len(text))


def _heading(path: Sequence[Section]) -> str:
    return " > ".join(section.title for section in path if section.title)


def _before_heading(text: str, title: str, start: int, end: int) -> int:
    """Where what lies above a heading ends."""
    above = text[start:end].rstrip()
    if not title or not above.endswith(title):
        return end
    line = above.rfind("\n") + 1
    return start + line if _is_heading(above[line:], title) else end


def _after_heading(text: str, title: str, start: int, end: int) -> int:
    """Where a section's body begins."""
    line = re.match(r"\s*([^\n]*)(?:\n|$)", text[start:end])
    return start + line.end() if title and line and _is_heading(line[1], title) else start


def _is_heading(line: str, title: str) -> bool:
    """Whether a line is a title, with or without `#` or a number."""
    return title in (line.strip(), re.sub(r"^(?:#+\s*)?(?:[\dIVX]+(?:\.\d+)*\.?\s+)?", "", line).strip())


def _zone_spans(text: str, zone: _Zone, limit: int) -> list[Span]:
    pieces: list[Span] = []
    for paragraph in _paragraphs(text[zone.start : zone.end]):
        whole = Span(paragraph[0].start, paragraph[-1].end)
        if whole.end - whole.start <= limit:
            pieces.append(whole)
        else:
            pieces += _pack([row for part in paragraph for row in _rows(text[zone.start : zone.end], part, limit)], limit)
    return [Span(zone.start + span.start, zone.start + span.end) for span in _pack(pieces, limit)]


def _pack(spans: Sequence[Span], limit: int) -> list[Span]:
    """Join neighbours into spans of at most `limit` characters and of about the same length."""
    if not spans:
        return []
    total = spans[-1].end - spans[0].start
    target = total / math.ceil(total / limit)
    packed = [spans[0]]
    for span in spans[1:]:
        last = packed[-1]
        if span.end - last.start <= limit and last.end - last.start < target:
            packed[-1] = Span(last.start, span.end)
        else:
            packed.append(span)
    return packed


def _rows(text: str, span: Span, limit: int) -> list[Span]:
    """A table that is too long for one chunk, as its rows; anything else as it is."""
    piece = text[span.start : span.end]
    if span.end - span.start <= limit or not all(map(_ROW.match, piece.splitlines())):
        return [span]
    return [_trim(text, span.start + line.start(), span.start + line.end()) for line in re.finditer(r"[^\n]+", piece) if line[0].strip()]


# ---- paragraphs and sentences


def _paragraphs(text: str) -> Iterator[list[Span]]:
    """Paragraphs as lists of sentences; those that an equation ties together are one."""
    math_spans = [Span(*found.span()) for found in _MATH.finditer(text)]
    for block in _tied(text, _blocks(text, math_spans)):
        inside = [span for span in math_spans if block.start <= span.start < block.end]
        parts = [sentence for part in _tables_apart(text, block, inside) for sentence in _split(text, part, inside)]
        if parts:
            yield parts


def _blocks(text: str, math_spans: Sequence[Span]) -> list[Span]:
    """What blank lines divide; a blank line inside an equation does not."""
    cuts = [found.span() for found in _BLANK.finditer(text) if not _inside(found.start(), math_spans)]
    starts, ends = [0, *(cut[1] for cut in cuts)], [*(cut[0] for cut in cuts), len(text)]
    spans = [_trim(text, start, end) for start, end in zip(starts, ends, strict=True)]
    return [span for span in spans if span.start < span.end]


def _tied(text: str, blocks: Sequence[Span]) -> list[Span]:
    """Join a display equation to the sentence that it is part of, before it and behind it."""
    tied: list[Span] = []
    for block in blocks:
        before = text[tied[-1].start : tied[-1].end] if tied else ""
        here = text[block.start : block.end]
        leads = bool(_DISPLAY_START.match(here)) and not before.endswith((".", "!", "?", "。", "！", "？"))
        follows = bool(_DISPLAY_END.search(before)) and bool(_CONTINUES.match(here))
        if tied and (leads or follows):
            tied[-1] = Span(tied[-1].start, block.end)
        else:
            tied.append(block)
    return tied


def _tables_apart(text: str, block: Span, math_spans: Sequence[Span]) -> Iterator[Span]:
    """A block as runs of table rows and runs of other lines."""
    start, was_row = block.start, None
    for line in re.finditer(r"[^\n]*(?:\n|$)", text[block.start : block.end]):
        at = block.start + line.start()
        is_row = bool(_ROW.match(line[0])) if line[0].strip() and not _inside(at, math_spans) else was_row
        if was_row is not None and is_row != was_row:
            yield _trim(text, start, at)
            start = at
        was_row = is_row
    yield _trim(text, start, block.end)


def _split(text: str, part: Span, math_spans: Sequence[Span]) -> Iterator[Span]:
    if all(map(_ROW.match, text[part.start : part.end].splitlines())):
        yield part
        return
    start = part.start
    for cut in _cuts(text, part, math_spans):
        if _ends_sentence(text, start, cut, part.end):
            yield _trim(text, start, cut.end)
            start = cut.end
    rest = _trim(text, start, part.end)
    if rest.start < rest.end:
        yield rest


def _cuts(text: str, part: Span, math_spans: Sequence[Span]) -> list[Span]:
    """Where a sentence might end: final punctuation outside equations, and display equations that end with a full stop."""
    cuts = [Span(*found.span()) for found in _TERMINAL.finditer(text, part.start, part.end) if not _inside(found.start(), math_spans)]
    for span in math_spans:
        equation = text[span.start : span.end]
        if _DISPLAY_START.match(equation) and re.search(r"[.。]\s*(?:\$\$|\\\]|\\end\{\w+\*?\})$", equation):
            cuts.append(Span(span.end, span.end))
    return sorted(cuts, key=lambda cut: cut.end)


def _ends_sentence(text: str, start: int, cut: Span, end: int) -> bool:
    mark, after = text[cut.start : cut.end], text[cut.end : end]
    following = after.lstrip()
    if not following or mark.startswith(("。", "！", "？")):
        return True
    if following[0].islower() or following[0] in ",;:)]":
        return False
    if not after[0].isspace():
        return bool(_CJK.match(after))
    return not (mark.startswith(".") and _is_abbreviation(text[start : cut.start], following))


def _is_abbreviation(before: str, following: str) -> bool:
    """Whether the full stop between these two belongs to a word and not to the sentence."""
    found = re.search(r"[^\s(\[~{“\"'—–]*$", before)
    word = found[0] if found else ""
    plain, next_word = word.lower(), re.match(r"[A-Za-z]*", following)
    starter = next_word is not None and next_word[0].lower() in _STARTERS
    if plain in _ALWAYS and word != "ms":  # milliseconds
        return True
    if plain in _NUMBERED:
        return bool(re.match(r"[\d(\[$~]|[A-Z]\b(?!\s+[a-z])", following))
    if re.fullmatch(r"\d{1,2}|[IVX]+", word) and before.strip() == word:
        return True
    if re.fullmatch(r"[A-Z]", word):
        return not starter and not re.search(rf"(?:\d|\band|\bor|,)\s*{word}$", before)
    return not starter and (plain in _OPEN or bool(re.fullmatch(r"(?:[A-Za-z]\.)+[A-Za-z]", word)))


def _inside(position: int, spans: Sequence[Span]) -> bool:
    return any(span.start < position < span.end for span in spans)


def _trim(text: str, start: int, end: int) -> Span:
    """The span without white space at its ends."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    return Span(start + left, max(start + left, end - (len(piece) - len(piece.rstrip()))))
