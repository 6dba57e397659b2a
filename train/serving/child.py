"""A server as a child process: started, waited for, announced, and stopped with us, however we end."""

from __future__ import annotations

import ctypes
import http.client
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from harvest.store import FieldsmithError
from train.serving.engines import Server

log = logging.getLogger(__name__)

STOP_SECONDS = 15.0
"""How long a server may take to end when it is asked to, before it is killed."""
_POLL = 0.2
_LAST_WORDS = 5.0
_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux's prctl(2)."""


def run_server(server: Server, host: str, port: int, *, key: str | None, say: Callable[[str], None] = print) -> None:
    """Serve until Ctrl-C, SIGTERM or the server's own end; `say` gets the line that tells address and name once it answers.

    Returns when it was asked to stop. Errors: `FieldsmithError` with the server's last words if it ends by itself.
    """
    with _signals():
        try:
            with _started(server, key) as (child, listener):
                _wait_until_ready(child, listener, server, host, port)
                say(f"listening {address(host, port)} as model {server.name}" + (" (an API key is required)" if key else ""))
                code = child.wait()
                raise FieldsmithError(f"the server ({server.engine}) ended by itself with code {code}; it last said: {listener.words()}")
        except KeyboardInterrupt:
            log.info("stopped")


def address(host: str, port: int) -> str:
    """The base URL that clients are given."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


class _Listener:
    """Keeps the pipe from filling up, and the last lines for the case that the server dies; no key among them."""

    def __init__(self, child: subprocess.Popen[str], key: str | None) -> None:
        self._last: deque[str] = deque(maxlen=6)
        self._thread = threading.Thread(target=self._listen, args=(child, key), name="server output", daemon=True)
        self._thread.start()

    def _listen(self, child: subprocess.Popen[str], key: str | None) -> None:
        for line in child.stdout or ():
            said = line.strip().replace(key, "…") if key else line.strip()
            if said:
                self._last.append(said[:300])
                log.debug("%s", said)

    def words(self) -> str:
        """The last lines of a server that has ended."""
        self._thread.join(_LAST_WORDS)  # a process that it started may still hold the pipe
        return " | ".join(self._last) or "nothing"


@contextmanager
def _started(server: Server, key: str | None) -> Iterator[tuple[subprocess.Popen[str], _Listener]]:
    """The child, and who listens to it; at the end it has ended."""
    environment = {**os.environ, **{name: value for name, value in server.environment.items() if value is not None}}
    for name in (name for name, value in server.environment.items() if value is None):
        environment.pop(name, None)
    child = subprocess.Popen(
        server.command,
        env=environment,
        stdin=subprocess.PIPE,  # the built-in server ends when it closes
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for us: we ask it to end, once
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )
    try:
        yield child, _Listener(child, key)
    finally:
        _stop(child)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)


def _wait_until_ready(child: subprocess.Popen[str], listener: _Listener, server: Server, host: str, port: int) -> None:
    """Until /health says yes: a large model may take many minutes, so only the child's end is a failure."""
    here = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    while not _healthy(here, port):
        if child.poll() is not None:
            words = listener.words()
            raise FieldsmithError(
                f"the server ({server.engine}) did not start, it ended with code {child.returncode}; it last said: {words}"
            )
        time.sleep(_POLL)


def _healthy(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):  # not yet
        return False
    finally:
        connection.close()


def _stop(child: subprocess.Popen[str]) -> None:
    if child.stdin:
        child.stdin.close()
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):  # too slow, or for somebody too slow
        child.kill()
        child.wait()


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM, and the end of the terminal unless that was to be ignored, stop as Ctrl-C does."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for name in names if signal.getsignal(number := getattr(signal, name)) == signal.SIG_DFL}
    for number in before:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
