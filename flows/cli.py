"""`fieldsmith`: the same chain without a Prefect server, and the questions one asks of a finished run."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError, UsageError

STAGES = {
    "harvest": ("harvest",),
    "qagen": ("split", "generate", "dataset"),
    "train": ("sweep", "train"),
    "evaluate": ("evaluate", "gate", "report"),
    "export": ("gate", "release", "report"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit code: 0 done, 1 could not be done, 2 asked for wrongly."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    for package in ("harvest", "qagen", "train", "flows"):
        logging.getLogger(package).setLevel(logging.INFO)
    try:
        return int(options.do(options))
    except FieldsmithError as error:
        print(f"fieldsmith {options.command}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fieldsmith", description="From the literature of a field to a domain model, with proof.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _chain_commands(commands)
    for name, about, do in (
        ("check", "check a field's YAML, and say what its run will ask and cost", _check),
        ("status", "say what a field's run has come to", _status),
        ("init", "write a new field's YAML", _init),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("field", metavar="FIELD")
        command.set_defaults(do=do)
    ask = commands.add_parser("ask", help="ask base and tuned model the same question, and show what retrieval finds")
    ask.add_argument("field", metavar="FIELD")
    ask.add_argument("question", metavar="QUESTION")
    ask.set_defaults(do=_ask)
    review = commands.add_parser("review", help="read drawn pairs with their evidence and say which are good")
    review.add_argument("field", metavar="FIELD")
    review.add_argument("--pairs", type=int, default=20, metavar="N", help="how many are drawn (default 20)")
    review.add_argument("--print", action="store_true", help="only print them")
    review.set_defaults(do=_review)
    _model_commands(commands)
    up = commands.add_parser("up", help="wait for runs of build-domain-model, or deploy it to a work pool")
    up.add_argument("--work-pool", metavar="NAME", help="deploy to this Prefect work pool in place of serving here")
    up.add_argument("--yes", action="store_true", help="switch Prefect's plug-ins on in the profile without asking")
    up.set_defaults(do=_up)
    return parser


def _model_commands(commands: Any) -> None:
    compare = commands.add_parser("compare", help="compare two versions of a field's model on the exams that both sat")
    compare.add_argument("field", metavar="FIELD")
    compare.add_argument("old", nargs="?", metavar="OLD", help="a folder's name under models/; default: the version released last")
    compare.add_argument("new", nargs="?", metavar="NEW", help="default: the version trained last")
    compare.set_defaults(do=_compare)
    serve = commands.add_parser("serve", help="serve the model behind an OpenAI-compatible address")
    serve.add_argument("field", metavar="FIELD")
    serve.add_argument("--host", default="127.0.0.1", help="other than this machine's own (127.0.0.1) only with an API key")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--api-key-env", metavar="NAME", default="FIELDSMITH_API_KEY", help="environment variable that holds the API key")
    serve.add_argument("--engine", choices=("vllm", "llama.cpp", "built-in"), help="default: what this machine is fit for")
    serve.add_argument("--gguf", choices=("f16", "Q8_0", "Q4_K_M"), default="Q8_0", help="which file llama.cpp serves")
    serve.set_defaults(do=_serve)


def _chain_commands(commands: Any) -> None:
    for name, about in (
        ("run", "build a field's model in this process, without Prefect"),
        ("harvest", "only gather and read papers"),
        ("qagen", "only write pairs, exams and training data"),
        ("train", "only train"),
        ("evaluate", "only examine, judge by the gate, and report"),
        ("export", "only judge by the gate, and export what passes"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("field", metavar="FIELD", help="a YAML file's name in fields/ or examples/, or a path")
        command.add_argument("--max-papers", type=int, metavar="N", help="at most so many papers over all sources")
        command.add_argument("--seed", type=int, metavar="N", help="in place of the YAML's")
        command.add_argument("--refresh", action="store_true", help="ask remote sources again for new papers")
        command.set_defaults(do=_run)


def _run(options: argparse.Namespace) -> int:
    from flows.chain import STEPS, run_chain
    from flows.field_run import open_run

    run = open_run(options.field, max_papers=options.max_papers, seed=options.seed, refresh=options.refresh)
    wanted = STAGES.get(options.command)
    worked = run_chain(run, tuple(step for step in STEPS if wanted is None or step.name in wanted))
    if not worked:
        print("all is done already: nothing has changed since the last run")
    if wanted is None:
        _show(options.field)
    return 0


def _check(options: argparse.Namespace) -> int:
    from flows.check import check_field
    from flows.config import load_field

    field = load_field(options.field)
    print(f"{field.path} is a valid field; its files go to {field.run}\n")
    print(check_field(field))
    return 0


def _status(options: argparse.Namespace) -> int:
    from flows.field_run import describe, open_run
    from harvest.store import read_manifest

    run = open_run(options.field)
    for name, record in read_manifest(run.run).items():
        print(f"{name:<10}{describe(record.counts)}")
    print()
    _show(options.field)
    return 0


def _show(field: str) -> None:
    from flows.field_run import open_run
    from flows.findings import findings
    from flows.terminal import summary

    print(summary(findings(open_run(field))))


def _init(options: argparse.Namespace) -> int:
    from flows.starter import write_starter

    path = write_starter(options.field, Path.cwd())
    print(f"wrote {path}; edit it, then: prefect deployment run build-domain-model --field {path.stem}")
    return 0


def _ask(options: argparse.Namespace) -> int:
    from flows.ask import ask

    print(ask(options.field, options.question))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from flows.compare import compare

    print(compare(options.field, options.old, options.new))
    return 0


def _serve(options: argparse.Namespace) -> int:
    from flows.serve import serve

    return serve(
        options.field, host=options.host, port=options.port, key_variable=options.api_key_env, engine=options.engine, gguf=options.gguf
    )


def _review(options: argparse.Namespace) -> int:
    from flows.field_run import open_run
    from qagen.review import drawn, precision, precision_line, review, shown

    if options.pairs < 1:
        raise UsageError(f"--pairs is {options.pairs}; it must be 1 or more")
    run = open_run(options.field)
    if not (run.dataset / "train.jsonl").exists():
        raise FieldsmithError(f"field {run.name} has no training pairs yet; write them: fieldsmith qagen {run.name}")
    pairs = drawn(run.run, run.config.seed, options.pairs)
    if options.print:
        print("\n\n".join(shown(pair, run.run) for pair in pairs))
        return 0
    for _ in review(run.run, pairs, input):
        pass
    print(f"\nprecision of what is trained on, as you judged it: {precision_line(precision(run.run, {pair.id: pair for pair in pairs}))}")
    return 0


def _up(options: argparse.Namespace) -> int:
    from flows.up import up

    return up(pool=options.work_pool, root=Path.cwd(), yes=options.yes)


if __name__ == "__main__":
    sys.exit(main())
