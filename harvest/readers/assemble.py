"""Paragraphs as they are printed to the blocks of a text: what a column, a page or a figure cuts is put together again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harvest.readers.bibliography import mark_references
from harvest.readers.contents import without_contents
from harvest.readers.extract import CAPTION, Block
from harvest.readers.figures import without_scraps
from harvest.readers.headings import settle_headings, split_run_in, title_of
from harvest.readers.paragraphs import Paragraph, Style, body_size, paragraphs, style_of
from harvest.readers.visible import Line

_STOPS = re.compile(r"[.!?:;。！？：；][”\"')\]]*\s*$")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CUT = re.compile(r"([^\W\d_]+)-$")
_LONGEST_WORD = 100  # characters at the end of a text among which a cut word is looked for
_REST = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a document: those of one part, compounds with hyphens, and how many compounds begin with a word."""

    plain: frozenset[str]
    compounds: frozenset[str]
    firsts: Counter[str]


def to_blocks(columns: Sequence[Sequence[Line]]) -> list[Block]:
    """Columns of lines as headings, paragraphs and entries of references; no paragraph is torn by notes and captions."""
    columns = without_contents(columns)
    columns = without_scraps(columns, body_size([line for column in columns for line in column]))
    style = style_of(columns)
    found = paragraphs(columns, style)
    settle_headings(found, style.size)
    found = _reunited(_front_notes_first(mark_references(found)), style)
    words = _words(line.text for column in columns for line in column)
    return [block for paragraph in found for block in _blocks(paragraph, words)]


def _front_notes_first(found: list[Paragraph]) -> list[Paragraph]:
    """Notes on the first page name addresses and licences: they stand above the first section, not in it."""
    first = next((at for at, p in enumerate(found) if p.role == "heading"), None)
    if first is None or found[first].lines[0].page != found[0].lines[0].page:
        return found
    page = found[0].lines[0].page
    notes = [p for p in found[first:] if p.role == "note" and p.lines[0].page == page]
    moved = {id(p) for p in notes}
    return found[:first] + notes + [p for p in found[first:] if id(p) not in moved]


def _reunited(found: Sequence[Paragraph], style: Style) -> list[Paragraph]:
    """Paragraphs cut by a column, a page or a figure: the rest is found below captions, notes and tables that stand between.

    Captions and tables go after the paragraph that they interrupt if it names them, else before it: what stands at the head of a page
    was called for earlier. Notes go after it.
    """
    done: list[Paragraph] = []
    open_ = -1  # place of a paragraph that may go on
    for paragraph in found:
        if paragraph.role in ("heading", "reference"):
            open_ = -1
        elif paragraph.role == "text" and abs(paragraph.size - style.size) < 0.8:
            if open_ >= 0 and _continues(done[open_], paragraph, style):
                _join(done[open_], paragraph)
                earlier, later = _parted(done[open_ + 1 :], done[open_])
                done[open_:] = [*earlier, done[open_], *later]
                open_ += len(earlier)
                continue
            open_ = len(done)
        elif paragraph.role == "note" and done and _note_goes_on(done[-1], paragraph):
            _join(done[-1], paragraph)
            continue
        done.append(paragraph)
    return done


def _parted(between: Sequence[Paragraph], paragraph: Paragraph) -> tuple[list[Paragraph], list[Paragraph]]:
    """What interrupts a paragraph, in two parts: what goes before it, and what goes after it."""
    text = " ".join(line.text for line in paragraph.lines)
    captions = [(place, match) for place, other in enumerate(between) if other.role == "caption" and (match := CAPTION.match(other.text))]
    earlier: list[Paragraph] = []
    later: list[Paragraph] = []
    for place, other in enumerate(between):  # tables and scraps of figures go with the caption above them, or with the first
        caption = next((match for at, match in reversed(captions) if at <= place), captions[0][1] if captions else None)
        (earlier if caption and other.role != "note" and not _names(text, caption) else later).append(other)
    return earlier, later


def _names(text: str, caption: re.Match[str]) -> bool:
    """Whether a text names a figure or table: Fig. 3, Figures 2 and 3."""
    kind, number = caption["label"][:3], re.escape(re.sub(r"^\D*", "", caption["label"]) or caption["label"].split()[-1])
    return re.search(rf"\b{kind}[a-z]*\.?\s*(?:\d+\w?\s*(?:,|and|&|–|-)\s*)*{number}\b", text, re.IGNORECASE) is not None


def _join(above: Paragraph, below: Paragraph) -> None:
    above.lines += below.lines
    above.formulas |= below.formulas
    above.column, above.left, above.right = below.column, below.left, below.right


