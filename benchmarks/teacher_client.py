"""One client asks an endpoint the same requests as all others: a process that `benchmarks/teacher.py` starts, and that measures itself.

Prints one line of JSON: requests a second, seconds, CPU seconds, megabytes when a tenth of the replies were there and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from qagen.config import BudgetConfig, TeacherConfig
from qagen.records import Message
from qagen.teacher.budget import Budget
from qagen.teacher.client import Teacher
from qagen.teacher.ledger import Ledger, Reply, Request, spent_in

_PER_DOCUMENT = 16
_TEXT = "The storage ring has a circumference of 1436 m and an emittance of 80 pm rad; its beam lifetime is 10 h. " * 30

Measured = dict[str, Any]


class Clock:
    """Time, CPU and memory of this process, from now on."""

    def __init__(self, requests: int) -> None:
        gc.collect()
        self._requests, self._began, self._cpu = requests, time.perf_counter(), _cpu()
        self.answered = self.errors = 0
        self._early = _memory()

    def tick(self, well: bool) -> None:
        """A request is over."""
        self.answered += well
        self.errors += not well
        if self.answered + self.errors == self._requests // 10:
            self._early = _memory()

    def read(self) -> Measured:
        """What was measured."""
        seconds = time.perf_counter() - self._began
        return {
            "answered": self.answered,
            "errors": self.errors,
            "seconds": seconds,
            "rate": self.answered / seconds,
            "cpu": _cpu() - self._cpu,
            "memory_early": self._early,
            "memory_end": _memory(),
        }


def messages(number: int) -> tuple[Message, ...]:
    """About as long as a chunk, and no two the same."""
    return (Message("system", "You write questions about a source."), Message("user", f"{_TEXT}\n\nWrite question {number}."))


async def fieldsmith(given: argparse.Namespace) -> Measured:
    """Our own: the replies of documents of 16 requests each go to their ledgers, on the disk, under a budget."""
    from aiohttp import ClientSession  # noqa: F401 - what is imported is not measured, for nobody
    from openai import AsyncOpenAI  # noqa: F401

    config = TeacherConfig(
        model=given.model, base_url=given.base_url, concurrency=given.concurrency, timeout=given.timeout, retries=given.retries
    )
    folder = Path(given.folder or tempfile.mkdtemp(prefix="teacher-"))
    budget = Budget(BudgetConfig(calls=given.budget or None), {}, spent_in(folder))
    clock = Clock(given.requests)
    async with Teacher(config, budget.account(config.model)) as teacher:

        async def ask(number: int, ledger: Ledger) -> None:
            clock.tick(isinstance(await teacher.ask(Request(messages(number), 100), ledger), Reply))

        async def document(start: int) -> None:
            ledger = Ledger(folder, f"document {start}")
            await asyncio.gather(*(ask(number, ledger) for number in range(start, min(start + _PER_DOCUMENT, given.requests))))

        await _by(max(4, 4 * given.concurrency // _PER_DOCUMENT), iter(range(0, given.requests, _PER_DOCUMENT)), document)
    spent = budget.spent.get(given.model)
    booked = {"calls": spent.calls, "tokens": spent.input_tokens + spent.output_tokens} if spent else {"calls": 0, "tokens": 0}
    return clock.read() | booked | {"stopped": str(teacher.stopped or "")}


async def openai(given: argparse.Namespace, *, over_aiohttp: bool = False) -> Measured:
    """The `openai` package's own client, with its own retries; nothing is kept."""
    from openai import APIError, AsyncOpenAI, DefaultAioHttpClient, DefaultAsyncHttpxClient

    transport = DefaultAioHttpClient() if over_aiohttp else DefaultAsyncHttpxClient()
    async with AsyncOpenAI(base_url=given.base_url, api_key="none", http_client=transport, timeout=given.timeout) as client:
        clock = Clock(given.requests)

        async def ask(number: int) -> None:
            said: Any = [{"role": one.role, "content": one.content} for one in messages(number)]
            try:
                reply = await client.chat.completions.create(model=given.model, messages=said, max_tokens=100, temperature=0)
            except APIError:
                clock.tick(False)
            else:
                clock.tick(bool(reply.choices))

        await _by(given.concurrency, iter(range(given.requests)), ask)
        return clock.read()


async def aiohttp(given: argparse.Namespace) -> Measured:
    """No client at all: what endpoint and event loop allow; no retries, nothing is kept."""
    from aiohttp import ClientError, ClientSession, TCPConnector

    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        clock = Clock(given.requests)

        async def ask(number: int) -> None:
            said = [{"role": one.role, "content": one.content} for one in messages(number)]
            body = {"model": given.model, "messages": said, "max_tokens": 100, "temperature": 0}
            try:
                async with session.post(f"{given.base_url}/chat/completions", json=body) as answer:
                    clock.tick("choices" in json.loads(await answer.read()))
            except (ClientError, TimeoutError, ValueError):
                clock.tick(False)

        await _by(given.concurrency, iter(range(given.requests)), ask)
        return clock.read()


async def _by(workers: int, work: Iterator[int], do: Callable[[int], Awaitable[None]]) -> None:
    async def worker() -> None:
        for one in work:
            await do(one)

    await asyncio.gather(*(worker() for _ in range(workers)))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _memory() -> float:
    return float(psutil.Process().memory_info().rss) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=["fieldsmith", "openai", "openai[aiohttp]", "aiohttp"])
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", default="local")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--timeout", type=float, default=120.0)
    parser.add_argument("--retries", type=int, default=5)
    parser.add_argument("--budget", type=int, default=0, help="calls")
    parser.add_argument("--folder", default="", help="of the ledgers; a new one if empty")
    given = parser.parse_args()
    run: dict[str, Callable[[], Awaitable[Measured]]] = {
        "fieldsmith": lambda: fieldsmith(given),
        "openai": lambda: openai(given),
        "openai[aiohttp]": lambda: openai(given, over_aiohttp=True),
        "aiohttp": lambda: aiohttp(given),
    }

    async def measured() -> Measured:
        return {"client": given.client, **await run[given.client]()}

    print(json.dumps(asyncio.run(measured())), flush=True)


if __name__ == "__main__":
    main()
