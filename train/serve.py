"""An OpenAI-compatible server for one local model: the light way to have a teacher without an endpoint.

Requests are answered by threads, but only one worker touches the model; it takes what is waiting, in the order of
arrival, and answers up to sixteen requests at once (`train.decode` says why a reply does not depend on its neighbours).
What cannot be honoured (streaming, `response_format`, tools, several choices) is refused with a 400, never ignored, so that a client
falls back. Temperature is 0 unless asked for. There is no key and no TLS: the address is 127.0.0.1 unless a host is given.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from jinja2 import TemplateError

from harvest.store import FieldsmithError
from train.models import load
from train.protocol import BadRequestError, Chat, Completion, Request, parsed

if TYPE_CHECKING:
    from train.decode import Ask, Decoder, Reply

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

MAX_BODY = 2**20
"""Bytes of a request's body; a prompt longer than any small model's context is far below it."""
GATHER = 0.02
"""Seconds for which the worker waits for more requests once it has one: clients that got their replies together ask again together."""
IDLE = 300.0
"""Seconds after which a silent connection is closed."""

# ---- the model's one worker


@dataclass(frozen=True, slots=True)
class _Job:
    ask: Ask
    reply: Future[Reply] = field(default_factory=Future)


class Worker:
    """Batches what is waiting; `submit` may be called from any thread."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._arrived: SimpleQueue[_Job] = SimpleQueue()
        self._waiting: list[_Job] = []

    def submit(self, ask: Ask) -> Future[Reply]:
        """The reply to come."""
        job = _Job(ask)
        self._arrived.put(job)
        return job.reply

    def work(self) -> None:
        """Answer for ever. What goes wrong here is a defect: it ends the process, so that no client waits in vain."""
        try:
            while True:
                self._collect()
                jobs = self._next_batch()
                futures = [job.reply for job in jobs]
                self._decoder.run([job.ask for job in jobs], lambda place, reply, futures=futures: futures[place].set_result(reply))  # type: ignore[misc]
        finally:
            sys.excepthook(*sys.exc_info())  # the loop has no other end
            os._exit(1)

    def _collect(self) -> None:
        if not self._waiting:
            self._waiting.append(self._arrived.get())
        until = time.monotonic() + GATHER
        while (left := until - time.monotonic()) > 0:
            try:
                self._waiting.append(self._arrived.get(timeout=left))
            except Empty:
                return

    def _next_batch(self) -> list[_Job]:
        from train.decode import ROWS, room

        width = room(self._waiting[0].ask)
        jobs = [job for job in self._waiting if room(job.ask) == width][:ROWS]
        taken = set(map(id, jobs))
        self._waiting = [job for job in self._waiting if id(job) not in taken]
        return jobs


# ---- one model behind HTTP


