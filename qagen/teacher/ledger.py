"""What the teacher ever answered: one JSONL file a document, appended to before anything is made of a reply.

A reply is found again by what was asked (model, messages, parameters), never by where it was asked, so that moving to
another address or changing anything downstream costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvest.store import append_line, fingerprint, safe_name, whole_lines
from qagen.records import Message


@dataclass(frozen=True, slots=True)
class Request:
    """A question to the teacher. `schema` is the JSON Schema that the reply should follow; None asks for plain text."""

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    schema: Mapping[str, Any] | None = None

    def parameters(self) -> dict[str, Any]:
        """What of the request besides the messages decides the reply."""
        return {"max_tokens": self.max_tokens, "temperature": self.temperature, "seed": self.seed, "schema": self.schema}

    def key(self, model: str) -> str:
        """The name under which the reply is kept."""
        return fingerprint(model, self.messages, self.parameters())


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
    """The replies of one document."""

    def __init__(self, folder: Path, document_id: str) -> None:
        self._path = folder / f"{safe_name(document_id)}.jsonl"
        self._replies = {line["key"]: _reply(line) for line in whole_lines(self._path) if "content" in line}

    def find(self, key: str) -> Reply | None:
        """The reply to a request asked before."""
        return self._replies.get(key)

    def keep(self, model: str, request: Request, reply: Reply) -> None:
        """Append a reply; it is on the disk when this returns."""
        line = {
            "key": request.key(model),
            "model": model,
            "messages": request.messages,
            "parameters": request.parameters(),
            "content": reply.content,
            "finish_reason": reply.finish_reason,
            "usage": {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens},
        }
        append_line(self._path, line)
        self._replies[line["key"]] = reply

    def keep_lost(self, model: str, request: Request, bound: Spent, why: str) -> None:
        """Append that a request left and no reply came: it may have been billed, so the budget counts its upper bound."""
        usage = {"input_tokens": bound.input_tokens, "output_tokens": bound.output_tokens}
        append_line(self._path, {"key": request.key(model), "model": model, "lost": why, "usage": usage})


def spent_in(folder: Path) -> Spent:
    """What all ledgers of a run add up to."""
    total = Spent()
    for line in _lines(folder):
        total = total.plus(Spent(1, line["usage"]["input_tokens"], line["usage"]["output_tokens"]))
    return total


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl")):
        yield from whole_lines(path)


def _reply(line: Mapping[str, Any]) -> Reply:
    return Reply(line["content"], line["finish_reason"], line["usage"]["input_tokens"], line["usage"]["output_tokens"])
