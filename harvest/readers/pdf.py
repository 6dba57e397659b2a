"""PDF files to text with PyMuPDF: visible lines, reading order, paragraphs, headings; references cut.

PyMuPDF opens almost anything without complaint, so the bytes are looked at first and the result is judged after.
"""

from __future__ import annotations

import re
from typing import Any

from harvest.readers.assemble import to_blocks
from harvest.readers.columns import reading_order
from harvest.readers.extract import Block, Extract, Reading, UnreadableDocument, lay_out_pages, split_references
from harvest.readers.figures import without_figure_text
from harvest.readers.furniture import without_furniture
from harvest.readers.gutters import gutters
from harvest.readers.kind import DESCRIPTIONS, kind_of
from harvest.readers.leaf import Leaf, upright
from harvest.readers.mupdf import load_pymupdf
from harvest.readers.pages import Seen, judge, see
from harvest.readers.paragraphs import body_size
from harvest.readers.title import letters_of, title_of_paper
from harvest.readers.versions import PDF
from harvest.records import Page

MAX_PAGES = 2000


def read_pdf(data: bytes, name: str, reading: Reading | None = None) -> Extract:
    """Read the bytes of a PDF; `name` is for messages. Raises `UnreadableDocument`."""
    pymupdf = load_pymupdf()
    kind = kind_of(data)
    if kind != "pdf":
        raise UnreadableDocument(name, "empty" if kind == "empty" else "not-a-document", DESCRIPTIONS[kind])
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    try:
        with pymupdf.open(stream=data, filetype="pdf") as file:
            _check(file, data, name)
            return _extract(file, name, reading or Reading())
    except (pymupdf.FileDataError, pymupdf.mupdf.FzErrorBase) as error:
        raise UnreadableDocument(name, *_broken(data, error)) from error


def _broken(data: bytes, error: Exception) -> tuple[str, str]:
    if b"%%EOF" not in data[-4096:]:
        return "truncated", "its end is missing, it was cut off"
    return "damaged", f"it is a damaged PDF ({str(error).splitlines()[0][:120]})"


def _check(file: Any, data: bytes, name: str) -> None:
    if file.needs_pass and not file.authenticate(""):
        raise UnreadableDocument(name, "encrypted", "it is encrypted and needs a password")
    if b"%%EOF" not in data[-4096:] and b"startxref" not in data[-4096:] and file.is_repaired:
        raise UnreadableDocument(name, "truncated", "its end is missing, it was cut off")
    if not file.is_pdf:
        raise UnreadableDocument(name, "not-a-document", "it only begins like a PDF")
    if file.page_count == 0:
        raise UnreadableDocument(name, "no-pages", "it has no pages that can be read")
    if file.page_count > MAX_PAGES:
        raise UnreadableDocument(name, "too-large", f"it has {file.page_count} pages, more than {MAX_PAGES}")


def _extract(file: Any, name: str, reading: Reading) -> Extract:
    seen = see(file, name, reading)
    leaves = _leaves(seen)
    by_page = [reading_order(leaf.lines, gutter) for leaf, gutter in zip(leaves, gutters(leaves), strict=True)]
    judged, quality = judge(seen, by_page, reading.min_quality)
    columns = [column for page, verdict in zip(by_page, judged, strict=True) for column in page if not verdict.reason]
    title = title_of_paper(leaves, str((file.metadata or {}).get("title") or ""))
    blocks, references = split_references(_without_title(to_blocks(columns), title))
    text, sections, spans = lay_out_pages(blocks)
    letters = len(re.findall(r"\w", text))
    if letters < 20:
        raise UnreadableDocument(name, "no-text", f"it has only {letters} letters of text")
    if text.count("\ufffd") * 10 > letters:
        raise UnreadableDocument(name, "no-text", "the letters of its fonts have no known meaning")
    pages = tuple(Page(number, spans.get(number, ()), verdict.score, verdict.reason) for number, verdict in enumerate(judged, 1))
    return Extract(text, sections, title, PDF, tuple(seen.warnings), references, pages, seen.hidden, quality)


def _leaves(seen: Seen) -> list[Leaf]:
    """The pages upright, without what is no text of the paper: running heads, numbers of pages and lines, letters in figures."""
    leaves = []
    for number, (lines, sheet) in enumerate(zip(seen.lines, seen.sheets, strict=True)):
        leaves.append(upright(Leaf(number, *sheet.box[2:], lines, tuple(shape.box for shape in sheet.shapes))))
    size = body_size([line for leaf in leaves for line in leaf.lines])
    return without_figure_text(without_furniture(leaves), size)


def _without_title(blocks: list[Block], title: str) -> list[Block]:
    """The title of the paper heads no section of it."""
    plain = letters_of(title)
    return [block for block in blocks if not (plain and letters_of(block.text) == plain)]
