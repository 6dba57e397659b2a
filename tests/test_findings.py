"""The first lines: nothing sounds better than its interval, and what a reader must know first comes first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from finished_run import estimate, exam, finished_run, metrics, model_of, parity, seeds, verdict
from hypothesis import given
from hypothesis import strategies as st

from flows.field_run import FieldRun
from flows.findings import findings
from flows.headline import FORM, LEARNT, WORSE, Headline, claim, gate_line, headline
from flows.samples import answer_samples
from harvest.records import Document, Paper
from harvest.store import FieldsmithError, StageRecord, record_stage, save, save_lines
from qagen.records import Coverage, ExamQuestion
from train.prove.versions import VersionReport
from train.records import Check, Fairness, Metrics, Seeds
from train.sweep import Outcome, SweepResult

RETRIEVAL = "The base model with retrieval"
WINS, LOSES, EVEN = (0.4, 0.9), (-0.9, -0.4), (-0.2, 0.4)


@pytest.fixture
def run(tmp_path: Path) -> FieldRun:
    return finished_run(tmp_path)


def said(found: Metrics, deciding: str = "seen", measure: str = "nll", *, pooled: Seeds | None = None, regressed: bool = False) -> Headline:
    return headline(found, deciding, measure, seeds=pooled, gate=None, parity=None, regressed=regressed)


# ---- the claim


@pytest.mark.parametrize(
    ("trained", "held_out", "says"),
    [
        ((1.5, 1.9), (0.5, 0.9), LEARNT),
        ((0.5, 0.9), (0.4, 0.8), FORM),
        ((0.5, 0.9), None, FORM),
        ((-0.1, 0.5), (-0.5, -0.2), "No gain is shown"),
        ((-0.9, -0.1), (-2.0, -1.0), WORSE),
    ],
)
def test_first_line_says_what_the_intervals_allow(trained: tuple[float, float], held_out: tuple[float, float] | None, says: str) -> None:
    exams = {"seen": exam(trained)} | ({"unseen": exam(held_out)} if held_out else {})
    found = said(metrics(**exams))
    assert found.first.startswith(f"{says}: true answers are ")
    assert found.beside[0].startswith("The tuned model beats its base with retrieval")


def test_worse_is_said_in_words_that_fit() -> None:
    assert "true answers are +0.50 [+0.10, +0.90] nats per token less likely" in said(metrics(seen=exam((-0.9, -0.1)))).first


@pytest.mark.parametrize(
    ("likelihood", "share", "says"),
    [
        (LOSES, (-0.3, -0.1), f"{RETRIEVAL} beats the tuned model"),
        ((-0.5, 0.2), (-0.1, 0.1), f"{RETRIEVAL} is ahead of the tuned model, by less than can be told from chance"),
        (
            WINS,
            (-0.3, -0.1),
            f"{RETRIEVAL} beats the tuned model in right choices and right free answers, though not in likelihood of true answers",
        ),
    ],
)
def test_retrieval_that_wins_is_the_first_thing_said(likelihood: tuple[float, float], share: tuple[float, float], says: str) -> None:
    found = said(metrics(seen=exam((1.5, 1.9), likelihood, retrieval_share=share), unseen=exam((0.1, 0.2))))
    assert found.first.startswith(f"{says}: ")
    assert "right choices 40 % against 50 %" in found.first
    assert found.beside[0].startswith(LEARNT)
    assert found.tone == "worse"


def test_the_measure_of_the_gate_decides_and_comes_first() -> None:
    """Short answers are likelier after any tuning: a gain in nats per token alone is no knowledge."""
    form = exam((1.5, 1.9), (0.4, 0.9), share=(-0.1, 0.1))
    gains = {name: replace(gain, margin=estimate(-0.2, 0.3)) for name, gain in form.gains.items()}
    found = metrics(seen=replace(form, gains=gains), unseen=exam((0.1, 0.2)))
    assert said(found, measure="nll").first.startswith(f"{LEARNT}: true answers are +1.70 [+1.50, +1.90] nats per token likelier")
    assert said(found, measure="margin").first.startswith("No gain is shown: the right option is +0.05 [-0.20, +0.30] nats likelier")
    assert said(found, measure="accuracy").first.startswith("No gain is shown: right choices 25 % -> 40 %, +0 [-10, +10] points")
    assert "true answers are +1.70 [+1.50, +1.90] nats per token likelier" in said(found, measure="margin").first
    open_only = metrics(seen=exam((1.5, 1.9), share=None), unseen=exam((0.1, 0.2), share=None))
    assert said(open_only, measure="margin").first.startswith(f"{LEARNT}: true answers")


def test_retrieval_that_cannot_be_told_apart_stands_behind() -> None:
    found = said(metrics(seen=exam((1.5, 1.9), EVEN, retrieval_share=(-0.1, 0.1)), unseen=exam((0.1, 0.2))))
    assert found.first.startswith(LEARNT)
    assert found.beside[0].startswith("The tuned model and its base with retrieval cannot be told apart")


def test_no_retrieval_is_said() -> None:
    alone = exam((1.5, 1.9))
    alone = replace(alone, gains={"tuned": alone.gains["tuned"]})
    assert said(metrics(seen=alone)).beside == (
        "Whether retrieval alone would do is not known: the base did not sit this exam with retrieval.",
    )


def test_no_interval_and_no_exam_claim_nothing() -> None:
    single = exam()
    single = replace(single, gains={"tuned": replace(single.gains["tuned"], nll=None)})
    assert said(metrics(seen=single)).first.startswith("Nothing is shown about what this model learnt: ")
    assert "was not sat" in said(metrics(unseen=exam())).first


def test_a_gain_of_one_training_alone_is_not_claimed() -> None:
    found = metrics(seen=exam((1.5, 1.9)), unseen=exam((0.1, 0.2)))
    assert said(found, pooled=seeds("seen", 0.9, 1.9)).first.startswith(LEARNT)
    assert "gain over 3 trainings +1.40 [+0.90, +1.90]" in said(found, pooled=seeds("seen", 0.9, 1.9)).first
    assert said(found, pooled=seeds("seen", -0.1, 1.9)).first.startswith("No gain is shown over all trainings")


def test_regression_and_guessable_choices_are_said() -> None:
    suspect = Fairness(0.25, (0.15, 0.35), 0.26, 0.47, 0.2, ("longest",))
    found = said(metrics(seen=exam((1.5, 1.9), fairness=suspect), unseen=exam((0.1, 0.2))), regressed=True)
    assert found.first.startswith(f"{LEARNT}, and this model is worse than the version released before: ")
    assert found.tone == "worse"
    assert any("can be guessed above chance" in sentence and "longest" in sentence for sentence in found.beside)


ends = st.tuples(st.floats(-3, 3), st.floats(-3, 3)).map(lambda pair: (min(pair), max(pair)))


@given(measure=st.sampled_from(["margin", "nll"]), tuned=ends, unseen=st.none() | ends, retrieval=ends, pooled=st.none() | ends)
def test_learning_is_never_claimed_where_an_interval_holds_zero(
    measure: str,
    tuned: tuple[float, float],
    unseen: tuple[float, float] | None,
    retrieval: tuple[float, float],
    pooled: tuple[float, float] | None,
) -> None:
    share = (-0.5, 0.5)
    exams = {"seen": exam(tuned, retrieval, share=share)} | ({"unseen": exam(unseen, share=share)} if unseen else {})
    found = said(metrics(**exams), measure=measure, pooled=seeds("seen", *pooled) if pooled else None)
    everything = " ".join([found.first, *found.beside])
    lowest = min(tuned[0], pooled[0] if pooled else tuned[0])
    assert lowest > 0 or not any(words in everything for words in (LEARNT, FORM))
    assert LEARNT not in everything or (unseen is not None and lowest > unseen[1])
    assert (RETRIEVAL in found.said.claim) == (sum(retrieval) / 2 < 0)
    assert retrieval[1] >= 0 or found.first.startswith(f"{RETRIEVAL} beats the tuned model")
    assert retrieval[0] > 0 or "The tuned model beats its base" not in everything


@given(ends, ends)
def test_form_is_not_mistaken_for_facts(trained: tuple[float, float], held_out: tuple[float, float]) -> None:
    assert (claim([estimate(*trained)], [estimate(*held_out)]) == LEARNT) == (trained[0] > 0 and trained[0] > held_out[1])


# ---- the gate


def test_gate_says_why_nothing_leaves() -> None:
    assert gate_line(None, None) == "The gate has not judged this model yet."
    assert gate_line(verdict(), None) == "The gate is passed: 5 checks held."
    refused = gate_line(verdict("leaks", "gain"), None)
    assert refused.startswith("The gate is not passed, 2 of 5 checks failed, so nothing leaves")
    assert "leaks: about leaks: is not so" in refused
    assert "gain: about gain" in refused


def test_drift_of_an_export_is_said_beside_a_passed_gate() -> None:
    line = gate_line(verdict(), parity(["Q4_K_M"]))
    assert line.startswith("The gate is passed")
    assert "Nothing leaves all the same" in line
    assert line.endswith("Q4_K_M.")
    broken = replace(parity(), templates=(Check("template of f16", False, "does not end"),))
    assert gate_line(verdict(), broken).endswith("template of f16.")


# ---- gathering


def test_the_gate_names_the_exam_that_decides(tmp_path: Path) -> None:
    run = finished_run(tmp_path, gate={"exam": "unseen"})
    found = findings(run)
    assert found.deciding == "unseen"
    assert "exam: generated, held-out documents" in found.headline.first


def test_expert_comes_before_generated(run: FieldRun) -> None:
    exams = metrics(seen=exam((1.0, 1.2)), general=exam((0.0, 0.1)), expert_trained=exam((1.5, 1.9)), zoo=exam())
    save(model_of(run) / "metrics.json", exams)
    found = findings(run)
    assert [one.name for one in found.exams] == ["expert_trained", "seen", "general", "zoo"]
    assert found.deciding == "expert_trained"


def test_everything_that_lies_there_is_gathered(run: FieldRun) -> None:
    model = model_of(run)
    score = {"value": 0.4, "ci95": [0.3, 0.5]}
    save(model / "judge.json", {"exam": "seen", "n": 9, "wins": 5, "losses": 1, "ties": 3, "inconsistent": 1, "score": score})
    save(model / "seeds.json", seeds("seen", 1.4, 1.9))
    save(model / "parity.json", parity())
    save(model / "versions.json", VersionReport("o", "n", {}, ("seen",)))
    trials: tuple[dict[str, float], ...] = ({"r": 8.0}, {"r": 16.0})
    sweep = SweepResult("f", trials, ((Outcome(0, 20, 2.0), Outcome(1, 20, None)),), trials[0], 2.0)
    save(run.run / "sweep" / "s1" / "sweep.json", sweep)
    record_stage(run.run, "sweep", StageRecord("s1", {}, {}, {}))
    found = findings(run)
    assert found.judged is not None
    assert found.judged.score.ci95 == (0.3, 0.5)
    assert found.seeds == seeds("seen", 1.4, 1.9)
    assert found.parity == parity()
    assert found.sweep == sweep
    assert "worse than the version released before" in found.headline.first
    assert found.metrics.retrieval is not None
    assert found.covered is not None


def test_what_was_not_asked_for_is_none(run: FieldRun) -> None:
    (model_of(run) / "gate.json").unlink()
    found = findings(run)
    assert [found.gate, found.seeds, found.parity, found.judged, found.sweep, found.release, found.versions] == [None] * 7


def test_a_verdict_on_an_earlier_examination_is_not_shown(run: FieldRun) -> None:
    record_stage(run.run, "evaluate", StageRecord("e", {}, {}, {}))
    record_stage(run.run, "gate", StageRecord("g", {}, {}, {}))
    assert findings(run).gate is not None
    record_stage(run.run, "evaluate", StageRecord("e2", {}, {}, {}))
    assert findings(run).gate is None


def test_unexamined_model_is_one_sentence(run: FieldRun) -> None:
    (model_of(run) / "samples.json").unlink()
    with pytest.raises(FieldsmithError, match="was not examined yet"):
        findings(run)
    with pytest.raises(FieldsmithError, match="has no model yet"):
        findings(replace(run, run=run.run.with_name("other")))


def test_a_file_of_another_shape_is_named(run: FieldRun) -> None:
    save(model_of(run) / "metrics.json", {"exams": {"seen": {"n": 3}}})
    with pytest.raises(FieldsmithError, match=r"metrics\.json does not hold a Metrics"):
        findings(run)


def test_coverage_adds_up_and_shows_the_largest_gaps(run: FieldRun) -> None:
    for name, asked in (("p2", 3), ("p3", 0)):
        save(run.run / "documents" / f"{name}.json", Document(name, Paper(name, "folder", name), (), "x", "s", "test"))
        lines = [Coverage(f"{name}#{i}", "A", 10, 2, {"fact": 1}, {}, "" if i < asked else "no-facts") for i in range(3)]
        save_lines(run.run / "coverage" / f"{name}.jsonl", lines)
    save(run.run / "documents" / "p4.json", Document("p4", Paper("p4", "folder", "p4"), (), "x", "s", "test"))
    save_lines(run.run / "coverage" / "withdrawn.jsonl", [Coverage("w", "A", 10, 2, {}, {})])
    found = findings(run).covered
    assert found is not None
    assert (found.whole.chunks, found.whole.asked, found.unwritten) == (9, 4, 1)
    assert found.whole.reasons == {"no-facts": 3, "no-prose": 1, "references": 1}
    assert [document.id for document in found.documents] == ["p3", "p1", "p2"]
    lattice = found.documents[1].sections[0]
    assert (lattice.name, lattice.chunks, lattice.asked, lattice.facts, lattice.pairs) == ("Lattice", 2, 1, 3, 1)


# ---- samples


def test_samples_are_drawn_before_any_answer_is_known(tmp_path: Path) -> None:
    items = [ExamQuestion(f"e{i}", "p", f"Question {i}?", "a", ("a", "b"), 0, "It is a.") for i in range(20)]
    save_lines(tmp_path / "exams" / "expert_trained.jsonl", items)
    asked: list[list[str]] = []
    passage = {"id": "c1", "title": "T", "section": "S", "text": "It is a."}

    def ask(questions: list[str]) -> None:
        asked.append(questions)
        answers = [{"question": q, "base": "b", "tuned": "t", "passages": [passage] if q == questions[0] else []} for q in questions]
        save(tmp_path / "out" / "answers.json", answers)

    answer_samples(tmp_path / "exams", tmp_path / "out", ask, seed=1)
    answer_samples(tmp_path / "exams", tmp_path / "out", ask, seed=1)
    answer_samples(tmp_path / "exams", tmp_path / "out", ask, seed=2)
    assert asked[0] == asked[1] != asked[2]
    assert len(asked[0]) == 3
    text = (tmp_path / "out" / "samples.json").read_text(encoding="utf-8")
    assert text.count('"section": "S"') == 1
