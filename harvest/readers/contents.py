"""Tables of contents and lists of figures: headings with the numbers of their pages, which the text says again in their place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harvest.readers.visible import Line

_TITLE = re.compile(
    r"^(?:table of )?contents$|^list of (?:figures|tables)$|^inhalt(?:sverzeichnis)?$|^sommaire$"
    r"|^目\s*录$|^(?:图形?|表格?|插图)\s*(?:列表|目录|清单)$",
    re.IGNORECASE,
)
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*(?:\d{1,4}|[ivxlc]{1,7})?\s*$|(?:[·…⋅∙․‥]\s?){3,}\s*\d{0,4}\s*$")
_ENTRY = re.compile(r"\S.*\s(?:\d{1,4}|[ivxlc]{1,7})$|^\d{1,4}$")
_LEAST = 3  # entries that make a table


def without_contents(columns: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Columns in reading order without lines that lead to a page by dots, and without what below "Contents" ends in numbers of pages."""
    lines = [line for column in columns for line in column]
    dropped = {id(line) for line in lines if _LEADERS.search(line.text) and re.search(r"[^\W\d_]{2}", line.text)}
    if len(dropped) < _LEAST:
        dropped = set()
    for at, line in enumerate(lines):
        if _TITLE.match(line.text.strip()):
            entries = _entries(lines, at + 1, dropped)
            if len(entries) >= _LEAST:
                dropped |= {id(line), *(id(entry) for entry in entries)}
    left = [[line for line in column if id(line) not in dropped] for column in columns]
    return [column for column in left if column]


def _entries(lines: Sequence[Line], start: int, known: set[int]) -> list[Line]:
    """The lines from here on that are entries, with the first lines of those that have two."""
    entries: list[Line] = []
    waiting: list[Line] = []
    for line in lines[start:]:
        if id(line) in known or _ENTRY.search(line.text.strip()):
            entries += [*waiting, line]
            waiting = []
        else:
            waiting.append(line)
        if len(waiting) > 1:
            break
    return entries
