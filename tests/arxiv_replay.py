"""The arXiv replay server as a process, a small server that answers by a script, and a harvest of one source without reading."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harvest.config import ArxivSource
from harvest.records import Paper
from harvest.sources import arxiv
from harvest.sources.offer import Refused
from harvest.store import load, safe_name

ROOT = Path(__file__).parent.parent
SERVER = ROOT.parent / "shared" / "arxiv-replay" / "serve.py"
VARIABLE = arxiv.VARIABLE


class Site:
    """A replay server: its address, its log, its faults."""

    def __init__(self, url: str) -> None:
        self.url = url

    def faults(self, **faults: Any) -> None:
        request = urllib.request.Request(f"{self.url}/_faults", data=json.dumps(faults).encode(), method="POST")  # noqa: S310
        urllib.request.urlopen(request).read()  # noqa: S310

    def get(self, path: str) -> bytes:
        body: bytes = urllib.request.urlopen(f"{self.url}{path}").read()  # noqa: S310
        return body

    @property
    def log(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.get("/_log"))
        return found

    def paths(self) -> list[str]:
        return [item["path"] for item in self.log]

    def gaps(self) -> list[float]:
        """Seconds between the arrivals of any two requests that follow each other."""
        return [after["time"] - before["time"] for before, after in pairwise(self.log)]


@contextmanager
def replay(*options: str) -> Iterator[Site]:
    """A replay server on a free port; skips the test where it is not here."""
    if not SERVER.exists():
        pytest.skip("the arXiv replay server is not here")
    command = [sys.executable, str(SERVER), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield Site(server.stdout.readline().split()[1])
        finally:
            server.terminate()


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def scripted(answer: Answer) -> Iterator[str]:
    """A server of which `answer` writes every reply; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, cut: int | None = None, **headers: str) -> None:
    """Write a reply; `cut` breaks the connection after so many bytes of it."""
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **{key.replace("_", "-"): value for key, value in headers.items()}}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body[:cut])
    handler.close_connection = cut is not None


def source(**settings: Any) -> ArxivSource:
    """Settings of a source, fast."""
    return ArxivSource.model_validate({"interval": 0.01, **settings})


def gather(asked: ArxivSource, run: Path, *, refresh: bool = False) -> dict[str, Paper | Refused]:
    """Fetch all that a source offers, as far as it is not here: each paper, or why it was refused, by its id."""
    outcome: dict[str, Paper | Refused] = {}
    for offer in arxiv.offers(asked, run, refresh=refresh):
        place = run / "papers" / safe_name(offer.paper.id)
        try:
            outcome[offer.paper.id] = load(place / "paper.json", Paper) if (place / "paper.json").exists() else offer.fetch(place)
        except Refused as error:
            outcome[offer.paper.id] = error
    return outcome


GATHER = """
import json, sys
from pathlib import Path
from arxiv_replay import gather, source
from harvest.sources import arxiv_search
arxiv_search.PAGE = 3
gather(source(**json.loads(sys.argv[1])), Path(sys.argv[2]))
"""


@contextmanager
def gathering(run: Path, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The same as a process of its own, with pages of three papers."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with subprocess.Popen(
        [sys.executable, "-c", GATHER, json.dumps(settings), str(run)], env={**os.environ, "PYTHONPATH": paths}
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait until something holds while a process runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the process ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.01)
