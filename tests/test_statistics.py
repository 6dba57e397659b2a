from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.prove.statistics import calibrate, chance_band, detectable, mcnemar, paired_bootstrap, pooled_bootstrap, questions_needed
from train.records import Estimate

VALUES = st.floats(-100, 100, allow_nan=False).map(lambda value: round(value, 3))
PAIRS = st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=60)


def columns(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    base, tuned = zip(*pairs, strict=True)
    return list(base), list(tuned)


@settings(max_examples=60, deadline=None)
@given(PAIRS)
def test_the_interval_holds_the_mean_difference(pairs: list[tuple[float, float]]) -> None:
    base, tuned = columns(pairs)
    estimate = paired_bootstrap(base, tuned, seed=0, resamples=300)
    assert estimate.value == pytest.approx(float(np.mean(tuned) - np.mean(base)), abs=1e-9)
    assert estimate.ci95[0] <= estimate.value <= estimate.ci95[1]
    if np.ptp(np.subtract(tuned, base)) < 1e-9:
        assert estimate.ci95 == pytest.approx((estimate.value, estimate.value), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(PAIRS)
def test_changing_places_changes_the_sign(pairs: list[tuple[float, float]]) -> None:
    base, tuned = columns(pairs)
    there, back = paired_bootstrap(base, tuned, seed=3, resamples=300), paired_bootstrap(tuned, base, seed=3, resamples=300)
    assert back.value == pytest.approx(-there.value, abs=1e-9)
    assert back.ci95 == pytest.approx((-there.ci95[1], -there.ci95[0]), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.floats(0.1, 50))
def test_another_unit_scales_value_and_interval(pairs: list[tuple[float, float]], unit: float) -> None:
    base, tuned = columns(pairs)
    one = paired_bootstrap(base, tuned, seed=1, resamples=300)
    other = paired_bootstrap([unit * value for value in base], [unit * value for value in tuned], seed=1, resamples=300)
    assert other.value == pytest.approx(unit * one.value, abs=1e-6)
    assert other.ci95 == pytest.approx((unit * one.ci95[0], unit * one.ci95[1]), abs=1e-6)


def test_a_shared_difficulty_does_not_widen_the_interval() -> None:
    hard = np.random.default_rng(0).normal(0, 100, 200)
    estimate = paired_bootstrap(list(hard), list(hard + 1), seed=0)
    assert estimate.ci95 == pytest.approx((1, 1), abs=1e-9)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(11)
    trials, true = 400, 0.3
    covered = 0
    for trial in range(trials):
        base = draw.normal(2, 1, 60)
        tuned = base + draw.exponential(true, 60)  # skewed, as gains are
        low, high = paired_bootstrap(list(base), list(tuned), seed=trial, resamples=600).ci95
        covered += low <= true <= high
    # 95 % less what skewed values cost; three standard errors are 0.033.
    assert 0.91 <= covered / trials <= 0.98


def questions_of_documents(draw: np.random.Generator, documents: int) -> tuple[list[float], list[str]]:
    """Gains of 0.3 on average, a third of whose variance is that of their document; some documents have many questions."""
    of = np.repeat(np.arange(documents), np.maximum(draw.multinomial(10 * documents, draw.dirichlet(np.full(documents, 4.0))), 1))
    gains = 0.3 + draw.normal(0, math.sqrt(1 / 3), documents)[of] + draw.normal(0, math.sqrt(2 / 3), len(of))
    return list(gains), [f"d{number}" for number in of]


@pytest.mark.parametrize("documents", [5, 12])
def test_questions_about_one_document_are_not_taken_for_independent(documents: int) -> None:
    draw = np.random.default_rng(documents)
    trials = 300
    whole = single = 0
    for trial in range(trials):
        gains, of = questions_of_documents(draw, documents)
        zeros = [0.0] * len(gains)
        low, high = paired_bootstrap(zeros, gains, seed=trial, resamples=500, clusters=of).ci95
        whole += low <= 0.3 <= high
        low, high = paired_bootstrap(zeros, gains, seed=trial, resamples=500).ci95
        single += low <= 0.3 <= high
    assert 0.90 <= whole / trials <= 0.98
    assert single / trials < 0.75  # what intervals that forget the documents are worth


def test_a_document_of_one_question_is_that_question() -> None:
    draw = np.random.default_rng(2)
    base, tuned = list(draw.normal(size=30)), list(draw.normal(size=30))
    each = [str(number).zfill(2) for number in range(30)]
    alone = paired_bootstrap(base, tuned, seed=0)
    clustered = paired_bootstrap(base, tuned, seed=0, clusters=each)
    assert clustered.value == pytest.approx(alone.value)
    assert clustered.ci95 == pytest.approx(alone.ci95)


@pytest.mark.parametrize("spread", [0.0, 0.15, 0.4])
def test_the_pooled_interval_covers_other_trainings_and_other_questions(spread: float) -> None:
    draw = np.random.default_rng(int(100 * spread))
    trials, covered, questions_only = 300, 0, 0
    for trial in range(trials):
        gains = draw.normal(0.3, 1, 60) + draw.normal(0, spread, (3, 1)) + draw.normal(0, 0.3, (3, 60))
        low, high = pooled_bootstrap(gains.tolist(), seed=trial, resamples=400).ci95
        covered += low <= 0.3 <= high
        low, high = paired_bootstrap([0.0] * 60, list(gains.mean(axis=0)), seed=trial, resamples=400).ci95
        questions_only += low <= 0.3 <= high
    assert covered / trials >= 0.91  # never less than it says; trainings that differ little are counted generously
    if spread == 0.4:
        assert questions_only / trials < 0.8


def test_the_seed_decides() -> None:
    draw = np.random.default_rng(4)
    base, tuned = list(draw.normal(size=30)), list(draw.normal(size=30))
    assert paired_bootstrap(base, tuned, seed=5) == paired_bootstrap(base, tuned, seed=5)
    assert paired_bootstrap(base, tuned, seed=5).ci95 != paired_bootstrap(base, tuned, seed=6).ci95


def test_many_questions_are_resampled_in_parts() -> None:
    base, tuned = [0.0] * 5000, [float(number % 2) for number in range(5000)]
    low, high = paired_bootstrap(base, tuned, seed=0, resamples=2000).ci95
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.5 / math.sqrt(5000), 0.5 + 1.96 * 0.5 / math.sqrt(5000)), abs=0.002)


