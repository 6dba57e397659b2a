"""One file to one Document: the door to all readers, behind the sandbox."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from harvest.readers.extract import Extract, Reading, UnreadableDocument
from harvest.records import Document, Paper
from harvest.sandbox import Worker
from harvest.sources.forms import form_of
from harvest.sources.latex_folders import is_whole, packed, parts_of
from harvest.store import sha256_text

_NO_TITLES = ("abstract", "摘要", "contents", "目录", "preface", "keywords")
__all__ = ["UnreadableDocument", "read_document"]


def read_document(path: Path | str, *, paper: Paper | None = None) -> Document:
    """Read a LaTeX source (.tex, .gz, .tar, .tar.gz), PDF, web page, EPUB, DOCX, Markdown or text file; what it is, its bytes say.

    A .tex is read with the files beside it that it takes in; a folder is read as the LaTeX paper that lies in it.
    `Document.text` is paragraphs separated by blank lines. A heading is a paragraph of its own and its section
    spans what follows it up to the next heading. Without `paper`, one is made of the file's name and title.
    The reading runs in a process with limits on time and memory.

    Raises `UnreadableDocument`, a `FieldsmithError`, with a `reason` to count and a `detail` in words.
    """
    path = Path(path)
    if path.is_dir() or path.suffix.lower() == ".tex":
        extract = _worker().read_bytes(_latex(path), path.name)
    elif path.is_file():
        extract = read_extract(path)
    else:
        raise UnreadableDocument(str(path), "missing", "there is no such file")
    return to_document(extract, paper or Paper(_stem(path.name), "file", ""))


def _latex(path: Path) -> bytes:
    """A LaTeX paper in one piece: a .tex or a folder of some, with what they take in."""
    if not path.exists():
        raise UnreadableDocument(str(path), "missing", "there is no such file")
    root = path if path.is_dir() else path.parent
    mains = [file for file in sorted(path.rglob("*.tex")) if is_whole(file)] if path.is_dir() else [path]
    if not mains:
        raise UnreadableDocument(str(path), "no-source", "no .tex in this folder is a LaTeX document")
    return packed(list(dict.fromkeys([*mains, *(part for main in mains for part in parts_of(main, root))])), root)


def read_extract(path: Path, reading: Reading | None = None) -> Extract:
    """What the readers get out of a file, read in the warm worker. Raises `UnreadableDocument`."""
    return _worker().read(path, reading)


def to_document(extract: Extract, paper: Paper) -> Document:
    """The document of a paper; a paper without a title takes the one that the text states, or its first heading."""
    heading = next((s.title for s in extract.sections if s.title and s.title.casefold() not in _NO_TITLES), "")
    title = paper.title or extract.title or heading or paper.id
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
    found = form_of(name)
    return found[0] if found else name
