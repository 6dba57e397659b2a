"""The order of examples: written out for all epochs before training, so that a resumed run sees the very same one."""

from __future__ import annotations

import random
from collections.abc import Sequence

POOL = 32
"""Batches among which examples are sorted by length: enough to save padding, few enough to stay random."""


def training_order(lengths: Sequence[int], *, epochs: float, batch: int, seed: int) -> list[int]:
    """Indices of the rows in training order; consecutive runs of `batch` are the optimiser's steps.

    Every epoch is a new permutation (a fraction of one at the end), and each batch holds rows of similar length, as
    padding is computed but not learnt. The idea is that of transformers' length-grouped sampler, whose order however
    depends on the state of the random number generator at the time of a resume.
    """
    randomness = random.Random(seed)  # noqa: S311
    wanted = max(1, round(epochs * len(lengths)))
    stream: list[int] = []
    while len(stream) < wanted:
        stream += randomness.sample(range(len(lengths)), len(lengths))
    del stream[wanted:]
    ordered: list[int] = []
    for start in range(0, len(stream), POOL * batch):
        ordered += _pool(stream[start : start + POOL * batch], lengths, batch, randomness)
    return ordered


def _pool(pool: list[int], lengths: Sequence[int], batch: int, randomness: random.Random) -> list[int]:
    by_length = sorted(pool, key=lambda index: lengths[index])
    batches = [by_length[start : start + batch] for start in range(0, len(by_length), batch)]
    # A short batch stays last: anywhere else it would shift the batches behind it.
    rest = [batches.pop()] if len(batches[-1]) < batch else []
    randomness.shuffle(batches)
    return [index for one in [*batches, *rest] for index in one]
