"""The readers of LaTeX that are compared: each is given the folder of a source and its main file, and gives text with `$` and `$$`."""

from __future__ import annotations

import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

SECONDS = 60.0  # for one paper; who needs longer has failed


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader made of one paper: text with its title and bibliography apart, why there is none, seconds of processor time."""

    text: str
    beside: str = ""
    failed: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A reader, what it needs, and how it reads (a folder, the main file in it)."""

    needs: str
    read: Callable[[Path, str], Reading]

    def version(self) -> str:
        """Its version; empty where it is not installed."""
        if self.needs in ("detex", "latexml"):
            return "installed" if shutil.which(self.needs) else ""
        try:
            return version(self.needs)
        except PackageNotFoundError:
            return ""


def tree_of(folder: Path) -> dict[str, bytes]:
    """The files of a source by their path inside it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def fieldsmith(folder: Path, main: str) -> Reading:
    """Our own, as it reads an archive of the folder; the main file it finds by itself."""
    from harvest import UnreadableDocument
    from harvest.readers.latex import read_source
    from harvest.readers.source import tree_of_files

    files = tree_of(folder)
    before = time.process_time()
    try:
        extract = read_source(tree_of_files(files), folder.name)
    except UnreadableDocument as refused:
        return Reading("", failed=str(refused))
    seconds = time.process_time() - before
    return Reading(extract.text, "\n".join([extract.title, *extract.references]), "", seconds)


def _pandoc(folder: Path, main: str) -> Reading:
    import pypandoc

    return _program([pypandoc.get_pandoc_path(), main, "-f", "latex", "-t", "markdown", "--wrap=none"], folder, main)


def _detex(folder: Path, main: str) -> Reading:
    return _program(["detex", main], folder, main)


def _latexml(folder: Path, main: str) -> Reading:
    with TemporaryDirectory() as copy:  # it leaves a cache file beside what it reads
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        reading = _program(["latexml", "--quiet", "--nocomments", main], Path(copy), main)
    if reading.failed:
        return reading
    try:
        return Reading(_latexml_text(reading.text), "", "", reading.seconds)
    except (ParseError, DefusedXmlException) as error:
        return Reading("", failed=f"its XML cannot be parsed: {error}", seconds=reading.seconds)


def _latexml_text(xml: str) -> str:
    """The text of LaTeXML's document: formulas in dollars, paragraphs apart, notes and tags in their place."""
    out: list[str] = []

    def walk(element: object) -> None:
        name = str(element.tag).rpartition("}")[2]  # type: ignore[attr-defined]
        if name == "Math":
            sign = "$$" if element.get("mode") == "display" else "$"  # type: ignore[attr-defined]
            out.append(f"{sign}{element.get('tex') or ''}{sign}")  # type: ignore[attr-defined]
        elif name not in ("tags", "resource", "toccaption", "toctitle", "TOC"):
            out.append("\n\n" if name in ("para", "p", "title", "caption", "item", "section", "bibitem", "td") else "")
            out.append(element.text or "")  # type: ignore[attr-defined]
            for part in element:  # type: ignore[attr-defined]
                walk(part)
                out.append(part.tail or "")
            out.append("\n\n" if name in ("para", "p", "title", "caption") else "")

    walk(fromstring(xml))
    return "".join(out)


def _pylatexenc(folder: Path, main: str) -> Reading:
    from pylatexenc.latex2text import LatexNodes2Text
    from pylatexenc.latexwalker import LatexWalkerError

    converter = LatexNodes2Text(math_mode="verbatim", strict_latex_spaces=False)
    converter.set_tex_input_directory(str(folder))
    before = time.process_time()
    try:
        text = converter.latex_to_text((folder / main).read_text(encoding="utf-8", errors="replace"))
    except (LatexWalkerError, IndexError, ValueError, RecursionError, AttributeError, TypeError, OSError) as error:
        return Reading("", failed=f"{type(error).__name__}: {str(error)[:120]}")
    return Reading(text, "", "", time.process_time() - before)


def _program(command: list[str], folder: Path, main: str) -> Reading:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        ended = subprocess.run(command, cwd=(folder / main).parent if "/" in main else folder, capture_output=True, text=True,
                               encoding="utf-8", errors="replace", timeout=SECONDS, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return Reading("", failed=f"it did not end within {SECONDS:g} s")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if ended.returncode or len(ended.stdout.split()) < 20:
        return Reading("", failed=(ended.stderr.strip().splitlines() or ["no text"])[0][:160], seconds=seconds)
    return Reading(ended.stdout, "", "", seconds)


PEERS: dict[str, Peer] = {
    "fieldsmith": Peer("fieldsmith", fieldsmith),
    "pandoc": Peer("pypandoc_binary", _pandoc),
    "pylatexenc": Peer("pylatexenc", _pylatexenc),
    "detex": Peer("detex", _detex),
    "latexml": Peer("latexml", _latexml),
}
