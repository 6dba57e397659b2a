"""What is kept of a pair while many are compared: a few hundred bytes of hashes, in arrays, whatever the length of its text."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from zlib import crc32

import numpy as np
import numpy.typing as npt

from qagen.curate.guards import qualifiers
from qagen.curate.likeness import Pair

Ids = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Sets:
    """Sets of 32-bit hashes, one after the other: set `i` is `held[start[i]:start[i + 1]]`."""

    start: Ids
    held: npt.NDArray[np.uint32]

    def sizes(self) -> Ids:
        """How many each set holds."""
        return np.diff(self.start)

    def owners(self) -> Ids:
        """For each element the set that it is in."""
        return np.repeat(np.arange(len(self.start) - 1), self.sizes())

    def take(self, rows: Ids) -> Sets:
        """The sets of these rows."""
        sizes = self.sizes()[rows]
        start = np.concatenate([[0], np.cumsum(sizes)])
        places = np.repeat(self.start[rows] - start[:-1], sizes) + np.arange(start[-1])
        return Sets(start, self.held[places])


@dataclass(frozen=True, slots=True)
class Features:
    """Of `n` pairs: words of the question, words and numbers of the answer, and what must be equal in two pairs that are one.

    `exact` is a hash of all words; `frame` of the question's numbers, negation and qualifiers; `whole` of the same with the
    answer's numbers. `answer` are the words that an answer adds to the question, `firm` its numbers and itself as a whole;
    `names` are those of the question, `forms` all its words as written.
    """

    exact: Hashes
    frame: Hashes
    whole: Hashes
    chinese: npt.NDArray[np.bool_]
    question: Sets
    answer: Sets
    firm: Sets
    names: Sets
    forms: Sets

    def take(self, rows: Ids) -> Features:
        """The features of these pairs."""
        sets = [held.take(rows) for held in (self.question, self.answer, self.firm, self.names, self.forms)]
        return Features(self.exact[rows], self.frame[rows], self.whole[rows], self.chinese[rows], *sets)


class Gathered:
    """Features of pairs that come one by one."""

    def __init__(self) -> None:
        self._exact, self._frame, self._whole, self._chinese = array("Q"), array("Q"), array("Q"), array("b")
        self._sets = {name: (array("q", [0]), array("I")) for name in ("question", "answer", "firm", "names", "forms")}

    def add(self, pair: Pair) -> None:
        """Take in the next pair."""
        question, answer = pair.question, pair.answer
        numbers, marks = question.marks.numbers, _sorted(qualifiers(question.marks))
        self._exact.append(_hash(question.words, answer.words, _sorted(numbers), _sorted(answer.marks.numbers), marks))
        self._frame.append(_hash(question.marks.negated, marks, _sorted(numbers)))
        self._whole.append(_hash(question.marks.negated, marks, _sorted(numbers | answer.marks.numbers)))
        self._chinese.append(question.chinese)
        self._put("question", map(_token, question.content))
        self._put("answer", map(_token, pair.added))
        self._put("names", map(_token, question.marks.names))
        self._put("forms", map(_token, question.marks.forms))
        self._put("firm", {crc32(f"#{value}".encode()) for value, _ in answer.marks.numbers} | {crc32("\n".join(answer.words).encode())})

    def _put(self, name: str, hashes: Iterable[int]) -> None:
        start, held = self._sets[name]
        held.extend(sorted(set(hashes)))
        start.append(len(held))

    def done(self) -> Features:
        """All of them, as arrays."""
        sets = {
            name: Sets(np.frombuffer(start, dtype=np.int64), np.frombuffer(held, dtype=np.uint32) if held else np.zeros(0, np.uint32))
            for name, (start, held) in self._sets.items()
        }
        exact, frame, whole = (np.array(held, dtype=np.uint64) for held in (self._exact, self._frame, self._whole))
        return Features(exact, frame, whole, np.array(self._chinese, dtype=bool), **sets)


def _sorted(held: Iterable[object]) -> list[str]:
    return sorted(map(repr, held))


def _hash(*parts: object) -> int:
    return int.from_bytes(blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@lru_cache(maxsize=1 << 18)
def _token(token: str) -> int:
    return crc32(token.encode("utf-8", "surrogatepass"))
