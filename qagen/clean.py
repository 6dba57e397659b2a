"""A file of pairs in any known layout, cleaned without a run: what is kept goes to standard output as it stood in the file.

The file is read twice, once to decide and once to write, so that neither its pairs nor its text need be held.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harvest.records import Document, Rejection
from harvest.store import UsageError, load, save_lines, whole_lines
from qagen.own.ids import is_own
from qagen.own.pairs import Found, read_lines
from qagen.records import QAPair


def dedup(given: Sequence[str]) -> None:
    """`python -m qagen dedup`: one of the pairs that ask the same."""
    from harvest.embed import load_embedder
    from qagen.curate.dedup import THRESHOLD
    from qagen.curate.stream import deduplicate_file

    parser = _parser("dedup", "Keep one of the pairs that ask the same; kept lines go to standard output as they are.")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="likeness from which two pairs are one (default %(default)s)")
    parser.add_argument("--embedder", metavar="NAME", help="sentence embeddings beside the words: a hub id, folder or pkg:PACKAGE/FOLDER")
    options = parser.parse_args(given)
    embed = load_embedder(options.embedder) if options.embedder else None
    refused: list[Rejection] = []
    with tempfile.TemporaryDirectory(prefix="dedup-") as folder:
        plain, kept, gone = (Path(folder) / name for name in ("plain.jsonl", "kept.jsonl", "gone.jsonl"))
        with plain.open("w", encoding="utf-8") as file:
            file.writelines(f"{_plain(found.pair)}\n" for found in _read(options.file, refused))
        done = deduplicate_file(plain, kept, threshold=options.threshold, embed=embed, dropped=gone)
        copies = [(line["line"] - 1, _copy(line)) for line in whole_lines(gone)]
    _write(options.file, {number for number, _ in copies})
    _tell(done.kept, [*(copy for _, copy in copies), *refused], options.rejected)


def filter_pairs(given: Sequence[str]) -> None:
    """`python -m qagen filter`: the pairs that their documents bear out, by the rules that a run's own pairs go through."""
    from qagen.checks.chain import check_pair

    parser = _parser("filter", "Keep the pairs that hold by every rule; kept lines go to standard output as they are.")
    parser.add_argument(
        "--document", type=Path, action="append", required=True, metavar="DOC.json", help="a Document as JSON; may be given several times"
    )
    options = parser.parse_args(given)
    documents = {document.id: document for document in map(_document, options.document)}
    only = next(iter(documents)) if len(documents) == 1 else ""
    refused: list[Rejection] = []
    kept = 0
    for found in _read(options.file, refused):
        # a pair that names no document is meant for the one that is there
        pair = replace(found.pair, document_id=only) if only and is_own(found.pair.document_id) else found.pair
        if wrong := check_pair(pair, documents, quotes=found.quotes):
            refused.append(Rejection(pair.id, "filter", wrong[0].reason, wrong[0].detail))
        else:
            kept += 1
            _put(found)
    _tell(kept, refused, options.rejected)


def _parser(command: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(f"python -m qagen {command}", description=description)
    parser.add_argument("file", type=Path, metavar="IN", help="pairs: .jsonl, .json, .csv, .tsv or .parquet, in any common layout")
    parser.add_argument("--rejected", type=Path, metavar="FILE", help="JSONL of what was left out, and why")
    return parser


def _document(path: Path) -> Document:
    if not path.is_file():
        raise UsageError(f"there is no document {path}")
    if path.suffix != ".json":
        raise UsageError(f"{path} is no Document as JSON; make one of it: python -m harvest read {path} --format json > DOC.json")
    return load(path, Document)


# ---- reading and writing


def _read(path: Path, refused: list[Rejection]) -> Iterator[Found]:
    for outcome in read_lines(path):
        if isinstance(outcome, Rejection):
            refused.append(outcome)
        else:
            yield outcome


def _plain(pair: QAPair) -> str:
    named = {"id": pair.id, "question": pair.question, "answer": pair.answer, "paraphrase_of": pair.paraphrase_of}
    return json.dumps({**named, "scores": dict(pair.scores)}, ensure_ascii=False)


def _copy(line: dict[str, Any]) -> Rejection:
    return Rejection(line["id"], "dedup", line["reason"], f"asks what {line['twin']} asks", line["score"])


def _write(path: Path, gone: Collection[int]) -> None:
    for number, found in enumerate(_read(path, [])):
        if number not in gone:
            _put(found)


def _put(found: Found) -> None:
    line = found.line or json.dumps(asdict(found.pair), ensure_ascii=False)
    sys.stdout.buffer.write(f"{line}\n".encode())


def _tell(kept: int, refused: Sequence[Rejection], path: Path | None) -> None:
    sys.stdout.buffer.flush()
    reasons = Counter(rejection.reason for rejection in refused)
    print(json.dumps({"kept": kept, "dropped": dict(sorted(reasons.items()))}), file=sys.stderr)
    if path:
        save_lines(path, refused)
