"""Whether an exam's choices can be guessed by something that never reads the question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

from train.prove.statistics import chance_band
from train.records import ExamItem, Fairness


def fairness(items: Sequence[ExamItem]) -> Fairness | None:
    """How often rules that see the options only pick the right one, beside what guessing gives; None for an exam without choices.

    Length is in characters. The best place is picked after the answers were seen, so it is suspect only above the band of the best
    of so many places.
    """
    choices = [(item.options, item.correct) for item in items if item.options and item.correct is not None]
    if not choices:
        return None
    odds = [1 / len(options) for options, _ in choices]
    places = max(len(options) for options, _ in choices)
    position = max(Counter(correct for _, correct in choices).values()) / len(choices)
    longest = _by_length(choices, max)
    shortest = _by_length(choices, min)
    band = chance_band(odds)
    limits = {
        "position": (position, chance_band(odds, tries=places)[1]),
        "longest": (longest, band[1]),
        "shortest": (shortest, band[1]),
    }
    suspect = tuple(name for name, (share, limit) in limits.items() if share > limit)
    return Fairness(fmean(odds), band, position, longest, shortest, suspect)


def _by_length(choices: Sequence[tuple[tuple[str, ...], int]], extreme: Callable[..., int]) -> float:
    """The share of right guesses of a rule that takes an option of extreme length, any of those that are equally long."""
    hits = []
    for options, correct in choices:
        lengths = [len(option.strip()) for option in options]
        wanted = extreme(lengths)
        hits.append((lengths[correct] == wanted) / lengths.count(wanted))
    return fmean(hits)
