"""A line of anyone's file -> the turns of a chat, or a text: the layouts in which training data is passed around.

| keys                                             | where it is common                          |
|--------------------------------------------------|---------------------------------------------|
| messages (role, content)                         | OpenAI, TRL, fieldsmith's own datasets      |
| conversations (from, value; or role, content)    | ShareGPT; `system` may stand beside it      |
| question, answer (and context)                   | question-answer sets                        |
| question, response (and system_prompt)           | OpenOrca                                    |
| prompt, response / prompt, completion            | either texts, or lists of messages (TRL)    |
| instruction, output (and input, system, history) | Alpaca, LLaMA-Factory                       |
| instruction, response (and context)              | Dolly                                       |
| query, response                                  | MetaMath                                    |
| input, output                                    |                                             |
| message_1, message_2                             | camel-ai (role_1, topic and sub_topic aside)|
| text (and title, section)                        | texts for continued pre-training            |

The first row that fits decides, so a file may hold several layouts. Other keys are ignored. What an entry lacks is said in a
sentence with its place: nothing is guessed, and nothing is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harvest.store import FieldsmithError

Role = Literal["system", "user", "assistant"]

ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
"""What the speakers of a chat are called by others."""

PAIRS: tuple[tuple[str, str, str], ...] = (
    ("question", "answer", "context"),
    ("question", "response", "context"),
    ("prompt", "response", "context"),
    ("prompt", "completion", "context"),
    ("instruction", "output", "input"),
    ("instruction", "response", "context"),
    ("query", "response", "context"),
    ("input", "output", ""),
    ("message_1", "message_2", ""),
)
"""Keys of the question, of its answer, and of the material that may go with the question."""

CHATS = ("messages", "conversations", "conversation")


class Turn(BaseModel):
    """One message of a chat, in OpenAI's layout, as chat templates take it."""

    model_config = ConfigDict(frozen=True)

    role: Role
    content: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat with at least one answer; `name` says where it came from."""

    name: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A text to learn, below its title and section; `document` is what it is a part of (itself, where nothing is said)."""

    name: str
    document: str
    text: str


# ---- chats


def conversation(entry: Mapping[str, Any], name: str, where: str) -> Conversation:
    """The chat of one entry in any layout; `where` begins the sentence of a `FieldsmithError` about it."""
    turns = _turns(entry, where)
    if not any(turn.role == "assistant" for turn in turns):
        raise FieldsmithError(f"{where}, has no message of the assistant: there is nothing to learn from it")
    return Conversation(str(entry.get("pair_id") or name), tuple(turns))


def _turns(entry: Mapping[str, Any], where: str) -> list[Turn]:
    for key in CHATS:
        if isinstance(entry.get(key), list):
            return [*_system(entry, where), *_messages(entry[key], f"{where}, {key}")]
    for question, answer, more in PAIRS:
        if question in entry and answer in entry:
            return [*_system(entry, where), *_history(entry, where), *_pair(entry, question, answer, more, where)]
    raise FieldsmithError(f"{where}, {_lacking(entry)}")


def _lacking(entry: Mapping[str, Any]) -> str:
    for question, answer, _ in PAIRS:
        for there, missing in ((question, answer), (answer, question)):
            if there in entry:
                return f"has {there} but no {missing} to go with it"
    known = ", ".join(("messages", "conversations", *(f"{question}/{answer}" for question, answer, _ in PAIRS)))
    found = ", ".join(map(str, list(entry)[:8])) or "nothing"
    return f"is neither a chat nor a pair: it has {found}; known are {known}"


def _pair(entry: Mapping[str, Any], question: str, answer: str, more: str, where: str) -> list[Turn]:
    if isinstance(entry[question], list) or isinstance(entry[answer], list):  # TRL's chats in two parts
        return [turn for key in (question, answer) for turn in _messages(entry[key], f"{where}, {key}")]
    asked = _said(entry[question], f"{where}, {question}")
    material = _said(entry[more], f"{where}, {more}") if _is_given(entry, more) else ""
    # Alpaca's input follows what is to be done with it; what a question is about stands before it.
    parts = (asked, material) if question == "instruction" else (material, asked)
    answered = _said(entry[answer], f"{where}, {answer}")
    return [Turn(role="user", content="\n\n".join(filter(None, parts))), Turn(role="assistant", content=answered)]


