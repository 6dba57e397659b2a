"""What the columns of a file mean: recognised by looking at its first records, or said by the lab.

Chats (ShareGPT's `from`/`value`, OpenAI's `role`/`content`): the first question and the reply to it are the pair. Later turns
lean on what was said before them and cannot stand alone; they are counted as left out.
Alpaca: the `input` stands below the `instruction`. SQuAD: the `context` stands above the question, which rests on it, and
questions on one context belong together. Multiple choice: the right option is the answer, the others are the distractors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harvest.store import UsageError, fingerprint
from qagen.own.choices import Choice, NoSuchOptionError, choice_of
from qagen.own.names import SPELLINGS, Role, named
from qagen.own.rows import Fault, Row

_CHATS: Final = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "对话")
_ASKS: Final = frozenset({"user", "human", "prompter"})
_ANSWERS: Final = frozenset({"assistant", "gpt", "bot", "model", "chatgpt"})
_SHOWN: Final = 20  # columns that an error names
_OPTIONAL: Final[tuple[Role, ...]] = ("context", "title", "group", "kind", "language", "licence")


@dataclass(frozen=True, slots=True)
class Fields:
    """A record's question and answer, and what else it says of them."""

    question: str
    answer: str
    distractors: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    group: str = ""
    kind: str = ""
    language: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column holds what; with a `chat` the question and the answer are taken from its turns."""

    columns: Mapping[Role, str]
    chat: str | None = None
    choice: Choice | None = None

    def read(self, row: Row) -> Iterator[Fields | Fault]:
        """The pairs of a record, and what in it cannot be used."""
        yield from self._chat(row, self.chat) if self.chat else self._plain(row)

    def _text(self, row: Row, role: Role) -> str:
        column = self.columns.get(role)
        return as_text(row.data.get(column)) if column else ""

    def _question(self, row: Row) -> str:
        """A list is no question: it may be a whole column."""
        value = row.data.get(self.columns["question"])
        return as_text(value) if isinstance(value, str | Mapping) else ""

    def _chat(self, row: Row, column: str) -> Iterator[Fields | Fault]:
        turns = _turns(row.data.get(column))
        asked = next((at for at, (role, text) in enumerate(turns) if role in _ASKS and text), None)
        if asked is None or asked + 1 >= len(turns) or turns[asked + 1][0] not in _ANSWERS or not turns[asked + 1][1]:
            yield Fault(row.place, "no-exchange", "its chat has no question that is answered in the next turn")
            return
        yield self._fields(row, turns[asked][1], turns[asked + 1][1])
        if more := sum(role in _ASKS for role, _ in turns[asked + 2 :]):
            yield Fault(row.place, "later-turns", f"{more} later questions of the chat are left out: they lean on what was said before")

    def _plain(self, row: Row) -> Iterator[Fields | Fault]:
        question, answer = self._question(row), self._text(row, "answer")
        wrong: tuple[str, ...] = ()
        if self.choice and (options := self.choice.options(row.data)):
            try:
                answer, wrong = self.choice.resolve(options, row.data)
            except NoSuchOptionError as error:
                yield Fault(row.place, "no-such-option", str(error))
                return
        if not question or not answer:
            missing = "question" if not question else "answer"
            yield Fault(row.place, f"no-{missing}", f"its {missing} is empty")
            return
        below = self._text(row, "input")
        yield self._fields(row, f"{question}\n\n{below}" if below else question, answer, wrong)

    def _fields(self, row: Row, question: str, answer: str, wrong: tuple[str, ...] = ()) -> Fields:
        context, group = self._text(row, "context"), self._text(row, "group") or self._text(row, "title")
        return Fields(
            question=f"{context}\n\n{question}" if context else question,
            answer=answer,
            distractors=wrong,
            steps=_steps(row.data.get(self.columns["steps"])) if "steps" in self.columns else (),
            group=group or (fingerprint(context)[:16] if context else ""),
            kind=self._text(row, "kind"),
            language=self._text(row, "language"),
            licence=self._text(row, "licence"),
        )


def recognise(where: str, rows: Sequence[Row], said: Mapping[str, str]) -> Layout:
    """The layout of records, of which `rows` are the first; `said` are the lab's own names of columns.

    Raises `UsageError`, one sentence that names `where`, the columns found and how to map them.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row.data))
    for role, column in said.items():
        if column not in columns:
            raise UsageError(f"{where} has no column {column!r}, which columns.{role} names; it has {_listed(columns)}")
    roles: dict[Role, str] = {role: named_so for role in _OPTIONAL if (named_so := _found(role, columns, said))}
    if "question" not in said and (chat := _chat_column(rows)):
        return Layout({role: column for role, column in roles.items() if role != "title"}, chat=chat)
    if "context" not in roles:
        roles.pop("title", None)  # a title groups what stands in one article; elsewhere it may be anything
    question, answer = _found("question", columns, said), _found("answer", columns, said)
    choice = choice_of([row.data for row in rows], _found("key", columns, {}), answer, given="answer" in said)
    if question is None or question == answer or (answer is None and choice is None):
        raise UsageError(_how_to_map(where, columns))
    roles["question"] = question
    if answer:
        roles["answer"] = answer
    if question != (below := named(columns, SPELLINGS["input"])) and below not in (None, answer) and "question" not in said:
        roles["input"] = str(below)
    if (steps := named(columns, SPELLINGS["steps"])) and steps not in (answer, question):
        roles["steps"] = steps
    return Layout(roles, choice=choice)


