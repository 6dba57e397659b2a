"""The stage as a whole: several sources, readers on all cores, the same work twice, kill -9, a source that is down."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arxiv_replay import VARIABLE, Site, replay

from harvest.config import HarvestConfig
from harvest.pool import readers
from harvest.records import Document, Rejection
from harvest.stage import harvest
from harvest.store import FieldsmithError, load, load_lines, read_manifest

ROOT = Path(__file__).parent.parent
WORDS = [line.split()[0] for line in (ROOT / "LICENSE").read_text().splitlines() if line.split() and line.split()[0].isalpha()]
CALLABLE = """
from harvest.records import Document, Paper

def entries(count, doi=""):
    for number in range(count):
        text = f"Entry {number} of the logbook says that the beam came back after {number + 2} minutes."
        yield Document(f"log/{number}", Paper(f"log/{number}", "python", f"Entry {number}", doi=doi or None), (), text, "", "")
"""


def text(seed: int, words: int = 300) -> str:
    """Words in an order that nobody else has."""
    draw = random.Random(seed)
    return "\n\n".join(" ".join(draw.choice(WORDS).lower() for _ in range(40)) + "." for _ in range(words // 40))


def latex(body: str, title: str = "") -> str:
    return f"\\documentclass{{article}}\\title{{{title}}}\\begin{{document}}\\maketitle {body}\\end{{document}}"


def config(*sources: dict[str, Any], **settings: Any) -> HarvestConfig:
    return HarvestConfig.model_validate({"sources": sources, **settings})


def folder(path: Path, licence: str = "CC0-1.0", **settings: Any) -> dict[str, Any]:
    return {"folder": {"path": str(path), "licence": licence, **settings}}


def documents(run: Path) -> dict[str, Document]:
    return {document.id: document for path in (run / "documents").glob("*.json") for document in [load(path, Document)]}


def rejections(run: Path) -> dict[str, Rejection]:
    paths = (run / "rejected" / "harvest").glob("*.jsonl")
    return {refused.id: refused for path in paths for refused in load_lines(path, Rejection)}


def files(run: Path) -> dict[str, bytes]:
    """All that a run says, but for times."""
    found = {}
    for path in sorted(path for part in ("documents", "twins", "rejected") for path in (run / part).rglob("*") if path.is_file()):
        found[str(path.relative_to(run))] = path.read_bytes()
    return found


def times(run: Path) -> dict[str, int]:
    return {str(path.relative_to(run)): path.stat().st_mtime_ns for path in run.rglob("*.json*") if path.name != "manifest.json"}


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Two folders: eight papers, one of them twice in other forms and under other licences, one that nobody can read."""
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    for number in range(6):
        (tmp_path / "ours" / f"p{number}.txt").write_text(text(number))
    (tmp_path / "ours" / "broken.pdf").write_bytes(b"<html><title>Not found</title></html>")
    (tmp_path / "theirs" / "same.tex").write_text(latex(text(3), "Of beams and rings and magnets"))
    (tmp_path / "theirs" / "other.tex").write_text(latex(text(50), "Of beams and rings and magnets"))
    return tmp_path


def both(lab: Path, **settings: Any) -> HarvestConfig:
    return config(folder(lab / "ours", "CC-BY-4.0"), folder(lab / "theirs", "CC-BY-NC-4.0"), **settings)


# ---- several sources, the same work twice


def test_one_copy_is_kept_and_the_others_are_named(lab: Path) -> None:
    record = harvest(both(lab), lab / "run")
    assert set(documents(lab / "run")) == {"p0", "p1", "p2", "p4", "p5", "same", "other"}
    same = documents(lab / "run")["same"]
    assert same.also == ("p3",)
    assert same.paper.licence == "CC-BY-NC-4.0", "the licence of the copy that is kept counts, not that of the other"
    twin = rejections(lab / "run")["p3"]
    assert (twin.stage, twin.reason) == ("harvest", "twin")
    assert twin.detail.startswith("it is same again (")
    assert twin.detail.endswith("this copy is under CC-BY-4.0, the one that is kept under CC-BY-NC-4.0")
    assert record.counts == {
        "papers": 9,
        "documents": 7,
        "rejected": {"not-a-document": 1, "twin": 1},
        "sources": {
            "folder ours": {"papers": 7, "documents": 5, "rejected": {"not-a-document": 1, "twin": 1}},
            "folder theirs": {"papers": 2, "documents": 2},
        },
    }
    assert read_manifest(lab / "run")["harvest"] == record


