"""One model of a run: its settings, its folder, and what a child process is told to do with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.field_run import FieldRun
from harvest.store import fingerprint, load, sha256_file
from train.config import StageConfig, TrainConfig
from train.release.gate import deciding_exam

TRAINING_DATA = ("train.jsonl", "validation.jsonl", "corpus.jsonl", "validation_corpus.jsonl", "restatements.jsonl")
PASSAGES = "chunks.jsonl"


def settings(run: FieldRun) -> TrainConfig:
    """What every training of the run is done with: the YAML's settings, or what the sweep chose among them."""
    plain = run.config.train.model_copy(update={"sweep": None, "seeds": 1})
    if run.config.train.sweep is None:
        return plain
    from train.sweep import chosen, load_sweep

    return chosen(plain, load_sweep(sweep_folder(run)))


def sweep_folder(run: FieldRun) -> Path:
    """Where the trials of these settings and this data lie."""
    asked = run.config.train.model_copy(update={"seeds": 1})
    return run.run / "sweep" / fingerprint("sweep", asked, run.config.seed, data_prints(run, asked))[:12]


def model_folder(run: FieldRun) -> Path:
    """The folder of the model that these settings and this training data give; its name is their fingerprint."""
    config = settings(run)
    return run.run / "models" / fingerprint("train", config, run.config.seed, data_prints(run, config))[:12]


def seed_folders(run: FieldRun, out: Path) -> dict[int, Path]:
    """Seed -> folder of every training: the first is the model, the others are evidence beside it."""
    first = run.config.seed
    return {first + n: out / "seeds" / str(first + n) if n else out for n in range(run.config.train.seeds)}


def data_prints(run: FieldRun, config: TrainConfig) -> list[tuple[str, str]]:
    """Name and SHA-256 of everything that is trained on: the dataset's files, and what stages name themselves."""
    return [(path.name, sha256_file(path)) for path in _training_files(run, config) if path.is_file()]


def exam_seals(run: FieldRun) -> dict[str, str]:
    """SHA-256 of every sealed exam."""
    return {path.name: sha256_file(path) for path in sorted((run.dataset / "exams").glob("*.jsonl"))}


def deciding(run: FieldRun) -> str | None:
    """The exam that the gate decides on and exports are checked with; None where it was not sealed."""
    there = {Path(name).stem for name in exam_seals(run)}
    wanted = deciding_exam(run.config.gate, there)
    return wanted if wanted in there else None


def plan(run: FieldRun, task: str, out: Path, *, seed: int | None = None, config: TrainConfig | None = None, **more: Any) -> dict[str, Any]:
    """What the child process is told: task, settings (those of the run unless others are given), and the folders to read and write."""
    passages = run.dataset / PASSAGES
    return {
        "task": task,
        "config": config or settings(run),
        "dataset": run.dataset / "exams" if task == "evaluate" else run.dataset,
        "out": out,
        "seed": run.config.seed if seed is None else seed,
        "prove": run.config.prove,
        "passages": passages if passages.is_file() else None,
        **more,
    }


def metrics_of(out: Path) -> Any:
    """What was proven of the model in `out`."""
    from train.records import Metrics

    return load(out / "metrics.json", Metrics)


def _training_files(run: FieldRun, config: TrainConfig) -> Iterator[Path]:
    yield from (run.dataset / name for name in TRAINING_DATA)
    for stage in config.stages:
        yield from _named(stage)


def _named(stage: StageConfig) -> Iterator[Path]:
    for path in (stage.data, stage.validation, stage.replay.path if stage.replay else None):
        if path is not None:
            yield from sorted(path.rglob("*.json*")) if path.is_dir() else [path]
