"""Do more requests in flight bring more replies? Looked at in samples of requests, taken when they leave.

Samples of what leaves, and not of what comes back: of requests that left together the quick ones come back first, and would make
any endpoint look faster than it is. A sample is looked at when nine tenths of it have come back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_BACK = 0.9
_WORTH = 0.25  # of the growth in flight, what must arrive as growth of replies per second
_GROWN = 1.4  # how many more must have been in flight before it is asked whether that paid
_SURE = 2.0  # standard errors
_REST = 8  # samples before another look whether more would pay; twice as many each time that it did not
_LONGEST_REST = 64
_SLOWER = 2.0  # times the usual latency


@dataclass(slots=True, eq=False)
class Sample:
    """Requests that left one after the other: how many were in flight with them, and how long the answers took."""

    size: int
    left: int = 0
    back: int = 0
    answered: int = 0
    _among: float = 0.0
    _seconds: float = 0.0
    _squares: float = 0.0

    def take(self) -> bool:
        """Whether a request that leaves now belongs to the sample."""
        fits = self.left < self.size
        self.left += fits
        return fits

    def add(self, among: int, seconds: float, *, answered: bool) -> None:
        """A request of the sample has come back, after so long, having left with so many in flight."""
        self.back += 1
        if answered:
            self.answered += 1
            self._among += among
            self._seconds += max(seconds, 1e-6)
            self._squares += seconds * seconds

    def is_over(self) -> bool:
        """Whether enough have come back."""
        return self.left >= self.size and self.back >= _BACK * self.size

    @property
    def in_flight(self) -> float:
        """Requests in flight when one of the answered left."""
        return self._among / self.answered

    @property
    def latency(self) -> float:
        """Seconds until an answer, on average."""
        return self._seconds / self.answered

    @property
    def error(self) -> float:
        """Standard error of the latency, as a share of it."""
        spread = max(0.0, self._squares / self.answered / self.latency**2 - 1)
        return math.sqrt(spread / self.answered)


@dataclass(slots=True)
class Worth:
    """The most in flight for which more was shown to bring more; `enough` is how many are enough where more were shown not to."""

    enough: float = 0.0
    usual: float = 0.0
    _best: Sample | None = None
    _latency: float = 0.0
    _rest: int = 0
    _next_rest: int = _REST

    @property
    def resting(self) -> bool:
        """Whether more was lately shown not to pay."""
        return self._rest > 0

    def gradient(self, sample: Sample) -> float:
        """By how much to make the number smaller because answers take longer than usual: 1 where they do not, 0.5 at most."""
        usual, latency = self.usual, sample.latency
        self.usual = usual * 0.8 + latency * 0.2 if usual else latency
        return min(1.0, max(0.5, _SLOWER * usual / latency)) if usual else 1.0

    def is_too_many(self, sample: Sample) -> bool:
        """Whether a sample shows that so many only queue.

        By Little's law n requests in flight that take t seconds are n / t replies a second.
        """
        self._rest = max(0, self._rest - 1)
        if self._best is None:
            self._move(sample)
            return False
        grown = sample.in_flight / self._best.in_flight
        if 1 / _GROWN <= grown < _GROWN:
            if grown <= 1.1:
                self._latency = 0.8 * self._latency + 0.2 * sample.latency
            return False
        faster = grown * self._latency / sample.latency
        doubt, wanted = math.hypot(self._best.error, sample.error), 1 + _WORTH * (grown - 1)
        if grown > 1 and faster * (1 + _SURE * doubt) < wanted:
            self._rest, self._next_rest = self._next_rest, min(_LONGEST_REST, self._next_rest * 2)
            self.enough = self._best.in_flight * max(1.0, faster) * 1.1
            return True
        if grown < 1 or faster * (1 - doubt) >= wanted:
            self._move(sample)
        return False

    def _move(self, sample: Sample) -> None:
        self._best, self._latency, self._next_rest = sample, sample.latency, _REST
