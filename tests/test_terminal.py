"""What `fieldsmith status` prints: it fits a terminal, and nothing foreign in it is obeyed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from finished_run import exam, finished_run, metrics, model_of, verdict

from flows.artifacts import markdown
from flows.artifacts import tables as artifact_tables
from flows.field_run import FieldRun
from flows.findings import Findings, findings
from flows.samples import Sample
from flows.terminal import WIDTH, fitted, plain, summary, tables
from harvest.store import load, save
from train.records import Passage


@pytest.fixture
def run(tmp_path: Path) -> FieldRun:
    return finished_run(tmp_path, title="A lab")


def columns(text: str) -> int:
    return sum(2 if "\u2e80" <= sign <= "\uffef" else 1 for sign in text)


def with_sample(run: FieldRun, **said: str) -> Findings:
    path = model_of(run) / "samples.json"
    [sample] = load(path, list[Sample])
    save(path, [replace(sample, **said)])
    return findings(run)


def test_headline_and_gate_come_first_then_all_arms_then_places(run: FieldRun) -> None:
    save(model_of(run) / "gate.json", verdict("leaks"))
    lines = summary(findings(run)).splitlines()
    assert lines[0].startswith("lab: The tuned model has learnt from its documents: ")
    assert lines[1].startswith("The gate is not passed, 1 of 5 checks failed")
    table = lines[next(place for place, line in enumerate(lines) if line.startswith("nats per answer token")) + 1]
    assert " ".join(table.split()) == "generated, trained 80 4.00 3.60 2.30 3.10 +1.70 [+1.50, +1.90] +0.40 [+0.20, +0.60]"
    assert f"report   {model_of(run) / 'report.html'}" in lines
    assert f"exams    {run.dataset / 'exams'}" in lines
    assert any(line.startswith("cost     0.50 at the teacher's price") for line in lines)


def test_every_measure_has_its_table_and_exams_without_it_are_left_out(run: FieldRun) -> None:
    save(model_of(run) / "metrics.json", metrics(seen=exam(), unseen=exam(share=None)))
    text = "\n".join(tables(findings(run).exams))
    heads = [text.index(head) for head in ("right option", "nats per answer token", "right choices", "right free answers")]
    assert heads == sorted(heads)
    assert text.count("generated, held-out") == 1  # it has no choices
    assert "+15 [+5, +25]" in text


def test_tables_fit_a_terminal(run: FieldRun) -> None:
    far, wide = exam((-12.345, 17.5), (-19.0, -10.2)), exam((-0.9, 1.0), share=(-1.0, 1.0), n=12345)
    exams = {"seen": far, "expert_held_out": wide, "超导腔与低温系统的若干问题第二版的考试": wide, "x" * 90: far}
    save(model_of(run) / "metrics.json", metrics(**exams))
    lines = list(tables(findings(run).exams))
    assert len(lines) > 12
    assert [line for line in lines if columns(line) > WIDTH] == []
    assert all(re.search(r"\d +[+\d]", line) for line in lines if line.startswith(("x", "超")))


def test_wide_characters_take_two_columns() -> None:
    assert fitted("超导腔", 5) == "超导 "
    assert fitted("abc", 5) == "abc  "


def test_nothing_foreign_is_obeyed(run: FieldRun) -> None:
    found = with_sample(run, base="\x1b[2J\x1b]0;owned\x07 done\r\nQ  forged", tuned="a\u202eb\x9b31m", truth="line\u2028two")
    text = summary(found)
    assert not {"\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2028"} & set(text)
    assert not any(line.startswith("Q  forged") for line in text.splitlines())


def test_long_answers_are_cut(run: FieldRun) -> None:
    assert max(map(len, summary(with_sample(run, base="x" * 5000)).splitlines()[-8:])) < 400
    assert plain("好" * 241).endswith("…")


def test_samples_show_both_answers_truth_and_what_retrieval_finds(run: FieldRun) -> None:
    text = summary(findings(run))
    assert "truth 528 m" in text
    assert "  tuned 528 m" in text
    assert "  found (A ring " in text


# ---- Prefect's artifacts


def test_markdown_holds_headline_gate_and_summary_and_nothing_foreign_is_markdown(run: FieldRun) -> None:
    hostile = "# big ```\n```\n![x](https://example.org/x.png) <img src=x>"
    found = with_sample(run, base=hostile)
    found = replace(found, run=replace(found.run, config=found.run.config.model_copy(update={"title": hostile})))
    head, fence, rest = markdown(found).partition("\n````")
    assert fence
    assert rest.rstrip().endswith("````")
    assert "**The tuned model has learnt from its documents: " in head
    assert "The gate is passed: 5 checks held." in head
    assert "![x](" not in head
    assert "<img" not in head
    assert "nats per answer token" in rest


def test_tables_hold_every_arm_every_gain_and_the_gate(run: FieldRun) -> None:
    found = artifact_tables(findings(run))
    scores, _ = found["exams"]
    assert {row["model"] for row in scores} == {"base", "base + retrieval", "tuned", "tuned + retrieval"}
    gains, _ = found["gains"]
    assert len(gains) == 10
    assert {"tuned over base + retrieval", "tuned over base"} <= {row["comparison"] for row in gains}
    assert any(row["likelihood of true answers, nats per answer token"] == "+1.70 [+1.50, +1.90]" for row in gains)
    assert [row["holds"] for row in found["gate"][0]] == [True] * 5
    assert found["rejections"][0] == [{"stage": "generate", "reason": "quote-not-found", "count": 3}]
    assert "parity" not in found


def test_a_passage_without_title_is_named_by_its_id(run: FieldRun) -> None:
    path = model_of(run) / "samples.json"
    [sample] = load(path, list[Sample])
    save(path, [replace(sample, passages=(Passage("c9", "text"),))])
    assert "found (c9) text" in summary(findings(run))
