"""Harvesting a folder: what is a paper, what changed, what went away."""

from __future__ import annotations

import gzip
import os
import tarfile
import time
from pathlib import Path

import pytest

from harvest.config import HarvestConfig
from harvest.records import Document, Paper, Rejection
from harvest.sources.globs import matches
from harvest.stage import harvest
from harvest.store import FieldsmithError, UsageError, load, load_lines, read_manifest

LONG = "These are enough words of a document for the reader to take it for one."


def latex(words: str = LONG, title: str = "") -> str:
    return f"\\documentclass{{article}}\\title{{{title}}}\\begin{{document}}\\maketitle {words}\\end{{document}}"


def pdf(words: str = LONG) -> bytes:
    pymupdf = pytest.importorskip("pymupdf")
    file = pymupdf.open()
    file.new_page().insert_text((72, 100), words)
    data: bytes = file.tobytes()
    return data


def config(*folders: Path, **settings: object) -> HarvestConfig:
    return HarvestConfig.model_validate({"sources": [{"folder": {"path": folder, "licence": "CC0-1.0"}} for folder in folders], **settings})


def documents(run: Path) -> dict[str, Document]:
    found = [load(path, Document) for path in (run / "documents").glob("*.json")]
    return {document.id: document for document in found}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "papers of ours"
    (folder / "sub").mkdir(parents=True)
    (folder / "one.tex").write_text(latex(title="The first"))
    (folder / "one.pdf").write_bytes(pdf("These words are of the PDF only, which is the second choice."))
    (folder / "sub" / "two.pdf").write_bytes(pdf())
    return folder


def test_files_of_one_stem_are_one_paper_and_its_id_is_its_path(here: Path, tmp_path: Path) -> None:
    record = harvest(config(here), tmp_path / "run")
    found = documents(tmp_path / "run")
    assert set(found) == {"one", "sub/two"}
    assert found["one"].paper.title == "The first"
    assert found["one"].text == LONG
    assert found["one"].paper.licence == "CC0-1.0"
    assert record.counts == {
        "papers": 2,
        "documents": 2,
        "rejected": {},
        "sources": {"folder papers of ours": {"documents": 2, "papers": 2}},
    }
    assert load(tmp_path / "run" / "papers" / "one" / "paper.json", Paper) == found["one"].paper
    assert {path.name for path in (tmp_path / "run" / "papers" / "one").glob("[!.]*")} == {"paper.json", "source.tex", "paper.pdf"}


