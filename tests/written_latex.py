"""LaTeX typed in a test, read as an article."""

from __future__ import annotations

from harvest.readers.extract import Extract
from harvest.readers.latex import read_latex

LONG = "This sentence is here so that the document has enough words to be one."


def body(text: str, preamble: str = "", kind: str = "article") -> Extract:
    """The extract of a document with this body."""
    whole = f"\\documentclass{{{kind}}}\n{preamble}\n\\begin{{document}}\n{text}\n\n{LONG}\n\\end{{document}}"
    return read_latex(whole.encode(), "x.tex")


def text_of(text: str, preamble: str = "", kind: str = "article") -> str:
    """Its text without the sentence that makes it long enough."""
    return body(text, preamble, kind).text.removesuffix(LONG).strip()
