"""What a judge's scores are worth: the share of good pairs at each score, and the lowest score that gives a wanted precision.

Scores of different models mean different things; only pairs that a person has labelled tell what. The share at each score is
fitted by isotonic regression, which supposes no more than that a higher score is not worse (pool adjacent violators: Ayer et
al., Ann. Math. Stat. 26, 1955, 641). Intervals that are shown are Wilson's (J. Am. Stat. Assoc. 22, 1927, 209); where something
is promised it is the exact bound of Clopper and Pearson (Biometrika 26, 1934, 404), which never promises too much.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, comb, log, sqrt

_Z = 1.959964  # normal quantile for 95 %, two-sided
_ALPHA = 0.05  # chance that a promised floor is not kept


@dataclass(frozen=True, slots=True)
class Share:
    """`good` of `n`; a share without a basis is 0 with the interval (0, 1)."""

    good: int
    n: int

    @property
    def value(self) -> float:
        """good / n."""
        return self.good / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Wilson."""
        if not self.n:
            return 0.0, 1.0
        p, n = self.value, self.n
        middle, half = p + _Z * _Z / (2 * n), _Z * sqrt(p * (1 - p) / n + _Z * _Z / (4 * n * n))
        return max(0.0, (middle - half) / (1 + _Z * _Z / n)), min(1.0, (middle + half) / (1 + _Z * _Z / n))

    @property
    def floor(self) -> float:
        """What the share exceeds with 95 % confidence: the exact one-sided bound, found by bisection."""
        low, high = 0.0, self.value
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if _at_least(self.good, self.n, middle) < _ALPHA else (low, middle)
        return low

    def exceeds(self, wanted: float) -> bool:
        """Whether `floor` is above a share that is wanted."""
        return bool(self.n) and _at_least(self.good, self.n, wanted) < _ALPHA

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}] ({self.good}/{self.n})"


@dataclass(frozen=True, slots=True)
class Choice:
    """A least score: what is kept with it, how much of that is good (`precision`) and how much of the good is kept (`recall`).

    `sure` if the precision exceeds the wanted one with 95 % confidence, and not only on these pairs.
    """

    least: float
    precision: Share
    recall: Share
    sure: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """Labelled scores, ascending, with the fitted chance of being good at each different score."""

    scores: tuple[float, ...]
    good: tuple[int, ...]
    n: tuple[int, ...]
    chances: tuple[float, ...]

    def chance(self, score: float) -> float:
        """The fitted chance that a pair with this score is good; below the lowest score seen, that of the lowest."""
        return self.chances[max(0, bisect_right(self.scores, score) - 1)]

    @property
    def brier(self) -> float:
        """Mean square of the fitted chance's error on these very pairs; 0.25 is a coin's."""
        wrong = (good * (1 - p) ** 2 + (n - good) * p**2 for good, n, p in zip(self.good, self.n, self.chances, strict=True))
        return sum(wrong) / sum(self.n)

    def at(self, least: float, wanted: float = 0.95) -> Choice:
        """What a least score would keep of these pairs."""
        held = [place for place, score in enumerate(self.scores) if score >= least]
        precision = Share(sum(self.good[place] for place in held), sum(self.n[place] for place in held))
        return Choice(least, precision, Share(precision.good, sum(self.good)), precision.exceeds(wanted))

    def choose(self, wanted: float = 0.95) -> Choice | None:
        """The lowest score from which on the precision is as wanted, or None where no score gives it.

        With enough pairs the choice is `sure`: scores are tried from high to low and the last is taken before the first whose
        precision may be too low. Tried in this fixed order, they need no correction for having been many (Angelopoulos
        et al., "Learn then test", arXiv 2110.01052, section 3.2). Else the lowest that gives it on these pairs, not `sure`.
        """
        tried = [self.at(score, wanted) for score in reversed(self.scores)]
        enough = [choice for choice in tried if choice.precision.n >= fewest(wanted)]
        sure: Choice | None = None
        for choice in enough:
            if not choice.sure:
                break
            sure = choice
        return sure or min((choice for choice in tried if choice.precision.value >= wanted), key=lambda choice: choice.least, default=None)


def calibrate(labelled: Sequence[bool], scores: Sequence[float]) -> Calibration:
    """Fit the chance of being good to the labels of pairs and the scores that a judge gave them, in the same order.

    Raises ValueError where there is nothing to fit or the two differ in length.
    """
    if not labelled:
        raise ValueError("no labelled pairs to calibrate with")
    n, good = Counter[float](), Counter[float]()
    for right, score in zip(labelled, scores, strict=True):
        n[score] += 1
        good[score] += right
    order = sorted(n)
    counts, hits = [n[score] for score in order], [good[score] for score in order]
    return Calibration(tuple(order), tuple(hits), tuple(counts), tuple(_isotonic(hits, counts)))


def fewest(wanted: float) -> int:
    """How many pairs must be kept, all of them good, before a precision in (0, 1) can be `sure`."""
    return ceil(log(_ALPHA) / log(wanted))


def _isotonic(good: Sequence[int], n: Sequence[int]) -> list[float]:
    """The non-decreasing shares that fit good/n best by weighted least squares."""
    blocks = list[tuple[int, int, int]]()  # good, n, how many scores
    for one in zip(good, n, [1] * len(n), strict=True):
        blocks.append(one)
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((last[0] + before[0], last[1] + before[1], last[2] + before[2]))
    return [good / n for good, n, length in blocks for _ in range(length)]


def _at_least(good: int, n: int, p: float) -> float:
    """The chance of `good` or more of `n` where each has the chance `p`."""
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(good, n + 1))
