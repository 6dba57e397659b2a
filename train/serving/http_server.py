"""The built-in server's HTTP: routes, the key, JSON answers and streamed ones (server-sent events)."""

from __future__ import annotations

import json
import logging
import socket
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from train.protocol import BadRequestError
from train.serving.key import addresses, same_key
from train.serving.service import Answer, Service

log = logging.getLogger(__name__)

Route = TypeVar("Route")

MAX_BODY = 2**20
"""Bytes of a request's body; a prompt longer than any small model's context is far below it."""
IDLE = 300.0
"""Seconds after which a silent connection is closed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    server: Server
    timeout = IDLE
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        routes: dict[str, Callable[[], Answer]] = {"/v1/models": self.server.service.models, "/health": lambda: {"status": "ok"}}
        self._reply(lambda: self._route(routes)())

    def do_POST(self) -> None:
        service = self.server.service
        routes = {"/v1/chat/completions": service.chat, "/v1/completions": service.complete}
        self._reply(lambda: self._route(routes)(self._body()))

    def _route(self, routes: dict[str, Route]) -> Route:
        path = self.path.partition("?")[0]
        if path != "/health":  # says nothing but that somebody is there
            self._check_key()
        if path not in routes:
            self.close_connection = True  # whatever body there is stays unread
            raise BadRequestError(f"there is no {self.command} {path}", status=HTTPStatus.NOT_FOUND, code="not_found")
        return routes[path]

    def _check_key(self) -> None:
        if self.server.key is None:
            return
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if not same_key(given.strip(), self.server.key) or kind.lower() != "bearer":
            self.close_connection = True  # nothing of a stranger's body is read
            raise BadRequestError("the API key is missing or wrong", status=HTTPStatus.UNAUTHORIZED, code="invalid_api_key")

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        self.close_connection = True  # until the body has been read
        if not length.isdecimal():
            raise BadRequestError("a request needs a Content-Length", status=HTTPStatus.LENGTH_REQUIRED)
        if int(length) > MAX_BODY:
            raise BadRequestError(f"the body is larger than {MAX_BODY} bytes", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        raw = self.rfile.read(int(length))
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        # A web page can make a browser post plain text to this address unasked, but not JSON.
        if self.headers.get_content_type() != "application/json":
            raise BadRequestError("the body must be application/json", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise BadRequestError(f"the body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise BadRequestError("the body must be a JSON object")
        return body

    # ---- answers

    def _reply(self, answer: Callable[[], Answer | Generator[Answer]]) -> None:
        status: HTTPStatus = HTTPStatus.OK
        try:
            body = answer()
        except BadRequestError as error:
            status, body = error.status, error.body()
        if isinstance(body, dict):
            self._send_json(status, body)
        else:
            self._send_events(body)

    def _send_json(self, status: HTTPStatus, body: Answer) -> None:
        data = _json(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def _send_events(self, chunks: Generator[Answer]) -> None:
        chunked = self.request_version == "HTTP/1.1"  # an older client reads until the connection closes
        self.close_connection = self.close_connection or not chunked
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        with closing(chunks):  # also when the client has gone, so that its reply is not written on
            for data in _events(chunks):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)


def _events(chunks: Iterable[Answer]) -> Iterator[bytes]:
    for chunk in chunks:
        yield b"data: " + _json(chunk) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _json(body: Answer) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


class Server(ThreadingHTTPServer):
    """A service on an address, for those who have the key (None: for all)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], service: Service, key: str | None) -> None:
        if ":" in addresses(address[0])[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)
        self.service, self.key = service, key

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error; anything else is shown."""
        if isinstance(sys.exception(), ConnectionError | TimeoutError):
            log.debug("a client went away")
        else:
            super().handle_error(request, client_address)
