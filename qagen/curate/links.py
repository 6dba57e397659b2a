"""Which pairs are one, of any number: found on features, decided on the texts of the few that are left, resolved by rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from qagen.curate.features import Features, Hashes, Ids
from qagen.curate.guards import contradict
from qagen.curate.join import Couples, alike, names_fit
from qagen.curate.likeness import Pair, dice, difference
from qagen.curate.semantic import Vectors, near_vectors

Reason = Literal["exact", "near", "semantic"]
Rank = tuple[Any, ...]

# Measured (benchmarks/dedup.py): the cosine of question and answer that counts as likeness 0.5; less is enough between two languages,
# whose vectors are further apart, if the answers agree in words or numbers.
_NEAR, _ACROSS = 0.8, 0.7
_FOREIGN = 0.2  # questions with fewer words in common are not in one language
_AT_ONCE = 200_000  # couples whose names are looked at together
_SOFT = ("exchanged", "asks", "answer")  # doubts that a reader can settle


@dataclass(frozen=True, slots=True)
class Link:
    """Two pairs, by their numbers, that ask the same: how alike, and whether the embedding says so rather than the words."""

    a: int
    b: int
    score: float
    semantic: bool = False


@dataclass(frozen=True, slots=True)
class Doubted:
    """Two pairs that may ask the same and are kept apart: how alike, and what speaks against it."""

    a: int
    b: int
    score: float
    doubt: str


@dataclass(frozen=True, slots=True)
class Found:
    """Groups of identical pairs (each of two or more, its first stands for it), links and doubts between those that stand for groups."""

    groups: tuple[tuple[int, ...], ...]
    links: tuple[Link, ...]
    doubted: tuple[Doubted, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A pair that is left out, the twin that is kept for it, how alike they are, and how that was seen."""

    number: int
    twin: int
    score: float
    reason: Reason


# ---- finding


def find(features: Features, read: Callable[[int], Pair], threshold: float, vectors: Vectors | None = None) -> Found:
    """All that is one by at least `threshold`. `read` gives a pair's words by its number; `vectors` one row a pair, if any."""
    first, groups = _identical(features.exact)
    few = features.take(first)
    links: dict[tuple[int, int], Link] = {}
    doubted: dict[tuple[int, int], Doubted] = {}
    for a, b, _ in _each([alike(few, threshold)]):
        one, two = read(int(first[a])), read(int(first[b]))
        _judge(int(first[a]), int(first[b]), dice(one.question.content, two.question.content), difference(one, two), links, doubted)
    if vectors is not None:
        _by_vectors(few, first, read, threshold, vectors, links, doubted)
    return Found(
        groups,
        tuple(sorted(links.values(), key=lambda link: (link.a, link.b))),
        tuple(sorted(doubted.values(), key=lambda item: (item.a, item.b))),
    )


def _judge(
    a: int, b: int, score: float, why: str | None, links: dict[tuple[int, int], Link], doubted: dict[tuple[int, int], Doubted]
) -> None:
    if why is None:
        links[a, b] = Link(a, b, score)
    elif why in ("exchanged", "asks"):
        doubted[a, b] = Doubted(a, b, score, why)


def _by_vectors(
    few: Features,
    first: Ids,
    read: Callable[[int], Pair],
    threshold: float,
    vectors: Vectors,
    links: dict[tuple[int, int], Link],
    doubted: dict[tuple[int, int], Doubted],
) -> None:
    rows = vectors if len(first) == len(vectors) else vectors[first]
    for a, b, cosine in _each(_candidates(few, rows, threshold)):
        pair = int(first[a]), int(first[b])
        one, two = read(pair[0]), read(pair[1])
        why = difference(one, two)
        across = bool(few.chinese[a] != few.chinese[b])
        score = _score(cosine, _ACROSS if across and why is None else _NEAR)
        if score < threshold or (why == "answer" and contradict(one.answer.marks, two.answer.marks)):
            continue
        # Answers without common words are one only where no common words are to be expected.
        if why == "answer" and (across or dice(one.question.content, two.question.content) < _FOREIGN):
            why = None
        if why is None:
            if pair not in links or links[pair].score < score:
                links[pair] = Link(*pair, score, semantic=True)
            doubted.pop(pair, None)
        elif why in _SOFT and pair not in doubted:
            doubted[pair] = Doubted(*pair, score, why)


