"""Which passages of two papers belong together: by the rare things that both name and, with an embedder, by their sense.

Nothing here compares every passage with every other. What papers share is looked up by entity (things that half the
corpus names tell nothing and are left out); by sense first papers are compared, then the passages of papers that are near.
Of each paper a bounded number of passages is held, as numbers, never as text.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby
from math import ceil

import numpy as np
import numpy.typing as npt

from harvest.embed import Embed
from qagen.config import QAGenConfig
from qagen.kinds.entities import entities
from qagen.records import Chunk, Part, SplitEntry

logger = logging.getLogger(__name__)

PAIRINGS_PER_WEIGHT = 3  # pairings that a paper takes part in, at most, per unit of the weight of `across`
_CHUNKS_PER_PAPER = 8  # those that name most
_LEAST_ENTITIES = 2
_COMMON = 64  # papers, from which on a name tells nothing; less in a small corpus
_QUANTITY_WEIGHT = 0.25  # two papers with `30 s` in them need not be about the same
_ENOUGH = 3.0  # shared rarity (in nats) that counts as about two thirds of a full score
_LEAST_SCORE = 0.25
_NEAR_PAPERS, _NEAR_CHUNKS = 8, 4  # candidates looked at, per paper and per chunk
_BATCH = 256  # texts embedded at once


@dataclass(frozen=True, slots=True)
class Partners:
    """Two passages of different papers of one part of the split, in the order of their ids; `score` is 0 to 1."""

    document_ids: tuple[str, str]
    chunk_ids: tuple[str, str]
    part: Part
    score: float


def choose_partners(
    chunks: Iterable[Chunk], entries: Iterable[SplitEntry], config: QAGenConfig, embed: Embed | None = None
) -> list[Partners]:
    """Pair passages for questions across papers, the best first; the same for the same corpus, in whatever order it comes.

    `chunks` come document by document and are not kept; those of documents without an entry are passed over. Near
    copies (one cluster of the split) are not paired, two papers at most once, and no passage twice. Each paper takes part
    in at most `PAIRINGS_PER_WEIGHT` times the weight of `across` pairings. Without `embed` shared entities alone decide.
    """
    weight = config.kinds.get("across", 0.0)
    if not weight:
        return []
    shelf = _Shelf({entry.document_id: entry for entry in entries}, embed)
    for _, own in groupby(chunks, key=lambda chunk: chunk.document_id):
        shelf.add(list(own))
    shelf.close()
    chosen = [partners for part in sorted(set(shelf.parts)) for partners in _within(shelf, part, ceil(weight * PAIRINGS_PER_WEIGHT))]
    logger.info("across papers: %d passages of %d papers, %d pairings", len(shelf.ids), len(set(shelf.documents)), len(chosen))
    return sorted(chosen, key=lambda one: (-one.score, one.chunk_ids))


# ---- what is held of the corpus


@dataclass(slots=True)
class _Shelf:
    """Passages as numbers: hashed entities (the lowest bit says `quantity`) and, with an embedder, a vector in half precision."""

    entries: dict[str, SplitEntry]
    embed: Embed | None
    ids: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    names: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    vectors: list[npt.NDArray[np.float16]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def add(self, own: Sequence[Chunk]) -> None:
        """Take a paper's passages that name most."""
        entry = self.entries.get(own[0].document_id)
        if entry is None:
            return
        named = [(chunk, entities(chunk.text)) for chunk in own]
        best = sorted(named, key=lambda pair: (-len(pair[1]), pair[0].start))[:_CHUNKS_PER_PAPER]
        for chunk, names in best:
            if len(names) >= _LEAST_ENTITIES:
                self.ids.append(chunk.id)
                self.documents.append(chunk.document_id)
                self.parts.append(entry.part)
                self.names.append(np.array(sorted(map(_hashed, names)), dtype=np.uint64))
                self.waiting.append(chunk.text)
        if len(self.waiting) >= _BATCH:
            self.close()

    def close(self) -> None:
        """Embed what waits to be."""
        if self.embed is not None and self.waiting:
            self.vectors.append(self.embed(self.waiting).astype(np.float16))
        self.waiting.clear()

    def matrix(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float16] | None:
        """The vectors of some passages, copied batch by batch."""
        if not self.vectors:
            return None
        places = np.full(len(self.ids), -1)
        places[rows] = np.arange(len(rows))
        chosen, at = np.empty((len(rows), self.vectors[0].shape[1]), dtype=np.float16), 0
        for batch in self.vectors:
            own = places[at : at + len(batch)]
            chosen[own[own >= 0]] = batch[own >= 0]
            at += len(batch)
        return chosen


def _hashed(name: str) -> int:
    number = int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    return number | 1 if name[0].isdigit() or name[0] == "-" else number & ~1


# ---- one part of the split


