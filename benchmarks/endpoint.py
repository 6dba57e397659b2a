"""A local endpoint in OpenAI's protocol with so many slots, such a latency and such faults as one likes; lean, in a process of its own.

`python benchmarks/endpoint.py --latency 1 --jitter 0.25 --slots 256 --faults 0.4` prints `listening URL` and ends when its
standard input closes. A request takes `latency` seconds, give or take the share `jitter`, once it has one of `slots`; others wait
in a queue. `GET /stats` beside `/v1` tells what was asked and given.

A request meets one of the `kinds` of fault with the probability `faults`: `429` (with Retry-After), `500`, `hang` (no answer ever),
`cut` (the connection dies in the middle of the answer), `garbage` (a body that is no JSON), `wrong` (JSON of another shape than was
asked for), `length` (cut off by the limit of tokens). With `rate` the endpoint takes so many requests a second, says in the usual
fields what is left, and refuses the others with a 429.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = ("429", "500", "hang", "cut", "garbage", "wrong")
_END = b"\r\n\r\n"
_REASON = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}
_WORDS = "The beam of the storage ring has an energy of 3 GeV and a current of 400 mA in top-up operation. "


@dataclass(frozen=True, slots=True)
class Settings:
    """How the endpoint behaves; times in seconds, `jitter` and `faults` as shares."""

    latency: float = 0.0
    jitter: float = 0.25
    slots: int = 256
    faults: float = 0.0
    kinds: tuple[str, ...] = KINDS
    rate: float = 0.0
    retry_after: str = "0.05"
    schema: str = "obeys"
    seed: int = 0


@dataclass(slots=True)
class Counts:
    """What happened so far. `worked` and `tokens`: the calls and tokens that a real endpoint would bill."""

    requests: int = 0
    answered: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    worked: int = 0
    tokens: int = 0
    first: float = 0.0
    last: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    asked: set[int] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)

    def shown(self) -> dict[str, Any]:
        """As JSON; `asked` are different bodies, `repeated` answers beyond the first to the same body."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            **{name: getattr(self, name) for name in ("requests", "answered", "in_flight", "most_in_flight", "worked", "tokens")},
            "seconds": self.last - self.first,
            "faults": dict(self.faults),
            "asked": len(self.asked),
            "repeated": self.answers.total() - len(self.answers),
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
        }


class Endpoint:
    """The slots, the queue before them, and the counts."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.counts = settings, Counts()
        self._random = random.Random(settings.seed)  # noqa: S311 - faults
        self._queue: deque[tuple[_Connection, bytes, str]] = deque()
        self._busy = 0
        self._bucket, self._filled = settings.rate, time.monotonic()

    async def listen(self, port: int = 0) -> asyncio.Server:
        """Start to listen on 127.0.0.1."""
        return await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", port, backlog=4096)

    def take(self, connection: _Connection, body: bytes) -> None:
        """Deal with a request."""
        counts, now = self.counts, time.monotonic()
        counts.requests += 1
        counts.asked.add(hash(body))
        counts.first = counts.first or now
        counts.in_flight += 1
        counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
        fault = self._random.choice(self.settings.kinds) if self._random.random() < self.settings.faults else ""
        limits = self._limits(now) if self.settings.rate else {}
        if limits and self._bucket < 1:
            fault = "429"
        elif limits:
            self._bucket -= 1
        if fault:
            counts.faults[fault] += 1
        if fault == "429":
            connection.say(429, _error("slow down", "rate_limit_exceeded"), {"retry-after": self.settings.retry_after, **limits})
        elif fault == "500":
            connection.say(500, _error("internal trouble", "server_error"))
        elif self.settings.schema == "refuses" and b'"response_format"' in body:
            connection.say(400, _error("response_format is not supported", "invalid_request_error"))
        elif fault == "hang":
            counts.worked += 1
        else:
            connection.limits = limits
            self._queue.append((connection, body, fault))
            self._start()

    def _limits(self, now: float) -> dict[str, str]:
        """Fill the bucket up; what is left in it, in OpenAI's header fields."""
        rate = self.settings.rate
        self._bucket, self._filled = min(rate, self._bucket + (now - self._filled) * rate), now
        left = max(0, int(self._bucket) - 1)
        reset = f"{int((rate - left) / rate * 1000)}ms"
        return {
            "x-ratelimit-limit-requests": f"{rate:g}",
            "x-ratelimit-remaining-requests": str(left),
            "x-ratelimit-reset-requests": reset,
        }

    def _start(self) -> None:
        while self._queue and self._busy < self.settings.slots:
            self._busy += 1
            spread = self._random.uniform(-self.settings.jitter, self.settings.jitter)
            asyncio.get_running_loop().call_later(self.settings.latency * (1 + spread), self._finish, *self._queue.popleft())

    def _finish(self, connection: _Connection, body: bytes, fault: str) -> None:
        self._busy -= 1
        self._start()
        sent, said = len(body) // 4, 40
        self.counts.worked += 1
        self.counts.tokens += sent + said
        if connection.gone():
            self.counts.in_flight -= 1
        elif fault == "cut":
            connection.cut()
        elif fault == "garbage":
            connection.say(200, b"<html>it is us, not you</html>")
        else:
            self.counts.answered += 1
            self.counts.last = time.monotonic()
            self.counts.answers[hash(body)] += 1
            finish = "length" if fault == "length" else "stop"
            connection.say(200, _completion(self._words(body, fault), finish, sent, said), connection.limits)

    def _words(self, body: bytes, fault: str) -> str:
        if b'"response_format"' not in body or self.settings.schema != "obeys":
            return _WORDS
        if fault == "wrong":
            return '{"frage": 1}'
        form = json.loads(body)["response_format"]
        return json.dumps(_instance(form["json_schema"]["schema"]) if form["type"] == "json_schema" else {})


