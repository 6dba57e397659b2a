"""How many requests are in flight: as many as an endpoint gains from, and no more than it allows.

Nobody tells how many requests an endpoint serves at once, so it is found out, and found out again while it changes:

- **Start.** One request goes alone until it is answered or a tenth of a second has brought no refusal: a wrong key costs one
  refusal. Then eight, and one more for every reply (slow start; Jacobson, SIGCOMM 1988). Where a reply takes long, silence
  speaks: as long as nothing comes back, the number doubles every twentieth of a second, up to 256.
- **Does it pay?** (`worth`) Where many more in flight made hardly more replies a second, less than a quarter of the growth, they
  only queue: back to where it still paid, and another look later (BBR's plateau; Cardwell et al., ACM Queue 2016). Latency alone
  would not do, for an endpoint that computes requests in batches is slower and yet better off with more of them.
- **Slower than before.** Answers that take more than twice the usual time make the number smaller in proportion (the gradient of
  Netflix' concurrency-limits, Gradient2, https://github.com/Netflix/concurrency-limits).
- **Refused.** 429, 503, timeouts and the like make it smaller by half their share of a round (DCTCP; Alizadeh et al., SIGCOMM
  2010): a few that come by chance cost little, a wall halves it. After the start it grows by a tenth a round.
- **Told.** Retry-After holds everybody; what rate-limit fields say is left (`allowance`) is not overdrawn.

Times are those of the running event loop, in seconds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from qagen.teacher.allowance import Allowance
from qagen.teacher.worth import Sample, Worth

_INSTANT = 0.001  # seconds that are not worth a wait
_FIRST = 8
_ALONE = 0.1  # seconds without a refusal after which the first request counts as accepted
_SILENCE = 0.05  # seconds without any news after which more may go
_MOST_IN_SILENCE = 256
_LONG = 0.5  # seconds that a reply takes from which silence speaks: replies that come sooner speak for themselves
_ROUND = 8  # outcomes in a round, at least
_FEW, _MANY = 32, 128  # requests in a sample, at least and at most; the first has eight
_STEP = 1.1  # how much more is tried at a time, after the start

Outcome = Literal["answered", "refused", "failed"]


@dataclass(slots=True, eq=False)
class Ticket:
    """Leave to send one request: when it was given, how many were in flight with it, and what had been sent until then."""

    at: float
    among: int
    requests: float
    tokens: float
    sample: Sample | None = None
    used: bool = False


class Pace:
    """Gives leave to send, in the order in which it was asked for; one event loop only. `most` is never exceeded."""

    def __init__(self, most: int) -> None:
        self._most, self.limit, self.in_flight = most, 1.0, 0
        self._waiting: deque[tuple[asyncio.Future[Ticket], float]] = deque()
        self._requests, self._tokens = Allowance("requests"), Allowance("tokens")
        self._not_before, self._last_event = 0.0, 0.0
        self._waking, self._growing = _Alarm(self._admit), _Alarm(self._grow_in_silence)
        self._proven, self._starting, self._closed = False, True, False
        self._round, self._sample, self._worth = _Round(_ROUND), Sample(_FIRST), Worth()

    async def enter(self, tokens: float, *, again: bool = False) -> Ticket:
        """Wait for leave to send a request of about so many tokens; who was refused before (`again`) goes first."""
        waiter: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if again else self._waiting.append)((waiter, tokens))
        self._admit()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave(waiter.result(), "failed")
            raise

    def sends(self, ticket: Ticket) -> None:
        """Say that a request leaves only now: it had to wait for something else than the endpoint."""
        ticket.at = _now()

    def hear(self, ticket: Ticket, headers: Mapping[str, str]) -> None:
        """Take note of the rate limits that an answer tells of."""
        self._requests.hear(headers, ticket.requests, _now())
        self._tokens.hear(headers, ticket.tokens, _now())

    def leave(self, ticket: Ticket, outcome: Outcome) -> None:
        """Say what came of a request: `refused` if the endpoint could not take it now, `failed` if that tells nothing of its load.

        Only the first word on a ticket counts.
        """
        if ticket.used:
            return
        now, ticket.used = _now(), True
        self.in_flight, self._last_event = self.in_flight - 1, now
        if ticket.sample:
            ticket.sample.add(ticket.among, now - ticket.at, answered=outcome == "answered")
        if outcome == "answered":
            self._grow_by_reply(now - ticket.at)
        elif not self._proven:
            self.limit = 1.0
            self.hold(_ALONE)  # time for whoever failed to say how long to wait before anybody tries
        self._look(outcome)
        self._admit()

    def hold(self, seconds: float) -> None:
        """Send nothing for a while."""
        self._not_before = max(self._not_before, _now() + seconds)

    def close(self) -> None:
        """Let everybody pass: nothing is going to be sent any more, and nobody need wait to hear that."""
        self._closed = True
        self._admit()

    # ---- who may go

    def _admit(self) -> None:
        now, leaving = _now(), []
        while self._waiting:
            waiter, tokens = self._waiting[0]
            if not waiter.done():  # it is done where who waited was cancelled
                if not self._closed and not self._may_go(tokens, now):
                    break
                self.in_flight, self._last_event = self.in_flight + 1, now
                leaving.append((waiter, Ticket(now, 0, self._requests.take(1), self._tokens.take(tokens))))
            self._waiting.popleft()
        for waiter, ticket in leaving:
            ticket.among = self.in_flight  # all that leave together count for each of them
            ticket.sample = self._sample if self._sample.take() else None
            waiter.set_result(ticket)

    def _may_go(self, tokens: float, now: float) -> bool:
        if self.in_flight >= int(self.limit):
            if self._silence_speaks():
                self._growing.set(self._last_event + self._silence())
            return False
        wait = max(self._not_before - now, self._requests.wait(1, now), self._tokens.wait(tokens, now))
        if wait > _INSTANT:
            self._waking.set(now + wait)
        return wait <= _INSTANT

    # ---- how many may be in flight

    def _grow_by_reply(self, seconds: float) -> None:
        if not self._proven:
            self._proven, self._worth.usual = True, seconds
            self._set(max(self.limit, _FIRST))
        elif self._starting and self._waiting:
            self._set(self.limit + 1)

    def _silence_speaks(self) -> bool:
        return self._starting and self.limit < min(self._most, _MOST_IN_SILENCE) and not 0 < self._worth.usual < _LONG

    def _silence(self) -> float:
        return _SILENCE if self.limit > 1 else _ALONE

    def _grow_in_silence(self) -> None:
        quiet = _now() - self._last_event
        if self._waiting and self.in_flight >= int(self.limit) and self._silence_speaks() and quiet > 0.9 * self._silence():
            self._set(min(_MOST_IN_SILENCE, max(_FIRST, self.limit * 2)))
        self._admit()

    def _look(self, outcome: Outcome) -> None:
        """Make of what has come back what there is to be learnt of it."""
        if self._sample.is_over():
            sample, self._sample = self._sample, Sample(_FEW if self._starting else max(_FEW, min(_MANY, self.in_flight)))
            if sample.answered and sample.in_flight <= self.limit * _STEP + 1:  # else it left before the number became smaller
                self._judge(sample)
        self._round.count += 1
        self._round.refused += outcome == "refused"
        if self._round.count >= self._round.size:
            self._turn()

    def _judge(self, sample: Sample) -> None:
        self._set(self.limit * self._worth.gradient(sample))
        if self._worth.is_too_many(sample):
            self._starting = False
            self._set(min(self.limit, self._worth.enough))

    def _turn(self) -> None:
        """A round is over: as many have come back as were under way when it began."""
        ended, self._round = self._round, _Round(max(_ROUND, self.in_flight))
        if not self._starting and self._waiting and not self._worth.resting:
            self._set(max(self.limit + 1, self.limit * _STEP))
        if ended.refused:
            self._starting = False
            self._set(self.limit * (1 - ended.refused / ended.count / 2))

    def _set(self, limit: float) -> None:
        self.limit = min(float(self._most), max(1.0, limit))


@dataclass(slots=True)
class _Round:
    """Outcomes, counted."""

    size: int
    count: int = 0
    refused: int = 0


class _Alarm:
    """Something to do at a time; of several times that are set, the earliest."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at: float) -> None:
        """Act at this time of the event loop, or before."""
        if self._handle:
            if self._handle.when() <= at:
                return
            self._handle.cancel()
        self._handle = asyncio.get_running_loop().call_at(at, self._ring)

    def _ring(self) -> None:
        self._handle = None
        self._act()


def _now() -> float:
    return asyncio.get_running_loop().time()
