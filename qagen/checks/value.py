"""What the model that is going to be tuned answers already, without the source: pairs that teach it nothing.

`known` is said only when it is sure, since a pair that is wrongly dropped is lost and one that is wrongly kept does no harm: every
number with its unit, every name, the same sense, most of the other words, and nothing named beside them that could be a second guess.
A choice is known if the right option is picked in two orders of the options, as one in four is right by chance (and models
prefer letters: Zheng et al., arXiv 2309.03882). Yes and no alone are never known, nor what the source leaves open.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harvest.records import Rejection
from harvest.store import fingerprint
from qagen.checks.quantities import Quantity, close, quantities
from qagen.config import BaseModelConfig
from qagen.curate.likeness import Reading, read
from qagen.records import QAPair, Written
from qagen.teacher.ledger import Request
from qagen.teacher.prompt import load_prompt
from qagen.teacher.protocol import Ask, Failure

logger = logging.getLogger(__name__)

STAGE = "value"
PROMPT = "closed_book"
KNOWN = "known"
_MOST_TOKENS = 160  # for one answer; a model that needs more does not know it
_TOLERANCE = 0.01  # of a quantity with a unit or a fraction; counts and years must be the same
_LEAST_WORDS = 0.8  # share of the answer's own words that the reply must have
_LETTER = re.compile(r"^\W*(?:(?:the\s+)?(?:answer|option)(?:\s+is)?\W*|答案(?:是|为)?\W*|选项?\W*)?([A-H])(?![A-Za-z0-9'’])", re.I)
_UNKNOWN = re.compile(r"\b(?:unknown|not know|don'?t know|no idea|cannot|can't|not sure|unsure)\b|不知道|未知|不清楚|无法", re.I)
_LUCK = re.compile(r"\W*(?:yes|no|true|false|是|否|不是|对|错|不对|有|没有|会|不会|能|不能)\W*", re.I)


async def marked_known(pairs: Sequence[QAPair], config: BaseModelConfig, ask: Ask, *, prompts: Path | None = None) -> Written:
    """The pairs, with a mark where the base model knows the answer; with `config.drop` those are rejected as `known` instead.

    A pair about which the base model could not be asked stays as it is.
    """
    found = await closed_book(pairs, config, ask, prompts=prompts)
    known = {pair_id for pair_id, answer in found.items() if answer is True}
    if failed := sum(isinstance(answer, Failure) for answer in found.values()):
        logger.info("%d of %d pairs could not be asked without the source; they stay unmarked", failed, len(pairs))
    if config.drop:
        rejections = tuple(Rejection(pair.id, STAGE, "known", f"{pair.question} | {pair.answer}") for pair in pairs if pair.id in known)
        return Written(tuple(pair for pair in pairs if pair.id not in known), rejections)
    return Written(tuple(_marked(pair) if pair.id in known else pair for pair in pairs))


async def closed_book(
    pairs: Sequence[QAPair], config: BaseModelConfig, ask_base: Ask, seed: int | None = None, *, prompts: Path | None = None
) -> dict[str, bool | Failure]:
    """For each pair's id whether the base model answers it without the source, or why that is not known. Greedy and short."""
    answers = await asyncio.gather(*(_knows(pair, config, ask_base, seed, prompts) for pair in pairs))
    return {pair.id: answer for pair, answer in zip(pairs, answers, strict=True)}


def answers_alike(question: str, answer: str, reply: str) -> bool:
    """Whether a reply surely says what the answer says; English and Chinese, numbers by value and unit."""
    said = _first_line(reply)
    if not said or _UNKNOWN.search(said) or _LUCK.fullmatch(answer):
        return False
    asked, right, given = read(question), read(answer), read(said)
    if right.marks.negated != given.marks.negated or right.marks.sides - asked.marks.sides != given.marks.sides - asked.marks.sides:
        return False
    return _same_numbers(answer, said, question) and _same_names(right, given, asked) and _same_words(right, given, asked)


# ---- asking


async def _knows(pair: QAPair, config: BaseModelConfig, ask: Ask, seed: int | None, prompts: Path | None) -> bool | Failure:
    if pair.kind == "unanswerable":
        return False
    for options in _orders(pair) if pair.distractors else ((),):
        messages = load_prompt(PROMPT, prompts).messages(question=pair.question, options=options)
        reply = await ask(Request(messages, min(config.max_tokens, _MOST_TOKENS), 0.0, seed))
        if isinstance(reply, Failure):
            return reply
        right = _picks(reply.content, options, pair.answer) if options else answers_alike(pair.question, pair.answer, reply.content)
        if not right:
            return False
    return True


def _orders(pair: QAPair) -> tuple[tuple[str, ...], ...]:
    """Two orders of the options, always the same ones, with the right option under different letters."""
    options = sorted({pair.answer, *pair.distractors}, key=lambda option: fingerprint(pair.id, option))[:8]
    if pair.answer not in options:
        options[-1] = pair.answer
    return tuple(options), (*options[1:], options[0])


def _picks(reply: str, options: Sequence[str], answer: str) -> bool:
    """Whether a reply names the letter of the right option, or says it in full."""
    said = _first_line(reply)
    found = _LETTER.match(said)
    if found and ord(found[1].upper()) - ord("A") < len(options):
        return options[ord(found[1].upper()) - ord("A")] == answer
    return said.strip(" .。").casefold() == answer.strip(" .。").casefold()


def _marked(pair: QAPair) -> QAPair:
    return replace(pair, marks=tuple(dict.fromkeys((*pair.marks, KNOWN))))


# ---- comparing


def _first_line(reply: str) -> str:
    """What was said first: base models go on with questions of their own."""
    spoken = re.sub(r"<think>.*?(?:</think>|$)", "", reply, flags=re.S).strip()
    return re.sub(r"^(?:answer|a|答案?|回答)\s*[:：]\s*", "", spoken.partition("\n")[0].strip(), flags=re.I)


def _same_numbers(answer: str, said: str, question: str) -> bool:
    """All numbers of the answer and no others, but for those of the question."""
    wanted, given = quantities(answer), quantities(said)
    found = all(any(_close(one, other) for other in given) for one in wanted)
    return found and all(any(_close(other, one) for other in (*wanted, *quantities(question))) for one in given)


def _close(right: Quantity, given: Quantity) -> bool:
    if right.unit.dimension != given.unit.dimension:
        return False
    counts = not right.unit.dimension and right.base.is_integer() and given.base.is_integer()
    return close(right.base, given.base, 1e-9 if counts else _TOLERANCE)


def _same_names(right: Reading, given: Reading, asked: Reading) -> bool:
    """All names of the answer, and none that neither the answer nor the question has."""
    return right.marks.names <= given.marks.forms | asked.marks.forms and given.marks.names <= right.marks.forms | asked.marks.forms


def _same_words(right: Reading, given: Reading, asked: Reading) -> bool:
    own = {word for word in right.content - asked.content if not word[0].isdigit() and word[0] != "-"}
    if not own:
        return bool(right.marks.numbers - asked.marks.numbers or right.marks.names - asked.marks.forms)
    return len(own & given.content) >= _LEAST_WORDS * len(own)
