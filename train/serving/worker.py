"""The one worker that touches the built-in server's model: it takes what is waiting, in the order of arrival, and answers it together."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from train.decode import Ask, Decoder, Reply

GATHER = 0.02
"""Seconds for which the worker waits for more requests once it has one: clients that got their replies together ask again together."""


@dataclass(slots=True)
class Job:
    """A request in work: its reply to come, and the tokens of it as they are chosen, None after the last.

    `wanted` is set to False by whoever no longer waits for it.
    """

    ask: Ask
    reply: Future[Reply] = field(default_factory=Future)
    tokens: SimpleQueue[int | None] = field(default_factory=SimpleQueue)
    wanted: bool = True

    def each_token(self) -> Iterator[int]:
        """The tokens as they come."""
        while (token := self.tokens.get()) is not None:
            yield token

    def told(self, token: int) -> bool:
        """Hand on a token; whether to go on."""
        self.tokens.put(token)
        return self.wanted

    def done(self, reply: Reply) -> None:
        """Hand on the whole reply."""
        self.reply.set_result(reply)
        self.tokens.put(None)


class Worker:
    """Batches what is waiting; `submit` may be called from any thread."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._arrived: SimpleQueue[Job] = SimpleQueue()
        self._waiting: list[Job] = []

    def submit(self, ask: Ask) -> Job:
        """The reply to come."""
        job = Job(ask)
        self._arrived.put(job)
        return job

    def work(self) -> None:
        """Answer for ever. What goes wrong here is a defect: it ends the process, so that no client waits in vain."""
        try:
            while True:
                self._collect()
                self._answer(self._next_batch())
        finally:
            sys.excepthook(*sys.exc_info())  # the loop has no other end
            os._exit(1)

    def _answer(self, jobs: list[Job]) -> None:
        self._decoder.run(
            [job.ask for job in jobs], lambda place, reply: jobs[place].done(reply), lambda place, token: jobs[place].told(token)
        )

    def _collect(self) -> None:
        if not self._waiting:
            self._waiting.append(self._arrived.get())
        until = time.monotonic() + GATHER
        while (left := until - time.monotonic()) > 0:
            try:
                self._waiting.append(self._arrived.get(timeout=left))
            except Empty:
                return

    def _next_batch(self) -> list[Job]:
        from train.decode import ROWS, room

        width = room(self._waiting[0].ask)
        jobs = [job for job in self._waiting if room(job.ask) == width][:ROWS]
        taken = set(map(id, jobs))
        self._waiting = [job for job in self._waiting if id(job) not in taken]
        return jobs
