"""The references of a PDF: where they begin and end, and line by line which entry they belong to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from harvest.readers.extract import REFERENCES, are_references
from harvest.readers.paragraphs import Paragraph
from harvest.readers.visible import Line

_BRACKETED = re.compile(r"^\[[^\[\]\s][^\[\]]{0,24}\]")
_NUMBER = re.compile(r"^(?:\[(\d{1,4})\]|\(?(\d{1,4})[.)]?(?=\s|[^\W\d_]))")
_LEAST = 4  # entries with growing numbers that are references even without a heading


def mark_references(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
    """The paragraphs, those of a bibliography cut anew so that each is one entry; their role is then reference."""
    done: list[Paragraph] = []
    start, ends = _unannounced(paragraphs)
    at = 0
    while at < len(paragraphs):
        paragraph = paragraphs[at]
        if paragraph.role == "heading" and REFERENCES.match(paragraph.text):
            stop = _stop(paragraphs, at + 1)
            entries = _entries(paragraphs[at + 1 : stop])
            texts = [" ".join(line.text for line in entry.lines) for entry in entries if entry.role == "reference"]
            done += [paragraph, *(entries if are_references(texts) else paragraphs[at + 1 : stop])]
        elif at == start:
            stop = ends
            done += _entries(paragraphs[at:stop])
        else:
            stop = at + 1
            done.append(paragraph)
        at = stop
    return done


def _stop(paragraphs: Sequence[Paragraph], start: int) -> int:
    """Where references that a heading announces end: at the next heading, or at text that is set larger."""
    size = next((p.size for p in paragraphs[start:] if p.role in ("text", "note")), 0.0)
    for at in range(start, len(paragraphs)):
        paragraph = paragraphs[at]
        if paragraph.role == "heading" or (paragraph.role == "text" and size and paragraph.size > size + 0.9 and len(paragraph.lines) > 1):
            return at
    return len(paragraphs)


def _unannounced(paragraphs: Sequence[Paragraph]) -> tuple[int, int]:
    """References without a heading: paragraphs that open with [1], [2], [3] …, below a third of the text; (-1, -1) if none."""
    run: list[int] = []
    for at in range(len(paragraphs)):
        number = re.match(r"\[(\d{1,4})\]", paragraphs[at].text) if paragraphs[at].role in ("text", "note") else None
        if paragraphs[at].role == "heading" and len(run) < _LEAST:
            run = []
        if number and int(number[1]) == 1:
            run = [at]
        elif number and run and int(number[1]) > len(run) and int(number[1]) <= len(run) + 3:
            run.append(at)
    if len(run) < _LEAST or 3 * _length(paragraphs[: run[0]]) < _length(paragraphs):
        return -1, -1
    end = run[-1] + 1
    last = paragraphs[run[-1]]
    while end < len(paragraphs) and _runs_over(last, paragraphs[end]):
        end += 1
    return run[0], end


def _length(paragraphs: Sequence[Paragraph]) -> int:
    return sum(len(line.text) for paragraph in paragraphs for line in paragraph.lines)


def _runs_over(last: Paragraph, paragraph: Paragraph) -> bool:
    """Whether the last entry goes on in the next column."""
    return (
        paragraph.role == "text"
        and paragraph.column == last.column + 1
        and paragraph.lines[0].size == last.size
        and not re.search(r"\.\s*$", last.lines[-1].text)
    )


def _entries(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
    """Entries first, then what is none: captions and tables that stand among them."""
    texts = [paragraph for paragraph in paragraphs if paragraph.role in ("text", "note", "code")]
    begins = _rule([(line, paragraph) for paragraph in texts for line in paragraph.lines])
    entries: list[Paragraph] = []
    for paragraph in texts:
        for place, line in enumerate(paragraph.lines):
            if begins(line, paragraph, place) or not entries:
                entries.append(replace(paragraph, lines=[], role="reference", level=0, formulas=set()))
            entries[-1].lines.append(line)
    return entries + [paragraph for paragraph in paragraphs if paragraph.role not in ("text", "note", "code")]


def _rule(lines: Sequence[tuple[Line, Paragraph]]) -> Callable[[Line, Paragraph, int], bool]:
    """How entries begin here: with a label in brackets, with a growing number, further left than the rest, or with a paragraph."""
    if sum(_BRACKETED.match(line.text) is not None for line, _ in lines) * 8 > len(lines):
        return lambda line, paragraph, place: _BRACKETED.match(line.text) is not None
    numbers = _growing([line for line, _ in lines])
    if len(numbers) * 8 > len(lines):
        return lambda line, paragraph, place: id(line) in numbers
    lefts = {paragraph.column: min(line.x0 for line, p in lines if p.column == paragraph.column) for _, paragraph in lines}
    hanging = sum(line.x0 > lefts[paragraph.column] + 0.6 * line.size for line, paragraph in lines)
    if 0.25 * len(lines) < hanging < 0.85 * len(lines):
        return lambda line, paragraph, place: line.x0 <= lefts[paragraph.column] + 0.6 * line.size
    return lambda line, paragraph, place: place == 0


def _growing(lines: Sequence[Line]) -> set[int]:
    """Ids of the lines that open with the number after the last one."""
    found: set[int] = set()
    last = 0
    for line in lines:
        match = _NUMBER.match(line.text.strip())
        number = int(match[1] or match[2]) if match else 0
        if last < number <= last + 2:
            found.add(id(line))
            last = number
    return found
