"""Statistics of paired results: the same questions, put to two models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from train.records import Estimate

_AT_ONCE = 4_000_000
"""Drawn values held in memory at a time (32 MB)."""


def paired_bootstrap(base: Sequence[float], tuned: Sequence[float], *, seed: int, resamples: int = 10_000) -> Estimate:
    """Mean of `tuned - base`, with the 95 % percentile interval of that mean over resampled pairs.

    Pairs are resampled whole (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13), because a question that is hard
    for one model is hard for the other. The interval always holds the estimate. One pair says nothing about spread: its
    interval is infinite. Errors: `ValueError` for no pairs and for lists of different lengths.
    """
    if len(base) != len(tuned) or not base:
        raise ValueError(f"pairs are needed, as many of one as of the other and at least one: got {len(base)} and {len(tuned)}")
    gains = np.asarray(tuned, dtype=np.float64) - np.asarray(base, dtype=np.float64)
    value = float(gains.mean())
    if len(gains) == 1:
        return Estimate(value, (-np.inf, np.inf))
    low, high = np.quantile(_resampled_means(gains, seed, resamples), [0.025, 0.975])
    return Estimate(value, (min(float(low), value), max(float(high), value)))


def _resampled_means(values: NDArray[np.float64], seed: int, resamples: int) -> NDArray[np.float64]:
    draw = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // len(values))
    parts = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    return np.concatenate([values[draw.integers(0, len(values), (part, len(values)))].mean(axis=1) for part in parts])
