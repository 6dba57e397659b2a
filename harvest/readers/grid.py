"""Letters of a page to words, words to rows, rows to the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harvest.readers.visible import plain

_VOTES = 0.25  # of the rows have a gap where columns meet
_CROSSING = 0.25  # as many rows as this part of those with a gap may have words there: cells that span columns


Letter = tuple[str, float, float, float, float]  # a sign and its box


@dataclass(frozen=True, slots=True)
class Word:
    """Letters without a space between them, or several such words as one; its box in points."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float


def words_of(lines: Iterable[Sequence[Letter]]) -> list[Word]:
    """The words of lines, from their letters."""
    words: list[Word] = []
    for line in lines:
        start = None
        for place, (sign, x0, *_) in enumerate([*line, (" ", 0.0, 0.0, 0.0, 0.0)]):
            apart = start is not None and (sign.isspace() or x0 - line[place - 1][3] > 0.5 * (line[start][4] - line[start][2]))
            if start is not None and apart:
                piece = line[start:place]
                text = plain("".join(letter[0] for letter in piece)).strip()
                if text:
                    words.append(Word(text, piece[0][1], min(p[2] for p in piece), piece[-1][3], max(p[4] for p in piece)))
                start = None
            if start is None and not sign.isspace():
                start = place
    return words


def rows_of_words(words: Sequence[Word]) -> list[list[Word]]:
    """Words that stand side by side, from top to bottom; indices belong to the row that they stand in most."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word.y0 + word.y1) / 2):
        middle = (word.y0 + word.y1) / 2
        if rows and any(
            piece.y0 < middle < piece.y1 and abs(middle - (piece.y0 + piece.y1) / 2) < 0.6 * (piece.y1 - piece.y0) for piece in rows[-1]
        ):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [sorted(row, key=lambda word: word.x0) for row in rows]


def chunks_of(row: Sequence[Word]) -> list[Word]:
    """Words of a row with no more than a space between them as one."""
    chunks = [row[0]]
    for word in row[1:]:
        last = chunks[-1]
        gap = word.x0 - last.x1
        if gap < 0.55 * min(last.y1 - last.y0, word.y1 - word.y0):
            text = f"{last.text} {word.text}" if gap > 0.5 else last.text + word.text
            chunks[-1] = Word(text, last.x0, min(last.y0, word.y0), max(last.x1, word.x1), max(last.y1, word.y1))
        else:
            chunks.append(word)
    return chunks


def columns_of(rows: Sequence[Sequence[Word]]) -> list[tuple[float, float]]:
    """The left and right ends of columns: between them many rows have a gap, and few have words."""
    left = min(chunk.x0 for row in rows for chunk in row)
    right = max(chunk.x1 for row in rows for chunk in row)
    gaps, words = [0] * (int(right - left) + 2), [0] * (int(right - left) + 2)
    for row in rows:
        for chunk in row:
            _count(words, chunk.x0 - left, chunk.x1 - left)
        for one, other in pairwise(row):
            _count(gaps, one.x1 - left + 1, other.x0 - left - 1)
    least = max(2, _VOTES * len(rows))
    parted = [gap >= least and word <= _CROSSING * gap for gap, word in zip(gaps, words, strict=True)]
    columns: list[tuple[float, float]] = []
    start = 0
    for x, (before, here) in enumerate(pairwise([*parted, True]), 1):
        if here and not before:
            columns.append((left + start, left + x))
        elif before and not here:
            start = x
    return _filled(columns, rows)


def _count(places: list[int], start: float, end: float) -> None:
    for x in range(int(start), int(end) + 1):
        places[x] += 1


def _filled(columns: Sequence[tuple[float, float]], rows: Sequence[Sequence[Word]]) -> list[tuple[float, float]]:
    """Columns without those in which hardly any row has a cell of its own: ends of long cells, which belong to the column before."""
    kept: list[tuple[float, float]] = []
    for start, end in columns:
        own = sum(any(start <= (chunk.x0 + chunk.x1) / 2 <= end and chunk.x0 > start - 3 for chunk in row) for row in rows)
        if kept and own < max(1.5, 0.15 * len(rows)):
            kept[-1] = (kept[-1][0], end)
        else:
            kept.append((start, end))
    return kept
