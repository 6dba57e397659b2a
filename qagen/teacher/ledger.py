"""What the teacher ever answered: one JSONL file a document, appended to before anything is made of a reply.

A reply is found again by what was asked (model, messages, parameters), never by where or in which dialect it was asked, so
that moving to another address or changing anything downstream costs nothing.

Lines of a file, each with `key` and `model`: a reply (`content`, `usage`, ...); a request that left and brought nothing
(`lost`, with the most that it may have cost); and, where a budget has caps, a request about to leave (`sending`), which the
line that ends it names in `sent`. A request about to leave that no line ends was under way when the process was killed:
it counts as spent.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harvest.store import FieldsmithError, fingerprint, safe_name
from qagen.records import Message
from qagen.teacher import durable

Written = TypeVar("Written")


@dataclass(frozen=True, slots=True)
class Request:
    """A question to the teacher. `schema` is the JSON Schema that the reply should follow; None asks for plain text."""

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    schema: Mapping[str, Any] | None = None
    _keys: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def parameters(self) -> dict[str, Any]:
        """What of the request besides the messages decides the reply."""
        return {"max_tokens": self.max_tokens, "temperature": self.temperature, "seed": self.seed, "schema": self.schema}

    def key(self, model: str) -> str:
        """The name under which the reply is kept."""
        if model not in self._keys:  # it is asked for several times, and the messages are long
            self._keys[model] = fingerprint(model, self.messages, self.parameters())
        return self._keys[model]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; tokens are the endpoint's own count, or an upper bound where it gave none."""

    content: str
    finish_reason: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What replies have cost so far."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def plus(self, other: Spent) -> Spent:
        """The sum."""
        return Spent(self.calls + other.calls, self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)


class Ledger:
    """The replies of one document. One process at a time writes to it, from one event loop."""

    def __init__(self, folder: Path, document_id: str) -> None:
        self.folder = folder
        self.path = folder / f"{safe_name(document_id)}.jsonl"
        self._whole, self._replies = _read(self.path)
        self._maybe_torn = True
        self._under_way: dict[str, str] = {}

    def find(self, key: str) -> Reply | None:
        """The reply to a request asked before."""
        return self._replies.get(key)

    def keep(self, model: str, request: Request, reply: Reply) -> Awaitable[None]:
        """Append a reply: it survives this process when this returns, and is on the disk when it has been awaited."""
        key = request.key(model)
        said = {
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "parameters": request.parameters(),
            "content": reply.content,
            "finish_reason": reply.finish_reason,
            "usage": {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens},
        }
        written = self._write(durable.append, key, model, said | self._ended(key))
        self._replies[key] = reply
        return written

    def keep_lost(self, model: str, request: Request, bound: Spent, why: str) -> Awaitable[None]:
        """Append that a request left and no reply came: it may have been billed, so the budget counts its upper bound."""
        key = request.key(model)
        return self._write(durable.append, key, model, {"lost": why, "usage": _usage(bound)} | self._ended(key))

    def sending(self, model: str, request: Request, bound: Spent) -> None:
        """Append that a request is about to leave, so that a budget holds even if nobody lives to see what comes of it."""
        key = request.key(model)
        self._under_way[key] = name = secrets.token_hex(8)
        self._write(durable.note, key, model, {"sending": name, "usage": _usage(bound)})

    def refused(self, model: str, request: Request) -> None:
        """Append that a request of which it was said that it is about to leave has cost nothing."""
        key = request.key(model)
        if ended := self._ended(key):
            self._write(durable.note, key, model, {"refused": True} | ended)

    def _ended(self, key: str) -> dict[str, str]:
        """What a line says that ends a request under way."""
        return {"sent": self._under_way.pop(key)} if key in self._under_way else {}

    def _write(self, how: Callable[[Path, bytes], Written], key: str, model: str, said: dict[str, Any]) -> Written:
        line = _line({"key": key, "model": model, **said})
        if self._maybe_torn:
            self._cut_torn_line()
        self._maybe_torn = True
        written = how(self.path, line)
        self._whole, self._maybe_torn = self._whole + len(line), False
        return written

    def _cut_torn_line(self) -> None:
        """A line torn by a crash or a full disk must not spoil the next."""
        if self.path.exists() and self._whole < self.path.stat().st_size:
            os.truncate(self.path, self._whole)


def spent_in(folder: Path) -> dict[str, Spent]:
    """What all ledgers of a run add up to, by model. Holds no more than a line of them in memory."""
    total: dict[str, Spent] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for model, used in _spent(path):
            total[model] = total.get(model, Spent()).plus(used)
    return total


def _spent(path: Path) -> Iterator[tuple[str, Spent]]:
    under_way: dict[str, tuple[str, Spent]] = {}
    for _, line in _lines(path):
        usage = line.get("usage", {})
        used = Spent(1, usage.get("input_tokens", 0), usage.get("output_tokens", 0))
        if "sending" in line:
            under_way[line["sending"]] = (line["model"], used)
            continue
        under_way.pop(line.get("sent", ""), None)
        if usage:
            yield line["model"], used
    yield from under_way.values()


def _read(path: Path) -> tuple[int, dict[str, Reply]]:
    """How many bytes of a file are whole lines, and the replies in it."""
    whole, replies = 0, {}
    for end, line in _lines(path):
        whole = end
        if "content" in line:
            replies[line["key"]] = _reply(line)
    return whole, replies


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The complete lines of a ledger, each with where it ends; a torn last line (a crash while writing) is not one of them."""
    if not path.exists():
        return
    end = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            end += len(line)
            if not line.endswith(b"\n"):
                return
            try:
                yield end, json.loads(line)
            except ValueError as error:
                raise FieldsmithError(f"{path}, line {number}, is damaged ({error}); take that line out and run again") from error


def _line(value: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(value, ensure_ascii=False, default=dict) + "\n").encode()
    except UnicodeEncodeError:  # half a surrogate pair, out of a broken text: only escapes can hold it
        return (json.dumps(value, default=dict) + "\n").encode()


def _usage(spent: Spent) -> dict[str, int]:
    return {"input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens}


def _reply(line: Mapping[str, Any]) -> Reply:
    return Reply(line["content"], line["finish_reason"], line["usage"]["input_tokens"], line["usage"]["output_tokens"])
