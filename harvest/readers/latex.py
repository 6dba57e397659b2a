r"""LaTeX sources to text: finds the main file, reads it in one tolerant pass, keeps the bibliography apart from the text.

Nothing is typeset and no LaTeX is run. Numbers of sections, figures and formulas are counted as LaTeX counts them, so that
a reference in the text says what a reader of the printed page would see.
"""

from __future__ import annotations

import posixpath
import re

from harvest.readers.extract import REFERENCES, Block, Extract, UnreadableDocument, lay_out, split_entries, split_references
from harvest.readers.source import SourceTree, read_tree
from harvest.readers.tex.bibliography import finish
from harvest.readers.tex.commands import LATEX_LANGUAGE
from harvest.readers.tex.interpreter import Interpreter
from harvest.readers.tex.tokens import OutOfFuel
from harvest.readers.versions import LATEX
from harvest.records import HiddenText

_DOCUMENT = re.compile(r"^[^%\n]*\\(?:documentclass|documentstyle)\b", re.MULTILINE)
_BEGIN = re.compile(r"^[^%\n]*\\begin\s*\{document\}", re.MULTILINE)
_USED = re.compile(r"\\(?:input|include|subfile)\s*\{\s*([^{}]+?)\s*\}")
_ENTRY = re.compile(r"^(?:[\[(]?\d{1,3}[\])]?[.:]? |- )|\b(?:1[89]|20)\d\d\b|\bdoi\b|arXiv|https?://", re.IGNORECASE)
_LONGEST_TITLE = 200
_TITLE_SIZE = 2  # \Large, above \large
_FUEL_FOR_REFERENCES = 2_000_000


def read_latex(data: bytes, name: str) -> Extract:
    """Read the bytes of a .tex, .tex.gz, .tar or .tar.gz; `name` is for messages.

    Raises `UnreadableDocument` where no LaTeX is inside or no text comes out.
    """
    return read_source(read_tree(data, name), name)


def read_source(tree: SourceTree, name: str) -> Extract:
    """Read a source tree; `name` is for messages. Raises `UnreadableDocument`."""
    reader = Interpreter(tree, main_file(tree, name), LATEX_LANGUAGE)
    blocks = reader.read()
    references = _references(reader)
    blocks, typed = without_bibliography(reader.marks.fill_blocks(blocks))
    text, sections = lay_out(blocks)
    if len(re.findall(r"\w", text)) < 20:
        raise UnreadableDocument(name, "no-text", "its LaTeX source holds no text")
    missing = [f"included files that the source lacks: {', '.join(list(reader.missing)[:5])}"] if reader.missing else []
    hidden = tuple(HiddenText(0, reason, concealed.strip()) for reason, concealed in reader.concealed)
    warnings = tuple(tree.warnings + reader.warnings + missing)
    return Extract(text, sections, _title(reader), LATEX, warnings, references or typed, hidden=hidden)


def _title(reader: Interpreter) -> str:
    r"""What \title says, else what a title page has in its largest letters."""
    if reader.title or max(reader.large, default=0) < _TITLE_SIZE:
        return reader.marks.fill(reader.title)
    text = re.sub(r"\s+", " ", reader.marks.fill("".join(reader.large[max(reader.large)]))).strip(" *")
    return text if 5 <= len(text) <= _LONGEST_TITLE else ""


def _references(reader: Interpreter) -> tuple[str, ...]:
    """The bibliography; one that expands without end is given up."""
    reader.source.fuel = _FUEL_FOR_REFERENCES
    try:
        return finish(reader)
    except OutOfFuel:
        reader.warnings.append("the bibliography was given up: it seems to expand without end")
        return ()


def without_bibliography(blocks: list[Block]) -> tuple[list[Block], tuple[str, ...]]:
    """The blocks of the text, and the entries of a bibliography that was typed by hand under a heading such as "References".

    A section of that name that gives advice in prose stays; an empty heading, whose bibliography LaTeX makes, goes.
    """
    kept: list[Block] = []
    entries: list[str] = []
    waiting: list[Block] = []
    for section in _by_heading(blocks):
        head, *below = section
        if not (head.level and REFERENCES.match(head.text)):
            waiting += section
        elif _is_bibliography(below):
            entries += split_entries(block.text for block in below)
        elif below:
            kept += split_references(waiting)[0]
            kept += section
            waiting = []
    return kept + split_references(waiting)[0], tuple(entries)


def _by_heading(blocks: list[Block]) -> list[list[Block]]:
    """The blocks in runs that begin with a heading (the first run may have none)."""
    runs: list[list[Block]] = []
    for block in blocks:
        if block.level or not runs:
            runs.append([])
        runs[-1].append(block)
    return runs


def _is_bibliography(blocks: list[Block]) -> bool:
    telling = sum(_ENTRY.search(block.text) is not None for block in blocks)
    return bool(blocks) and telling >= 0.6 * len(blocks) and sum(len(block.text) for block in blocks) < 600 * len(blocks)


def main_file(tree: SourceTree, name: str) -> str:
    r"""The file that is the document: it has \documentclass, is not included by another, and is the longest such."""
    texts = {path: text for path, text in tree.files.items() if posixpath.splitext(path)[1].lower() in (".tex", ".ltx", ".latex", "")}
    wholes = [path for path, text in texts.items() if _DOCUMENT.search(text) and _BEGIN.search(text)]
    if not wholes:
        wholes = [path for path, text in texts.items() if _DOCUMENT.search(text)]
    if not wholes:
        wholes = [path for path, text in texts.items() if re.search(r"\\(?:section|begin|chapter|title|bye|input|par)\b", text)]
    if not wholes:
        raise UnreadableDocument(name, "no-source", "no file in it is a LaTeX document")
    return max(wholes, key=lambda path: _rank(path, wholes, tree))


def _rank(path: str, wholes: list[str], tree: SourceTree) -> tuple[bool, bool, bool, int]:
    used = {found for other in wholes if other != path for use in _USED.findall(tree.files[other]) if (found := tree.find(use, other))}
    stem = posixpath.splitext(posixpath.basename(path))[0].lower()
    telling = stem in ("main", "ms", "paper", "manuscript", "article", "thesis")
    aside = re.search(r"response|cover.?letter|reply|referee|supplement|template|diff", stem) is not None
    length = sum(len(tree.files[found]) for use in _USED.findall(tree.files[path]) if (found := tree.find(use, path)))
    return path not in used, not aside, telling and len(tree.files[path]) > 2000, length + len(tree.files[path])
