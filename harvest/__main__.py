"""`python -m harvest FIELD` gathers a field; `python -m harvest read FILE` prints the text of one document."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import re
import sys
from collections.abc import Iterator

from harvest.field_settings import HarvestFile, load_harvest
from harvest.read import read_document
from harvest.records import Document
from harvest.store import FieldsmithError, StageRecord, UsageError

_USAGE = """python -m harvest FIELD [--max-papers N] [--refresh]
       python -m harvest read FILE [--format markdown|json]"""


def main(arguments: list[str] | None = None) -> int:
    """Read the command line; returns the exit code (1: it could not be done, 2: wrong usage)."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return _read(given[1:]) if given[:1] == ["read"] else _harvest(given)
    except FieldsmithError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on from here", file=sys.stderr)
        return 130


# ---- a field


def _harvest(given: list[str]) -> int:
    """Run the stage: a line for each paper on standard error as it comes, a summary on standard output."""
    from harvest.stage import harvest

    parser = argparse.ArgumentParser(prog="python -m harvest", usage=_USAGE, description="Gather what a field has written.")
    parser.add_argument("field", metavar="FIELD", help="a YAML file's name in fields/ or examples/, or a path (only its harvest: is read)")
    parser.add_argument("--max-papers", type=int, metavar="N", help="at most so many papers over all sources")
    parser.add_argument("--refresh", action="store_true", help="ask remote sources again for new papers")
    options = parser.parse_args(given)
    if options.max_papers is not None and options.max_papers < 1:
        raise UsageError(f"--max-papers is {options.max_papers}; it must be 1 or more")
    field = load_harvest(options.field)
    config = field.config.model_copy(update={"max_papers": options.max_papers}) if options.max_papers else field.config
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("harvest").setLevel(logging.INFO)
    record = harvest(config, field.run, refresh=options.refresh)
    print("\n".join(_summary(field, record)))
    return 0


def _summary(field: HarvestFile, record: StageRecord) -> Iterator[str]:
    counts = record.counts
    yield f"{field.path.stem}: {counts['papers']} papers, {counts['documents']} documents in {field.run / 'documents'}"
    for name, source in counts["sources"].items():
        yield f"  {name}: {source['papers']} papers, {source['documents']} documents{_reasons(source.get('rejected', {}))}"
    if counts["rejected"]:
        yield f"left out{_reasons(counts['rejected'])}; why, says {field.run / 'rejected' / 'harvest'}"


def _reasons(rejected: dict[str, int]) -> str:
    return ": " * bool(rejected) + ", ".join(f"{count} {reason}" for reason, count in rejected.items())


# ---- one document


def _read(given: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m harvest read", description="Print the text of one document.")
    parser.add_argument("file", metavar="FILE", help="a .tex or a folder of them, .tar.gz, .gz, .pdf, .html, .md, .txt, .epub or .docx")
    parser.add_argument("--format", choices=("markdown", "json"), default="markdown", help="markdown (default), or the Document as JSON")
    options = parser.parse_args(given)
    document = read_document(options.file)
    try:
        print(as_json(document) if options.format == "json" else as_markdown(document), flush=True)
    except BrokenPipeError:  # the reader (head, less) has seen enough; Python must not flush again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


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
