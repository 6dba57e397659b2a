"""The outline (bookmarks) of a PDF, which its author's program wrote, and the headings of its text brought in line with it.

An entry says page, rank and words of a heading; the paragraph with these words on that page is the heading. Headings that the
outline does not know stay, below the entry that they stand under.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harvest.readers.extract import Extract
from harvest.records import Section

_LEAST = 3  # entries that are found in the text
_SHARE = 0.6  # of all entries
_MAX_ENTRIES = 3000
_LABEL = re.compile(
    r"^(?:(?:chapter|appendix|section|part)\s*)?(?:\d+(?:\.\d+)*|[ivxlc]+|[a-z](?:\.\d+)*)[.:\s]+|^第\s*\S{1,4}\s*[章节]\s*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of an outline: `level` from 1, `page` from 1."""

    level: int
    title: str
    page: int


@dataclass(frozen=True, slots=True)
class _Heading:
    title: str
    level: int
    start: int  # of the heading itself
    end: int


def outline_of(data: bytes) -> tuple[Entry, ...]:
    """The outline of a PDF that can be opened; empty where it has none."""
    import pymupdf

    with pymupdf.open(stream=data, filetype="pdf") as file:
        if file.needs_pass:
            return ()
        return tuple(Entry(level, str(title), page) for level, title, page, *_ in file.get_toc(simple=True)[:_MAX_ENTRIES] if page > 0)


def follow_outline(extract: Extract, entries: Sequence[Entry]) -> Extract:
    """The extract with the sections that the outline says; unchanged where too few of its entries are found on their pages."""
    found = list(_found(extract, entries))
    if len(found) < max(_LEAST, _SHARE * len(entries)):
        return extract
    return replace(extract, sections=_sections(extract, _with_others(extract, found)))


def _found(extract: Extract, entries: Sequence[Entry]) -> Iterator[_Heading]:
    """The headings of the outline in the text, in order."""
    spans = {page.number: page.spans for page in extract.pages}
    at = 0
    for entry in entries:
        for start, end in spans.get(entry.page, ()):
            heading = _paragraph(extract.text, max(start, at), end, entry)
            if heading:
                yield heading
                at = heading.end
                break


def _paragraph(text: str, start: int, end: int, entry: Entry) -> _Heading | None:
    """The first paragraph of a stretch that says the title of an entry, with or without its number."""
    wanted = _plain(entry.title)
    if start and text[start - 2 : start] != "\n\n":
        start = text.rfind("\n\n", 0, start) + 2 if "\n\n" in text[:start] else 0
    while 0 <= start < end:
        stop = text.find("\n\n", start)
        stop = len(text) if stop < 0 else stop
        words = text[start:stop]
        if wanted and len(words) < 2 * len(entry.title) + 30 and _plain(words) == wanted:
            return _Heading(words, entry.level, start, stop)
        start = stop + 2
    return None


def _plain(title: str) -> str:
    """Letters and figures of a title, without its number."""
    text = unicodedata.normalize("NFKC", title).strip()
    bare = _LABEL.sub("", text) or text
    return re.sub(r"[\W_]+", "", bare).lower()


def _with_others(extract: Extract, found: Sequence[_Heading]) -> list[_Heading]:
    """The headings of the outline and, below them, those that only the text shows."""
    starts = {heading.start for heading in found}
    others = []
    for section in extract.sections:
        start = section.start - 2 - len(section.title)
        if not section.title or start in starts or extract.text[max(start, 0) : section.start - 2] != section.title:
            continue
        above = next((heading for heading in reversed(found) if heading.start < start), None)
        others.append(
            _Heading(section.title, max(section.level, above.level + 1) if above else section.level + 1, start, section.start - 2)
        )
    return sorted([*found, *others], key=lambda heading: heading.start)


def _sections(extract: Extract, headings: Sequence[_Heading]) -> tuple[Section, ...]:
    """The spans below headings; what stands above the first belongs to a section without a title."""
    length = len(extract.text)
    first = headings[0].start
    sections = [Section("", 1, 0, max(first - 2, 0))] if first > 0 else []
    for heading, after in zip(headings, [*(h.start for h in headings[1:]), length + 2], strict=True):
        start = min(heading.end + 2, length)
        sections.append(Section(heading.title, heading.level, start, max(start, min(after - 2, length))))
    return tuple(sections)
