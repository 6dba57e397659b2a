"""A document behind an address: the file itself, or the PDF that the web page there names; kept under the name that its bytes earn."""

from __future__ import annotations

import os
import zlib
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from harvest.download import Downloaded, Downloader
from harvest.readers.kind import DESCRIPTIONS, Kind, kind_of
from harvest.records import Paper
from harvest.sources.kept import Kept, describe, read_kept, verified, write_kept
from harvest.sources.offer import Refused
from harvest.store import load
from harvest.webpage import web_page

_NAMES: dict[Kind, str] = {
    "pdf": "paper.pdf",
    "html": "paper.html",
    "epub": "paper.epub",
    "docx": "paper.docx",
    "text": "paper.txt",
    "latex": "source.tex",
    "tar": "source.tar",
    "gzip": "source.gz",
}
FORM = "document"  # what files.json calls a file that came from a plain address
_PAGES: tuple[Kind, ...] = ("html", "text")
_PROMISING = (".pdf", ".gz", ".tar", ".tgz", ".tex", ".epub", ".docx")


def promises_document(url: str) -> bool:
    """Whether the path of an address ends like a file that is no web page."""
    return urlsplit(url).path.lower().endswith(_PROMISING)


def fetch_document(net: Downloader, url: str, folder: Path, *, pages: bool) -> Downloaded:
    """Bring a document into `folder`; `pages` says whether a web page or plain text may be the document itself.

    A page that names a PDF (`citation_pdf_url`) stands for it; that is followed once. Raises `Refused`.
    """
    got = net.fetch(url, folder / ".download")
    if got.kind == "html":
        page = web_page(got.path.read_bytes())
        if page.pdf:
            got = _named_pdf(net, got, page.pdf, folder)
        elif not pages or page.door:
            raise _no_document(got, page.title, page.door)
    if got.kind not in _NAMES or (not pages and got.kind in _PAGES):
        got.path.unlink()
        raise Refused("wrong-type", f"{got.url}: {DESCRIPTIONS[got.kind]}", lasting=True)
    return _kept(got, folder)


def _named_pdf(net: Downloader, page: Downloaded, link: str, folder: Path) -> Downloaded:
    got = net.fetch(urljoin(page.url, link), folder / ".download")
    if got.kind == "html":
        there = web_page(got.path.read_bytes())
        raise _no_document(got, there.title, there.door, f"the page {page.url} names a PDF, but ")
    return got


def _no_document(got: Downloaded, title: str, door: str, before: str = "") -> Refused:
    """A web page in place of a document; it is deleted."""
    got.path.unlink()
    said = f" ({title!r})" if title else ""
    does = f" that {door}" if door else " that names no PDF" if not before else ""
    return Refused("no-access" if door else "wrong-type", f"{before}{got.url} gives a web page{said}{does}, not a document", lasting=True)


def _kept(got: Downloaded, folder: Path) -> Downloaded:
    """Give the file its name and note its checksum (files.json), by which later runs see that it is still what came."""
    name = _gzip_name(got.path) if got.kind == "gzip" else _NAMES[got.kind]
    with got.path.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(got.path, folder / name)
    write_kept(folder, Kept().with_file(name, describe(folder / name, FORM, "")))
    return replace(got, path=folder / name)


def recheck(place: Path, identifier: str) -> None:
    """Let a paper be fetched again whose files are not what came, or whose record another source left there half-way."""
    record = place / "paper.json"
    if not record.exists():
        return
    before = read_kept(place).files
    if load(record, Paper).id != identifier or verified(place).files.keys() != before.keys():
        record.unlink()


def _gzip_name(path: Path) -> str:
    """What is packed, from its first bytes only: unpacking is for the sandbox."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    try:
        start = zlib.decompressobj(wbits=31).decompress(head, 1 << 16)
    except zlib.error:
        return "source.gz"
    return {"tar": "source.tar.gz", "pdf": "paper.pdf.gz"}.get(kind_of(start), "source.gz")
