from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.store import load, save
from train.config import GateConfig
from train.prove.versions import VersionReport
from train.records import Comparison, Estimate, ExamReport, Fairness, Metrics, Score, SeedGain, Seeds, Verdict
from train.release.gate import judge


def exam(gains: Mapping[str, Comparison], fairness: Fairness | None = None) -> ExamReport:
    return ExamReport("0" * 64, 40, 40, {"base": Score(3.0), "tuned": Score(2.0)}, gains, fairness)


def gain(value: float, half: float, right: float | None = None, band: float = 0.05) -> Comparison:
    accuracy = None if right is None else Estimate(right, (right - band, right + band))
    figure = Estimate(value, (value - half, value + half))
    return Comparison(figure, accuracy, margin=figure)


def proven(nll: float = 1.0, half: float = 0.3, general: float | None = 0.0, over_retrieval: float = 0.5, name: str = "seen") -> Metrics:
    exams = {name: exam({"tuned": gain(nll, half, 0.2), "tuned_over_retrieval": gain(over_retrieval, half)})}
    if general is not None:
        exams["general"] = exam({"tuned": gain(-0.1, 0.05, general)})
    return Metrics("base", "adapter", 0, exams)


def failed(verdict: Verdict) -> dict[str, str]:
    assert verdict.passed == all(check.passed for check in verdict.checks)
    return {check.name: check.said for check in verdict.checks if not check.passed}


def said(verdict: Verdict, name: str) -> str:
    return next(check.said for check in verdict.checks if check.name == name)


def test_a_proven_model_may_leave_and_every_check_says_what_was_asked_and_found(tmp_path: Path) -> None:
    verdict = judge(GateConfig(), proven(), leaks=0)
    assert verdict.passed
    assert [check.name for check in verdict.checks] == [
        "exam",
        "gain",
        "interval",
        "retrieval",
        "guessing",
        "forgetting",
        "leaks",
        "regression",
    ]
    assert "above 0 nats (log-probability of the right option): 1.000" in said(verdict, "gain")
    assert "0.700" in said(verdict, "interval")
    assert "at most 0.1 of right choices" in said(verdict, "forgetting")
    save(tmp_path / "gate.json", verdict)
    assert load(tmp_path / "gate.json", Verdict) == verdict


@pytest.mark.parametrize(
    ("gate", "metrics", "names"),
    [
        (GateConfig(min_gain=1.0), proven(), {"gain"}),
        (GateConfig(min_low=0.8), proven(), {"interval"}),
        (GateConfig(), proven(nll=0.2), {"interval"}),
        (GateConfig(), proven(nll=-0.2), {"gain", "interval"}),
        (GateConfig(), proven(general=-0.06), {"forgetting"}),
        (GateConfig(max_general_loss=0.2), proven(general=-0.06), set()),
        (GateConfig(), proven(general=None), {"forgetting"}),
        (GateConfig(max_general_loss=1), proven(general=None), set()),
        (GateConfig(), proven(over_retrieval=-0.5), set()),
        (GateConfig(beat_retrieval=True), proven(over_retrieval=-0.5), {"retrieval"}),
        (GateConfig(beat_retrieval=True), proven(over_retrieval=-0.2), set()),
        (GateConfig(exam="expert"), proven(), {"exam"}),
        (GateConfig(), proven(name="unseen"), {"exam"}),
    ],
)
def test_each_condition_stops_a_model_by_itself(gate: GateConfig, metrics: Metrics, names: set[str]) -> None:
    verdict = judge(gate, metrics, leaks=0)
    assert set(failed(verdict)) == names
    assert verdict.passed == (not names)


def test_leaked_questions_stop_a_model() -> None:
    assert failed(judge(GateConfig(), proven(), leaks=1)) == {"leaks": "at most 0 exam questions may be in the training data: 1"}
    assert judge(GateConfig(max_leaks=1), proven(), leaks=1).passed


def test_the_labs_own_questions_decide_where_there_are_any_and_the_gate_may_name_another() -> None:
    both = replace(proven(), exams={**proven().exams, "expert_trained": exam({"tuned": gain(-1.0, 0.1)})})
    assert set(failed(judge(GateConfig(), both, leaks=0))) == {"gain", "interval"}
    assert "expert_trained" in said(judge(GateConfig(), both, leaks=0), "gain")
    assert judge(GateConfig(exam="seen"), both, leaks=0).passed
    assert "it sat: seen, general" in failed(judge(GateConfig(exam="sen"), proven(), leaks=0))["exam"]


def test_what_was_not_measured_does_not_hold() -> None:
    bare = Metrics("base", "adapter", 0, {"seen": exam({}), "general": exam({"tuned": Comparison(None)})})
    assert set(failed(judge(GateConfig(beat_retrieval=True), bare, leaks=0))) == {"gain", "retrieval", "forgetting"}
    single = Metrics("base", "adapter", 0, {"seen": exam({"tuned": Comparison(None)})})
    assert "not measured" in failed(judge(GateConfig(max_general_loss=1), single, leaks=0))["gain"]


def test_form_alone_passes_no_gate_but_the_one_that_asks_for_it() -> None:
    """Every option grew likelier, the right one no more than the others."""
    styled = replace(
        proven(), exams={**proven().exams, "seen": exam({"tuned": replace(gain(1.0, 0.1, 0.0), margin=Estimate(0.0, (-0.1, 0.1)))})}
    )
    assert set(failed(judge(GateConfig(), styled, leaks=0))) == {"gain", "interval"}
    assert judge(GateConfig(measure="nll"), styled, leaks=0).passed


