"""What every reader returns (Extract), what it raises (UnreadableDocument), and the layout of the text.

The text of a document is a sequence of paragraphs separated by one blank line. A heading is a paragraph of
its own; the section that it opens spans the characters after the blank line below it, up to the next heading
of whatever level. Text above the first heading belongs to a section whose title is empty.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harvest.records import HiddenText, Page, Section
from harvest.store import FieldsmithError

CJK = "\u2e80-\u303f\u3040-\u30ff\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
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
_MEMBERS = re.compile(r"^(?:(?:Appendix )?[A-Z]\.?:? )?(?:The )?[A-Z][\w+-]* Collaboration$")


class UnreadableDocument(FieldsmithError):  # noqa: N818 (it names a document, not a mistake)
    """A file of which no text can be had: `reason` is a stable word to count, `detail` why in words.

    Reasons: missing, empty, not-a-document, truncated, encrypted, damaged, no-pages, no-text, no-source,
    too-large, timed-out, crashed.
    """

    def __init__(self, name: str, reason: str, detail: str) -> None:
        super().__init__(f"{name} cannot be read: {detail}")
        self.name, self.reason, self.detail = name, reason, detail


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (`level` 0) or a heading (`level` 1 and up, 1 being the topmost)."""

    text: str
    level: int = 0


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


def lay_out(blocks: Iterable[Block]) -> tuple[str, tuple[Section, ...]]:
    """Join blocks to the text of a document and find the span of every section."""
    parts: list[str] = []
    sections: list[Section] = []
    title, level, start, at = "", 1, 0, 0
    for block in _settled(blocks):
        if block.level:
            if title or at > start:
                sections.append(Section(title, level, start, max(start, at - 2)))
            title, level, start = block.text, block.level, at + len(block.text) + 2
        parts.append(block.text)
        at += len(block.text) + 2
    text = "\n\n".join(parts)
    if title or text:
        sections.append(Section(title, level, min(start, len(text)), len(text)))
    return text, tuple(sections)


def tidy(text: str) -> str:
    """One paragraph as a person would type it: NFC, nothing invisible, single spaces, none between Chinese characters."""
    text = _SPACE_ONLY_SIGNS.sub(" ", text) if "\u200b" in text else text
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", text))
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n[ \n]*", "\n", text)
    return _BETWEEN_CJK.sub("", text).strip()


def is_chinese(text: str) -> bool:
    """Whether a good part of the letters are Chinese, Japanese or Korean characters."""
    sample = text[:20_000]
    return len(re.findall(rf"[{CJK}]", sample)) * 5 > len(sample)


def without_references(blocks: Sequence[Block]) -> list[Block]:
    """The blocks without the references (to the next heading not below them) and a collaboration's members (to the end)."""
    kept: list[Block] = []
    cutting = 0
    for block in blocks:
        if block.level and _MEMBERS.match(block.text) and 4 * len(kept) > len(blocks):
            break
        if block.level and REFERENCES.match(block.text):
            cutting = block.level
        elif cutting and block.level and block.level <= cutting:
            cutting = 0
        if not cutting:
            kept.append(block)
    return kept


def _settled(blocks: Iterable[Block]) -> list[Block]:
    """Tidied blocks without the empty ones, their topmost heading at level 1."""
    tidied = [Block(re.sub(r"\n", " ", tidy(b.text)) if b.level else tidy(b.text), b.level) for b in blocks]
    full = [block for block in tidied if block.text]
    top = min((block.level for block in full if block.level), default=1)
    return [Block(block.text, block.level - top + 1) if block.level else block for block in full]
