"""Several readers at once: a thread for each, and behind it a worker process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

from harvest.papers import Read
from harvest.sandbox import Worker

Result = TypeVar("Result")


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Readers:
    """Takes work that needs a reader, `width` pieces at a time; processes start when they are first needed."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._workers = [Worker() for _ in range(width)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(width, thread_name_prefix="reader")

    def submit(self, work: Callable[[Read], Result]) -> Future[Result]:
        """Have `work` done with a reader of its own."""
        return self._threads.submit(self._with_worker, work)

    def _with_worker(self, work: Callable[[Read], Result]) -> Result:
        worker = self._idle.get()
        try:
            return work(worker.read)
        finally:
            self._idle.put(worker)

    def end(self) -> None:
        """Give up what is not done and end the processes."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.end()
        self._threads.shutdown()


@contextmanager
def readers(width: int | None) -> Iterator[Readers]:
    """Readers, by default one for each core, that end with the block however it ends."""
    pool = Readers(width or cores())
    try:
        yield pool
    finally:
        pool.end()
