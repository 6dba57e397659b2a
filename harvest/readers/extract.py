"""What every reader returns (Extract), what it raises (UnreadableDocument), and the layout of the text.

The text of a document is a sequence of paragraphs separated by one blank line. A heading is a paragraph of
its own; the section that it opens spans the characters after the blank line below it, up to the next heading
of whatever level. Text above the first heading belongs to a section whose title is empty.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from harvest.records import HiddenText, Page, Section
from harvest.store import FieldsmithError

CJK = "\u2e80-\u303f\u3040-\u30ff\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
CODE = "```"  # what a block of code begins and ends with
_BETWEEN_CJK = re.compile(rf"(?<=[{CJK}])[ \t\n]+(?=[{CJK}])")
# Zero-width and bidi signs, soft hyphens, byte order marks, tag characters and control characters: invisible to a reader.
INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U000e0000-\U000e007f\x00-\x08\x0b\x0e-\x1f\x7f\ufffe\uffff]"
)
_SPACE_ONLY_SIGNS = re.compile("(?<=\\S)[\u200b](?=\\S)")
REFERENCES = re.compile(
    r"^(?:\d+\.?\s*|[IVX]+\.\s*)?"
    r"(?:references?(?: and notes| cited)?|bibliography|literature cited|works cited|参\s*考\s*文\s*献|引用文献)\s*[:：]?$",
    re.IGNORECASE,
)
CAPTION = re.compile(
    r"^(?P<label>(?:fig(?:ure|\.)?|table|tab\.|图|表)\s*(?:\d+|[IVX]+)(?:[.-]\d+)?[a-z]?)(?P<sign>\s*[.:：|]|\s|$)\s*", re.IGNORECASE
)
_APPENDIX = re.compile(r"^(?:appendi(?:x|ces)|附\s*录|supplement)", re.IGNORECASE)
_TELLING = re.compile(
    r"^\s*(?:\[[^\]]{1,24}\]|\(?\d{1,3}[.)])|\b(?:1[89]|20)\d\d[a-z]?\b|\bdoi\b|arXiv|https?://|\bet al\b|\bvol\.", re.IGNORECASE
)
_NUMBER_OF_ENTRY = re.compile(r"(?P<before>[\[(]?)(?P<number>\d{1,4})(?P<after>[\].)]+)\s")
MEMBERS = re.compile(r"^(?:(?:Appendix )?[A-Z]\.?:? )?(?:The )?[A-Z][\w+-]* Collaboration$")


class UnreadableDocument(FieldsmithError):  # noqa: N818 (it names a document, not a mistake)
    """A file of which no text can be had: `reason` is a stable word to count, `detail` why in words.

    Reasons: missing, empty, not-a-document, truncated, encrypted, damaged, no-pages, no-text, low-quality, no-source,
    too-large, timed-out, crashed.
    """

    def __init__(self, name: str, reason: str, detail: str) -> None:
        super().__init__(f"{name} cannot be read: {detail}")
        self.name, self.reason, self.detail = name, reason, detail


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (`level` 0) or a heading (`level` 1 and up, 1 being the topmost).

    `kind` is "reference" for an entry of a bibliography that no heading announces. `cuts` say on which pages of a PDF it stands: from
    each offset in `text` on, the page with this number (from 1); empty for other formats.
    """

    text: str
    level: int = 0
    kind: str = ""
    cuts: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Extract:
    """What a reader got out of a file: text, sections, the title if it states one, its own name and warnings.

    The other fields are those of `Document`.
    """

    text: str
    sections: tuple[Section, ...]
    title: str
    extractor: str
    warnings: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()
    hidden: tuple[HiddenText, ...] = ()
    quality: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How a lab wants its documents read: the lowest quality (0 to 1) that is taken, and Tesseract's languages for scans."""

    min_quality: float = 0.5
    ocr_language: str = "eng"


def lay_out(blocks: Iterable[Block]) -> tuple[str, tuple[Section, ...]]:
    """Join blocks to the text of a document and find the span of every section."""
    text, sections, _ = lay_out_pages(blocks)
    return text, sections


def lay_out_pages(blocks: Iterable[Block]) -> tuple[str, tuple[Section, ...], dict[int, tuple[tuple[int, int], ...]]]:
    """Join blocks to the text of a document; find the span of every section, and the spans that stand on each page by its number."""
    parts: list[str] = []
    sections: list[Section] = []
    pages: dict[int, list[tuple[int, int]]] = {}
    title, level, start, at = "", 1, 0, 0
    for block in _settled(blocks):
        if block.level:
            if title or at > start:
                sections.append(Section(title, level, start, max(start, at - 2)))
            title, level, start = block.text, block.level, at + len(block.text) + 2
        for (begin, page), (end, _) in pairwise([*block.cuts, (len(block.text), 0)]):
            _add_span(pages.setdefault(page, []), block.text, begin, end, at)
        parts.append(block.text)
        at += len(block.text) + 2
    text = "\n\n".join(parts)
    if title or text:
        sections.append(Section(title, level, min(start, len(text)), len(text)))
    return text, tuple(sections), {page: tuple(spans) for page, spans in sorted(pages.items())}