def _found(role: Role, columns: Sequence[str], said: Mapping[str, str]) -> str | None:
    return said.get(role) or named([column for column in columns if column not in said.values()], SPELLINGS[role])


def _how_to_map(where: str, columns: Sequence[str]) -> str:
    return (
        f"{where} is in no layout that is known (its columns: {_listed(columns)}); say which column is which, "
        "such as columns: {question: COLUMN, answer: COLUMN}"
    )


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(column[:40]) for column in columns[:_SHOWN])
    return (shown + (f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else "")) or "none"


# ---- chats


def _chat_column(rows: Sequence[Row]) -> str | None:
    present = list(dict.fromkeys(name for row in rows for name in row.data))
    candidates = [column for name in _CHATS if (column := named(present, [name]))]
    return next((column for column in candidates if any(_turns(row.data.get(column)) for row in rows)), None)


def _turns(chat: Any) -> list[tuple[str, str]]:
    """(role, text) of each turn but the system's; a chat may stand as JSON in a cell."""
    if isinstance(chat, str) and chat.lstrip().startswith("["):
        try:
            chat = json.loads(chat)
        except json.JSONDecodeError:
            return []
    turns = [turn for turn in chat if isinstance(turn, Mapping)] if isinstance(chat, Sequence) and not isinstance(chat, str) else []
    named_turns = [(as_text(turn.get("role") or turn.get("from")).casefold(), _content(turn)) for turn in turns]
    return [(role, text) for role, text in named_turns if role in _ASKS | _ANSWERS]


def _content(turn: Mapping[str, Any]) -> str:
    """The text of a turn; OpenAI's list of parts is joined, parts that are no text are not read."""
    content = turn.get("content", turn.get("value", turn.get("text")))
    if isinstance(content, list):
        return "\n".join(as_text(part.get("text")) for part in content if isinstance(part, Mapping) and part.get("type") == "text")
    return as_text(content)


# ---- values


def as_text(value: Any) -> str:
    """A value as text: of several answers the first (SQuAD, TriviaQA), of a number its digits, of nothing nothing."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "" if value != value else str(value)
    if isinstance(value, Mapping):
        return as_text(next((value[key] for key in ("text", "value", "content") if key in value), None))
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return next(filter(None, map(as_text, value)), "")
    return ""


def _steps(value: Any) -> tuple[str, ...]:
    """Steps as they are listed; a text is one step."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(filter(None, map(as_text, value)))
    return tuple(filter(None, [as_text(value)]))
