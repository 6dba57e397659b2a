"""A document cut into chunks of whole sentences.

Nothing is ever rewritten: sentences and chunks are spans of the document, so that what is made of them can be walked
back to its characters. An equation (`$..$`, `$$..$$`, `\\[..\\]`, an environment) is never cut; a table stays whole and with
its caption, but for one that is longer than several chunks, which is cut between rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harvest.records import Document, Section
from qagen.config import ChunkConfig
from qagen.context import by_term, defined_before, definitions_in
from qagen.records import Chunk, Definition, Span
from qagen.sentences import head_of, is_caption, is_table, paragraphs, trimmed
from qagen.sentences import sentences as sentences

_TABLE_LIMITS = 4  # times the length of a chunk that a table may have before it is cut


@dataclass(frozen=True, slots=True)
class _Zone:
    heading: str
    start: int
    end: int


def chunk_document(document: Document, config: ChunkConfig = ChunkConfig()) -> list[Chunk]:  # noqa: B008 - frozen
    """Cut a document into chunks, in order: by section, whole paragraphs first, else whole sentences.

    Every character that is neither white space nor a heading is in exactly one chunk. A chunk is at most
    `config.max_chars` long unless a single sentence, equation or table is longer (of a table more than four times as long,
    a row). `Chunk.section` is the path of headings, such as `Magnets > Power supplies`; the id names document and span.
    `definitions` say what its symbols, acronyms and names stand for, where the document has said so before, and of a piece of
    a table what its columns are.
    """
    text, title = document.text, document.paper.title
    index = by_term(definitions_in(text, document.sections))
    return [
        Chunk(
            id=f"{document.id}#{span.start}-{span.end}",
            document_id=document.id,
            section=zone.heading,
            start=span.start,
            end=span.end,
            text=text[span.start : span.end],
            title=title,
            definitions=(*_columns(text, span), *defined_before(text[span.start : span.end], span.start, index)),
        )
        for zone in _zones(document)
        for span in _zone_spans(text, zone, config.max_chars)
    ]


# ---- sections


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
    for paragraph in paragraphs(text[zone.start : zone.end]):
        whole = Span(paragraph[0].start, paragraph[-1].end)
        most = limit * _TABLE_LIMITS if _is_one_table(text[zone.start : zone.end], paragraph) else limit
        if whole.end - whole.start <= most:
            pieces.append(whole)
        else:
            pieces += _pack([row for part in paragraph for row in _rows(text[zone.start : zone.end], part, limit * _TABLE_LIMITS)], limit)
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
    if span.end - span.start <= limit or not is_table(piece):
        return [span]
    return [trimmed(text, span.start + line.start(), span.start + line.end()) for line in re.finditer(r"[^\n]+", piece) if line[0].strip()]


def _is_one_table(text: str, paragraph: Sequence[Span]) -> bool:
    """Whether a paragraph is a table, alone or below its caption."""
    first, last = (text[part.start : part.end] for part in (paragraph[0], paragraph[-1]))
    return is_table(last) and (len(paragraph) == 1 or is_caption(first, of_table=True))


def _columns(text: str, span: Span) -> Iterator[Definition]:
    """What the columns are of a table of which a chunk has a later piece."""
    if head := head_of(text, span.start):
        yield Definition("columns of the table", text[head.start : head.end].strip(), head)
