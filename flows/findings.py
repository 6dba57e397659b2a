"""What a finished run found, gathered from its files: the one view that report, artifacts and terminal share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from flows.cost import run_cost
from flows.covered import Covered, covered
from flows.field_run import FieldRun, newest_model
from flows.figures import arms_in_order, exam_title, in_order
from flows.headline import Headline, deciding_measure, failed, headline
from flows.samples import Sample
from harvest.records import Rejection
from harvest.store import FieldsmithError, StageRecord, load, load_lines, read_manifest
from qagen.records import QAPair
from qagen.review import Proof, drawn, proofs
from train.prove.versions import VersionReport
from train.records import COMPARISONS, Arm, Comparison, Estimate, ExamReport, Metrics, Parity, Release, Score, Seeds, Training, Verdict
from train.release.gate import deciding_exam
from train.sweep import SweepResult

Record = TypeVar("Record")

SHOWN_PAIRS = 10
CONTEXT = 220


@dataclass(frozen=True, slots=True)
class Exam:
    """One exam as it is shown: arms and comparisons in a fixed order, comparisons without an interval left out."""

    name: str
    title: str
    report: ExamReport

    @property
    def arms(self) -> list[tuple[Arm, Score]]:
        """Who sat it, with what they scored."""
        return [(arm, self.report.arms[arm]) for arm in arms_in_order(self.report.arms)]

    @property
    def gains(self) -> list[tuple[str, Comparison]]:
        """Comparison and what it found; one question has no interval, and none is shown."""
        return [(name, self.report.gains[name]) for name in COMPARISONS if name in self.report.gains and self.report.gains[name].nll]


@dataclass(frozen=True, slots=True)
class Judged:
    """`judge.json`: free answers of base and tuned model, each pair read in both orders; `score` from -1 (base) to 1 (tuned)."""

    exam: str
    n: int
    wins: int
    losses: int
    ties: int
    inconsistent: int
    score: Estimate


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair with the places that prove it."""

    pair: QAPair
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that report and terminal say about a finished run; None is what the run has not come to, or was not asked for."""

    run: FieldRun
    model: Path
    stages: Mapping[str, StageRecord]
    deciding: str
    metrics: Metrics
    exams: tuple[Exam, ...]
    seeds: Seeds | None
    gate: Verdict | None
    parity: Parity | None
    release: Release | None
    versions: VersionReport | None
    judged: Judged | None
    sweep: SweepResult | None
    training: Training
    rejections: Mapping[str, Mapping[str, int]]
    covered: Covered | None
    pairs: tuple[ShownPair, ...]
    samples: tuple[Sample, ...]
    cost: Mapping[str, float]

    @property
    def headline(self) -> Headline:
        """What every report begins with."""
        regressed = bool(self.versions and self.versions.regressions) or any(check.name == "regression" for check in failed(self.gate))
        return headline(
            self.metrics,
            self.deciding,
            self.run.config.gate.measure,
            seeds=self.seeds,
            gate=self.gate,
            parity=self.parity,
            regressed=regressed,
        )

    @property
    def measure(self) -> str:
        """The measure that decides, one of `figures.MEASURES`."""
        return deciding_measure(self.metrics, self.deciding, self.run.config.gate.measure)

    @property
    def places(self) -> dict[str, Path]:
        """What a person may want to open, as far as it is there."""
        named = {
            "report": self.model / "report.html",
            "adapter": self.model / "adapter",
            "release": self.model / "release",
            "results": self.model / "results",
            "exams": self.run.dataset / "exams",
        }
        return {name: path for name, path in named.items() if path.exists() or name == "report"}


def findings(run: FieldRun) -> Findings:
    """Gather a finished run's findings; raises `FieldsmithError` where no model was built or examined yet."""
    model = newest_model(run)
    if not (model / "metrics.json").exists() or not (model / "samples.json").exists():
        raise FieldsmithError(f"the model of field {run.name} was not examined yet; go on with: fieldsmith run {run.name}")
    metrics, stages = load(model / "metrics.json", Metrics), read_manifest(run.run)
    return Findings(
        run=run,
        model=model,
        stages=stages,
        deciding=deciding_exam(run.config.gate, metrics.exams),
        metrics=metrics,
        exams=tuple(Exam(name, exam_title(name), metrics.exams[name]) for name in in_order(metrics.exams)),
        seeds=_load_if(model / "seeds.json", Seeds),
        gate=_load_if(model / "gate.json", Verdict) if _still_stands(stages, "gate", "evaluate") else None,
        parity=_parity(model),
        release=_load_if(model / "release" / "release.json", Release),
        versions=_load_if(model / "versions.json", VersionReport),
        judged=_load_if(model / "judge.json", Judged),
        sweep=_sweep(run.run, stages),
        training=load(model / "training.json", Training),
        rejections=_rejections(run.run),
        covered=covered(run.run),
        pairs=tuple(_shown_pairs(run)),
        samples=tuple(load(model / "samples.json", list[Sample])),
        cost=run_cost(run.run, stages),
    )


def _load_if(path: Path, kind: type[Record]) -> Record | None:
    return load(path, kind) if path.exists() else None


def _still_stands(stages: Mapping[str, StageRecord], late: str, early: str) -> bool:
    """Whether what the later stage left is about what the earlier one left: the manifest keeps the order of completion."""
    order = list(stages)
    return not (late in order and early in order and order.index(late) < order.index(early))


def _parity(model: Path) -> Parity | None:
    """As exports left it: beside the model where it stopped the release, within the release where it did not."""
    return _load_if(model / "parity.json", Parity) or _load_if(model / "release" / "parity.json", Parity)


def _sweep(run: Path, stages: Mapping[str, StageRecord]) -> SweepResult | None:
    """The stage is recorded with the name of its folder, also where none was asked for; then there is no such folder."""
    return _load_if(run / "sweep" / stages["sweep"].fingerprint / "sweep.json", SweepResult) if "sweep" in stages else None


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
