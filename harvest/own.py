"""A lab's own texts as Documents, in one call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from harvest.licence import licence_id
from harvest.readers.extract import Block, lay_out
from harvest.records import UNKNOWN_LICENCE, Document, Paper
from harvest.store import sha256_text

_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*?)[ \t]*#*")


def document(
    id: str,
    text: str,
    *,
    title: str = "",
    authors: Iterable[str] = (),
    licence: str = UNKNOWN_LICENCE,
    published: str | None = None,
    url: str | None = None,
) -> Document:
    """A Document of a text that is not a file: an entry of a logbook, a page of a Wiki, a row of a database.

    Paragraphs are separated by blank lines; one that begins with a line like `## Heading` opens a section. Invisible
    characters are removed. `licence` is an SPDX id, `published` a date such as 2026-11-03. Raises `ValueError` for an
    empty id, an empty text, or a licence that is none.
    """
    if not id.strip():
        raise ValueError("a document needs an id that is not empty")
    laid_out, sections = lay_out(_blocks(text))
    if not laid_out:
        raise ValueError(f"the document {id!r} has no text")
    urls = (url,) if url else ()
    paper = Paper(id, "python", title or id, tuple(authors), licence=licence_id(licence), published=published, urls=urls)
    return Document(id, paper, sections, laid_out, sha256_text(laid_out), "python")


def _blocks(text: str) -> Iterator[Block]:
    for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = paragraph.strip().split("\n")
        while lines and (heading := _HEADING.fullmatch(lines[0].strip())):
            yield Block(heading[2], len(heading[1]))
            lines = lines[1:]
        yield Block("\n".join(lines))
