r"""LaTeX in a folder: what a file takes in, what is only a part or a figure of another, and which folders are one paper.

A file is a paper where it has \documentclass. Together with it go the files that it names: parts, packages and classes that lie
there, bibliographies. The PDFs that it shows are figures.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from harvest.store import FieldsmithError

_USED = re.compile(
    rb"\\(?:input|include|subfile|usepackage|RequirePackage|documentclass|bibliography|addbibresource)\s*(?:\[[^\]]*\]\s*)?\{\s*([^{}]+?)\s*\}"
)
_SHOWN = re.compile(rb"\\includegraphics\*?\s*(?:\[[^\]]*\]\s*)?\{\s*([^{}\n]+?)\s*\}")
_PATHS = re.compile(rb"\\graphicspath\s*\{((?:\s*\{[^{}]*\})+)\s*\}")
_WHOLE = re.compile(rb"^[^%\n]*\\(?:documentclass|documentstyle)\b", re.MULTILINE)
_SUFFIXES = ("", ".tex", ".sty", ".cls", ".bib", ".bbl")
_MAX_PARTS = 500
_MAX_BYTES = 16_000_000


def is_whole(path: Path) -> bool:
    r"""Whether a file is a document and not a part of one."""
    return _WHOLE.search(_bytes(path)) is not None


def parts_of(path: Path, root: Path) -> list[Path]:
    """The files that a LaTeX file takes in, directly or not, inside `root`; its .bbl among them."""
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting and len(found) < _MAX_PARTS:
        current = waiting.pop()
        for name in _names(_USED, current):
            for folder in dict.fromkeys((current.parent, path.parent)):
                part = _below(folder / name, root, _SUFFIXES)
                if part and part not in found and part != path:
                    found[part] = None
                    waiting += [part] if part.suffix in (".tex", ".sty", ".cls") else []
                if part:
                    break
    printed = _below(path.with_suffix(".bbl"), root, ("",))
    return sorted([*found, printed] if printed and printed not in found else found)


def figures_of(paths: Iterable[Path], root: Path) -> set[Path]:
    """The PDFs that LaTeX files show."""
    return {figure for path in paths for figure in _figures(path, root)}


def _figures(path: Path, root: Path) -> Iterator[Path]:
    files = [path, *(part for part in parts_of(path, root) if part.suffix == ".tex")]
    places = [path.parent]
    for file in files:
        for group in _PATHS.findall(_bytes(file)):
            places += [path.parent / os.fsdecode(place) for place in re.findall(rb"\{\s*([^{}]*?)\s*\}", group)]
    for file in files:
        for name in _names(_SHOWN, file):
            yield from filter(None, (_below(place / name, root, ("", ".pdf")) for place in places))


def projects(files: Iterable[Path], wholes: set[Path], root: Path) -> dict[Path, Path]:
    r"""Folders below `root` that are one paper each, with its main file: the only one with \documentclass, and more than it alone."""
    mains: dict[Path, list[Path]] = {}
    for path in wholes:
        mains.setdefault(path.parent, []).append(path)
    found = {folder: paths[0] for folder, paths in mains.items() if folder != root and len(paths) == 1}
    found = {folder: main for folder, main in found.items() if parts_of(main, root) or figures_of([main], root)}
    return {folder: main for folder, main in found.items() if not any(above in found for above in folder.parents)}


def packed(paths: Sequence[Path], root: Path) -> bytes:
    """One file as it is; a LaTeX file with its parts as an archive that depends on nothing but their bytes."""
    if any(path.stat().st_size > 1 << 30 for path in paths):
        raise FieldsmithError(f"{paths[0]} is larger than 1 GiB; take it out of {root}")
    if len(paths) == 1:
        return paths[0].read_bytes()
    base = Path(os.path.commonpath([path.parent for path in paths]))
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for path in paths:
            data = path.read_bytes()
            info = tarfile.TarInfo(path.relative_to(base).as_posix())
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _names(pattern: re.Pattern[bytes], path: Path) -> list[str]:
    """The file names in the arguments of commands, commented ones as well: what is not there does no harm."""
    return [
        name
        for found in pattern.findall(_bytes(path))
        for piece in found.split(b",")
        if (name := os.fsdecode(piece.strip())) and "\x00" not in name
    ]


def _below(path: Path, root: Path, suffixes: tuple[str, ...]) -> Path | None:
    """The file that a name means, if it lies inside the root."""
    for suffix in suffixes:
        plain = Path(os.path.normpath(path.with_name(path.name + suffix))) if path.name not in ("", "..") else root
        if plain.is_relative_to(root) and plain.is_file() and plain.resolve().is_relative_to(root.resolve()):
            return plain
    return None


@lru_cache(maxsize=512)
def _cached(path: Path, modified: int, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)


def _bytes(path: Path) -> bytes:
    state = path.stat()
    return _cached(path, state.st_mtime_ns, state.st_size)
