from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.store import FieldsmithError, load, save, save_lines, sha256_file
from train.prove.compare import FEW, compare, documents, pool, pool_seeds, power_sentence, summarise
from train.records import EvalResult, ExamItem, ExamReport, Metrics, Score, Seeds

OPTIONS = ("7 kV", "8 kV", "9 kV")


def result(name: str, nll: float = 1.0, right: bool | None = None, **more: object) -> EvalResult:
    choice = None if right is None else 0 if right else 1
    return EvalResult(name, nll, choice, right, **more)  # type: ignore[arg-type]


def items(n: int, per_document: int = 1) -> list[ExamItem]:
    return [ExamItem(f"q{at}", f"Which voltage {at}?", "7 kV", OPTIONS, 0, f"d{at // per_document}") for at in range(n)]


# ---- one arm


def test_a_score_counts_each_figure_over_the_questions_that_have_it() -> None:
    exam = [*items(2), ExamItem("open", "Why?", "because"), ExamItem("un", "When?", "not known", answerable=False)]
    found = summarise(
        [
            result("q0", 1.0, True, probabilities=(0.8, 0.1, 0.1), match=True, abstained=False),
            result("q1", 2.0, False, probabilities=(0.3, 0.4, 0.3), match=False, abstained=True),
            result("open", 3.0, match=False, abstained=False),
            result("un", 6.0, abstained=True),
        ],
        exam,
    )
    assert (found.nll, found.accuracy, found.abstained) == (3.0, 0.5, 1.0)
    assert found.match == pytest.approx(1 / 3)
    assert found.abstained_wrongly == pytest.approx(1 / 3)
    assert found.calibration is not None
    assert found.calibration.brier == pytest.approx((0.04 + 0.02 + 0.49 + 0.16 + 0.09) / 2)
    ((sure, right, n),) = found.calibration.bins
    assert sure == pytest.approx(0.6)
    assert (right, n) == (0.5, 2)


def test_what_an_exam_does_not_ask_is_none_and_not_zero() -> None:
    exam = [ExamItem("open", "Why?", "because")]
    assert summarise([result("open", 2.5)], exam) == Score(2.5)


def test_results_of_other_questions_are_refused() -> None:
    for results in ([], [result("q1"), result("q0")], [result("q0")]):
        with pytest.raises(FieldsmithError, match="examine the model again"):
            summarise(results, items(2))
    with pytest.raises(FieldsmithError, match="same questions"):
        compare([result("q0")], [result("q1")], seed=0)
    with pytest.raises(FieldsmithError, match="different questions"):
        pool([[result("q0")], [result("q0")]], [[result("q0")], [result("q1")]], seed=0)


# ---- two arms


def test_a_gain_is_positive_where_the_second_arm_is_better_and_mcnemar_counts_the_changes() -> None:
    before = [result(f"q{at}", 3.0, at < 10, match=False) for at in range(40)]
    after = [result(f"q{at}", 2.0 + at / 100, at < 28 and at != 3, match=at < 20) for at in range(40)]
    found = compare(before, after, seed=1)
    assert found.nll is not None
    assert found.nll.value == pytest.approx(1 - 0.195)
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx(17 / 40)
    assert found.match is not None
    assert found.match.value == 0.5
    assert found.mcnemar is not None
    assert (found.mcnemar.better, found.mcnemar.worse) == (18, 1)
    assert found.mcnemar.p < 1e-4
    assert found.needed is not None
    assert f"{found.needed} choices" in power_sentence(found, 40)
    assert compare(before, after, seed=1) == found
    back = compare(after, before, seed=1).accuracy
    assert back is not None
    assert back.value == -found.accuracy.value
    assert back.ci95 == pytest.approx((-found.accuracy.ci95[1], -found.accuracy.ci95[0]))


def test_figures_without_questions_have_no_gain_and_one_question_no_interval() -> None:
    found = compare([result("a"), result("b")], [result("a", 0.5), result("b", 0.25)], seed=0)
    assert found.nll is not None
    assert (found.accuracy, found.match, found.mcnemar, found.needed) == (None, None, None, None)
    assert power_sentence(found, 0) == ""
    assert compare([result("a", 2.0, True)], [result("a", 1.0, True)], seed=0).nll is None


def test_questions_of_one_document_widen_the_interval_where_there_are_documents_enough() -> None:
    exam = items(60, per_document=5)
    before = [result(item.id, 3.0, False) for item in exam]
    after = [result(item.id, 3.0 - at // 5 % 3, at // 5 % 3 == 0) for at, item in enumerate(exam)]
    single, whole = compare(before, after, seed=0), compare(before, after, seed=0, clusters=documents(exam))
    for one, other in ((single.nll, whole.nll), (single.accuracy, whole.accuracy)):
        assert one is not None
        assert other is not None
        assert one.value == pytest.approx(other.value)
        assert other.ci95[1] - other.ci95[0] > 1.8 * (one.ci95[1] - one.ci95[0])
    assert (whole.needed or 0) > 3 * (single.needed or 0)
    few = {item.id: f"d{at % (FEW - 1)}" for at, item in enumerate(exam)}
    assert compare(before, after, seed=0, clusters=few) == single
    assert compare(before, after, seed=0, clusters={}) == single


def test_a_question_without_a_document_stands_for_itself() -> None:
    assert documents([*items(1), ExamItem("own", "Why?", "because")]) == {"q0": "d0"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)), min_size=2, max_size=40), st.booleans())
