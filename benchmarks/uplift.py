"""What continued pre-training alone, instruction tuning alone, and both together give: four arms, several seeds, pooled intervals.

    python benchmarks/uplift.py --field demo --seeds 3 --out runs/uplift.json

Each recipe is the field's own stages, or those of one kind, with the field's own settings. The dataset is copied first, so that all
trainings learn the same and sit the same sealed exams, whatever becomes of the field's run meanwhile. Stopped at any moment, it goes on
where it was when it is run again; every training and examination is a process of its own.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from table import print_table

from flows.chain import STACK
from flows.child import run_train
from flows.config import FieldConfig, load_field
from flows.figures import ARM_TITLES, arms_in_order, exam_title, in_order, nll, said, share
from harvest.store import FieldsmithError, fingerprint, is_done, load, mark_done, save, sha256_file, versions
from train.config import TrainConfig
from train.prove.compare import pool_seeds
from train.records import Arm, Metrics, Score, SeedGain, Seeds

EXAMS = ("seen", "unseen", "expert_trained", "expert_held_out", "general")
PASSAGES = "chunks.jsonl"
GAINS = {"margin": "right option, nats", "nll": "nats per token", "accuracy": "choices, points"}

logger = logging.getLogger("flows.uplift")


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that all trainings of this benchmark share; `data` is the fingerprint of what is learnt and sat."""

    config: FieldConfig
    dataset: Path
    work: Path
    seeds: tuple[int, ...]
    data: str

    @property
    def exams(self) -> Path:
        """The sealed exams that are sat."""
        return self.dataset / "exams"


# ---- what is compared


def recipes(config: TrainConfig) -> dict[str, TrainConfig]:
    """Name -> settings: the stages of each kind alone, and all of them; a field with one kind of stage has one recipe only."""
    kinds = list(dict.fromkeys(stage.kind for stage in config.stages))
    plain = config.model_copy(update={"sweep": None, "seeds": 1})
    alone = {kind: tuple(stage for stage in config.stages if stage.kind == kind) for kind in kinds}
    parts = {f"{kind} alone": plain.model_copy(update={"stages": stages}) for kind, stages in alone.items()} if len(kinds) > 1 else {}
    return {**parts, " + ".join(kinds): plain}


def take_dataset(source: Path, work: Path) -> Path:
    """A copy of the finished dataset, with those exams that are sat; made once, whole or not at all."""
    copied = work / "dataset"
    if not copied.is_dir():
        if not (source / "exams" / "seal.json").is_file():
            raise FieldsmithError(f"there is no finished dataset in {source}: build one with fieldsmith qagen, or name one with --dataset")
        shutil.rmtree(work / "copying", ignore_errors=True)
        shutil.copytree(source, work / "copying", ignore=shutil.ignore_patterns("published", ".*"))
        for path in (work / "copying" / "exams").glob("*.jsonl"):
            if path.stem not in EXAMS:
                path.unlink()
        (work / "copying").rename(copied)
    return copied


def data_print(dataset: Path) -> str:
    """What all trainings learn and sit."""
    return fingerprint({str(path.relative_to(dataset)): sha256_file(path) for path in sorted(dataset.rglob("*.jsonl"))})


# ---- doing it


def prove_all(bench: Bench) -> dict[str, dict[int, Path]]:
    """Recipe -> seed -> the folder of the model, trained and examined."""
    wanted = recipes(bench.config.train)
    done: dict[str, dict[int, Path]] = {name: {} for name in wanted}
    for seed in bench.seeds:  # all recipes of a seed first: a run that is cut short has something to compare
        for name, config in wanted.items():
            done[name][seed] = _prove(bench, name, config, seed)
    return done


def _prove(bench: Bench, name: str, config: TrainConfig, seed: int) -> Path:
    out = bench.work / f"{name.replace(' ', '-')}-seed-{seed}"
    key = fingerprint(config, bench.config.prove, bench.data, seed)
    if not is_done(out / "metrics.json", key):
        logger.info("%s, seed %d", name, seed)
        _take_first_stage(bench, config, out, seed)
        run_train(_plan(bench, "train", config, out, seed), out)
        run_train(_plan(bench, "evaluate", config, out, seed), out)
        mark_done(out / "metrics.json", key)
    return out


def _take_first_stage(bench: Bench, config: TrainConfig, out: Path, seed: int) -> None:
    """The first stage of all stages together is the same training as that stage alone: it is taken over, not done again."""
    first = config.stages[0]
    alone = bench.work / f"{first.kind}-alone-seed-{seed}" / "work" / f"1-{first.kind}"
    mine = out / "work" / f"1-{first.kind}"
    if len(config.stages) > 1 and (alone / "adapter").is_dir() and not mine.exists():
        shutil.copytree(alone, mine)


