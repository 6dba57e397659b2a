"""What stands on every page and is no part of the text: running heads, page numbers, stamps and line numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from harvest.readers.visible import Line

_MARGIN = 0.1  # of the height of a page: where running heads and feet stand
_PAGE_NUMBER = re.compile(
    r"^[-–—\s|·•]*(?:page\s*|p\.\s*|第\s*)?(?:\d{1,4}|[ivxlcdm]{1,7})(?:\s*(?:of|/|页，?共)\s*\d{1,4})?(?:\s*页)?[-–—\s|·•]*$",
    re.IGNORECASE,
)


def without_furniture(pages: Sequence[Sequence[Line]], heights: Sequence[float]) -> list[list[Line]]:
    """The lines of each page without those that repeat at the same place of other pages, and without page numbers."""
    seen: Counter[tuple[str, int]] = Counter()
    for lines, height in zip(pages, heights, strict=True):
        seen.update({key for line in lines if (key := _place(line, height))})
    least = 2 if len(pages) <= 5 else max(3, len(pages) // 10)
    return [
        _without_line_numbers([line for line in lines if not _is_furniture(line, height, seen, least)])
        for lines, height in zip(pages, heights, strict=True)
    ]


def _is_furniture(line: Line, height: float, seen: Counter[tuple[str, int]], least: int) -> bool:
    if not _near_edge(line, height):
        return False
    if _PAGE_NUMBER.match(line.text.strip()):
        return True
    if not line.level:
        return True
    key = _place(line, height)
    return key is not None and sum(seen[key[0], key[1] + shift] for shift in (-1, 0, 1)) >= least


def _near_edge(line: Line, height: float) -> bool:
    return line.y1 < _MARGIN * height or line.y0 > (1 - _MARGIN) * height or (not line.level and line.height > 60 and line.x1 < 60)


def _place(line: Line, height: float) -> tuple[str, int] | None:
    """A running line by its words without numbers, and its place to some points."""
    if not _near_edge(line, height):
        return None
    words = re.sub(r"\d+|\b[ivxlc]+\b", "#", line.text.strip().lower())
    return (words, round(line.y0 / 6)) if words else None


def _without_line_numbers(lines: list[Line]) -> list[Line]:
    """Drafts number their lines on the left margin."""
    numbers = [line for line in lines if re.fullmatch(r"\d{1,4}", line.text.strip())]
    if len(numbers) < 15:
        return lines
    edge = min((line.x0 for line in lines if len(line.text) > 30), default=0.0)
    marginal = {id(line) for line in numbers if line.x1 <= edge + 2}
    return [line for line in lines if id(line) not in marginal] if len(marginal) >= 15 else lines
