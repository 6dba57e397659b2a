"""`python -m train`: tune on anyone's pairs, serve a model, or carry out a plan as somebody's child process."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError

from harvest.store import FieldsmithError, UsageError, first_problem, save
from train.config import LoraConfig, StageConfig, TrainConfig
from train.stage import answer, evaluate, train

COMMANDS = ("run", "serve", "pairs")


class Plan(BaseModel):
    """What a child process is told; `dataset` is the folder of exams where the task is to evaluate."""

    model_config = ConfigDict(extra="forbid")

    task: Literal["train", "evaluate", "answer"]
    config: TrainConfig
    dataset: Path
    out: Path
    seed: int
    questions: tuple[str, ...] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for what a person can mend (said in one sentence on stderr), 2 for wrong arguments."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    _say_progress()
    try:
        return _command(list(sys.argv[1:] if arguments is None else arguments))
    except FieldsmithError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_code


def _command(arguments: list[str]) -> int:
    # Pairs come without a command word, as `python -m train pairs.jsonl`.
    if arguments and arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
        arguments = ["pairs", *arguments]
    options = _parser().parse_args(arguments)
    if options.command == "run":
        return _run(options.plan)
    if options.command == "serve":
        return _serve(options)
    return _pairs(options)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message} (see --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m train", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="PAIRS.jsonl | run | serve")
    run = commands.add_parser("run", help="carry out a plan; ends when standard input closes")
    run.add_argument("plan", type=Path, metavar="PLAN.json")
    serve = commands.add_parser("serve", help="serve a model behind an OpenAI-compatible address; ends when standard input closes")
    serve.add_argument("model", help="hub id, folder, GGUF file, or pkg:PACKAGE/FILE")
    serve.add_argument("--adapter", type=Path)
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--host", default="127.0.0.1")
    pairs = commands.add_parser("pairs", help="tune a base model on the pairs of a JSONL file, or on a folder with a train.jsonl")
    pairs.add_argument("data", type=Path, metavar="PAIRS.jsonl")
    pairs.add_argument("--base", required=True, help="hub id, folder, GGUF file, or pkg:PACKAGE/FILE")
    pairs.add_argument("--output", type=Path, default=Path("model"))
    pairs.add_argument("--backend", choices=("auto", "unsloth", "peft"), default="auto")
    pairs.add_argument("--epochs", type=float, default=3.0)
    pairs.add_argument("--learning-rate", type=float, default=2e-4)
    pairs.add_argument("--batch-size", type=int, default=8)
    pairs.add_argument("--max-length", type=int, default=1024)
    pairs.add_argument("--rank", type=int, default=16)
    pairs.add_argument("--seed", type=int, default=0)
    return parser


# ---- the three commands


def _run(path: Path) -> int:
    plan = _read_plan(path)
    _end_with_parent()
    if plan.task == "train":
        train(plan.config, plan.dataset, plan.out, seed=plan.seed)
    elif plan.task == "evaluate":
        evaluate(plan.config, plan.dataset, plan.out, seed=plan.seed)
    else:
        said = answer(plan.config, plan.out, plan.questions)
        save(
            plan.out / "answers.json",
            [{"question": q, "base": base, "tuned": tuned} for q, (base, tuned) in zip(plan.questions, said, strict=True)],
        )
    return 0


def _read_plan(path: Path) -> Plan:
    try:
        return Plan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the plan {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise UsageError(f"the plan {path} is none: {first_problem(error)}") from error


def _serve(options: argparse.Namespace) -> int:
    from train.serve import serve

    serve(options.model, port=options.port, host=options.host, adapter=options.adapter)
    return 0


def _pairs(options: argparse.Namespace) -> int:
    try:
        stage = StageConfig(
            kind="sft",
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            batch_size=options.batch_size,
            max_length=options.max_length,
        )
        lora = LoraConfig(r=options.rank, alpha=2 * options.rank)
        config = TrainConfig(base=options.base, backend=options.backend, lora=lora, stages=(stage,))
    except ValidationError as error:
        raise UsageError(f"python -m train: {first_problem(error)}") from error
    if not options.data.exists():
        raise UsageError(f"there is no {options.data} to train on; the commands are: PAIRS.jsonl, run, serve")
    training = train(config, options.data, options.output, seed=options.seed)
    print(json.dumps({"adapter": training.adapter, "backend": training.backend, "counts": training.counts}, ensure_ascii=False))
    return 0


# ---- being a child


def _say_progress() -> None:
    """Progress on stderr, each line marked so that a parent can tell it from what libraries print."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("train: %(message)s"))
    logger = logging.getLogger("train")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False


def _end_with_parent() -> None:
    """End when standard input closes: also `kill -9` of the parent closes it, and no training is left running alone."""
    threading.Thread(target=_wait_for_end, name="parent", daemon=True).start()


def _wait_for_end() -> None:
    # By file descriptor: a thread inside sys.stdin at exit would bring down the interpreter, and its exit code with it.
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
