"""What a person is shown of a finished run: honest headline, escaped page, nothing fetched from elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from flows.config import FieldConfig
from flows.field_run import FieldRun
from flows.findings import findings
from flows.report import write_html
from flows.samples import Sample, answer_samples
from flows.terminal import summary
from harvest.records import Document, Paper, Rejection
from harvest.store import FieldsmithError, StageRecord, record_stage, save, save_lines, sha256_text
from qagen.records import Example, ExamQuestion, Message, QAPair, Span

HOSTILE = '<script>alert("x")</script>'
SENTENCE = f"The ring of {HOSTILE} is 528 m long."
TEXT = f"Before it. {SENTENCE} After it."


def estimate(value: float, low: float, high: float) -> dict[str, object]:
    return {"value": value, "ci95": [low, high]}


def exam(low: float, high: float, *, choices: bool = True) -> dict[str, object]:
    return {
        "n": 80,
        "base": {"nll": 4.0, "accuracy": 0.25 if choices else None},
        "tuned": {"nll": 4.0 - (low + high) / 2, "accuracy": 0.4 if choices else None},
        "gain": {"nll": estimate((low + high) / 2, low, high), "accuracy": estimate(0.15, 0.05, 0.25) if choices else None},
    }


@pytest.fixture
def run(tmp_path: Path) -> FieldRun:
    config = FieldConfig.model_validate(
        {
            "title": HOSTILE,
            "harvest": {"sources": [{"folder": {"path": "x"}}]},
            "qagen": {"teacher": {"model": "some-teacher"}},
            "train": {"base": "some/base"},
        }
    )
    run = FieldRun("lab", config, tmp_path / "runs" / "lab")
    model = run.run / "models" / "abc"
    paper = Paper("p1", "folder", "A ring")
    save(run.run / "documents" / "p1.json", Document("p1", paper, (), TEXT, sha256_text(TEXT), "test"))
    start = TEXT.index(SENTENCE)
    pair = QAPair("q1", "p1", "c1", "fact", "en", "How long?", "528 m", (Span(start, start + len(SENTENCE)),), "t", "h", "CC0-1.0")
    save_lines(run.run / "pairs" / "p1.jsonl", [pair])
    messages = (Message("user", pair.question), Message("assistant", pair.answer))
    save_lines(run.dataset / "train.jsonl", [Example(messages, "q1", "p1", "CC0-1.0")])
    save_lines(run.run / "rejected" / "generate" / "p1.jsonl", [Rejection("q2", "generate", "quote-not-found")] * 3)
    save(
        model / "training.json", {"backend": "peft", "backend_reason": "asked for", "losses": {"1-sft": [[1, 3.0], [2, 2.0]]}, "counts": {}}
    )
    save(model / "samples.json", [Sample("seen", "How long?", "528 m", SENTENCE, "p1", HOSTILE, "528 m")])
    save(model / "metrics.json", {"exams": {"seen": exam(0.5, 0.9), "unseen": exam(-0.1, 0.2, choices=False)}})
    save_lines(run.run / "replies" / "p1.jsonl", [{"key": "a", "content": ""}, {"key": "b", "content": ""}])
    counts = {"pairs": {"fact": 1}}
    record_stage(run.run, "generate", StageRecord("f", {}, counts, {}, cost={"calls_made": 1, "calls_kept": 1, "money": 0.5}))
    record_stage(run.run, "train", StageRecord("f", {}, {"model": "abc"}, {}))
    return run


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]


def report(run: FieldRun) -> str:
    out = run.run / "models" / "abc"
    write_html(run, out)
    return (out / "report.html").read_text(encoding="utf-8")


def test_report_needs_nothing_else_and_runs_nothing(run: FieldRun) -> None:
    html = report(run)
    page = Page()
    page.feed(html)
    assert "script" not in page.tags
    assert page.links == []
    assert not re.search(r"url\(|@import", html)
    assert "&lt;script&gt;" in html


def test_report_shows_evidence_counts_and_cost(run: FieldRun) -> None:
    html = report(run)
    assert "is 528 m long.</mark> After it." in html
    assert "quote-not-found" in html
    assert "0.50 at the teacher&#39;s price; 2 replies, 1 of them new in the last run" in html
    assert "+0.70 [+0.50, +0.90]" in html


@pytest.mark.parametrize(
    ("trained", "held_out", "says"),
    [
        ((1.5, 1.9), (0.5, 0.9), "The tuned model has learnt from its documents"),
        ((0.5, 0.9), (0.4, 0.8), "The tuned model answers better than its base, which may be form alone"),
        ((0.5, 0.9), None, "The tuned model answers better than its base, which may be form alone"),
        ((-0.1, 0.5), (-0.5, -0.2), "No gain is shown"),
        ((-0.9, -0.1), (-2.0, -1.0), "The tuned model is worse than its base"),
    ],
)
def test_headline_says_what_the_intervals_allow(
    run: FieldRun, trained: tuple[float, float], held_out: tuple[float, float] | None, says: str
) -> None:
    exams = {"expert_trained": exam(*trained), "seen": exam(5.0, 6.0)} | ({"expert_held_out": exam(*held_out)} if held_out else {})
    save(run.run / "models" / "abc" / "metrics.json", {"exams": exams})
    found = findings(run)
    assert found.headline.startswith(f"{says}: true answers")
    assert summary(found).startswith(f"lab: {says}")


def test_terminal_shows_places_table_and_answers(run: FieldRun) -> None:
    text = summary(findings(run))
    assert str(run.run / "models" / "abc" / "adapter") in text
    assert "no options" in text
    assert "truth 528 m" in text
    assert "0.50" in text


def test_unexamined_model_is_one_sentence(run: FieldRun) -> None:
    (run.run / "models" / "abc" / "metrics.json").unlink()
    with pytest.raises(FieldsmithError, match="was not examined yet"):
        findings(run)
    with pytest.raises(FieldsmithError, match="has no model yet"):
        findings(replace(run, run=run.run.with_name("other")))


def test_samples_are_drawn_before_any_answer_is_known(tmp_path: Path) -> None:
    items = [ExamQuestion(f"e{i}", "p", f"Question {i}?", "a", ("a", "b"), 0, "It is a.") for i in range(20)]
    save_lines(tmp_path / "exams" / "expert_trained.jsonl", items)
    asked: list[list[str]] = []

    def ask(questions: list[str]) -> None:
        asked.append(questions)
        save(tmp_path / "out" / "answers.json", [{"question": q, "base": "b", "tuned": "t"} for q in questions])

    answer_samples(tmp_path / "exams", tmp_path / "out", ask, seed=1)
    answer_samples(tmp_path / "exams", tmp_path / "out", ask, seed=1)
    answer_samples(tmp_path / "exams", tmp_path / "out", ask, seed=2)
    assert asked[0] == asked[1] != asked[2]
    assert len(asked[0]) == 3
