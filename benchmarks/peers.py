"""The readers of PDF that are compared, each run in a process of its own so that none pays for another's imports.

`python benchmarks/peers.py NAME STARTED REPLY.json FILE.pdf...` reads the files twice and writes what it told: the first
pass is cold (a new process, imports and models included), the second warm. Seconds of processor time are those of the
process and of all its children, on all cores.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

WARM_SECONDS = 30.0  # after which the warm pass of a slow reader ends; its pages are counted accordingly


@dataclass(frozen=True, slots=True)
class Told:
    """What a reader says of a paper; `headings` is None where it knows no structure, `failed` why there is no text."""

    text: str
    headings: tuple[str, ...] | None = None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over papers: how many, and the seconds of wall and of processor time it took."""

    papers: int
    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What one reader told of all papers, in their order, and its two passes; the warm one may end before the last paper."""

    told: tuple[Told, ...]
    cold: Pass
    warm: Pass
    version: str


@dataclass(frozen=True, slots=True)
class Peer:
    """A reader: the distribution (or program) it needs, and a function that imports it and gives back how it reads one file."""

    needs: str
    begin: Callable[[], Callable[[Path], Told]]
    end: Callable[[], None] = lambda: None

    def version(self) -> str:
        """Its version; empty where it is not installed."""
        if self.needs == "pdftotext":
            return _poppler()
        try:
            return version(self.needs)
        except PackageNotFoundError:
            return ""


def ask(name: str, files: Sequence[Path], seconds: float) -> Reply | str:
    """Run a reader on files in a new process; a sentence where it is missing or fails as a whole."""
    if not PEERS[name].version():
        return f"{PEERS[name].needs} is not installed"
    with tempfile.TemporaryDirectory() as folder:
        reply = Path(folder) / "reply.json"
        command = [sys.executable, __file__, name, repr(time.time()), str(reply), *map(str, files)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return f"it did not end within {seconds:g} s"
        if ended.returncode:
            return f"it failed: {(ended.stderr.strip().splitlines() or ['no message'])[-1][:200]}"
        return _reply(json.loads(reply.read_text(encoding="utf-8")))


def serve(name: str, started: float, reply: Path, files: Sequence[Path]) -> None:
    """Read the files twice and write the reply."""
    read = PEERS[name].begin()
    told = tuple(map(read, files))
    cold = Pass(len(files), time.time() - started, _cpu())
    wall, cpu, again = time.time(), _cpu(), 0
    while again < len(files) and time.time() - wall < WARM_SECONDS:
        read(files[again])
        again += 1
    warm = Pass(again, time.time() - wall, _cpu() - cpu)
    PEERS[name].end()
    reply.write_text(json.dumps(asdict(Reply(told, cold, warm, PEERS[name].version()))), encoding="utf-8")


def _fieldsmith() -> Callable[[Path], Told]:
    from harvest import UnreadableDocument, read_document

    def read(file: Path) -> Told:
        try:
            document = read_document(file)
        except UnreadableDocument as refused:
            return Told("", (), str(refused))
        return Told(document.text, tuple(s.title for s in document.sections if s.title))

    return read


def _end_fieldsmith() -> None:
    from harvest.read import close_worker

    close_worker()


def _pymupdf() -> Callable[[Path], Told]:
    import pymupdf

    pymupdf.TOOLS.mupdf_display_errors(False)

    def read(file: Path) -> Told:
        with pymupdf.open(file) as pages:
            return Told("\n".join(page.get_text() for page in pages))

    return read


def _pymupdf4llm(layout: bool) -> Callable[[Path], Told]:
    import pymupdf4llm

    pymupdf4llm.use_layout(layout)
    asked = {"header": False, "footer": False} if layout else {}
    return lambda file: _markdown(pymupdf4llm.to_markdown(str(file), show_progress=False, **asked))


def _pypdfium2() -> Callable[[Path], Told]:
    import pypdfium2

    def read(file: Path) -> Told:
        pages = pypdfium2.PdfDocument(file)
        try:
            return Told("\n".join(page.get_textpage().get_text_range() for page in pages))
        finally:
            pages.close()

    return read


def _pdfminer() -> Callable[[Path], Told]:
    from pdfminer.high_level import extract_text

    return lambda file: Told(extract_text(file))


def _kreuzberg() -> Callable[[Path], Told]:
    import kreuzberg

    asked = kreuzberg.ExtractionConfig(output_format="markdown", use_cache=False)
    return lambda file: _markdown(kreuzberg.extract_file_sync(str(file), config=asked).content)


def _pdftotext() -> Callable[[Path], Told]:
    def read(file: Path) -> Told:
        told = subprocess.run(["pdftotext", str(file), "-"], capture_output=True, text=True, encoding="utf-8", errors="replace", check=True)
        return Told(told.stdout)

    return read


PEERS = {
    "fieldsmith": Peer("fieldsmith", _fieldsmith, _end_fieldsmith),
    "pymupdf": Peer("pymupdf", _pymupdf),
    "pymupdf4llm": Peer("pymupdf4llm", lambda: _pymupdf4llm(False)),
    "pymupdf4llm+layout": Peer("pymupdf4llm", lambda: _pymupdf4llm(True)),
    "pypdfium2": Peer("pypdfium2", _pypdfium2),
    "pdfminer.six": Peer("pdfminer.six", _pdfminer),
    "kreuzberg": Peer("kreuzberg", _kreuzberg),
    "pdftotext": Peer("pdftotext", _pdftotext),
}


def _markdown(text: str) -> Told:
    """Markdown as text, its headings apart; HTML tags are signs, not words."""
    text = re.sub(r"<!--.*?-->|<br ?/?>", "\n", text)
    text = re.sub(r"</?[a-z]+[^<>\n]*>", "", text)
    found = re.findall(r"^#{1,6}\s+(.+)$", text, flags=re.MULTILINE)
    return Told(text, tuple(re.sub(r"[*_`#]+", "", heading).strip() for heading in found) or None)


def _poppler() -> str:
    if not shutil.which("pdftotext"):
        return ""
    told = subprocess.run(["pdftotext", "-v"], capture_output=True, text=True, check=False).stderr
    return (re.search(r"version (\S+)", told) or [told, told])[1]


def _cpu() -> float:
    """Seconds of processor time of this process and of its children, living or ended."""
    import psutil

    here = psutil.Process()
    alive = [child.cpu_times() for child in here.children(recursive=True)]
    own = here.cpu_times()
    return float(own.user + own.system + own.children_user + own.children_system + sum(times.user + times.system for times in alive))


def _reply(said: dict[str, object]) -> Reply:
    from pydantic import TypeAdapter

    return TypeAdapter(Reply).validate_python(said)


if __name__ == "__main__":
    serve(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), [Path(file) for file in sys.argv[4:]])
