"""The pages of a PDF: what can be seen on each, recognised where it is a picture, and judged once its lines are in order."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harvest.readers.extract import Reading, UnreadableDocument
from harvest.readers.hidden import Sheet, Sight
from harvest.readers.ocr import missing, recognised
from harvest.readers.quality import Quality, document_quality, legibility, page_quality
from harvest.readers.shapes import Box, Shape
from harvest.readers.tables import with_tables
from harvest.readers.visible import Line, lines_of
from harvest.records import HiddenText

OCR_SECONDS = 75.0  # for all pages of a document: what is not recognised by then is left out, and named
_FEW = 200  # letters beside which a picture of the whole page counts as a scan
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ground:
    """What is left of a page beside its lines: the box that is printed, before it is turned, and what is drawn on it, in points."""

    box: Box
    shapes: tuple[Shape, ...]


@dataclass(slots=True)
class Seen:
    """What was seen of a document: lines page by page (empty where there are none), hidden text, and the pages that are pictures."""

    name: str
    lines: list[list[Line]] = field(default_factory=list)
    sheets: list[Ground] = field(default_factory=list)
    hidden: tuple[HiddenText, ...] = ()
    warnings: list[str] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)  # pages (from 0) that show something but have no text
    recognised: list[int] = field(default_factory=list)  # pages (from 0) read by text recognition
    lacking: str = ""  # what must be installed before they can be recognised


def see(file: Any, name: str, reading: Reading) -> Seen:
    """Look at all pages of a `pymupdf.Document`; those that are pictures or garbled are recognised if Tesseract is there."""
    sight, seen = Sight(file), Seen(name, lacking=missing(reading.ocr_language))
    recognition = _Recognition(reading, not seen.lacking)
    for page in file:
        sheet = sight.sheet(page)
        lines = lines_of(sheet.lines, page.number)
        better = recognition.lines(sheet, lines)
        lines = better or with_tables(sheet, lines)
        if sheet.shapes and not lines:
            seen.pictures.append(page.number)
        seen.lines.append(lines)
        seen.sheets.append(Ground(sheet.box, tuple(sheet.shapes)))
    sight.hidden_layers()
    seen.hidden, seen.recognised = tuple(sight.hidden), recognition.done
    seen.warnings += [f"{count} characters of hidden text were dropped: {reason}" for reason, count in sight.letters.items()]
    seen.warnings += [f"text recognition (OCR) read {_named(recognition.done)}"] if recognition.done else []
    seen.warnings += [f"text recognition took too long and left out {_named(recognition.late)}"] if recognition.late else []
    return seen


class _Recognition:
    """Text recognition of the pages of one document that need it, for as long as it may take."""

    def __init__(self, reading: Reading, is_there: bool) -> None:
        self.reading, self.is_there = reading, is_there
        self.done: list[int] = []
        self.late: list[int] = []
        self._end = 0.0

    def lines(self, sheet: Sheet, lines: list[Line]) -> list[Line]:
        """The lines that recognition finds, if they say more or more readably than those that are there; else none."""
        if not self.is_there or not (_is_scan(sheet, lines) or legibility(lines).score < self.reading.min_quality):
            return []
        self._end = self._end or time.monotonic() + OCR_SECONDS
        if time.monotonic() > self._end:
            self.late.append(sheet.page.number)
            return []
        found = lines_of(recognised(sheet, self.reading.ocr_language), sheet.page.number)
        mine, its = legibility(lines), legibility(found, recognised=True)
        _log.info("page %d recognised: %d letters, quality %.2f", sheet.page.number + 1, its.letters, its.score)
        more = its.letters > 3 * mine.letters or mine.score < self.reading.min_quality
        if not (more and its.letters and its.score >= self.reading.min_quality):
            return []
        self.done.append(sheet.page.number)
        return found


def judge(seen: Seen, columns: Sequence[Sequence[Sequence[Line]]], least: float) -> tuple[list[Quality], float]:
    """The quality of every page, from its lines in reading order, and of the document; a page below `least` has a reason, others none.

    Raises `UnreadableDocument` where no page has text (no-text) or the document as a whole is below `least` (low-quality).
    """
    pages = [_judged(page, columns[page], seen, least) for page in range(len(columns))]
    texts = [page for page in pages if page.letters]
    if not texts:
        raise UnreadableDocument(seen.name, "no-text", _nothing(seen))
    whole = document_quality(texts, len(seen.pictures))
    if whole < least:
        raise UnreadableDocument(seen.name, *_too_low(seen, texts, whole, least))
    left = [number for number, page in enumerate(pages) if page.reason]
    for reason in sorted({pages[number].reason for number in left}):
        seen.warnings.append(f"{_named(number for number in left if pages[number].reason == reason)} left out: {reason}")
    return pages, whole


def _judged(number: int, columns: Sequence[Sequence[Line]], seen: Seen, least: float) -> Quality:
    if number in seen.pictures:
        return Quality(0.0, "no-text-layer")
    quality = page_quality(columns, number in seen.recognised)
    return quality if quality.score < least else replace(quality, reason="")


def _nothing(seen: Seen) -> str:
    """Why there is no text at all."""
    if seen.pictures and seen.lacking:
        return f"it is a scan without text; {seen.lacking}"
    if seen.pictures:
        return "it is a scan or a picture, in which text recognition found no text"
    return "its text is all hidden" if seen.hidden else "its pages are blank"


def _too_low(seen: Seen, texts: Sequence[Quality], whole: float, least: float) -> tuple[str, str]:
    if document_quality(texts, 0) >= least:
        wanted = f"; {seen.lacking}" if seen.lacking else ""
        return "no-text", f"{len(seen.pictures)} of its {len(seen.lines)} pages are scans without text{wanted}"
    worst = max(texts, key=lambda page: (1 - page.score) * page.letters)
    return "low-quality", f"its text is of quality {whole:.2f}, below {least:g} ({worst.reason or 'garbled-words'})"


def _is_scan(sheet: Sheet, lines: Sequence[Line]) -> bool:
    """Whether a page is to be looked at as a picture: one covers it, or letters are drawn as areas, and it has hardly any text."""
    if sheet.is_ocr:
        return False
    if sheet.is_picture:
        return sum(len(re.findall(r"\w", line.text)) for line in lines) < _FEW
    return bool(sheet.shapes) and not any(re.search(r"\w", line.text) for line in lines)


def _named(pages: Iterable[int]) -> str:
    """Pages (from 0) in words, counted from 1, runs joined: pages 1-3, 7."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and runs[-1][1] == page:
            runs[-1][1] = page + 1
        else:
            runs.append([page + 1, page + 1])
    words = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
    return f"{'page' if len(runs) == 1 and runs[0][0] == runs[0][1] else 'pages'} {words}"