class _Connection(asyncio.Protocol):
    """One connection: requests one after the other."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint, self._data = endpoint, b""
        self._transport: asyncio.Transport | None = None
        self.limits: Mapping[str, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None

    def gone(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self._transport is None

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        end = self._data.find(_END)
        if end < 0:
            return
        head = self._data[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._data) < end + 4 + length:
            return
        body, self._data = self._data[end + 4 : end + 4 + length], b""
        self._request(head.split(b" ", 2)[:2], body)

    def _request(self, line: list[bytes], body: bytes) -> None:
        if line[0] == b"post" and line[1].endswith(b"/chat/completions"):
            self._endpoint.take(self, body)
        elif line == [b"get", b"/stats"]:
            self._write(200, json.dumps(self._endpoint.counts.shown()).encode())
        elif line == [b"get", b"/v1/models"]:
            self._write(200, b'{"object": "list", "data": [{"id": "local", "object": "model"}]}')
        else:
            self._write(404, _error("no such path", "not_found"))

    def say(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answer the request."""
        self._endpoint.counts.in_flight -= 1
        self._write(status, body, headers)

    def _write(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()) if headers else ""
        head = f"HTTP/1.1 {status} {_REASON[status]}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{more}\r\n"
        if self._transport:
            self._transport.write(head.encode() + body)

    def cut(self) -> None:
        """Begin an answer and hang up."""
        self._endpoint.counts.in_flight -= 1
        if self._transport:
            self._transport.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"id": "local", ')
            self._transport.close()


def _completion(words: str, finish: str, sent: int, said: int) -> bytes:
    return json.dumps(
        {
            "id": "local",
            "object": "chat.completion",
            "created": 0,
            "model": "local",
            "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": words}}],
            "usage": {"prompt_tokens": sent, "completion_tokens": said, "total_tokens": sent + said},
        }
    ).encode()


def _error(message: str, code: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "error", "code": code}}).encode()


def _instance(schema: Mapping[str, Any]) -> Any:
    """Something that follows a simple schema."""
    if "enum" in schema:
        return schema["enum"][0]
    made = {"array": [], "string": _WORDS, "integer": 1, "number": 1.0, "boolean": True}
    if schema.get("type") == "object":
        return {name: _instance(part) for name, part in schema.get("properties", {}).items()}
    return made.get(str(schema.get("type")))


async def _serve(settings: Settings, port: int) -> None:
    server = await Endpoint(settings).listen(port)
    print(f"listening http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # what hangs, hangs: nothing here is worth an orderly end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("latency", "jitter", "faults", "rate"):
        parser.add_argument(f"--{name}", type=float, default=getattr(Settings(), name))
    for name in ("slots", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Settings(), name))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--schema", choices=["obeys", "ignores", "refuses"], default="obeys")
    parser.add_argument("--retry-after", default=Settings().retry_after)
    parser.add_argument("--port", type=int, default=0)
    given = vars(parser.parse_args())
    port, kinds = given.pop("port"), tuple(given.pop("kinds").split(","))
    asyncio.run(_serve(Settings(kinds=kinds, **given), port))


if __name__ == "__main__":
    main()
