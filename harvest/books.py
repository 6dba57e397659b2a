"""A book to its chapters: one Document each, with the book's licence, its own sections and its own pages.

Chapters are the sections of the level on which the book is divided: below the parts where it has parts, below its title where
that is a heading. What is not a chapter (contents, lists, prefaces, index, bibliography) is left out; the first chapter says what.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harvest.records import Document, Page, Section
from harvest.store import sha256_text

_NUMBERED = re.compile(
    r"^(?:chapter|lecture|lesson|unit|kapitel|chapitre|cap[ií]tulo|глава)\s+(?:\d+|[IVXLC]+|[a-z]+)\b|^第\s*[一二三四五六七八九十百\d]+\s*[章讲]",
    re.IGNORECASE,
)
_PART = re.compile(r"^(?:part|teil|partie|parte|часть)\s+(?:\d+|[IVXLC]+|[a-z]+)\b|^第\s*[一二三四五六七八九十\d]+\s*[部篇]", re.IGNORECASE)
_MATTER = re.compile(
    r"^(?:(?:table of )?contents|list of \w+(?: and \w+)?|(?:subject |author )?index|bibliography|references?|literature|further reading|"
    r"preface\b.*|foreword\b.*|acknowledge?ments?|dedication|copyright\b.*|about (?:the|this) (?:authors?|book)|"
    r"title page|cover|colophon|imprint|inhaltsverzeichnis|literaturverzeichnis|vorwort|"
    r"目\s*录|图形列表|表格列表|插图目录|参\s*考\s*文\s*献|索\s*引|前\s*言|序\s*言?|致\s*谢)$",
    re.IGNORECASE,
)
_SHARE = 0.6  # of the text that chapters hold at least, or the level is not theirs
_LEAST = 20  # letters and figures of a chapter


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of a book: its heading and the characters from `start` to `end` below it."""

    title: str
    start: int
    end: int
    level: int


def chapters(document: Document) -> tuple[Document, ...]:
    """The chapters of a book in their order; the book itself, with a warning, where it has no chapters.

    Each text is a substring of the book's, without the heading, which is in the title ("Book: Chapter"); ids are the book's
    with /chapter-01 and so on. `references` are those of the whole book, for any chapter cites from them.
    """
    spans = _spans(document)
    wanted = [span for span in spans if not _why_aside(span, document)]
    if len(wanted) < 2:
        return (replace(document, warnings=(*document.warnings, "no chapters were found in this book; it is kept whole")),)
    aside = [f"{span.title or 'what stands before the first chapter'} ({why})" for span in spans if (why := _why_aside(span, document))]
    note = (f"left out of the book: {', '.join(aside)}",) if aside else ()
    width = max(2, len(str(len(wanted))))
    made = [_chapter(document, span, f"{number:0{width}}") for number, span in enumerate(wanted, 1)]
    made[0] = replace(made[0], warnings=(*made[0].warnings, *note))
    return tuple(made)


def _why_aside(span: _Span, document: Document) -> str:
    """Why a stretch is no chapter; empty if it is one."""
    if not span.title:
        return "front matter"
    if _MATTER.match(span.title.strip()):
        return "no chapter"
    return "no text" if len(re.findall(r"\w", document.text[span.start : span.end])) < _LEAST else ""


def _spans(document: Document) -> list[_Span]:
    """The book cut at the headings of its chapters, at those of the same or a higher rank, and before the first."""
    sections = [section for section in document.sections if section.title]
    heads = _heads(sections, document.text)
    if not heads:
        return []
    level = min(section.level for section in heads)
    cuts = [section for section in sections if section in heads or section.level < level]
    starts = [heading_start(document.text, section) for section in cuts]
    first = [_Span("", 0, starts[0], level)] if starts[0] > 0 else []
    return first + [
        _Span(_title(section, sections), section.start, max(section.start, _end(document.text, section.start, after)), section.level)
        for section, after in zip(cuts, [*starts[1:], len(document.text)], strict=True)
    ]


