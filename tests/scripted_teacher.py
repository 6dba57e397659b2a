"""A teacher that speaks the protocol over real HTTP, always says the same to the same request, and fails on demand.

In tests: `with ScriptedTeacher(faults=["429", "cut"]) as teacher: ... teacher.url, teacher.requests`. As a process:
`python tests/scripted_teacher.py --port 0` prints its address; it ends when its standard input closes (like the real
local server) unless `--stay`. `GET /stats` (beside `/v1`) tells what it was asked.

Faults, one request each, in the order in which requests arrive (`ok` lets one through): `429` (with Retry-After), `500`, `503`,
`hang`, `cut` (the connection dies in the middle of the answer), `garbage` (a body that is no JSON), `empty` (no choices),
`bad-json` and `wrong-schema` (what the model says), `loop`, `filter` (400 for this request).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Self

from scripted_facts import SOURCE, answer, ask_about

HOLE = re.compile(r"[\[【]([^\]】]+)[\]】]")


class ScriptedTeacher:
    """A server on a free port of 127.0.0.1; a context manager.

    `schema` says what happens to `response_format`: `obeys`, `ignores` (fenced JSON among prose) or `refuses` (400).
    `delay` is how long an answer takes, in seconds; `key` makes it ask for a bearer token, `model` for a model name.
    `usage` False leaves token counts out. `echoes_key` puts the caller's token into error messages, as some servers do.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        faults: Sequence[str] = (),
        delay: float = 0.0,
        key: str = "",
        model: str = "",
        schema: str = "obeys",
        usage: bool = True,
        retry_after: str = "1",
        echoes_key: bool = False,
    ) -> None:
        self.faults, self.delay, self.key, self.model, self.schema, self.usage = list(faults), delay, key, model, schema, usage
        self.retry_after, self.echoes_key = retry_after, echoes_key
        self.requests = self.probes = self.answered = self.in_flight = self.most_in_flight = self.tokens = 0
        self.arrivals: list[tuple[float, str]] = []
        self.served: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def stats(self) -> dict[str, Any]:
        with self.lock:
            return {
                "requests": self.requests,
                "probes": self.probes,
                "answered": self.answered,
                "tokens": self.tokens,
                "most_in_flight": self.most_in_flight,
                "served": dict(self.served),
            }

    def arrive(self, body: dict[str, Any]) -> str:
        """Count a request; the fault that it meets. What the client sends to find out what we can is counted apart and meets none."""
        with self.lock:
            if is_probe(body):
                self.probes += 1
                self.in_flight += 1
                return "ok"
            self.requests += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            fault = self.faults.pop(0) if self.faults else "ok"
            self.arrivals.append((time.monotonic(), fault))
            self.bodies.append(body)
            return fault

    def leave(self) -> None:
        with self.lock:
            self.in_flight -= 1

    def answers(self, body: dict[str, Any], tokens: int) -> None:
        with self.lock:
            self.answered += 1
            self.tokens += tokens
            self.served[request_key(body)] += 1


def request_key(body: dict[str, Any]) -> str:
    """What makes two requests the same for a budget: model and messages."""
    return hashlib.sha256(json.dumps([body["model"], body["messages"]], sort_keys=True).encode()).hexdigest()


def is_probe(body: dict[str, Any]) -> bool:
    """Whether a request only asks what we make of `response_format`."""
    return bool(body["messages"]) and str(body["messages"][-1]["content"]).startswith("Name a colour (")


# ---- what it says


def speak(body: dict[str, Any], schema: str) -> str:
    """The reply to a request: JSON made of the quoted source by rule, or a question for a sentence with a hole."""
    for others in _speakers():
        if (said := others(body)) is not None:
            return said
    prompt = body["messages"][-1]["content"]
    if SOURCE.search(prompt) is None:
        return ask_about_hole(prompt.strip())
    text = json.dumps(answer(prompt), ensure_ascii=False)
    obeys = schema == "obeys" and "response_format" in body
    return text if obeys else f"Here is what I found:\n```json\n{text}\n```\nI hope this helps."


@cache
def _speakers() -> list[Callable[[dict[str, Any]], str | None]]:
    """Who answers the requests that are not about facts, where there is such a module."""
    modules = {"scripted_judge": "speak_judge", "scripted_more": "speak_more"}
    return [getattr(import_module(module), name) for module, name in modules.items() if find_spec(module)]


