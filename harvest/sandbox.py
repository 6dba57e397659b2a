"""Reading in a process of its own: a bomb, a hang or a crash costs one document, never the run.

A warm worker reads document after document; after a crash or a time-out it is killed and the next document gets a new
one, as it does after a while anyway, for libraries leak. The worker is given the bytes of a file, never a path, and a
bare environment without keys; it gives up network, writing and other programs (see `harvest.confine`), keeps limits of
memory and time, ends with its parent (its standard input closes; a document that still runs then is ended by its alarm),
and answers in JSON of limited length, which is checked like anything that comes from outside.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections import deque
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from pydantic import TypeAdapter, ValidationError

from harvest.confine import confine
from harvest.readers.extract import Extract, Reading, UnreadableDocument

SECONDS = 120.0  # for one document; the longest of our test papers takes 3, but text recognition that much for each page
_BYTES_A_SECOND = 100_000  # one second more for so much of a file: long scans are large, bombs are small
_LONGEST = 900.0
MEMORY = 4 << 30  # bytes of address space of the worker
LARGEST_FILE = 400_000_000  # bytes, as for a download
LARGEST_ANSWER = 64_000_000  # bytes; the text of a book of 2,000 pages is a tenth of it
DOCUMENTS = 200  # that one process reads before it is replaced
READER = "harvest.readers.any:read_bytes"
# What a reader may know of its surroundings: where code and models lie, and the language; no keys, no proxies, no home.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TESSDATA_PREFIX", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONHOME", "SYSTEMROOT", "OMP_WAIT_POLICY")
_SIZE = struct.Struct(">Q")
_TOO_LONG = json.dumps({"reason": "too-large", "detail": f"its text exceeds {LARGEST_ANSWER // 1_000_000} MB"}).encode()


class Worker:
    """A process that reads documents, one at a time; safe to use from several threads.

    `reader` names a function `(data, name, reading) -> Extract` that raises `UnreadableDocument`.
    """

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY, reader: str = READER) -> None:
        self.seconds, self.memory, self.reader = seconds, memory, reader
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._said: deque[bytes] = deque(maxlen=4)  # the end of its standard error
        self._owner = self._served = 0
        self._over = False

    def read(self, path: Path, reading: Reading | None = None) -> Extract:
        """Read one file; raises `UnreadableDocument`, also for a reader that hangs or dies."""
        _check_size(path.stat().st_size, path.name)  # before it fills our memory
        return self.read_bytes(path.read_bytes(), path.name, reading)

    def read_bytes(self, data: bytes, name: str, reading: Reading | None = None) -> Extract:
        """Read what is in a file of this name, likewise."""
        _check_size(len(data), name)
        with self._lock:
            answer = self._ask(data, name, reading or Reading())
            if self._process is None and self._served > 1 and answer["reason"] != "timed-out" and not self._over:
                # it died: of this document, or of what those before it left behind?
                answer = self._ask(data, name, reading or Reading())
        if "reason" in answer:
            raise UnreadableDocument(name, str(answer["reason"]), str(answer["detail"]))
        try:
            return TypeAdapter(Extract).validate_python(answer)
        except ValidationError as error:
            raise UnreadableDocument(name, "crashed", "the reader answered something that is no document") from error

    def end(self) -> None:
        """End the process for good: a document that is being read is given up, and none is read any more."""
        self._over = True
        self.close()

    def close(self) -> None:
        """End the process, if there is one; the next document starts another."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():  # after a fork the process belongs to the parent
            self._process, self._owner = None, os.getpid()
        if self._process is None or self._process.poll() is not None or self._served >= DOCUMENTS:
            self.close()
            self._process, self._served = _start(self.memory, self.reader), 0
            self._said = deque(maxlen=4)
            threading.Thread(target=_drain, args=(self._process.stderr, self._said), daemon=True).start()
        self._served += 1
        return self._process

    def _ask(self, data: bytes, name: str, reading: Reading) -> dict[str, Any]:
        process = self._started()
        answered: SimpleQueue[bytes | None] = SimpleQueue()
        seconds = max(self.seconds, min(self.seconds + len(data) / _BYTES_A_SECOND, _LONGEST))
        header = json.dumps({"name": name, "size": len(data), "seconds": seconds, "reading": asdict(reading)}).encode() + b"\n"
        threading.Thread(target=lambda: answered.put(_exchange(process, header, data)), daemon=True).start()
        try:
            answer = answered.get(timeout=seconds)
        except Empty:
            self.close()
            return _timed_out(seconds)
        if answer is _TOO_LONG:  # what else it has said still stands in the pipe
            self.close()
        try:
            made = json.loads(answer) if answer is not None else self._crashed(process, seconds)
        except (ValueError, RecursionError):
            made = None
        return made if isinstance(made, dict) else {"reason": "crashed", "detail": "the reader answered something that is no document"}

    def _crashed(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
        """Why no answer came, by how the process ended and its last words."""
        code = process.wait()
        said = [line for line in b"".join(self._said).decode("utf-8", "replace").splitlines() if line.strip()]
        self.close()
        if code in (-signal.SIGALRM, -signal.SIGXCPU):
            return _timed_out(seconds)
        if said and said[-1].startswith("MemoryError"):
            return {"reason": "too-large", "detail": "its reading needs more memory than is allowed"}
        why = said[-1][:200] if said else f"signal {-code}" if code < 0 else f"exit code {code}"
        return {"reason": "crashed", "detail": f"the reader failed on it ({why})"}


def _check_size(size: int, name: str) -> None:
    if size > LARGEST_FILE:
        raise UnreadableDocument(name, "too-large", f"it is larger than {LARGEST_FILE // 1_000_000} MB")


def _timed_out(seconds: float) -> dict[str, Any]:
    return {"reason": "timed-out", "detail": f"its reading did not end within {seconds:.0f} s"}


def _exchange(process: subprocess.Popen[bytes], header: bytes, data: bytes) -> bytes | None:
    """Hand a file over and take the answer; None where the process breaks off. One that says too much is ended."""
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(header)
        process.stdin.write(data)
        process.stdin.flush()
        size = process.stdout.read(_SIZE.size)
        if len(size) < _SIZE.size:
            return None
        if (length := _SIZE.unpack(size)[0]) > LARGEST_ANSWER:
            process.kill()
            return _TOO_LONG
        answer = process.stdout.read(length)
    except (OSError, ValueError):  # it died, or was ended for taking too long
        return None
    return answer if len(answer) == length else None


def _drain(pipe: IO[bytes], said: deque[bytes]) -> None:
    """Take what a process complains of, so that it never waits for us, and remember the end of it."""
    with pipe:
        while piece := os.read(pipe.fileno(), 4096):
            said.append(piece)


def _start(memory: int, reader: str) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parent.parent)
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", f"from harvest.sandbox import serve; serve({memory!r}, {reader!r})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**kept, **own},
    )


# ---- in the worker


def serve(memory: int, reader: str) -> None:
    """Answer files on standard input with extracts on standard output until the input closes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not look like an answer
    files = sys.stdin.buffer
    confine(memory)
    gc.set_threshold(50_000, 20, 100)  # a reader makes many small records and few circles: collecting less often saves 8 % of its time
    while line := files.readline():
        asked = json.loads(line)
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, asked["seconds"] + 2)
        made = _answer(reader, files.read(asked["size"]), asked["name"], Reading(**asked["reading"]))
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(_SIZE.pack(len(made)) + made)
        answers.flush()


def _answer(reader: str, data: bytes, name: str, reading: Reading) -> bytes:
    module, _, function = reader.partition(":")
    try:
        made = TypeAdapter(Extract).dump_json(getattr(import_module(module), function)(data, name, reading))
    except UnreadableDocument as refused:
        return json.dumps({"reason": refused.reason, "detail": refused.detail}).encode()
    if len(made) > LARGEST_ANSWER:
        return _TOO_LONG
    return made