def _heads(sections: Sequence[Section], text: str) -> list[Section]:
    """The headings of chapters: those that say so, else all of the highest level that divides most of the text."""
    said = [section for section in sections if _NUMBERED.match(section.title)]
    if len(said) > 1 and len({section.level for section in said}) == 1:
        others = [s for s in sections if s.level == said[0].level and s.start > said[0].start and _is_matter_or_appendix(s.title)]
        return sorted([*_before(said[0], sections), *said, *others], key=lambda section: section.start)
    for level in sorted({section.level for section in sections}):
        heads = [section for section in sections if section.level == level]
        parts = sum(_PART.match(section.title) is not None for section in heads)
        proper = [section for section in heads if not _MATTER.match(section.title.strip())]
        if len(proper) > 1 and parts * 2 < len(proper) and len(text) - proper[0].start > _SHARE * len(text):
            return heads
    return []


def _before(first: Section, sections: Sequence[Section]) -> list[Section]:
    """The chapters before the first that says its number, where that is not 1: of some pages the label is not read."""
    number = re.search(r"\d+", first.title)
    missing = int(number[0]) - 1 if number else 0
    above = [s for s in sections if s.level == first.level and s.start < first.start and not _MATTER.match(s.title.strip())]
    return above[-missing:] if missing else []


def _is_matter_or_appendix(title: str) -> bool:
    return (
        _MATTER.match(title.strip()) is not None or re.match(r"(?:appendix|appendices|附\s*录|anhang)\b", title, re.IGNORECASE) is not None
    )


def _title(section: Section, sections: Sequence[Section]) -> str:
    """The heading of a chapter; "Chapter 3" alone takes in the heading right below it."""
    number = _NUMBERED.match(section.title)
    if not number or number.end() < len(section.title.rstrip(" .:")) or section.start != section.end:
        return section.title
    below = next((other for other in sections if other.start > section.end), None)
    near = below is not None and below.start - section.end <= len(below.title) + 4
    return f"{section.title.rstrip(' .:')}: {below.title}" if below is not None and near else section.title


def heading_start(text: str, section: Section) -> int:
    """Where the heading of a section begins: it is the paragraph before its text, or the end of the document."""
    for gap in (2, 0):  # a section without text at the end of the document has no blank line below its heading
        start = section.start - gap - len(section.title)
        if start >= 0 and text.startswith(section.title, start):
            return start
    return section.start


def _end(text: str, start: int, after: int) -> int:
    """The end of a stretch without the blank line before the next heading."""
    return start + len(text[start:after].rstrip())


def _chapter(document: Document, span: _Span, number: str) -> Document:
    text = document.text[span.start : span.end]
    identifier = f"{document.id}/chapter-{number}"
    pages = _pages(document.pages, span)
    numbers = {page.number for page in pages}
    return replace(
        document,
        id=identifier,
        paper=replace(document.paper, id=identifier, title=f"{document.paper.title}: {span.title}"),
        text=text,
        sha256=sha256_text(text),
        sections=_sections(document.sections, span),
        pages=pages,
        hidden=tuple(item for item in document.hidden if item.page in numbers),
        also=(),
    )


def _sections(sections: Sequence[Section], span: _Span) -> tuple[Section, ...]:
    """The sections of a chapter from its beginning, one level below the chapter being the topmost."""
    inside = [s for s in sections if s.title and span.start < s.start <= span.end and s.start - len(s.title) >= span.start]
    own = next((s for s in sections if s.start == span.start and s.end >= s.start), None)
    shift = min((s.level for s in inside), default=1) - 1
    length = span.end - span.start
    made = [
        Section(s.title, s.level - shift, min(s.start - span.start, length), min(max(s.end, s.start) - span.start, length)) for s in inside
    ]
    if own is not None and own.end > own.start:
        made.insert(0, Section("", 1, 0, min(own.end - span.start, length)))
    return tuple(made)


def _pages(pages: Sequence[Page], span: _Span) -> tuple[Page, ...]:
    """The pages that a chapter stands on, their spans counted from its beginning; those left out between them as well."""
    cut = [(page, _clipped(page, span)) for page in pages]
    on = [page.number for page, spans in cut if spans]
    if not on:
        return ()
    return tuple(replace(page, spans=spans) for page, spans in cut if spans or (page.reason and min(on) < page.number < max(on)))


def _clipped(page: Page, span: _Span) -> tuple[tuple[int, int], ...]:
    both = ((max(start, span.start) - span.start, min(end, span.end) - span.start) for start, end in page.spans)
    return tuple((start, end) for start, end in both if start < end)
