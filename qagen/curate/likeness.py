"""How alike two questions are, and which questions are alike in a large set, found without comparing each with each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from qagen.curate.guards import Marks, contradict, take_marks
from qagen.curate.words import content, words


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the comparisons see it: all its words, those that carry the sense, and its marks."""

    words: tuple[str, ...]
    content: frozenset[str]
    marks: Marks


@lru_cache(maxsize=4096)
def read(text: str) -> Reading:
    """Read a question or an answer."""
    marks, rest = take_marks(text)
    # Quantities by their value: "7 TeV" and "7000 GeV" are one word.
    return Reading(tuple(words(text)), content(rest) | {f"{value:g} {unit}" for value, unit in marks.numbers}, marks)


def dice(a: frozenset[str], b: frozenset[str]) -> float:
    """2 |a ∩ b| / (|a| + |b|), in [0, 1]; 0 for two empty sets."""
    return 2 * len(a & b) / (len(a) + len(b)) if a or b else 0.0


def same_answer(a: Reading, b: Reading) -> bool:
    """Whether two answers to one question can both be the same answer, in other words or more of them."""
    if a.words == b.words:
        return True
    if contradict(a.marks, b.marks):
        return False
    if a.marks.numbers & b.marks.numbers:
        return True
    smaller = min(len(a.content), len(b.content))
    return bool(smaller) and len(a.content & b.content) >= smaller * (0.5 if smaller <= 8 else 0.25)


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
