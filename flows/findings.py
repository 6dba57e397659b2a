"""What a finished run found, gathered from its files: the one view that report, artifacts and terminal share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.cost import run_cost
from flows.field_run import FieldRun, newest_model
from flows.samples import Sample
from harvest.records import Rejection
from harvest.store import FieldsmithError, StageRecord, load, load_lines, read_manifest
from qagen.records import QAPair
from qagen.review import Proof, drawn, proofs

EXAM_TITLES = {
    "expert": "expert exam, all of it",
    "expert_trained": "expert exam, trained documents",
    "expert_held_out": "expert exam, held-out documents",
    "seen": "generated, trained documents",
    "unseen": "generated, held-out documents",
}
HEADLINE = (("expert_trained", "expert_held_out"), ("seen", "unseen"))
SHOWN_PAIRS = 10
CONTEXT = 220


@dataclass(frozen=True, slots=True)
class Gain:
    """A gain with its 95 % interval; positive means that the tuned model is better."""

    value: float
    low: float
    high: float

    @property
    def nats(self) -> str:
        """The gain as text, for likelihoods."""
        return f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"

    @property
    def verdict(self) -> str:
        """What the interval allows one to say."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "no difference shown"


@dataclass(frozen=True, slots=True)
class Exam:
    """One exam's line in the table; accuracies are None where an exam has no options."""

    name: str
    title: str
    n: int
    base_nll: float
    tuned_nll: float
    nll: Gain
    base_accuracy: float | None
    tuned_accuracy: float | None
    accuracy: Gain | None


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair with the places that prove it."""

    pair: QAPair
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that report and terminal say about a finished run."""

    run: FieldRun
    model: Path
    stages: Mapping[str, StageRecord]
    exams: tuple[Exam, ...]
    losses: Mapping[str, tuple[tuple[float, float], ...]]
    backend: str
    backend_reason: str
    rejections: Mapping[str, Mapping[str, int]]
    pairs: tuple[ShownPair, ...]
    samples: tuple[Sample, ...]
    cost: Mapping[str, float]

    @property
    def adapter(self) -> Path:
        """The LoRA adapter's folder."""
        return self.model / "adapter"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.model / "report.html"

    @property
    def headline(self) -> str:
        """The first sentence of every report: what was shown, or that nothing was."""
        exams = {exam.name: exam for exam in self.exams}
        for trained, held_out in HEADLINE:
            if trained in exams:
                return _headline(exams[trained], exams.get(held_out))
        return "Too few exam questions on trained documents for an interval, so nothing is shown about what this model learnt."


def findings(run: FieldRun) -> Findings:
    """Gather a finished run's findings; raises `FieldsmithError` where no model was built yet."""
    model = newest_model(run)
    if not (model / "metrics.json").exists():
        raise FieldsmithError(f"the model of field {run.name} was not examined yet; go on with: fieldsmith run {run.name}")
    training = load(model / "training.json", dict[str, Any])
    stages = read_manifest(run.run)
    return Findings(
        run=run,
        model=model,
        stages=stages,
        exams=tuple(_exams(load(model / "metrics.json", dict[str, Any]))),
        losses={name: tuple((float(x), float(y)) for x, y in points) for name, points in training["losses"].items()},
        backend=training["backend"],
        backend_reason=training["backend_reason"],
        rejections=_rejections(run.run),
        pairs=tuple(_shown_pairs(run)),
        samples=tuple(load(model / "samples.json", list[Sample])),
        cost=run_cost(run.run, stages),
    )


def _headline(trained: Exam, held_out: Exam | None) -> str:
    beside = f", {held_out.nll.nats} on {held_out.n} about held-out ones" if held_out else ""
    likelihood = f"true answers {trained.nll.nats} nats per token likelier on {trained.n} questions about trained documents{beside}"
    return f"{_judge(trained.nll, held_out.nll if held_out else None)}: {likelihood}{_choices(trained)}."


def _judge(trained: Gain, held_out: Gain | None) -> str:
    """Facts of a document can be learnt only where it was read: what is gained elsewhere too is form."""
    if trained.high < 0:
        return "The tuned model is worse than its base"
    if trained.low <= 0:
        return "No gain is shown"
    if held_out is None or trained.low <= held_out.high:
        return "The tuned model answers better than its base, which may be form alone"
    return "The tuned model has learnt from its documents"


def _choices(exam: Exam) -> str:
    if exam.accuracy is None or exam.base_accuracy is None or exam.tuned_accuracy is None:
        return ""
    gain = exam.accuracy
    return f"; right choices {exam.base_accuracy:.0%} -> {exam.tuned_accuracy:.0%}, gain [{gain.low:+.0%}, {gain.high:+.0%}]"


def _exams(metrics: Mapping[str, Any]) -> Iterator[Exam]:
    order = {name: place for place, name in enumerate(EXAM_TITLES)}
    for name, exam in sorted(metrics["exams"].items(), key=lambda item: (order.get(item[0], len(order)), item[0])):
        if exam["gain"]["nll"]:  # one question has no interval
            accuracy = exam["gain"]["accuracy"]
            yield Exam(
                name=name,
                title=EXAM_TITLES.get(name, name),
                n=exam["n"],
                base_nll=exam["base"]["nll"],
                tuned_nll=exam["tuned"]["nll"],
                nll=_gain(exam["gain"]["nll"]),
                base_accuracy=exam["base"]["accuracy"],
                tuned_accuracy=exam["tuned"]["accuracy"],
                accuracy=_gain(accuracy) if accuracy else None,
            )


def _gain(estimate: Mapping[str, Any]) -> Gain:
    return Gain(estimate["value"], *estimate["ci95"])


def _rejections(run: Path) -> dict[str, dict[str, int]]:
    """Per stage, how many were refused for which reason, most frequent first."""
    counted = {}
    for folder in sorted((run / "rejected").glob("*/")):
        reasons = Counter(refused.reason for path in folder.glob("*.jsonl") for refused in load_lines(path, Rejection))
        counted[folder.name] = dict(reasons.most_common())
    return counted


def _shown_pairs(run: FieldRun) -> Iterator[ShownPair]:
    """Ten training pairs, drawn by hash: what a distrustful reader would check by hand."""
    if (run.dataset / "train.jsonl").exists():
        for pair in drawn(run.run, run.config.seed, SHOWN_PAIRS):
            yield ShownPair(pair, tuple(proofs(pair, run.run, CONTEXT)))
