"""Lines that survive: written at once, and made durable for many files together.

A line is in the operating system's hands, safe from `kill -9`, when `append` returns, and on the disk, safe from a power
cut, when the future that it returned is done. An fsync of a small file keeps a disk busy for about a millisecond, in which
nothing else need wait: threads do them side by side, one fsync a file for all lines of it that wait (group commit; DeWitt
et al., SIGMOD 1984).
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harvest.store import FieldsmithError

_THREADS = 16  # a disk serves several at once: 256 files took 0.3 s one after the other and 0.015 s by sixteen


@dataclass(slots=True)
class _Line:
    """A line that is written and not yet known to be on the disk."""

    handle: int
    is_new: bool
    done: asyncio.Future[None]
    error: FieldsmithError | None = None


def append(path: Path, line: bytes) -> asyncio.Future[None]:
    """Write a line at the end of a file; the future is done when it is on the disk. In a running event loop only.

    Raises `FieldsmithError`, at once or through the future, where it cannot be written.
    """
    handle, is_new = _written(path, line)
    waiting = _Line(handle, is_new, asyncio.get_running_loop().create_future())
    _syncer().take(path, waiting)
    return waiting.done


def note(path: Path, line: bytes) -> None:
    """Write a line at the end of a file, and leave it to the operating system when it gets to the disk."""
    os.close(_written(path, line)[0])


def _written(path: Path, line: bytes) -> tuple[int, bool]:
    """Write a line: the open file, and whether it is new."""
    with _told(path):
        handle, is_new = _open(path)
        try:
            _write(handle, line)
        except BaseException:
            os.close(handle)
            raise
    return handle, is_new


def _open(path: Path) -> tuple[int, bool]:
    flags = os.O_WRONLY | os.O_APPEND
    try:
        return os.open(path, flags), False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags | os.O_CREAT, 0o644), True


def _write(handle: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(handle, rest) :]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FieldsmithError(
            f"{path} cannot be written ({error.strerror or error}); make room or mend it and run again, nothing received is lost"
        ) from error


@cache
def _syncer() -> _Syncer:
    return _Syncer()


class _Syncer:
    """Files that wait for their fsync, and the threads that do it; shared by all ledgers of the process."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="durable")
        self._lock, self._at_work = threading.Lock(), 0
        self._files: dict[Path, list[_Line]] = {}

    def take(self, path: Path, line: _Line) -> None:
        """See that a written line gets to the disk."""
        with self._lock:
            self._files.setdefault(path, []).append(line)
            more = self._at_work < _THREADS
            self._at_work += more
        if more:
            self._pool.submit(self._work)

    def _work(self) -> None:
        while files := self._share():
            for path, lines in files:
                self._sync(path, lines)
            _tell(line for _, lines in files for line in lines)

    def _share(self) -> list[tuple[Path, list[_Line]]]:
        """What of the waiting files this thread does next; nothing ends its work."""
        with self._lock:
            number = -(-len(self._files) // _THREADS)
            self._at_work -= not number
            return [self._files.popitem() for _ in range(number)]

    def _sync(self, path: Path, lines: list[_Line]) -> None:
        """One fsync flushes what was written through any handle of a file; a new file needs its folder's too."""
        try:
            with _told(path):
                os.fsync(lines[0].handle)
                if any(line.is_new for line in lines) and os.name == "posix":
                    _sync_folder(path.parent)
        except FieldsmithError as error:
            for line in lines:
                line.error = error
        finally:
            for line in lines:
                os.close(line.handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _tell(lines: Iterable[_Line]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Line]] = {}
    for line in lines:
        by_loop.setdefault(line.done.get_loop(), []).append(line)
    for loop, told in by_loop.items():
        with suppress(RuntimeError):  # a loop that is closed has nobody who waits
            loop.call_soon_threadsafe(_finish, told)


def _finish(lines: Iterable[_Line]) -> None:
    for line in lines:
        if line.done.done():
            continue
        if line.error:
            line.done.set_exception(line.error)
        else:
            line.done.set_result(None)
