from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from train.models import load
from train.prove.compare import summarise
from train.prove.exam import score
from train.prove.fairness import fairness
from train.records import ExamItem

WORDS = [
    *("beam", "ring", "dipole", "vacuum", "orbit", "septum", "kicker", "girder"),
    *("束流", "磁铁", "光子", "cavity", "klystron", "buncher", "scraper", "wiggler"),
]


def item(number: int, options: tuple[str, ...], correct: int) -> ExamItem:
    return ExamItem(f"q{number}", f"Which part of machine {number} failed?", options[correct], options, correct)


def shuffled(n: int, seed: int = 0) -> list[ExamItem]:
    """Every place is right equally often, and the right option is a word like the wrong ones."""
    draw = np.random.default_rng(seed)
    picked = [tuple(WORDS[at] for at in draw.permutation(len(WORDS))[:4]) for _ in range(n)]
    return [item(number, options, number % 4) for number, options in enumerate(picked)]


def test_a_balanced_exam_is_guessed_at_chance_by_every_rule() -> None:
    found = fairness(shuffled(200))
    assert found is not None
    assert found.chance == 0.25
    assert found.position == 0.25
    assert found.band[0] < 0.25 < found.band[1]
    assert found.band[0] <= found.longest <= found.band[1]
    assert found.suspect == ()


def test_a_right_place_and_a_telling_length_are_suspect() -> None:
    first = [
        replace(question, options=(question.answer, *[o for o in question.options if o != question.answer]), correct=0)
        for question in shuffled(40)
    ]
    assert fairness(first).suspect == ("position",)  # type: ignore[union-attr]
    wordy = []
    for question in shuffled(40):
        options = list(question.options)
        options[question.correct or 0] = answer = f"the {question.answer} of the storage ring, after the trip"
        wordy.append(replace(question, options=tuple(options), answer=answer))
    found = fairness(wordy)
    assert found is not None
    assert found.longest == 1.0
    assert found.shortest == 0.0
    assert found.suspect == ("longest",)


def test_equally_long_options_are_guessed_among() -> None:
    found = fairness([item(number, ("12 kV", "13 kV", "14 kV", "150 kV"), number % 4) for number in range(8)])
    assert found is not None
    assert found.longest == pytest.approx(0.25)
    assert found.shortest == pytest.approx(6 / 8 / 3)


def test_options_of_different_numbers_have_their_own_chance() -> None:
    found = fairness([item(0, ("a", "b"), 0), item(1, ("a", "b", "c", "d"), 3), ExamItem("open", "Why?", "because")])
    assert found is not None
    assert found.chance == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_an_exam_without_choices_cannot_be_guessed() -> None:
    assert fairness([ExamItem("open", "Why?", "because")]) is None
    assert fairness([]) is None


def test_the_best_place_of_an_exam_by_lot_is_rarely_suspect() -> None:
    draw = np.random.default_rng(3)
    flagged = 0
    for _ in range(200):
        options = ("aa", "bb", "cc", "dd")
        found = fairness([item(number, options, int(draw.integers(4))) for number in range(80)])
        flagged += bool(found and found.suspect)
    assert flagged <= 0.05 * 200


# ---- models that do not read


def accuracy(model: Any, tokenizer: Any, items: list[ExamItem]) -> float:
    found = summarise(score(model, tokenizer, items), items).accuracy
    assert found is not None
    return found


def blank(items: list[ExamItem]) -> list[ExamItem]:
    return [replace(question, question="?") for question in items]


def test_a_model_that_never_reads_the_question_scores_at_chance(base: str) -> None:
    torch.set_num_threads(1)
    model, tokenizer = load(base)
    items = shuffled(240)
    fair = fairness(items)
    assert fair is not None
    assert fair.suspect == ()
    unread = accuracy(model, tokenizer, blank(items))
    assert fair.band[0] <= unread <= fair.band[1]
    random = accuracy(model, tokenizer, items)  # its weights are random: what it reads tells it nothing
    assert fair.band[0] <= random <= fair.band[1]


def test_the_check_would_see_an_exam_that_needs_no_reading(base: str) -> None:
    """The same model, the same blank questions: where a word is always right, a taste for words is knowledge enough."""
    torch.set_num_threads(1)
    model, tokenizer = load(base)
    options = ("beam", "septum", "磁铁", "wiggler")
    first = score(model, tokenizer, [item(0, options, 0)])[0].choice
    assert first is not None
    rigged = [item(number, tuple(options[(first + number + place) % 4] for place in range(4)), -number % 4) for number in range(40)]
    assert accuracy(model, tokenizer, blank(rigged)) > fairness(rigged).band[1]  # type: ignore[union-attr]
