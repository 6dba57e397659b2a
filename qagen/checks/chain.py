"""All rules on a finished pair against its document: what `python -m qagen filter` and other labs' own pairs go through."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from harvest.records import Document
from qagen.checks.ground import locate_quotes
from qagen.checks.injection import stretches
from qagen.checks.rules import Candidate, Fault, faults
from qagen.records import QAPair, Span

_BLOCK = 1500  # characters of a block of paragraphs; the context is made of whole ones, so that what is read of it is read once
_AROUND = 1500  # characters before and behind the evidence that may speak to a model
_ACRONYM = re.compile(
    r"(?:[A-Za-z][\w-]*[ -]){1,8}\(\s*([A-Z][A-Za-z0-9-]*[A-Z0-9][A-Za-z0-9-]*?)s?\s*[),;]|"
    r"\b([A-Z]{2,}[A-Za-z0-9-]*)s?\s*\((?:[a-z][\w-]*[ )]){2,8}|"
    r"[\u3400-\u9fff]{2,}\s*[（(]\s*(?:[A-Za-z ]+[，,]\s*)?([A-Z][A-Za-z0-9-]+)\s*[)）]"
)


def check_pair(
    pair: QAPair,
    documents: Document | Mapping[str, Document],
    *,
    quotes: Sequence[str] = (),
    language: str = "",
    defined: Collection[str] = (),
) -> list[Fault]:
    """All that is wrong with a pair, the most telling first; empty if no rule objects.

    The evidence is found by the pair's spans, or by `quotes` where it has none; its context is taken from around it.
    `language` is the one asked for (else the pair's own), `defined` are terms and symbols that need no explanation; the
    acronyms that the document writes out are names that need none. A pair whose document is not among `documents`, whose
    evidence is not in it or who has none is at fault for that and looked at no further.
    """
    held = {documents.id: documents} if isinstance(documents, Document) else documents
    placed = _placed(pair, held, quotes)
    if isinstance(placed, Fault):
        return [placed]
    evidence, context, titles, terms = [], [], [], set(defined)
    for document, spans in placed:
        evidence += [document.text[span.start : span.end] for span in spans]
        context.append(_context(document.text, spans))
        titles.append(document.paper.title)
        terms |= _written_out(document.text)
    candidate = Candidate(
        question=pair.question,
        answer=pair.answer,
        evidence="\n".join(evidence),
        context="\n\n".join(context),
        kind=pair.kind,
        steps=tuple(step.text for step in pair.steps),
        distractors=pair.distractors,
        language=language or pair.language,
        defined=frozenset(terms),
        title=" / ".join(titles),
    )
    return [*_rests_on_an_order(placed), *faults(candidate)]


Placed = list[tuple[Document, list[Span]]]


def _placed(pair: QAPair, documents: Mapping[str, Document], quotes: Sequence[str]) -> Placed | Fault:
    """The spans of the evidence by document, or why there are none."""
    if not pair.evidence and quotes:
        return _quoted(pair, documents, quotes)
    spans: dict[str, list[Span]] = {pair.document_id: []}
    for span in pair.evidence:
        spans.setdefault(span.document_id or pair.document_id, []).append(span)
    if missing := sorted(set(spans) - set(documents)):
        return Fault("no-document", f"{', '.join(missing)} is not among the documents")
    for name, found in spans.items():
        if any(not 0 <= span.start < span.end <= len(documents[name].text) for span in found):
            return Fault("evidence-out-of-range", f"{name} has {len(documents[name].text)} characters")
    if not pair.evidence and pair.kind not in ("unanswerable", "summary"):
        return Fault("no-evidence", "neither spans nor quotes")
    return [(documents[name], sorted(found, key=lambda span: span.start)) for name, found in spans.items()]


def _quoted(pair: QAPair, documents: Mapping[str, Document], quotes: Sequence[str]) -> Placed | Fault:
    if pair.document_id not in documents:
        return Fault("no-document", f"{pair.document_id} is not among the documents")
    document = documents[pair.document_id]
    found = locate_quotes(document.text, quotes)
    if found is None:
        return Fault("quote-not-found", f"`{' / '.join(quotes)[:200]}` is not in {document.id}")
    return [(document, found)]


def _context(text: str, spans: Sequence[Span]) -> str:
    """The blocks of paragraphs around the evidence, those before and behind it too; the beginning of the text where there is none."""
    borders, pieces = _borders(text), list[Span]()
    for span in spans or [Span(0, 0)]:
        first, last = max(0, bisect_right(borders, span.start) - 2), bisect_left(borders, span.end) + 1
        around = Span(borders[first], borders[min(last, len(borders) - 1)])
        if pieces and around.start <= pieces[-1].end:
            pieces[-1] = Span(pieces[-1].start, max(pieces[-1].end, around.end))
        else:
            pieces.append(around)
    return "\n\n".join(text[piece.start : piece.end] for piece in pieces)


@lru_cache(maxsize=64)
def _borders(text: str) -> tuple[int, ...]:
    """Where blocks of whole paragraphs begin, and the end of the text."""
    borders = [0]
    for found in re.finditer(r"\n\n", text):
        if found.end() - borders[-1] >= _BLOCK:
            borders.append(found.end())
    return (*borders, len(text))


def _rests_on_an_order(placed: Placed) -> list[Fault]:
    """Whether the evidence lies in a passage that speaks to a model, however little of it is quoted."""
    for document, spans in placed:
        for span in spans:
            start = max(document.text.rfind("\n\n", 0, span.start) + 1, span.start - _AROUND)
            around = document.text[start : span.end + _AROUND]
            for low, high in stretches(around):
                if start + low < span.end and span.start < start + high:
                    return [
                        Fault("injection", f"the evidence is part of a passage that speaks to a language model: {around[low:high][:80]}")
                    ]
    return []


@lru_cache(maxsize=64)
def _written_out(text: str) -> frozenset[str]:
    """The acronyms that a text introduces together with what they stand for."""
    return frozenset(name for found in _ACRONYM.finditer(text) for name in found.groups() if name)
