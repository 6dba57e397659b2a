"""Whether a span of a PDF page can be seen: by what PyMuPDF says of it, and where that leaves a doubt, by drawing the page.

The page is drawn with and without its text, and what makes no difference was not to be seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any

from harvest.readers.shapes import FAINTEST, Box, Boxes, Shape, are_alike, area, common, covers_of, luminance

_SMALLEST = 2.0  # points; below this nobody reads
_LIGHT = 200  # luminance, of 255, from which letters need something darker behind them
_DIFFERENCE = 10  # of 255 grey levels: less is not seen
_LEAST_INK = 0.03  # of the area of the letters: what a page must change by where letters are taken from it (print: 0.2 to 0.5)
_DRAWN = 16 | 32 | 64  # PyMuPDF's char_flags filled, stroked and clip path; none: text render mode 3
_CLIP_PATH = 64

Span = dict[str, Any]
Bare = Callable[[], Any]  # the page without its text


class Doubts:
    """Which spans of a page need a second look, and what it shows.

    `blocks` are PyMuPDF's in the order in which they are drawn, `drawn` gives their lines, `bare` draws the page without text.
    """

    def __init__(self, page: Any, box: Box, shapes: Sequence[Shape], blocks: Sequence[tuple[Any, ...]], drawn: Any, bare: Bare) -> None:
        self._page, self._box, self._bare, self._drawn = page, box, bare, drawn
        self._covers = Boxes(covers_of(shapes, blocks))
        self._grounds = [shape for shape in shapes if shape.is_thick and shape.filled]
        self._alike: dict[int, Boxes] = {}  # grounds by the colour of letters that may be lost on them

    def unseen(self, lines: Iterable[dict[str, Any]]) -> dict[int, str]:
        """The reason for each span (by its `id`) that a person does not see."""
        found: dict[int, str] = {}
        fading = may_fade(self._page)
        nothing_near = not fading and not self._covers and not self._grounds
        for line in lines:
            for span in line["spans"]:
                if nothing_near and _is_plain(span, self._box):
                    continue
                if re.search(r"\w", span["text"]):
                    why = _stated(span, self._box) or self._looked_at(span, line["dir"], fading)
                    if why:
                        found[id(span)] = why
        return found

    def _looked_at(self, span: Span, direction: tuple[float, float], fading: bool) -> str:
        covers = self._covers.holding(span["bbox"])
        covers = [shape for shape in covers if shape.order > self._order(span)] if covers else covers
        if covers and any(shape.opaque and self._is_written_over(span, shape) for shape in covers):
            return "covered"
        why = "covered" if covers else self._doubt(span) or ("transparent" if fading else "")
        return why if why and not self._makes_a_difference(span, direction, why == "white") else ""

    def _doubt(self, span: Span) -> str:
        """What may hide a span that nothing covers."""
        colour = span["color"]
        if span["alpha"] < 128 or not span["char_flags"] & _DRAWN & ~_CLIP_PATH:
            return "transparent"
        if not _is_dark(colour):
            return "white"
        if colour not in self._alike:
            self._alike[colour] = Boxes(shape for shape in self._grounds if are_alike(colour, shape.colour))
        return "colour-of-background" if self._alike[colour].holding(span["bbox"]) else ""

    def _is_written_over(self, span: Span, cover: Shape) -> bool:
        """Whether other text stands on what covers all of a span, so that its place does not tell whether the span is seen."""
        box = span["bbox"]
        if common(cover.box, box) < 0.85 * area(box):
            return False
        later = (other for pieces in self._pieces.values() for order, other, _ in pieces if order > cover.order)
        return any(common(other, box) > 0.5 * area(box) for other in later)

    def _order(self, span: Span) -> int:
        """When the last piece of a span is drawn: shapes in between part it in PyMuPDF's list of what is drawn, not in its lines."""
        x0, _, x1, _ = span["bbox"]
        pieces = self._pieces.get(round(span["origin"][1]), ())
        return max((order for order, box, text in pieces if x0 - 1 < box[0] < x1 and text in span["text"]), default=0)

    @cached_property
    def _pieces(self) -> dict[int, list[tuple[int, Box, str]]]:
        """Spans by the height of their baseline: when they are drawn, their boxes, their text."""
        found: dict[int, list[tuple[int, Box, str]]] = {}
        for block in self._drawn.extractDICT()["blocks"]:
            for span in (span for line in block.get("lines", ()) for span in line["spans"] if span["text"].strip()):
                found.setdefault(round(span["origin"][1]), []).append((block["number"], span["bbox"], span["text"].strip()))
        return found

    def _makes_a_difference(self, span: Span, direction: tuple[float, float], is_light: bool) -> bool:
        """Whether the page would look different without this span; light letters must have made it more like themselves."""
        seen, bare, scale = self._pictures
        x, y, _, _ = self._box
        x0, y0, x1, y1 = span["bbox"]
        left, right, top, bottom = (round(place * scale) for place in (x0 - x, x1 - x, y0 - y, y1 - y))
        spot = slice(max(top, 0), max(bottom, top + 1, 0)), slice(max(left, 0), max(right, left + 1, 0))
        changed = abs(seen[spot] - bare[spot]) > _DIFFERENCE
        if is_light:  # other letters may stand in the same place
            changed &= abs(seen[spot] - luminance(span["color"])) < abs(bare[spot] - luminance(span["color"]))
        inked = int(changed.sum())
        letters = sum(not sign.isspace() for sign in span["text"])
        straight = max(abs(part) for part in direction) > 0.99
        size = (x1 - x0) * (y1 - y0) * letters / len(span["text"]) if straight else letters * span["size"] ** 2 / 2
        return bool(inked >= _LEAST_INK * size * scale * scale)

    @cached_property
    def _pictures(self) -> tuple[Any, Any, float]:
        """The page with and without its text (grey, rows and columns of pixels), and pixels per point."""
        import numpy
        import pymupdf

        scale = min(1.4, (4e6 / max(area(self._box), 1.0)) ** 0.5)
        look = {"matrix": self._page.derotation_matrix * pymupdf.Matrix(scale, scale), "colorspace": pymupdf.csGRAY}
        seen, bare = (
            numpy.frombuffer(drawn.samples_mv, numpy.uint8).reshape(drawn.height, drawn.stride)[:, : drawn.width].astype(numpy.int16)
            for drawn in (self._page.get_pixmap(**look), self._bare().get_pixmap(**look))
        )
        return seen, bare, scale