def ask_about_hole(statement: str) -> str:
    """A statement with a hole as a question; without a hole, a question about its first words."""
    hole = HOLE.search(statement)
    if hole is None:
        return ask_about(statement, statement)
    rest = HOLE.sub(hole[1], statement).rstrip(".。 ")
    if re.search(r"[\u3400-\u9fff]", rest):
        return f"{rest}？"
    return f"{hole[1].capitalize()}: {rest}?"


# ---- HTTP


def _handler(teacher: ScriptedTeacher) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/stats":
                self.reply(200, teacher.stats())
            elif self.path == "/v1/models":
                self.reply(200, {"object": "list", "data": [{"id": teacher.model or "scripted", "object": "model"}]})
            else:
                self.refuse(404, "no such path")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path != "/v1/chat/completions":
                self.refuse(404, "no such path")
                return
            fault = teacher.arrive(body)
            try:
                self.serve(body, fault)
            finally:
                teacher.leave()

        def serve(self, body: dict[str, Any], fault: str) -> None:
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            shown = f" ({token})" if teacher.echoes_key else ""
            if teacher.key and token != teacher.key:
                self.refuse(401, f"Incorrect API key provided{shown}", "invalid_api_key")
            elif teacher.model and body["model"] != teacher.model:
                self.refuse(404, f"The model {body['model']} does not exist{shown}", "model_not_found")
            elif fault == "429":
                self.refuse(429, f"slow down{shown}", "rate_limit_exceeded", {"retry-after": teacher.retry_after})
            elif fault in ("500", "503"):
                self.refuse(int(fault), f"internal trouble{shown}")
            elif fault == "filter":
                self.refuse(400, "this was filtered", "content_filter")
            elif teacher.schema == "refuses" and "response_format" in body:
                self.refuse(400, "response_format is not supported")
            elif fault == "hang":
                teacher.closing.wait(60)
                self.close_connection = True
            else:
                teacher.closing.wait(teacher.delay)
                self.complete(body, fault)

        def complete(self, body: dict[str, Any], fault: str) -> None:
            said = {"bad-json": '{"pairs": [{"question": ', "wrong-schema": '{"pairs": [{"frage": 1}]}', "loop": "What is what is " * 9}
            obeys = teacher.schema == "obeys" and "response_format" in body
            named = '{"colour": "red"}' if obeys else "Red is a fine colour."
            content = said.get(fault) or (named if is_probe(body) else speak(body, teacher.schema))
            sent = sum(len(message["content"]) for message in body["messages"]) // 4
            usage = {"prompt_tokens": sent, "completion_tokens": len(content) // 4, "total_tokens": sent + len(content) // 4}
            message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
            answer: dict[str, Any] = {
                "id": "scripted",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [] if fault == "empty" else [message],
            }
            if teacher.usage:
                answer["usage"] = usage
            if fault == "cut":
                self.cut()
            elif fault == "garbage":
                self.send(200, b"<html>it is us, not you</html>")
            else:
                if fault != "empty":
                    teacher.answers(body, usage["total_tokens"])
                self.reply(200, answer)

        def cut(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "5000")
            self.end_headers()
            self.wfile.write(b'{"id": "scripted", ')
            self.wfile.flush()
            self.close_connection = True

        def refuse(self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None) -> None:
            self.reply(status, {"error": {"message": message, "type": "error", "code": code}}, headers)

        def reply(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
            self.send(status, json.dumps(value, ensure_ascii=False).encode(), headers)

        def send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", default="", help="comma separated")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--key", default="")
    parser.add_argument("--model", default="")
    parser.add_argument("--schema", choices=["obeys", "ignores", "refuses"], default="obeys")
    parser.add_argument("--stay", action="store_true", help="do not end when standard input closes")
    given = parser.parse_args()
    faults = [fault for fault in given.faults.split(",") if fault]
    with ScriptedTeacher(
        port=given.port, faults=faults, delay=given.delay, key=given.key, model=given.model, schema=given.schema
    ) as teacher:
        print(f"listening {teacher.url}", flush=True)
        if given.stay:
            threading.Event().wait()
        sys.stdin.read()


if __name__ == "__main__":
    main()
