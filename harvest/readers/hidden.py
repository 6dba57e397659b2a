"""What the pages of a PDF say without showing it: found, kept out of the text, and listed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harvest.readers.doubts import Doubts
from harvest.readers.shapes import Box, Shape, area, common, shapes_of
from harvest.records import HiddenText

MOST_LISTED = 200  # pieces of hidden text of one document; the rest is only counted
LONGEST_LISTED = 500  # characters of one piece

_OF_A_TEXT_LAYER = ("invisible", "transparent", "covered")  # how the text of a scan lies under or over its picture


@dataclass
class Sheet:
    """A page as it is seen: raw lines (dictionaries of PyMuPDF) of visible spans, and the shapes around them."""

    page: Any
    lines: list[dict[str, Any]] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    unseen: frozenset[tuple[int, int]] = frozenset()  # hidden spans: number of the line on the page, number in the line
    is_ocr: bool = False  # its text lies unseen over or under a picture of the page

    @cached_property
    def box(self) -> Box:
        """What of the page is printed, in points, before it is turned: PyMuPDF gives text and shapes so."""
        return 0.0, 0.0, float(self.page.cropbox.width), float(self.page.cropbox.height)

    @cached_property
    def is_picture(self) -> bool:
        """Whether images cover most of the page."""
        images = [common(shape.box, self.box) for shape in self.shapes if shape.colour is None]
        return sum(images) > 0.6 * (area(self.box) or 1.0)

    def letters(self) -> list[list[tuple[str, float, float, float, float]]]:
        """The visible letters of each line and their boxes; asked of few pages, for it takes longer than the lines."""
        raw = [line for block in _textpage(self.page).extractRAWDICT()["blocks"] for line in block.get("lines", ())]
        return [
            [
                (sign["c"], *sign["bbox"])
                for place, span in enumerate(line["spans"])
                if (number, place) not in self.unseen
                for sign in span["chars"]
            ]
            for number, line in enumerate(raw)
            if line["dir"][0] > 0.95
        ]


def _textpage(page: Any) -> Any:
    """The text of a page within and beside its edges, without what is clipped away."""
    import pymupdf

    return page.get_textpage(flags=pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_CLIP, clip=pymupdf.INFINITE_RECT())


class Sight:
    """The eyes of a reader on one document; `hidden` grows page by page."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.hidden: list[HiddenText] = []
        self.letters: Counter[str] = Counter()  # of hidden text, by reason
        self._bare: Any = None

    def sheet(self, page: Any) -> Sheet:
        """What of one `pymupdf.Page` can be seen."""
        import pymupdf

        everywhere = pymupdf.INFINITE_RECT()
        text = _textpage(page)
        drawn = page.get_textpage(
            flags=pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_COLLECT_VECTORS | pymupdf.TEXT_PRESERVE_IMAGES, clip=everywhere
        )
        blocks = drawn.extractBLOCKS()
        sheet = Sheet(page, shapes=list(shapes_of(blocks)))
        lines = [line for block in text.extractDICT()["blocks"] for line in block.get("lines", ())]
        unseen = Doubts(page, sheet.box, sheet.shapes, blocks, drawn, lambda: self.bare(page)).unseen(lines)
        self._part(sheet, lines, unseen)
        if _signs(block[4] for block in blocks if not block[6]) > _signs(span["text"] for line in lines for span in line["spans"]):
            self._list_clipped(page.number, drawn.extractText(), text.extractText())
        self._list_notes(page)
        return sheet

    def _part(self, sheet: Sheet, lines: list[dict[str, Any]], unseen: dict[int, str]) -> None:
        """Give a sheet the lines without the spans that are not seen, and list those."""
        sheet.lines = lines
        if not unseen:
            return
        sheet.is_ocr = _is_text_layer(sheet, lines, unseen)
        if sheet.is_ocr:
            unseen = {key: why for key, why in unseen.items() if why not in _OF_A_TEXT_LAYER}
        sheet.lines = [_without(line, unseen) for line in lines]
        sheet.unseen = frozenset(
            (number, place) for number, line in enumerate(lines) for place, span in enumerate(line["spans"]) if id(span) in unseen
        )
        self._list(sheet.page.number, lines, unseen)

    def bare(self, page: Any) -> Any:
        """The same page without its text, in a second copy of the document. The copy is changed, the document is not."""
        import pymupdf

        self._bare = self._bare or self._copy()
        self._bare.xref_set_key(self._bare[page.number].xref, "Annots", "null")
        bare = self._bare[page.number]
        bare.add_redact_annot(pymupdf.Rect(-1e5, -1e5, 1e5, 1e5), fill=False, cross_out=False)
        bare.apply_redactions(
            images=pymupdf.PDF_REDACT_IMAGE_NONE, graphics=pymupdf.PDF_REDACT_LINE_ART_NONE, text=pymupdf.PDF_REDACT_TEXT_REMOVE
        )
        return bare

    def _copy(self) -> Any:
        """The document once more, to be changed."""
        import pymupdf

        copy = pymupdf.open(stream=self.file.stream, filetype="pdf")
        if copy.needs_pass:
            copy.authenticate("")
        return copy

    def hidden_layers(self) -> None:
        """List the text of layers (optional content) that are switched off; PyMuPDF gives none of it out as text."""
        import pymupdf

        off = (self.file.get_layer() or {}).get("off")
        if not off:
            return
        with self._copy() as switched:
            switched.set_layer(-1, on=sorted(switched.get_ocgs()), off=[])
            data = switched.tobytes()  # MuPDF looks at layers only when it opens a file
        with pymupdf.open(stream=data, filetype="pdf") as every:
            for page, full in zip(self.file, every, strict=True):
                self.note(page.number, "hidden-layer", _more(full.get_text(), page.get_text()))

    def note(self, number: int, reason: str, text: str) -> None:
        """Keep a record of hidden text of the page with this number (from 0)."""
        text = re.sub(r"\s+", " ", text).strip()
        if not text:
            return
        self.letters[reason] += len(text)
        if len(self.hidden) < MOST_LISTED:
            self.hidden.append(HiddenText(number + 1, reason, text[:LONGEST_LISTED]))

    def _list(self, number: int, lines: Iterable[dict[str, Any]], unseen: dict[int, str]) -> None:
        """One record for each run of spans that are hidden for the same reason."""
        run, text = "", ""
        for line in lines:
            for span in line["spans"]:
                why = unseen.get(id(span), "" if span["text"].strip() else run)
                if why != run:
                    self.note(number, run, text)
                    run, text = why, ""
                text += span["text"] if why else ""
            text += " "
        self.note(number, run, text)

    def _list_clipped(self, number: int, all_: str, within: str) -> None:
        if _signs([all_]) > _signs([within]):
            self.note(number, "clipped", _more(all_, within))

    def _list_notes(self, page: Any) -> None:
        """What hidden annotations and form fields hold; PyMuPDF gives none of it out as text."""
        import pymupdf

        for note in [*page.annots(), *page.widgets()] if page.first_annot or page.first_widget else ():
            flags = int((page.parent.xref_get_key(note.xref, "F")[1] or "0").replace("null", "0"))
            if flags & (pymupdf.PDF_ANNOT_IS_HIDDEN | pymupdf.PDF_ANNOT_IS_NO_VIEW):
                said = note.field_value if hasattr(note, "field_value") else note.info.get("content")
                self.note(page.number, "hidden-annotation", str(said or ""))


def _is_text_layer(sheet: Sheet, lines: Iterable[dict[str, Any]], unseen: dict[int, str]) -> bool:
    """Whether what is not seen is the text of a scan: a picture of the page, and hardly any text that is seen."""
    if not sheet.is_picture:
        return False
    spans = [span for line in lines for span in line["spans"]]
    layer = sum(len(span["text"]) for span in spans if unseen.get(id(span)) in _OF_A_TEXT_LAYER)
    return layer > sum(len(span["text"]) for span in spans if id(span) not in unseen)


def _without(line: dict[str, Any], unseen: dict[int, str]) -> dict[str, Any]:
    if not any(id(span) in unseen for span in line["spans"]):
        return line
    return {**line, "spans": [span for span in line["spans"] if id(span) not in unseen]}


def _signs(texts: Iterable[str]) -> int:
    """How many signs other than spaces there are."""
    return sum(map(len, "".join(texts).split()))


def _more(full: str, part: str) -> str:
    """The lines of one text that another lacks, in their order."""
    left = Counter(full.split("\n")) - Counter(part.split("\n"))
    lines = []
    for line in full.split("\n"):
        if left[line] > 0:
            left[line] -= 1
            lines.append(line)
    return " ".join(lines)
