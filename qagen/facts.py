"""What a chunk states, one thing at a time: listed by the teacher, found in the text, said once.

A fact that cannot be found in the text is no fact but a rejection; what a document states in two places is one fact with
evidence in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from harvest.records import Rejection
from harvest.store import fingerprint
from qagen.checks.ground import locate_quote, numbers
from qagen.checks.rules import addresses_a_model
from qagen.checks.words import content_words
from qagen.kinds.shape import TEXT, TEXTS, listed
from qagen.kinds.specs import TOLD
from qagen.records import Chunk, Fact, Span
from qagen.sentences import captions, tables
from qagen.teacher.parse import list_schema, parse_items

STAGE = "generate"
SCHEMA: dict[str, Any] = list_schema(
    "facts", {"text": TEXT, "quotes": TEXTS, "kinds": {"type": "array", "items": {"type": "string", "enum": list(TOLD)}}}
)
_SAME = 0.85  # of the content words of two facts with the same numbers and negations, from which they are one
_LEAST_PIECE = 8  # characters of a piece of a quote with an ellipsis
_ELLIPSIS = re.compile(r"\s*(?:\[\s*(?:\.{3}|…)\s*\]|\.{3,}|…+)\s*")
_DENIAL = re.compile(r"\b(?:not|no|never|none|neither|nor|without|cannot|\w+n['’]t)\b|[不无無没沒未非]", re.I)


class _Stated(BaseModel):
    """A fact in a reply."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    text: str
    quotes: Annotated[list[str], BeforeValidator(listed)]
    kinds: Annotated[list[str], BeforeValidator(listed)] = []


def facts_in(chunk: Chunk, reply: str) -> tuple[list[Fact], list[Rejection]]:
    """The facts that a reply lists and the text bears out, in the order of the reply, and what was refused of it."""
    stated, unreadable = parse_items(reply, "facts", _Stated)
    refused = [Rejection(chunk.id, STAGE, "unreadable-reply", detail) for detail in unreadable]
    made = [_fact(chunk, one) for one in stated]
    facts = [one for one in made if isinstance(one, Fact)]
    return facts, [*refused, *(one for one in made if isinstance(one, Rejection))]


def joined(facts: Iterable[Fact]) -> tuple[list[Fact], list[tuple[str, Rejection]]]:
    """Facts in their order, each once: evidence and kinds of a repetition go to the first of its kind.

    A repetition in another chunk (whose id comes with it) is a rejection, so that it shows why nothing was asked about it there.
    """
    kept: list[Fact] = []
    said: list[tuple[str, Rejection]] = []
    words: list[frozenset[str]] = []
    places: dict[frozenset[str], list[int]] = {}
    for fact in facts:
        here, key = frozenset(content_words(fact.text)), _particulars(fact.text)
        at = next((at for at in places.get(key, ()) if _likeness(here, words[at]) >= _SAME), None)
        if at is None:
            places.setdefault(key, []).append(len(kept))
            kept.append(fact)
            words.append(here)
            continue
        first = kept[at]
        kinds = tuple(dict.fromkeys((*first.kinds, *fact.kinds)))
        kept[at] = replace(first, evidence=_together(first.evidence, fact.evidence), kinds=kinds)
        if first.chunk_id != fact.chunk_id:
            said.append((fact.chunk_id, Rejection(fact.id, STAGE, "said-before", f"{fact.text} | as in {first.chunk_id}")))
    return kept, said


def _fact(chunk: Chunk, stated: _Stated) -> Fact | Rejection:
    identifier = fingerprint(chunk.id, stated.text, stated.quotes)[:16]
    if not stated.text or not any(stated.quotes):
        lacks = "a quote" if stated.text else "words"
        return Rejection(identifier, STAGE, "unreadable-reply", f"a fact without {lacks}: {stated.text[:200]}")
    if words := next((words for text in (stated.text, *stated.quotes) if (words := addresses_a_model(text))), None):
        return Rejection(identifier, STAGE, "injection", f"the fact speaks to a language model: {words} | {stated.text[:200]}")
    spans: list[Span] = []
    for quote in filter(None, stated.quotes):
        found = _located(chunk.text, quote)
        if found is None:
            return Rejection(identifier, STAGE, "quote-not-found", f"`{quote[:200]}` is not in the text; the fact: {stated.text[:200]}")
        spans += found
    evidence = _together((), [*spans, *_heads(chunk.text, spans)])
    return Fact(identifier, chunk.id, stated.text, _moved(evidence, chunk.start), _kinds(chunk.text, stated.kinds, spans))


def _located(text: str, quote: str) -> list[Span] | None:
    """Where a quote stands; one with an ellipsis as its pieces, all of which must be there."""
    if found := locate_quote(text, quote):
        return [found]
    pieces = [piece for piece in _ELLIPSIS.split(quote) if len(piece) >= _LEAST_PIECE]
    spans = [locate_quote(text, piece) for piece in pieces] if len(pieces) > 1 else [None]
    return [span for span in spans if span] if all(spans) else None


def _heads(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """The heads and captions of the tables in which spans lie: a cell means nothing without them."""
    for table in tables(text):
        if any(table.rows.start <= span.start < table.rows.end for span in spans):
            yield from (part for part in (table.head, table.caption) if part is not None)


def _kinds(text: str, told: Iterable[str], spans: Sequence[Span]) -> tuple[str, ...]:
    """The kinds that the teacher names and rules allow; what stands in a table or a caption is known by its place."""
    kinds = [kind for kind in TOLD if kind in {one.strip().lower() for one in told}] or ["fact"]
    if not any(numbers(text[span.start : span.end]) for span in spans):
        kinds = [kind for kind in kinds if kind != "numerical"] or ["fact"]
    if _within(spans, [table.rows for table in tables(text)]):
        kinds = ["table", *(kind for kind in kinds if kind in ("fact", "numerical", "comparison", "choice"))]
    elif _within(spans, captions(text)):
        kinds = ["caption", *kinds]
    return tuple(kinds)


def _within(spans: Sequence[Span], places: Sequence[Span]) -> bool:
    return all(any(place.start <= span.start < place.end for place in places) for span in spans)


def _together(first: Iterable[Span], then: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in their order, without those that lie within another."""
    spans = list(dict.fromkeys((*first, *then)))
    return tuple(
        span for span in spans if not any(other != span and other.start <= span.start and span.end <= other.end for other in spans)
    )


def _moved(spans: Iterable[Span], by: int) -> tuple[Span, ...]:
    return tuple(Span(span.start + by, span.end + by) for span in spans)


def _particulars(text: str) -> frozenset[str]:
    """What must be the same in two facts that are one: numbers and negations."""
    return frozenset([*numbers(text), *(f"not {n}" for n in range(len(_DENIAL.findall(text))))])


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0