def _is_plain(span: Span, page: Box) -> bool:
    """Whether a span is dark and drawn, of some size and on the page, as nearly all are."""
    x0, y0, x1, y1 = span["bbox"]
    return bool(
        span["alpha"] == 255
        and span["char_flags"] & _DRAWN & ~_CLIP_PATH
        and _is_dark(span["color"])
        and x0 >= page[0]
        and y0 >= page[1]
        and x1 <= page[2]
        and y1 <= page[3]
        and y1 - y0 >= _SMALLEST
        and x1 - x0 >= _SMALLEST
    )


@lru_cache(maxsize=10_000)
def _is_dark(colour: int) -> bool:
    return luminance(colour) <= _LIGHT


def _stated(span: Span, page: Box) -> str:
    """Why a span cannot be seen by what PyMuPDF says of it; empty if that is not enough to say."""
    x0, y0, x1, y1 = span["bbox"]
    if not span["char_flags"] & _DRAWN:
        return "invisible"
    if span["alpha"] < FAINTEST and not span["char_flags"] & _CLIP_PATH:
        return "transparent"
    thickness = min(x1 - x0, y1 - y0) if len(span["text"]) > 2 else y1 - y0
    if thickness < _SMALLEST and (min(span["size"], thickness) < _SMALLEST or not x1 - x0):
        return "tiny"
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return "" if page[0] <= x <= page[2] and page[1] <= y <= page[3] else "off-page"


def may_fade(page: Any) -> bool:
    """Whether a page has groups and a state that makes whole groups transparent: no letter says so of itself."""
    from pymupdf import mupdf

    resources = mupdf.pdf_dict_get_inheritable(page.this.pdf_page_from_fz_page().obj(), mupdf.pdf_new_name("Resources"))
    return _fades(resources, 3)


def _fades(resources: Any, depth: int) -> bool:
    forms = [form for form in _values(resources, "XObject") if form.pdf_dict_gets("Subtype").pdf_to_name() == "Form"]
    if any(form.pdf_dict_gets("Group").m_internal for form in forms):
        for state in _values(resources, "ExtGState"):
            opacity = state.pdf_dict_gets("ca")
            if state.pdf_dict_gets("SMask").pdf_is_dict() or (opacity.m_internal and opacity.pdf_to_real() * 255 < FAINTEST):
                return True
    return depth > 0 and any(_fades(form.pdf_dict_gets("Resources"), depth - 1) for form in forms[:50])


def _values(resources: Any, name: str) -> list[Any]:
    listed = resources.pdf_dict_gets(name)
    return [listed.pdf_dict_get_val(place) for place in range(min(listed.pdf_dict_len(), 200))]
