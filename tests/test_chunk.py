"""Chunks and sentences: whole sentences, exact spans, nothing lost, equations and tables uncut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.records import Document, Paper, Section
from harvest.store import sha256_text
from qagen.chunk import chunk_document
from qagen.config import ChunkConfig
from qagen.context import definitions_in
from qagen.sentences import sentences

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
        table = len(chunk.text) <= 4 * limit and chunk.text.startswith("|")
        assert len(chunk.text) <= limit or table or len(sentences(chunk.text)) == 1


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


ROWS = [f"| {number} | {'x' * 60} |" for number in range(20)]
HEAD = "| Number | Measured loss in W |\n| --- | --- |\n"


def plain(text: str, *sections: Section) -> Document:
    return Document("d", Paper("d", "folder", "T"), sections or (Section("", 1, 0, len(text)),), text, sha256_text(text), "test")


def test_a_table_stays_whole_and_with_its_caption() -> None:
    table = "Table 2: Losses of the cells.\n\n" + HEAD + "\n".join(ROWS)
    before, after = "The cells were measured. " * 12, "All losses are small."
    chunks = chunk_document(plain(f"{before.strip()}\n\n{table}\n\n{after}"), ChunkConfig(max_chars=600))
    assert [chunk.text for chunk in chunks if "|" in chunk.text] == [table]


def test_a_table_as_long_as_several_chunks_is_cut_between_rows_and_each_piece_knows_its_columns() -> None:
    chunks = chunk_document(plain(HEAD + "\n".join(ROWS)), ChunkConfig(max_chars=200))
    assert len(chunks) > 4
    assert [row for chunk in chunks for row in chunk.text.splitlines()] == [*HEAD.splitlines(), *ROWS]
    assert not chunks[0].definitions
    assert {one.meaning for chunk in chunks[1:] for one in chunk.definitions} == {"| Number | Measured loss in W |"}


# ---- definitions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Each beam position monitor (BPM) sees it.", {"BPM": "beam position monitor"}),
        ("Two free-electron lasers (FELs) run.", {"FEL": "free-electron lasers"}),
        ("The power of HOM (higher-order mode) fields.", {"HOM": "higher-order mode"}),
        ("It was shown (CERN) in a ring (see Fig. 3) of 3 GeV (LHC).", {}),
        (
            "$$ F = q v B, $$\n\nwhere $\\beta$ is the velocity, $\\gamma$ the Lorentz factor and $m_{\\rm e}$ is the electron mass.",
            {"\\beta": "velocity", "\\gamma": "Lorentz factor", "m_{\\rm e}": "electron mass"},
        ),
        (
            "Let $N$ denote the number of particles. $Q_0$ stands for the unloaded quality factor.",
            {"N": "number of particles", "Q_0": "unloaded quality factor"},
        ),
        (
            "The rms emittance, denoted by $\\epsilon_x$, grows with the bending angle $\\theta$ of a cell.",
            {"\\epsilon_x": "rms emittance", "\\theta": "bending angle"},
        ),
        (
            "where Tw is the temperature of the surroundings and η is the efficiency of the plant.",
            {"Tw": "temperature of the surroundings", "η": "efficiency of the plant"},
        ),
        ("If $x$ is the largest value, $y$ is small and $z$ is the same as before. In 20 kHz is the answer.", {}),
        ("One event generator, called Clockhouse, sends codes.", {"Clockhouse": "event generator"}),
        ("其中 $\\beta$ 为相对论速度，$c$ 是光速。", {"\\beta": "相对论速度", "c": "光速"}),
        (
            "全环采用束流位置监测器（BPM）和束流损失监测器（beam loss monitor，BLM）。",
            {"BPM": "束流位置监测器", "BLM": "束流损失监测器 (beam loss monitor)"},
        ),
        ("将自由能记为 $F$，式中 T 表示温度。", {"F": "自由能", "T": "温度"}),
    ],
)
def test_what_a_text_says_that_its_terms_stand_for(text: str, said: dict[str, str]) -> None:
    found = definitions_in(text)
    assert {one.term: one.meaning for one in found} == said
    assert all(one.term.split("_")[0] in text[one.span.start : one.span.end] for one in found)


def test_a_nomenclature_defines_line_by_line() -> None:
    text = "Nomenclature\n\nRF: radio frequency\n$E_b$  energy at the exit\n\n| Symbol | Meaning |\n| --- | --- |\n| $k$ | wave number |"
    found = definitions_in(text, [Section("Nomenclature", 1, 14, len(text))])
    assert {"RF": "radio frequency", "E_b": "energy at the exit", "k": "wave number"}.items() <= {
        one.term: one.meaning for one in found
    }.items()


def test_a_chunk_is_told_what_was_defined_before_it_and_not_what_it_defines_or_what_comes_later() -> None:
    first = "The beam position monitor (BPM) has a gain, where $g$ is the gain of the amplifier."
    second = "Every BPM has $g = 3$ and a low-level radio frequency (LLRF) loop. Now $g$ is the gap of the pole."
    third = "The LLRF loop sees $g$ and the BPM, not the bunch current monitor."
    text = f"One\n\n{first}\n\nTwo\n\n{second}\n\nThree\n\n{third}\n\nFour\n\nA bunch current monitor (BCM) is there."
    sections = [
        Section(title, 1, at := text.index(body), at + len(body)) for title, body in (("One", first), ("Two", second), ("Three", third))
    ]
    chunks = chunk_document(plain(text, *sections))
    told = [{one.term: one.meaning for one in chunk.definitions} for chunk in chunks]
    assert told[0] == {}
    assert told[1] == {"BPM": "beam position monitor"}
    assert told[2] == {"LLRF": "low-level radio frequency", "g": "gap of the pole", "BPM": "beam position monitor"}
    assert {chunk.title for chunk in chunks} == {"T"}
    assert all(
        text[one.span.start : one.span.end].startswith(one.meaning[:3]) or one.term in text[one.span.start : one.span.end]
        for chunk in chunks
        for one in chunk.definitions
    )
