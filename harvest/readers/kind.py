"""What a file is, by its bytes: names and content types lie."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["pdf", "gzip", "tar", "latex", "html", "empty", "lfs-pointer", "text", "binary"]

_HTML = re.compile(rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_LATEX = re.compile(
    rb"\\(?:documentclass|documentstyle|begin\s*\{|section\b|input\b|title\b|chapter\b|usepackage|def\b|magnification|bye\b)"
)

DESCRIPTIONS: dict[Kind, str] = {
    "html": "it is a web page, not a document",
    "empty": "it is empty",
    "lfs-pointer": "it is a Git LFS pointer, the document itself was not downloaded",
    "text": "it is plain text, neither LaTeX nor PDF",
    "binary": "its bytes are neither LaTeX nor PDF nor an archive of LaTeX",
    "tar": "it is a tar archive",
    "gzip": "it is a gzip stream",
    "pdf": "it is a PDF",
    "latex": "it is LaTeX",
}


def kind_of(data: bytes) -> Kind:
    """The kind of a file from its bytes (the first 64 KiB are enough)."""
    if not data.strip(b"\x00 \r\n\t"):
        return "empty"
    if data.startswith(b"\x1f\x8b"):
        return "gzip"
    if b"%PDF-" in data[:1024] and not _HTML.match(data[:1024]):
        return "pdf"
    if data[257:262] == b"ustar":
        return "tar"
    return _text_kind(data)


def _text_kind(data: bytes) -> Kind:
    if data.startswith(b"version https://git-lfs.github.com/spec/"):
        return "lfs-pointer"
    if _HTML.match(data[:4096]):
        return "html"
    if b"\x00" in data[:65536] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "binary"
    return "latex" if _LATEX.search(data.replace(b"\x00", b"")[:65536]) else "text"
