"""Any file to an extract, by what its bytes say: LaTeX in whatever wrapping, or PDF, gzipped or not."""

from __future__ import annotations

from harvest.readers.extract import Extract, UnreadableDocument
from harvest.readers.kind import DESCRIPTIONS, kind_of
from harvest.readers.latex import read_latex
from harvest.readers.pdf import read_pdf
from harvest.readers.source import inner_bytes


def read_bytes(data: bytes, name: str) -> Extract:
    """Read the bytes of a file; raises `UnreadableDocument`."""
    kind = kind_of(data)
    if kind == "gzip":
        inside = inner_bytes(data, name)
        if kind_of(inside) == "pdf":
            return read_pdf(inside, name)
    if kind in ("latex", "gzip", "tar"):
        return read_latex(data, name)
    if kind == "pdf":
        return read_pdf(data, name)
    raise UnreadableDocument(name, "empty" if kind == "empty" else "not-a-document", DESCRIPTIONS[kind])