def test_only_what_changed_is_done_again(here: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = harvest(config(here), run)
    times = {path.name: path.stat().st_mtime_ns for path in (run / "documents").glob("*.json")}
    os.utime(here / "one.tex", (1, 1))  # touched, the same bytes
    assert harvest(config(here), run) == first
    assert {path.name: path.stat().st_mtime_ns for path in (run / "documents").glob("*.json")} == times
    (here / "one.tex").write_text(latex(LONG + " One more."))
    second = harvest(config(here), run)
    assert second.fingerprint != first.fingerprint
    assert documents(run)["one"].text.endswith("One more.")
    assert {name for name, then in times.items() if (run / "documents" / name).stat().st_mtime_ns != then} == {"one.json"}
    assert read_manifest(run)["harvest"] == second


def test_what_is_taken_away_is_gone_and_what_comes_back_is_the_same(here: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = harvest(config(here), run)
    data = (here / "sub" / "two.pdf").read_bytes()
    (here / "sub" / "two.pdf").unlink()
    assert harvest(config(here), run).counts["documents"] == 1
    assert set(documents(run)) == {"one"}
    assert len(list((run / "papers").glob("[!.]*"))) == 1
    (here / "sub" / "two.pdf").write_bytes(data)
    assert harvest(config(here), run).fingerprint == first.fingerprint


def test_a_source_that_cannot_be_read_leaves_the_pdf(here: Path, tmp_path: Path) -> None:
    (here / "one.tex").write_text("<html><body><h1>Not found</h1></body></html>")
    harvest(config(here), tmp_path / "run")
    one = documents(tmp_path / "run")["one"]
    assert one.text.startswith("These words are of the PDF only")
    assert one.warnings[0] == "source.tex was not used: it is a web page of an error, not a document"


def test_refusals_have_reasons_and_do_not_stop_the_run(here: Path, tmp_path: Path) -> None:
    (here / "bad.pdf").write_bytes(b"<html><title>Access Denied</title></html>")
    (here / "empty.tex").write_text("")
    run = tmp_path / "run"
    record = harvest(config(here), run)
    assert record.counts["rejected"] == {"empty": 1, "not-a-document": 1}
    refused = {item.id: item for path in (run / "rejected" / "harvest").glob("*.jsonl") for item in load_lines(path, Rejection)}
    assert refused["bad"].detail == "paper.pdf: it is a web page that denies access, not a document"
    assert harvest(config(here), run) == record
    (here / "bad.pdf").write_bytes(pdf())
    assert harvest(config(here), run).counts["rejected"] == {"empty": 1}
    assert not (run / "rejected" / "harvest" / "bad.jsonl").exists()


def test_parts_of_a_document_belong_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    (folder / "parts").mkdir(parents=True)
    (folder / "main.tex").write_text(latex("\\input{parts/a} \\include{parts/b} \\input{../secret}"))
    (folder / "parts" / "a.tex").write_text("Words of the first part, of which there are enough.")
    (folder / "parts" / "b.tex").write_text("Words of the second part.")
    (tmp_path / "secret.tex").write_text("Words that nobody gave us.")
    harvest(config(folder), tmp_path / "run")
    found = documents(tmp_path / "run")
    assert set(found) == {"main"}
    assert found["main"].text == "Words of the first part, of which there are enough. Words of the second part."
    (folder / "parts" / "b.tex").write_text("Other words.")
    harvest(config(folder), tmp_path / "run")
    assert documents(tmp_path / "run")["main"].text.endswith("Other words.")


def test_links_that_lead_out_are_not_followed(here: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.tex").write_text(latex())
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "deep.tex").write_text(latex())
    (here / "link.tex").symlink_to(tmp_path / "outside.tex")
    (here / "folder").symlink_to(tmp_path / "more")
    (here / "same.pdf").symlink_to(here / "one.pdf")
    harvest(config(here), tmp_path / "run")
    assert set(documents(tmp_path / "run")) == {"one", "sub/two", "same"}


def test_two_papers_of_one_id_are_a_mistake_to_correct(here: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.tex").write_text(latex())
    with pytest.raises(UsageError, match="two sources give the paper 'one'"):
        harvest(config(here, other), tmp_path / "run")
    (here / "one.gz").write_bytes(gzip.compress(latex().encode()))
    (here / "one.tex.gz").write_bytes(gzip.compress(latex().encode()))
    with pytest.raises(UsageError, match=r"one\.tex\.gz and .*one\.gz would be the same paper"):
        harvest(config(here), tmp_path / "run")


def test_nothing_to_read_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        harvest(config(tmp_path / "nowhere"), tmp_path / "run")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FieldsmithError, match=r"holds no \.tex"):
        harvest(config(tmp_path / "folder"), tmp_path / "run")
    (tmp_path / "folder" / "a.pdf").write_bytes(b"nothing")
    with pytest.raises(FieldsmithError, match=r"none of 1 papers became a document \(1 not-a-document\)"):
        harvest(config(tmp_path / "folder"), tmp_path / "run")
    assert "harvest" not in read_manifest(tmp_path / "run")


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def html(words: str = LONG, title: str = "A page") -> str:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body><p>{words}</p></body></html>"


def test_every_kind_is_read_and_the_form_that_says_most_is_taken_first(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    texts = {kind: f"{LONG} As {kind}." for kind in ("tex", "html", "md", "txt")}
    every = {
        ".tex": latex(texts["tex"]),
        ".html": html(texts["html"]),
        ".md": texts["md"],
        ".txt": texts["txt"],
        ".csv": "1,2",
        ".png": "x",
    }
    for count in range(4):  # a has all four forms, b all but LaTeX, …
        write(folder, {f"{'abcd'[count]}{suffix}": content for suffix, content in list(every.items())[count:]})
    (folder / "d.txt").write_bytes(f"{LONG} Größe, über.".encode("latin-1"))
    harvest(config(folder), tmp_path / "run")
    found = documents(tmp_path / "run")
    assert {name: document.text.removeprefix(f"{LONG} ") for name, document in found.items()} == {
        "a": "As tex.",
        "b": "As html.",
        "c": "As md.",
        "d": "Größe, über.",
    }
    assert [found[name].extractor.partition("/")[0] for name in "abcd"] == ["latex", "html", "markdown", "text"]


def test_the_folder_of_a_latex_paper_is_one_paper_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    main = "\\input{sections/one}\\includegraphics{figs/plot}\\cite{a}\\bibliography{refs}\\own{x}"
    write(
        folder,
        {
            "ring/main.tex": latex(main).replace("\\begin{document}", "\\usepackage{own}\\begin{document}"),
            "ring/sections/one.tex": LONG,
            "ring/own.sty": "\\newcommand{\\own}[1]{Of our own #1.}",
            "ring/refs.bib": "@article{a, author={A. Author}, title={On rings}, year=1999}",
            "ring/figs/plot.pdf": "a figure",
            "ring/README.md": "How to build.",
            "alone/one.tex": latex(f"{LONG} One."),
            "alone/two.md": f"{LONG} Two.",
        },
    )
    harvest(config(folder), tmp_path / "run")
    found = documents(tmp_path / "run")
    assert set(found) == {"ring", "alone/one", "alone/two"}
    assert found["ring"].text.startswith(LONG)
    assert "Of our own x." in found["ring"].text
    packed = tmp_path / "run" / "papers" / "ring" / "source.tar.gz"
    with tarfile.open(packed) as archive:
        assert archive.getnames() == ["main.tex", "own.sty", "refs.bib", "sections/one.tex"]
    before = packed.read_bytes()
    (folder / "ring" / "main.tex").touch()
    harvest(config(folder), tmp_path / "run")
    assert packed.read_bytes() == before


def test_what_lies_beside_a_saved_page_and_what_globs_leave_out_are_no_papers(tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    write(
        folder,
        {
            "a.html": html(),
            "a_files/frame.html": html("A frame of the page, which nobody wants to have as a document."),
            "b_files/c.html": html(),  # beside no page: a folder like any other
            "reports/2024/d.md": LONG,
            "reports/2024/drafts/e.md": LONG,
            "reports/f.txt": LONG,
            ".hidden/g.md": LONG,
        },
    )

    def found(**settings: object) -> set[str]:
        run = tmp_path / "run"
        harvest(HarvestConfig.model_validate({"sources": [{"folder": {"path": folder, **settings}}]}), run)
        return {one.id for path in [*(run / "documents").glob("*.json"), *(run / "twins").glob("*.json")] if (one := load(path, Document))}

    assert found() == {"a", "b_files/c", "reports/2024/d", "reports/2024/drafts/e", "reports/f"}
    assert found(include=["reports/**/*.md"]) == {"reports/2024/d", "reports/2024/drafts/e"}
    assert found(include=["reports"], exclude=["**/drafts", "*.txt"]) == {"reports/2024/d", "reports/f"}
    assert found(include=["*.html", "reports/[!g].txt"]) == {"a", "reports/f"}


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("**/*", ["a", "a/b", "a/b/c.pdf"], []),
        ("*.pdf", ["a.pdf", "a.pdf/b"], ["a/b.pdf", "apdf"]),
        ("**/*.pdf", ["a.pdf", "a/b/c.pdf"], ["a.txt"]),
        ("a/**", ["a/b", "a/b/c"], ["b/a/c"]),
        ("./a/?.t[xy]t", ["a/b.txt", "a/b.tyt"], ["a/bb.txt", "a/b.tzt", "a//.txt"]),
        ("a/*/c", ["a/b/c"], ["a/b/d/c", "a/c"]),
        ("[!a]*", ["b", "ba"], ["a", "ab"]),
    ],
)
def test_globs_are_those_of_a_shell(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in [*yes, *no] if matches(path, (pattern,))] == yes


def test_the_limit_is_over_all_sources(here: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "three.tex").write_text(latex())
    assert harvest(config(here, other, max_papers=2), tmp_path / "run").counts["papers"] == 2
    assert harvest(config(here, other), tmp_path / "run").counts["papers"] == 3


def test_a_second_run_is_quick(here: Path, tmp_path: Path) -> None:
    harvest(config(here), tmp_path / "run")
    start = time.monotonic()
    harvest(config(here), tmp_path / "run")
    assert time.monotonic() - start < 1
