"""The structure of a PDF's text: nothing tears a sentence, nothing that is no text is in it, and every character has its page."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pdf_sheet import WORDS, Sheet, wrapped

from harvest.readers.extract import Block, Extract, lay_out_pages, split_references
from harvest.readers.pdf import read_pdf

pymupdf: Any = _pymupdf
PAPERS = Path(os.environ.get("FIELDSMITH_PAPERS") or Path(__file__).parent.parent.parent / "shared" / "papers")
LONG = " ".join(WORDS)


def paragraphs(extract: Extract) -> list[str]:
    return extract.text.split("\n\n")


def column(sheet: Sheet, x: float, y: float, text: str, width: int = 46) -> float:
    return sheet.lines(x, y, wrapped(text, width))


def test_a_footnote_stands_after_the_sentence_that_a_column_cuts() -> None:
    sheet = Sheet()
    first, rest = LONG[:-1] + " while all of the", "magnets are kept cold by helium. " + LONG
    y = column(sheet, 60, 100, f"{LONG} {first}")
    sheet.lines(60, y + 30, ["3 This note names a detail of the pumps", "that only few readers look for."], size=8, pitch=10)
    column(sheet, 310, 100, f"{rest} {LONG}")
    text = paragraphs(sheet.read())
    assert any("while all of the magnets are kept cold" in paragraph for paragraph in text)
    assert "3 This note names a detail of the pumps that only few readers look for." in text


def test_a_caption_keeps_its_label_and_tears_no_sentence() -> None:
    sheet = Sheet()
    column(sheet, 72, 100, f"{LONG} {LONG[:-1]} while the beam of the", 80)
    sheet.new()
    sheet.page.draw_rect(pymupdf.Rect(150, 80, 400, 200))
    sheet.line(260, 150, "energy (GeV)", 7, fontname="cour")
    sheet.line(120, 225, "Figure 3: The energy of the ring over a day.", 9)
    column(sheet, 72, 260, f"ring is still stable. {LONG}", 80)
    text = sheet.read().text
    assert "while the beam of the ring is still stable" in text
    assert "Figure 3: The energy of the ring over a day." in text.split("\n\n")
    assert "GeV" not in text


def test_a_sentence_may_begin_with_the_name_of_a_table() -> None:
    sheet = Sheet()
    sheet.lines(
        72,
        100,
        ["All of the pumps of the arcs are listed with their makers in the long", "Table 2. They run for years and need no oil at all."],
    )
    assert paragraphs(sheet.read()) == [
        "All of the pumps of the arcs are listed with their makers in the long Table 2. They run for years and need no oil at all."
    ]


def test_a_formula_stays_in_its_paragraph() -> None:
    sheet = Sheet()
    y = sheet.lines(72, 100, wrapped(LONG[:-1] + " as it is given by the well-known relation", 80))
    sheet.line(250, y + 8, "E = mc + 2\u00d7k   (3)")
    sheet.lines(72, y + 30, ["where all of the letters have the meaning that they have had before."])
    assert len(paragraphs(sheet.read())) == 1


ENTRIES = {
    "brackets": ["[1] A. Person, Nothing that anybody should", "learn, Phys. Rev. 1, 2 (1999).", "[2] B. Other, A second thing (2001)."],
    "numbers": ["1. A. Person, Nothing that anybody should", "learn, Phys. Rev. 1, 2 (1999).", "2. B. Other, A second thing (2001)."],
    "hanging": ["Person A., Nothing that anybody should", "    learn, Phys. Rev. 1, 2 (1999).", "Other B., A second thing (2001)."],
}


@pytest.mark.parametrize("style", ENTRIES)
def test_references_are_kept_apart_and_what_comes_after_them_is_text(style: str) -> None:
    sheet = Sheet()
    y = sheet.lines(72, 100, wrapped(LONG, 80))
    sheet.line(72, y + 20, "References", 14, fontname="hebo")
    y += 40
    for entry in ENTRIES[style]:
        sheet.line(72 + (12 if entry.startswith(" ") else 0), y, entry.strip())
        y += 12
    sheet.line(72, y + 20, "Appendix A: More pumps", 14, fontname="hebo")
    sheet.lines(72, y + 40, wrapped(WORDS[2], 80))
    extract = sheet.read()
    lines = [line.strip() for line in ENTRIES[style]]
    assert extract.references == (f"{lines[0]} {lines[1]}", lines[2])
    assert paragraphs(extract)[-2:] == ["Appendix A: More pumps", WORDS[2]]


def test_references_need_no_heading() -> None:
    sheet = Sheet()
    y = sheet.lines(72, 100, wrapped(f"{LONG} {LONG} {LONG}", 80)) + 30
    for number in range(1, 6):
        y = sheet.lines(72, y, [f"[{number}] A. Person, Phys. Rev. {number}, 12 (1999)."], size=8)
    extract = sheet.read()
    assert len(extract.references) == 5
    assert "Phys. Rev." not in extract.text


def test_prose_below_the_word_references_is_text() -> None:
    blocks = [Block("References", 2), Block("All references are numbered and stand at the end of the paper."), Block("Fonts", 2)]
    assert split_references(blocks) == (blocks, ())


def test_line_numbers_go_and_numbers_in_the_text_stay() -> None:
    sheet = Sheet()
    for number, line in enumerate(wrapped(f"{LONG} {LONG} It had 12 of them.", 60), 1):
        sheet.line(72, 100 + 14 * number, line)
        sheet.line(40, 100 + 14 * number, str(number), 7)
    text = sheet.read().text
    assert re.findall(r"\d+", text) == ["12"]


def test_running_heads_go_though_their_words_change() -> None:
    sheet = Sheet()
    names = ["Sources of electrons", "Lattices of the arcs", "Cavities and their klystrons", "Pumps that need no oil", "What is left to do"]
    for number, name in enumerate(names):
        if number:
            sheet.new()
        sheet.line(72, 90, name, 9)
        sheet.lines(72, 130, wrapped(f"Part {name[::-1]} begins. {LONG} {LONG}", 80))
    text = sheet.read().text
    assert not any(name in text for name in names)
    assert text.count("begins.") == len(names)


def test_a_line_that_is_all_that_the_pages_say_is_their_text() -> None:
    sheet = Sheet()
    sheet.line(72, 60, WORDS[0])
    sheet.new()
    sheet.line(72, 60, WORDS[0])
    assert sheet.read().text.count(WORDS[0]) == 2


def test_a_number_within_the_first_line_of_a_page_is_no_page_number() -> None:
    sheet = Sheet()
    things = ["copper wire", "niobium foil", "silver tape", "hemp cord"]
    for number, thing in enumerate(things):
        if number:
            sheet.new()
        sheet.line(72, 70, f"where the coil of {thing} has")
        sheet.line(250, 70, str(3 * number + 5))
        sheet.line(270, 70, f"turns of {thing}")
        sheet.lines(72, 82, wrapped(f"and {thing} is what it is made of. {LONG}", 80))
    text = sheet.read().text
    assert all(f"has {3 * number + 5} turns of {thing}" in text for number, thing in enumerate(things))


def test_a_gap_between_two_fonts_is_a_space() -> None:
    sheet = Sheet()
    sheet.line(72, 100, f"{WORDS[0]} It has", 10)
    end = 72 + pymupdf.get_text_length(f"{WORDS[0]} It has", fontsize=10)
    sheet.line(end + 3, 100, "many", 10, fontname="heit")
    sheet.line(end + 3 + pymupdf.get_text_length("many", "heit", 10) + 3, 100, "turns.", 10)
    assert sheet.read().text == f"{WORDS[0]} It has many turns."


def test_a_table_of_contents_goes() -> None:
    sheet = Sheet()
    sheet.line(72, 100, "Contents", 14, fontname="hebo")
    sheet.lines(72, 130, [f"{number} Part {number} of the ring . . . . . . . . . . {number + 3}" for number in range(1, 6)])
    sheet.new()
    sheet.line(72, 100, "1 Part 1 of the ring", 14, fontname="hebo")
    sheet.lines(72, 130, wrapped(LONG, 80))
    extract = sheet.read()
    assert [section.title for section in extract.sections if section.title] == ["Part 1 of the ring"]
    assert ". . ." not in extract.text


def test_a_page_printed_sideways_is_read() -> None:
    sheet = Sheet()
    for number, line in enumerate(wrapped(LONG, 60)):
        sheet.line(100 + 14 * number, 700, line, rotate=90)
    assert paragraphs(sheet.read()) == [LONG]


def test_keywords_beside_an_abstract_stay_beside_it() -> None:
    sheet = Sheet()
    sheet.lines(60, 100, ["Keywords:", "rings", "magnets", "klystrons", "pumps"], size=8, pitch=10)
    sheet.lines(200, 103, wrapped(LONG, 70))
    for x in (60, 310):
        column(sheet, x, 300, f"{LONG} {LONG} {LONG}")
    text = paragraphs(sheet.read())
    assert LONG in text


WORD = st.sampled_from(sorted(set(re.findall(r"[a-z]+", LONG.lower()))))
PAGES = st.lists(st.lists(st.lists(WORD, min_size=12, max_size=60).map(" ".join), min_size=1, max_size=4), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(PAGES)
def test_spans_of_pages_are_ordered_and_hold_words_of_their_page(pages: list[list[str]]) -> None:
    sheet = Sheet()
    for number, texts in enumerate(pages):
        if number:
            sheet.new()
        y = 130.0
        for text in texts:
            y = sheet.lines(72, y, wrapped(text.capitalize() + " in all of the ring.", 70)) + 12
    data = sheet.file.tobytes()
    check_spans(read_pdf(data, "x.pdf"), data)


def check_spans(extract: Extract, data: bytes) -> None:
    """Spans are in order, inside the text and disjoint, hold every letter of it once, and only words of their page."""
    marked = sorted((start, end) for page in extract.pages for start, end in page.spans)
    assert all(0 <= start < end <= len(extract.text) for start, end in marked)
    assert all(end <= start for (_, end), (start, _) in pairwise(marked))
    assert all(page.spans == tuple(sorted(page.spans)) for page in extract.pages)
    assert sum(len(extract.text[start:end].split()) for start, end in marked) >= len(extract.text.split())
    with pymupdf.open(stream=data, filetype="pdf") as file:
        assert [page.number for page in extract.pages] == list(range(1, file.page_count + 1))
        for page, printed in zip(extract.pages, file, strict=True):
            letters = plain(printed.get_text())
            said = [word for start, end in page.spans for word in extract.text[start:end].split()]
            missing = [word for word in said if word.isascii() and word.isalpha() and plain(word) not in letters]
            assert len(missing) <= 0.01 * len(said), (page.number, missing)


def plain(text: str) -> str:
    """Letters alone, with ligatures resolved: a word that a line cuts is whole again."""
    return re.sub(r"[\W\d_]", "", text.translate({0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl"})).lower()


@given(st.lists(st.tuples(st.text(max_size=30), st.integers(0, 3), st.integers(1, 4)), max_size=8))
def test_spans_survive_tidying(parts: list[tuple[str, int, int]]) -> None:
    blocks = [Block(text, level, cuts=((0, page), (len(text) // 2, page + 1))) for text, level, page in parts]
    text, sections, pages = lay_out_pages(blocks)
    spans = sorted(span for of_page in pages.values() for span in of_page)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(0 <= section.start <= section.end <= len(text) for section in sections)


@pytest.mark.shared
@pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")
@pytest.mark.parametrize(
    "name",
    [
        "E_gold/scoap3_ccby/10.1140_epjc_s10052-018-6183-4/paper.pdf",
        "A_pdfs/jacow_icalepcs23_tu2ao02_crc.pdf",
        "A_pdfs/ziemann_MatchTheTunes.pdf",
    ],
)
def test_spans_of_real_papers(name: str) -> None:
    data = (PAPERS / name).read_bytes()
    check_spans(read_pdf(data, name), data)


@pytest.mark.shared
@pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")
def test_a_collaborations_paper_has_its_sections_and_no_members() -> None:
    data = (PAPERS / "E_gold" / "scoap3_ccby" / "10.1016_j.physletb.2013.12.009" / "paper.pdf").read_bytes()
    extract = read_pdf(data, "cms.pdf")
    titles = [section.title for section in extract.sections if section.title]
    assert titles[-5:] == [
        "Predicted cross section",
        "Measured cross section",
        "Probabilistic approach",
        "Results and conclusions",
        "Acknowledgements",
    ]
    assert "Yerevan" not in extract.text
    assert len(extract.references) > 50
