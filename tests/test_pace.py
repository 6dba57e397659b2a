"""How many requests are in flight: on a clock of our own, against endpoints of which we know what they can do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import run

from qagen.teacher.allowance import Allowance, seconds
from qagen.teacher.pace import Pace


@dataclass
class Endpoint:
    """Answers after `latency` seconds, longer by the share `batch` for each that it works on beside.

    It takes `rate` requests a second, refuses the others and, if it `tells`, says what is left; the share `unlucky` it refuses by chance.
    """

    slots: int = 10_000
    latency: float = 1.0
    spread: float = 0.2
    batch: float = 0.0
    rate: float = 0.0
    tells: bool = False
    unlucky: float = 0.0
    in_flight: int = 0
    most: int = 0
    refused: int = 0
    arrivals: list[float] = field(default_factory=list)
    _busy: int = 0
    _bucket: float = 0.0
    _filled: float = 0.0

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.slots)
        self._random, self._bucket = random.Random(1), self.rate

    async def __call__(self) -> tuple[bool, Mapping[str, str]]:
        """Whether it answers, and the header fields of that."""
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        self.arrivals.append(_now())
        try:
            return await self._serve()
        finally:
            self.in_flight -= 1

    async def _serve(self) -> tuple[bool, Mapping[str, str]]:
        if (self.rate and not self._drop()) or self._random.random() < self.unlucky:
            self.refused += 1
            await asyncio.sleep(0.01)
            return False, self._told()
        told = self._told()
        async with self._free:
            self._busy += 1
            await asyncio.sleep(self.latency * (1 + self.batch * self._busy) * self._random.uniform(1 - self.spread, 1 + self.spread))
            self._busy -= 1
        return True, told

    def _drop(self) -> bool:
        """Take one out of the bucket that fills with `rate` and holds a second's worth."""
        self._bucket, self._filled = min(self.rate, self._bucket + (_now() - self._filled) * self.rate), _now()
        if self._bucket < 1:
            return False
        self._bucket -= 1
        return True

    def _told(self) -> Mapping[str, str]:
        if not self.tells:
            return {}
        left = {"limit": f"{self.rate}", "remaining": str(int(self._bucket)), "reset": f"{1 - self._bucket / self.rate:.3f}s"}
        return {f"x-ratelimit-{name}-requests": value for name, value in left.items()}


def _now() -> float:
    return asyncio.get_running_loop().time()


def drive(endpoint: Endpoint, requests: int, most: int, *, warm: bool = False) -> tuple[float, Pace]:
    """Send so many, refused ones again; the seconds that took, and the pace at the end."""

    async def main() -> tuple[float, Pace]:
        pace, chance = Pace(most), random.Random(2)

        async def one() -> None:
            again = False
            while True:
                ticket = await pace.enter(10, again=again)
                answered, headers = await endpoint()
                pace.hear(ticket, headers)
                pace.leave(ticket, "answered" if answered else "refused")
                if answered:
                    return
                again = True
                await asyncio.sleep(chance.uniform(0.25, 0.5))

        if warm:
            await one()
        began = _now()
        await asyncio.gather(*(one() for _ in range(requests)))
        return _now() - began, pace

    return run(main())


# ---- as many as it gains from


@pytest.mark.parametrize("warm", [False, True])
def test_a_large_endpoint_is_used_to_the_full_from_the_first_second(warm: bool) -> None:
    seconds_taken, _ = drive(endpoint := Endpoint(slots=256, latency=1.0), 10_000, 256, warm=warm)
    assert 10_000 / seconds_taken > 0.95 * 256
    assert endpoint.most <= 256


def test_a_fast_endpoint_is_used_to_the_full_soon() -> None:
    seconds_taken, _ = drive(Endpoint(slots=256, latency=0.2), 10_000, 256)
    assert 10_000 / seconds_taken > 0.85 * 256 / 0.2


@pytest.mark.parametrize(("slots", "latency"), [(1, 0.1), (8, 0.1), (32, 0.3)])
def test_requests_do_not_queue_where_more_of_them_bring_nothing(slots: int, latency: float) -> None:
    seconds_taken, pace = drive(Endpoint(slots=slots, latency=latency), 1500, 1024)
    assert 1500 / seconds_taken > 0.95 * slots / latency
    assert pace.limit < 8 + 4 * slots  # of 1024


def test_an_endpoint_that_computes_in_batches_is_given_more_although_it_gets_slower() -> None:
    """Four times as many requests take 2.5 times as long: slower, and yet worth it."""
    seconds_taken, pace = drive(Endpoint(latency=0.5, batch=0.01), 4000, 1024)
    assert pace.limit > 100
    assert 4000 / seconds_taken > 100  # 8 in flight bring 15 a second, any number 200


def test_a_slow_endpoint_with_few_slots_is_left_in_peace_after_the_first_look() -> None:
    _, pace = drive(Endpoint(slots=4, latency=10), 400, 64)
    assert pace.limit < 10


def test_answers_that_take_very_different_times_are_not_taken_for_a_slow_endpoint() -> None:
    """Of many that leave together the quick ones are back first: whoever looks at those finds the others slow."""
    seconds_taken, pace = drive(Endpoint(slots=256, latency=1.0, spread=0.9), 5000, 256)
    assert pace.limit == 256
    assert 5000 / seconds_taken > 0.8 * 256


