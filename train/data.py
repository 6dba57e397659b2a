"""Pairs and texts -> rows of token ids with labels: the loss falls on what the model should say, and on nothing else.

    read_conversations   JSONL of chats or pairs -> Conversations
    read_texts           JSONL of texts          -> strings
    prepare_pairs        Conversations -> Prepared: loss on the assistant's turns, their end mark included
    prepare_texts        strings       -> Prepared: loss on every token, in blocks of one length

We tokenise ourselves because both backends keep ready `input_ids` and `labels` as they are, while what they derive
from a chat template differs between them and drops fully masked examples without a word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, Field, ValidationError

from harvest.store import FieldsmithError

IGNORED = -100
"""The label without loss, PyTorch's own convention."""

PAIR_KEYS = (("question", "answer"), ("prompt", "response"), ("prompt", "completion"), ("instruction", "output"))


class Turn(BaseModel):
    """One message of a chat, in OpenAI's layout."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat with at least one answer; `name` says where it came from."""

    name: str
    turns: tuple[Turn, ...]


class Row(TypedDict):
    """Token ids and as many labels; `IGNORED` where there is no loss."""

    input_ids: list[int]
    labels: list[int]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows ready to train on, what was cut, and the names of what was left out because no answer was left in it."""

    rows: tuple[Row, ...]
    truncated: int = 0
    dropped: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Rows, tokens, tokens with loss, examples cut at the end, examples left out."""
        return {
            "rows": len(self.rows),
            "tokens": sum(len(row["input_ids"]) for row in self.rows),
            "learnt_tokens": sum(label != IGNORED for row in self.rows for label in row["labels"]),
            "truncated": self.truncated,
            "dropped": len(self.dropped),
        }


# ---- reading


def read_conversations(path: Path) -> list[Conversation]:
    """Chats of a JSONL file: `{"messages": [...]}`, or a pair under one of `PAIR_KEYS`; other keys are ignored.

    Errors: `FieldsmithError` for a file that is missing or empty, and for a bad line, with its number.
    """
    return [_conversation(line, f"{path.name}:{number}", f"{path}, line {number}") for number, line in _json_lines(path)]


def read_texts(path: Path) -> list[str]:
    """The `text` of every line of a JSONL file; errors as in `read_conversations`."""
    texts = []
    for number, line in _json_lines(path):
        text = line.get("text")
        if not isinstance(text, str) or not text.strip():
            raise FieldsmithError(f'{path}, line {number}, has no text: write {{"text": "..."}}')
        texts.append(text)
    return texts


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if not path.is_file():
        raise FieldsmithError(f"there is no file {path} to train on")
    empty = True
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                empty = False
                yield number, _json_object(line, f"{path}, line {number}")
    if empty:
        raise FieldsmithError(f"{path} is empty: there is nothing to train on")


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise FieldsmithError(f"{where}, is not JSON ({error.msg}, column {error.colno})") from error
    if not isinstance(value, dict):
        raise FieldsmithError(f"{where}, is not a JSON object but a {type(value).__name__}")
    return value


def _conversation(line: dict[str, Any], name: str, where: str) -> Conversation:
    try:
        turns = tuple(Turn.model_validate(_trimmed(turn)) for turn in _messages(line, where))
    except ValidationError as error:
        first = error.errors()[0]
        raise FieldsmithError(f"{where}, has a bad message ({'.'.join(map(str, first['loc']))}: {first['msg']})") from error
    if not any(turn.role == "assistant" for turn in turns):
        raise FieldsmithError(f"{where}, has no assistant message: there is nothing to learn from it")
    return Conversation(str(line.get("pair_id") or name), turns)


def _messages(line: dict[str, Any], where: str) -> list[Any]:
    if isinstance(line.get("messages"), list):
        return list(line["messages"])
    for question, answer in PAIR_KEYS:
        if question in line and answer in line:
            return [{"role": "user", "content": line[question]}, {"role": "assistant", "content": line[answer]}]
    known = ", ".join(f"{question}/{answer}" for question, answer in PAIR_KEYS)
    raise FieldsmithError(f"{where}, is neither a chat (messages) nor a pair ({known})")


def _trimmed(turn: Any) -> Any:
    # Blanks around an answer would be learnt, and one after the template's newline fuses with it into another token.
    if isinstance(turn, dict) and isinstance(turn.get("content"), str):
        return {**turn, "content": turn["content"].strip()}
    return turn


# ---- pairs