class _Service:
    """Turns a request into an Ask and a Reply into OpenAI's answer."""

    def __init__(self, name: str, decoder: Decoder, tokenizer: Any) -> None:
        self.name, self._context, self._tokenizer = name, decoder.context, tokenizer
        self._special = sorted(tokenizer.get_added_vocab())
        self._begun = int(time.time())
        self.worker = Worker(decoder)

    def models(self) -> dict[str, object]:
        return {"object": "list", "data": [{"id": self.name, "object": "model", "created": self._begun, "owned_by": "local"}]}

    def chat(self, body: dict[str, Any]) -> dict[str, object]:
        request = parsed(Chat, body)
        if self._tokenizer.chat_template is None:
            raise BadRequestError("this model has no chat template: use /v1/completions", code="unsupported")
        turns = [turn.plain() for turn in request.messages]
        turns = [{**turn, "content": self._harmless(turn["content"])} for turn in turns]
        try:
            text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        except TemplateError as error:  # by which templates refuse roles and orders that they do not know
            raise BadRequestError(f"the model's chat template refuses these messages: {error}", param="messages") from error
        ask = self._ask(request, self._tokenizer(text, add_special_tokens=False).input_ids, self._context)
        reply = self.worker.submit(ask).result()
        choice = {"message": {"role": "assistant", "content": reply.text, "refusal": None}}
        return self._answer("chatcmpl", "chat.completion", request, ask, reply, choice)

    def complete(self, body: dict[str, Any]) -> dict[str, object]:
        request = parsed(Completion, body)
        ask = self._ask(request, self._tokenizer(self._harmless(request.prompt)).input_ids, 16)
        reply = self.worker.submit(ask).result()
        return self._answer("cmpl", "text_completion", request, ask, reply, {"text": reply.text})

    def _harmless(self, text: str) -> str:
        """Text that cannot open a turn of its own: a paper may hold `<|im_end|>`, and only the template may mean it."""
        for token in self._special:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _ask(self, request: Request, prompt: list[int], default: int) -> Ask:
        from train.decode import Ask

        free = self._context - len(prompt)
        if free < 1:
            raise BadRequestError(
                f"the prompt has {len(prompt)} tokens and this model's context {self._context}",
                param="messages",
                code="context_length_exceeded",
            )
        stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
        wanted = request.max_completion_tokens or request.max_tokens or default
        return Ask(tuple(prompt), min(wanted, free), request.temperature or 0.0, request.seed or 0, tuple(text for text in stop if text))

    def _answer(self, prefix: str, kind: str, request: Request, ask: Ask, reply: Reply, choice: dict[str, Any]) -> dict[str, object]:
        read, written = len(ask.prompt), reply.tokens
        return {
            "id": f"{prefix}-{os.urandom(12).hex()}",
            "object": kind,
            "created": int(time.time()),
            "model": request.model or self.name,
            "choices": [{"index": 0, "logprobs": None, "finish_reason": reply.finish, **choice}],
            "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
        }


# ---- HTTP


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    server: _Server
    timeout = IDLE
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        routes: dict[str, Callable[[], dict[str, object]]] = {"/v1/models": self.server.service.models, "/health": lambda: {"status": "ok"}}
        self._reply(lambda: self._route(routes)())

    def do_POST(self) -> None:
        service = self.server.service
        routes = {"/v1/chat/completions": service.chat, "/v1/completions": service.complete}
        self._reply(lambda: self._route(routes)(self._body()))

    def _route(self, routes: dict[str, Answer]) -> Answer:
        path = self.path.partition("?")[0]
        if path not in routes:
            self.close_connection = True  # whatever body there is stays unread
            raise BadRequestError(f"there is no {self.command} {path}", status=HTTPStatus.NOT_FOUND, code="not_found")
        return routes[path]

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

    def _reply(self, answer: Callable[[], dict[str, object]]) -> None:
        try:
            status, body = HTTPStatus.OK, answer()
        except BadRequestError as error:
            status, body = error.status, error.body()
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], service: _Service) -> None:
        super().__init__(address, _Handler)
        self.service = service


def serve(reference: str, *, port: int, host: str = "127.0.0.1", adapter: Path | None = None) -> None:
    """Serve a model until standard input closes; port 0 takes a free one.

    The first line on standard output, once the model is loaded, is `listening http://HOST:PORT/v1`. The process ends with
    code 0 when its standard input reaches its end, so that it never outlives who started it.
    """
    threading.Thread(target=_end_with_input, daemon=True).start()
    model, tokenizer = load(reference, adapter=adapter)
    from train.decode import Decoder

    service = _Service(reference, Decoder(model, tokenizer), tokenizer)
    try:
        server = _Server((host, port), service)
    except OSError as error:
        raise FieldsmithError(f"cannot listen on {host}:{port}: {error.strerror}; take another port, or 0 for any free one") from error
    threading.Thread(target=service.worker.work, daemon=True).start()
    print(f"listening http://{host}:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()


def _end_with_input() -> None:
    # Not through sys.stdin: a thread that waits in it makes the interpreter abort when it ends for another reason.
    while os.read(0, 4096):
        pass
    os._exit(0)
