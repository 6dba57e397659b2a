"""LaTeX sources to text: finds the main file, reads it in one tolerant pass, cuts the references."""

from __future__ import annotations

import posixpath
import re

from harvest.readers.extract import REFERENCES, Block, Extract, UnreadableDocument, lay_out, without_references
from harvest.readers.source import SourceTree, read_tree
from harvest.readers.tex.commands import COMMANDS
from harvest.readers.tex.interpreter import Interpreter
from harvest.readers.versions import LATEX

_DOCUMENT = re.compile(r"^[^%\n]*\\(?:documentclass|documentstyle)\b", re.MULTILINE)
_BEGIN = re.compile(r"^[^%\n]*\\begin\s*\{document\}", re.MULTILINE)
_USED = re.compile(r"\\(?:input|include|subfile)\s*\{\s*([^{}]+?)\s*\}")


def read_latex(data: bytes, name: str) -> Extract:
    """Read the bytes of a .tex, .tex.gz, .tar or .tar.gz; `name` is for messages.

    Raises `UnreadableDocument` where no LaTeX is inside or no text comes out.
    """
    tree = read_tree(data, name)
    main = main_file(tree, name)
    reader = Interpreter(tree, main, COMMANDS)
    blocks = _without_empty_references(without_references(reader.read()))
    text, sections = lay_out(blocks)
    if len(re.findall(r"\w", text)) < 20:
        raise UnreadableDocument(name, "no-text", "its LaTeX source holds no text")
    missing = [f"included files that the source lacks: {', '.join(list(reader.missing)[:5])}"] if reader.missing else []
    return Extract(text, sections, reader.title, LATEX, tuple(tree.warnings + reader.warnings + missing))


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


def _without_empty_references(blocks: list[Block]) -> list[Block]:
    return [block for block in blocks if not (block.level and REFERENCES.match(block.text))]