def _continues(above: Paragraph, below: Paragraph, style: Style) -> bool:
    """Whether a paragraph is the rest of one that ends in mid-sentence, or at the very end of a column where paragraphs are set in."""
    last, first = above.lines[-1], below.lines[0]
    end, start = last.text.rstrip(), first.text.lstrip()
    if len(start) < 2 or (id(last) in above.formulas and _STOPS.search(end)):
        return False
    far = above.column != below.column
    is_full = last.x1 > above.right - 2 * last.size
    is_set_in = first.x0 - below.left > 0.7 * first.size
    if _STOPS.search(end):
        return far and style.indented and is_full and not is_set_in and len(below.lines) > 1 and re.search(r"[.。]", end[-2:]) is not None
    if start[0].islower() or end.endswith(("-", ",")):
        return len(end) > 20 or far
    near = not far and 0 < first.base - last.base < 1.3 * style.pitch(first.size)  # a line that was taken for a heading
    return (far or near) and is_full and not is_set_in and len(end) > 20


def _note_goes_on(above: Paragraph, below: Paragraph) -> bool:
    """Whether a note is the rest of the one above it, in the same column or the next."""
    return (
        above.role == "note"
        and not _STOPS.search(above.lines[-1].text)
        and below.text[:1].islower()
        and below.lines[0].size == above.lines[-1].size
    )


def _blocks(paragraph: Paragraph, words: Words) -> list[Block]:
    if paragraph.role in ("table", "code"):
        return [_line_by_line(paragraph)]
    text, cuts = _joined(paragraph, words)
    if paragraph.role == "heading":
        return [Block(title_of(text, paragraph.is_numbered), paragraph.level, cuts=cuts[:1])]
    if paragraph.role == "reference":
        return [Block(text, kind="reference", cuts=cuts)]
    run_in = split_run_in(text) if paragraph.role == "text" else None
    if run_in:
        shift = len(text) - len(run_in[1])
        return [Block(run_in[0], 1, cuts=cuts[:1]), Block(run_in[1], cuts=tuple((max(at - shift, 0), page) for at, page in cuts))]
    return [Block(text, cuts=cuts)]


def _line_by_line(paragraph: Paragraph) -> Block:
    """Code between fences, set in as on the page, or the rows of a table."""
    lines = [line.text.strip() for line in paragraph.lines]
    if paragraph.role == "code":
        left = min(line.x0 for line in paragraph.lines)
        wide = max((line.x1 - line.x0) / len(text) for line, text in zip(paragraph.lines, lines, strict=True)) or 1.0
        indents = [" " * round((line.x0 - left) / wide) for line in paragraph.lines]
        lines = ["```", *(indent + text for indent, text in zip(indents, lines, strict=True)), "```"]
    return Block("\n".join(lines), cuts=((0, paragraph.lines[0].page + 1),))


def _joined(paragraph: Paragraph, words: Words) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The lines as one text, displayed formulas on lines of their own, and where in it each page begins."""
    text, page = "", -1
    cuts: list[tuple[int, int]] = []
    formula = False
    for line in paragraph.lines:
        piece = line.text.strip()
        was_formula, formula = formula, id(line) in paragraph.formulas
        if text:
            text = text + "\n" if formula != was_formula else _ready(text, piece, words)
        if line.page != page:
            cuts.append((len(text), line.page + 1))
            page = line.page
        text += piece
    return text, tuple(cuts)


def _ready(text: str, line: str, words: Words) -> str:
    """A text to which the next line can be added: a word cut at its end is joined as the document writes it elsewhere."""
    cut, rest = _CUT.search(text[-_LONGEST_WORD:]), _REST.match(line)
    if not cut or not rest:
        return text if text.endswith("-") and line[:1].isalnum() and text[-2:-1] != " " else text + " "
    if (cut[1] + rest[0]).lower() in words.plain and f"{cut[1]}-{rest[0]}".lower() not in words.compounds:
        return text[:-1]
    return text if rest[0][0].isupper() or _is_compound(cut[1].lower(), rest[0].lower(), words) else text[:-1]


def _is_compound(first: str, second: str, words: Words) -> bool:
    """Whether a hyphen at the end of a line is part of the word: it is elsewhere, or other words are made with this first part."""
    if f"{first}-{second}" in words.compounds:
        return first + second not in words.plain
    return first + second not in words.plain and second in words.plain and words.firsts[first] > 1


def _words(lines: Iterable[str]) -> Words:
    plain: set[str] = set()
    compounds: set[str] = set()
    for line in lines:
        found = _WORD.findall(line.lower())
        if line.rstrip().endswith("-"):
            found = found[:-1]
        for word in found:
            (compounds if "-" in word else plain).add(word)
    return Words(frozenset(plain), frozenset(compounds), Counter(word[: word.index("-")] for word in compounds))