def test_one_pair_has_no_finite_interval_and_none_is_an_error() -> None:
    assert paired_bootstrap([1.0], [3.0], seed=0).ci95 == (-math.inf, math.inf)
    with pytest.raises(ValueError, match="at least one"):
        paired_bootstrap([], [], seed=0)
    with pytest.raises(ValueError, match="got 1 and 2"):
        paired_bootstrap([1.0], [1.0, 2.0], seed=0)
    with pytest.raises(ValueError, match="same questions"):
        pooled_bootstrap([[]], seed=0)
    with pytest.raises(ValueError, match="got 2 and 1"):
        paired_bootstrap([1.0, 2.0], [1.0, 2.0], seed=0, clusters=["a"])
    assert paired_bootstrap([1.0, 2.0], [1.0, 3.0], seed=0, clusters=["a", "a"]).ci95 == (-math.inf, math.inf)


# ---- choices


@pytest.mark.parametrize(
    ("better", "worse", "p"), [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (8, 2, 0.109375), (7, 7, 1.0), (2, 12, 0.012939)]
)
def test_mcnemar_is_the_exact_binomial_test(better: int, worse: int, p: float) -> None:
    found = mcnemar(better, worse)
    assert (found.better, found.worse) == (better, worse)
    assert found.p == pytest.approx(p, abs=1e-6)
    assert mcnemar(worse, better).p == found.p


def test_mcnemar_rejects_no_more_often_than_it_says_and_nearly_as_often() -> None:
    better = np.random.default_rng(0).binomial(60, 0.5, 4000)
    found = np.array([mcnemar(int(number), 60 - int(number)).p for number in better])
    for level in (0.01, 0.05, 0.2, 0.5):
        share = float((found <= level).mean())
        assert share <= level + 3 * math.sqrt(level * (1 - level) / 4000)
        assert share >= 0.5 * level  # exact tests of few questions are careful, but this one is not mute


def test_thousands_of_changed_choices_can_be_tested() -> None:
    assert 0 <= mcnemar(3000, 2600).p < 1e-6


