"""What is checked of one kind of question alone, beside the rules for all (`qagen.checks.rules`)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qagen.checks.ground import numbers
from qagen.checks.rules import Fault
from qagen.checks.words import content_words, length_in_words
from qagen.kinds.shape import Said

LEAST_DISTRACTORS = 3
_LENGTHS = 3.0  # times by which a wrong option may be longer or shorter than the answer, in words, beyond three
_EVERYTHING = re.compile(
    r"^\W*(?:(?:all|none|both|neither|any) (?:of )?(?:these|them|those|the (?:above|others?|options))|not (?:given|stated|known)"
    r"|以上\S*|(?:都|皆|均)\S{0,4})\W*$",
    re.I,
)
_QUANTITY = re.compile(r"([-−+]?\d[\d.,]*(?:\s?[×x]\s?10\S*)?)\s*(.*)", re.S)


def calculates(said: Said, evidence: str) -> Iterator[Fault]:
    """A calculation has steps with numbers, and ends with its answer."""
    if not any(numbers(step) for step in said.steps):
        yield Fault("no-steps", "a calculation without a step that calculates")
    elif not (answer := numbers(said.answer)):
        yield Fault("no-number", f"the answer of a calculation is `{said.answer[:60]}`")
    elif answer[0] not in numbers(said.steps[-1]):
        yield Fault("steps-end-elsewhere", f"the last step is `{said.steps[-1][:80]}`, the answer `{said.answer[:60]}`")


def fair_choice(said: Said, evidence: str) -> Iterator[Fault]:
    """Wrong options look like the answer and are none of it."""
    options = [option for option in said.distractors if _bare(option)]
    if len({_bare(option) for option in options}) < max(LEAST_DISTRACTORS, len(options)):
        yield Fault("too-few-options", f"{len(options)} wrong options, some of them the same: {' | '.join(options)[:120]}")
    for option in options:
        if why := _unfair(said.answer, option):
            yield Fault("unfair-option", f"`{option[:60]}` {why} `{said.answer[:60]}`")
            return


def _unfair(answer: str, option: str) -> str | None:
    """Why an option is no fair alternative to an answer, in words; None if it is one."""
    if _EVERYTHING.match(option):
        return "is no alternative to"
    if _overlap(_bare(answer), _bare(option)) or (content_words(option) and set(content_words(option)) == set(content_words(answer))):
        return "says the same as"
    there, here = _QUANTITY.fullmatch(answer.strip()), _QUANTITY.fullmatch(option.strip())
    if there and here:
        if numbers(answer) == numbers(option):
            return "has the number of"
        measured = not re.search(r"\d", there[2] + here[2])  # what has further numbers is a date, a range, a size
        return "has another unit than" if measured and _bare(there[2]) != _bare(here[2]) else None
    if there or here:
        return "is of another form than"
    long, short = sorted((length_in_words(answer), length_in_words(option)), reverse=True)
    return "is of another length than" if long > 3 + _LENGTHS * max(short, 1) else None


def _overlap(one: str, other: str) -> bool:
    """Whether one of two options is the other, or a part of it in whole words."""
    short, long = sorted((one, other), key=len)
    return bool(re.search(rf"(?<![^\W_]){re.escape(short)}(?![^\W_])", long)) and not _QUANTITY.fullmatch(short)


def _bare(text: str) -> str:
    return re.sub(r"[\s$~{}\\]+", " ", text.casefold()).strip(" .?!。？！,，;；:：\"'“”")