# ---- no more than it allows


def test_a_wall_of_refusals_makes_it_small_and_all_is_answered() -> None:
    seconds_taken, pace = drive(endpoint := Endpoint(latency=0.3, rate=20), 1000, 256)
    assert 1000 / seconds_taken > 0.9 * 20
    assert pace.limit < 40
    assert endpoint.refused < 1000


def test_what_an_endpoint_says_is_left_is_not_overdrawn() -> None:
    silent, telling = Endpoint(latency=0.3, rate=20), Endpoint(latency=0.3, rate=20, tells=True)
    drive(silent, 500, 64)
    seconds_taken, _ = drive(telling, 500, 64)
    assert telling.refused < silent.refused / 5
    assert 500 / seconds_taken > 0.8 * 20


def test_refusals_by_chance_do_not_throttle() -> None:
    _, pace = drive(Endpoint(latency=0.1, unlucky=0.1), 5000, 64)
    assert pace.limit > 32


def test_nobody_is_sent_while_the_endpoint_asks_to_wait() -> None:
    async def main() -> float:
        pace = Pace(8)
        ticket = await pace.enter(1)
        pace.leave(ticket, "answered")
        pace.hold(30)
        began = _now()
        await asyncio.gather(*(pace.enter(1) for _ in range(4)))
        return _now() - began

    assert run(main()) == pytest.approx(30)


def test_the_first_goes_alone_until_nothing_speaks_against_it() -> None:
    async def main() -> list[float]:
        pace, sent = Pace(64), list[float]()

        async def one() -> None:
            ticket = await pace.enter(1)
            sent.append(_now())
            await asyncio.sleep(2)
            pace.leave(ticket, "answered")

        await asyncio.gather(*(one() for _ in range(64)))
        return sent

    sent = run(main())
    assert sent[:2] == [0.0, pytest.approx(0.1)]
    assert sum(at < 0.14 for at in sent) == 8


def test_refused_at_first_it_stays_one_at_a_time() -> None:
    async def main() -> int:
        pace, most, now = Pace(64), 0, 0

        async def one() -> None:
            nonlocal most, now
            ticket = await pace.enter(1)
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.05)
            now -= 1
            pace.leave(ticket, "failed")

        await asyncio.gather(*(one() for _ in range(20)))
        return most

    assert run(main()) == 1


# ---- whatever happens


@settings(deadline=None, max_examples=60)
@given(
    most=st.integers(1, 40),
    fates=st.lists(st.tuples(st.sampled_from(["answered", "refused", "failed", "cancelled"]), st.floats(0, 3)), max_size=120),
)
def test_never_more_than_allowed_and_nobody_is_forgotten(most: int, fates: list[tuple[str, float]]) -> None:
    async def main() -> tuple[int, int]:
        pace, now, highest = Pace(most), 0, 0

        async def one(fate: str, wait: float) -> None:
            nonlocal now, highest
            ticket = await pace.enter(1)
            now += 1
            highest = max(highest, now)
            try:
                await asyncio.sleep(wait)
            finally:
                now -= 1
                pace.leave(ticket, "failed" if fate == "cancelled" else fate)  # type: ignore[arg-type]

        tasks = [asyncio.create_task(one(fate, wait)) for fate, wait in fates]
        for task, (fate, wait) in zip(tasks, fates, strict=True):
            if fate == "cancelled":
                asyncio.get_running_loop().call_later(wait / 2, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        return highest, pace.in_flight

    highest, left = run(main())
    assert highest <= most
    assert left == 0


def test_whoever_is_told_that_all_is_over_need_not_wait() -> None:
    async def main() -> float:
        pace = Pace(1)
        await pace.enter(1)
        pace.hold(1000)
        waiting = [asyncio.create_task(pace.enter(1)) for _ in range(5)]
        await asyncio.sleep(0)
        pace.close()
        await asyncio.gather(*waiting)
        return _now()

    assert run(main()) == 0.0


# ---- rate limits in words


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("17ms", 0.017),
        ("1h2m3.5s", 3723.5),
        ("2.5", 2.5),
        ("", 0.0),
        ("soon", 0.0),
        ("-1", 0.0),
        ("nan", 0.0),
    ],
)
def test_times_to_wait_are_read_as_endpoints_write_them(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@settings(deadline=None)
@given(left=st.integers(0, 20), sent_since=st.integers(0, 30), limit=st.integers(1, 40), reset=st.floats(0.1, 100))
def test_an_allowance_counts_what_was_sent_after_it_was_said(left: int, sent_since: int, limit: int, reset: float) -> None:
    allowance = Allowance("requests")
    mark = allowance.take(1)
    for _ in range(sent_since):
        allowance.take(1)
    told = {"limit": str(limit), "remaining": str(min(left, limit)), "reset": f"{reset}s"}
    allowance.hear({f"x-ratelimit-{name}-requests": value for name, value in told.items()}, mark, 100.0)
    wait = allowance.wait(1, 100.0)
    assert (wait == 0) == (min(left, limit) - sent_since >= 1)
    assert 0 <= wait <= reset + 1e-9
    assert allowance.wait(1, 100.0 + reset) == pytest.approx(0, abs=1e-9)
