"""A small web server for tests: each path is answered by a function; what was asked is kept."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PDF = b"%PDF-1.4\n" + bytes(range(256)) * 8 + b"\n%%EOF\n"


@dataclass(frozen=True)
class Asked:
    """One request: its path with the query, its headers (names in lower case), the moment."""

    path: str
    headers: Mapping[str, str]
    at: float


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class SmallWeb:
    """A running server: its address, what it answers by path, what it was asked."""

    url: str
    answers: dict[str, Answer | bytes | str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]


def reply(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Answer with a status, a body and headers (underscores stand for hyphens)."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | {key.replace("_", "-"): value for key, value in headers.items()}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def to(place: str, status: int = 302) -> Answer:
    """Send on to another address."""
    return reply(status, Location=place)


def in_turn(*answers: Answer) -> Answer:
    """Another answer to each request, the last one for good."""
    left = list(answers)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


def ranged(body: bytes, tag: str = '"one"', cut: int | None = None, pause: float = 0.0) -> Answer:
    """A file that can be gone on with; each answer breaks off after `cut` bytes, with `pause` seconds between pieces."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked, known = handler.headers.get("Range", ""), handler.headers.get("If-Range") == tag
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and known else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.send_header("ETag", tag)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        rest = body[start:][:cut]
        for at in range(0, len(rest), 1 << 16):
            handler.wfile.write(rest[at : at + (1 << 16)])
            time.sleep(pause)

    return answer


@contextmanager
def small_web(host: str = "127.0.0.1", certificate: Path | None = None, names: list[str | None] | None = None) -> Iterator[SmallWeb]:
    """Run a server on a free port; with a certificate (PEM with its key) under TLS, noting the names that clients ask for."""
    web = SmallWeb("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append(Asked(self.path, {key.lower(): value for key, value in self.headers.items()}, time.monotonic()))
            answer: Any = web.answers.get(self.path, web.answers.get(urlsplit(self.path).path, reply(404)))
            body = answer.encode() if isinstance(answer, str) else answer
            try:
                (reply(200, body) if isinstance(body, bytes) else body)(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _socket, name, _context: (names if names is not None else []).append(name)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    web.url = f"{'https' if certificate else 'http'}://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
