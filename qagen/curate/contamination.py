"""Whether a question that is to be trained on is one that an exam asks.

Only what is asked is compared: instructions, context and options that many questions share are neither guilty nor an alibi. An exam
question that a training question asks inside a longer text, with options, in other words or in another language (where the embedder
knows both) is found; the same template with other numbers, another machine or another thing is another question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harvest.embed import Embed, Vectors
from qagen.curate.guards import contradict
from qagen.curate.likeness import Neighbours, Pair, Reading, dice, difference, other_thing, read, read_pair
from qagen.records import ExamQuestion

_SAFETY = 0.1  # an exam's question is recognised this much earlier than a duplicate
_ALIKE = 0.8  # from here on the answers need not agree, so long as they do not exclude each other
_SAME_QUESTION = 0.95  # from here on it is the same question, whatever is answered
_NEAR = 0.75  # cosine of question and answer from which the embedding says so

Hit = tuple[ExamQuestion, float]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is compared: all of it but its options, and the sentence that asks; the answer as a text, not as a letter."""

    whole: Reading
    focus: Reading
    has_context: bool
    pair: Pair


class ExamCheck:
    """Tells of a question and its answer which exam question it is, if any, and how alike they are.

    `threshold` is the one of `deduplicate`. The guards are lenient: numbers, names or opposites must exclude each other on
    both sides to make two questions different.
    """

    def __init__(self, questions: Sequence[ExamQuestion], threshold: float, embed: Embed | None = None) -> None:
        self._questions = questions
        self._least = max(0.05, threshold - _SAFETY)
        self._asked = [as_asked(item.question, item.answer) for item in questions]
        self._wholes = Neighbours([asked.whole.content for asked in self._asked], self._least)
        self._focuses = Neighbours([asked.focus.content for asked in self._asked], self._least)
        self._embed = embed
        self._vectors = _embedded(embed, self._asked) if embed and questions else None

    def __call__(self, question: str, answer: str) -> Hit | None:
        """The exam question that this is."""
        return next(self.all([(question, answer)]))

    def all(self, pairs: Sequence[tuple[str, str]]) -> Iterator[Hit | None]:
        """The same for many, in their order: they are embedded together."""
        every = [as_asked(question, answer) for question, answer in pairs]
        vectors = _embedded(self._embed, every) if self._embed and self._vectors is not None and every else None
        for number, asked in enumerate(every):
            yield self._by_words(asked) or (self._by_vector(asked, vectors, number) if vectors is not None else None)

    def _by_words(self, asked: Asked) -> Hit | None:
        near = {number for content in (asked.whole.content, asked.focus.content) for number, _ in self._near(content)}
        scored = sorted((-_alike(asked, self._asked[number]), number) for number in near)
        for score, number in scored:
            if -score >= self._least and _is_asked(asked, self._asked[number], -score):
                return self._questions[number], -score
        return None

    def _near(self, content: frozenset[str]) -> Iterator[tuple[int, float]]:
        yield from self._wholes.of(content)
        yield from self._focuses.of(content)

    def _by_vector(self, asked: Asked, vectors: Vectors, number: int) -> Hit | None:
        if self._vectors is None:
            return None
        cosines = self._vectors @ vectors[number]
        for place in np.argsort(-cosines, kind="stable").tolist():
            if cosines[place] < _NEAR:
                return None
            if _may_be(asked, self._asked[place]):
                return self._questions[place], float(cosines[place])
        return None


def _embedded(embed: Embed, every: Sequence[Asked]) -> Vectors:
    return embed([" ".join(asked.focus.words + asked.pair.answer.words) for asked in every])


def _alike(a: Asked, b: Asked) -> float:
    """How alike two questions are. Context that both have must be alike as well as what is asked; what only one has is left aside."""
    focus = dice(a.focus.content, b.focus.content)
    if a.has_context and b.has_context:
        return min(focus, dice(a.whole.content, b.whole.content))
    return max(focus, dice(a.whole.content, b.focus.content), dice(a.focus.content, b.whole.content))


def _is_asked(a: Asked, b: Asked, score: float) -> bool:
    """Whether two questions so alike are one."""
    if not _may_be(a, b):
        return False
    if score >= _SAME_QUESTION:
        return True
    if score >= _ALIKE and not contradict(a.pair.answer.marks, b.pair.answer.marks):
        return True
    return difference(a.pair, b.pair) is None


def _may_be(a: Asked, b: Asked) -> bool:
    """Whether nothing in two questions excludes that they are one."""
    if contradict(a.whole.marks, b.whole.marks) or other_thing(a.focus, b.focus):
        return False
    asks = a.focus.asks, b.focus.asks
    return not all(asks) or asks[0] == asks[1]


# ---- what is asked

_MARKER = re.compile(r"(?<![\w(（])[(（]?([A-Ha-h1-8])[.)）、:：](?=\s|[^\x00-\x7f])\s*")
_LETTER = re.compile(r"\s*[(（]?([A-Ha-h1-8])(?:[.)）、:：]|\s|$)")
_SENTENCE = re.compile(r"(?<=[.!?。！？:：])\s+|(?<=[。！？：])|\n+")


def as_asked(question: str, answer: str) -> Asked:
    """Read a question and its answer for what is asked."""
    stem, options = _without_options(question)
    said = _LETTER.match(answer)
    answered = options.get(said[1].casefold(), answer) if said and options else answer
    focus = _focus(stem)
    return Asked(read(stem), read(focus), focus != stem.strip(), read_pair(focus, answered))


def _without_options(question: str) -> tuple[str, dict[str, str]]:
    """The question before its options, and the options by their letters in lower case."""
    markers = list(_MARKER.finditer(question))
    for first in (marker for marker in markers if marker[1] in "Aa1"):
        row = _row(first, markers)
        if len(row) > 1:
            ends = [*(marker.start() for marker in row[1:]), len(question)]
            texts = {marker[1].casefold(): question[marker.end() : end].strip() for marker, end in zip(row, ends, strict=True)}
            return question[: first.start()].strip(), texts
    return question.strip(), {}


def _row(first: re.Match[str], markers: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """The markers that follow the first in the order of the alphabet."""
    row = [first]
    for marker in markers:
        if marker.start() > row[-1].start() and ord(marker[1]) == ord(row[-1][1]) + 1:
            row.append(marker)
    return row


def _focus(stem: str) -> str:
    """The last sentence that asks; without a question mark what follows the last colon; else all."""
    parts = [part.strip() for part in _SENTENCE.split(stem) if part and part.strip()]
    asking = [part for part in parts if part.endswith(("?", "？"))]
    if asking:
        return asking[-1]
    last = parts[-1] if parts else stem
    return last if len(parts) > 1 and parts[-2].endswith((":", "：")) else stem.strip()
