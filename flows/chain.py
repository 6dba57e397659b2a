"""The whole way from a field to a proven model, as plain functions: what both the flow and the CLI run.

Read it from top to bottom: it is the table of contents of fieldsmith. Each step returns the record that it left in
the run's manifest, and does nothing if that record already stands for the same settings and inputs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from flows.child import run_train
from flows.field_run import FieldRun, describe
from flows.report import REPORT_VERSION, write_html
from flows.samples import answer_samples
from harvest.store import (
    StageRecord,
    fingerprint,
    hold,
    load,
    read_manifest,
    record_stage,
    sha256_file,
    stage_is_current,
    versions,
)

logger = logging.getLogger(__name__)

STACK = ("fieldsmith", "torch", "transformers", "trl", "peft", "unsloth")


@dataclass(frozen=True, slots=True)
class Step:
    """A named part of the chain."""

    name: str
    does: str
    run: Callable[[FieldRun], StageRecord]


def harvest_field(run: FieldRun) -> StageRecord:
    """Sources -> papers -> documents."""
    from harvest.stage import harvest

    return harvest(run.config.harvest, run.run, refresh=run.refresh)


def split_documents(run: FieldRun) -> StageRecord:
    """Decide, before any question exists, which documents are trained on and which only examine."""
    from qagen.stage import split

    return split(run.config.qagen, run.run, seed=run.config.seed)


def write_pairs(run: FieldRun) -> StageRecord:
    """Documents -> question-answer pairs with evidence."""
    from flows.secrets import keys_from_blocks
    from qagen.stage import generate

    with keys_from_blocks(run.config.qagen):
        return generate(run.config.qagen, run.run, seed=run.config.seed)


def build_dataset(run: FieldRun) -> StageRecord:
    """Pairs -> sealed exams, then training data that no exam leaks into."""
    from qagen.stage import build_dataset

    return build_dataset(run.config.qagen, run.run, seed=run.config.seed, publish=run.config.harvest.licences.publish)


def train_model(run: FieldRun) -> StageRecord:
    """Training data -> adapter, in a process of its own."""
    out = model_folder(run)

    def work() -> dict[str, Any]:
        run_train(plan(run, "train", out), out)
        training = load(out / "training.json", dict[str, Any])
        return {
            "model": out.name,
            "backend": training["backend"],
            "why": training["backend_reason"],
            **training["counts"],
        }

    return _step(run, "train", out.name, work, run.config.train.model_dump(mode="json"), [out / "training.json", out / "adapter"])


def evaluate_model(run: FieldRun) -> StageRecord:
    """Base against tuned model on the sealed exams, and three questions answered by both."""
    out = model_folder(run)
    key = fingerprint("evaluate", out.name, _exam_seals(run))

    def work() -> dict[str, Any]:
        run_train(plan(run, "evaluate", out), out)
        answer_samples(
            run.dataset / "exams", out, lambda questions: run_train(plan(run, "answer", out, questions=questions), out), run.config.seed
        )
        metrics = load(out / "metrics.json", dict[str, Any])
        return {name: exam["n"] for name, exam in metrics["exams"].items()}

    return _step(run, "evaluate", key, work, {"seed": run.config.seed}, [out / "metrics.json", out / "samples.json"])


def write_report(run: FieldRun) -> StageRecord:
    """Everything that was found, as one HTML file."""
    out = model_folder(run)
    done = {name: record.fingerprint for name, record in read_manifest(run.run).items() if name != "report"}
    key = fingerprint("report", REPORT_VERSION, out.name, done)

    def work() -> dict[str, Any]:
        write_html(run, out)
        return {"report": str(out.relative_to(run.run) / "report.html")}

    return _step(run, "report", key, work, {}, [out / "report.html"])


STEPS = (
    Step("harvest", "gather papers and read their text", harvest_field),
    Step("split", "decide which documents are trained on", split_documents),
    Step("generate", "write question-answer pairs that quote their evidence", write_pairs),
    Step("dataset", "seal the exams and build the training data", build_dataset),
    Step("train", "tune the base model", train_model),
    Step("evaluate", "examine base and tuned model", evaluate_model),
    Step("report", "write the report", write_report),
)


def run_chain(run: FieldRun, steps: tuple[Step, ...] = STEPS) -> bool:
    """Run the steps in order in this process; returns whether anything had to be done."""
    with hold(run.run, f"the run folder of field {run.name}"):
        worked = [run_step(run, step) for step in steps]
    return any(worked)


def run_step(run: FieldRun, step: Step) -> bool:
    """Run one step and say what came of it; returns whether anything had to be done."""
    before = read_manifest(run.run).get(step.name)
    started = monotonic()
    logger.info("%s: %s", step.name, step.does)
    record = step.run(run)
    worked = record != before
    logger.info("%s: %s (%s)", step.name, describe(record.counts), f"{monotonic() - started:.0f} s" if worked else "was done already")
    return worked


def model_folder(run: FieldRun) -> Path:
    """The folder of the model that these settings and this training data give; its name is their fingerprint."""
    data = {path.name: sha256_file(path) for path in _training_files(run)}
    key = fingerprint("train", run.config.train, run.config.seed, data)
    return run.run / "models" / key[:12]


def _training_files(run: FieldRun) -> Iterator[Path]:
    for name in ("train.jsonl", "validation.jsonl", "corpus.jsonl"):
        if (run.dataset / name).exists():
            yield run.dataset / name


def _exam_seals(run: FieldRun) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted((run.dataset / "exams").glob("*.jsonl"))}


def plan(run: FieldRun, task: str, out: Path, **more: Any) -> dict[str, Any]:
    """What the child process is told: task, settings, and the folders to read and write."""
    dataset = run.dataset / "exams" if task == "evaluate" else run.dataset
    return {"task": task, "config": run.config.train, "dataset": dataset, "out": out, "seed": run.config.seed, **more}


def _step(
    run: FieldRun, name: str, key: str, work: Callable[[], dict[str, Any]], config: dict[str, Any], outputs: list[Path]
) -> StageRecord:
    """Skip what is recorded for this key and still there; otherwise work, then record it."""
    if stage_is_current(run.run, name, key) and all(path.exists() for path in outputs):
        return read_manifest(run.run)[name]
    started = monotonic()
    counts = work()
    record = StageRecord(key, config, counts, versions(*STACK), seconds=round(monotonic() - started, 1))
    record_stage(run.run, name, record)
    return record