def test_nothing_is_read_again_and_a_twin_comes_back_when_the_other_goes(lab: Path) -> None:
    harvest(both(lab), lab / "run")
    before = times(lab / "run")
    record = harvest(both(lab), lab / "run")
    assert times(lab / "run") == before
    assert record == read_manifest(lab / "run")["harvest"]
    kept = (lab / "theirs" / "same.tex").read_text()
    (lab / "theirs" / "same.tex").unlink()
    harvest(both(lab), lab / "run")
    assert "p3" in documents(lab / "run")
    assert "p3" not in rejections(lab / "run")
    assert times(lab / "run")["papers/p3/.read.json"] == before["papers/p3/.read.json"], "it was read again"
    (lab / "theirs" / "same.tex").write_text(kept)
    harvest(both(lab), lab / "run")
    assert documents(lab / "run")["same"].also == ("p3",)
    assert set(rejections(lab / "run")) == {"p3", "broken"}


def test_how_documents_are_read_is_part_of_what_they_are(lab: Path) -> None:
    harvest(both(lab), lab / "run")
    receipt = lab / "run" / "papers" / "p0" / ".read.json"
    key = json.loads(receipt.read_text())["key"]
    for change in ({"min_quality": 0.4}, {"ocr_language": "deu"}):
        harvest(both(lab, **change), lab / "run")
        assert json.loads(receipt.read_text())["key"] != key
    harvest(both(lab, workers=1), lab / "run")
    assert json.loads(receipt.read_text())["key"] == key, "how many read at a time changes no document"


def test_one_reader_and_four_give_the_same_run(lab: Path) -> None:
    for workers in (1, 4):
        harvest(both(lab, workers=workers), lab / f"run{workers}")
    assert files(lab / "run1") == files(lab / "run4")


def test_readers_work_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=30)
    with readers(3) as pool:
        done = [pool.submit(lambda read: together.wait()) for _ in range(3)]
        assert sorted(future.result() for future in done) == [0, 1, 2]


def test_a_book_becomes_its_chapters_and_a_function_its_entries(lab: Path) -> None:
    book = lab / "books"
    book.mkdir()
    chapters = "".join(f"\\chapter{{Lenses of kind {n}}} {text(70 + n)} " for n in range(3))
    (book / "optics.tex").write_text("\\documentclass{book}\\title{Optics}\\begin{document}" + chapters + "\\end{document}")
    (lab / "archive.py").write_text(CALLABLE)
    python = {"python": {"call": "archive:entries", "folder": str(lab), "arguments": {"count": 3}, "licence": "CC0-1.0"}}
    asked = config(folder(book, books=["*"]), python, folder(lab / "ours"))
    record = harvest(asked, lab / "run")
    names = set(documents(lab / "run"))
    assert {"log/0", "log/1", "log/2"} <= names
    parts = sorted(name for name in names if name.startswith("optics"))
    assert len(parts) == 3, names
    assert record.counts["sources"]["folder books"] == {"papers": 1, "documents": 3}
    before = times(lab / "run")
    assert harvest(asked, lab / "run") == record
    assert times(lab / "run") == before
    less = {"python": {**python["python"], "arguments": {"count": 1}}}
    harvest(config(folder(book), less, folder(lab / "ours")), lab / "run")
    left = set(documents(lab / "run"))
    assert {"log/0", "optics"} <= left
    assert not left & {"log/1", *parts}


# ---- a source that is down


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with replay() as server:
        monkeypatch.setenv(VARIABLE, server.url)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield server


def with_arxiv(lab: Path, *ids: str) -> HarvestConfig:
    return config({"arxiv": {"ids": ids, "interval": 0.01}}, folder(lab / "ours"))


