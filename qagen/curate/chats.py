"""A pair as a chat, and what a chat asks and answers at bottom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from qagen.curate.split import draw
from qagen.records import Example, Message, Part, QAPair

_NUMBERED = re.compile(r"\s*(?:\(?\d{1,2}[.)、]|step\s*\d|第.{1,3}步)", re.I)
_SAID: Final = {"en": "Answer: ", "zh": "答案："}
_OPTIONS: Final = "\n\nA. "
_LETTER: Final = re.compile(r"[A-Z]\. ")


def examples(pairs: Iterable[QAPair]) -> list[Example]:
    """Pairs as chats of one question and one answer, in the order of documents and ids.

    Steps stand before the answer they lead to. Of a multiple choice the options are lettered, in an order that hangs on the id of the
    pair; the right one has each letter equally often.
    """
    ordered = sorted(pairs, key=lambda pair: (pair.document_id, pair.id))
    places = _places(pair for pair in ordered if pair.distractors)
    return [_example(pair, places.get(pair.id, 0)) for pair in ordered]


def for_part(pairs: Iterable[QAPair], part_of: Mapping[str, Part], part: Part) -> list[QAPair]:
    """The pairs of a part; paraphrases are for training only, where they are meant to add words, not weight."""
    return [pair for pair in pairs if part_of[pair.document_id] == part and (part == "train" or not pair.paraphrase_of)]


def _example(pair: QAPair, place: int) -> Example:
    question, answer = pair.question, pair.answer
    if pair.distractors:
        options = _lettered(pair, place)
        question, answer = "\n".join([f"{question}\n", *options]), options[place]
    messages = Message("user", question), Message("assistant", _worked(pair, answer))
    return Example(messages, pair.id, pair.document_id, pair.licence)


def _places(choices: Iterable[QAPair]) -> dict[str, int]:
    """Where the right option stands: the places in turn, over the pairs in an order that their ids decide."""
    order = sorted(choices, key=lambda pair: (len(pair.distractors), draw(0, "place", pair.id), pair.id))
    return {pair.id: turn % (len(pair.distractors) + 1) for turn, pair in enumerate(order)}


def _lettered(pair: QAPair, place: int) -> list[str]:
    wrong = sorted(pair.distractors, key=lambda option: (draw(0, pair.id, option), option))
    return [f"{chr(65 + at)}. {option}" for at, option in enumerate([*wrong[:place], pair.answer, *wrong[place:]])]


def _worked(pair: QAPair, answer: str) -> str:
    """The steps, numbered if they are several, and the answer below them."""
    if not pair.steps:
        return answer
    texts = [step.text for step in pair.steps]
    if len(texts) > 1 and not all(map(_NUMBERED.match, texts)):
        texts = [f"{number}. {text}" for number, text in enumerate(texts, 1)]
    return "\n".join(texts) + f"\n\n{_SAID.get(pair.language, _SAID['en'])}{answer}"


def asked(messages: Sequence[Message]) -> tuple[str, str]:
    """The question without its options and the answer without its steps: what `examples` was given, of any of its chats."""
    question = "\n".join(message.content for message in messages if message.role == "user")
    answer = "\n".join(message.content for message in messages if message.role == "assistant")
    for said in _SAID.values():
        answer = answer.rpartition(f"\n\n{said}")[2]
    if _OPTIONS in question and _LETTER.match(answer) and f"\n{answer}" in question:
        question, answer = question.rpartition(_OPTIONS)[0], answer[3:]
    return question, answer
