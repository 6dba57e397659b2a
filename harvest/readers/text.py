"""Plain text to blocks: paragraphs between blank lines, headings where they are clear, lines joined that were only wrapped.

The signs are those of text files as people type them and of reStructuredText and Setext: a line underlined by `===`, a
numbered line that stands alone and opens prose, a line in capitals. What is set in columns keeps its lines.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from harvest.readers.encoding import decode_text
from harvest.readers.extract import REFERENCES, Block, Extract, UnreadableDocument, is_chinese
from harvest.readers.finish import finished
from harvest.readers.versions import TEXT

_UNDERLINE = re.compile(r"^\s*([=\-~^\"'`#*+_.:])\1{2,}\s*$")
_NUMBERED = re.compile(
    r"^(?P<number>\d{1,2}(?:\.\d{1,2}){0,3})\.?\s+(?=\S)|^(?:chapter|part|section|appendix)\s+(?:\d+|[IVXLC]+|[A-Z])\b", re.IGNORECASE
)
_CHINESE = re.compile(r"^第\s*[一二三四五六七八九十百\d]+\s*(?P<kind>[章节篇])|^[一二三四五六七八九十]{1,3}、")
_NAMED = re.compile(
    r"^(?:abstract|introduction|summary|conclusions?|acknowledge?ments?|discussion|methods?|results|preface|foreword|contents|index|glossary|"
    r"摘\s*要|引\s*言|结\s*论|致\s*谢)$",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s*(?:[-*•·–]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)])\s+(?=\S)")
_END = re.compile(r"[.!?:;,。！？：；，]$")
_CODE = re.compile(r"[;{}]$|^\s*(?:def|for|if|return|import|#include)\b.*[:;>)]?$|\S\(.*\)\s*[;:]?$")
_COLUMNS = re.compile(r"\S(?: {3,}|\t)\S")


@dataclass(slots=True)
class _Piece:
    """Lines between blank ones; `level` above 0: its only line is a heading."""

    lines: list[str]
    level: int = 0
    underlined: bool = False


def read_text(data: bytes, name: str) -> Extract:
    """Read the bytes of a text file; raises `UnreadableDocument` where it holds no text."""
    text = decode_text(data)
    if len(re.findall(r"[^\W\d_]", text)) * 3 < len(re.findall(r"\S", text)):
        raise UnreadableDocument(name, "not-a-document", "it holds data rather than text")
    blocks = text_blocks(text)
    title = ""
    if blocks and blocks[0].level and sum(block.level == blocks[0].level for block in blocks) == 1 and len(blocks) > 2:
        title = blocks.pop(0).text
    return finished(blocks, (), (), title, name, TEXT)


def text_blocks(text: str) -> list[Block]:
    """The paragraphs and headings of a plain text."""
    lines = text.expandtabs(8).replace("\f", "\n\n").split("\n")
    pieces = _pieces([line.rstrip() for line in lines])
    _find_headings(pieces)
    blocks: list[Block] = []
    for piece in pieces:
        if piece.level:
            blocks.append(Block(re.sub(r"\s+", " ", piece.lines[0]).strip(), piece.level))
        else:
            blocks += [Block(paragraph) for paragraph in _paragraphs(piece.lines)]
    return blocks


def _pieces(lines: list[str]) -> list[_Piece]:
    """Runs of lines between blank lines; an underlined line is a piece of its own."""
    styles: list[str] = []
    pieces: list[_Piece] = [_Piece([])]
    at = 0
    while at < len(lines):
        line = lines[at]
        over = bool(_UNDERLINE.match(line)) and at + 2 < len(lines) and lines[at + 2].strip() == line.strip() and lines[at + 1].strip()
        under = _UNDERLINE.match(lines[at + 1]) if at + 1 < len(lines) and not pieces[-1].lines else None
        if over or (under and _fits(line, lines[at + 1])):
            style = line.strip()[0] * 2 if over else lines[at + 1].strip()[0]
            styles += [style] if style not in styles else []
            pieces += [_Piece([lines[at + 1] if over else line], styles.index(style) + 1, underlined=True), _Piece([])]
            at += 3 if over else 2
            continue
        if line.strip() and not _UNDERLINE.match(line):
            pieces[-1].lines.append(line)
        elif pieces[-1].lines:
            pieces.append(_Piece([]))
        at += 1
    return [piece for piece in pieces if piece.lines]


def _fits(line: str, underline: str) -> bool:
    """Whether a line of signs underlines the line above it: as long, or nearly so, wide characters counting twice."""
    width = sum(2 if character > "\u2e80" else 1 for character in line.strip())
    return 0 < width < 120 and 0.6 * width <= len(underline.strip()) <= 1.6 * width + 4


def _find_headings(pieces: list[_Piece]) -> None:
    """Single lines that are headings; those without an underline stand below the underlined title."""
    shaped = [at for at, piece in enumerate(pieces) if _has_shape(piece)]
    opening = sum(_opens_prose(pieces, at) for at in shaped)
    numbered = [pieces[at] for at in shaped] if opening * 2 >= len(shaped) else []  # else they are the items of a list
    capitals = [piece for piece in pieces if not piece.level and _is_capitals(piece)]
    top = min((piece.level for piece in pieces if piece.underlined), default=0)
    title = sum(piece.level == top for piece in pieces) == 1 if top else 0
    if len(numbered) > 1:
        for piece in numbered:
            piece.level = _depth(piece.lines[0].strip()) + title
    if len(capitals) > 1:
        for piece in capitals:
            piece.level = piece.level or 1 + title
    for piece in pieces:
        line = piece.lines[0].strip()
        if not piece.level and len(piece.lines) == 1 and (_NAMED.match(line) or REFERENCES.match(line)):
            piece.level = 1 + title
    _find_title(pieces)


def _find_title(pieces: list[_Piece]) -> None:
    """The first line of a text with headings, if it looks like a title: it is then above all of them."""
    first = pieces[0] if pieces else None
    if first is None or first.level or len(first.lines) > 1 or not any(piece.level for piece in pieces):
        return
    line = first.lines[0].strip()
    if 3 < len(line) < 150 and not _END.search(line) and not _ITEM.match(line):
        for piece in pieces:
            piece.level += bool(piece.level)
        first.level = 1


def _has_shape(piece: _Piece) -> bool:
    """Whether a piece looks like a numbered heading: one short line without an end, a capital after the number."""
    line = piece.lines[0].strip()
    if piece.level or len(piece.lines) > 1 or len(line) > 100 or _END.search(line):
        return False
    if _CHINESE.match(line):
        return len(line) < 40
    match = _NUMBERED.match(line)
    rest = line[match.end() :].strip() if match else ""
    return match is not None and (not match["number"] or rest[:1].isupper() or "\u4e00" <= rest[:1] <= "\u9fff")


def _opens_prose(pieces: list[_Piece], at: int) -> bool:
    """Whether below a piece stands a paragraph, or a heading of the next rank."""
    if at + 1 >= len(pieces):
        return False
    below = " ".join(pieces[at + 1].lines).strip()
    deeper = _NUMBERED.match(below)
    return len(below) > 60 or (deeper is not None and "." in (deeper["number"] or "")) or _CHINESE.match(below) is not None


def _is_capitals(piece: _Piece) -> bool:
    line = piece.lines[0].strip()
    letters = re.sub(r"[^A-Za-z]", "", line)
    return (
        len(piece.lines) == 1
        and len(line) < 70
        and len(letters) > 3
        and letters.isupper()
        and not _END.search(line)
        and not _COLUMNS.search(line)
    )


def _depth(line: str) -> int:
    match = _NUMBERED.match(line)
    if match and match["number"]:
        return match["number"].count(".") + 1
    chinese = _CHINESE.match(line)
    return 2 if chinese and chinese["kind"] == "节" else 1


def _paragraphs(lines: list[str]) -> list[str]:
    """The paragraphs of lines without blank ones between them."""
    if _is_set_in_columns(lines):
        return ["\n".join(lines)]
    widths = [len(line) for line in lines]
    if len(lines) > 1 and sum(widths) > 160 * len(widths):  # nothing is wrapped: every line is a paragraph
        return lines
    shape = _shape(lines)
    starts = [0, *(at for at in range(1, len(lines)) if _starts(lines[at], lines[at - 1], shape))]
    return [_joined(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _is_set_in_columns(lines: list[str]) -> bool:
    """Whether lines are rows of a table or program code rather than prose."""
    if len(lines) < 2:
        return False
    columns = sum(_COLUMNS.search(line.strip()) is not None for line in lines)
    code = sum(len(line) < 400 and _CODE.search(line) is not None for line in lines)
    return columns * 2 > len(lines) or code * 3 > len(lines) * 2


@dataclass(frozen=True, slots=True)
class _Shape:
    """What most lines of a piece are like: their indent, whether a deeper one opens a paragraph, how long they get, how many they are."""

    indent: int
    opens: bool
    longest: int
    count: int


def _shape(lines: list[str]) -> _Shape:
    indents = Counter(_indent(line) for line in lines)
    usual, count = indents.most_common(1)[0]
    items = any(_ITEM.match(line) for line in lines)
    return _Shape(usual, count * 2 > len(lines) and not items, max(map(len, lines)), len(lines))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _starts(line: str, above: str, shape: _Shape) -> bool:
    """Whether a line opens a paragraph: an item of a list, an indent, or after a line that ends far before the others."""
    if _ITEM.match(line):
        return len(above) < 60 or _END.search(above) is not None or _ITEM.match(above) is not None
    if shape.opens and shape.indent < _indent(line) <= shape.indent + 8:
        return True
    short = shape.longest > 40 and len(above) < 0.6 * shape.longest and shape.count > 3
    return short and re.search(r"[.!?:。！？]$", above) is not None


def _joined(lines: list[str]) -> str:
    """Wrapped lines as one; a word cut in two by a hyphen is put together where the text has it whole."""
    plain = [line.strip() for line in lines]
    if len(plain) > 2 and _is_verse(plain):
        return "\n".join(plain)
    text = "\n".join(plain)
    if is_chinese(text):
        text = re.sub(r"(?<=[\u2e80-\uffef])\n(?=[\u2e80-\uffef])", "", text)
    words = set(re.findall(r"[^\W\d_]+", text.lower()))

    def mended(match: re.Match[str]) -> str:
        whole = match[1] + match[2]
        return whole if whole.lower() in words else f"{match[1]}-{match[2]}"

    return re.sub(r"([^\W\d_]+)-\n([^\W\d_]+)", mended, text).replace("\n", " ")


def _is_verse(lines: list[str]) -> bool:
    """Whether lines end where their author wanted: short ones, as in an address or a list without signs."""
    capitals = sum(not line[:1].islower() for line in lines)
    return (
        capitals * 4 > len(lines) * 3
        and max(map(len, lines)) < 45
        and sum(map(len, lines)) < 36 * len(lines)
        and not is_chinese("".join(lines))
    )
