"""`python -m qagen`: deduplicate a JSONL file of pairs without a run."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harvest.store import FieldsmithError, UsageError, load_lines
from qagen.curate.dedup import deduplicate
from qagen.records import QAPair


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 for what went wrong, 2 for a wrong call."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and given[0] not in ("dedup", "-h", "--help"):
            raise UsageError(
                f"qagen on a field is `fieldsmith qagen {given[0]}`; on its own it does: python -m qagen dedup IN.jsonl > OUT.jsonl"
            )
        options = _parser().parse_args(given)
        _dedup(options.file, options.threshold)
    except FieldsmithError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m qagen", description=__doc__)
    dedup = parser.add_subparsers(required=True, metavar="dedup").add_parser("dedup", help="keep one of the pairs that ask the same")
    dedup.add_argument("file", type=Path, help="JSONL of QAPair records; the kept lines go to standard output as they are")
    dedup.add_argument("--threshold", type=float, default=0.8, help="likeness from which two questions are one, in (0, 1] (default 0.8)")
    return parser


def _dedup(path: Path, threshold: float) -> None:
    if not path.is_file():
        raise UsageError(f"{path} is no file; give a JSONL file of question-answer pairs")
    if not 0 < threshold <= 1:
        raise UsageError(f"--threshold must lie in (0, 1], not {threshold}")
    result = deduplicate(load_lines(path, QAPair), threshold=threshold)
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    numbers = {id(pair): number for number, pair in enumerate(result.pairs)}
    sys.stdout.buffer.writelines(f"{lines[numbers[id(pair)]]}\n".encode() for pair in result.kept)
    sys.stdout.buffer.flush()
    print(json.dumps({"kept": len(result.kept), "dropped": Counter(item.reason for item in result.dropped)}), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
