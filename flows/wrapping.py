"""Foreign text for a terminal: wrapped by the width of its signs, and without the signs that command a terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from wcwidth import wcwidth

# Scripts without spaces between words: a line may end after any of their signs, but must not begin with what closes a clause.
_WIDE = r"\u2e80-\u2fdf\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CLOSING = r"、。，．！？；：）］｝〕〉》」』】〗’”…·"
_OPENING = r"（［｛〔〈《「『【〖‘“"
_UNITS = re.compile(rf"\s+|[{_OPENING}]*[{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}{_OPENING}]+|[{_OPENING}]+")


def harmless(text: str) -> str:
    """Text that only prints: escape sequences lose their beginning, marks that turn the direction of writing go; line breaks stay."""
    return "".join(sign for sign in text.replace("\t", " ") if sign == "\n" or unicodedata.category(sign) not in _SILENT)


_SILENT = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def width_of(text: str) -> int:
    """Columns that harmless text takes."""
    return sum(max(wcwidth(sign), 0) for sign in text)


def wrapped(text: str, width: int, indent: str = "  ") -> Iterator[str]:
    """Lines of at most `width` columns, each behind `indent`; a word wider than that is cut."""
    room = max(width - width_of(indent), 4)  # a wide sign must fit
    for paragraph in harmless(text).split("\n"):
        if paragraph.strip():
            yield from (f"{indent}{line}" for line in _filled(paragraph.strip(), room))


def _filled(paragraph: str, room: int) -> Iterator[str]:
    line = ""
    for unit in _UNITS.findall(paragraph):
        if unit.isspace():
            line += " " if line else ""
        elif width_of(line) + width_of(unit) <= room:
            line += unit
        else:
            if line.strip():
                yield line.rstrip()
            *whole, line = _cut(unit, room)
            yield from whole
    if line.strip():
        yield line.rstrip()


def _cut(word: str, room: int) -> list[str]:
    """A word in pieces that fit."""
    pieces = [""]
    for sign in word:
        if width_of(pieces[-1] + sign) > room:
            pieces.append("")
        pieces[-1] += sign
    return pieces
