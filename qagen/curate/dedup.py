"""Drop pairs that ask the same twice; keep the better one, and say which went for which.

Two pairs are one when their questions are alike in the words that carry the sense, name the same numbers, units, names and
sides (`guards`), and their answers can be the same. Same question, different answer is a conflict, not a copy: both stay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from qagen.curate.guards import differ
from qagen.curate.likeness import Neighbours, Reading, read, same_answer
from qagen.records import QAPair

Link = tuple[int, int, float]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A pair that was left out for its twin, which was kept; `score` is the likeness of the questions."""

    pair: QAPair
    twin: QAPair
    score: float
    reason: Literal["exact", "near"]


@dataclass(frozen=True, slots=True)
class DedupResult:
    """What was kept, in the order given, and what was dropped for which twin."""

    kept: tuple[QAPair, ...]
    dropped: tuple[Dropped, ...]
    threshold: float
    pairs: tuple[QAPair, ...]
    links: tuple[Link, ...]

    def at(self, threshold: float) -> DedupResult:
        """The result for a higher threshold, without comparing anything again; `ValueError` for a lower one."""
        if threshold < self.threshold:
            raise ValueError(f"pairs were compared down to {self.threshold}; {threshold} needs deduplicate() again")
        return _resolve(self.pairs, tuple(link for link in self.links if link[2] >= threshold), threshold)


def deduplicate(pairs: Iterable[QAPair], *, threshold: float = 0.8) -> DedupResult:
    """Keep one of the pairs that ask the same.

    `threshold` is the likeness of two questions, in (0, 1]: the Dice coefficient of their content words. Which are kept
    does not depend on the order of the pairs: the one with the higher mean score is, then the one with the smaller id.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must lie in (0, 1], not {threshold}")
    every = tuple(pairs)
    return _resolve(every, tuple(_links(every, threshold)), threshold)


def rank(pair: QAPair) -> tuple[float, str, str, str]:
    """The order in which pairs are preferred, best first; total, so that ties do not depend on where they stood."""
    quality = sum(pair.scores.values()) / len(pair.scores) if pair.scores else 0.0
    return -quality, pair.id, pair.question, pair.answer


def _links(pairs: Sequence[QAPair], threshold: float) -> list[Link]:
    questions, answers = [read(pair.question) for pair in pairs], [read(pair.answer) for pair in pairs]
    same = _identical(questions, answers)
    links = [(group[0], other, 1.0) for group in same for other in group[1:]]
    for block in _blocks([group[0] for group in same], questions):
        near = Neighbours([questions[number].content for number in block], threshold)
        for a, b, score in near.pairs():
            one, two = block[a], block[b]
            if not differ(questions[one].marks, questions[two].marks) and same_answer(answers[one], answers[two]):
                links.append((one, two, score))
    return _spread(links, same)


def _identical(questions: Sequence[Reading], answers: Sequence[Reading]) -> list[list[int]]:
    """Pairs by their very words: one of each group stands for all in the search for near copies."""
    groups = defaultdict(list)
    for number, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        groups[question.words, answer.words, question.marks, answer.marks].append(number)
    return list(groups.values())


def _blocks(numbers: Iterable[int], questions: Sequence[Reading]) -> list[list[int]]:
    """Different numbers mean different questions, so only those with the same ones are compared at all."""
    blocks = defaultdict(list)
    for number in numbers:
        blocks[questions[number].marks.numbers].append(number)
    return list(blocks.values())


def _spread(links: Sequence[Link], same: Sequence[list[int]]) -> list[Link]:
    """What is near one of a group of identical pairs is near all of it."""
    group_of = {number: group for group in same for number in group if len(group) > 1}
    spread = {}
    for a, b, score in links:
        for one in group_of.get(a, [a]):
            for two in group_of.get(b, [b]):
                if one != two:
                    spread[min(one, two), max(one, two)] = score
    return [(a, b, score) for (a, b), score in sorted(spread.items())]


def _resolve(pairs: tuple[QAPair, ...], links: tuple[Link, ...], threshold: float) -> DedupResult:
    near: dict[int, dict[int, float]] = defaultdict(dict)
    for a, b, score in links:
        near[a][b] = near[b][a] = score
    kept: set[int] = set()
    dropped: dict[int, Dropped] = {}
    for number in sorted(range(len(pairs)), key=lambda number: rank(pairs[number])):
        twins = [(-near[number][other], rank(pairs[other]), other) for other in near.get(number, ()) if other in kept]
        if twins:
            dropped[number] = _dropped(pairs[number], pairs[min(twins)[2]], -min(twins)[0])
        else:
            kept.add(number)
    return DedupResult(
        tuple(pairs[number] for number in sorted(kept)), tuple(dropped[number] for number in sorted(dropped)), threshold, pairs, links
    )


def _dropped(pair: QAPair, twin: QAPair, score: float) -> Dropped:
    exact = read(pair.question).words == read(twin.question).words and read(pair.answer).words == read(twin.answer).words
    return Dropped(pair, twin, score, "exact" if exact else "near")
