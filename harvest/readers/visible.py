"""The lines of a PDF page, in PyMuPDF's order; which of their spans a person can see, `harvest.readers.hidden` says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from harvest.readers.extract import INVISIBLE

_BOLD = re.compile(r"bold|black|heavy|demi|(?:^|[-+,])(?:cmbx|cmb\d|sfbx|nimbus\w*-(?:medi|bold))|[-.]BI?(?:\+\w+)?$|medi$", re.IGNORECASE)
_ITALIC = re.compile(r"ital|obli|slanted|cmti|cmsl|(?:^|[-+,])(?:sfti|sfsl)|[-.](?:BI|I)(?:\+\w+)?$", re.IGNORECASE)
_MONO = re.compile(r"mono|courier|consol|typewriter|cmtt|(?:^|[-+,])(?:sftt|ectt|lmtt|pcr)", re.IGNORECASE)
_PI_FONT = re.compile(r"AdvP[0-9A-F]{4,}|AdvPi\d|MathematicalPi")
_PI = str.maketrans({"ð": "(", "Þ": ")", "¼": "=", "þ": "+", "½": "[", "ﬃ": None})
_PI_LARGE = str.maketrans({"ð": "(", "Þ": ")", "¼": "=", "þ": "+", "½": "[", "ﬃ": None, "p": "√", "q": "√", "r": "√", "s": "√"})
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00a0": " ", "\u2010": "-", "\u2011": "-"}
)


@dataclass(slots=True)
class Line:
    """A run of text on one baseline: box in points from the top left, size of most letters, page from 0.

    `level` says that it runs from left to right, unlike vertical writing and stamps on a margin; `turn` how often its page must be
    turned by 90 degrees clockwise to make it so, None for vertical and oblique writing. `base` is the place of its baseline from the
    top (from the left if it is turned once or three times). `mono`: of letters of one width; `font` is that of most letters. `role`
    says what it is if not text: "table" for rows written as Markdown, which stay as they are.
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
    base: float = 0.0
    italic: bool = False
    mono: bool = False
    turn: int | None = 0
    font: str = ""
    role: str = ""

    @property
    def height(self) -> float:
        """Height of the box in points."""
        return self.y1 - self.y0


def lines_of(raw: Iterable[dict[str, Any]], number: int) -> list[Line]:
    """Lines of page `number` (from 0) from PyMuPDF's dictionaries of lines."""
    return [line for one in raw if (line := _line(one["spans"], one, number))]


def _line(spans: list[dict[str, Any]], raw: dict[str, Any], number: int) -> Line | None:
    text = plain(_joined(spans, raw))
    if not text.strip():
        return None
    main, bold, italic, mono = _main_look(spans)
    x0, y0, x1, y1 = raw["bbox"]
    size, turn = round(main["size"] * 2) / 2, _turn(raw)
    base = main["origin"][turn in (0, 2, None)]
    if turn == 0 and y1 - y0 > 2.5 * size:  # fonts may claim any height
        y0, y1 = max(y0, base - 1.2 * size), min(y1, base + 0.5 * size)
    return Line(text, x0, y0, x1, y1, size, bold, number, turn == 0, base, italic, mono, turn, main["font"])


def _turn(raw: dict[str, Any]) -> int | None:
    if raw["wmode"]:
        return None
    across, down = raw["dir"]
    if abs(across) > 0.95:
        return 0 if across > 0 else 2
    if abs(down) > 0.95:
        return 1 if down < 0 else 3
    return None


def _main_look(spans: list[dict[str, Any]]) -> tuple[dict[str, Any], bool, bool, bool]:
    """The first span of the size that most letters have, and whether most letters are bold, italic, of one width."""
    if len(spans) == 1:
        return spans[0], *_look(spans[0]["font"], spans[0]["flags"])
    letters: dict[float, float] = {}
    first: dict[float, dict[str, Any]] = {}
    looks = [0.0, 0.0, 0.0]
    for span in spans:
        count = sum(map(str.isalnum, span["text"])) or (0.1 if span["text"].strip() else 0)  # signs say little of how a line looks
        if count:
            size = round(span["size"] * 2) / 2
            letters[size] = letters.get(size, 0.0) + count
            first.setdefault(size, span)
            for place, has in enumerate(_look(span["font"], span["flags"])):
                looks[place] += count * has
    least = 0.7 * sum(letters.values())
    bold, italic, mono = (count >= least for count in looks)
    return first[max(letters, key=lambda size: letters[size])], bold, italic, mono


def _joined(spans: list[dict[str, Any]], raw: dict[str, Any]) -> str:
    """The text of the spans of a line; between two fonts PyMuPDF leaves out spaces, so a gap as wide as one is one."""
    text = _deciphered(spans[0]) if spans else ""
    across = raw["dir"][0] > 0.95
    for before, span in pairwise(spans):
        piece = _deciphered(span)
        if across and span["bbox"][0] - before["bbox"][2] > _SPACE * min(span["size"], before["size"]):
            text += " " + piece if piece[:1].strip() and text[-1:].strip() else piece
        else:
            text += piece
    return text


def _deciphered(span: dict[str, Any]) -> str:
    """The text of a span; fonts of signs that APS and Elsevier print with say Icelandic letters for brackets and sums."""
    text: str = span["text"]
    if not _is_pi(span["font"]):
        return text
    return text.translate(_PI_LARGE if "\ufb03" in text else _PI)


@cache
def _is_pi(font: str) -> bool:
    return _PI_FONT.match(font) is not None


@cache
def _look(font: str, flags: int) -> tuple[bool, bool, bool]:
    """Whether a font is bold, italic, of one width, by its flags or its name."""
    return bool(flags & 16 or _BOLD.search(font)), bool(flags & 2 or _ITALIC.search(font)), bool(flags & 8 or _MONO.search(font))


def plain(text: str) -> str:
    """Text of a span with ligatures and loose accents resolved, nothing invisible, single spaces."""
    if text.isascii() and text.isprintable() and "  " not in text and "`" not in text:  # as most is
        return text.replace(" ", "") if _SPACED.fullmatch(text) else text
    text = text.translate(_LIGATURES)
    if "\u200b" in text:  # some writers put a zero-width space where others put a space
        text = re.sub("\u200b+", "" if " " in text.strip() or len(text) < 20 else " ", text)
    if _LOOSE_ACCENT.search(text):
        text = _LOOSE_ACCENT.sub(_composed, text)
    text = re.sub(r"\s+", " ", INVISIBLE.sub("", text))
    return text.replace(" ", "") if _SPACED.fullmatch(text) else text


_SPACE = 0.2  # of the size of letters: a gap between two fonts that is a space
_SPACED = re.compile(r"\s?(?:[^\W\d_] ){4,}[^\W\d_]\s?")  # a b s t r a c t
_LOOSE_ACCENT = re.compile(r"([´`¨ˆ˜ˇ¸˚¯])([A-Za-zı])")  # as TeX's old fonts print them: the accent, then the letter
_COMBINING = dict(zip("´`¨ˆ˜ˇ¸˚¯", "\u0301\u0300\u0308\u0302\u0303\u030c\u0327\u030a\u0304", strict=True))


def _composed(match: re.Match[str]) -> str:
    letter = "i" if match[2] == "ı" else match[2]
    composed = unicodedata.normalize("NFC", letter + _COMBINING[match[1]])
    return composed if len(composed) == 1 else match[0]