def _add_span(spans: list[tuple[int, int]], text: str, begin: int, end: int, at: int) -> None:
    """A stretch of a block that begins at `at`, without the space around it; paragraphs that follow each other on a page are one span."""
    piece = text[begin:end]
    begin, end = at + begin + len(piece) - len(piece.lstrip()), at + begin + len(piece.rstrip())
    if begin >= end:
        return
    if spans and begin - spans[-1][1] == 2:
        begin = spans.pop()[0]
    spans.append((begin, end))


def tidy(text: str) -> str:
    """One paragraph as a person would type it: NFC, nothing invisible, single spaces, none between Chinese characters."""
    text = _SPACE_ONLY_SIGNS.sub(" ", text) if "\u200b" in text else text
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", text))
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n[ \n]*", "\n", text)
    return _BETWEEN_CJK.sub("", text).strip()


def tidy_code(text: str) -> str:
    """A fenced block of code: NFC, nothing invisible, its indentation kept, its blank lines dropped, since those part paragraphs."""
    clean = unicodedata.normalize("NFC", INVISIBLE.sub("", text)).expandtabs(4)
    return "\n".join(line.rstrip() for line in clean.split("\n") if line.strip())


def is_chinese(text: str) -> bool:
    """Whether a good part of the letters are Chinese, Japanese or Korean characters."""
    sample = text[:20_000]
    return len(re.findall(rf"[{CJK}]", sample)) * 5 > len(sample)


def split_references(blocks: Sequence[Block]) -> tuple[list[Block], tuple[str, ...]]:
    """The blocks of the text and, apart from them, the entries of the bibliography in the order in which they are printed.

    The references are blocks of this kind, or run from their heading to the next that is not below it, but for captions. An entry is
    a block, or what follows a number in a block that holds several ("[7] …", "7. …"). The members of a collaboration, to the end, are
    neither text nor references.
    """
    kept: list[Block] = []
    cut: list[str] = []
    at = 0
    while at < len(blocks):
        block = blocks[at]
        if block.level and MEMBERS.match(block.text) and (cut or 4 * at > len(blocks)):
            break
        below = _below(blocks, at) if block.level and REFERENCES.match(block.text) else []
        entries = [other.text for other in below if other.kind == "reference" or not (other.level or CAPTION.match(other.text))]
        if below and are_references(entries):
            cut += entries
            kept += [other for other in below if other.kind != "reference" and CAPTION.match(other.text)]
            at += len(below)
        elif block.kind == "reference":
            cut.append(block.text)
        elif not (block.level and REFERENCES.match(block.text) and at + 1 < len(blocks) and blocks[at + 1].kind == "reference"):
            kept.append(block)
        at += 1
    return kept, split_entries(cut)


def _below(blocks: Sequence[Block], at: int) -> Sequence[Block]:
    """The blocks below a heading up to the next that is not below it, or an appendix."""
    level = blocks[at].level
    heads = ((n, blocks[n]) for n in range(at + 1, len(blocks)) if blocks[n].level)
    ends = (n for n, head in heads if head.level <= level or _APPENDIX.match(head.text) or MEMBERS.match(head.text))
    return blocks[at + 1 : next(ends, len(blocks))]


def are_references(texts: Sequence[str]) -> bool:
    """Whether paragraphs are entries of a bibliography: half of them are numbered, or have a year, an address, a journal's number."""
    return sum(_TELLING.search(text) is not None for text in texts) * 2 >= len(texts)


def split_entries(texts: Iterable[str]) -> tuple[str, ...]:
    """Paragraphs of a bibliography as its entries, each on one line; one that holds several numbered entries is cut at the numbers."""
    entries: list[str] = []
    for text in texts:
        plain = re.sub(r"\s+", " ", tidy(text))
        starts = _numbered_from(plain, _NUMBER_OF_ENTRY.match(plain))
        entries += [entry for start, end in pairwise([*starts, len(plain)]) if (entry := plain[start:end].strip())]
    return tuple(entries)


def _numbered_from(text: str, first: re.Match[str] | None) -> list[int]:
    """Where entries with consecutive numbers begin in a text; the beginning alone where it has no number."""
    starts = [0]
    if first is None:
        return starts
    number = int(first["number"]) + 1
    before, after = re.escape(first["before"]), re.escape(first["after"])
    while match := re.compile(rf"(?<=\s){before}{number}{after}\s").search(text, starts[-1] + 1):
        starts.append(match.start())
        number += 1
    return starts


def _settled(blocks: Iterable[Block]) -> list[Block]:
    """Tidied blocks without the empty ones, their topmost heading at level 1."""
    full = [block for block in map(_tidied, blocks) if block.text]
    top = min((block.level for block in full if block.level), default=1)
    return [replace(block, level=block.level - top + 1) if block.level else block for block in full]


def _tidied(block: Block) -> Block:
    clean = tidy_code if block.text.startswith(CODE) and not block.level else tidy
    text = re.sub(r"\n", " ", clean(block.text)) if block.level else clean(block.text)
    if text == block.text:
        return block
    cuts = tuple((len(clean(block.text[:offset])) if offset else 0, page) for offset, page in block.cuts)
    return replace(block, text=text, cuts=cuts)
