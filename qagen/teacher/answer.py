"""What an endpoint's HTTP answer means: a reply, or a refusal and how long to wait after it.

The body is read with the `openai` package's own types: validated at once (faster than parsing JSON in Python) and, where an
endpoint strays from the protocol, with the leniency of that package's client. Nothing of it is believed unseen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from qagen.teacher.ledger import Reply, Spent

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion, ChatCompletionMessage


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, header fields (names in any case) and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is none: what the endpoint says of it, the parameter that it names, and the seconds that it asks to wait."""

    status: int
    said: str
    code: str
    parameter: str
    wait: float


def read_reply(answer: Answer, bound: Spent) -> Reply | None:
    """The reply in an answer; None if there is none. Tokens that are not counted are taken from the upper bound."""
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion
    from openai.types.chat.chat_completion import Choice

    completion = _completion(answer.body, ChatCompletion)
    choices = completion.choices if completion and isinstance(completion.choices, list) else []
    if not choices or not isinstance(choices[0], Choice):
        return None
    content = _content(choices[0].message)
    if content is None:
        return None
    usage = completion.usage if completion and isinstance(completion.usage, CompletionUsage) else None
    said = min(bound.output_tokens, len(content.encode()) + 1)
    return Reply(
        content,
        str(choices[0].finish_reason or "unknown"),
        _count(usage and usage.prompt_tokens, bound.input_tokens),
        _count(usage and usage.completion_tokens, said),
    )


def read_refusal(answer: Answer) -> Refusal:
    """What an answer of status 400 and above says."""
    error = _error(answer.body)
    text = str(error.get("message") or answer.body[:500].decode("utf-8", "replace") or "no reason given")
    return Refusal(answer.status, text, str(error.get("code") or ""), str(error.get("param") or ""), retry_after(answer.headers))


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that an endpoint asks to wait: milliseconds, a number or an HTTP date (RFC 9110, 10.2.3); 0 without any."""
    milliseconds, value = headers.get("retry-after-ms", ""), headers.get("retry-after", "").strip()
    for text, unit in ((milliseconds, 1e-3), (value, 1.0)):
        try:
            wait = float(text) * unit
        except ValueError:
            continue
        return wait if 0 < wait < float("inf") else 0.0
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _completion(body: bytes, kind: type[ChatCompletion]) -> ChatCompletion | None:
    try:
        return kind.model_validate_json(body)
    except ValueError:
        value = _json(body)
        return kind.construct(**value) if isinstance(value, dict) else None


def _content(message: object) -> str | None:
    """What a message says; some endpoints send parts in place of a text, or nothing but why they do not answer."""
    from openai.types.chat import ChatCompletionMessage

    if not isinstance(message, ChatCompletionMessage):
        return None
    said: Any = message.content
    if isinstance(said, list):
        said = "".join(str(part.get("text") or "") for part in said if isinstance(part, dict))
    text = said if isinstance(said, str) and said else _declined(message)
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair can be neither kept nor sent


def _declined(message: ChatCompletionMessage) -> str:
    refusal: Any = getattr(message, "refusal", None)
    return refusal if isinstance(refusal, str) else ""


def _count(number: object, otherwise: int) -> int:
    return number if isinstance(number, int) and number >= 0 else otherwise


def _error(body: bytes) -> Mapping[str, Any]:
    """The object that describes an error: `{"error": {...}}`, `{"error": "..."}`, or the body itself."""
    value = _json(body)
    error = value.get("error", value) if isinstance(value, dict) else {}
    if isinstance(error, dict):
        return error if error.get("message") else {"message": error.get("detail")} | error
    return {"message": error}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
