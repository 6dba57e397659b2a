"""What an endpoint says is left of a rate limit, in the fields that OpenAI, Azure, Groq and others add to their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_LONGEST_RESET = 600.0  # seconds; who has to wait longer is told so with a 429
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


@dataclass(slots=True)
class Allowance:
    """Requests or tokens that may still be sent; `math.inf` of them before an endpoint has said anything.

    A number in an answer is true of the moment when its request arrived, so what was sent after that is taken off. The
    allowance refills evenly until `reset` seconds have passed (a token bucket, as OpenAI's; an endpoint that refills at once
    at the end of a window refuses one request now and then, and says until when). Times are those of one clock, in seconds.
    """

    what: Literal["requests", "tokens"]
    sent: float = 0.0
    _limit: float = 0.0
    _left: float = float("inf")
    _at: float = 0.0
    _reset: float = 0.0
    _newest: float = -1.0

    def take(self, amount: float) -> float:
        """Count what is about to be sent; returns the mark that the answer to it is to be heard with."""
        self.sent += amount
        self._left -= amount
        return self.sent

    def hear(self, headers: Mapping[str, str], mark: float, now: float) -> None:
        """Read the fields of an answer to what was sent with this mark; older news than the newest is left out."""
        left = _number(headers.get(f"x-ratelimit-remaining-{self.what}"))
        if left is None or mark < self._newest:
            return
        self._newest, self._at, self._left = mark, now, left - (self.sent - mark)
        self._limit = _number(headers.get(f"x-ratelimit-limit-{self.what}")) or 0.0
        self._reset = min(_LONGEST_RESET, seconds(headers.get(f"x-ratelimit-reset-{self.what}", "")))

    def wait(self, amount: float, now: float) -> float:
        """Seconds until so much may be sent."""
        passed = now - self._at
        if amount <= self._left or passed >= self._reset or amount > self._limit > 0:
            return 0.0
        rate = max(0.0, self._limit - max(self._left, 0.0)) / self._reset
        full = (amount - self._left) / rate if rate else self._reset
        return max(0.0, min(self._reset, full) - passed)


def seconds(text: str) -> float:
    """A time to wait as endpoints write it (`1s`, `6m0s`, `17ms`, `1.5`); 0 where it is nothing of this."""
    pieces = _PIECE.findall(text.strip())
    if pieces and "".join(number + unit for number, unit in pieces) == text.strip():
        return sum(float(number) * _UNITS[unit] for number, unit in pieces)
    return _number(text) or 0.0


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
