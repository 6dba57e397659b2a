"""`python -m qagen FIELD` makes a field's dataset; `dedup` and `filter` clean a file of pairs without a run."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence

from harvest.store import FieldsmithError, StageRecord

_HELP = """\
python -m qagen FIELD                               pairs and dataset of a field (a YAML's name in fields/ or examples/, or a path)
python -m qagen dedup IN.jsonl > OUT.jsonl          keep one of the pairs that ask the same
python -m qagen filter IN.jsonl --document DOC.json keep the pairs that their document bears out

Each tells more with --help. Exit codes: 0 done, 1 it could not be done, 2 wrong usage."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 for what went wrong, 2 for a wrong call, 130 when it is stopped."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in ([], ["-h"], ["--help"]):
        print(_HELP, file=sys.stdout if given else sys.stderr)
        return 0 if given else 2
    try:
        _run(given)
        sys.stdout.flush()
    except FieldsmithError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader (head, less) has seen enough; Python must not flush again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on from here", file=sys.stderr)
        return 130
    return 0


def _run(given: list[str]) -> None:
    if given[0] == "dedup":
        from qagen.clean import dedup

        dedup(given[1:])
    elif given[0] == "filter":
        from qagen.clean import filter_pairs

        filter_pairs(given[1:])
    else:
        _field(given)


def _field(given: list[str]) -> None:
    """Split, generate and dataset: what happens on standard error as it happens, a summary on standard output."""
    from harvest.store import hold
    from qagen.field_settings import load_qagen
    from qagen.stage import build_dataset, generate, split

    parser = argparse.ArgumentParser(
        "python -m qagen", description="Make the pairs and the dataset of a field from its documents and own pairs."
    )
    parser.add_argument("field", metavar="FIELD", help="a YAML file's name in fields/ or examples/, or a path (its qagen: is read)")
    parser.add_argument("--seed", type=int, help="of splits, exams and simulators, in place of the YAML's")
    options = parser.parse_args(given)
    field = load_qagen(options.field)
    seed = field.seed if options.seed is None else options.seed
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("qagen").setLevel(logging.INFO)
    with hold(field.run, f"the run folder of field {field.path.stem}"):
        split(field.config, field.run, seed=seed)
        generate(field.config, field.run, seed=seed)
        record = build_dataset(field.config, field.run, seed=seed, publish=field.publish)
    print("\n".join(_summary(f"{field.path.stem}: {field.run / 'dataset'}", record)))


def _summary(head: str, record: StageRecord) -> Iterator[str]:
    yield head
    for what in ("pairs", "dropped", "rejections", "examples", "passages", "exams", "published"):
        if counts := record.counts.get(what):
            yield f"  {what}: {', '.join(f'{n} {name}' for name, n in counts.items())}"


if __name__ == "__main__":
    sys.exit(main())