@pytest.mark.parametrize("n", [20, 45, 400])
@pytest.mark.parametrize("tries", [1, 4])
def test_guessing_lies_in_the_band_of_chance(n: int, tries: int) -> None:
    odds = [0.25] * (n // 2) + [0.5] * (n - n // 2)
    _low, high = chance_band(odds, tries=tries)
    guessed = (np.random.default_rng(n).random((4000, tries, n)) < odds).mean(axis=2).max(axis=1)
    assert (guessed > high).mean() <= 0.025 + 0.008
    inside = chance_band(odds)
    one = (np.random.default_rng(1).random((4000, n)) < odds).mean(axis=1)
    assert 0.94 <= ((inside[0] <= one) & (one <= inside[1])).mean() <= 0.995


def test_the_band_of_one_kind_of_question_is_binomial() -> None:
    # scipy.stats.binom.ppf([0.025, 0.975], 100, 0.25) gives 17 and 34
    assert chance_band([0.25] * 100) == (0.17, 0.34)


# ---- calibration


def test_a_model_as_sure_as_it_is_right_is_calibrated_and_a_boaster_is_not() -> None:
    draw = np.random.default_rng(5)
    sure = draw.uniform(0.3, 1, 4000)
    probabilities = [[share, *[(1 - share) / 3] * 3] for share in sure]
    right = [0 if hit else int(draw.integers(1, 4)) for hit in draw.random(4000) < sure]
    honest = calibrate(probabilities, [0] * 4000, right)
    boast = calibrate([[0.97, 0.01, 0.01, 0.01]] * 4000, [0] * 4000, right)
    assert honest.ece < 0.03
    assert boast.ece == pytest.approx(abs(0.97 - right.count(0) / 4000), abs=1e-9)
    assert honest.brier < boast.brier
    assert sum(count for *_, count in honest.bins) == 4000
    assert max(count for *_, count in honest.bins) - min(count for *_, count in honest.bins) <= 2


def test_brier_goes_from_certain_and_right_to_certain_and_wrong() -> None:
    assert calibrate([[1.0, 0.0]], [0], [0]).brier == 0
    assert calibrate([[1.0, 0.0]], [0], [1]).brier == 2
    assert calibrate([[0.25] * 4] * 8, [0] * 8, [0, 1, 2, 3] * 2).brier == pytest.approx(0.75)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=80), st.randoms())
def test_the_order_of_questions_does_not_matter_to_calibration(rows: list[tuple[int, int, int]], lot: object) -> None:
    def found(given: list[tuple[int, int, int]]) -> tuple[float, float, int]:
        shares = [[0.5 if place == chosen else 0.25 * sure / 8 for place in range(3)] for sure, chosen, _ in given]
        result = calibrate(shares, [chosen for _, chosen, _ in given], [right for *_, right in given])
        return round(result.ece, 9), round(result.brier, 9), len(result.bins)

    shuffled = list(rows)
    lot.shuffle(shuffled)  # type: ignore[attr-defined]
    assert found(shuffled) == found(rows)


# ---- how many questions


@pytest.mark.parametrize("gained", [0.1, 0.3])
def test_so_many_questions_give_the_interval_that_was_asked(gained: float) -> None:
    draw = np.random.default_rng(9)

    def exam(n: int) -> list[float]:
        return [float(value) for value in draw.choice([1.0, 0.0, -1.0], n, p=[gained, 0.85 - gained, 0.15])]

    needed = questions_needed(exam(400), 0.05)
    gains = exam(needed)
    low, high = paired_bootstrap([0.0] * needed, gains, seed=0).ci95
    assert (high - low) / 2 == pytest.approx(0.05, rel=0.2)


def test_documents_that_hang_together_need_more_questions_and_no_change_is_not_zero_questions() -> None:
    gains = [1.0] * 10 + [0.0] * 30
    documents = [f"d{number // 10}" for number in range(40)]
    assert questions_needed(gains, 0.05, clusters=documents) > 5 * questions_needed(gains, 0.05)
    assert questions_needed([0.0] * 40, 0.05) > 30
    with pytest.raises(ValueError, match="at least two"):
        questions_needed([1.0], 0.05)


def test_the_detectable_gain_is_found_four_times_of_five() -> None:
    draw = np.random.default_rng(1)
    wanted = detectable(Estimate(0.0, (-1.96 / math.sqrt(50), 1.96 / math.sqrt(50))))
    found = 0
    for trial in range(300):
        low, _ = paired_bootstrap([0.0] * 50, list(draw.normal(wanted, 1, 50)), seed=trial, resamples=400).ci95
        found += low > 0
    assert 0.72 <= found / 300 <= 0.87
