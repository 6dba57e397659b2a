"""Reading one document: in a process that may hang, swell or die, and from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harvest import Document, Paper, UnreadableDocument, read_document
from harvest.sandbox import Worker
from harvest.store import sha256_text

ROOT = Path(__file__).parent.parent
PAPERS = Path(os.environ.get("FIELDSMITH_PAPERS") or ROOT.parent / "shared" / "papers")
LATEX = "\\documentclass{article}\\title{A ring}\\begin{document}\\section{Beam}The beam goes round and round."
LATEX += "\\begin{tabular}{ll}a&b\\\\c&d\\end{tabular}\\end{document}"


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    path = tmp_path / "ring.tar.tex"
    path.write_text(LATEX)
    return path


def test_a_document_knows_its_paper_and_the_hash_of_its_text(paper: Path) -> None:
    document = read_document(paper)
    assert (document.id, document.paper.title) == ("ring.tar", "A ring")
    assert document.sha256 == sha256_text(document.text)
    assert [(s.title, document.text[s.start : s.end].split("\n\n")[0]) for s in document.sections] == [
        ("Beam", "The beam goes round and round.")
    ]
    given = Paper("x:1", "test", "Given title", licence="CC0-1.0")
    assert read_document(str(paper), paper=given).paper == given


def test_a_missing_file_and_a_folder_are_said_to_be_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "no.pdf", tmp_path):
        with pytest.raises(UnreadableDocument) as refused:
            read_document(path)
        assert refused.value.reason == "missing"


def process_of(worker: Worker) -> subprocess.Popen[str]:
    assert worker._process is not None
    return worker._process


def test_a_reader_that_hangs_is_ended_and_the_next_document_is_read(paper: Path) -> None:
    worker = Worker(seconds=1.0)
    try:
        assert worker.read(paper).title == "A ring"
        process_of(worker).send_signal(signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(UnreadableDocument) as refused:
            worker.read(paper)
        assert refused.value.reason == "timed-out"
        assert time.monotonic() - start < 4
        assert worker.read(paper).title == "A ring"
    finally:
        worker.close()


def test_a_reader_that_dies_costs_one_document(paper: Path) -> None:
    worker = Worker()
    try:
        worker.read(paper)
        process = process_of(worker)
        process.send_signal(signal.SIGSTOP)
        threading.Timer(0.3, process.kill).start()
        with pytest.raises(UnreadableDocument) as refused:
            worker.read(paper)
        assert refused.value.reason == "crashed"
        assert "signal 9" in refused.value.detail
        assert worker.read(paper).title == "A ring"
    finally:
        worker.close()


def test_memory_is_limited(tmp_path: Path) -> None:
    (tmp_path / "large.tex").write_text("\\documentclass{article}\\begin{document}" + "word " * 1_500_000)
    worker = Worker(memory=120 << 20)
    try:
        with pytest.raises(UnreadableDocument) as refused:
            worker.read(tmp_path / "large.tex")
        assert refused.value.reason == "too-large"
    finally:
        worker.close()


def test_the_reader_ends_with_its_parent(paper: Path) -> None:
    code = "import sys, time; from harvest import read_document; import harvest.read as r\n"
    code += "read_document(sys.argv[1]); print(r._worker()._process.pid, flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(paper)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    end = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < end, "the reader outlived its parent"
        time.sleep(0.05)


def cli(*arguments: Any) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "harvest", *map(str, arguments)], capture_output=True, text=True, env=env, check=False)


def test_the_command_prints_markdown_or_json(paper: Path) -> None:
    done = cli("read", paper)
    assert done.returncode == 0
    assert done.stdout == "# A ring\n\n## Beam\n\nThe beam goes round and round.\n\n| a | b |\n| --- | --- |\n| c | d |\n"
    loaded = json.loads(cli("read", paper, "--format", "json").stdout)
    assert loaded["text"] == read_document(paper).text
    assert set(loaded) == set(Document.__dataclass_fields__)


def test_the_command_says_in_one_sentence_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "page.pdf").write_text("<html>denied</html>")
    done = cli("read", tmp_path / "page.pdf")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "page.pdf cannot be read: it is a web page, not a document\n")
    field = cli("accelerators")
    assert field.returncode == 2
    assert "fieldsmith harvest accelerators" in field.stderr
    assert len(field.stderr.splitlines()) == 1


def test_importing_harvest_is_light() -> None:
    code = "import sys, harvest; print([m for m in ('torch', 'pymupdf', 'arxiv', 'requests', 'prefect', 'lxml') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
    )
    assert done.stdout == "[]\n"


NASTY = {
    "encrypted_user_password/r2-user-password.pdf": "encrypted",
    "encrypted_user_password/crazyones-encrypted-256.pdf": "encrypted",
    "made_by_us/truncated_40pct.pdf": "truncated",
    "made_by_us/html_captcha_page.pdf": "not-a-document",
    "made_by_us/lfs_pointer.pdf": "not-a-document",
    "scanned_no_text/blank.pdf": "no-text",
    "scanned_no_text/skew.pdf": "no-text",
    "corrupt/invalid.pdf": "damaged",
    "corrupt/cyclic-toc.pdf": "no-pages",
    "corrupt/arxivstub_fake.pdf": "not-a-document",
    "bombs_and_big/hugemono.pdf": "no-text",
}
READABLE = ("r2-owner-password", "r4-owner-password", "sandwich", "with-attachment", "jo", "indirect-rotation")


@pytest.mark.shared
@pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")
def test_nasty_files_are_read_or_refused_for_a_true_reason() -> None:
    found: dict[str, str] = {}
    for path in sorted((PAPERS / "A_nasty").rglob("*.pdf")):
        try:
            read_document(path)
            found[f"{path.parent.name}/{path.name}"] = "read"
        except UnreadableDocument as refused:
            found[f"{path.parent.name}/{path.name}"] = refused.reason
    assert {name: found[name] for name in NASTY} == NASTY
    assert {name for name, what in found.items() if Path(name).stem in READABLE and what != "read"} == set()
    assert not set(found.values()) & {"crashed", "timed-out"}
