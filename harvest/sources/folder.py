"""Documents that lie on a disk: LaTeX and PDF, files of one stem in one folder being one paper."""

from __future__ import annotations

import gzip
import io
import logging
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harvest.config import FolderSource
from harvest.records import Paper
from harvest.sources.offer import Offer
from harvest.store import FieldsmithError, UsageError, load, save, sha256_file, write_bytes

_log = logging.getLogger(__name__)
_KINDS = {
    ".tar.gz": "source.tar.gz",
    ".tgz": "source.tar.gz",
    ".tex.gz": "source.gz",
    ".gz": "source.gz",
    ".tex": "source.tex",
    ".pdf": "paper.pdf",
}
_USED = re.compile(rb"\\(?:input|include|subfile)\s*\{\s*([^{}\n]+?)\s*\}")
_WHOLE = re.compile(rb"^[^%\n]*\\(?:documentclass|documentstyle)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Origin:
    """A file as it was when it was copied: name in papers/<id>/, size, time of change in ns, SHA-256."""

    path: str
    size: int
    mtime_ns: int
    sha256: str


def offers(source: FolderSource, run: Path) -> Iterator[Offer]:
    """The papers of a folder in the order of their names; the id is the path below the folder without its suffix."""
    root = source.path.expanduser()
    if not root.is_dir():
        raise UsageError(f"the folder {root} does not exist; correct harvest.sources.folder.path")
    papers: dict[str, dict[str, list[Path]]] = {}
    files = sorted(_files(root))
    parts = _parts(files, root)
    for path in files:
        stem, name = _stem_and_name(path)
        identifier = (path.parent / stem).relative_to(root).as_posix()
        if path in parts:
            continue
        forms = papers.setdefault(identifier, {})
        if name in forms:
            raise UsageError(f"{path} and {forms[name][0]} would be the same paper {identifier!r}; rename one of them")
        forms[name] = [path, *_included(path, root)] if path.suffix == ".tex" else [path]
    for identifier, forms in sorted(papers.items()):
        paper = Paper(identifier, "folder", "", licence=source.licence)
        yield Offer(paper, f"folder {root.name}", partial(_fetch, paper, forms, root))


def _files(root: Path) -> Iterator[Path]:
    """Documents below a folder; hidden ones and links that lead out of it are passed over."""
    inside = root.resolve()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(folder) / name
            if name.startswith(".") or not name.lower().endswith(tuple(_KINDS)):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                _log.warning("%s is a link that leads out of its folder; it is not followed", path)
            elif path.is_file():
                yield path


def _stem_and_name(path: Path) -> tuple[str, str]:
    suffix = next(suffix for suffix in _KINDS if path.name.lower().endswith(suffix))
    return path.name[: -len(suffix)], _KINDS[suffix]


def _parts(files: list[Path], root: Path) -> set[Path]:
    """Files that other LaTeX files take in and that are no documents themselves."""
    used = {part for path in files if path.suffix == ".tex" for part in _included(path, root)}
    return {path for path in used if not _WHOLE.search(path.read_bytes())}


def _included(path: Path, root: Path) -> list[Path]:
    """The files that a LaTeX file takes in, directly or not, inside the folder."""
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting and len(found) < 500:
        for name in _USED.findall(waiting.pop().read_bytes()):
            part = _below(path.parent / os.fsdecode(name), root)
            if part and part not in found and part != path:
                found[part] = None
                waiting.append(part)
    return sorted(found)


def _below(path: Path, root: Path) -> Path | None:
    for candidate in (path, path.with_name(path.name + ".tex")):
        plain = Path(os.path.normpath(candidate))
        if plain.is_relative_to(root) and plain.is_file() and plain.resolve().is_relative_to(root.resolve()):
            return plain
    return None


def _fetch(paper: Paper, forms: dict[str, list[Path]], root: Path, folder: Path) -> Paper:
    """Copy the files of a paper where they changed; paper.json last."""
    before = _origins(folder)
    wanted = {_kept_name(name, paths): paths for name, paths in forms.items()}
    changed = {name: paths for name, paths in wanted.items() if not _is_same(folder / name, paths, before.get(name))}
    kept = load(folder / "paper.json", Paper) if (folder / "paper.json").exists() else None
    if not changed and set(before) == set(wanted) and kept and kept.licence == paper.licence:
        return kept
    (folder / "paper.json").unlink(missing_ok=True)
    for name in set(before) - set(wanted):
        (folder / name).unlink(missing_ok=True)
    for name, paths in changed.items():
        write_bytes(folder / name, _bytes(paths, root))
    origins = {name: [_origin(path) for path in paths] for name, paths in wanted.items()}
    save(folder / ".origin.json", origins)
    save(folder / "paper.json", paper)
    return paper


def _kept_name(name: str, paths: list[Path]) -> str:
    return "source.tar.gz" if len(paths) > 1 else name


def _origins(folder: Path) -> dict[str, list[Origin]]:
    path = folder / ".origin.json"
    return load(path, dict[str, list[Origin]]) if path.exists() else {}


def _is_same(copy: Path, paths: list[Path], before: list[Origin] | None) -> bool:
    """Whether a copy is still right: sizes and times are looked at first, bytes only where they differ."""
    if before is None or not copy.exists() or [str(path) for path in paths] != [origin.path for origin in before]:
        return False
    for path, origin in zip(paths, before, strict=True):
        state = path.stat()
        if (state.st_size, state.st_mtime_ns) != (origin.size, origin.mtime_ns) and sha256_file(path) != origin.sha256:
            return False
    return True


def _origin(path: Path) -> Origin:
    state = path.stat()
    return Origin(str(path), state.st_size, state.st_mtime_ns, sha256_file(path))


def _bytes(paths: list[Path], root: Path) -> bytes:
    """One file as it is; a LaTeX file with its parts as an archive that depends on nothing but their bytes."""
    if any(path.stat().st_size > 1 << 30 for path in paths):
        raise FieldsmithError(f"{paths[0]} is larger than 1 GiB; take it out of {root}")
    if len(paths) == 1:
        return paths[0].read_bytes()
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for path in paths:
            data = path.read_bytes()
            info = tarfile.TarInfo(os.path.relpath(path, paths[0].parent) if path.is_relative_to(paths[0].parent) else path.name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
