"""The abstract of a document, and the one question that it sums up."""

from __future__ import annotations

import re
from dataclasses import replace

from harvest.records import Document, Section
from harvest.store import fingerprint
from qagen.checks.ground import locate_quote
from qagen.kinds.assign import Slot
from qagen.records import Chunk, Fact, Span

ABSTRACT = re.compile(r"^(?:[\dIVX.]+\s+)?(?:abstract|executive summary|摘\s*要|内容提要)[.:：]?$", re.I)
_NEAR_THE_TOP = 20_000  # characters in which an abstract stands
_SHORTEST, _LONGEST = 150, 6000  # characters of an abstract


def summary_slot(document: Document, chunks: dict[str, Chunk]) -> tuple[Slot, Chunk] | None:
    """A slot for the abstract and the passage to show for it; None where the document has none."""
    span = abstract_of(document)
    first = next((chunk for chunk in chunks.values() if span and chunk.start < span.end and span.start < chunk.end), None)
    if span is None or first is None:
        return None
    text = document.text[span.start : span.end]
    fact = Fact(fingerprint(document.id, "summary", span)[:16], first.id, "The abstract.", (span,), ("summary",))
    return Slot(first.id, "summary", (fact,)), replace(first, start=span.start, end=span.end, text=text, section="Abstract")


def abstract_of(document: Document) -> Span | None:
    """Where the abstract stands: the source's own where the text has it, else the first section of that name."""
    own = " ".join(document.paper.abstract.split())
    found = locate_quote(document.text[:_NEAR_THE_TOP], own) if own else None
    places = [_body(document, section) for section in document.sections if ABSTRACT.match(section.title.strip())]
    return next((span for span in (found, *places) if span and _SHORTEST <= span.end - span.start <= _LONGEST), None)


def _body(document: Document, section: Section) -> Span:
    """A section without the heading on its first line and white space at its ends."""
    text, end = document.text[section.start : section.end].removeprefix(section.title), section.end
    start = end - len(text)
    left = len(text) - len(text.lstrip())
    return Span(start + left, max(start + left, end - (len(text) - len(text.rstrip()))))
