"""Two papers, one question, two values: found and shown with both sources and their dates, for a person to decide.

Pairs ask the same when their questions are alike in the words that carry the sense and name the same numbers, names and
sides of opposites (`qagen.curate`). Their values disagree when they differ by more than both uncertainties and what the
digits shown leave open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from qagen.checks.quantities import Quantity, quantities
from qagen.checks.typography import plain
from qagen.curate.guards import differ
from qagen.curate.likeness import Neighbours, Reading, other_thing, read
from qagen.records import QAPair

ALIKE = 0.75  # Dice coefficient of two questions' content words from which they ask the same


class Dated(Protocol):
    """What is looked up of a paper: `harvest.records.Paper` has it."""

    @property
    def title(self) -> str:
        """The title."""

    @property
    def published(self) -> str | None:
        """When it came out, ISO 8601."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two pairs of different papers that ask the same and give different values; the older paper first, where dates are known."""

    pairs: tuple[str, str]
    documents: tuple[str, str]
    titles: tuple[str, str]
    dates: tuple[str, str]
    questions: tuple[str, str]
    values: tuple[str, str]
    likeness: float


@dataclass(frozen=True, slots=True)
class _Said:
    pair: QAPair
    question: Reading
    values: tuple[Quantity, ...]
    day: tuple[int, int, int] | None


def find_conflicts(pairs: Iterable[QAPair], papers: Mapping[str, Dated]) -> list[Conflict]:
    """Every two pairs from different documents that ask the same and disagree on a value, by their ids.

    `papers` are looked up by the document's id; a document that is not among them has no title and no date. Only questions
    that share one of their rarest words are compared, so that the time grows with what is alike and not with the square.
    """
    said = [one for pair in pairs if (one := _read(pair)) is not None]
    found = [
        _conflict(said[a], said[b], papers, likeness)
        for a, b, likeness in Neighbours([one.question.content for one in said], ALIKE).pairs()
        if _ask_the_same(said[a], said[b]) and _disagree(said[a], said[b])
    ]
    return sorted(found, key=lambda conflict: (conflict.pairs, conflict.documents))


def _read(pair: QAPair) -> _Said | None:
    """What can be compared of a pair; None where the answer holds no value of its own. A paraphrase says nothing new."""
    if pair.paraphrase_of or pair.kind in ("unanswerable", "summary"):
        return None
    asked = {one.key for one in quantities(pair.question)}
    day = _day(pair.answer)
    values = () if day else tuple(one for one in quantities(pair.answer) if one.key not in asked and not _is_error(one, pair.answer))
    return _Said(pair, read(pair.question), values, day) if values or day else None


def _is_error(one: Quantity, answer: str) -> bool:
    """Whether a quantity is the uncertainty of the one before it."""
    return any(
        other.uncertainty == one.value and other.end == one.end and other.start == one.start for other in quantities(answer) if other != one
    )


def _ask_the_same(a: _Said, b: _Said) -> bool:
    if a.pair.document_id == b.pair.document_id or a.question.marks.numbers != b.question.marks.numbers:
        return False
    return differ(a.question.marks, b.question.marks) is None and not other_thing(a.question, b.question)


def _disagree(a: _Said, b: _Said) -> bool:
    if a.day or b.day:
        return bool(a.day and b.day) and a.day != b.day
    comparable = [(x, y) for x in a.values for y in b.values if x.unit.dimension == y.unit.dimension]
    return bool(comparable) and not any(agree(x, y) for x, y in comparable)


def agree(a: Quantity, b: Quantity) -> bool:
    """Whether two values can be of one thing: equal within both uncertainties and half of what their last digits are worth."""
    if a.unit.dimension != b.unit.dimension:
        return False
    open_a, open_b = (one.unit.scale * (one.uncertainty + 0.5 * one.place * (not one.word)) for one in (a, b))
    return abs(a.base - b.base) <= (open_a + open_b) * (1 + 1e-9)


def _conflict(a: _Said, b: _Said, papers: Mapping[str, Dated], likeness: float) -> Conflict:
    first, second = sorted((a.pair, b.pair), key=lambda pair: (_date(pair, papers) or "9999", pair.id))
    return Conflict(
        pairs=(first.id, second.id),
        documents=(first.document_id, second.document_id),
        titles=(_title(first, papers), _title(second, papers)),
        dates=(_date(first, papers), _date(second, papers)),
        questions=(first.question, second.question),
        values=(first.answer, second.answer),
        likeness=likeness,
    )


def _title(pair: QAPair, papers: Mapping[str, Dated]) -> str:
    return papers[pair.document_id].title if pair.document_id in papers else ""


def _date(pair: QAPair, papers: Mapping[str, Dated]) -> str:
    return (papers[pair.document_id].published or "")[:10] if pair.document_id in papers else ""


# ---- dates

_MONTHS_TEXT = "january february march april may june july august september october november december"
_MONTHS = _MONTHS_TEXT.split()
_MONTH = "|".join(_MONTHS)
_DAY = re.compile(
    rf"\b(?:(?P<d1>\d{{1,2}})\s+)?(?P<m1>{_MONTH})\s+(?:(?P<d2>\d{{1,2}}),?\s+)?(?P<y1>\d{{4}})\b|\b(?P<y2>\d{{4}})-(?P<m2>\d\d)-(?P<d3>\d\d)\b"
    r"|(?P<y3>\d{4})\s?年(?:\s?(?P<m3>\d{1,2})\s?月(?:\s?(?P<d4>\d{1,2})\s?日)?)?",
    re.I,
)


def _day(answer: str) -> tuple[int, int, int] | None:
    """The date that an answer gives; month and day are 0 where it does not say them."""
    found = _DAY.search(plain(answer))
    if not found:
        return None
    year = found["y1"] or found["y2"] or found["y3"]
    month = _MONTHS.index(found["m1"].lower()) + 1 if found["m1"] else int(found["m2"] or found["m3"] or 0)
    return int(year), month, int(found["d1"] or found["d2"] or found["d3"] or found["d4"] or 0)