def _plan(bench: Bench, task: str, config: TrainConfig, out: Path, seed: int) -> dict[str, Any]:
    passages = bench.dataset / PASSAGES
    return {
        "task": task,
        "config": config,
        "dataset": bench.exams if task == "evaluate" else bench.dataset,
        "out": out,
        "seed": seed,
        "prove": bench.config.prove,
        "passages": passages if passages.is_file() else None,
    }


# ---- saying it


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recipe over all seeds: the pooled gains, and each arm's mean scores, exam by exam."""

    gains: Seeds
    scores: dict[str, dict[Arm, dict[str, float | None]]]


def outcome(bench: Bench, folders: dict[int, Path]) -> Outcome:
    """What a recipe came to."""
    metrics = [load(folder / "metrics.json", Metrics) for folder in folders.values()]
    scores = {
        exam: {arm: _mean([one.exams[exam].arms[arm] for one in metrics]) for arm in arms_in_order(metrics[0].exams[exam].arms)}
        for exam in in_order(metrics[0].exams)
    }
    return Outcome(pool_seeds(folders, seed=0, exams=bench.exams), scores)


def _mean(scores: Sequence[Score]) -> dict[str, float | None]:
    return {name: _mean_of(getattr(score, name) for score in scores) for name in ("nll", "accuracy", "match")}


def _mean_of(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return fmean(found) if found else None


def show(outcomes: dict[str, Outcome]) -> None:
    """Two tables an exam: what each model scored, and what each recipe gains."""
    first = next(iter(outcomes.values()))
    for exam in first.scores:
        print(f"\n{exam_title(exam)}, mean over the seeds {', '.join(map(str, first.gains.seeds))}")
        print_table(["model", "nats per token", "right choices", "right free answers"], list(_score_rows(exam, outcomes)))
        print()
        print_table(["gain [95 %]", *GAINS.values(), "per token, each seed"], list(_gain_rows(exam, outcomes)))


def _score_rows(exam: str, outcomes: dict[str, Outcome]) -> Iterator[list[str]]:
    """The base's rows once: it is the same in every recipe."""
    for place, (recipe, found) in enumerate(outcomes.items()):
        for arm in arms_in_order(found.scores[exam]):
            if place == 0 or arm.startswith("tuned"):
                score = found.scores[exam][arm]
                who = ARM_TITLES[arm].replace("tuned", recipe)
                yield [who, nll(score["nll"] or 0.0), share(score["accuracy"]), share(score["match"])]


def _gain_rows(exam: str, outcomes: dict[str, Outcome]) -> Iterator[list[str]]:
    for recipe, found in outcomes.items():
        for comparison, words in (("tuned", "base"), ("tuned_over_retrieval", "base + retrieval")):
            if gains := found.gains.exams.get(exam, {}).get(comparison):
                each = "/".join(f"{value:+.2f}" for value in gains["nll"].per_seed)
                yield [f"{recipe} over {words}", *(_pooled(gains.get(measure), measure) for measure in GAINS), each]


def _pooled(gain: SeedGain | None, measure: str) -> str:
    return said(gain.pooled, measure) if gain else "–"


def main() -> int:
    """Train, examine, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--field", default="demo")
    parser.add_argument("--dataset", type=Path, help="a finished dataset; default: that of the field's run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("runs/uplift"), help="where models and results are kept")
    parser.add_argument("--out", type=Path, default=Path("runs/uplift.json"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("flows").setLevel(logging.INFO)
    if options.seeds < 1:
        parser.error("--seeds must be 1 or more")
    field = load_field(options.field)
    work = options.work.resolve()
    dataset = take_dataset((options.dataset or field.run / "dataset").resolve(), work)
    bench = Bench(field.config, dataset, work, tuple(range(options.seeds)), data_print(dataset))
    outcomes = {name: outcome(bench, folders) for name, folders in prove_all(bench).items()}
    show(outcomes)
    missing = [exam_title(name) for name in EXAMS if name not in next(iter(outcomes.values())).scores]
    if missing:
        print(f"\nnot in this dataset, so not sat: {', '.join(missing)}")
    save(
        options.out,
        {"field": options.field, "data": bench.data, "base": field.config.train.base, "recipes": outcomes, "versions": versions(*STACK)},
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FieldsmithError as error:
        sys.exit(f"uplift: {error}")
