"""One file to one Document: the door to all readers, behind the sandbox."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from harvest.readers.extract import Extract, UnreadableDocument
from harvest.records import Document, Paper
from harvest.sandbox import Worker
from harvest.store import sha256_text

__all__ = ["UnreadableDocument", "read_document"]


def read_document(path: Path | str, *, paper: Paper | None = None) -> Document:
    """Read a LaTeX source (.tex, .gz, .tar, .tar.gz) or a PDF; what it is, its bytes say.

    `Document.text` is paragraphs separated by blank lines. A heading is a paragraph of its own and its section
    spans what follows it up to the next heading. Without `paper`, one is made of the file's name and title.
    The reading runs in a process with limits on time and memory.

    Raises `UnreadableDocument`, a `FieldsmithError`, with a `reason` to count and a `detail` in words.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableDocument(str(path), "missing", "there is no such file")
    return to_document(read_extract(path), paper or Paper(_stem(path.name), "file", ""))


def read_extract(path: Path) -> Extract:
    """What the readers get out of a file, read in the warm worker. Raises `UnreadableDocument`."""
    return _worker().read(path)


def to_document(extract: Extract, paper: Paper) -> Document:
    """The document of a paper; a paper without a title takes the one that the text states, or its first heading."""
    title = paper.title or extract.title or next((s.title for s in extract.sections if s.title), "") or paper.id
    paper = replace(paper, title=title)
    return Document(
        paper.id,
        paper,
        extract.sections,
        extract.text,
        sha256_text(extract.text),
        extract.extractor,
        extract.warnings,
        extract.references,
        extract.pages,
        extract.hidden,
        extract.quality,
    )


def close_worker() -> None:
    """End the warm reading process; the next document starts another."""
    _worker().close()


@cache
def _worker() -> Worker:
    return Worker()


def _stem(name: str) -> str:
    for suffix in (".tar.gz", ".tex.gz", ".tgz", ".tar", ".tex", ".gz", ".pdf"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name
