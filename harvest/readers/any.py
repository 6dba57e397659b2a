"""Any file to an extract, by what its bytes say: LaTeX in whatever wrapping, PDF, web pages, Markdown, text, EPUB, Word.

The name decides only what bytes cannot tell: whether a text is Markdown, and whether a text was meant to be read at all, for a
server that answers "Rate exceeded." in place of a PDF answers in plain text.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from harvest.readers.extract import Extract, Reading, UnreadableDocument
from harvest.readers.kind import DESCRIPTIONS, Kind, kind_of
from harvest.readers.source import inner_bytes

_MARKDOWN = (".md", ".markdown", ".mkd", ".mdown")
_TEXT = (".txt", ".text", ".asc", "")
_HTML = (".html", ".htm", ".xhtml")
_WHOLE_LATEX = re.compile(rb"\s*(?:%[^\n]*\n\s*)*\\(?:documentclass|documentstyle|magnification|input\b)")


def read_bytes(data: bytes, name: str, reading: Reading | None = None) -> Extract:
    """Read the bytes of a file; raises `UnreadableDocument`."""
    kind = kind_of(data)
    if kind == "gzip":
        inside = inner_bytes(data, name)
        inner = kind_of(inside)
        if inner not in ("gzip", "tar", "latex", "text", "empty"):
            return read_bytes(inside, name.removesuffix(".gz"), reading)
        data, kind = (inside, inner) if inner == "text" else (data, "latex")
    return _read(data, name, _named(kind, data, name), reading)


def _read(data: bytes, name: str, kind: Kind | str, reading: Reading | None) -> Extract:
    """Hand the bytes to the reader of their kind; readers are loaded when they are needed."""
    if kind in ("latex", "tar"):
        from harvest.readers.latex import read_latex

        return read_latex(data, name)
    if kind == "pdf":
        from harvest.readers.pdf import read_pdf

        return _outlined(read_pdf(data, name, reading), data)
    if kind == "html":
        from harvest.readers.html import read_html

        return read_html(data, name)
    if kind == "markdown":
        from harvest.readers.markdown import read_markdown

        return read_markdown(data, name)
    if kind == "plain":
        from harvest.readers.text import read_text

        return read_text(data, name)
    if kind == "epub":
        from harvest.readers.epub import read_epub

        return read_epub(data, name)
    if kind == "docx":
        from harvest.readers.docx import read_docx

        return read_docx(data, name)
    raise UnreadableDocument(name, "empty" if kind == "empty" else "not-a-document", DESCRIPTIONS[kind])  # type: ignore[index]


def _outlined(extract: Extract, data: bytes) -> Extract:
    """A PDF with the headings of its outline, where it has one."""
    if not extract.pages:
        return extract
    from harvest.readers.outline import follow_outline, outline_of

    return follow_outline(extract, outline_of(data))


def _named(kind: Kind, data: bytes, name: str) -> Kind | str:
    """The kind of a text by its name: Markdown and prose may quote TeX, and a page may begin anywhere in its HTML."""
    suffix = PurePath(name.lower().removesuffix(".gz")).suffix or (".gz" if name.lower().endswith(".gz") else "")
    if kind == "latex" and suffix in (*_MARKDOWN, *_TEXT[:-1], *_HTML) and _WHOLE_LATEX.match(data[:65536]):
        return kind
    if kind not in ("text", "latex") or (kind == "latex" and suffix in ("", ".tex")):
        return kind
    return "markdown" if suffix in _MARKDOWN else "html" if suffix in _HTML else "plain" if suffix in _TEXT else kind
