"""One request to arXiv every three seconds, over all processes of this machine.

arXiv's terms of use ask for no more than one request every three seconds over a single connection
(https://info.arxiv.org/help/api/tou.html). A file lock is held while a request is under way; the kernel frees it
with its process, also after kill -9. Beside it lies the moment of the last request on the monotonic clock, which all
processes of a machine share and which no change of the date can move. A moment that lies in the future is of an
earlier boot and costs one full wait; one that lies an interval back is right whichever boot wrote it, since a
machine that runs that long was started that long ago.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harvest.store import FieldsmithError

_log = logging.getLogger(__name__)
LONGEST_PAUSE = 120.0  # seconds that a server's Retry-After may hold us


def cache_folder() -> Path:
    """The user's cache folder of fieldsmith: below `XDG_CACHE_HOME`, else below ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fieldsmith"


def turn(last: float, pause: float, now: float, interval: float) -> float:
    """The moment of the next request (monotonic seconds), from that of the `last` and the `pause` that the server asked for after it.

    Never sooner than `interval` after a request of this boot, never later than `interval` or `LONGEST_PAUSE` from now,
    whatever the stamp says.
    """
    return min(last, now) + max(interval, min(pause, LONGEST_PAUSE))


class Gate:
    """The turnstile before one server: `interval` seconds between the starts of any two requests."""

    def __init__(self, name: str, interval: float) -> None:
        folder = cache_folder() / "polite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FieldsmithError(
                f"{folder} cannot be made ({error.strerror}); set XDG_CACHE_HOME to a folder that can be written"
            ) from error
        self.interval = interval
        self._lock = FileLock(folder / f"{name}.lock")
        self._stamp = folder / f"{name}.last"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the only connection; may be nested."""
        try:
            self._lock.acquire(timeout=0.2)
        except Timeout:
            _log.info("waiting for another process that asks the same server")
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def pace(self) -> None:
        """Wait for our turn and note it; to be called with the gate held."""
        last, pause = self._read()
        due = turn(last, pause, time.monotonic(), self.interval)
        while (left := due - time.monotonic()) > 0:
            time.sleep(left)
        self.note()

    def note(self, pause: float = 0.0) -> None:
        """A request started or was answered just now; `pause` is the longer wait that the server asked for."""
        self._stamp.write_text(f"{time.monotonic()!r} {min(pause, LONGEST_PAUSE)!r}", encoding="ascii")

    def rest(self, pause: float) -> None:
        """Let nobody ask for `pause` seconds from now."""
        with self.held():
            self.note(pause)

    def _read(self) -> tuple[float, float]:
        """The last moment and the pause after it; a file that says neither (torn, nonsense) counts as just now."""
        try:
            last, pause = (float(word) for word in self._stamp.read_text(encoding="ascii").split())
        except FileNotFoundError:
            return float("-inf"), 0.0
        except ValueError:
            return time.monotonic(), 0.0
        return (last, pause) if math.isfinite(last) and math.isfinite(pause) else (time.monotonic(), 0.0)
