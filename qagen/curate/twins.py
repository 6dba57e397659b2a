"""Which documents are one work: a preprint and its proceedings, two versions, an excerpt, a copy in other words.

What is known of one paper must not be examined as unknown through its copy, so copies are found by three signs: the same
DOI, arXiv number or title; the same prose (containment of word 5-grams); the same measured values, which survive when
every sentence is rewritten, and translation.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harvest.records import Document
from qagen.curate.guards import Quantity, read_marks
from qagen.curate.words import containment, grams, words

# Measured on 50 real papers and manuals: copies share >= 0.74 of the values that either has, different papers <= 0.59.
_SAME_VALUES = 0.7
_ENOUGH_VALUES = 10
_ENOUGH_GRAMS = 20
_COMMON = 50  # a value or key in more documents than this says nothing about two of them
_NEIGHBOURS = 8  # copies of one text are compared with the first few of them, not each with each
_SAMPLE = 8  # one n-gram of eight looks for candidates (mod-p sampling, Broder 1997); the decision uses all

_ARXIV = re.compile(r"(?:^|arxiv[:./]|/abs/|/pdf/)(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?(?:\.pdf)?$")


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is kept of a document to compare it: its names in the literature, its prose, its measured values."""

    id: str
    keys: frozenset[str]
    grams: npt.NDArray[np.uint32]
    values: frozenset[Quantity]


def sketch(document: Document) -> Sketch:
    """Reduce a document to 4 bytes a word and its values."""
    numbers = read_marks(document.text).numbers
    values = frozenset(number for number in numbers if number[1] or number[0] % 1)
    return Sketch(document.id, frozenset(_keys(document)), grams(document.text), values)


def clusters(sketches: Sequence[Sketch], near_copy: float) -> dict[str, str]:
    """Document id -> cluster id, the smallest id among a document's copies; copies of copies belong together."""
    parent = {item.id: item.id for item in sketches}
    for a, b in sorted(_candidates(sketches)):
        if _root(parent, sketches[a].id) != _root(parent, sketches[b].id) and is_copy(sketches[a], sketches[b], near_copy):
            _join(parent, sketches[a].id, sketches[b].id)
    return {name: _root(parent, name) for name in sorted(parent)}


def is_copy(a: Sketch, b: Sketch, near_copy: float) -> bool:
    """Whether two documents are one work.

    `near_copy` is a Jaccard similarity; of two texts of one length it means a containment of 2j / (1 + j), which is what
    is asked of any two, so that an excerpt belongs to its whole.
    """
    if a.keys & b.keys:
        return True
    if min(len(a.grams), len(b.grams)) >= _ENOUGH_GRAMS and containment(a.grams, b.grams) >= 2 * near_copy / (1 + near_copy):
        return True
    return min(len(a.values), len(b.values)) >= _ENOUGH_VALUES and len(a.values & b.values) >= _SAME_VALUES * len(a.values | b.values)


def _keys(document: Document) -> Iterator[str]:
    paper = document.paper
    for name in (document.id, paper.id, paper.doi or "", *paper.urls):
        if match := _ARXIV.search(name.strip().casefold()):
            yield f"arxiv:{match[1]}"
    if paper.doi:
        yield "doi:" + re.sub(r"^(https?://(dx\.)?doi\.org/|doi:)", "", paper.doi.strip().casefold())
    title = words(paper.title)
    if len(title) >= 4:  # "Progress report" is no sign of identity
        yield "title:" + " ".join(title)


def _candidates(sketches: Sequence[Sketch]) -> set[tuple[int, int]]:
    pairs = {pair for holders in _index(item.keys for item in sketches).values() for pair in _near(holders)}
    sampled = (item.grams[item.grams % _SAMPLE == 0].tolist() for item in sketches)
    pairs |= {pair for holders in _index(sampled).values() for pair in _near(holders)}
    values = _index(item.values for item in sketches)
    shared = Counter(pair for holders in values.values() if len(holders) <= _COMMON for pair in _pairs(holders))
    return pairs | {pair for pair, count in shared.items() if count >= 3}


def _index(features: Iterable[Iterable[object]]) -> dict[object, list[int]]:
    index: dict[object, list[int]] = defaultdict(list)
    for number, held in enumerate(features):
        for feature in held:
            index[feature].append(number)
    return {feature: holders for feature, holders in index.items() if len(holders) > 1}


def _near(holders: Sequence[int]) -> Iterator[tuple[int, int]]:
    return ((a, b) for place, b in enumerate(holders) for a in holders[: min(place, _NEIGHBOURS)])


def _pairs(holders: Sequence[int]) -> Iterator[tuple[int, int]]:
    return ((a, b) for place, b in enumerate(holders) for a in holders[:place])


def _root(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        parent[name] = name = parent[parent[name]]
    return name


def _join(parent: dict[str, str], a: str, b: str) -> None:
    first, second = sorted((_root(parent, a), _root(parent, b)))
    parent[second] = first
