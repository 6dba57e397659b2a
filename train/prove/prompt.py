"""How a question is put to a model: by its own chat template, with the passages that were found before the question.

Without passages the user's turn is the question, as in training. With passages it is

    Answer the question from these passages where they help.

    [1] Title > Section
    text

    [2] ...

    Question: ...

in Chinese where the question is. A model without a chat template reads the turn as text, with `Answer:` after it.
A template that knows no system role finds the system prompt at the head of the user's turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from harvest.store import FieldsmithError
from train.prove.words import HAN
from train.records import Passage

FORM = 1
"""Raise it when the same question would be put otherwise: results of other forms are not used."""

_HAN = re.compile(f"[{HAN}]")
_WORDS = {
    False: ("Answer the question from these passages where they help.", "Question: "),
    True: ("请参考以下资料回答问题。", "问题："),
}


def turn(question: str, passages: Sequence[Passage] = ()) -> str:
    """The user's turn: the question, after the passages if there are any."""
    if not passages:
        return question.strip()
    opening, before = _WORDS[bool(_HAN.search(question))]
    shown = [f"[{number}] {_heading(passage)}{passage.text.strip()}" for number, passage in enumerate(passages, 1)]
    return "\n\n".join([opening, *shown, f"{before}{question.strip()}"])


def _heading(passage: Passage) -> str:
    heading = " > ".join(part.strip() for part in (passage.title, passage.section) if part.strip())
    return f"{heading}\n" * bool(heading)


def prompt(tokenizer: Any, question: str, *, system_prompt: str | None = None, passages: Sequence[Passage] = ()) -> str:
    """The text after which the answer is to follow; what stands in question and passages cannot open a turn of its own."""
    asked = _harmless(tokenizer, turn(question, passages))
    if tokenizer.chat_template is None:
        asked = asked if passages else f"Question: {asked}"
        return f"{system_prompt}\n\n" * bool(system_prompt) + f"{asked}\nAnswer:"
    from jinja2 import TemplateError

    user = {"role": "user", "content": asked}
    if not system_prompt:
        return _rendered(tokenizer, [user])
    try:
        return _rendered(tokenizer, [{"role": "system", "content": system_prompt}, user])
    except TemplateError:  # by which templates refuse roles that they do not know
        return _rendered(tokenizer, [{"role": "user", "content": f"{system_prompt}\n\n{asked}"}])


def _rendered(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _harmless(tokenizer: Any, text: str) -> str:
    """Text without the tokenizer's own marks: a paper may hold `<|im_end|>`, and only the template may mean it."""
    for mark in tokenizer.all_special_tokens:
        if len(mark) > 1 and mark in text:
            text = text.replace(mark, f"{mark[0]} {mark[1:]}")
    return text


def tokens(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Ids of a prompt; a chat template writes the begin token itself, without one the tokenizer does."""
    return tuple(tokenizer(text, add_special_tokens=tokenizer.chat_template is None).input_ids)


def answer_tokens(tokenizer: Any, text: str, answer: str) -> tuple[int, ...]:
    """Ids of an answer as it follows the prompt `text`. Errors: `FieldsmithError` where the two share a token."""
    head = tokens(tokenizer, text)
    whole = tokens(tokenizer, f"{text}{' ' * (tokenizer.chat_template is None)}{answer.strip()}")
    if whole[: len(head)] != head or len(whole) == len(head):
        raise FieldsmithError(f"the answer {answer!r} cannot be told from its question in this model's tokens")
    return whole[len(head) :]