class _Index:
    """The passages of one part: which of them name a thing, and how much that tells."""

    def __init__(self, shelf: _Shelf, rows: npt.NDArray[np.intp]) -> None:
        self.rows = rows
        self.papers = _numbered(shelf.documents[row] for row in rows)
        self.clusters = _numbered(shelf.entries[shelf.documents[row]].cluster for row in rows)
        self.vectors = shelf.matrix(rows)
        held = [shelf.names[row] for row in rows]
        where = np.repeat(np.arange(len(rows)), [len(names) for names in held])
        _, entity = np.unique(np.concatenate(held), return_inverse=True)
        quantity = np.zeros(int(entity.max()) + 1, dtype=bool)
        quantity[entity] = (np.concatenate(held) & np.uint64(1)).astype(bool)
        self.weights = self._rarity(entity, self.papers[where]) * np.where(quantity, _QUANTITY_WEIGHT, 1.0)
        order = np.argsort(entity, kind="stable")
        self._holders, self._starts = where[order], np.searchsorted(entity[order], np.arange(len(quantity) + 1))
        self._entities = np.split(entity, np.cumsum([len(names) for names in held])[:-1])

    def _rarity(self, entity: npt.NDArray[np.intp], paper: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """log(1 + papers / papers with it), and 0 for what one paper alone names or too many do."""
        papers = int(self.papers.max()) + 1
        frequency = np.bincount(np.unique(entity * papers + paper) // papers)
        common = min(_COMMON, max(5, papers // 2))
        telling: npt.NDArray[np.float64] = np.log1p(papers / np.maximum(frequency, 1)) * ((frequency > 1) & (frequency <= common))
        return telling

    def shared(self, row: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
        """The passages that share something telling with this one, and how much of its rarity."""
        own = [one for one in self._entities[row] if self.weights[one] > 0]
        if not own:
            return np.zeros(0, dtype=np.intp), np.zeros(0)
        spans = [self._holders[self._starts[one] : self._starts[one + 1]] for one in own]
        weights = np.repeat(self.weights[own], [len(span) for span in spans])
        others, inverse = np.unique(np.concatenate(spans), return_inverse=True)
        return others, np.bincount(inverse, weights).astype(np.float64)


def _within(shelf: _Shelf, part: Part, most: int) -> Iterator[Partners]:
    """The pairings of a part, the best first."""
    rows = np.array(sorted((row for row, one in enumerate(shelf.parts) if one == part), key=lambda row: shelf.ids[row]), dtype=np.intp)
    index = _Index(shelf, rows)
    near = _near_papers(index)
    # Rows are in the order of the ids, so that what counts as equal is decided by the ids.
    found = {(-score, min(row, other), max(row, other)) for row in range(len(rows)) for other, score in _best(index, row, near)}
    for score, low, high in _bounded(sorted(found), index.papers, most):
        names, papers = [shelf.ids[rows[one]] for one in (low, high)], [shelf.documents[rows[one]] for one in (low, high)]
        yield Partners((papers[0], papers[1]), (names[0], names[1]), part, -score)


def _best(index: _Index, row: int, near: dict[int, npt.NDArray[np.intp]]) -> Iterator[tuple[int, float]]:
    named, rarity = index.shared(row)
    candidates = np.union1d(named, near[int(index.papers[row])]) if near else named
    scores = np.zeros(len(candidates))
    scores[np.searchsorted(candidates, named)] = 1 - np.exp(-rarity / _ENOUGH)
    if index.vectors is not None:
        scores = (scores + np.clip(index.vectors[candidates].astype(np.float32) @ index.vectors[row].astype(np.float32), 0, 1)) / 2
    scores = np.where(index.clusters[candidates] == index.clusters[row], 0, np.round(scores, 6))
    # Of equals the next in the order of the ids, so that they do not all choose the same few.
    best = np.lexsort(((candidates - row) % len(index.rows), -scores))[:_NEAR_CHUNKS]
    yield from ((int(candidates[one]), float(scores[one])) for one in best if scores[one] >= _LEAST_SCORE)


def _near_papers(index: _Index) -> dict[int, npt.NDArray[np.intp]]:
    """For every paper the passages of the papers nearest in sense; empty without an embedder."""
    if index.vectors is None:
        return {}
    count = int(index.papers.max()) + 1
    means = np.zeros((count, index.vectors.shape[1]), dtype=np.float32)
    for start in range(0, len(index.papers), _BATCH):
        np.add.at(means, index.papers[start : start + _BATCH], index.vectors[start : start + _BATCH].astype(np.float32))
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    passages = defaultdict(list)
    for row, paper in enumerate(index.papers):
        passages[int(paper)].append(row)
    nearest = (np.argsort(-np.round(means @ means[paper], 6), kind="stable")[: _NEAR_PAPERS + 1] for paper in range(count))
    return {
        paper: np.array([row for other in found if other != paper for row in passages[int(other)]], dtype=np.intp)
        for paper, found in enumerate(nearest)
    }


def _bounded(found: Iterable[tuple[float, int, int]], papers: npt.NDArray[np.intp], most: int) -> Iterator[tuple[float, int, int]]:
    """The first that leave no paper with more than `most`, no two papers paired twice, and no passage used twice."""
    taken, paired, used = Counter[int](), set[tuple[int, int]](), set[int]()
    for score, low, high in found:
        both = (int(papers[low]), int(papers[high]))
        if used & {low, high} or tuple(sorted(both)) in paired or any(taken[paper] >= most for paper in both):
            continue
        taken.update(both)
        paired.add((min(both), max(both)))
        used |= {low, high}
        yield score, low, high


def _numbered(names: Iterable[str]) -> npt.NDArray[np.intp]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)