def _system(entry: Mapping[str, Any], where: str) -> list[Turn]:
    key = next((key for key in ("system", "system_prompt") if _is_given(entry, key)), None)
    return [Turn(role="system", content=_said(entry[key], f"{where}, {key}"))] if key else []


def _history(entry: Mapping[str, Any], where: str) -> list[Turn]:
    """Earlier exchanges of an Alpaca entry: a list of [question, answer]."""
    history, turns = entry.get("history") or [], []
    if not isinstance(history, list):
        raise FieldsmithError(f"{where}, history, is not a list of questions and answers but {_called(history)}")
    for number, exchange in enumerate(history, 1):
        if not isinstance(exchange, list) or len(exchange) != 2:
            raise FieldsmithError(f"{where}, history {number}, is not a question and its answer")
        asked, answered = (_said(said, f"{where}, history {number}") for said in exchange)
        turns += [Turn(role="user", content=asked), Turn(role="assistant", content=answered)]
    return turns


def _messages(messages: Any, where: str) -> list[Turn]:
    if not isinstance(messages, list):
        raise FieldsmithError(f"{where}, is not a list of messages")
    return [_message(message, f"{where}, message {number}") for number, message in enumerate(messages, 1)]


def _message(message: Any, where: str) -> Turn:
    if not isinstance(message, Mapping):
        raise FieldsmithError(f"{where}, is not an object with role and content")
    role = message.get("role", message.get("from"))
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise FieldsmithError(f"{where}, has {'no role' if role is None else f'the role {role!r}'}: known are {', '.join(ROLES)}")
    key = "content" if "content" in message else "value"
    if key not in message:
        raise FieldsmithError(f"{where}, has no content")
    return Turn(role=ROLES[role.lower()], content=_said(message[key], f"{where}, {key}"))


def _is_given(entry: Mapping[str, Any], key: str) -> bool:
    value = entry.get(key)
    return value is not None and not (isinstance(value, str) and not value.strip())


def _said(value: Any, where: str) -> str:
    """A text without the blanks around it: they would be learnt, and one after a template's newline fuses with it into another token."""
    if isinstance(value, list) and value and all(isinstance(part, Mapping) and part.get("type") == "text" for part in value):
        value = "".join(str(part.get("text", "")) for part in value)
    if not isinstance(value, str):
        raise FieldsmithError(f"{where}, is not a text but {_called(value)}")
    if not value.strip():
        raise FieldsmithError(f"{where}, is empty")
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        raise FieldsmithError(f"{where}, holds half a character (a lone surrogate): write the text anew as UTF-8")
    return value.strip()


def _called(value: Any) -> str:
    names = {"NoneType": "null", "bool": "true or false", "int": "a number", "float": "a number", "list": "a list", "dict": "an object"}
    return names.get(type(value).__name__, type(value).__name__)


# ---- texts


def text(entry: Mapping[str, Any], name: str, where: str) -> Text:
    """The text of one entry below its title and section, where it has them; errors as in `conversation`."""
    if "text" not in entry:
        raise FieldsmithError(f'{where}, has no text: write {{"text": "..."}}')
    parts = [_said(entry[key], f"{where}, {key}") for key in ("title", "section") if _is_given(entry, key)]
    return Text(name, str(entry.get("document_id") or name), headed(_said(entry["text"], f"{where}, text"), parts))


def headed(body: str, headings: Sequence[str]) -> str:
    """A text below `title: section` in one line; headings with which it begins already are not said twice."""
    for heading in headings:
        body = _without(body, heading)
    head = ": ".join(" ".join(heading.split()) for heading in headings)
    return f"{head}\n{body}".strip() if head else body


def _without(body: str, heading: str) -> str:
    """The text without a heading at its start, which ends with its line or with a colon (Markdown's signs aside)."""
    words = r"\s+".join(map(re.escape, heading.split()))
    found = re.match(rf"[#\s]*{words}[ \t]*(?::|\n|$)", body)
    return body[found.end() :].lstrip() if found else body
