"""Broken, locked, hostile and scanned files: text, or the true reason why there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvest import UnreadableDocument, read_document
from harvest.readers.extract import Reading
from harvest.readers.ocr import missing, tessdata
from harvest.readers.pdf import read_pdf
from harvest.sandbox import Worker

pymupdf: Any = pytest.importorskip("pymupdf")
PAPERS = Path(os.environ.get("FIELDSMITH_PAPERS") or Path(__file__).parent.parent.parent / "shared" / "papers")
TEXT = "Every magnet was measured before it was placed on its girder in the tunnel."
needs_papers = pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")
needs_tesseract = pytest.mark.skipif(missing("eng") != "", reason="Tesseract with English is not installed here")
# What a person would say of each file; a scan is read where Tesseract is.
REFUSED = {
    "corrupt/arxivstub_fake": {"not-a-document"},
    "corrupt/cyclic-toc": {"no-pages"},
    "corrupt/invalid": {"damaged", "not-a-document"},
    "corrupt/qpdf_bad-encryption-length": {"encrypted", "damaged"},
    "corrupt/qpdf_bad1": {"not-a-document"},
    "corrupt/qpdf_bad12": {"no-text"},
    "corrupt/qpdf_bad2": {"no-text"},
    "corrupt/qpdf_bad29": {"no-text"},
    "corrupt/qpdf_bad40": {"no-pages"},
    "corrupt/qpdf_issue-141a": {"not-a-document"},
    "corrupt/qpdf_issue-449": {"no-text"},
    "corrupt/qpdf_no-pages-types": {"no-text"},
    "corrupt/qpdf_zero-offset": {"no-text"},
    "encrypted_user_password/crazyones-encrypted-256": {"encrypted"},
    "encrypted_user_password/r2-user-password": {"encrypted"},
    "encrypted_user_password/r4-aes-user-password": {"encrypted"},
    "encrypted_user_password/rc4-40": {"encrypted"},
    "made_by_us/html_captcha_page": {"not-a-document"},
    "made_by_us/lfs_pointer": {"not-a-document"},
    "made_by_us/truncated_40pct": {"truncated"},
    "scanned_no_text/blank": {"no-text"},
    "bombs_and_big/hugemono": {"no-text"},
    "bombs_and_big/large-inline-image": {"no-text"},
    "encoding_trouble/type3_font_nomapping": {"no-text", "low-quality"},
    "active_content_and_metadata/invalid_creationdate": {"no-text"},
    "active_content_and_metadata/veraPDF test suite 6-2-3-2-t01-undefined-a": {"no-text"},
    "active_content_and_metadata/veraPDF test suite 6-2-3-3-t03-undefined-c": {"no-text"},
    "active_content_and_metadata/veraPDF test suite 6-2-3-3-t04-undefined-c": {"no-text"},
}
READ = {
    "encrypted_owner_only/r2-owner-password": "encryption",
    "encrypted_owner_only/r4-owner-password": "encryption",
    "bad_ocr_or_hidden_text/sandwich": "LinnSequencer",
    "active_content_and_metadata/with-attachment": "Lorem ipsum dolor sit amet",
    "languages/jo": "わたくしといふ現象は",
    "layout_trouble/indirect-rotation": "Revised",
    "encoding_trouble/issue-625-identity-cmap": "Data wystawienia",
}
SCANS = {
    "scanned_no_text/skew": "state-of-the-art composition",
    "scanned_no_text/non_text_searchable": "example of a non-text-searchable PDF",
}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


@pytest.mark.shared
@needs_papers
def test_every_nasty_file_is_read_or_refused_for_a_true_reason(worker: Worker) -> None:
    wrong: dict[str, str] = {}
    known = {*REFUSED, *READ, *SCANS}
    for path in sorted((PAPERS / "A_nasty").rglob("*.pdf")):
        name = f"{path.parent.name}/{path.stem}"
        try:
            text = worker.read(path).text
            found = "read" if READ.get(name, SCANS.get(name, "\0")) in text or (name not in known and text) else f"read: {text[:60]!r}"
        except UnreadableDocument as refused:
            fits = refused.reason in REFUSED.get(name, ()) or (name in SCANS and "install Tesseract" in refused.detail)
            found = "refused" if fits or (name not in known and refused.reason not in ("crashed", "timed-out")) else str(refused)
        expected = {"read", "refused"} if name in SCANS or name not in known else {"refused"} if name in REFUSED else {"read"}
        if found not in expected:
            wrong[name] = found
    assert wrong == {}


@pytest.mark.shared
@needs_papers
def test_locked_files_say_that_they_need_a_password() -> None:
    for path in (PAPERS / "A_nasty" / "encrypted_user_password").glob("*.pdf"):
        with pytest.raises(UnreadableDocument, match="needs a password"):
            read_document(path)


def scan(text: str = TEXT, pages: int = 1) -> bytes:
    """Pages that are pictures of text."""
    paper, file = pymupdf.open(), pymupdf.open()
    sheet = paper.new_page(width=420, height=300)
    for line, y in ((text, 100), ("The vacuum of the arcs is held by small pumps that run without any oil.", 120)):
        sheet.insert_text((30, y), line, fontsize=10)
    picture = sheet.get_pixmap(dpi=200)
    for _ in range(pages):
        made = file.new_page(width=420, height=300)
        made.insert_image(made.rect, pixmap=picture)
    data: bytes = file.tobytes()
    return data


def test_a_scan_without_tesseract_asks_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path / "nowhere"))
    with pytest.raises(UnreadableDocument) as refused:
        read_pdf(scan(), "scan.pdf")
    assert (refused.value.reason, refused.value.detail) == ("no-text", "it is a scan without text; install Tesseract")


@needs_tesseract
def test_a_scan_is_recognised_and_says_which_pages() -> None:
    extract = read_pdf(scan(pages=2), "scan.pdf")
    assert extract.text.count(TEXT) == 2
    assert "text recognition (OCR) read pages 1-2" in extract.warnings
    assert [page.score for page in extract.pages] == [1.0, 1.0]


@needs_tesseract
def test_a_scan_in_a_language_that_is_missing_asks_for_it() -> None:
    with pytest.raises(UnreadableDocument, match="install Tesseract's language xyz"):
        read_pdf(scan(), "scan.pdf", Reading(ocr_language="eng+xyz"))


@needs_tesseract
def test_letters_of_a_font_that_names_others_are_read_from_the_picture() -> None:
    swap = str.maketrans("abcdefghijklmnopqrstuvwxyz", "qhxkzvbnwjcmyfpgtrdlsuaieo")
    file = pymupdf.open(stream=scan(), filetype="pdf")
    for at in range(12):  # a text layer of garbage under the picture
        file[0].insert_text((30, 40 + 20 * at), TEXT.translate(swap), fontsize=8, overlay=False)
    assert TEXT in read_pdf(file.tobytes(), "x.pdf").text


@needs_tesseract
def test_recognition_works_in_the_sandbox(worker: Worker, tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(scan())
    assert TEXT in worker.read(tmp_path / "scan.pdf").text


def test_reading_loads_no_layout_model_and_leaves_it_to_others(tmp_path: Path) -> None:
    file = pymupdf.open()
    file.new_page().insert_text((72, 72), TEXT)
    file.save(tmp_path / "paper.pdf")
    code = (
        "import sys; from pathlib import Path; from harvest.readers.pdf import read_pdf\n"
        "assert read_pdf(Path(sys.argv[1]).read_bytes(), 'x').text\n"
        "assert not {'onnxruntime', 'pymupdf.layout', 'pymupdf4llm'} & set(sys.modules)\n"
        "import pymupdf.layout, pymupdf; assert callable(pymupdf._get_layout)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "paper.pdf")], check=True)


def test_language_files_are_looked_for_where_the_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    assert tessdata() == tmp_path
    assert missing("eng") == "install Tesseract's language eng"
    (tmp_path / "eng.traineddata").write_bytes(b"")
    assert missing("eng") == ""
    assert missing("eng+deu+fra") == "install Tesseract's language deu and fra"
