"""PDF to text: what a person sees, in the order in which they read it, and a true reason where there is nothing."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pdf_sheet import WORDS, Sheet, wrapped

from harvest.readers.extract import UnreadableDocument
from harvest.readers.latex import read_latex
from harvest.readers.pdf import read_pdf

pymupdf: Any = pytest.importorskip("pymupdf")
ROOT = Path(__file__).parent.parent
PAPERS = Path(os.environ.get("FIELDSMITH_PAPERS") or ROOT.parent / "shared" / "papers")
DEMO = ROOT / "examples" / "demo" / "documents"


def test_two_columns_are_read_one_after_the_other() -> None:
    sheet = Sheet()
    sheet.line(120, 90, "A title that spans both of the columns", 16)
    for x, (first, second) in ((60, WORDS[:2]), (310, WORDS[2:])):
        y = sheet.lines(x, 140, wrapped(f"{first} {first} {first}", 45))
        sheet.lines(x, y + 12, wrapped(f"{second} {second} {second}", 45))
    extract = sheet.read()
    assert extract.text.split("\n\n") == [f"{words} {words} {words}" for words in WORDS]
    assert extract.title == "A title that spans both of the columns"


def test_headings_have_levels_and_spans() -> None:
    sheet = Sheet()
    y = 100.0
    for heading, size, words in (("1 Introduction", 14, 0), ("1.1 The ring", 12, 1), ("2 Magnets", 14, 2)):
        sheet.line(72, y, heading, size, fontname="hebo")
        y = sheet.lines(72, y + 20, wrapped(WORDS[words], 60)) + 16
    sheet.line(72, y, "References", 14, fontname="hebo")
    sheet.lines(72, y + 20, ["[1] A. Person, Nothing that anybody should learn, 1999."])
    extract = sheet.read()
    found = [(section.title, section.level, extract.text[section.start : section.end]) for section in extract.sections]
    assert found == [("Introduction", 1, WORDS[0]), ("The ring", 2, WORDS[1]), ("Magnets", 1, WORDS[2])]


def test_what_stands_on_every_page_is_dropped_and_sentences_go_on() -> None:
    sheet = Sheet()
    long = " ".join(WORDS)
    for number in range(4):
        if number:
            sheet.new()
        sheet.line(72, 40, f"OLS design report {number + 1}", 9)
        sheet.line(290, 810, str(number + 1), 9)
        text = ("the" if number else "The") + long[3:-1] + f" and so it goes on in part{number}"
        sheet.lines(72, 100, wrapped(text, 70))
    text = sheet.read().text
    assert "design report" not in text
    assert not re.search(r"\b[1-4]\b", text)
    assert "in part0 the ring" in text


def test_words_cut_at_the_end_of_a_line_are_joined_as_the_document_writes_them() -> None:
    sheet = Sheet()
    sheet.lines(
        72,
        100,
        ["This well-known ring was com-", "missioned in spring; its well-", "known magnets and the efﬁcient", "pumps are\u00a0good."],
    )
    text = sheet.read().text
    assert "was commissioned in spring; its well-known magnets" in text
    assert "are good" in text


def test_chinese_lines_are_joined_without_spaces() -> None:
    sheet = Sheet()
    for number, text in enumerate(["储存环的周长为二百四十米，每台支架由五个凸轮支撑并调", "节位置，横向准直误差要求小于四十五微米。"]):
        sheet.line(72, 100 + 14 * number, text, fontname="china-s")
    assert sheet.read().text == "储存环的周长为二百四十米，每台支架由五个凸轮支撑并调节位置，横向准直误差要求小于四十五微米。"


def encrypted() -> bytes:
    sheet = Sheet()
    sheet.line(72, 100, WORDS[0])
    data: bytes = sheet.file.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret", owner_pw="owner")
    return data


def plain(text: str = WORDS[0]) -> bytes:
    sheet = Sheet()
    for _ in range(40):
        sheet.line(72, 100, text)
        sheet.new()
    data: bytes = sheet.file.tobytes()
    return data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: b"", "empty"),
        (lambda: b"<html><title>reCAPTCHA</title></html>", "not-a-document"),
        (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "not-a-document"),
        (lambda: b"%PDF-1.4 and nothing else", "truncated"),
        (encrypted, "encrypted"),
        (lambda: plain()[:9000], "truncated"),
        (lambda: plain(""), "no-text"),
    ],
)
def test_what_cannot_be_read_says_why(data: Any, reason: str) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        read_pdf(data(), "paper.pdf")
    assert refused.value.reason == reason
    assert str(refused.value).startswith("paper.pdf cannot be read: ")


def fours(text: str) -> Counter[tuple[str, ...]]:
    """Runs of four words, formulas left out: they see both the words and their order."""
    words = re.findall(r"[a-z]{2,}|[\u4e00-\u9fff]", re.sub(r"\$\$.*?\$\$|\$[^$]*\$", " ", text, flags=re.DOTALL).lower())
    return Counter(zip(*(words[shift:] for shift in range(4)), strict=False))


@pytest.mark.parametrize("name", ["h-beamlines", "t-rf-proceedings", "t-zh-girders"])
def test_the_demos_pdfs_say_what_their_sources_say(name: str) -> None:
    source, print_ = DEMO / f"{name}.tex", DEMO / f"{name}.pdf"
    if not (source.exists() and print_.exists()):
        pytest.skip("this demo document is not here")
    true, seen = read_latex(source.read_bytes(), name), read_pdf(print_.read_bytes(), name)
    gold, mine = fours(true.text), fours(seen.text)
    assert (gold & mine).total() >= 0.95 * gold.total()
    headings = {section.title for section in true.sections}
    assert len(headings & {section.title for section in seen.sections}) >= 0.9 * len(headings)


@pytest.mark.shared
@pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")
@pytest.mark.parametrize(
    ("paper", "least"), [("10.1016_j.nuclphysb.2013.12.015", 0.9), ("10.1088_1367-2630_16_6_065002", 0.91), ("10.1093_ptep_ptt114", 0.88)]
)
def test_real_papers_keep_their_words_in_order(paper: str, least: float) -> None:
    folder = PAPERS / "E_gold" / "scoap3_ccby" / paper
    gold, mine = fours((folder / "gold_prose.txt").read_text()), fours(read_pdf((folder / "paper.pdf").read_bytes(), paper).text)
    assert (gold & mine).total() >= least * gold.total()