def test_shares_stay_shares_and_intervals_hold_their_values(rows: list[tuple[bool, bool, int]], clustered: bool) -> None:
    before = [result(f"q{at}", 1.0, a) for at, (a, _, _) in enumerate(rows)]
    after = [result(f"q{at}", 1.0, b) for at, (_, b, _) in enumerate(rows)]
    clusters = {f"q{at}": f"d{document}" for at, (_, _, document) in enumerate(rows)} if clustered else None
    found = compare(before, after, seed=0, clusters=clusters).accuracy
    assert found is not None
    assert -1 <= found.ci95[0] <= found.value <= found.ci95[1] <= 1


# ---- several trainings


def training(seed: int, exam: Sequence[ExamItem], shift: float) -> dict[str, list[EvalResult]]:
    draw = random.Random(seed)
    base = [result(item.id, 3.0 + at / 50, at % 4 == 0) for at, item in enumerate(exam)]
    tuned = [replace(one, nll=one.nll - shift - draw.gauss(0, 0.1), correct=at % 4 < 2) for at, one in enumerate(base)]
    return {"base": base, "base_retrieval": base, "tuned": tuned, "tuned_retrieval": tuned}


def write_training(out: Path, exams: Path, results: dict[str, list[EvalResult]]) -> None:
    sha256 = sha256_file(exams / "seen.jsonl")
    for arm in results:
        save_lines(out / "results" / f"seen.{arm}.jsonl", results[arm])
    report = ExamReport(sha256, 40, 40, {arm: Score(1.0) for arm in results}, {})
    save(out / "metrics.json", Metrics("base", "adapter", 0, {"seen": report}))


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, dict[int, Path]]:
    exams = tmp_path / "exams"
    exam = items(40, per_document=4)
    save_lines(exams / "seen.jsonl", exam)
    outs = {0: tmp_path / "out", 1: tmp_path / "out/seeds/1", 2: tmp_path / "out/seeds/2"}
    for (seed, out), shift in zip(outs.items(), (0.5, 0.7, 0.6), strict=True):
        write_training(out, exams, training(seed, exam, shift))
    return exams, outs


def test_several_trainings_are_pooled_from_their_folders(trained: tuple[Path, dict[int, Path]], tmp_path: Path) -> None:
    exams, outs = trained
    found = pool_seeds(outs, seed=0, exams=exams)
    gain = found.exams["seen"]["tuned"]["nll"]
    assert found.seeds == (0, 1, 2)
    assert gain.per_seed == pytest.approx((0.5, 0.7, 0.6), abs=0.06)
    assert gain.pooled.value == pytest.approx(np.mean(gain.per_seed))
    assert gain.pooled.ci95[0] < min(gain.per_seed)  # what only three trainings can say of a fourth
    assert found.exams["seen"]["tuned"]["accuracy"].per_seed == (0.25,) * 3
    assert set(found.exams["seen"]) == {
        "tuned",
        "base_retrieval",
        "tuned_retrieval",
        "tuned_over_retrieval",
        "tuned_retrieval_over_retrieval",
    }
    save(tmp_path / "seeds.json", found)
    assert load(tmp_path / "seeds.json", Seeds) == found


def test_arms_that_nobody_sat_are_left_out_and_one_training_can_be_pooled(trained: tuple[Path, dict[int, Path]]) -> None:
    exams, outs = trained
    results = training(0, items(40, per_document=4), 0.5)
    write_training(outs[0], exams, {arm: results[arm] for arm in ("base", "tuned")})
    found = pool_seeds({0: outs[0]}, seed=0)
    assert set(found.exams["seen"]) == {"tuned"}
    assert len(found.exams["seen"]["tuned"]["nll"].per_seed) == 1


def test_trainings_that_were_not_examined_alike_are_not_pooled(trained: tuple[Path, dict[int, Path]]) -> None:
    _, outs = trained
    (outs[2] / "results/seen.tuned.jsonl").unlink()
    with pytest.raises(FieldsmithError, match=r"seeds/2/results/seen.tuned.jsonl"):
        pool_seeds(outs, seed=0)
    report = load(outs[1] / "metrics.json", Metrics)
    save(outs[1] / "metrics.json", replace(report, exams={"seen": replace(report.exams["seen"], sha256="0" * 64)}))
    with pytest.raises(FieldsmithError, match="not all examined on the same seen exam"):
        pool_seeds(outs, seed=0)
    (outs[1] / "metrics.json").unlink()
    with pytest.raises(FieldsmithError, match="examine that model first"):
        pool_seeds(outs, seed=0)
    with pytest.raises(FieldsmithError, match="no training"):
        pool_seeds({}, seed=0)


def test_an_exam_that_was_changed_since_lends_no_documents(trained: tuple[Path, dict[int, Path]]) -> None:
    exams, outs = trained
    save_lines(exams / "seen.jsonl", items(41))
    with pytest.raises(FieldsmithError, match="not the exam that was sat"):
        pool_seeds(outs, seed=0, exams=exams)


def test_metrics_of_an_older_fieldsmith_are_said_to_be_that(trained: tuple[Path, dict[int, Path]]) -> None:
    _, outs = trained
    save(outs[0] / "metrics.json", {"base": "b", "adapter": "a", "seed": 0, "exams": {"seen": {"sha256": "1", "n": 40, "base": {}}}})
    with pytest.raises(FieldsmithError, match="older version"):
        pool_seeds(outs, seed=0)
