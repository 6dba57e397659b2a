"""`python -m train`: tune on anyone's pairs, examine, export and serve a model, or carry out a plan as somebody's child process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harvest.store import FieldsmithError, UsageError
from train.flags import Parser
from train.plan import Plan, carry_out, end_with_parent, read_plan

__all__ = ["Plan", "main"]

_HELP = """\
python -m train PAIRS --base MODEL                  tune on pairs: JSON, JSONL, a folder of them, in any common layout
python -m train PAIRS --base MODEL --hold-out 0.1   hold some pairs out, and show on them what was learnt
python -m train evaluate MODEL --exam EXAM.jsonl    base against tuned model, whoever trained it
python -m train export MODEL --exam EXAM.jsonl      merged weights and GGUF files, examined again before they leave
python -m train serve MODEL                         an OpenAI-compatible address; ends when standard input closes
python -m train run PLAN.json                       carry out a plan; ends when standard input closes

Each tells more with --help. Exit codes: 0 done, 1 it could not be done, 2 wrong usage."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for what a person can mend (said in one sentence on stderr), 2 for wrong arguments, 130 when it is stopped."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    _say_progress()
    try:
        return _command(list(sys.argv[1:] if arguments is None else arguments))
    except FieldsmithError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on from here", file=sys.stderr)
        return 130


def _command(given: list[str]) -> int:
    if given in (["-h"], ["--help"]):
        print(_HELP)
        return 0
    if not given or (given[0].startswith("-") and given[0] not in _COMMANDS):
        raise UsageError("python -m train: a file of pairs or a command is required: PAIRS, evaluate, export, serve, run (see --help)")
    # Pairs come without a command word, as `python -m train pairs.jsonl`.
    command, rest = (given[0], given[1:]) if given[0] in _COMMANDS else ("pairs", given)
    return _COMMANDS[command](rest)


def _pairs(given: list[str]) -> int:
    from train.alone import tune_pairs

    return tune_pairs(given)


def _run(given: list[str]) -> int:
    parser = Parser("python -m train run", "Carry out a plan; ends when standard input closes.")
    parser.add_argument("plan", type=Path, metavar="PLAN.json")
    plan = read_plan(parser.parse_args(given).plan)
    end_with_parent()
    carry_out(plan)
    return 0


def _serve(given: list[str]) -> int:
    from train import serve

    parser = Parser("python -m train serve", "Serve a model behind an OpenAI-compatible address; ends when standard input closes.")
    serve.add_arguments(parser)
    return serve.run(parser.parse_args(given))


def _evaluate(given: list[str]) -> int:
    from train.commands import evaluate

    return evaluate(given)


def _export(given: list[str]) -> int:
    from train.commands import export

    return export(given)


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "run": _run,
    "serve": _serve,
    "evaluate": _evaluate,
    "export": _export,
    "pairs": _pairs,
}


def _say_progress() -> None:
    """Progress on stderr, each line marked so that a parent can tell it from what libraries print."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("train: %(message)s"))
    logger = logging.getLogger("train")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())