def prepare_pairs(tokenizer: Any, conversations: Sequence[Conversation], *, max_length: int, system_prompt: str | None = None) -> Prepared:
    """Rows of at most `max_length` tokens, cut at the end; a row in which no answer is left is left out and named."""
    rows: list[Row] = []
    dropped: list[str] = []
    truncated = 0
    for conversation in conversations:
        for whole in encode(tokenizer, with_system(conversation.turns, system_prompt)):
            truncated += len(whole["input_ids"]) > max_length
            row = Row(input_ids=whole["input_ids"][:max_length], labels=whole["labels"][:max_length])
            # The first label is never predicted: the loss looks one token ahead.
            if any(label != IGNORED for label in row["labels"][1:]):
                rows.append(row)
            else:
                dropped.append(conversation.name)
    return Prepared(tuple(rows), truncated, tuple(dropped))


def with_system(turns: Sequence[Turn], system_prompt: str | None) -> tuple[Turn, ...]:
    """The turns with the system prompt before them, unless they bring their own."""
    if not system_prompt or turns[0].role == "system":
        return tuple(turns)
    return (Turn(role="system", content=system_prompt), *turns)


def encode(tokenizer: Any, turns: Sequence[Turn]) -> list[Row]:
    """A chat as rows whose unmasked tokens are exactly its answers, each with its end mark.

    One row for the whole chat where the template renders earlier turns the same whatever follows them; one row per
    answer where it does not (templates that drop earlier reasoning), so that every answer is learnt in the very
    context in which the model will have to give it. Errors: `FieldsmithError` if the model has no chat template or
    one in which an answer does not follow its prompt.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise FieldsmithError("the base model has no chat template, so it cannot be tuned on pairs: take an instruct model as base")
    messages = [turn.model_dump() for turn in turns]
    spans = [_answer(tokenizer, messages, at) for at, turn in enumerate(turns) if turn.role == "assistant"]
    text = spans[-1].text
    if all(text.startswith(span.text) for span in spans):
        return [_row(tokenizer, text, [(span.start, span.end) for span in spans], add_end=not spans[-1].marked)]
    return [_row(tokenizer, span.text, [(span.start, span.end)], add_end=not span.marked) for span in spans]


@dataclass(frozen=True, slots=True)
class _Answer:
    """`text[start:end]` is the answer with its end mark, in the rendered chat up to it; `marked`: it has one."""

    text: str
    start: int
    end: int
    marked: bool


def _answer(tokenizer: Any, messages: list[dict[str, str]], at: int) -> _Answer:
    prompt = tokenizer.apply_chat_template(messages[:at], tokenize=False, add_generation_prompt=True)
    text = tokenizer.apply_chat_template(messages[: at + 1], tokenize=False)
    if not text.startswith(prompt):
        raise FieldsmithError("the base model's chat template renders an answer that does not follow its prompt: take another base model")
    end = len(text.rstrip())
    marks = {tokenizer.eos_token, *tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    return _Answer(text, len(prompt), end, text[:end].endswith(tuple(mark for mark in marks if mark)))


def _row(tokenizer: Any, text: str, spans: list[tuple[int, int]], *, add_end: bool) -> Row:
    # The template writes the beginning of the text itself, hence no special tokens on top of it.
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    stop = spans[-1][1]
    # What the template puts behind the last end mark (a newline) is never asked of the model: it is not even read.
    kept = [
        (token, start, end) for token, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True) if start < stop
    ]
    ids = [token for token, _, _ in kept]
    labels = [token if any(start >= a and end <= b for a, b in spans) else IGNORED for token, start, end in kept]
    if add_end:  # a template without an end mark: without one the model would never learn to stop
        ids.append(tokenizer.eos_token_id)
        labels.append(tokenizer.eos_token_id)
    return Row(input_ids=ids, labels=labels)


# ---- texts


def prepare_texts(tokenizer: Any, texts: Sequence[str], *, max_length: int) -> Prepared:
    """All texts in one stream, each closed by the end mark, cut into rows of `max_length` tokens; the rest is the last row.

    Rows of one length need no padding, so that every computed token is learnt; nothing is cut away or left out.
    """
    stream: list[int] = []
    for text in texts:
        stream += [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    blocks = [stream[start : start + max_length] for start in range(0, len(stream), max_length)]
    # A single token predicts nothing: it would be a row without loss.
    return Prepared(tuple(Row(input_ids=block, labels=list(block)) for block in blocks if len(block) > 1))
