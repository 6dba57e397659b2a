"""A figure that is not known: at least, likely, at most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """A low, a likely and a high value, in this order."""

    low: float
    likely: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Range:
        """A figure that is known."""
        return cls(value, value, value)

    @classmethod
    def sum(cls, ranges: Iterable[Range]) -> Range:
        """Low with low and high with high: what makes one figure large makes the others large."""
        some = list(ranges)
        return cls(sum(one.low for one in some), sum(one.likely for one in some), sum(one.high for one in some))

    def times(self, factor: Range) -> Range:
        """The product, case by case."""
        return Range(self.low * factor.low, self.likely * factor.likely, self.high * factor.high)