def _score(cosine: float, half: float) -> float:
    """The likeness that a cosine counts for: `half` is 0.5, 1 is 1."""
    return 1 - (1 - min(cosine, 1.0)) / (2 * (1 - half))


def _candidates(few: Features, rows: Vectors, threshold: float) -> Iterator[Couples]:
    """Near vectors of questions with the same numbers, or of pairs that have the same numbers in all, and with the same names."""
    near, across = (1 - (1 - threshold) * 2 * (1 - half) for half in (_NEAR, _ACROSS))
    for blocks, other in ((few.frame, None), (few.whole, few.frame)):
        for a, b, cosine in _batches(near_vectors(rows, blocks, across)):
            good = (cosine >= near) | (few.chinese[a] != few.chinese[b])
            if other is not None:
                good &= other[a] != other[b]
            good[good] = names_fit(few, a[good], b[good])
            yield a[good], b[good], cosine[good]


def _batches(parts: Iterable[Couples]) -> Iterator[Couples]:
    """Many small parts as few large ones."""
    held: list[Couples] = []
    many = 0
    for part in parts:
        held.append(part)
        many += len(part[0])
        if many >= _AT_ONCE:
            yield _joined(held)
            held, many = [], 0
    if held:
        yield _joined(held)


def _joined(parts: Sequence[Couples]) -> Couples:
    a, b, score = (np.concatenate(column) for column in zip(*parts, strict=True))
    return a, b, score


def _each(parts: Iterable[Couples]) -> Iterator[tuple[int, int, float]]:
    for a, b, score in parts:
        yield from zip(a.tolist(), b.tolist(), score.tolist(), strict=True)


def _identical(exact: Hashes) -> tuple[Ids, tuple[tuple[int, ...], ...]]:
    """The first of each group of identical pairs, in order, and the groups of more than one."""
    order = np.argsort(exact, kind="stable")
    start = np.flatnonzero(np.concatenate([[True], np.diff(exact[order]) != 0])) if len(order) else np.zeros(0, np.int64)
    groups = tuple(tuple(group.tolist()) for group in np.split(order, start[1:]) if len(group) > 1) if len(order) else ()
    return np.sort(order[start]), tuple(sorted(groups))


# ---- deciding which of them stays


def resolve(
    found: Found, rank: Callable[[int], Rank], related: Callable[[Sequence[int], Sequence[int]], bool], threshold: float
) -> tuple[Choice, ...]:
    """What is left out, by number: of two that are one the worse by `rank`, unless they are `related` and not identical.

    A pair is kept unless it is one with a better one that is kept (greedily, best first), so that what is kept has no copies and
    does not depend on the order of the pairs.
    """
    members = {group[0]: sorted(group, key=rank) for group in found.groups}
    near: dict[int, dict[int, Link]] = defaultdict(dict)
    for link in found.links:
        if link.score >= threshold and not related(members.get(link.a, [link.a]), members.get(link.b, [link.b])):
            near[link.a][link.b] = near[link.b][link.a] = link
    best = {node: members[node][0] if node in members else node for node in {*members, *near}}
    kept: set[int] = set()
    chosen: list[Choice] = []
    for node in sorted(best, key=lambda node: rank(best[node])):
        twins = [(-link.score, rank(best[other]), other, link) for other, link in near.get(node, {}).items() if other in kept]
        copies = members.get(node, [node])
        if twins:
            _, _, other, link = min(twins, key=lambda twin: twin[:2])
            chosen += [Choice(copy, best[other], link.score, "semantic" if link.semantic else "near") for copy in copies]
        else:
            kept.add(node)
            chosen += [Choice(copy, copies[0], 1.0, "exact") for copy in copies[1:]]
    return tuple(sorted(chosen, key=lambda choice: choice.number))
