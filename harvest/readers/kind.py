"""What a file is, by its bytes: names and content types lie."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal[
    "pdf", "gzip", "tar", "latex", "html", "epub", "docx", "text",
    "empty", "lfs-pointer", "xml", "rtf", "opendocument", "spreadsheet", "slides", "old-office", "postscript", "djvu", "image", "zip",
    "archive", "binary",
]  # fmt: skip

_HTML = re.compile(
    rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|frameset)\b", re.IGNORECASE | re.DOTALL
)
_XML = re.compile(rb"^\s*<(?:\?xml|!DOCTYPE)\b", re.IGNORECASE)
_LATEX = re.compile(
    rb"\\(?:documentclass|documentstyle|begin\s*\{|section\b|input\b|title\b|chapter\b|usepackage|def\b|magnification|bye\b)"
)
_SIGNS: dict[bytes, Kind] = {
    b"\x1f\x8b": "gzip",
    b"{\\rtf": "rtf",
    b"%!PS": "postscript",
    b"\xc5\xd0\xd3\xc6": "postscript",
    b"\x04%!PS": "postscript",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "old-office",
    b"AT&TFORM": "djvu",
    b"\xff\xd8\xff": "image",
    b"\x89PNG\r\n": "image",
    b"GIF8": "image",
    b"II*\x00": "image",
    b"MM\x00*": "image",
    b"\x00\x00\x00\x0cjP": "image",
    b"BZh": "archive",
    b"\xfd7zXZ\x00": "archive",
    b"7z\xbc\xaf\x27\x1c": "archive",
    b"Rar!\x1a": "archive",
    b"\x1f\x9d": "archive",
}
_MEMBER = re.compile(rb"PK\x03\x04.{22}(?P<length>..)..", re.DOTALL)
_OFFICE: dict[bytes, Kind] = {b"word/": "docx", b"xl/": "spreadsheet", b"ppt/": "slides", b"META-INF/container.xml": "epub"}

DESCRIPTIONS: dict[Kind, str] = {
    "html": "it is a web page, not a document",
    "empty": "it is empty",
    "lfs-pointer": "it is a Git LFS pointer, the document itself was not downloaded",
    "text": "it is plain text, neither LaTeX nor PDF",
    "binary": "its bytes are those of no document that is known here",
    "tar": "it is a tar archive",
    "gzip": "it is a gzip stream",
    "pdf": "it is a PDF",
    "latex": "it is LaTeX",
    "epub": "it is an EPUB",
    "docx": "it is a Word document",
    "xml": "it is XML other than a web page",
    "rtf": "it is rich text (RTF); save it as DOCX",
    "opendocument": "it is an OpenDocument file; save it as DOCX",
    "spreadsheet": "it is a spreadsheet, not a document",
    "slides": "it is a slide show; save it as PDF",
    "old-office": "it is a file of Office before 2007; save it as DOCX",
    "postscript": "it is PostScript; convert it to PDF",
    "djvu": "it is a DjVu scan; convert it to PDF",
    "image": "it is a picture, not a document",
    "zip": "it is a zip archive with no document of its own kind; unpack it",
    "archive": "it is an archive of a kind that is not opened here; unpack it",
}


def kind_of(data: bytes) -> Kind:
    """The kind of a file from its bytes (the first 64 KiB are enough but for a DOCX, whose parts may come in any order)."""
    if not data.strip(b"\x00 \r\n\t"):
        return "empty"
    if data.startswith(b"PK\x03\x04"):
        return _zip_kind(data)
    found = next((kind for sign, kind in _SIGNS.items() if data.startswith(sign)), None)
    if found is not None:
        return found
    start = _plain(data[:4096])
    if b"%PDF-" in data[:1024] and not _HTML.match(start):
        return "pdf"
    if data[257:262] == b"ustar":
        return "tar"
    return _text_kind(data, start)


def _text_kind(data: bytes, start: bytes) -> Kind:
    if data.startswith(b"version https://git-lfs.github.com/spec/"):
        return "lfs-pointer"
    if _HTML.match(start):
        return "html"
    if b"\x00" in data[:65536] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "binary"
    if _XML.match(start):
        return "html" if b"http://www.w3.org/1999/xhtml" in start else "xml"
    return "latex" if _LATEX.search(data[:65536].replace(b"\x00", b"")) else "text"


def _plain(start: bytes) -> bytes:
    """The first bytes as ASCII shows them, without a byte order mark and the zeros of UTF-16."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return start[2:].replace(b"\x00", b"")
    return start.removeprefix(b"\xef\xbb\xbf")


def _zip_kind(data: bytes) -> Kind:
    """What a zip archive holds, from the names of its members as they stand before each of them."""
    names = [data[m.end() : m.end() + int.from_bytes(m["length"], "little")] for m in _MEMBER.finditer(data)]
    if names[:1] == [b"mimetype"]:
        said = data[38:120]
        return "epub" if said.startswith(b"application/epub+zip") else "opendocument" if b"vnd.oasis.opendocument" in said else "zip"
    return next((kind for name in names for start, kind in _OFFICE.items() if name.startswith(start)), "zip")
