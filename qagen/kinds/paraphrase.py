"""The same question in other words: what a paraphrase may change, and what makes it another question.

Nothing here looks at the source: a paraphrase rests on what its original rests on, and is held to it. Numbers with their
units, names, negations and sides of opposites must be the same (`qagen.curate.guards`), formulas to the letter, and it must
ask for the same thing: for a reason, a time, a place, a person or yes and no where the original does, for the same quantity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from harvest.records import Rejection
from harvest.store import fingerprint
from qagen.checks.rules import Candidate, Fault, faults
from qagen.checks.words import content_words
from qagen.config import QAGenConfig
from qagen.curate.guards import differ, read_marks
from qagen.curate.likeness import dice
from qagen.curate.words import words
from qagen.kinds.asked import asks_otherwise
from qagen.kinds.asking import LANGUAGES, STAGE, told
from qagen.kinds.shape import KEY, TEXT
from qagen.kinds.together import together
from qagen.records import QAPair, Written
from qagen.teacher.ledger import Request
from qagen.teacher.parse import list_schema, parse_items
from qagen.teacher.prompt import load_prompt
from qagen.teacher.protocol import Ask, Failure

_SCHEMA: dict[str, Any] = list_schema(KEY, {"question": TEXT, "answer": TEXT})
_LEAST_ALIKE = 0.2  # of the content words (Dice); below it hardly a word of the original is left, and it is another question


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    question: str
    answer: str = ""


async def paraphrase(pairs: Sequence[QAPair], config: QAGenConfig, ask: Ask, seed: int | None) -> Written:
    """`config.paraphrases` further wordings of each pair's question, pairs of their own; the originals are not returned.

    `paraphrase_of` is the original's id; evidence, document, licence, kind, steps, scores and marks are the original's, and so is
    the answer, unless the lab's style asks for other wording and the new one says the same. A wording that fails is a
    Rejection; pairs that are paraphrases already are passed over. Raises `Stopped`.
    """
    if not config.paraphrases:
        return Written()
    found = await together(_wordings(pair, config, ask, seed) for pair in pairs if not pair.paraphrase_of)
    outcomes = [outcome for some in found for outcome in some]
    return Written(tuple(one for one in outcomes if isinstance(one, QAPair)), tuple(one for one in outcomes if isinstance(one, Rejection)))


def prompts_of_paraphrases(config: QAGenConfig) -> list[str]:
    """The hash of the prompt."""
    return [load_prompt("paraphrase", config.prompts, config.style).sha256]


async def _wordings(pair: QAPair, config: QAGenConfig, ask: Ask, seed: int | None) -> list[QAPair | Rejection]:
    teacher, prompt, most = config.teacher, load_prompt("paraphrase", config.prompts, config.style), config.paraphrases
    values = {"count": most, "several": most > 1, "language": LANGUAGES.get(pair.language, "the language of the question")}
    messages = prompt.messages(question=pair.question, answer=pair.answer, **values)
    reply = await ask(Request(messages, teacher.max_tokens, teacher.temperature, seed, _SCHEMA))
    if isinstance(reply, Failure):
        return [Rejection(pair.id, STAGE, "teacher-failed", f"paraphrase: {reply.detail}")]
    said, unreadable = parse_items(reply.content, KEY, _Said)
    outcomes: list[QAPair | Rejection] = [Rejection(pair.id, STAGE, "unreadable-reply", f"paraphrase: {detail}") for detail in unreadable]
    asked = {_spoken(pair.question)}
    for one in said[:most]:
        answer = one.answer if config.style and one.answer else pair.answer
        outcomes.append(_outcome(pair, one.question, answer, asked, prompt.sha256, teacher.model))
        asked.add(_spoken(one.question))
    if len(said) < most and not unreadable:
        outcomes.append(Rejection(pair.id, STAGE, "paraphrase-missing", f"{len(said)} of {most} wordings came | {pair.question}"))
    return outcomes


def _outcome(pair: QAPair, question: str, answer: str, asked: set[tuple[str, ...]], prompt: str, model: str) -> QAPair | Rejection:
    identifier = fingerprint("paraphrase", pair.id, question, answer)[:16]
    if found := list(_objections(pair, question, answer, asked)):
        return Rejection(identifier, STAGE, found[0].reason, f"{told(found, question, answer)} | of {pair.id}: {pair.question}")
    return replace(pair, id=identifier, question=question, answer=answer, prompt=prompt, teacher=model, paraphrase_of=pair.id)


def _objections(pair: QAPair, question: str, answer: str, asked: set[tuple[str, ...]]) -> Iterator[Fault]:
    if _spoken(question) in asked:
        yield Fault("paraphrase-same", "the wording is there already")
        return
    if why := _differ(pair.question, question):
        yield Fault(f"paraphrase-{why}", f"{why} of `{pair.question}` and of its paraphrase are not the same")
    if _formulas(pair.question) != _formulas(question):
        yield Fault("paraphrase-formulas", "a formula is not the same")
    if why := asks_otherwise(pair.question, question):
        yield Fault("paraphrase-asks-otherwise", why)
    likeness = dice(frozenset(content_words(pair.question)), frozenset(content_words(question)))
    if likeness < _LEAST_ALIKE:
        yield Fault("paraphrase-asks-otherwise", f"{likeness:.0%} of their words are the same")
    if answer != pair.answer and (why := _differ(pair.answer, answer)):
        yield Fault(f"paraphrase-{why}", f"{why} of `{pair.answer}` and of the new answer are not the same")
    known = {fault.reason for fault in faults(_candidate(pair, pair.question, pair.answer))}  # the original was let through with them
    yield from (fault for fault in faults(_candidate(pair, question, answer)) if fault.reason not in known)


def _differ(original: str, other: str) -> str | None:
    """What is not the same in two texts: numbers with their units, names, negation, or sides of opposites."""
    one, two = read_marks(original), read_marks(other)
    return "numbers" if one.numbers != two.numbers else differ(one, two)


def _candidate(pair: QAPair, question: str, answer: str) -> Candidate:
    """The original is the evidence: it was checked against the source, and the paraphrase may say nothing beyond it."""
    original = "\n".join([pair.question, pair.answer, *(step.text for step in pair.steps)])
    return Candidate(
        question=question,
        answer=answer,
        evidence=original,
        context=original,
        kind=pair.kind,
        steps=tuple(step.text for step in pair.steps),
        distractors=pair.distractors,
        language=pair.language,
        defined=frozenset(words(pair.question)),
    )


def _spoken(question: str) -> tuple[str, ...]:
    return tuple(words(question))


def _formulas(text: str) -> list[str]:
    return sorted("".join(found.split()) for found in re.findall(r"\$([^$]+)\$", text))
