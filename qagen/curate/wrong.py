"""Where wrong options come from: what a teacher wrote, what other questions are answered with, what the documents measure.

A wrong option is of the form of the right one (`qagen.curate.forms`) and a value of the same documents if they hold one: a model that has
only read the documents, and does not read the question, has then met all options alike. Made-up numbers are the last resort.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

from qagen.curate.forms import NUMERAL, Form, filled, form_of, numerals, value_of
from qagen.curate.likeness import dice, read, same_answer
from qagen.curate.numbers import Numbers, farness, like
from qagen.curate.split import draw
from qagen.own.ids import source_of
from qagen.records import QAPair

Origin = Literal["own", "answer", "document", "made"]
MOST: Final = 9  # wrong options to choose from for one question: 84 choices of three
_SAME_QUESTION: Final = 0.75  # from here on two questions may ask the same, so that the answer to one may be right for the other
_SHORTEST, _LONGEST = 0.6, 1.7  # times the length of the right answer that a text may have
_OCTAVES: Final = 3.0  # a number that is further off gives itself away
_INVENTED, _FOREIGN = 0.5, 1.0  # what a made-up number costs, and what is not the teacher's where it wrote some
_CUTS: Final = 4  # ways to cut values into groups of four, each leaving out others
TOGETHER: Final = 3  # wrong options of a question
_TEXT: Final = 4_000_000  # characters of the documents that are searched for values


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong option and where it comes from; `cost` is 0 for the best, and grows the worse it suits the question."""

    text: str
    origin: Origin
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Offer:
    """Wrong options, and the places of those that may stand together: sets of three, or of fewer if a teacher wrote no more."""

    wrong: tuple[Wrong, ...]
    sets: tuple[tuple[int, ...], ...]


class Wrongs:
    """What wrong options a set of pairs and the `texts` of their documents hold; nothing of it depends on the order of either."""

    def __init__(self, pairs: Sequence[QAPair], texts: Iterable[str], seed: int) -> None:
        self._seed = seed
        self._pairs: dict[tuple[str, str, Form], list[QAPair]] = defaultdict(list)
        for pair in pairs:
            self._pairs[source_of(pair.document_id), pair.language, form_of(pair.answer)].append(pair)
        self._values = _measured(texts, {form.frame for _, _, form in self._pairs if form.kind == "number"})
        self._values_of: dict[tuple[str, str, Form], set[str]] = {}
        self._said = Counter(_flat(pair.answer) for pair in pairs)

    def commonness(self, option: str) -> int:
        """How many pairs are answered so besides the one that it was taken from."""
        return max(0, self._said[_flat(option)] - 1)

    def of(self, pair: QAPair, evidence: str, place: int) -> Offer:
        """The wrong options for a pair, and which of them may stand together; no sets where there are none.

        What the evidence says is none, for it may be right as well; nor is what the question says. Numbers come in sets whose other
        members might as well be the right one, which is at `place` (0 to 3) by size in made-up ones (`qagen.curate.numbers`); of all
        else any three may stand together.
        """
        form = form_of(pair.answer)
        if form.kind == "number" and not pair.distractors:
            return self._numbers(pair, form, evidence, place)
        found: list[Wrong] = []
        for wrong in self._candidates(pair, form):
            fits = wrong.origin == "own" or not _is_said(wrong.text, pair, evidence)
            if fits and is_wrong(wrong.text, [pair.answer, *(one.text for one in found)]):
                found.append(wrong)
            if len(found) == MOST:
                break
        own = all(one.origin == "own" for one in found)
        several = min(TOGETHER, len(found)) if own else TOGETHER
        return Offer(tuple(found), tuple(combinations(range(len(found)), several)) if several else ())

    def _candidates(self, pair: QAPair, form: Form) -> Iterator[Wrong]:
        """What the teacher wrote, then what other questions are answered with; the best first."""
        own = [wrong for wrong in dict.fromkeys(pair.distractors) if wrong.strip()]
        yield from (Wrong(wrong, "own") for wrong in sorted(own, key=lambda wrong: (draw(self._seed, pair.id, wrong), wrong)))
        yield from (Wrong(answer, "answer", _FOREIGN if own else 0.0) for answer in self._answers(pair, form))

    def _numbers(self, pair: QAPair, form: Form, evidence: str, place: int) -> Offer:
        """The values of the documents with which the right one is grouped, and sets of made-up ones."""
        held: dict[str, Wrong] = {}
        sets: list[tuple[str, ...]] = []
        for numbers, origin in [*self._grouped(pair, form), *((made, "made") for made in like(pair.answer, place, self._seed))]:
            sets.append(tuple(filled(pair.answer, number) for number in numbers))
            for text in sets[-1]:
                held.setdefault(text, Wrong(text, origin, _INVENTED if origin == "made" else 0.0))
        bad = {text for text in held if _is_said(text, pair, evidence) or not is_wrong(text, [pair.answer])}
        good = [some for some in dict.fromkeys(sets) if not bad & set(some)]
        texts = tuple(dict.fromkeys(text for some in good for text in some))
        at = {text: place for place, text in enumerate(texts)}
        return Offer(tuple(held[text] for text in texts), tuple(tuple(at[text] for text in some) for some in good))

    def _grouped(self, pair: QAPair, form: Form) -> Iterator[tuple[tuple[Numbers, ...], Origin]]:
        """The other three of the group of the right value.

        The values that stand before the same words are sorted and cut into groups of four, in the same ways for all questions: within a
        group each is the right answer to its own question, and nothing in the group tells which one is asked for.
        """
        own = numerals(pair.answer)
        if len(own) > 1:
            return
        for group in self._groups(pair, form, own[0]):
            if own[0] in group and farness(group[0], group[-1]) <= _OCTAVES:
                yield tuple((one,) for one in group if one != own[0]), "document"

    def _groups(self, pair: QAPair, form: Form, own: str) -> list[list[str]]:
        home = source_of(pair.document_id), pair.language, form
        if home not in self._values_of:
            answers = [numerals(other.answer) for other in self._pairs[home]]
            self._values_of[home] = {one[0] for one in answers if len(one) == 1} | self._values.get(form.frame, set())
        values = {value_of(one): one for one in sorted(self._values_of[home] | {own}) if value_of(one)}
        groups = list[list[str]]()
        for cut in range(_CUTS):
            order = sorted(values, key=lambda value: draw(self._seed, str(cut), form.frame, values[value]))
            kept = [values[value] for value in sorted(order[len(values) % (TOGETHER + 1) :])]
            groups += [kept[at : at + TOGETHER + 1] for at in range(0, len(kept), TOGETHER + 1)]
        return groups

    def _answers(self, pair: QAPair, form: Form) -> list[str]:
        """What other questions of the same source, language and form are answered with, the likest in length first."""
        held: dict[str, QAPair] = {}
        for other in self._pairs[source_of(pair.document_id), pair.language, form]:
            fits = form.kind in ("number", "name") or _SHORTEST <= len(other.answer) / len(pair.answer) <= _LONGEST
            if other.id != pair.id and fits:
                held.setdefault(other.answer, other)

        def distance(answer: str) -> tuple[bool, float, float, str]:
            return held[answer].kind != pair.kind, _unlike(answer, pair.answer), draw(self._seed, pair.id, answer), answer

        question, nearest = read(pair.question).content, sorted(held, key=distance)[: 4 * MOST]
        return [answer for answer in nearest if dice(question, read(held[answer].question).content) < _SAME_QUESTION]


