"""Which of many vectors are near each other, without comparing each with each.

Large sets are parted by k-means, and each vector is compared with those of its own cell and of the next few (an inverted file as in
Jégou, Douze, Schmid, "Product quantization for nearest neighbor search", 2011, on the vectors themselves). Up to `_WHOLE` vectors
the comparison is complete.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from qagen.curate.features import Hashes, Ids

Vectors = npt.NDArray[np.float16] | npt.NDArray[np.float32]
Near = tuple[Ids, Ids, npt.NDArray[np.float64]]

_WHOLE = 6000  # so many vectors are compared each with each
_TILE = 2048
_PROBES = 6
_TRAINED = 40  # vectors a cell that the cells are found with
_ROUNDS = 6


def near_vectors(vectors: Vectors, blocks: Hashes, least: float) -> Iterator[Near]:
    """(a, b, cosine) with a < b of vectors of unit length in one block whose cosine is at least `least`; a couple may come twice."""
    order = np.argsort(blocks, kind="stable")
    end = np.append(np.flatnonzero(np.diff(blocks[order])) + 1, len(order)) if len(order) else np.zeros(0, np.int64)
    for start, stop in zip(np.append(0, end[:-1]).tolist(), end.tolist(), strict=True):
        if stop - start > 1:
            yield from _among(vectors, np.sort(order[start:stop]), least)


def _among(vectors: Vectors, rows: Ids, least: float) -> Iterator[Near]:
    if len(rows) <= _WHOLE:
        yield from _between(vectors, rows, rows, least)
        return
    centres = _cells(vectors, rows)
    probes = np.concatenate([_nearest(vectors[rows[start : start + _TILE]], centres) for start in range(0, len(rows), _TILE)])
    order = np.argsort(probes, axis=None, kind="stable")
    cell, place = probes.ravel()[order], order // _PROBES
    home = order % _PROBES == 0
    ends = np.searchsorted(cell, np.arange(1, len(centres) + 1))
    for start, stop in zip(np.append(0, ends[:-1]), ends, strict=True):
        here, at_home = rows[place[start:stop]], home[start:stop]
        yield from _between(vectors, here[at_home], here, least)


def _between(vectors: Vectors, ours: Ids, theirs: Ids, least: float) -> Iterator[Near]:
    for start in range(0, len(ours), _TILE):
        mine = ours[start : start + _TILE]
        left = vectors[mine].astype(np.float32)
        for begin in range(start if ours is theirs else 0, len(theirs), _TILE):
            others = theirs[begin : begin + _TILE]
            cosine = left @ vectors[others].astype(np.float32).T
            i, j = np.nonzero(cosine >= least)
            a, b = mine[i], others[j]
            apart = a < b if ours is theirs else a != b
            if apart.any():
                yield np.minimum(a, b)[apart], np.maximum(a, b)[apart], cosine[i, j][apart].astype(np.float64)


def _nearest(part: Vectors, centres: npt.NDArray[np.float32]) -> Ids:
    """The cells of each vector, its own first."""
    near = part.astype(np.float32) @ centres.T
    few = np.argpartition(-near, _PROBES, axis=1)[:, :_PROBES]
    best = np.take_along_axis(few, np.argsort(-np.take_along_axis(near, few, axis=1), axis=1, kind="stable"), axis=1)
    return best.astype(np.int64)


def _cells(vectors: Vectors, rows: Ids) -> npt.NDArray[np.float32]:
    """Centres of k-means on the sphere, k about the root of the number of vectors."""
    many = max(_PROBES + 1, int(2 * np.sqrt(len(rows))))
    draw = np.random.default_rng(len(rows))
    sample = vectors[np.sort(draw.choice(rows, min(len(rows), _TRAINED * many), replace=False))].astype(np.float32)
    centres: npt.NDArray[np.float32] = sample[draw.choice(len(sample), many, replace=False)]
    for _ in range(_ROUNDS):
        own = np.concatenate([(sample[start : start + _TILE] @ centres.T).argmax(axis=1) for start in range(0, len(sample), _TILE)])
        order = np.argsort(own, kind="stable")
        filled, first = np.unique(own[order], return_index=True)
        sums = np.add.reduceat(sample[order], first, axis=0)
        centres[filled] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return centres
