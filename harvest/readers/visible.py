"""The lines of a PDF page that a person can see, in PyMuPDF's order; what is hidden is counted, not read."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harvest.readers.extract import INVISIBLE

_SMALLEST = 3.0  # points; below this nobody reads
_FILLED_OR_STROKED = 16 | 32  # PyMuPDF's char_flags; neither: text render mode 3
_BOLD = re.compile(r"bold|black|heavy|demi|(?:^|[-+,])(?:cmbx|cmb\d|sfbx|nimbus\w*-(?:medi|bold))|[-.]B$|medi$", re.IGNORECASE)
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00a0": " ", "\u2010": "-", "\u2011": "-"}
)

Box = tuple[float, float, float, float]


@dataclass(slots=True)
class Line:
    """A run of text on one baseline: box in points from the top left, size of most letters, page from 0.

    `level` says that it runs from left to right, unlike vertical writing and stamps on a margin.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    bold: bool
    page: int
    level: bool = True

    @property
    def height(self) -> float:
        """Height of the box in points."""
        return self.y1 - self.y0


def visible_lines(page: Any, number: int, hidden: Counter[str]) -> list[Line]:
    """The lines of one `pymupdf.Page`; hidden letters are counted by reason."""
    import pymupdf

    sheet = _Sheet(page)
    lines = []
    for block in page.get_text("dict", flags=pymupdf.TEXT_PRESERVE_WHITESPACE)["blocks"]:
        for raw in block.get("lines", ()):
            line = _line([span for span in raw["spans"] if _is_visible(span, sheet, hidden)], raw, number)
            if line:
                lines.append(line)
    return lines


class _Sheet:
    """A page as it looks in print; drawn only if a question about a light span comes, and then once."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.x0, self.y0, self.x1, self.y1 = page.rect

    @cached_property
    def is_scan(self) -> bool:
        """Whether an image covers most of the page, as under the text layer of an OCR."""
        rect = self.page.rect
        return any(bool(abs(rect & info["bbox"]) > 0.6 * (abs(rect) or 1.0)) for info in self.page.get_image_info())

    @cached_property
    def _picture(self) -> tuple[memoryview, int, int, float]:
        """Grey bytes, width, height, and pixels per point."""
        import pymupdf

        scale = min(1.4, (4e6 / max(abs(self.page.rect), 1.0)) ** 0.5)
        drawn = self.page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csGRAY)
        return memoryview(drawn.samples), drawn.width, drawn.height, scale

    def is_blank(self, box: Box) -> bool:
        """Whether a place shows one colour only: what is drawn there cannot be seen."""
        grey, width, height, scale = self._picture
        left, right = (min(max(int((x - self.x0) * scale), 0), width) for x in (box[0], box[2] + 1))
        top, bottom = (min(max(int((y - self.y0) * scale), 0), height) for y in (box[1], box[3] + 1))
        rows = [grey[y * width + left : y * width + right] for y in range(top, bottom)]
        rows = [row for row in rows if len(row)]
        return not rows or bool(max(map(max, rows)) - min(map(min, rows)) < 16)

    def is_outside(self, box: Box) -> bool:
        """Whether a place is not on the page."""
        return bool(box[2] < self.x0 or box[0] > self.x1 or box[3] < self.y0 or box[1] > self.y1)


def _is_visible(span: dict[str, Any], sheet: _Sheet, hidden: Counter[str]) -> bool:
    letters = len(span["text"].strip())
    if not letters:
        return True
    reason = _hidden_reason(span, sheet)
    if reason:
        hidden[reason] += letters
    return not reason


def _hidden_reason(span: dict[str, Any], sheet: _Sheet) -> str:
    """Why a person cannot see this span; empty if they can."""
    drawn = span.get("char_flags", 16) & _FILLED_OR_STROKED and span.get("alpha", 255) > 12
    if not drawn:
        return "" if sheet.is_scan else "transparent or not drawn"
    if span["size"] < _SMALLEST and _thickness(span) < _SMALLEST:
        return "too small to see"
    if sheet.is_outside(span["bbox"]):
        return "outside the page"
    if _is_light(span["color"]) and sheet.is_blank(span["bbox"]):
        return "in the colour of the background"
    return ""


def _thickness(span: dict[str, Any]) -> float:
    """The height of letters from their box, whichever way they run: a font of size 1 may be drawn enlarged."""
    x0, y0, x1, y1 = span["bbox"]
    return float(min(x1 - x0, y1 - y0) if len(span["text"]) > 2 else y1 - y0)


def _is_light(colour: int) -> bool:
    red, green, blue = colour >> 16 & 255, colour >> 8 & 255, colour & 255
    return 0.299 * red + 0.587 * green + 0.114 * blue > 200


def _line(spans: list[dict[str, Any]], raw: dict[str, Any], number: int) -> Line | None:
    text = _plain("".join(span["text"] for span in spans))
    if not text.strip():
        return None
    weights: Counter[float] = Counter()
    bold = total = 0
    for span in spans:
        count = len(span["text"].strip())
        weights[round(span["size"] * 2) / 2] += count
        total += count
        if span["flags"] & 16 or _BOLD.search(span["font"]):
            bold += count
    size, level = weights.most_common(1)[0][0], raw["dir"][0] > 0.95
    x0, y0, x1, y1 = raw["bbox"]
    return Line(text, x0, y0, x1, y1, size, bold * 10 >= total * 7, number, level)


def _plain(text: str) -> str:
    text = text.translate(_LIGATURES)
    if "\u200b" in text:  # some writers put a zero-width space where others put a space
        text = re.sub("\u200b+", "" if " " in text.strip() or len(text) < 20 else " ", text)
    if _LOOSE_ACCENT.search(text):
        text = _LOOSE_ACCENT.sub(_composed, text)
    return re.sub(r"\s+", " ", INVISIBLE.sub("", text))


_LOOSE_ACCENT = re.compile(r"([´`¨ˆ˜ˇ¸˚¯])([A-Za-zı])")  # as TeX's old fonts print them: the accent, then the letter
_COMBINING = dict(zip("´`¨ˆ˜ˇ¸˚¯", "\u0301\u0300\u0308\u0302\u0303\u030c\u0327\u030a\u0304", strict=True))


def _composed(match: re.Match[str]) -> str:
    letter = "i" if match[2] == "ı" else match[2]
    composed = unicodedata.normalize("NFC", letter + _COMBINING[match[1]])
    return composed if len(composed) == 1 else match[0]
