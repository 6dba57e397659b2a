"""A PDF in the making, for tests of the PDF reader."""

from __future__ import annotations

from typing import Any

import pymupdf as _pymupdf

from harvest.readers.extract import Extract
from harvest.readers.pdf import read_pdf

pymupdf: Any = _pymupdf
WORDS = [
    "The ring stores electrons for many hours and the beam is kept stable by feedback.",
    "Every magnet was measured before it was placed on its girder in the tunnel.",
    "The vacuum of the arcs is held by small pumps that run without any oil.",
    "A klystron feeds the cavity through a waveguide that is filled with dry air.",
]


class Sheet:
    """A PDF in the making."""

    def __init__(self) -> None:
        self.file = pymupdf.open()
        self.page = self.file.new_page(width=595, height=842)

    def new(self) -> None:
        self.page = self.file.new_page(width=595, height=842)

    def line(self, x: float, y: float, text: str, size: float = 10, **look: Any) -> None:
        self.page.insert_text((x, y), text, fontsize=size, **look)

    def lines(self, x: float, y: float, texts: list[str], size: float = 10, pitch: float = 12) -> float:
        for text in texts:
            self.line(x, y, text, size)
            y += pitch
        return y

    def read(self) -> Extract:
        return read_pdf(self.file.tobytes(), "x.pdf")


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many letters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
