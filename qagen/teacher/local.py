"""The teacher that we serve ourselves: a child process that lives exactly as long as we do."""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from harvest.store import FieldsmithError

logger = logging.getLogger(__name__)

READY_SECONDS = 300.0  # the first start converts the model
_STOP_SECONDS = 10.0


def server_command(model: str) -> list[str]:
    """The process that serves a model: it prints `listening URL` and ends when its standard input closes."""
    return [sys.executable, "-m", "train", "serve", model, "--port", "0"]


@contextmanager
def local_server(command: Sequence[str], *, ready_seconds: float = READY_SECONDS) -> Iterator[str]:
    """Start a model server, yield its address once it listens, stop it at the end.

    The child holds the other end of a pipe as its standard input and ends when that closes, so that even `kill -9` of
    this process leaves no server behind. Raises `FieldsmithError` with the child's last words if it ends or stays
    silent instead of listening.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        logger.info("starting the local teacher")
        # Threads that spin while they wait cost a busy machine many times their work; read when torch is loaded, hence here.
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
        process = subprocess.Popen(list(command), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True)
        try:
            yield _address(process, said, ready_seconds)
        finally:
            _stop(process)


def _address(process: subprocess.Popen[str], said: IO[str], seconds: float) -> str:
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_follow, args=(process, lines), daemon=True).start()
    try:
        line = lines.get(timeout=seconds)
    except queue.Empty:
        raise FieldsmithError(f"the local teacher was not ready within {seconds:g} s; it last said: {_last(said)}") from None
    if not line.startswith("listening http"):
        process.wait()
        raise FieldsmithError(f"the local teacher did not start: {_last(said)}")
    logger.info("the local teacher is ready")
    return line.removeprefix("listening ").strip()


def _follow(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    """Hand over the first line of the output (empty if there is none) and keep the pipe from filling up."""
    if process.stdout is None:
        return
    lines.put(process.stdout.readline())
    for _ in process.stdout:
        pass


def _last(said: IO[str]) -> str:
    said.seek(0)
    lines = [line.strip() for line in said.read().splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing"


def _stop(process: subprocess.Popen[str]) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
