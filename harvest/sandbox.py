"""Reading in a process of its own: a bomb, a hang or a crash costs one document, never the run.

One warm worker serves document after document; after a crash or a time-out it is killed and the next document
gets a new one. The worker limits its own memory and processor time, ends with its parent (its standard input
closes; a document that still runs then is ended by its alarm), and answers in JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from pydantic import TypeAdapter

from harvest.readers.extract import Extract, UnreadableDocument

SECONDS = 120.0  # for one document; the longest of our test papers takes 3
MEMORY = 4 << 30  # bytes of address space of the worker


class Worker:
    """A process that reads documents, one at a time; safe to use from several threads."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self.seconds, self.memory = seconds, memory
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._said: IO[str] | None = None  # its standard error
        self._owner = 0

    def read(self, path: Path) -> Extract:
        """Read one file; raises `UnreadableDocument`, also for a reader that hangs or dies."""
        with self._lock:
            process = self._started()
            answer = self._ask(process, path)
        if "reason" in answer:
            raise UnreadableDocument(path.name, answer["reason"], answer["detail"])
        return TypeAdapter(Extract).validate_python(answer)

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, self._said):
                if pipe:
                    pipe.close()

    def _started(self) -> subprocess.Popen[str]:
        if self._owner != os.getpid():  # after a fork the process belongs to the parent
            self._process, self._owner = None, os.getpid()
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
            self._process = _start(self.seconds, self.memory, self._said)
        return self._process

    def _ask(self, process: subprocess.Popen[str], path: Path) -> dict[str, Any]:
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(json.dumps(str(path.absolute())) + "\n")
            process.stdin.flush()
            line = _line_within(process.stdout, self.seconds)
        except BrokenPipeError:
            line = ""
        except TimeoutError:
            self.close()
            return {"reason": "timed-out", "detail": f"its reading did not end within {self.seconds:g} s"}
        if line.endswith("\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        return self._crashed(process)

    def _crashed(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        code = process.wait()
        assert self._said is not None  # noqa: S101
        self._said.seek(0)
        said = [line for line in self._said.read().splitlines() if line.strip()]
        self.close()
        if code in (-signal.SIGALRM, -signal.SIGXCPU):
            return {"reason": "timed-out", "detail": f"its reading did not end within {self.seconds:g} s"}
        if said and said[-1].startswith("MemoryError"):
            return {"reason": "too-large", "detail": "its reading needs more memory than is allowed"}
        why = said[-1][:200] if said else f"signal {-code}" if code < 0 else f"exit code {code}"
        return {"reason": "crashed", "detail": f"the reader failed on it ({why})"}


def _line_within(pipe: IO[str], seconds: float) -> str:
    """One line of a pipe; TimeoutError if it does not come in time."""
    answer: Queue[str] = Queue()
    threading.Thread(target=lambda: answer.put(pipe.readline()), daemon=True).start()
    try:
        return answer.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None


def _start(seconds: float, memory: int, said: IO[str]) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parent.parent
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-c", f"from harvest.sandbox import serve; serve({seconds!r}, {memory!r})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


# ---- in the worker


def serve(seconds: float, memory: int) -> None:
    """Answer paths on standard input with extracts on standard output until the input closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not look like an answer
    _limit(memory)
    for line in sys.stdin:
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, seconds + 2)
        answer = _answer(Path(json.loads(line)))
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _limit(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (memory if hard == resource.RLIM_INFINITY else min(memory, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes our input
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _answer(path: Path) -> dict[str, Any]:
    from harvest.readers.any import read_bytes

    try:
        return asdict(read_bytes(path.read_bytes(), path.name))
    except UnreadableDocument as refused:
        return {"reason": refused.reason, "detail": refused.detail}
