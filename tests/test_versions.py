from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harvest.store import FieldsmithError, load, save, save_lines, sha256_file
from train.prove.versions import VersionReport, compare_versions, version_table
from train.records import EvalResult, ExamItem, ExamReport, Metrics, Score

EXAMS = {"seen": 30, "expert": 12}


@pytest.fixture
def exams(tmp_path: Path) -> Path:
    folder = tmp_path / "exams"
    for name, n in EXAMS.items():
        save_lines(folder / f"{name}.jsonl", [ExamItem(f"{name}{at}", "Which?", "a", ("a", "b"), 0, f"d{at // 3}") for at in range(n)])
    return folder


def version(out: Path, exams: Path, name: str, nll: dict[str, float], right: dict[str, int]) -> Path:
    """A version whose nlls are about `nll` and whose first `right` choices are right, exam by exam."""
    reports = {}
    for exam, n in EXAMS.items():
        if exam in nll:
            results = [EvalResult(f"{exam}{at}", nll[exam] + at % 3 / 10, int(at >= right[exam]), at < right[exam]) for at in range(n)]
            save_lines(out / "results" / f"{exam}.tuned.jsonl", results)
            reports[exam] = ExamReport(sha256_file(exams / f"{exam}.jsonl"), n, n, {"tuned": Score(nll[exam])}, {})
    save(out / "metrics.json", Metrics("base", name, 0, reports))
    return out


def test_gains_and_regressions_are_told_apart(tmp_path: Path, exams: Path) -> None:
    old = version(tmp_path / "old", exams, "a" * 64, {"seen": 2.0, "expert": 2.0}, {"seen": 10, "expert": 12})
    new = version(tmp_path / "new", exams, "b" * 64, {"seen": 1.5, "expert": 2.0}, {"seen": 11, "expert": 3})
    found = compare_versions(old, new, seed=0)
    assert found.exams["seen"].nll is not None
    assert found.exams["seen"].nll.value == pytest.approx(0.5)
    assert found.regressions == ("expert",)  # its choices fell, though its nll did not
    assert compare_versions(new, old, seed=0).regressions == ("seen",)
    assert compare_versions(old, old, seed=0).regressions == ()
    text = version_table(found)
    assert "worse on: expert" in text
    assert "+0.500 [+0.500, +0.500]" in text
    assert len({line.find("[") for line in text.splitlines() if line.startswith(("seen", "expert"))}) == 1
    assert "worse on no exam" in version_table(compare_versions(old, old, seed=0))


def test_documents_are_resampled_where_the_exams_are_at_hand(tmp_path: Path, exams: Path) -> None:
    old = version(tmp_path / "old", exams, "a", {"seen": 2.0}, {"seen": 0})
    new = version(tmp_path / "new", exams, "b", {"seen": 2.0}, {"seen": 12})
    single = compare_versions(old, new, seed=0).exams["seen"].accuracy
    whole = compare_versions(old, new, seed=0, exams=exams).exams["seen"].accuracy
    assert single is not None
    assert whole is not None
    assert single.value == whole.value == 0.4
    assert whole.ci95[1] - whole.ci95[0] > 1.4 * (single.ci95[1] - single.ci95[0])


def test_an_exam_that_one_did_not_sit_is_named_and_not_compared(tmp_path: Path, exams: Path) -> None:
    old = version(tmp_path / "old", exams, "a", {"seen": 2.0}, {"seen": 3})
    new = version(tmp_path / "new", exams, "b", {"seen": 2.0, "expert": 9.0}, {"seen": 3, "expert": 0})
    found = compare_versions(old, new, seed=0)
    assert (tuple(found.exams), found.unmatched) == (("seen",), ("expert",))
    assert "not compared: expert" in version_table(found)
    other = version(tmp_path / "other", exams, "c", {"expert": 1.0}, {"expert": 0})
    with pytest.raises(FieldsmithError, match=r"no exam in common \(seen \w+; expert \w+;"):
        compare_versions(old, other, seed=0)


def test_an_exam_of_the_same_name_that_is_another_is_refused(tmp_path: Path, exams: Path) -> None:
    old = version(tmp_path / "old", exams, "a", {"seen": 2.0}, {"seen": 3})
    new = version(tmp_path / "new", exams, "b", {"seen": 2.0}, {"seen": 3})
    metrics = load(new / "metrics.json", Metrics)
    save(new / "metrics.json", replace(metrics, exams={"seen": replace(metrics.exams["seen"], sha256="f" * 64)}))
    with pytest.raises(FieldsmithError, match=r"no exam in common .* ffffffff"):
        compare_versions(old, new, seed=0)
    with pytest.raises(FieldsmithError, match="examine that model first"):
        compare_versions(old, tmp_path / "nowhere", seed=0)


def test_figures_that_are_no_numbers_count_as_worse(tmp_path: Path, exams: Path) -> None:
    old = version(tmp_path / "old", exams, "a", {"seen": 2.0}, {"seen": 3})
    new = version(tmp_path / "new", exams, "b", {"seen": float("nan")}, {"seen": 3})
    assert compare_versions(old, new, seed=0).regressions == ("seen",)


def test_a_report_can_be_kept(tmp_path: Path, exams: Path) -> None:
    old = version(tmp_path / "old", exams, "a", {"seen": 2.0, "expert": 2.0}, {"seen": 10, "expert": 12})
    found = compare_versions(old, old, seed=0, exams=exams)
    save(tmp_path / "versions.json", found)
    assert load(tmp_path / "versions.json", VersionReport) == found
