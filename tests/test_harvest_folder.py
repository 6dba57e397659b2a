"""Harvesting a folder: what is a paper, what changed, what went away."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest

from harvest.config import HarvestConfig
from harvest.records import Document, Paper, Rejection
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
    (here / "one.tex").write_text("<html><body>Not found</body></html>")
    harvest(config(here), tmp_path / "run")
    one = documents(tmp_path / "run")["one"]
    assert one.text.startswith("These words are of the PDF only")
    assert one.warnings[0] == "source.tex was not used: it is a web page, not a document"


def test_refusals_have_reasons_and_do_not_stop_the_run(here: Path, tmp_path: Path) -> None:
    (here / "bad.pdf").write_bytes(b"<html><title>Access Denied</title></html>")
    (here / "empty.tex").write_text("")
    run = tmp_path / "run"
    record = harvest(config(here), run)
    assert record.counts["rejected"] == {"empty": 1, "not-a-document": 1}
    refused = {item.id: item for path in (run / "rejected" / "harvest").glob("*.jsonl") for item in load_lines(path, Rejection)}
    assert refused["bad"].detail == "paper.pdf: it is a web page, not a document"
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
