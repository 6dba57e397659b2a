"""The options of an exam's questions, chosen so that nobody guesses the right ones without reading the questions.

For each question several wrong options fit (`qagen.curate.wrong`). Of all ways to take three of them the one is taken by which every rule
of `qagen.curate.blind` comes nearest to what guessing gives, over the whole exam and among the answers of one form: a vector is balanced
by choosing its parts one after the other, and then each part again with the others as they are. Questions that would still lift a
rule out of the band of guessing lose their options and are asked openly, as are those to which no three wrong options fit, and those
whose answer says the question again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from qagen.curate.blind import REPEATED, RULES, Floats, Places, advantages, shown
from qagen.curate.forms import form_of
from qagen.curate.numbers import PLACES
from qagen.curate.split import draw
from qagen.curate.wrong import Wrong, Wrongs
from qagen.records import QAPair

_GIVEN_AWAY: Final = 2  # words of the question that the right option may repeat more than any other
_SWEEPS: Final = 3  # over all questions, after the first choice
_BAND: Final = 1.5  # standard deviations of guessing that a rule may be ahead; nearer than the 1.96 by which an exam is judged
_log = logging.getLogger(__name__)

Options = tuple[tuple[str, ...], int]
"""Options and the place of the right one."""


@dataclass(slots=True)
class _Open:
    """A question whose options are being chosen: wrong ones to choose from, all choices, what each gives the rules, and the one taken."""

    pair: QAPair
    form: str
    wrong: tuple[Wrong, ...]
    choices: Places
    gives: Floats
    costs: Floats
    taken: int = 0

    @property
    def count(self) -> int:
        """How many options it has."""
        return int(self.choices.shape[1])

    @property
    def given(self) -> Floats:
        """What the choice that is taken gives the rules."""
        given: Floats = self.gives[self.taken]
        return given

    def options(self) -> list[str]:
        """The wrong options that are taken."""
        return [self.wrong[place - 1].text for place in self.choices[self.taken][1:]]


def fair_options(
    pairs: Sequence[QAPair], wrongs: Wrongs, evidence: Callable[[QAPair], str], seed: int, *, learnt: bool = True
) -> dict[str, Options]:
    """By pair, the options of a multiple choice and where the right one stands; pairs without fair options are left out.

    The right option stands equally often at each place. With `learnt` a model may have read what the right answers stand in, and would
    tell them by that from made-up ones. The same for the same pairs in whatever order they come.
    """
    ordered = sorted(pairs, key=lambda pair: (draw(seed, "place", pair.id), pair.id))
    asked = [one for number, pair in enumerate(ordered) if (one := _opened(pair, wrongs, evidence(pair), number % PLACES, learnt=learnt))]
    _balance(asked)
    kept = _within_band(asked)
    if len(kept) < len(pairs):
        _log.info("exam: %d of %d questions are asked openly only: no fair options", len(pairs) - len(kept), len(pairs))
    return {one.pair.id: _placed(one.pair, one.options(), number, seed) for number, one in enumerate(kept)}


def _opened(pair: QAPair, wrongs: Wrongs, evidence: str, place: int, *, learnt: bool) -> _Open | None:
    offer = wrongs.of(pair, evidence, place)
    if not offer.sets:
        return None
    texts = [pair.answer, *(one.text for one in offer.wrong)]
    known = [1.0, *(float(one.origin != "made" or not learnt) for one in offer.wrong)]
    seen = shown(pair.question, texts, known, [float(wrongs.commonness(text)) for text in texts])
    choices = np.array([(0, *(place + 1 for place in some)) for some in offer.sets])
    repeated = seen.seen[REPEATED][choices]
    choices = choices[repeated[:, 0] <= repeated[:, 1:].max(axis=1) + _GIVEN_AWAY]
    if not len(choices):
        return None
    costs = np.array([0.0, *(one.cost for one in offer.wrong)])[choices].sum(axis=1)
    return _Open(pair, form_of(pair.answer).kind, offer.wrong, choices, advantages(seen, choices), costs)


# ---- balance


def _balance(asked: Sequence[_Open]) -> None:
    """Take the choice for each question by which the rules' sums come nearest to nothing; the first among equals."""
    sums: dict[str, Floats] = defaultdict(lambda: np.zeros(len(RULES)))
    for sweep in range(1 + _SWEEPS):
        for one in asked:
            for name in ("", one.form):
                sums[name] = sums[name] - (one.given if sweep else 0)
            off = sum((((sums[name] + one.gives) ** 2).sum(axis=1) for name in ("", one.form)), one.costs)
            one.taken = int(np.argmin(np.round(off, 9)))
            for name in ("", one.form):
                sums[name] = sums[name] + one.given


def _within_band(asked: Sequence[_Open]) -> list[_Open]:
    """Without the questions that lift a rule out of the band of guessing; that which gives the furthest rule most goes first."""
    kept = list(asked)
    while kept:
        ahead = np.sum([one.given for one in kept], axis=0)
        band = _BAND * sqrt(sum((1 - 1 / one.count) / one.count for one in kept))
        worst = int(np.argmax(ahead.round(9)))
        if ahead[worst] <= band:
            return kept
        gone = max(
            range(len(kept)), key=lambda place: (round(float(kept[place].given[worst]), 9), round(float(kept[place].given.sum()), 9), place)
        )
        kept.pop(gone)
    return kept


def _placed(pair: QAPair, wrong: Sequence[str], number: int, seed: int) -> Options:
    """The wrong options in an order that the seed decides, and the right one at its place in turn."""
    order = sorted(wrong, key=lambda text: (draw(seed, "order", pair.id, text), text))
    place = number % (len(order) + 1)
    return (*order[:place], pair.answer, *order[place:]), place
