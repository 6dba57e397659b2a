"""PDF files to text with PyMuPDF: visible lines, reading order, paragraphs, headings; references cut.

PyMuPDF opens almost anything without complaint, so the bytes are looked at first and the result is judged after.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from harvest.readers.columns import gutters, reading_order
from harvest.readers.extract import Block, Extract, UnreadableDocument, lay_out, without_references
from harvest.readers.furniture import without_furniture
from harvest.readers.kind import DESCRIPTIONS, kind_of
from harvest.readers.paragraphs import to_blocks
from harvest.readers.versions import PDF
from harvest.readers.visible import Line, visible_lines

MAX_PAGES = 2000


def read_pdf(data: bytes, name: str) -> Extract:
    """Read the bytes of a PDF; `name` is for messages. Raises `UnreadableDocument`."""
    import pymupdf

    kind = kind_of(data)
    if kind != "pdf":
        raise UnreadableDocument(name, "empty" if kind == "empty" else "not-a-document", DESCRIPTIONS[kind])
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    try:
        with pymupdf.open(stream=data, filetype="pdf") as file:
            _check(file, data, name)
            return _extract(file, name)
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
    if file.page_count == 0:
        raise UnreadableDocument(name, "no-pages", "it has no pages that can be read")
    if file.page_count > MAX_PAGES:
        raise UnreadableDocument(name, "too-large", f"it has {file.page_count} pages, more than {MAX_PAGES}")


def _extract(file: Any, name: str) -> Extract:
    hidden: Counter[str] = Counter()
    pages = [visible_lines(page, page.number, hidden) for page in file]
    warnings = [f"{count} characters of hidden text were dropped: {reason}" for reason, count in hidden.items()]
    if not any(pages):
        said = "its text is all hidden" if hidden else "it has no text layer, as a scan without text recognition"
        raise UnreadableDocument(name, "no-text", said)
    kept = without_furniture(pages, [page.rect.height for page in file])
    found = gutters(kept, [page.rect.width for page in file])
    columns = [column for lines, gutter in zip(kept, found, strict=True) for column in reading_order(lines, gutter)]
    title = _title(kept, file)
    blocks = without_references(_without_title(to_blocks(columns), title))
    text, sections = lay_out(blocks)
    letters = len(re.findall(r"\w", text))
    if letters < 20:
        raise UnreadableDocument(name, "no-text", f"it has only {letters} letters of text")
    if text.count("\ufffd") * 10 > letters:
        raise UnreadableDocument(name, "no-text", "the letters of its fonts have no known meaning")
    return Extract(text, sections, title, PDF, tuple(warnings))


def _title(pages: list[list[Line]], file: Any) -> str:
    """The title of the metadata where the first page shows it too; else the largest lines in the upper half of that page."""
    first = next((lines for lines in pages if lines), [])
    height = file[first[0].page].rect.height if first else 0
    upper = [line for line in first if line.level and line.y0 < 0.55 * height and len(re.findall(r"\w", line.text)) > 2]
    stated = re.sub(r"\s+", " ", (file.metadata or {}).get("title") or "").strip()
    if len(stated) > 12 and _letters(stated) in _letters("".join(line.text for line in first)):
        return stated
    if upper:
        size = max(line.size for line in upper)
        largest = _run([line for line in sorted(upper, key=lambda line: line.y0) if line.size > 0.93 * size])
        body = Counter(line.size for lines in pages for line in lines).most_common(1)[0][0]
        text = " ".join(line.text.strip() for line in sorted(largest, key=lambda line: (round(line.y0), line.x0)))
        if len(largest) <= 5 and size > 1.1 * body and 4 < len(text) < 300:
            return re.sub(r"\s+", " ", text).strip()
    return ""


def _run(lines: list[Line]) -> list[Line]:
    """The lines from the first on that stand close below each other."""
    kept = lines[:1]
    for line in lines[1:]:
        if line.y0 - kept[-1].y1 > 1.2 * line.size:
            break
        kept.append(line)
    return kept


def _without_title(blocks: list[Block], title: str) -> list[Block]:
    """The title of the paper heads no section of it."""
    plain = _letters(title)
    return [block for block in blocks if not (plain and _letters(block.text) == plain)]


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text).lower()
