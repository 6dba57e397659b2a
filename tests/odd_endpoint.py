"""An endpoint that answers as a test says, over real HTTP: for what strays from the protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Body = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """An HTTP answer; a dict is sent as JSON."""

    status: int = 200
    body: Body | bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def completion(content: object, **changes: object) -> Body:
    """A chat completion that says something; `changes` of its top-level fields."""
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    whole: Body = {"id": "odd", "object": "chat.completion", "created": 0, "model": "odd", "choices": [choice], "usage": usage}
    return whole | changes


def refusal(message: str, parameter: str | None = None, code: str | None = None) -> Body:
    """An error as OpenAI puts it."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": parameter, "code": code}}


class OddEndpoint:
    """A context manager: `answer(body)` says what to send back; `bodies`, `paths` and `headers` are what came in."""

    def __init__(self, answer: Callable[[Body], Said]) -> None:
        self.bodies: list[Body] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, answer))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{self.address}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(endpoint: OddEndpoint, answer: Callable[[Body], Said]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            return

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            endpoint.bodies.append(body)
            endpoint.paths.append(self.path)
            endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
            said = answer(body)
            data = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in {"content-type": "application/json", "content-length": str(len(data)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    return Handler
