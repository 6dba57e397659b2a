"""The whole way from a field to a proven model, as plain functions: what both the flow and the CLI run.

Read it from top to bottom: it is the table of contents of fieldsmith. Each step returns the record that it left in
the run's manifest, and does nothing if that record already stands for the same settings and inputs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from flows.child import run_train
from flows.field_run import FieldRun, describe
from flows.model_run import exam_seals, model_folder, plan, seed_folders, sweep_folder
from flows.proving import examine
from flows.releasing import about, decide, previous, release
from flows.report import REPORT_VERSION, write_html
from flows.sweep import try_settings
from harvest.store import (
    FieldsmithError,
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
from train.records import Verdict

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


def choose_settings(run: FieldRun) -> StageRecord:
    """A few settings tried on held-out loss, where `train.sweep` asks for it."""
    folder = sweep_folder(run)
    asked = run.config.train.sweep
    if asked is None:
        return _step(run, "sweep", "none", lambda: {"asked for": False}, {}, [])
    return _step(run, "sweep", folder.name, lambda: try_settings(run), asked.model_dump(mode="json"), [folder / "sweep.json"])


def train_model(run: FieldRun) -> StageRecord:
    """Training data -> adapter, in a process of its own; with `train.seeds` further ones, as evidence."""
    out = model_folder(run)
    folders = seed_folders(run, out)

    def work() -> dict[str, Any]:
        for seed, folder in folders.items():
            run_train(plan(run, "train", folder, seed=seed), folder)
        training = load(out / "training.json", dict[str, Any])
        return {"model": out.name, "backend": training["backend"], "why": training["backend_reason"], **training["counts"]}

    outputs = [folder / name for folder in folders.values() for name in ("training.json", "adapter")]
    key = fingerprint(out.name, sorted(folders))
    return _step(run, "train", key, work, run.config.train.model_dump(mode="json"), outputs)


def evaluate_model(run: FieldRun) -> StageRecord:
    """All four arms on the sealed exams, and three questions answered by base and tuned model."""
    out = model_folder(run)
    folders = seed_folders(run, out)
    key = fingerprint("evaluate", out.name, sorted(folders), exam_seals(run), run.config.prove, run.config.qagen.judge)
    outputs = [out / "samples.json", *(folder / "metrics.json" for folder in folders.values())]
    return _step(run, "evaluate", key, lambda: examine(run, out), {"seed": run.config.seed}, outputs)


def judge_model(run: FieldRun) -> StageRecord:
    """Whether what was proven is enough to let anything leave."""
    out = model_folder(run)
    before = previous(run)
    key = fingerprint("gate", run.config.gate, sha256_file(out / "metrics.json"), before.name if before and before != out else "")
    return _step(run, "gate", key, lambda: decide(run, out), run.config.gate.model_dump(mode="json"), [out / "gate.json"])


def release_model(run: FieldRun) -> StageRecord:
    """Merged weights, GGUF, cards, for what passed; nothing for what did not."""
    out = model_folder(run)
    key = fingerprint("release", run.config.release, about(run), sha256_file(out / "gate.json"))
    passed = load(out / "gate.json", Verdict).passed
    outputs = [out / "release" / "release.json"] if passed else []

    def work() -> dict[str, Any]:
        try:
            return release(run, out)
        except FieldsmithError:  # an export that is not the model that was examined: the report must say so
            write_html(run, out)
            raise

    return _step(run, "release", key, work, run.config.release.model_dump(mode="json"), outputs)


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
    Step("sweep", "try settings on held-out loss, where asked", choose_settings),
    Step("train", "tune the base model", train_model),
    Step("evaluate", "examine base and tuned model, with retrieval and without", evaluate_model),
    Step("gate", "judge whether the model may leave", judge_model),
    Step("release", "export what passed, and examine the exports", release_model),
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
