"""Pairs and texts -> rows of token ids with labels: the loss falls on what the model should say, and on nothing else.

    read_conversations   a file or folder of chats or pairs, in any layout -> Conversations
    read_texts           a file or folder of texts                         -> Texts
    prepare_pairs        Conversations -> Prepared: loss on the assistant's turns, their end mark included
    prepare_texts        strings       -> Prepared: loss on every token, in blocks of one length

We tokenise ourselves because both backends keep ready `input_ids` and `labels` as they are, while what they derive
from a chat template differs between them and drops fully masked examples without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from harvest.store import FieldsmithError
from train.entries import read_entries
from train.layouts import Conversation, Text, Turn, conversation, text

__all__ = [
    "IGNORED",
    "Conversation",
    "Prepared",
    "Row",
    "Text",
    "Turn",
    "encode",
    "in_blocks",
    "prepare_pairs",
    "prepare_texts",
    "read_conversations",
    "read_texts",
    "text_tokens",
    "with_system",
]

IGNORED = -100
"""The label without loss, PyTorch's own convention."""


class Row(TypedDict):
    """Token ids and as many labels; `IGNORED` where there is no loss."""

    input_ids: list[int]
    labels: list[int]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows ready to train on, what was cut, and the names of what was left out because no answer was left in it.

    `replayed` of the rows, with `replayed_tokens` tokens, are general data against forgetting.
    """

    rows: tuple[Row, ...]
    truncated: int = 0
    dropped: tuple[str, ...] = ()
    replayed: int = 0
    replayed_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return sum(len(row["input_ids"]) for row in self.rows)

    @property
    def counts(self) -> dict[str, int]:
        """Rows, tokens, tokens with loss, examples cut at the end, examples left out, and what is replayed."""
        return {
            "rows": len(self.rows),
            "tokens": self.tokens,
            "learnt_tokens": sum(label != IGNORED for row in self.rows for label in row["labels"]),
            "truncated": self.truncated,
            "dropped": len(self.dropped),
            "replayed": self.replayed,
            "replayed_tokens": self.replayed_tokens,
        }


# ---- reading


def read_conversations(path: Path) -> list[Conversation]:
    """The chats of a JSON or JSONL file, or of a folder of them, in any of the layouts of `train.layouts`.

    Errors: `FieldsmithError` for a file that is missing or empty, and for a bad entry, with its place.
    """
    return [conversation(entry.data, entry.name, entry.where) for entry in read_entries(path)]


def read_texts(path: Path) -> list[Text]:
    """The texts of such files, each below its title and section; errors as in `read_conversations`."""
    return [text(entry.data, entry.name, entry.where) for entry in read_entries(path)]


# ---- pairs


def prepare_pairs(tokenizer: Any, conversations: Iterable[Conversation], *, max_length: int, system_prompt: str | None = None) -> Prepared:
    """Rows of at most `max_length` tokens, cut at the end; a row in which no answer is left is left out and named."""
    rows: list[Row] = []
    dropped: list[str] = []
    truncated = 0
    for chat in conversations:
        for whole in encode(tokenizer, with_system(chat.turns, system_prompt), name=chat.name):
            truncated += len(whole["input_ids"]) > max_length
            row = Row(input_ids=whole["input_ids"][:max_length], labels=whole["labels"][:max_length])
            # The first label is never predicted: the loss looks one token ahead.
            if any(label != IGNORED for label in row["labels"][1:]):
                rows.append(row)
            else:
                dropped.append(chat.name)
    return Prepared(tuple(rows), truncated, tuple(dropped))


def with_system(turns: Sequence[Turn], system_prompt: str | None) -> tuple[Turn, ...]:
    """The turns with the system prompt before them, unless they bring their own."""
    if not system_prompt or turns[0].role == "system":
        return tuple(turns)
    return (Turn(role="system", content=system_prompt), *turns)


def encode(tokenizer: Any, turns: Sequence[Turn], *, name: str = "a chat") -> list[Row]:
    """A chat as rows whose unmasked tokens are exactly its answers, each with its end mark.

    One row for the whole chat where the template renders earlier turns the same whatever follows them; one row per
    answer where it does not (templates that drop earlier reasoning), so that every answer is learnt in the very
    context in which the model will have to give it. Errors: `FieldsmithError` (which says `name`) if the model has no chat
    template, one that refuses this chat, or one in which an answer does not follow its prompt.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise FieldsmithError("the base model has no chat template, so it cannot be tuned on pairs: take an instruct model as base")
    spans = _answers(tokenizer, turns, name)
    whole = spans[-1].text
    if all(whole.startswith(span.text) for span in spans):
        return [_row(tokenizer, whole, [(span.start, span.end) for span in spans], add_end=not spans[-1].marked)]
    return [_row(tokenizer, span.text, [(span.start, span.end)], add_end=not span.marked) for span in spans]


@dataclass(frozen=True, slots=True)
class _Answer:
    """`text[start:end]` is the answer with its end mark, in the rendered chat up to it; `marked`: it has one."""

    text: str
    start: int
    end: int
    marked: bool


def _answers(tokenizer: Any, turns: Sequence[Turn], name: str) -> list[_Answer]:
    from jinja2 import TemplateError

    messages = [turn.model_dump() for turn in turns]
    try:
        return [_answer(tokenizer, messages, at) for at, turn in enumerate(turns) if turn.role == "assistant"]
    except TemplateError as error:  # such as: no system message, roles must alternate
        raise FieldsmithError(f"{name}: the base model's chat template refuses it ({str(error).splitlines()[0]})") from error


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


def prepare_texts(tokenizer: Any, texts: Iterable[str], *, max_length: int) -> Prepared:
    """All texts in one stream, each closed by the end mark, cut into rows of `max_length` tokens; the rest is the last row.

    Rows of one length need no padding, so that every computed token is learnt; nothing is cut away or left out.
    """
    stream = [token for one in texts for token in text_tokens(tokenizer, one)]
    return in_blocks(stream, max_length)


def text_tokens(tokenizer: Any, one: str) -> list[int]:
    """A text's tokens, closed by the end mark."""
    return [*tokenizer(one, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]


def in_blocks(stream: Sequence[int], max_length: int) -> Prepared:
    """Rows of one length; the rest is the last row."""
    blocks = [list(stream[start : start + max_length]) for start in range(0, len(stream), max_length)]
    # A single token predicts nothing: it would be a row without loss.
    return Prepared(tuple(Row(input_ids=block, labels=list(block)) for block in blocks if len(block) > 1))
