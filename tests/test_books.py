"""Books by chapter: what a chapter is, what is left out, and that offsets and pages still point at the same words."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.books import chapters
from harvest.config import HarvestConfig
from harvest.readers.any import read_bytes
from harvest.readers.extract import Block, Extract, lay_out
from harvest.readers.outline import Entry, follow_outline
from harvest.records import Document, HiddenText, Page, Paper, Section
from harvest.stage import harvest
from harvest.store import load, sha256_text

PAPERS = Path(os.environ.get("FIELDSMITH_PAPERS") or Path(__file__).parent.parent.parent / "shared" / "papers")
LONG = "The beam goes round and round the ring until it is lost on the walls of the chamber."


def book(*blocks: Block, pages: tuple[Page, ...] = (), **changed: object) -> Document:
    text, sections = lay_out(blocks)
    paper = Paper("rings", "folder", "On rings", licence="CC-BY-4.0")
    made = Document("rings", paper, sections, text, sha256_text(text), "test/1", pages=pages)
    return replace(made, **changed)  # type: ignore[arg-type]


def titles(document: Document) -> list[str]:
    return [chapter.paper.title.removeprefix("On rings: ") for chapter in chapters(document)]


def h(title: str, level: int = 1) -> Block:
    return Block(title, level)


P = Block(LONG)


def test_a_chapter_is_a_document_of_its_own() -> None:
    made = chapters(
        book(h("Contents"), P, h("Beams"), P, h("Sources", 2), P, h("Deep", 3), P, h("Magnets"), h("Coils", 2), P, h("Index"), P)
    )
    assert [(c.id, c.paper.id, c.paper.title, c.paper.licence) for c in made] == [
        ("rings/chapter-01", "rings/chapter-01", "On rings: Beams", "CC-BY-4.0"),
        ("rings/chapter-02", "rings/chapter-02", "On rings: Magnets", "CC-BY-4.0"),
    ]
    assert made[0].text == f"{LONG}\n\nSources\n\n{LONG}\n\nDeep\n\n{LONG}"
    assert [(s.level, s.title) for s in made[0].sections] == [(1, ""), (1, "Sources"), (2, "Deep")]
    assert made[1].text == f"Coils\n\n{LONG}"
    assert [(s.level, s.title, made[1].text[s.start : s.end]) for s in made[1].sections] == [(1, "Coils", LONG)]
    assert all(chapter.sha256 == sha256_text(chapter.text) for chapter in made)
    assert made[0].warnings == ("left out of the book: Contents (no chapter), Index (no chapter)",)
    assert made[1].warnings == ()


@pytest.mark.parametrize(
    ("blocks", "found"),
    [
        ((h("Part I"), h("Beams", 2), P, h("Part II: More"), h("Magnets", 2), P, h("Coils", 2), P), ["Beams", "Magnets", "Coils"]),
        ((h("The whole book"), h("Beams", 2), P, h("Magnets", 2), P), ["Beams", "Magnets"]),
        ((P, h("Chapter 1"), h("Beams"), P, h("Aside"), P, h("Chapter 2 Magnets"), P), ["Chapter 1: Beams", "Chapter 2 Magnets"]),
        (
            (h("Preface"), P, h("Beams"), P, h("Chapter 2 Magnets"), P, h("Chapter 3 Coils"), P),
            ["Beams", "Chapter 2 Magnets", "Chapter 3 Coils"],
        ),
        ((h("前言"), P, h("第1章 引言"), P, h("第2章 方法"), P, h("参考文献"), P), ["第1章引言", "第2章方法"]),
        ((h("Beams"), P, h("Magnets"), h("Coils"), P), ["Beams", "Coils"]),
        ((h("Beams"), P), ["On rings"]),
        ((P, P), ["On rings"]),
    ],
)
def test_the_level_of_chapters_is_found(blocks: tuple[Block, ...], found: list[str]) -> None:
    assert titles(book(*blocks)) == found


def test_a_book_without_chapters_stays_whole_and_says_so() -> None:
    whole = book(P, P)
    (made,) = chapters(whole)
    assert made == replace(whole, warnings=("no chapters were found in this book; it is kept whole",))


def test_hidden_text_goes_with_its_page_and_references_with_every_chapter() -> None:
    whole = book(h("Beams"), P, h("Magnets"), P, references=("[1] A.",), hidden=(HiddenText(1, "white", "x"), HiddenText(2, "tiny", "y")))
    cut = whole.text.index("Magnets")
    whole = replace(whole, pages=(Page(1, ((0, cut),), 1.0), Page(2, ((cut, len(whole.text)),), 1.0)))
    first, second = chapters(whole)
    assert [[item.text for item in made.hidden] for made in (first, second)] == [["x"], ["y"]]
    assert first.references == second.references == ("[1] A.",)
    assert [[page.number for page in made.pages] for made in (first, second)] == [[1], [2]]


_WORDS = st.text(alphabet="abc 束\n", min_size=1, max_size=30)
_BLOCKS = st.lists(st.builds(Block, _WORDS, st.sampled_from([0, 0, 0, 1, 1, 2, 3])), max_size=30)


@settings(max_examples=300, deadline=None)
@given(_BLOCKS, st.lists(st.integers(0, 400), max_size=8))
def test_chapters_are_pieces_of_the_book_in_order_and_point_at_the_same_words(blocks: list[Block], cuts: list[int]) -> None:
    whole = book(*blocks)
    edges = sorted({0, len(whole.text), *(cut for cut in cuts if cut < len(whole.text))})
    pages = tuple(Page(at, ((a, b),), 1.0) for at, (a, b) in enumerate(pairwise(edges), 1))
    whole = replace(whole, pages=pages)
    made = chapters(whole)
    at = 0
    for chapter in made:
        start = whole.text.index(chapter.text, at)  # raises where it is not there, in order
        at = start + len(chapter.text)
        for section in chapter.sections:
            assert 0 <= section.start <= section.end <= len(chapter.text)
            assert section.level >= 1
        assert [page.number for page in chapter.pages] == sorted(page.number for page in chapter.pages)
        joined = "".join(chapter.text[a:b] for page in chapter.pages for a, b in page.spans)
        assert joined == chapter.text
    if len(made) > 1:
        inner = [(s.title, chapter.text[s.start : s.end]) for chapter in made for s in chapter.sections if s.title]
        everything = [(s.title, whole.text[s.start : s.end]) for s in whole.sections]
        assert all(item in everything for item in inner)


# ---- the outline of a PDF


def test_the_outline_of_a_pdf_says_which_headings_are_chapters() -> None:
    text, _ = lay_out(
        [Block("Beams 1"), Block("1 Beams"), P, Block("1.1 Sources"), P, Block("Aside"), P, Block("2 Mag-"), P, Block("Coils"), P]
    )
    contents, beams, aside = 0, text.index("1 Beams"), text.index("Aside")
    cut = text.index("Coils")
    pages = (Page(1, ((contents, beams),), 1.0), Page(2, ((beams, cut),), 1.0), Page(3, ((cut, len(text)),), 1.0))
    shown = (Section("", 1, 0, aside - 2), Section("Aside", 1, aside + 7, len(text)))
    extract = Extract(text, shown, "", "pdf/1", pages=pages)
    entries = (Entry(1, "Beams", 2), Entry(2, "1.1 Sources", 2), Entry(1, "Coils", 3), Entry(1, "Nowhere", 3))
    made = follow_outline(extract, entries)
    assert [(s.level, s.title) for s in made.sections] == [(1, ""), (1, "1 Beams"), (2, "1.1 Sources"), (3, "Aside"), (1, "Coils")]
    assert made.text == text
    assert text[made.sections[-1].start : made.sections[-1].end] == LONG
    assert follow_outline(extract, (Entry(1, "Beams", 1), Entry(1, "Other", 2), Entry(1, "More", 3))) == extract


# ---- whole books


CHAPTERS = "\n".join(f"# Chapter {number}\n\n{LONG} Number {number}.\n\n## More\n\n{LONG}\n" for number in (1, 2, 3))


def test_a_book_of_a_folder_becomes_one_document_for_each_chapter(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    (folder / "books").mkdir(parents=True)
    (folder / "books" / "rings.md").write_text(f"---\ntitle: On rings\n---\n{CHAPTERS}\n# Index\n\n{LONG}\n")
    (folder / "note.md").write_text(f"# A note\n\n# One\n\n{LONG}\n\n# Two\n\n{LONG}\n")
    source = {"path": folder, "books": ["books/*"], "licence": "CC0-1.0"}
    record = harvest(HarvestConfig.model_validate({"sources": [{"folder": source}]}), tmp_path / "run")
    found = {made.id: made for path in (tmp_path / "run" / "documents").glob("*.json") if (made := load(path, Document))}
    assert set(found) == {"books/rings/chapter-01", "books/rings/chapter-02", "books/rings/chapter-03", "note"}
    chapter = found["books/rings/chapter-02"]
    assert chapter.paper.title == "On rings: Chapter 2"
    assert chapter.paper.licence == "CC0-1.0"
    assert chapter.text == f"{LONG} Number 2.\n\nMore\n\n{LONG}"
    assert record.counts["documents"] == 4


@pytest.mark.shared
@pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")
def test_a_real_manual_is_split_at_its_chapters() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(PAPERS / "B_latex" / "xsuite_physics_manual" / "src", arcname=".")
    made = read_bytes(buffer.getvalue(), "source.tar")
    whole = Document("xsuite", Paper("xsuite", "file", "Xsuite"), made.sections, made.text, sha256_text(made.text), made.extractor)
    found = [chapter.paper.title for chapter in chapters(whole)]
    assert len(found) >= 18
    assert found[0].endswith("Lattice modeling and particle coordinates")
    assert any(title.endswith("Touschek scattering") for title in found)


@pytest.mark.shared
@pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")
def test_the_chapters_of_a_pdf_stand_on_the_pages_of_its_outline() -> None:
    made = read_bytes((PAPERS / "B_latex" / "sixtrack_physics_manual" / "paper.pdf").read_bytes(), "paper.pdf")
    paper = Paper("six", "file", "SixTrack")
    whole = Document("six", paper, made.sections, made.text, sha256_text(made.text), made.extractor, pages=made.pages)
    found = {
        chapter.paper.title.removeprefix("SixTrack: "): (chapter.pages[0].number, chapter.pages[-1].number) for chapter in chapters(whole)
    }
    assert list(found.values()) == [(3, 3), (3, 5), (5, 30), (30, 38), (38, 39)]
    assert list(found)[-2:] == ["Optics calculations", "Table of symbols"]
