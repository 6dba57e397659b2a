"""Reading one document: what it is, and from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harvest import Document, Paper, UnreadableDocument, read_document
from harvest.store import sha256_text

ROOT = Path(__file__).parent.parent
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


@pytest.mark.parametrize("name", ["no.pdf", "no.tex", "no folder"])
def test_what_is_missing_is_said_to_be_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        read_document(tmp_path / name)
    assert refused.value.reason == "missing"


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
    field = cli("acelerators")
    assert field.returncode == 2
    assert "did you mean accelerators?" in field.stderr
    assert len(field.stderr.splitlines()) == 1


def test_importing_harvest_is_light() -> None:
    code = "import sys, harvest; print([m for m in ('torch', 'pymupdf', 'arxiv', 'requests', 'prefect', 'lxml') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
    )
    assert done.stdout == "[]\n"


def test_a_tex_is_read_with_its_parts_and_so_is_its_folder(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "main.tex").write_text(
        r"\documentclass{article}\title{A ring of magnets}\begin{document}\maketitle\input{parts/one}\end{document}", encoding="utf-8"
    )
    (tmp_path / "parts/one.tex").write_text("The bending magnets of the ring are cooled with water from the river below.", encoding="utf-8")
    documents = [read_document(tmp_path / "main.tex"), read_document(tmp_path)]
    assert [document.paper.title for document in documents] == ["A ring of magnets"] * 2
    assert all("cooled with water" in document.text for document in documents)


def test_a_folder_without_a_latex_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match=r"no \.tex in this folder"):
        read_document(tmp_path)


@pytest.mark.parametrize("name", ["main.tex", "."])
def test_latex_that_is_too_large_is_refused_like_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("harvest.sandbox.LARGEST_FILE", 50)
    (tmp_path / "main.tex").write_text(r"\documentclass{article}\begin{document}" + "A ring of magnets. " * 9, encoding="utf-8")
    with pytest.raises(UnreadableDocument) as refused:
        read_document(tmp_path / name)
    assert refused.value.reason == "too-large"
