"""Text cut into paragraphs and sentences (English and Chinese), with its equations, tables and captions.

Nothing is ever rewritten: everything is a span of the text. An equation (`$..$`, `$$..$$`, `\\[..\\]`, an environment) is
never cut, and belongs to the sentence around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qagen.records import Span

_DISPLAY = r"\$\$.+?\$\$|\\\[.+?\\\]|\\begin\{(?P<env>\w+\*?)\}.*?\\end\{(?P=env)\}"
_INLINE = r"\\\(.+?\\\)|(?<![\\$])\$(?!\$)(?:[^$\n]|\n(?![ \t]*\n)){1,400}?(?<!\\)\$"
_MATH = re.compile(f"(?:{_DISPLAY})|(?:{_INLINE})", re.S)
_DISPLAY_START = re.compile(r"\$\$|\\\[|\\begin\{")
_DISPLAY_END = re.compile(r"(?:\$\$|\\\]|\\end\{\w+\*?\})[ \t]*$")
_BLANK = re.compile(r"\n[ \t\r]*\n\s*")
_ROW = re.compile(r"\s*\||.*\S[ \t]*(?:\t| \| )[ \t]*\S")
_CONTINUES = re.compile(r"[a-z,;]|其中|式中|这里")

_TERMINAL = re.compile(r"[.!?。！？]+[\"'”’」』)\]）】》]*(?:\[\d[\d, –-]*\]|(?<=[a-z]{3}\.)\d{1,2}(?=\s+[A-Z]))?")
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")

# Before a full stop: `always` never ends a sentence, `numbered` does not before a number, `open` not before a name.
_ALWAYS_TEXT = "e.g i.e cf dr prof mr mrs ms vs viz"
_NUMBERED_TEXT = "fig figs eq eqs eqn ref refs sec sect secs tab no nos nr vol ch chap app art p pp"
_OPEN_TEXT = "al approx ca resp inc ltd univ dept phys rev lett nucl instrum meth proc conf ed eds st jr"
_STARTER_TEXT = (
    "a after all also an as at because before between both but by during each for from here however if in it its no not of on once "
    "one our over since such that the their then there therefore these they this those three thus to two under we when while with"
)
_ALWAYS, _NUMBERED, _OPEN = (frozenset(text.split()) for text in (_ALWAYS_TEXT, _NUMBERED_TEXT, _OPEN_TEXT))
_STARTERS = frozenset(_STARTER_TEXT.split())

_CAPTION = re.compile(
    r"(?:fig(?:ure|s?\.)?|table|tab\.|scheme|plate)\s*[A-Z]?(?:\d+|[IVX]+)(?:[.-]\d+)*[a-z]?\s?[.:：|]\s"
    r"|[图表]\s*(?:[A-Z]|\d+)(?:[.-]\d+)*(?:\s?[.:：|]|\s+(?!给出|显示|展示|所示|列出|表示|说明|描述|比较|[为是中])|$)",
    re.I | re.M,
)
_TABLE_CAPTION = re.compile(r"tab|表", re.I)
_RULE = re.compile(r"\s*\|(?:\s*:?-+:?\s*\|)+\s*")


@dataclass(frozen=True, slots=True)
class Table:
    """Where a table stands in a text: all its rows, its head, and its caption where it has one beside it."""

    rows: Span
    head: Span | None
    caption: Span | None


def sentences(text: str) -> list[Span]:
    """The sentences of a text, in order; a table is one span, a display equation belongs to the sentence around it.

    Knows abbreviations (Fig. 3, et al., e.g.), decimals, initials and enumerations in English, and 。！？ in Chinese.
    A blank line always ends a sentence, unless an equation stands there.
    """
    return [sentence for paragraph in paragraphs(text) for sentence in paragraph]


def tables(text: str) -> list[Table]:
    """The tables of a text, in order."""
    blocks = [part for block in _blocks(text, []) for part in _tables_apart(text, block, [])]
    found = []
    for at, block in enumerate(blocks):
        lines = list(re.finditer(r"[^\n]+", text[block.start : block.end]))
        if not lines or not all(_ROW.match(line[0]) for line in lines):
            continue
        head = Span(block.start, block.start + lines[0].end()) if len(lines) > 2 and _RULE.fullmatch(lines[1][0]) else None
        beside = [
            other
            for other in (*blocks[max(0, at - 1) : at], *blocks[at + 1 : at + 2])
            if is_caption(text[other.start : other.end], of_table=True)
        ]
        found.append(Table(block, head, beside[0] if beside else None))
    return found


def captions(text: str) -> list[Span]:
    """The captions of figures and tables in a text, in order."""
    return [block for block in _blocks(text, []) if is_caption(text[block.start : block.end])]


def is_caption(text: str, *, of_table: bool = False) -> bool:
    """Whether a text begins as the caption of a figure or a table, or of a table only."""
    found = _CAPTION.match(text)
    return found is not None and (not of_table or bool(_TABLE_CAPTION.match(found[0])))


# ---- paragraphs and sentences


def paragraphs(text: str) -> Iterator[list[Span]]:
    """Paragraphs as lists of sentences; those that an equation ties together are one."""
    math_spans = [Span(*found.span()) for found in _MATH.finditer(text)]
    for block in _tied(text, _blocks(text, math_spans)):
        inside = [span for span in math_spans if block.start <= span.start < block.end]
        parts = [sentence for part in _tables_apart(text, block, inside) for sentence in _split(text, part, inside)]
        if parts:
            yield parts


def _blocks(text: str, math_spans: Sequence[Span]) -> list[Span]:
    """What blank lines divide; a blank line inside an equation does not."""
    cuts = [found.span() for found in _BLANK.finditer(text) if not _inside(found.start(), math_spans)]
    starts, ends = [0, *(cut[1] for cut in cuts)], [*(cut[0] for cut in cuts), len(text)]
    spans = [trimmed(text, start, end) for start, end in zip(starts, ends, strict=True)]
    return [span for span in spans if span.start < span.end]


def _tied(text: str, blocks: Sequence[Span]) -> list[Span]:
    """Join a display equation to the sentence that it is part of, before it and behind it, and a table to its caption."""
    tied: list[Span] = []
    for block in blocks:
        before = text[tied[-1].start : tied[-1].end] if tied else ""
        here = text[block.start : block.end]
        leads = bool(_DISPLAY_START.match(here)) and not before.endswith((".", "!", "?", "。", "！", "？")) and not is_table(before)
        follows = bool(_DISPLAY_END.search(before)) and bool(_CONTINUES.match(here))
        captioned = is_caption(before, of_table=True) and is_table(here)
        if tied and (leads or follows or captioned):
            tied[-1] = Span(tied[-1].start, block.end)
        else:
            tied.append(block)
    return tied


def _tables_apart(text: str, block: Span, math_spans: Sequence[Span]) -> Iterator[Span]:
    """A block as runs of table rows and runs of other lines."""
    start, was_row = block.start, None
    for line in re.finditer(r"[^\n]*(?:\n|$)", text[block.start : block.end]):
        at = block.start + line.start()
        is_row = bool(_ROW.match(line[0])) if line[0].strip() and not _inside(at, math_spans) else was_row
        if was_row is not None and is_row != was_row:
            yield trimmed(text, start, at)
            start = at
        was_row = is_row
    yield trimmed(text, start, block.end)


def _split(text: str, part: Span, math_spans: Sequence[Span]) -> Iterator[Span]:
    if all(map(_ROW.match, text[part.start : part.end].splitlines())):
        yield part
        return
    start = part.start
    for cut in _cuts(text, part, math_spans):
        if _ends_sentence(text, start, cut, part.end):
            yield trimmed(text, start, cut.end)
            start = cut.end
    rest = trimmed(text, start, part.end)
    if rest.start < rest.end:
        yield rest


def _cuts(text: str, part: Span, math_spans: Sequence[Span]) -> list[Span]:
    """Where a sentence might end: final punctuation outside equations, and display equations that end with a full stop."""
    cuts = [Span(*found.span()) for found in _TERMINAL.finditer(text, part.start, part.end) if not _inside(found.start(), math_spans)]
    for span in math_spans:
        equation = text[span.start : span.end]
        if _DISPLAY_START.match(equation) and re.search(r"[.。]\s*(?:\$\$|\\\]|\\end\{\w+\*?\})$", equation):
            cuts.append(Span(span.end, span.end))
    return sorted(cuts, key=lambda cut: cut.end)


def _ends_sentence(text: str, start: int, cut: Span, end: int) -> bool:
    mark, after = text[cut.start : cut.end], text[cut.end : end]
    following = after.lstrip()
    if not following or mark.startswith(("。", "！", "？")):
        return True
    if following[0].islower() or following[0] in ",;:)]":
        return False
    if not after[0].isspace():
        return bool(_CJK.match(after))
    return not (mark.startswith(".") and _is_abbreviation(text[start : cut.start], following))


def _is_abbreviation(before: str, following: str) -> bool:
    """Whether the full stop between these two belongs to a word and not to the sentence."""
    found = re.search(r"[^\s(\[~{“\"'—–]*$", before)
    word = found[0] if found else ""
    plain, next_word = word.lower(), re.match(r"[A-Za-z]*", following)
    starter = next_word is not None and next_word[0].lower() in _STARTERS
    if plain in _ALWAYS and word != "ms":  # milliseconds
        return True
    if plain in _NUMBERED:
        return bool(re.match(r"[\d(\[$~]|[A-Z]\b(?!\s+[a-z])", following))
    if re.fullmatch(r"\d{1,2}|[IVX]+", word) and before.strip() == word:
        return True
    if re.fullmatch(r"[A-Z]", word):
        return not starter and not re.search(rf"(?:\d|\band|\bor|,)\s*{word}$", before)
    return not starter and (plain in _OPEN or bool(re.fullmatch(r"(?:[A-Za-z]\.)+[A-Za-z]", word)))


def is_table(text: str) -> bool:
    """Whether all lines of a text are rows of a table."""
    return all(map(_ROW.match, text.splitlines()))


def head_of(text: str, start: int) -> Span | None:
    """The first row of the table in the middle of which `start` stands, if it names the columns."""
    blank = text.rfind("\n\n", 0, start)
    top = blank + 2 if blank >= 0 else 0
    above = text[top:start].splitlines()
    between = len(above) > 1 and text[start - 1] == "\n" and bool(_ROW.match(text, start))
    return Span(top, top + len(above[0])) if between and _RULE.fullmatch(above[1]) else None


def _inside(position: int, spans: Sequence[Span]) -> bool:
    return any(span.start < position < span.end for span in spans)


def trimmed(text: str, start: int, end: int) -> Span:
    """The span without white space at its ends."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    return Span(start + left, max(start + left, end - (len(piece) - len(piece.rstrip()))))