@pytest.mark.shared
def test_a_source_that_is_down_stops_no_other_and_is_no_empty_one(site: Site, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = harvest(with_arxiv(lab, "9901.00013", "9901.00014"), lab / "calm")
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:1")
    with pytest.raises(FieldsmithError) as error:
        harvest(with_arxiv(lab, "9901.00013", "9901.00014"), lab / "run")
    said = str(error.value)
    assert said.startswith("arXiv cannot be reached at http://127.0.0.1:1 (the connection is refused); the ")
    assert said.endswith(f"or set {VARIABLE} to the address of another server")
    assert set(documents(lab / "run")) == {f"p{number}" for number in range(6)}, "the folder was not read"
    assert "harvest" not in read_manifest(lab / "run"), "a failed harvest was recorded as a whole one"
    monkeypatch.setenv(VARIABLE, site.url)
    assert harvest(with_arxiv(lab, "9901.00013", "9901.00014"), lab / "run").counts == calm.counts
    assert files(lab / "run") == files(lab / "calm")
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:1")
    with pytest.raises(FieldsmithError, match="arXiv cannot be reached"):
        harvest(with_arxiv(lab, "9901.00013", "9901.00014"), lab / "run", refresh=True)
    assert files(lab / "run") == files(lab / "calm"), "what cannot be listed was swept away"


@pytest.mark.shared
def test_of_two_versions_the_later_is_fetched_and_the_other_costs_no_request(site: Site, lab: Path) -> None:
    record = harvest(config({"arxiv": {"ids": ["9901.00005v1", "9901.00005v2"], "interval": 0.01}}), lab / "run")
    assert set(documents(lab / "run")) == {"arxiv:9901.00005v2"}
    assert documents(lab / "run")["arxiv:9901.00005v2"].also == ("arxiv:9901.00005v1",)
    assert record.counts["rejected"] == {"twin": 1}
    assert "the same arXiv number 9901.00005" in rejections(lab / "run")["arxiv:9901.00005v1"].detail
    assert not [path for path in site.paths() if "9901.00005v1" in path and "/api" not in path]


@pytest.mark.shared
def test_a_paper_of_arxiv_that_lies_in_a_folder_too_is_one(site: Site, lab: Path) -> None:
    mine = lab / "mine"
    mine.mkdir()
    (mine / "9901.00013v1.tex").write_text(latex(text(9)))
    harvest(config(folder(mine), {"arxiv": {"ids": ["9901.00013"], "interval": 0.01}}), lab / "run")
    assert len(documents(lab / "run")) == 1
    [refused] = rejections(lab / "run").values()
    assert refused.reason == "twin"


# ---- killed, stopped, started from the command line

STAGE = """
import sys
from pathlib import Path
from harvest.config import HarvestConfig
from harvest.stage import harvest
print("ready", flush=True)
harvest(HarvestConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
"""


def start(asked: HarvestConfig, run: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", STAGE, asked.model_dump_json(), str(run)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_killed_anywhere_and_run_again_it_ends_in_the_same_documents(lab: Path) -> None:
    for number in range(10, 22):
        (lab / "ours" / f"p{number}.tex").write_text(latex(text(number if number % 4 else 10)))
    asked, killed = both(lab), 0
    harvest(asked, lab / "calm")
    for count in (1, 5, 12):
        process = start(asked, lab / "run")
        while process.poll() is None and len(list((lab / "run").glob("papers/*/.read.json"))) < count:
            time.sleep(0.002)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    assert killed >= 2, "no kill came in time: the test shows nothing"
    record = harvest(asked, lab / "run")
    assert files(lab / "run") == files(lab / "calm")
    assert record.counts == read_manifest(lab / "calm")["harvest"].counts


def test_ctrl_c_ends_the_readers_and_writes_no_false_reasons(lab: Path) -> None:
    for number in range(10, 40):
        (lab / "ours" / f"p{number}.tex").write_text(latex(text(number)))
    process = start(both(lab), lab / "run")
    while not list((lab / "run").glob("documents/*.json")):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert not [refused for refused in rejections(lab / "run").values() if refused.reason not in ("not-a-document",)]
    harvest(both(lab), lab / "run")
    harvest(both(lab), lab / "calm")
    assert files(lab / "run") == files(lab / "calm")


def cli(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "harvest", *arguments], capture_output=True, text=True, env=env, cwd=cwd, check=False)


def test_the_command_harvests_a_field_of_which_only_harvest_is_written(lab: Path) -> None:
    (lab / "fields").mkdir()
    field = lab / "fields" / "lab.yaml"
    field.write_text("harvest:\n  sources:\n    - folder: {path: ../ours, licence: CC-BY-4.0}\n    - folder: {path: ../theirs}\n")
    done = cli("lab", cwd=lab)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"lab: 9 papers, 7 documents in {lab / 'runs' / 'lab' / 'documents'}",
        "  folder ours: 7 papers, 5 documents: 1 not-a-document, 1 twin",
        "  folder theirs: 2 papers, 2 documents",
        f"left out: 1 not-a-document, 1 twin; why, says {lab / 'runs' / 'lab' / 'rejected' / 'harvest'}",
    ]
    assert len([line for line in done.stderr.splitlines() if re.match(r"paper \d of 9, ", line)]) == 9
    assert "p3: twin: it is same again" in done.stderr
    assert cli(str(field), "--max-papers", "2", cwd=lab).stdout.startswith("lab: 2 papers, 1 documents")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["lap"], 2, "unknown field 'lap'; did you mean lab?"),
        (["lab", "--max-papers", "0"], 2, "--max-papers is 0"),
        ([], 2, "FIELD"),
        (["read.yaml"], 2, "there is no file read.yaml"),
        (["empty"], 1, "holds no .tex"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_sentence(lab: Path, arguments: list[str], code: int, words: str) -> None:
    (lab / "fields").mkdir()
    (lab / "nothing").mkdir()
    (lab / "fields" / "lab.yaml").write_text("harvest: {sources: [{folder: {path: ../ours}}]}\n")
    (lab / "fields" / "empty.yaml").write_text("harvest: {sources: [{folder: {path: ../nothing}}]}\n")
    done = cli(*arguments, cwd=lab)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr.splitlines()[-1]
