"""Rules that guess the right option without understanding the question: what a fair exam must give no advantage.

Each rule looks at something that anyone sees: how long an option is, how many words it has in common with the question, the largest
number, the roundest one, the one most like the others, the form that most of them have, what other questions are answered with, what
stands in the documents at all. A rule guesses among the options that are highest by it, ties by lot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from qagen.checks.words import content_words
from qagen.curate.forms import form_of, numerals, value_of
from qagen.records import ExamQuestion

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

_SEEN: Final[dict[str, Callable[[str], float]]] = {
    "long": len,
    "of many digits": lambda text: sum(character.isdigit() for character in text),
    "of many decimals": lambda text: len(next(iter(numerals(text)), "").partition(".")[2]),
    "round": lambda text: _roundness(text),
    "capitalised": lambda text: text[:1].isupper(),
    "stopped": lambda text: text.rstrip().endswith((".", "。")),
}
REPEATED: Final = len(_SEEN)
"""The row of `Shown.seen` that counts the words of the question in an option."""
_PLACES: Final = 4  # in the order of size at which the right number may stand
RULES: Final = (
    *(f"{how} {what}" for what in (*_SEEN, "in the question's words", "known", "common") for how in ("most", "least")),
    *(f"{how} {what}" for what in ("like the others", "in the form of most", "near the others in value") for how in ("most", "least")),
    *(f"number {place + 1} by size" for place in range(_PLACES)),
)
"""The names of the rules, in the order of the columns of `advantages`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The right answer (at 0) and the wrong ones as the rules see them: `seen` by what and option, `shared` by what and two options.

    `sizes` are the first numbers, None where an option has none.
    """

    seen: Floats
    shared: Floats
    sizes: Floats | None


def shown(question: str, options: Sequence[str], known: Sequence[float] = (), common: Sequence[float] = ()) -> Shown:
    """What the rules see of a question's options; `known` and `common` say of each whether documents and other answers hold it."""
    asked = set(content_words(question))
    forms = [form_of(option) for option in options]
    none = [0.0] * len(options)
    seen = [
        *([float(see(option)) for option in options] for see in _SEEN.values()),
        [float(len(asked & set(content_words(option)))) for option in options],
        list(known) or none,
        list(common) or none,
    ]
    grams = [_grams(option) for option in options]
    numbers = [numerals(option) for option in options]
    sizes = np.array([value_of(held[0]) for held in numbers]) if all(numbers) else None
    shared = [
        np.array([[len(a & b) / max(1, len(a | b)) for a in grams] for b in grams]),
        np.array([[float(a == b) for a in forms] for b in forms]),
        np.zeros((len(options), len(options))) if sizes is None else -np.abs(np.subtract.outer(_logs(sizes), _logs(sizes))),
    ]
    return Shown(np.array(seen, dtype=np.float64), np.stack(shared), sizes)


def _logs(sizes: Floats) -> Floats:
    """Logarithms; what is 0 is far below all others."""
    logs: Floats = np.log2(np.maximum(sizes, 1e-12))
    return logs


def advantages(options: Shown, choices: Places) -> Floats:
    """By choice and rule, the chance that the rule guesses right less what plain guessing has.

    `choices` (choice, option) are places of options, the right one (0) first.
    """
    of_options = np.moveaxis(options.seen[:, choices], 0, 1)  # choice, what, option
    among = choices[:, :, None], choices[:, None, :]
    of_two = np.moveaxis(options.shared[:, *among].sum(-1).round(9), 0, 1)
    both = np.concatenate([of_options, of_two], axis=1)
    signed = np.stack([both, -both], axis=2).reshape(len(choices), -1, choices.shape[1])
    return np.concatenate([_won(signed), _by_size(options.sizes, choices)], axis=1)


def _won(scores: Floats) -> Floats:
    best = scores == scores.max(axis=-1, keepdims=True)
    won: Floats = best[..., 0] / best.sum(axis=-1) - 1 / scores.shape[-1]
    return won


def _by_size(sizes: Floats | None, choices: Places) -> Floats:
    """Ranks by size: of fewer than four options the places in between are left out."""
    count = choices.shape[1]
    found = np.zeros((len(choices), _PLACES))
    if sizes is None or count != _PLACES:
        return found
    rank = (sizes[choices] < sizes[choices[:, :1]]).sum(axis=1)
    found[:] = -1 / count
    found[np.arange(len(choices)), rank] += 1
    return found


def _grams(text: str) -> set[str]:
    flat = " ".join(text.casefold().split())
    return {flat[at : at + 2] for at in range(len(flat) - 1)} or {flat}


def _roundness(text: str) -> float:
    """Zeros at the end of the first number, and half as much for a 5."""
    found = re.sub(r"\D", "", next(iter(numerals(text)), ""))
    zeros = len(found) - len(found.rstrip("0"))
    return zeros or (0.5 if found.endswith("5") else 0.0)


# ---- a whole exam


@dataclass(frozen=True, slots=True)
class Guessed:
    """How a rule does on an exam: right answers expected of it, of guessing, and the most that guessing has in 97.5 of 100 exams."""

    rule: str
    right: float
    chance: float
    most: float


def guessed(exam: Sequence[ExamQuestion]) -> list[Guessed]:
    """What every rule, and every fixed place, gets right of an exam's choices; nothing where it has none."""
    choices = [question for question in exam if question.correct is not None]
    chances = [1 / len(question.options) for question in choices]
    chance = sum(chances)
    most = chance + 1.96 * sqrt(sum(one * (1 - one) for one in chances))
    right = np.zeros(len(RULES))
    for question in choices:
        right += _of_question(question) + 1 / len(question.options)
    places = range(max((len(question.options) for question in choices), default=0))
    fixed = [Guessed(f"place {place + 1}", sum(question.correct == place for question in choices), chance, most) for place in places]
    return [*fixed, *(Guessed(rule, float(one), chance, most) for rule, one in zip(RULES, right, strict=True))] if choices else []


def _of_question(question: ExamQuestion) -> Floats:
    others = [option for place, option in enumerate(question.options) if place != question.correct]
    options = [question.options[question.correct or 0], *others]
    won: Floats = advantages(shown(question.question, options), np.arange(len(options))[None, :])[0]
    return won
