"""Which fact is asked about in which way, so that the kinds of a document come near the weights of the settings.

Everything here is deterministic and needs no teacher, so that a forecast can count with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor

from harvest.store import fingerprint
from qagen.checks.words import content_words
from qagen.kinds.specs import PER_FACT, SPECS
from qagen.records import Chunk, Fact

_MOST_OTHERS = 4  # facts from elsewhere that a comparison may draw on
_LEAST_SHARED = 2  # content words that they share with those of the chunk


@dataclass(frozen=True, slots=True)
class Slot:
    """What one request asks for: a question of a kind about each of the facts; `others` may be drawn on."""

    chunk_id: str
    kind: str
    facts: tuple[Fact, ...]
    others: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """All that is asked about the facts of a document, and the facts that nothing is asked about, with the reason."""

    slots: tuple[Slot, ...]
    left: tuple[tuple[Fact, str, str], ...]


def assign(document_id: str, chunks: Sequence[Chunk], facts: Iterable[Fact], weights: Mapping[str, float], most: int) -> Assignment:
    """Give each fact the kind that lacks most of those that it suits; at most `most` questions per chunk.

    Kinds stand to each other as their weights, as far as facts suit them (seats by the largest quotient, as in a proportional
    election). A hash of the document decides which kind comes first and what becomes of fractions of a question, so that many
    short documents together come to the weights too.
    """
    listed = list(facts)
    open_ended = _open_ended(document_id, listed, weights)
    chosen: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    left: list[tuple[Fact, str, str]] = []
    counts, taken = Counter[str](), Counter[str](open_ended)
    share = _shares(weights)
    for fact in listed:
        suited = [kind for kind in fact.kinds if share.get(kind)]
        if not suited:
            left.append((fact, "kind-not-wanted", f"it suits {', '.join(fact.kinds)}, which have no weight: {fact.text}"))
        elif taken[fact.chunk_id] >= most:
            left.append((fact, "not-asked", f"pairs_per_chunk is {most}: {fact.text}"))
        else:
            kind = min(suited, key=lambda kind: (counts[kind] + _chance(document_id, kind)) / share[kind])
            counts[kind] += 1
            taken[fact.chunk_id] += 1
            chosen[fact.chunk_id, kind].append(fact)
    by_chunk = _by_chunk(listed)
    slots = []
    for chunk in chunks:
        own = by_chunk.get(chunk.id, [])
        slots += [Slot(chunk.id, kind, tuple(found)) for kind in SPECS if (found := chosen.get((chunk.id, kind)))]
        slots += [Slot(chunk.id, "unanswerable", tuple(own))] if chunk.id in open_ended else []
    return Assignment(tuple(_with_others(slots, listed)), tuple(left))


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.get(kind, 0.0) for kind in PER_FACT)
    return {kind: weights.get(kind, 0.0) / total for kind in PER_FACT if weights.get(kind)} if total else {}


def _open_ended(document_id: str, facts: Sequence[Fact], weights: Mapping[str, float]) -> list[str]:
    """The chunks that get a question that they leave open: those that state most, as many as the weight is worth."""
    weight, total = weights.get("unanswerable", 0.0), sum(weights.get(kind, 0.0) for kind in (*PER_FACT, "unanswerable"))
    due = floor(len(facts) * weight / total + _chance(document_id, "unanswerable")) if total else 0
    stated = Counter(fact.chunk_id for fact in facts)
    return [chunk for chunk, _ in stated.most_common(due)]


def _chance(document_id: str, kind: str) -> float:
    """A number in [0, 1) that is always the same for a document and a kind."""
    return int(fingerprint(document_id, kind)[:8], 16) / 16**8


def _by_chunk(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        found[fact.chunk_id].append(fact)
    return found


def _with_others(slots: Sequence[Slot], listed: Sequence[Fact]) -> Iterator[Slot]:
    """The slots, those for comparisons with what else they may draw on."""
    words = {fact.id: frozenset(content_words(fact.text)) for fact in listed} if any(slot.kind == "comparison" for slot in slots) else {}
    for slot in slots:
        yield replace(slot, others=_others(slot, listed, words)) if slot.kind == "comparison" else slot


def _others(slot: Slot, listed: Sequence[Fact], words: Mapping[str, frozenset[str]]) -> tuple[Fact, ...]:
    """The other facts of the chunk, and those of the document that are about the same."""
    own, about = {fact.id for fact in slot.facts}, frozenset().union(*(words[fact.id] for fact in slot.facts))
    beside = [fact for fact in listed if fact.chunk_id == slot.chunk_id and fact.id not in own]
    near = [(len(about & words[fact.id]), fact) for fact in listed if fact.chunk_id != slot.chunk_id]
    ranked = sorted((entry for entry in near if entry[0] >= _LEAST_SHARED), key=lambda entry: -entry[0])
    return (*beside, *(fact for _, fact in ranked[:_MOST_OTHERS]))