def test_a_gain_on_documents_that_were_not_trained_is_said_beside_the_gain() -> None:
    """Answers written as the field writes them are likelier without a fact more being known."""
    metrics = replace(proven(), exams={**proven().exams, "unseen": exam({"tuned": gain(0.9, 0.1)})})
    assert "right choices +0.200 [+0.150, +0.250]" in said(judge(GateConfig(), metrics, leaks=0), "gain")
    assert "nats per answer token +1.000, and +0.900 on unseen, whose documents were not trained" in said(
        judge(GateConfig(), metrics, leaks=0), "gain"
    )
    assert "not trained" not in said(judge(GateConfig(), proven(), leaks=0), "gain")


def versions(*regressions: str) -> VersionReport:
    return VersionReport("a" * 64, "b" * 64, {"seen": gain(0.0, 0.1), "unseen": gain(0.0, 0.1)}, regressions)


def test_a_version_that_fell_behind_is_refused() -> None:
    verdict = judge(GateConfig(), proven(), leaks=0, previous=versions("seen"))
    assert failed(verdict) == {"regression": "the version released before (aaaaaaaaaaaa) must not be better on seen: it is on seen"}
    assert judge(GateConfig(), proven(), leaks=0, previous=versions("unseen")).passed  # of many exams one is worse by chance
    assert judge(GateConfig(), proven(), leaks=0, previous=versions()).passed
    assert judge(GateConfig(no_regression=False), proven(), leaks=0, previous=versions("seen")).passed


def seeds(low: float) -> Seeds:
    return Seeds((0, 1, 2), {"seen": {"tuned": {"margin": SeedGain((1.0, 0.9, 0.2), Estimate(0.7, (low, 1.4 - low)))}}})


def test_a_gain_that_one_training_has_is_luck() -> None:
    verdict = judge(GateConfig(), proven(), leaks=0, seeds=seeds(-0.2))
    assert set(failed(verdict)) == {"seeds"}
    assert "1.000, 0.900, 0.200" in failed(verdict)["seeds"]
    assert judge(GateConfig(), proven(), leaks=0, seeds=seeds(0.1)).passed
    assert judge(GateConfig(), proven(), leaks=0, seeds=replace(seeds(-0.2), seeds=(0,))).passed
    assert set(failed(judge(GateConfig(), proven(), leaks=0, seeds=replace(seeds(0.1), exams={})))) == {"seeds"}


def test_an_exam_that_can_be_guessed_is_said_but_the_gain_is_one_of_open_answers() -> None:
    suspect = Fairness(0.25, (0.1, 0.4), 0.25, 0.8, 0.1, ("longest",))
    metrics = replace(proven(), exams={**proven().exams, "seen": replace(proven().exams["seen"], fairness=suspect)})
    verdict = judge(GateConfig(), metrics, leaks=0)
    assert verdict.passed
    assert "longest 0.80; chance 0.25" in said(verdict, "guessing")
    fair = replace(metrics, exams={**metrics.exams, "seen": replace(metrics.exams["seen"], fairness=replace(suspect, suspect=()))})
    assert "better than chance (0.25)" in said(judge(GateConfig(), fair, leaks=0), "guessing")


SHIFT = st.floats(0, 2).map(lambda value: round(value, 2))
LEVEL = st.floats(-1, 1).map(lambda value: round(value, 2))


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(LEVEL, LEVEL, LEVEL),
    st.tuples(SHIFT, SHIFT, SHIFT),
    st.tuples(LEVEL, LEVEL, st.floats(0, 1)),
    st.integers(0, 2),
    st.booleans(),
)
def test_a_better_model_never_fails_where_a_worse_one_passes(
    figures: tuple[float, float, float], better: tuple[float, float, float], gate: tuple[float, float, float], leaks: int, retrieval: bool
) -> None:
    asked = GateConfig(min_gain=gate[0], min_low=gate[1], max_general_loss=gate[2], max_leaks=1, beat_retrieval=retrieval)

    def verdict(shown: list[float], found: int, behind: VersionReport) -> bool:
        nll, general, over = shown
        return judge(asked, proven(nll, 0.2, general, over), leaks=found, previous=behind, seeds=seeds(nll - 0.5)).passed

    raised = [figure + more for figure, more in zip(figures, better, strict=True)]
    behind = versions("seen") if leaks == 2 else versions()
    assert verdict(raised, max(leaks - 1, 0), versions()) or not verdict(list(figures), leaks, behind)


@settings(max_examples=100, deadline=None)
@given(st.tuples(LEVEL, LEVEL, LEVEL), st.tuples(LEVEL, LEVEL, st.floats(0, 1)), st.tuples(SHIFT, SHIFT, st.floats(0, 1)))
def test_asking_less_never_stops_a_model(
    figures: tuple[float, float, float], gate: tuple[float, float, float], less: tuple[float, float, float]
) -> None:
    metrics = proven(figures[0], 0.2, figures[1], figures[2])
    strict = GateConfig(min_gain=gate[0], min_low=gate[1], max_general_loss=gate[2], beat_retrieval=True)
    lax = GateConfig(min_gain=gate[0] - less[0], min_low=gate[1] - less[1], max_general_loss=gate[2] + less[2], max_leaks=3)
    assert judge(lax, metrics, leaks=0).passed or not judge(strict, metrics, leaks=0).passed


def test_a_broken_model_whose_figures_are_no_numbers_fails_whatever_is_asked() -> None:
    nan = float("nan")
    found = judge(GateConfig(beat_retrieval=True), proven(nan, 0.2, nan, nan), leaks=0, seeds=seeds(nan))
    assert set(failed(found)) == {"gain", "interval", "retrieval", "forgetting", "seeds"}


def test_the_surest_model_passes_and_a_narrower_interval_never_hurts() -> None:
    for half in (0.5, 0.3, 0.1, 0.0):
        assert judge(GateConfig(min_low=0.4), proven(half=half), leaks=0).passed == (1 - half > 0.4)
