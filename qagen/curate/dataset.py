"""What is trained on: chat examples from pairs, and passages of text from documents; and the chunks that retrieval finds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from harvest.records import Document, Rejection
from qagen.chunk import chunk_document
from qagen.config import ChunkConfig
from qagen.curate.chats import examples, for_part
from qagen.curate.decontaminate import is_held_out_text
from qagen.records import ChunkLine, Part, Passage, SplitEntry

__all__ = ["chunk_lines", "corpus", "examples", "for_part", "heading", "passages", "representatives"]

_PASSAGE: Final = 2000  # characters, title aside
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_NOT_PROSE = re.compile(
    r"^[\W\d]*(references?|bibliography|literature cited|acknowledge?ments?|contents|index|参\s*考\s*文\s*献|致\s*谢|目\s*录)\W*$", re.I
)


def heading(title: str, section: str) -> str:
    """The first line of a text that is read without its document."""
    return " — ".join(filter(None, (" ".join(title.split()), " ".join(section.split()))))


def chunk_lines(documents: Iterable[Document], config: ChunkConfig) -> Iterator[ChunkLine]:
    """Every chunk of the documents, as retrieval finds it."""
    for document in documents:
        licence = document.paper.licence
        for chunk in chunk_document(document, config):
            yield ChunkLine(chunk.id, chunk.document_id, chunk.title, chunk.section, chunk.text, licence)


def representatives(split: Iterable[SplitEntry], lengths: Mapping[str, int], part: Part = "train") -> list[str]:
    """The documents of a part whose text goes into the corpus: of copies only the longest, for text read twice is learnt by rote."""
    chosen: dict[str, str] = {}
    for entry in sorted(split, key=lambda entry: (-lengths[entry.document_id], entry.document_id)):
        if entry.part == part:
            chosen.setdefault(entry.cluster, entry.document_id)
    return sorted(chosen.values())


def corpus(documents: Iterable[Document], held_out: npt.NDArray[np.uint32], near_copy: float) -> tuple[list[Passage], list[Rejection]]:
    """Passages of the documents, and those left out because they are text of held-out documents (`held_out_grams`)."""
    kept, rejected = [], []
    for document in documents:
        for passage in passages(document):
            if is_held_out_text(passage.text, held_out, near_copy):
                detail = f"mostly text of held-out documents: {passage.text[-80:]!r}"
                rejected.append(Rejection(passage.id, "decontaminate", "held-out-text", detail))
            else:
                kept.append(passage)
    return kept, rejected


def passages(document: Document) -> Iterator[Passage]:
    """A document's sections in pieces of at most 2,000 characters, cut at paragraph ends, each below its title (`heading`).

    Lists of references, acknowledgements and contents are left out.
    """
    number = 0
    title, licence = document.paper.title, document.paper.licence
    for section, start, end in _stretches(document):
        if _NOT_PROSE.match(section):
            continue
        for piece in _pieces(document.text[start:end]):
            number += 1
            text = f"{heading(title, section)}\n\n{piece}"
            yield Passage(f"{document.id}#{number:04d}", document.id, text, licence, title, section)


def _stretches(document: Document) -> Iterator[tuple[str, int, int]]:
    """Every character once: sections, and what no section holds; of that, headings are no text of their own."""
    done, titles = 0, {" ".join(section.title.split()) for section in document.sections} | {""}
    for section in sorted(document.sections, key=lambda section: (section.start, section.end)):
        if " ".join(document.text[done : section.start].split()) not in titles:
            yield "", done, section.start
        yield section.title.strip(), max(done, section.start), section.end
        done = max(done, section.end)
    yield "", done, len(document.text)


def _pieces(text: str) -> Iterator[str]:
    held = ""
    for glue, unit in _units(text):
        if held and len(held) + len(glue) + len(unit) > _PASSAGE:
            yield held
            held = ""
        held = f"{held}{glue}{unit}" if held else unit
    if any(sign.isalpha() for sign in held):
        yield held


def _units(text: str) -> Iterator[tuple[str, str]]:
    """Paragraphs, or the sentences of one that is too long, or bare characters of such a sentence; each with what stands before it."""
    for paragraph in filter(None, map(str.strip, _PARAGRAPH_END.split(text))):
        if len(paragraph) <= _PASSAGE:
            yield "\n\n", paragraph
            continue
        glue = "\n\n"
        for sentence in filter(None, _SENTENCE_END.split(paragraph)):
            for start in range(0, len(sentence), _PASSAGE):
                yield ("" if start else glue), sentence[start : start + _PASSAGE]
            glue = "" if sentence[-1] in "。！？" else " "