def is_wrong(answer: str, taken: Iterable[str]) -> bool:
    """Whether an answer can be told from every one taken: not the same, nor the same in more words."""
    read_answer = read(answer)
    return all(not same_answer(read_answer, read(other)) and _flat(answer) != _flat(other) for other in taken)


def _unlike(answer: str, other: str) -> float:
    """How much longer the longer of two answers is, in steps of a quarter."""
    longer, shorter = sorted((len(answer), len(other)), reverse=True)
    return round(4 * longer / max(1, shorter)) / 4


# ---- numbers


def _measured(texts: Iterable[str], frames: set[str]) -> dict[str, set[str]]:
    """The numerals that stand in texts before the words of a frame (`# mm`); a bare number may count anything, and is not looked for."""
    tails = {frame[1:]: frame for frame in frames if frame.startswith("#") and frame[1:].strip() and "#" not in frame[1:]}
    lengths = sorted({len(tail) for tail in tails})
    found: dict[str, set[str]] = defaultdict(set)
    left = _TEXT if tails else 0
    for text in texts:
        if left <= 0:
            break
        left -= len(text)
        for match in NUMERAL.finditer(text[:_TEXT]):
            after = " ".join(text[match.end() : match.end() + lengths[-1] + 8].split(" ")).replace("\n", " ").casefold()
            for length in lengths:
                if after[:length] in tails and not after[length : length + 1].isalnum():
                    found[tails[after[:length]]].add(match[0])
    return dict(found)


def _is_said(text: str, pair: QAPair, evidence: str) -> bool:
    """Whether the question or its evidence says it."""
    flat = _flat(text)
    return _holds(_flat(evidence), flat) or _holds(_flat(pair.question), flat)


def _holds(text: str, part: str) -> bool:
    """Whether a text says a part in whole words."""
    return f" {part} " in f" {text} "


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".。?？")
