"""The same paper twice is found, whatever it was read from; two papers of one group, series or title are two papers."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest import UnreadableDocument, read_document
from harvest.choose import works
from harvest.config import HarvestConfig
from harvest.gather import Listed
from harvest.likeness import alike, shingles, similarity, sketch
from harvest.papers import Desk
from harvest.records import Document, Paper
from harvest.sources.offer import Offer
from harvest.store import sha256_text
from harvest.twins import identify, record_twins, same_record, same_text, text_twins

PAPERS = Path(os.environ.get("FIELDSMITH_PAPERS") or Path(__file__).parent.parent.parent / "shared" / "papers")
NOUNS = ["beam", "ring", "magnet", "cavity", "klystron", "orbit", "vacuum", "lattice", "injector", "undulator", "current", "dipole"]
VERBS = ["limits", "raises", "measures", "keeps", "drives", "bends", "damps", "feeds", "stops", "corrects", "shifts", "heats"]


def prose(seed: int, sentences: int) -> list[str]:
    """Sentences that nobody else has written."""
    draw = random.Random(seed)
    return [
        f"The {draw.choice(NOUNS)} of the {draw.choice(NOUNS)} {draw.choice(VERBS)} the {draw.choice(NOUNS)} {word}ly with "
        f"{draw.randrange(100, 999)} parts of the {draw.choice(NOUNS)}."
        for word in (f"{draw.choice(VERBS)}{draw.choice(NOUNS)}" for _ in range(sentences))
    ]


def document(name: str, text: str, title: str = "", extractor: str = "pdf/1", **paper: object) -> Document:
    record = Paper(name, "folder", title or name)
    return Document(name, replace(record, **paper), (), text, sha256_text(text), extractor)  # type: ignore[arg-type]


def found(*documents: Document, parts: tuple[str, ...] = ()) -> dict[str, tuple[str, str]]:
    """What is left out, for what, by which sign."""
    twins = text_twins(
        [identify(one.paper) for one in documents],
        [sketch(one.text) for one in documents],
        parts or ("",) * len(documents),
        documents.__getitem__,
    )
    return {documents[twin.place].id: (documents[twin.kept].id, twin.sign) for twin in twins}


# ---- by the record


@pytest.mark.parametrize(
    ("first", "second", "sign"),
    [
        ({"id": "arxiv:2101.00001v1"}, {"id": "arxiv:2101.00001v3"}, "id"),
        ({"id": "arxiv:physics/0601001v1"}, {"id": "doi:10.1000/x", "urls": ("https://arxiv.org/abs/physics/0601001",)}, "id"),
        ({"id": "arxiv:2101.00001v1"}, {"id": "x", "doi": "10.48550/arXiv.2101.00001"}, "id"),
        ({"id": "arxiv:2101.00001v1"}, {"id": "notes/2101.00001v2"}, "id"),
        ({"doi": "10.1103/PhysRevAccelBeams.20.1"}, {"doi": "https://doi.org/10.1103/physrevaccelbeams.20.1"}, "doi"),
        ({"title": r"The \emph{Beam} of the Überring"}, {"title": "The beam of the Uberring", "published": "2020"}, "title"),
        ({"authors": ("Ring, Anna",)}, {"authors": ("A. Ring", "B. Beam")}, "title"),
        ({"authors": ("A. Ring",)}, {"authors": ("B. Beam",)}, ""),
        ({"authors": ()}, {"authors": ()}, ""),
        ({"title": "Status report"}, {"title": "Status report"}, ""),
        ({"published": "2010-05-01"}, {"published": "2019"}, ""),
        ({"doi": "10.18429/JACoW-IPAC2019-1"}, {"doi": "10.1103/PhysRevAccelBeams.22.1"}, ""),
        ({"id": "arxiv:2101.00001v1"}, {"id": "arxiv:2102.00001v1"}, ""),
        ({"id": "runs/1234567", "title": ""}, {"id": "logs/1234567"}, ""),
    ],
)
def test_records_of_one_work_are_known_by_id_doi_or_title_and_author(
    first: dict[str, object], second: dict[str, object], sign: str
) -> None:
    base = {"title": "On the beam of the ring", "authors": ("A. Ring", "B. Beam"), "published": "2020-01-31"}
    if sign != "title" and sign:
        second = {"title": "Another title altogether", **second}
    a, b = (Paper(**{"id": name, "source": "test", **base, **given}) for name, given in (("a", first), ("b", second)))  # type: ignore[arg-type]
    assert same_record(identify(a), identify(b))[0] == same_record(identify(b), identify(a))[0] == sign


def test_one_of_a_work_is_asked_for_the_best_first(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HarvestConfig.model_validate({"sources": [{"arxiv": {"ids": ["2101.00001"]}}]}))
    papers = [
        Paper("doi:10.1000/x", "urls", "A title", doi="10.1000/X", urls=("https://arxiv.org/abs/2101.00001",)),
        Paper("arxiv:2101.00001v1", "arxiv", "A title"),
        Paper("inspire:5", "inspire", "A title", doi="10.1000/x", licence="CC-BY-4.0"),
        Paper("arxiv:2101.00001v2", "arxiv", "A title"),
        Paper("arxiv:2101.00007v1", "arxiv", "Another title"),
        Paper("2101.00001", "folder", "2101.00001"),
    ]
    listed = [Listed(Offer(paper, "test", lambda folder: Paper("", "", "")), 0, place) for place, paper in enumerate(papers)]
    names = [[one.offer.paper.id for one in work] for work in works(listed, desk)]
    assert names == [
        ["arxiv:2101.00001v2", "arxiv:2101.00001v1", "inspire:5", "doi:10.1000/x"],
        ["arxiv:2101.00007v1"],
        ["2101.00001"],
    ], "a file on the disk costs no request: what it is is seen when it is read"
    for seed in range(5):
        shuffled = random.Random(seed).sample(listed, len(listed))
        assert sorted(map(sorted, ([one.place for one in work] for work in works(shuffled, desk)))) == sorted(
            map(sorted, ([one.place for one in work] for work in works(listed, desk)))
        )


# ---- by the text


def test_one_text_in_two_layouts_is_one_work() -> None:
    words = prose(1, 60)
    pdf = document("pdf", "\n\n".join(words).replace("ly with", "ly\nwith"), "A ring of beams and magnets")
    formulas = [sentence.replace("parts of", "parts $\\frac{a}{b}$ of") for sentence in words]
    latex = document("tex", " ".join(formulas), "A Ring of Beams and Magnets", extractor="latex/1")
    assert found(latex, pdf) == {"pdf": ("tex", "text")}


def test_a_short_paper_and_the_long_one_that_was_made_of_it_are_two() -> None:
    words, more = prose(1, 60), prose(2, 60)
    title = "A ring of beams and magnets"
    short, long = document("short", " ".join(words), title), document("long", " ".join([*words, *more]), title)
    assert found(long, short) == found(short, long) == {}


def test_revised_copies_need_the_same_title() -> None:
    words = prose(1, 60)
    revised = [*words[:50], *prose(3, 10)]
    first = document("first", " ".join(words), "A ring of beams and magnets")
    assert found(first, document("second", " ".join(revised), "Quite another title of it")) == {}
    assert found(first, document("second", " ".join(revised), "A ring of beams, and magnets")) == {"second": ("first", "title and text")}
    headed = document("second", "A Ring of Beams and Magnets\n\n" + " ".join(revised), "Introduction")
    assert found(first, headed) == {"second": ("first", "title and text")}


def test_reports_of_one_wording_with_other_values_are_many() -> None:
    def report(week: int) -> Document:
        draw = random.Random(week)
        lines = (
            f"In the week under report the {noun} ran for {draw.randrange(10, 160)} hours at {draw.randrange(100, 999)} units and "
            f"tripped {draw.randrange(10, 99)} times, of which the operators on shift reset all but {draw.randrange(10, 99)}."
            for noun in NOUNS
        )
        return document(f"week {week}", " ".join(lines), "Weekly report of the machine")

    assert found(*(report(week) for week in range(8))) == {}
    assert found(report(1), replace(report(1), id="copy")) == {"copy": ("week 1", "text")}


def test_entries_of_a_few_words_are_left_alone() -> None:
    entry = "Injection restored after a trip of the radio frequency."
    assert found(document("a", entry), document("b", entry)) == {}


def test_chinese_texts_are_compared_too() -> None:
    draw = random.Random(1)
    text = "".join(draw.choice("储存环的束流很稳定磁铁电源真空系统测量误差校正轨道") for _ in range(400))
    other = "".join(draw.choice("直线加速器注入效率温度控制高频腔体功率耦合器") for _ in range(400))
    assert found(document("a", text), document("b", text[:100] + "\n" + text[100:]), document("c", other)) == {"b": ("a", "text")}


def test_chapters_of_one_book_stay_and_a_copy_of_one_goes() -> None:
    chapter = document("book/1", " ".join(prose(1, 40)), doi="10.1000/book")
    other = document("book/2", " ".join(prose(1, 40)), doi="10.1000/book")
    alone = document("alone", " ".join(prose(1, 40)))
    assert found(chapter, other, parts=("book", "book")) == {}
    assert found(chapter, other, alone, parts=("book", "book", "")) == {"alone": ("book/1", "text")}


def test_every_copy_of_a_crowd_is_found_and_is_a_twin_of_the_one_that_stays() -> None:
    words = prose(1, 60)
    copies = [document(f"{number:02d}", " ".join(words) + f"\n\nPrinted for reader {'x' * number} of many.") for number in range(90)]
    assert found(*copies) == {one.id: ("00", "text") for one in copies[1:]}


def test_small_steps_do_not_join_two_works() -> None:
    title = "A ring of beams and magnets"
    pages = [prose(seed, 12) for seed in range(9)]
    steps = [document(str(at), " ".join(sentence for page in pages[at : at + 6] for sentence in page), title) for at in range(4)]
    twins = found(*steps)
    assert all(
        len(shingles(steps[int(a)].text) & shingles(steps[int(b)].text)) >= 0.7 * len(shingles(steps[int(b)].text))
        for a, (b, _) in twins.items()
    )
    assert "3" not in twins or twins["3"][0] != "0"


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_sketches_tell_the_similarity_of_texts(only_a: int, only_b: int, both: int) -> None:
    shared = prose(1, both)
    a, b = " ".join([*shared, *prose(2, only_a)]), " ".join([*shared, *prose(3, only_b)])
    union = shingles(a) | shingles(b)
    true = len(shingles(a) & shingles(b)) / len(union) if union else 0.0
    assert abs(similarity(sketch(a), sketch(b)) - true) < 0.2  # five standard errors
    if true > 0.6:
        assert list(alike([sketch(a), sketch(b)], 0.35)) == [(0, 1)]


def test_the_same_set_gives_the_same_twins_in_any_order() -> None:
    texts = [" ".join(prose(seed % 5, 50) + prose(100 + seed, 2)) for seed in range(15)]
    documents = [document(f"{number:02d}", text) for number, text in enumerate(texts)]
    records = [identify(replace(one.paper, id=f"arxiv:2101.0000{int(one.id) % 7}v1", source="arxiv")) for one in documents]
    assert len(found(*documents)) == 10
    assert {twin.place % 7 for twin in record_twins(records)} == set(range(7))
    assert all(same_text(documents[int(a)], documents[int(b)])[0] for a, (b, _) in found(*documents).items())


# ---- real papers, labelled

SAME = {"zh_ucasthesis_manual": "zh_ucasthesis", "genesis13_manual_tex": "genesis13_manual"}
# Three printings of one guide that differ in which program they explain: nobody's papers, and no question of right or wrong.
ASIDE = ("jacow_template_libreoffice_a4", "jacow_template_word_w16_a4", "jacow_latex_a4", "two_column_lorem")


def real() -> list[tuple[str, Path]]:
    """Files with the name of the work that they are of: sources, their PDFs, notes of one author, white papers of one group."""
    pdfs = [(path.stem.removeprefix("ziemann_"), path) for path in sorted((PAPERS / "A_pdfs").glob("*.pdf"))]
    folders = sorted((PAPERS / "B_latex").iterdir())
    pdfs += [(folder.name, folder / "paper.pdf") for folder in folders]
    latex = [(folder.name, folder / "src") for folder in folders]
    return [(SAME.get(name, name), path) for name, path in (*pdfs, *latex) if name not in ASIDE]


def packed(folder: Path, place: Path) -> Path:
    import tarfile

    path = place / f"{folder.parent.name}.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder, arcname=".")
    return path


@pytest.mark.shared
@pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")
def test_real_papers_are_told_apart_and_their_copies_are_found(tmp_path: Path) -> None:
    documents: list[tuple[str, Document]] = []
    for work, path in real():
        try:
            documents.append((work, read_document(packed(path, tmp_path) if path.is_dir() else path, paper=Paper(str(path), "folder", ""))))
        except UnreadableDocument:
            continue
    works_ = {one.id: work for work, one in documents}
    twins = found(*(one for _, one in documents))
    right = [name for name, (kept, _) in twins.items() if works_[name] == works_[kept]]
    wanted = len(documents) - len({work for work, _ in documents})
    print(f"{len(documents)} files, {wanted} twins: {len(right)} found, {len(twins) - len(right)} wrong")
    assert len(twins) == len(right), {name: kept for name, kept in twins.items() if name not in right}
    assert len(right) >= 0.8 * wanted
