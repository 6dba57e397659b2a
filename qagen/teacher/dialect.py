"""How a request is put to an endpoint: the protocol has dialects, and an endpoint's refusals teach us its own.

What is asked is a `Request`; what a dialect makes of it never reaches the ledger's key. A reply that should follow a JSON
Schema is asked for in one of three ways: `schema` (structured outputs), `json` (JSON mode) and `text`; the latter two put the
schema into words at the end of the prompt, behind the shared beginning that prefix caches live on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from qagen.records import Message
from qagen.teacher.ledger import Request

Mode = Literal["schema", "json", "text"]
SIMPLER: dict[Mode, Mode] = {"schema": "json", "json": "text"}

_IN_WORDS = "Reply with one JSON object that follows this JSON Schema, and with nothing else:\n"
_OF_FORMAT = ("response_format", "json_schema", "json_object", "json mode", "schema", "grammar", "guided", "structured output")

# What only an endpoint that holds the reply to a schema answers in this form: nothing in the words asks for JSON.
_COLOURS = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "green", "blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
_PROBE_TOKENS = 1000  # room for a reasoning model's thoughts; others say three words


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an endpoint understands of the protocol."""

    tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True
    seed: bool = True

    def after(self, refusal: str, parameter: str) -> Dialect | None:
        """A dialect without what a refusal complains of (`parameter` is the one that it names, if any); None if that is nothing of this."""
        if self.tokens_name == "max_tokens" and "max_completion_tokens" in refusal:
            return replace(self, tokens_name="max_completion_tokens")
        if self.temperature and "temperature" in (parameter or refusal):
            return replace(self, temperature=False)
        if self.seed and "seed" in (parameter or refusal):
            return replace(self, seed=False)
        return None

    def body(self, model: str, request: Request, mode: Mode) -> dict[str, Any]:
        """The request as the protocol's JSON body."""
        body: dict[str, Any] = {"model": model, "messages": _messages(request, mode), self.tokens_name: request.max_tokens}
        if self.temperature:
            body["temperature"] = request.temperature
        if self.seed and request.seed is not None:
            body["seed"] = request.seed
        if request.schema is not None and mode == "schema":
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": request.schema}}
        elif request.schema is not None and mode == "json":
            body["response_format"] = {"type": "json_object"}
        return body


def about_format(refusal: str, parameter: str) -> bool:
    """Whether a refusal is about how a structured reply was asked for."""
    return parameter.startswith("response_format") or (not parameter and any(word in refusal.lower() for word in _OF_FORMAT))


def probe(mode: Mode) -> Request:
    """A small request that shows whether an endpoint honours this way of asking for a structured reply."""
    return Request((Message("user", f"Name a colour ({mode})."),), _PROBE_TOKENS, schema=_COLOURS)


def shows_it(mode: Mode, content: str) -> bool:
    """Whether a reply to the probe shows that the endpoint honours it."""
    value = json_object(content)
    return value is not None and (mode == "json" or value.get("colour") in ("red", "green", "blue"))


def json_object(content: str) -> Mapping[str, Any] | None:
    """The reply as a JSON object, if it is nothing else."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _messages(request: Request, mode: Mode) -> list[dict[str, str]]:
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    if request.schema is None or mode == "schema":
        return messages
    words = _IN_WORDS + json.dumps(request.schema, ensure_ascii=False, default=dict)
    if messages and messages[-1]["role"] == "user":
        messages[-1]["content"] += f"\n\n{words}"
    else:
        messages.append({"role": "user", "content": words})
    return messages
