"""A page of garbage scores low, a page of a paper does not, whatever its language and whatever it is full of."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.readers.extract import Extract, Reading, UnreadableDocument
from harvest.readers.pdf import read_pdf
from harvest.readers.quality import Quality, document_quality, order_score, page_quality, sign_score, word_score
from harvest.readers.visible import Line

pymupdf: Any = pytest.importorskip("pymupdf")
PAPERS = Path(os.environ.get("FIELDSMITH_PAPERS") or Path(__file__).parent.parent.parent / "shared" / "papers")
PROSE = {
    "English": "The transverse emittance of the beam is preserved along the linac because the quadrupoles were aligned with respect to the "
    "dispersion-free trajectory, and the remaining kicks are compensated by correctors which are placed near the focusing magnets.",
    "German": "Die Strahllage wird an jedem Umlauf gemessen und durch eine schnelle Rückkopplung geregelt, damit die Lebensdauer des "
    "gespeicherten Strahls nicht durch Schwingungen der Stromversorgungen verkürzt wird.",
    "French": "L'énergie perdue par rayonnement synchrotron est compensée à chaque tour par les cavités accélératrices, dont la tension "
    "doit être suffisante pour que les particules restent dans le seau de radiofréquence.",
    "Spanish": "La longitud del paquete depende de la corriente almacenada, porque la impedancia de la cámara "
    "de vacío deforma el potencial "
    "que las cavidades ofrecen a los electrones durante su recorrido.",
    "Polish": "Wiązka elektronów jest przyspieszana w strukturach nadprzewodzących, których temperatura nie "
    "może przekroczyć dwóch kelwinów, "
    "ponieważ straty mocy rosną wykładniczo.",
    "Turkish": "Demet konumu her turda ölçülür ve hızlı bir geri besleme ile düzeltilir, böylece depolanan demetin ömrü güç kaynaklarının "
    "salınımları nedeniyle kısalmaz.",
    "Vietnamese": "Chùm hạt được gia tốc trong các hốc siêu dẫn và được giữ ổn định bằng hệ thống phản hồi nhanh "
    "trong suốt nhiều giờ vận hành.",
    "Russian": "Положение пучка измеряется на каждом обороте и исправляется быстрой обратной связью, чтобы время жизни накопленного пучка "
    "не уменьшалось из-за колебаний источников питания.",
    "Greek": "Η θέση της δέσμης μετράται σε κάθε περιστροφή και διορθώνεται με ταχεία ανάδραση, ώστε να μη μειώνεται ο χρόνος ζωής της.",
    "Arabic": "يقاس موضع الحزمة في كل دورة ويصحح بواسطة تغذية راجعة سريعة حتى لا يقصر عمر الحزمة المخزنة بسبب تذبذب مصادر الطاقة في المسرع",
    "Chinese": "储存环的周长为二百四十米，每台支架由五个凸轮支撑并调节位置，横向"
    "准直误差要求小于四十五微米，因此束流的寿命可以达到十个小时以上。",
    "Taiwanese": "儲存環的周長為二百四十公尺，每臺支架由五個凸輪支撐並調節位置，"
    "橫向準直誤差要求小於四十五微米，因此束流的壽命可以達到十個小時。",
    "Japanese": "蓄積リングの周長は二百四十メートルであり、電磁石は五つのカムで"
    "支えられた架台の上に置かれ、ビームの寿命は十時間以上に達する。",
    "Korean": "저장링의 둘레는 이백사십 미터이며 전자석은 다섯 개의 캠으로 지지되는 거더 위에 놓이고 빔의 수명은 열 시간 이상에 이른다.",
    "Hindi": "भंडारण वलय की परिधि दो सौ चालीस मीटर है और प्रत्येक चुंबक को सुरंग में रखने से पहले मापा गया था ताकि किरण स्थिर रहे।",
    "Hebrew": "מיקום האלומה נמדד בכל סיבוב ומתוקן באמצעות משוב מהיר כדי שאורך החיים של האלומה לא יתקצר בגלל תנודות של ספקי הכוח",
}
UNUSUAL = {
    "references": "[1] K. Oide, Phys. Rev. Accel. Beams 19, 111005 (2016). [2] A. W. Chao and M. Tigner, eds., "
    "World Scientific, Singapore. "
    "[3] H. Wiedemann, Springer, Berlin (2007), p. 512. [4] S. Myers, CERN-SL-95-066, Geneva. [5] https://cds.cern.ch/record/2651299",
    "table": "QF1 0.340 1.2345 -2.118 mm\nQD1 0.340 -1.1092 0.004 mm\nSF2 0.120 33.21 T/m2\nBPM7 1.44e-3 ± 0.02e-3\nChamber Al 6061 2.5 mm",
    "formulas": "∂ψ/∂t + p ∂ψ/∂q − V′(q) ∂ψ/∂p = 0 (A17)\nσ²ₓ = εₓβₓ + (ηₓδ)²\nFmðxÞ ¼ s2ð1 þ xyÞ2 ν2mðx þ "
    "yÞ2m\n×\nZ 2π\n0\ndϕ (12)\npﬃﬃﬃﬃﬃﬃﬃﬃﬃ xypffiffiffi = −h̄²∇²/2m",
    "a program": "for k=1:nmat\n  x=Racc(:,:,k)*x0; data(k)=x(1);\nend\nplot(spos,1e3*data,'k'); xlabel('s "
    "[m]'); def closed_orbit(ring, dp=0.0):",
    "names": "G. Aad, B. Abbott, D. C. Abbott, K. Abeling, S. H. Abidi, A. Aboulhorma, H. Abramowicz, H. "
    "Abreu, Y. Abulaiti, B. S. Acharya, "
    "C. Adam Bourdarios, L. Adamczyk, L. Adamek, S. V. Addepalli, J. Adelman, A. Adiguzel, S. Adorni, T. Adye, A. A. Affolder",
    "a page number": "17",
    "nothing": "",
}
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
SWAPPED = str.maketrans(ALPHABET + ALPHABET.upper(), "qhxkzvbnwjcmyfpgtrdlsuaieo" + "QHXKZVBNWJCMYFPGTRDLSUAIEO")


def mixed(word: str) -> str:
    letters = list(word)
    random.Random(len(word)).shuffle(letters)
    return "".join(letters)


def misread(text: str) -> str:
    chance = random.Random(1)
    return "".join(chance.choice(";:'~£«»#&%lI1") if sign.isalpha() and chance.random() < 0.35 else sign for sign in text)


GARBLED: dict[str, Callable[[str], str]] = {
    "letters shuffled within words": lambda text: re.sub(r"[A-Za-z]+", lambda match: mixed(match[0]), text),
    "a font that names other letters": lambda text: text.translate(SWAPPED),
    "codes moved by three": lambda text: "".join(chr(ord(sign) + 3) if "!" < sign < "z" else sign for sign in text),
    "letters of no meaning": lambda text: re.sub(r"[a-z]", "\ufffd", text),
    "private letters": lambda text: re.sub(r"[a-z]", lambda match: chr(0xF000 + ord(match[0])), text),
    "numbers of glyphs": lambda text: re.sub(r"[a-z]", lambda match: f"(cid:{ord(match[0])})", text),
    "bytes read as another script": lambda text: text.encode("utf-16-le").decode("utf-16-be", "ignore"),
    "Russian read as Western": lambda _: PROSE["Russian"].encode("cp1251").decode("latin-1"),
    "bad recognition": misread,
    "random ideographs": lambda text: "".join(chr(random.Random(place).randrange(0x4E00, 0x9FA5)) for place in range(len(text))),
}


@pytest.fixture(autouse=True, scope="module")
def _without_recognition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is read must not depend on whether Tesseract is installed here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TESSDATA_PREFIX", str(tmp_path_factory.mktemp("empty")))
        yield


def page(text: str, width: int = 60) -> list[Line]:
    lines = [part for line in text.split("\n") for part in (re.findall(rf"\S.{{0,{width}}}(?=\s|$)", line) or [line])]
    return [Line(line, 72, 100 + 12 * at, 500, 110 + 12 * at, 10, False, 0) for at, line in enumerate(lines)]


@pytest.mark.parametrize("language", PROSE)
def test_prose_of_any_language_is_readable(language: str) -> None:
    assert page_quality([page(PROSE[language] * 3)]).score > 0.9


@pytest.mark.parametrize("kind", UNUSUAL)
def test_what_is_not_prose_is_not_thrown_away(kind: str) -> None:
    assert page_quality([page(UNUSUAL[kind] * (1 if kind == "a page number" else 4))]).score > 0.7


@pytest.mark.parametrize("how", GARBLED)
def test_garbage_is_unreadable(how: str) -> None:
    quality = page_quality([page(GARBLED[how](PROSE["English"] * 3))])
    assert quality.score < 0.3
    assert quality.reason in ("garbled-words", "unknown-signs")


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(PROSE)), st.sampled_from(sorted(GARBLED)), st.integers(0, 10))
def test_the_more_garbage_the_lower_the_score(language: str, how: str, parts: int) -> None:
    good, bad = PROSE[language], GARBLED[how](PROSE["English"])
    scores = [word_score(text) * sign_score(text) for text in (good * 10, good * 10 + bad * parts, good * 10 + bad * (parts + 10))]
    assert 1 >= scores[0] >= scores[1] >= scores[2] >= 0


@given(st.text())
def test_a_score_is_between_0_and_1(text: str) -> None:
    assert 0 <= page_quality([page(text)]).score <= 1
    assert 0 <= page_quality([page(text)], recognised=True).score <= 1


def test_columns_read_across_are_seen_by_the_words_they_cut() -> None:
    left = [
        "The electrons are accel-",
        "erated in cavities and the trans-",
        "verse motion is damped by radia-",
        "tion, which every magnet pro-",
    ] * 3
    right = [
        "duces. A feedback keeps the posi-",
        "tion of the beam within some micro-",
        "metres of its orbit, and the life-",
        "time is long.",
    ] * 3
    columns = [page("\n".join(left)), page("\n".join(right))]
    assert order_score(columns) == 1
    assert order_score([page("\n".join(f"{one} {other}" for one, other in zip(left, right, strict=True)), width=200)]) < 0.5


def test_a_photograph_in_which_recognition_saw_letters_is_no_text() -> None:
    seen = "|\n°\n;\n>\nes rg ee ao) agem\ni\n|\na\nI\n4\nZz\nPoe eae.i\neR\nPS\npt\na\n-\nais\nA\nee Ge aaa\nen"
    assert page_quality([page(seen)], recognised=True).score < 0.5
    assert page_quality([page(PROSE["English"])], recognised=True).score > 0.9


def test_a_document_is_as_good_as_its_letters_and_pages_without_text_count_once_they_are_most() -> None:
    good, bad = Quality(1.0, "", 900), Quality(0.0, "garbled-words", 100)
    assert document_quality([good], 0) == 1
    assert document_quality([good, bad], 0) == 0.9
    assert document_quality([good] * 6, 4) == 1
    assert document_quality([good], 9) == 0.2


def pdf(*pages: str) -> bytes:
    file = pymupdf.open()
    for text in pages:
        sheet = file.new_page(width=595, height=842)
        if text == "picture":
            grey = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 60, 80))
            grey.clear_with(200)
            sheet.insert_image(sheet.rect, pixmap=grey)
        else:
            sheet.insert_textbox((72, 72, 520, 780), text, fontsize=10)
    data: bytes = file.tobytes()
    return data


def read(*pages: str, least: float = 0.5) -> Extract:
    return read_pdf(pdf(*pages), "x.pdf", Reading(min_quality=least))


def test_a_garbled_page_is_left_out_and_says_why() -> None:
    garbled = PROSE["English"].translate(SWAPPED)
    extract = read(PROSE["English"] * 4, garbled * 4, PROSE["English"] * 4)
    assert "transverse emittance" in extract.text
    assert garbled[4:14] not in extract.text
    assert [(one.number, one.reason) for one in extract.pages] == [(1, ""), (2, "garbled-words"), (3, "")]
    assert extract.pages[1].spans == ()
    assert extract.pages[0].score > 0.9 > 0.3 > extract.pages[1].score
    assert 0.5 < (extract.quality or 0) < 0.7
    assert "page 2 left out: garbled-words" in extract.warnings
    assert garbled[4:14] in read(PROSE["English"] * 4, garbled * 4, PROSE["English"] * 4, least=0).text


def test_a_document_of_garbage_is_refused() -> None:
    with pytest.raises(UnreadableDocument) as refused:
        read(*[PROSE["English"].translate(SWAPPED) * 4] * 3)
    assert refused.value.reason == "low-quality"
    assert "below 0.5" in refused.value.detail


def test_a_picture_among_pages_of_text_is_named_and_does_no_harm() -> None:
    extract = read(PROSE["English"] * 4, "picture", PROSE["English"])
    assert [one.reason for one in extract.pages] == ["", "no-text-layer", ""]
    assert extract.quality == 1
    assert "page 2 left out: no-text-layer" in extract.warnings


def test_a_cover_sheet_before_a_scan_is_not_the_paper() -> None:
    with pytest.raises(UnreadableDocument) as refused:
        read("This content was downloaded on Tuesday. All use is subject to terms and conditions.", *["picture"] * 12)
    assert refused.value.reason == "no-text"
    assert "12 of its 13 pages are scans" in refused.value.detail


@pytest.mark.shared
@pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")
def test_the_pages_of_papers_are_good() -> None:
    texts: list[str] = []
    for path in [*(PAPERS / "A_pdfs").glob("*.pdf"), *(PAPERS / "E_gold" / "scoap3_ccby").glob("*/paper.pdf")]:
        with pymupdf.open(path) as file:
            texts += [one.get_text() for one in file.pages(0, min(len(file), 40), 3)]
    scores = sorted(word_score(text) * sign_score(text) for text in texts)
    assert len(scores) > 100
    assert scores[len(scores) // 50] > 0.9
