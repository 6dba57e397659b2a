"""Chunks and sentences: whole sentences, exact spans, nothing lost, equations and tables uncut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.records import Document, Paper, Section
from harvest.store import sha256_text
from qagen.chunk import chunk_document, sentences
from qagen.config import ChunkConfig

WORDS = st.sampled_from(
    ["The", "gun", "of", "Pike", "runs", "at", "3.5", "kV", "Fig.", "see", "e.g.", "$a.b$", "束流", "能量为", "(ref.", "et al.", "No."]
)
SENTENCE = st.lists(WORDS, min_size=3, max_size=25).map(" ".join).flatmap(lambda s: st.sampled_from([s + ".", s + "?", s + "。", s]))
EQUATION = st.sampled_from(["$$ E = m c . x $$", "\\begin{align}\na &= b.\n\nc\n\\end{align}", "$$\na = b.\n\n$$"])
TABLE = st.integers(1, 30).map(lambda n: "\n".join(f"| row {i} | {i}. Value |" for i in range(n)))
PARAGRAPH = st.one_of(st.lists(SENTENCE, min_size=1, max_size=12).map(" ".join), EQUATION, TABLE)
BODIES = st.lists(st.tuples(st.integers(1, 3), st.lists(PARAGRAPH, max_size=4)), min_size=1, max_size=5)


def document(bodies: list[tuple[int, list[str]]]) -> tuple[Document, str]:
    """A document laid out as harvest does (headings above their section), and what of it is no heading."""
    text, sections, said = "", [], ""
    for number, (level, paragraphs) in enumerate(bodies):
        text += f"Heading {number}\n\n"
        start = len(text)
        text += "\n\n".join(paragraphs)
        said += "".join(paragraphs)
        sections.append(Section(f"Heading {number}", level, start, len(text)))
        text += "\n\n"
    return Document("doc:1", Paper("doc:1", "folder", "A title"), tuple(sections), text, sha256_text(text), "test"), said


def squeezed(text: str) -> str:
    return "".join(text.split())


@settings(deadline=None, max_examples=40)
@given(BODIES, st.integers(200, 900))
def test_chunks_are_exact_spans_that_lose_nothing_and_stay_within_the_limit(bodies: list[tuple[int, list[str]]], limit: int) -> None:
    source, said = document(bodies)
    chunks = chunk_document(source, ChunkConfig(max_chars=limit))
    assert all(chunk.text == source.text[chunk.start : chunk.end] for chunk in chunks)
    assert squeezed("".join(chunk.text for chunk in chunks)) == squeezed(said)
    assert all(a.end <= b.start for a, b in pairwise(chunks))
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    for chunk in chunks:
        assert len(chunk.text) <= limit or len(sentences(chunk.text)) == 1


@settings(deadline=None, max_examples=40)
@given(BODIES, st.integers(200, 900))
def test_no_chunk_cuts_a_sentence_or_an_equation(bodies: list[tuple[int, list[str]]], limit: int) -> None:
    source, _ = document(bodies)
    whole = [
        (section.start + span.start, section.start + span.end)
        for section in source.sections
        for span in sentences(source.text[section.start : section.end])
    ]
    for chunk in chunk_document(source, ChunkConfig(max_chars=limit)):
        assert chunk.text.count("$") % 2 == 0
        assert chunk.text.count("\\begin") == chunk.text.count("\\end")
        for start, end in whole:
            table = source.text[start:end].startswith("|")
            assert table or end <= chunk.start or start >= chunk.end or chunk.start <= start <= end <= chunk.end


@settings(deadline=None, max_examples=40)
@given(st.lists(PARAGRAPH, max_size=5).map("\n\n".join))
def test_sentences_cover_the_text_in_order(text: str) -> None:
    spans = sentences(text)
    assert "".join(squeezed(text[span.start : span.end]) for span in spans) == squeezed(text)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert all(text[span.start : span.end] == text[span.start : span.end].strip() != "" for span in spans)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It holds 3.5 K. See Fig. 3 and Eq. (4).", ["It holds 3.5 K.", "See Fig. 3 and Eq. (4)."]),
        ("Smith et al. saw it, e.g. The one. Then J. Smith left.", ["Smith et al. saw it, e.g. The one.", "Then J. Smith left."]),
        ("The time is 13.9 ms. The next is 5 A. Pike waits.", ["The time is 13.9 ms.", "The next is 5 A.", "Pike waits."]),
        ("Dr. Who came at 5 p.m. on Monday. Why? Nobody knows!", ["Dr. Who came at 5 p.m. on Monday.", "Why?", "Nobody knows!"]),
        (
            "The film is thin.1 The laboratories agree.[3] All is well.",
            ["The film is thin.1", "The laboratories agree.[3]", "All is well."],
        ),
        ("The power is\n\n$$ P = Q . x, $$\n\nwhere $T$ is hot. Done.", ["The power is\n\n$$ P = Q . x, $$\n\nwhere $T$ is hot.", "Done."]),
        (
            "共有634台电源。其中“泥鳅”为388.5台！为什么？“好。”他说。",
            ["共有634台电源。", "其中“泥鳅”为388.5台！", "为什么？", "“好。”", "他说。"],
        ),
        ("Text.\n| a | b |\n| 1. B | 2. C |\nMore text.", ["Text.", "| a | b |\n| 1. B | 2. C |", "More text."]),
    ],
)
def test_sentences_of_both_languages(text: str, said: list[str]) -> None:
    assert [text[span.start : span.end] for span in sentences(text)] == said


def test_a_chunk_names_its_headings_and_holds_none() -> None:
    text = "Magnets\n\nPower\n\nThe supply gives 3 A.\n\nSafety\n\nNo entry."
    at = text.index
    sections = (
        Section("Magnets", 1, at("Power"), at("Power")),
        Section("Power", 2, at("The supply"), at("\n\nSafety")),
        Section("Safety", 1, at("No entry"), len(text)),
    )
    source = Document("d", Paper("d", "folder", "T"), sections, text, sha256_text(text), "test")
    chunks = chunk_document(source, ChunkConfig())
    assert [(chunk.section, chunk.text) for chunk in chunks] == [("Magnets > Power", "The supply gives 3 A."), ("Safety", "No entry.")]


def test_a_table_longer_than_a_chunk_is_cut_between_rows() -> None:
    rows = [f"| {number} | {'x' * 60} |" for number in range(20)]
    text = "\n".join(rows)
    source = Document("d", Paper("d", "folder", "T"), (Section("", 1, 0, len(text)),), text, sha256_text(text), "test")
    chunks = chunk_document(source, ChunkConfig(max_chars=400))
    assert len(chunks) > 1
    assert [row for chunk in chunks for row in chunk.text.splitlines()] == rows
