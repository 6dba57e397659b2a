"""`python -m train PAIRS`: tune on anyone's pairs, and show on some that were held out what was learnt."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from harvest.store import UsageError, fingerprint, load, save
from train.config import ProveConfig, TrainConfig
from train.flags import Parser, add_settings, read_settings
from train.plan import Plan, in_own_process
from train.records import ExamReport, Metrics, Training

log = logging.getLogger(__name__)


def parser() -> Parser:
    """What the command takes."""
    made = Parser("python -m train PAIRS", "Tune a base model on pairs, and examine it on some that were held out, if asked.")
    made.add_argument("data", type=Path, metavar="PAIRS", help="JSON or JSONL, a folder of such files, or a folder with a train.jsonl")
    made.add_argument("--output", type=Path, default=Path("model"), help="folder of the adapter and its records (default: model)")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--hold-out", type=float, metavar="SHARE", help="share of the pairs that are an exam instead of being trained on")
    add_settings(made)
    return made


def tune_pairs(arguments: list[str]) -> int:
    """Train, and examine where pairs are held out; what was done is one JSON object on standard output."""
    options = parser().parse_args(arguments)
    config, prove = read_settings(options)
    if not options.data.exists():
        raise UsageError(f"there is no {options.data} to train on; the commands are: PAIRS, evaluate, export, serve, run")
    if options.hold_out is not None and not 0 < options.hold_out < 1:
        raise UsageError("python -m train: --hold-out is a share of the pairs, such as 0.1")
    config = _on_own_files(config, options.data)
    exams = None
    if options.hold_out is not None:
        config, exams = _hold_out(config, options.data, options.output, options.hold_out, options.seed)
    config = _swept(config, options.data, options.output, options.seed)
    save(options.output / "train.plan.json", Plan(task="train", config=config, dataset=options.data, out=options.output, seed=options.seed))
    trainings = {folder: _train(config, options.data, folder, seed) for seed, folder in _seeds(config, options.output, options.seed)}
    said = _said(trainings[options.output])
    # Of several processes (torchrun) one examines.
    if exams is not None and os.environ.get("RANK", "0") == "0":
        said["exams"] = _examine(config, prove, exams, options.output, options.seed)
    print_json(said)
    return 0


def print_json(said: dict[str, Any]) -> None:
    """What was done, as one line of JSON on standard output."""
    print(to_json(said, inf_nan_mode="null").decode())


def _train(config: TrainConfig, data: Path, out: Path, seed: int) -> Training:
    from train.tune.training import train

    return train(config, data, out, seed=seed)


def _said(training: Training) -> dict[str, Any]:
    said = {"adapter": training.adapter, "backend": training.backend, "counts": dict(training.counts), "notes": list(training.notes)}
    return said | ({"merged": training.merged} if training.merged else {})


def _seeds(config: TrainConfig, out: Path, first: int) -> list[tuple[int, Path]]:
    """The first is the model, the others are evidence beside it."""
    return [(first + n, out / "seeds" / str(first + n) if n else out) for n in range(config.seeds)]


# ---- what is trained on


def _on_own_files(config: TrainConfig, data: Path) -> TrainConfig:
    """A folder of anyone's files is the data of every stage that names none; one with a dataset's files is a dataset."""
    if data.is_file() or any((data / name).is_file() for name in ("train.jsonl", "corpus.jsonl")):
        return config
    return _with_pairs(config, data)


def _with_pairs(config: TrainConfig, pairs: Path) -> TrainConfig:
    stages = [stage if stage.data or stage.kind == "cpt" else stage.model_copy(update={"data": pairs}) for stage in config.stages]
    return config.model_copy(update={"stages": tuple(stages)})


def _hold_out(config: TrainConfig, data: Path, out: Path, share: float, seed: int) -> tuple[TrainConfig, Path]:
    """The settings with the pairs that remain, and the folder of the sealed exam."""
    from train.hold_out import check_apart, hold_out

    pairs = data / "train.jsonl" if (data / "train.jsonl").is_file() else data
    held = hold_out(pairs, out / "data", share=share, seed=seed)
    more = f"; {held.kept_out} more that ask the same are kept out too" if held.kept_out else ""
    log.info("%d questions are held out as an exam%s", held.questions, more)
    given = [stage.data for stage in config.stages if stage.kind == "sft" and stage.data not in (None, pairs)]
    for path in filter(None, given):
        check_apart(held.exams, path)
    stages = [stage.model_copy(update={"data": None}) if stage.data == pairs else stage for stage in config.stages]
    return _with_pairs(config.model_copy(update={"stages": tuple(stages)}), held.train), held.exams


def _swept(config: TrainConfig, data: Path, out: Path, seed: int) -> TrainConfig:
    """The settings that win the sweep, where there is one; every trial in a process of its own."""
    if config.sweep is None:
        return config
    from train.dataset import digests
    from train.sweep import chosen, run_sweep, trial_loss

    def trial(one: TrainConfig, folder: Path) -> float:
        in_own_process(Plan(task="trial", config=one, dataset=data.absolute(), out=folder, seed=seed))
        return trial_loss(folder)

    key = fingerprint("sweep", config, seed, [digests(data, stage) for stage in config.stages])[:12]
    return chosen(config, run_sweep(config, out / "sweep" / key, trial))


# ---- what was learnt


def _examine(config: TrainConfig, prove: ProveConfig, exams: Path, out: Path, first: int) -> dict[str, Any]:
    """The exam, in a process of its own: what trained may have patched its libraries."""
    folders = dict(_seeds(config, out, first))
    for seed, folder in folders.items():
        in_own_process(Plan(task="evaluate", config=config, dataset=exams, out=folder, seed=seed, prove=prove))
    if len(folders) > 1:
        from train.prove.compare import pool_seeds

        save(out / "seeds.json", pool_seeds(folders, seed=first))
    return summary(load(out / "metrics.json", Metrics))


def summary(metrics: Metrics) -> dict[str, Any]:
    """Of each exam its size and seal, the arms' figures and the gains of the tuned model; the same is logged in words."""
    for name, report in metrics.exams.items():
        log.info("%s", in_words(name, report))
    return {name: _figures(report) for name, report in metrics.exams.items()}


def _figures(report: ExamReport) -> dict[str, Any]:
    return {"n": report.n, "sha256": report.sha256, "arms": report.arms, "gains": report.gains}


def in_words(name: str, report: ExamReport) -> str:
    """What the tuned model gains over its base on one exam, with 95 % intervals."""
    gain = report.gains["tuned"]
    parts = []
    if gain.nll:
        parts.append(f"{gain.nll.value:+.3f} nats per answer token ({gain.nll.ci95[0]:+.3f} to {gain.nll.ci95[1]:+.3f})")
    for what, estimate in (("right choices", gain.accuracy), ("right answers", gain.match)):
        if estimate:
            parts.append(f"{100 * estimate.value:+.0f} % {what} ({100 * estimate.ci95[0]:+.0f} to {100 * estimate.ci95[1]:+.0f})")
    figures = ", ".join(parts) or "too few questions for an interval"
    return f"exam {name}, {report.n} questions: the tuned model gains {figures}; positive is better"
