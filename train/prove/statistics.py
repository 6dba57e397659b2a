"""Statistics of paired results: the same questions, put to two models.

Questions about one document are not independent: a model that has learnt the document gains on all of them. So whole documents are
resampled where they are known (the clustered errors of arXiv 2411.00640), and because there may be few of them, and always few
seeds, percentile intervals, which are too narrow for small samples (Hesterberg, arXiv 1411.5279, section 3.2), are stretched by
what Student's t has over the normal distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from train.records import Calibration, Estimate, McNemar

Floats = NDArray[np.float64]

_AT_ONCE = 4_000_000
"""Drawn values held in memory at a time (32 MB)."""

_Z = NormalDist().inv_cdf(0.975)


def paired_bootstrap(
    base: Sequence[float], tuned: Sequence[float], *, seed: int, resamples: int = 10_000, clusters: Sequence[str] | None = None
) -> Estimate:
    """Mean of `tuned - base`, with its 95 % interval over resampled pairs (Efron & Tibshirani, 1993, chapter 13).

    Pairs are resampled whole, because a question that is hard for one model is hard for the other; `clusters` names the document
    of each pair, and documents are then resampled whole. The interval always holds the estimate. One pair or one cluster says
    nothing about spread: its interval is infinite. Errors: `ValueError` for no pairs and for lists of different lengths.
    """
    if len(base) != len(tuned) or not base:
        raise ValueError(f"pairs are needed, as many of one as of the other and at least one: got {len(base)} and {len(tuned)}")
    gains = np.asarray(tuned, dtype=np.float64) - np.asarray(base, dtype=np.float64)
    return pooled_bootstrap([list(gains)], seed=seed, resamples=resamples, clusters=clusters)


def pooled_bootstrap(
    gains: Sequence[Sequence[float]], *, seed: int, resamples: int = 10_000, clusters: Sequence[str] | None = None
) -> Estimate:
    """Mean gain over several trainings (`gains[training][question]`), with the 95 % interval over other trainings and other questions.

    Both are resampled, each for itself, and the two deviations added: that counts what questions and trainings have in common twice,
    never less than once. The degrees of freedom of so few trainings and documents are put together as Satterthwaite did (1946).
    """
    table = np.asarray(gains, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError("gains are needed, of at least one training on at least one question and of all on the same questions")
    if clusters is not None and len(clusters) != table.shape[1]:
        raise ValueError(f"each question needs its cluster: got {table.shape[1]} and {len(clusters)}")
    value = float(table.mean())
    sums, counts = _by_cluster(table.mean(axis=0), clusters)
    if len(sums) == 1:
        return Estimate(value, (-math.inf, math.inf))
    draw = np.random.default_rng(seed)
    spread = _deviations(sums, counts, draw, resamples)
    parts = [(_variance(sums, counts), len(sums) - 1)]
    if len(table) > 1:
        trainings, ones = table.mean(axis=1), np.ones(len(table))
        spread = spread + _deviations(trainings, ones, draw, resamples)
        parts.append((_variance(trainings, ones), len(table) - 1))
    stretch = _student(_freedom(parts)) / _Z
    low, high = stretch * np.quantile(spread, [0.025, 0.975])
    return Estimate(value, (value + min(float(low), 0.0), value + max(float(high), 0.0)))


def _by_cluster(values: Floats, clusters: Sequence[str] | None) -> tuple[Floats, Floats]:
    """Sum and number of the values of each cluster; without clusters each value is one of its own."""
    if clusters is None:
        return values, np.ones(len(values))
    _, which = np.unique(np.asarray(clusters), return_inverse=True)
    return np.bincount(which, weights=values).astype(np.float64), np.bincount(which).astype(np.float64)


def _deviations(sums: Floats, counts: Floats, draw: np.random.Generator, resamples: int) -> Floats:
    """How far resampled means lie from the mean; without the factor G clusters' variance would be too small by (G - 1) / G."""
    rows = max(1, _AT_ONCE // len(sums))
    means = []
    for start in range(0, resamples, rows):
        drawn = draw.integers(0, len(sums), (min(rows, resamples - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    away: Floats = np.concatenate(means) - sums.sum() / counts.sum()
    return math.sqrt(len(sums) / (len(sums) - 1)) * away


def _variance(sums: Floats, counts: Floats) -> float:
    """Of the mean over all questions, from how far each cluster lies from it."""
    errors = sums - counts * (sums.sum() / counts.sum())
    return float(len(sums) / (len(sums) - 1) * (errors**2).sum() / counts.sum() ** 2)


def _freedom(parts: Sequence[tuple[float, int]]) -> float:
    whole = sum(variance for variance, _ in parts)
    return whole**2 / sum(variance**2 / freedom for variance, freedom in parts) if whole else float(parts[0][1])


def _student(freedom: float) -> float:
    """The 97.5 % quantile of Student's t: its density over the angle whose tangent is t / sqrt(freedom) is a power of the cosine."""
    angles = np.linspace(0, math.pi / 2, 20_001)
    density = np.cos(angles) ** (freedom - 1)
    mass = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(freedom) * math.tan(float(np.interp(0.95, mass / mass[-1], angles)))


def mcnemar(better: int, worse: int) -> McNemar:
    """The exact two-sided test of McNemar (1947): had nothing changed, a changed choice were as likely to turn right as wrong.

    It takes questions for independent of each other; the interval of a comparison, which resamples documents, does not.
    """
    changed, ways, tail = better + worse, 1, 0
    for number in range(min(better, worse) + 1):
        tail += ways
        ways = ways * (changed - number) // (number + 1)  # of choosing one more
    return McNemar(better, worse, min(1.0, 2 * tail / 2**changed))


def calibrate(probabilities: Sequence[Sequence[float]], chosen: Sequence[int], right: Sequence[int], *, bins: int = 10) -> Calibration:
    """Expected calibration error and Brier score of choices: `probabilities[question][option]`, the places chosen and the right ones.

    The error (Guo et al., arXiv 1706.04599) is taken over bins of equal counts, which are less biased for few questions than bins
    of equal width (Roelofs et al., arXiv 2012.08668), at least ten questions each; equal confidences share a bin. Brier (1950):
    squared distance between the probabilities and the truth, summed over the options, from 0 (certain and right) to 2.
    """
    if not probabilities or not len(probabilities) == len(chosen) == len(right):
        raise ValueError(f"a choice has probabilities, a place and a right one: got {len(probabilities)}, {len(chosen)} and {len(right)}")
    sure = np.array([shares[place] for shares, place in zip(probabilities, chosen, strict=True)])
    hits = np.asarray(chosen) == np.asarray(right)
    which = _equal_counts(sure, max(1, min(bins, len(right) // 10)))
    found = [
        (float(sure[which == bin_].mean()), float(hits[which == bin_].mean()), int((which == bin_).sum())) for bin_ in np.unique(which)
    ]
    ece = sum(abs(confidence - accuracy) * count for confidence, accuracy, count in found) / len(right)
    brier = np.mean([_distance(shares, place) for shares, place in zip(probabilities, right, strict=True)])
    return Calibration(ece, float(brier), tuple(found))


def _equal_counts(values: Floats, bins: int) -> NDArray[np.int64]:
    """Each value's bin; a bin ends with a value that is there, so that equal ones stay together."""
    ends = np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf")
    return np.searchsorted(np.unique(ends), values, side="left").astype(np.int64)


def _distance(shares: Sequence[float], right: int) -> float:
    return sum((share - (place == right)) ** 2 for place, share in enumerate(shares))


def questions_needed(gains: Sequence[float], half_width: float, *, clusters: Sequence[str] | None = None) -> int:
    """How many questions would narrow the 95 % interval of the mean of such gains (-1, 0 or 1) to +- `half_width`.

    From the variance observed here, half a changed choice added each way (Agresti & Min, 2005: none seen does not mean that none
    would come), times the factor by which documents widen the interval, never below 1: of new documents, as many from each.
    """
    values = np.asarray(gains, dtype=np.float64)
    n = len(values)
    if n < 2:
        raise ValueError(f"a variance needs at least two gains: got {n}")
    variance = (float((values**2).sum()) + 1) / (n + 2) - (float(values.sum()) / (n + 2)) ** 2
    return math.ceil(_design_effect(values, clusters) * variance * (_Z / half_width) ** 2)


def detectable(estimate: Estimate) -> float:
    """The true gain of which four exams of five like this one would give an interval above zero: (z of 95 % + z of 80 %) errors."""
    low, high = estimate.ci95
    return (high - low) / 2 * (1 + NormalDist().inv_cdf(0.8) / _Z)


def _design_effect(values: Floats, clusters: Sequence[str] | None) -> float:
    alone = _variance(values, np.ones(len(values)))
    return max(1.0, _variance(*_by_cluster(values, clusters)) / alone) if alone else 1.0


def chance_band(odds: Sequence[float], *, tries: int = 1) -> tuple[float, float]:
    """The 95 % band of the share of right guesses among questions that are guessed right with these `odds`, exactly.

    With `tries`, that of the best of so many guessers (Bonferroni). Guessed questions may have different numbers of options, so the
    number of right ones is Poisson-binomial, the convolution of the questions' own two outcomes.
    """
    mass = np.ones(1)
    for chance in odds:
        mass = np.convolve(mass, [1 - chance, chance])
    below = np.cumsum(mass)
    tail = 0.025 / tries
    low, high = int(np.searchsorted(below, tail)), int(np.searchsorted(below, 1 - tail))
    return low / len(odds), high / len(odds)
