"""How alike two questions are, and which questions are alike in a large set, found without comparing each with each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from qagen.curate.guards import Marks, asks_for, contradict, differ, shared_numbers, take_marks
from qagen.curate.lexicon import CONCEPTS
from qagen.curate.tokens import exchanged
from qagen.curate.words import plain, words

# How many of the words of the shorter answer the longer must have: of a few words half, of many a quarter; and nearly all
# where the questions themselves leave a doubt.
SHORT, SHORT_SHARE, LONG_SHARE, FULL = 8, 0.5, 0.25, 0.9


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the comparisons see it: all its words, those that carry the sense (in order, and as a set), its marks, what it asks."""

    words: tuple[str, ...]
    sequence: tuple[str, ...]
    content: frozenset[str]
    marks: Marks
    asks: str
    chinese: bool


@lru_cache(maxsize=4096)
def read(text: str) -> Reading:
    """Read a question or an answer."""
    flat = plain(text)
    marks, tokens = take_marks(flat)
    every = tuple(words(flat))
    # Quantities by their value: "7 TeV" and "7000 GeV" are one word.
    content = tokens.content() | {f"{value:g} {unit}" for value, unit in marks.numbers}
    return Reading(every, tokens.sequence, content or frozenset(every), marks, asks_for(flat), tokens.chinese)


def dice(a: frozenset[str], b: frozenset[str]) -> float:
    """2 |a ∩ b| / (|a| + |b|), in [0, 1]; 0 for two empty sets."""
    return 2 * len(a & b) / (len(a) + len(b)) if a or b else 0.0


def same_answer(a: Reading, b: Reading) -> bool:
    """Whether two answers to one question can both be the same answer, in other words or more of them."""
    return _same_answer(a, b, a.content, b.content)


def _same_answer(a: Reading, b: Reading, one: frozenset[str], two: frozenset[str]) -> bool:
    if a.words == b.words:
        return True
    if contradict(a.marks, b.marks):
        return False
    if shared_numbers(a.marks.numbers, b.marks.numbers):
        return True
    smaller = min(len(one), len(two))
    return bool(smaller) and len(one & two) >= smaller * (SHORT_SHARE if smaller <= SHORT else LONG_SHARE)


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its answer, read; `added` are the words of the answer without those that only say the question again."""

    question: Reading
    answer: Reading
    added: frozenset[str]


def read_pair(question: str, answer: str) -> Pair:
    """Read both."""
    asked, answered = read(question), read(answer)
    return Pair(asked, answered, answered.content - asked.content or answered.content)


def difference(a: Pair, b: Pair) -> str | None:
    """Why two pairs are not one however alike their questions are, or None: a number, a name, a negation, an opposite, what is
    asked for, what it is asked about, the answer.
    """
    if not same_numbers(a, b):
        return "numbers"
    if why := differ(a.question.marks, b.question.marks):
        return why
    if a.question.asks and b.question.asks and a.question.asks != b.question.asks:
        return "asks"
    if other_thing(a.question, b.question):
        return "exchanged"
    if not _same_answer(a.answer, b.answer, a.added, b.added):
        return "answer"
    # Where each question has a word of its own, the words may be synonyms or two things: the answers must agree in full.
    each = a.question.content - b.question.content and b.question.content - a.question.content
    return "answer" if each and _agreement(a, b) < FULL else None


def _agreement(a: Pair, b: Pair) -> float:
    """The share of the shorter answer that the longer says too; a quantity in common is an answer by itself, a bare number is a word."""
    one, two = a.answer.marks.numbers, b.answer.marks.numbers
    if a.answer.words == b.answer.words or (shared_numbers(one, two) and any(unit for _, unit in one | two)):
        return 1.0
    smaller = min(len(a.added), len(b.added))
    return len(a.added & b.added) / smaller if smaller else 0.0


def same_numbers(a: Pair, b: Pair) -> bool:
    """Whether two pairs name the same numbers: in their questions, or in all, for one may leave to its answer what another asks with."""
    one, two = a.question.marks.numbers, b.question.marks.numbers
    return one == two or one | a.answer.marks.numbers == two | b.answer.marks.numbers


def other_thing(a: Reading, b: Reading) -> bool:
    """Whether two questions of one frame are about two things: "how does the pion..." and "how does the kaon...".

    Two languages have no frame in common; there it is two things that both questions name and the glossary tells apart.
    """
    if any(not _one_word(x, y) for x, y in exchanged(a.sequence, b.sequence)):
        return True
    if a.chinese == b.chinese:
        return False
    return bool((a.content - b.content) & CONCEPTS and (b.content - a.content) & CONCEPTS)


def _one_word(x: Sequence[str], y: Sequence[str]) -> bool:
    """Forms of one word, by what they begin with: isomer, isomeric."""
    one, two = "".join(x), "".join(y)
    shared = next((place for place, (p, q) in enumerate(zip(one, two, strict=False)) if p != q), min(len(one), len(two)))
    return shared >= 4 and shared >= 0.66 * max(len(one), len(two))


class Neighbours:
    """Sets of words that are alike by at least `threshold` (Dice), all of them and no others.

    A set similarity join with prefix filter (Bayardo, Ma, Srikant 2007): two sets can only reach the threshold if
    they share one of their rarest words, so that only those are looked up. Exact, and nearly linear where questions differ.
    """

    def __init__(self, sets: Sequence[frozenset[str]], threshold: float) -> None:
        self._sets, self._threshold = sets, threshold
        self._frequency = Counter(word for held in sets for word in held)
        self._holders: dict[str, list[int]] = defaultdict(list)
        for number, held in enumerate(sets):
            for word in self._prefix(held):
                self._holders[word].append(number)

    def of(self, held: frozenset[str]) -> Iterator[tuple[int, float]]:
        """(index, likeness) of every set that is alike `held`, in the order of the indices."""
        found = {number for word in self._prefix(held) for number in self._holders.get(word, ())}
        for number in sorted(found):
            score = dice(held, self._sets[number])
            if score >= self._threshold:
                yield number, score

    def pairs(self) -> Iterator[tuple[int, int, float]]:
        """Every two sets that are alike, once, with their likeness."""
        for number, held in enumerate(self._sets):
            for other, score in self.of(held):
                if other < number:
                    yield other, number, score

    def _prefix(self, held: Iterable[str]) -> list[str]:
        order = sorted(held, key=lambda word: (self._frequency[word], word))
        # Overlap needed whatever the other's size; the small subtraction keeps rounding from asking for one too many.
        needed = ceil(self._threshold / (2 - self._threshold) * len(order) - 1e-9)
        return order[: len(order) - max(needed, 1) + 1]
