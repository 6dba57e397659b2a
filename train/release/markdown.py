"""Markdown in which foreign text stays text: titles come from papers, names from YAML, and neither may become a link or HTML."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

_MEANING = re.compile(r"([\\`*_{}\[\]#|~$!])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def one_line(text: str) -> str:
    """Text on one line: no control characters, no marks that turn the direction of writing, single spaces."""
    kept = "".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in text)
    return " ".join("".join(sign for sign in kept if unicodedata.bidirectional(sign) not in _DIRECTIONS).split())


_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def escaped(text: str) -> str:
    """Foreign text as a piece of a paragraph, heading or table cell."""
    text = re.sub("[&<>]", lambda found: _ENTITIES[found[0]], one_line(text))
    # A bare address would become a link on the hub; a zero-width joiner would spoil copying, so the colon is escaped.
    return re.sub(r"(?<=[a-z]):(?=//)", r"\:", _MEANING.sub(r"\\\1", text)).replace("www.", r"www\.").replace("@", "&#64;")


def code(text: str) -> str:
    """Foreign text as code inside a line, also inside a table."""
    return f"`{one_line(text).replace('`', chr(39)).replace('|', chr(92) + '|') or '-'}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table's lines, then an empty one; the cells are Markdown already."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def block(language: str, *lines: str) -> Iterator[str]:
    """Lines of code, fenced; they must hold no fence of their own."""
    yield f"```{language}"
    yield from lines
    yield "```"
    yield ""
