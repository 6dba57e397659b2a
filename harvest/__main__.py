"""`python -m harvest read FILE`: the text of one document on standard output."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import sys

from harvest.read import read_document
from harvest.records import Document
from harvest.store import FieldsmithError, UsageError


def main(arguments: list[str] | None = None) -> int:
    """Read the command line; returns the exit code (1: the document cannot be read, 2: wrong usage)."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given and given[0] != "read" and not given[0].startswith("-"):
            raise UsageError(
                f"python -m harvest reads single files (python -m harvest read FILE); to gather a field, use: fieldsmith harvest {given[0]}"
            )
        options = _parser().parse_args(given)
        document = read_document(options.file)
    except FieldsmithError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    try:
        print(as_json(document) if options.format == "json" else as_markdown(document), flush=True)
    except BrokenPipeError:  # the reader (head, less) has seen enough; Python must not flush again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harvest", description="The text of a LaTeX source or a PDF.")
    commands = parser.add_subparsers(dest="command", required=True)
    read = commands.add_parser("read", help="print the text of one document")
    read.add_argument("file", metavar="FILE", help="a .tex, .tar.gz, .gz or .pdf")
    read.add_argument("--format", choices=("markdown", "json"), default="markdown", help="markdown (default), or the Document as JSON")
    return parser


def as_json(document: Document) -> str:
    """The Document as indented JSON."""
    return json.dumps(dataclasses.asdict(document), ensure_ascii=False, indent=1)


def as_markdown(document: Document) -> str:
    """The text with its headings marked and its tables with the line that Markdown wants below their first row."""
    parts, at = [f"# {document.paper.title}\n\n"], 0
    for section in document.sections:
        if section.title:
            heading = (
                section.start - len(section.title) - 2
                if document.text[: section.start].endswith("\n\n")
                else document.text.rindex(section.title, at)
            )
            parts += [_with_rules(document.text[at:heading]), "#" * min(section.level + 1, 6), " ", section.title, "\n\n"]
            at = section.start
    return "".join([*parts, _with_rules(document.text[at:])]).strip()


def _with_rules(text: str) -> str:
    return re.sub(
        r"(?<![^\n]\n)^(\|.*\|)$(?!\n\| ---)", lambda m: f"{m[1]}\n|{' --- |' * (m[1].count(' | ') + 1)}", text, flags=re.MULTILINE
    )


if __name__ == "__main__":
    sys.exit(main())
