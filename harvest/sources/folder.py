"""Documents that lie on a disk, in any form that can be read; files of one stem in one folder are one paper.

A folder with one main LaTeX file and what belongs to it is one paper too, all that is in it included. The parts and the figures of
a LaTeX file are no papers, nor is what lies in the folder that a browser makes beside a saved page.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harvest.config import FolderSource
from harvest.records import Paper
from harvest.sources.forms import TRUST, form_of
from harvest.sources.globs import matches
from harvest.sources.latex_folders import figures_of, is_whole, packed, parts_of, projects
from harvest.sources.offer import Offer
from harvest.store import UsageError, load, save, sha256_file, write_bytes

_log = logging.getLogger(__name__)
# The folder of pictures and styles that browsers make beside a page that is saved, in the languages of browsers.
_COMPANION = re.compile(
    r"^(?P<stem>.+?)[._-](?:files|dateien|fichiers|archivos|file|bestanden|arquivos|pliki|filer|tiedostot)$", re.IGNORECASE
)

Forms = dict[str, list[Path]]


@dataclass(frozen=True, slots=True)
class Origin:
    """A file as it was when it was copied: name in papers/<id>/, size, time of change in ns, SHA-256."""

    path: str
    size: int
    mtime_ns: int
    sha256: str


def offers(source: FolderSource, run: Path) -> Iterator[Offer]:
    """The papers of a folder in the order of their names; the id is the path below the folder without its suffix.

    Raises `UsageError` where the folder is missing or two files of one form would be the same paper.
    """
    root = source.path.expanduser()
    if not root.is_dir():
        raise UsageError(f"the folder {root} does not exist; correct harvest.sources.folder.path")
    files = sorted(path for path in _files(root) if _is_wanted(path, root, source))
    for identifier, forms in sorted(_papers(files, root).items()):
        paper = Paper(identifier, "folder", "", licence=source.licence)
        names = tuple(name for name in TRUST if name in forms)
        book = any(matches(place, source.books) for place in (identifier, *(_place(paths[0], root) for paths in forms.values())))
        yield Offer(paper, f"folder {root.name}", partial(_fetch, paper, forms, root), names=names, book=book)


def _papers(files: list[Path], root: Path) -> dict[str, Forms]:
    """Papers by id, each with its forms: the name under which one is kept, and the files that make it."""
    latex = [path for path in files if path.suffix.lower() == ".tex"]
    wholes = {path for path in latex if is_whole(path)}
    taken = {part for path in latex for part in parts_of(path, root)} - wholes
    taken |= {part for path in wholes for part in parts_of(path, root) if part != path and _is_subfile(part, path, root)}
    aside = taken | figures_of(wholes, root)
    folders = projects(files, wholes - aside, root)
    papers: dict[str, Forms] = {}
    for path in files:
        project = next((folder for folder in path.parents if folder in folders), None)
        if project is not None:
            if not _belongs(path, folders[project]):
                continue
            identifier = _place(project, root)
        elif path in aside:
            continue
        else:
            identifier = _place(path.parent / _stem(path), root)
        _add(papers.setdefault(identifier, {}), path, root, identifier)
    return papers


def _add(forms: Forms, path: Path, root: Path, identifier: str) -> None:
    """Note a form of a paper; each kept name is one file's, or one LaTeX file's with its parts."""
    _, name = form_of(path.name) or ("", "")
    paths = [path, *parts_of(path, root)] if name == "source.tex" else [path]
    name = "source.tar.gz" if len(paths) > 1 else name
    if name in forms:
        raise UsageError(f"{path} and {forms[name][0]} would be the same paper {identifier!r}; rename one of them")
    forms[name] = paths


def _is_subfile(part: Path, path: Path, root: Path) -> bool:
    r"""Whether a file with a \documentclass of its own is still a part: the other does not take part in it in turn."""
    return part.suffix == ".tex" and path not in parts_of(part, root)


def _belongs(path: Path, main: Path) -> bool:
    """Whether a file in the folder of a LaTeX paper is a form of it: the main file, or what was made of it."""
    made = path.parent == main.parent and path.suffix.lower() in (".pdf", ".html", ".epub", ".docx")
    return path == main or (made and _stem(path) in (main.stem, main.parent.name))


def _stem(path: Path) -> str:
    found = form_of(path.name)
    return found[0] if found else path.stem


def _place(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _is_wanted(path: Path, root: Path, source: FolderSource) -> bool:
    place = _place(path, root)
    return matches(place, source.include) and not matches(place, source.exclude)


def _files(root: Path) -> Iterator[Path]:
    """Documents below a folder; hidden ones and links that lead out of it are passed over."""
    inside = root.resolve()
    for folder, folders, names in os.walk(root):
        pages = {name.rpartition(".")[0] for name in names if name.lower().endswith((".html", ".htm", ".xhtml"))}
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not _is_companion(name, pages))
        for name in names:
            path = Path(folder) / name
            if name.startswith(".") or form_of(name) is None:
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                _log.warning("%s is a link that leads out of its folder; it is not followed", path)
            elif path.is_file():
                yield path


def _is_companion(folder: str, pages: set[str]) -> bool:
    match = _COMPANION.match(folder)
    return match is not None and match["stem"] in pages


def _fetch(paper: Paper, forms: Forms, root: Path, folder: Path) -> Paper:
    """Copy the files of a paper where they changed; paper.json last."""
    before = _origins(folder)
    changed = {name: paths for name, paths in forms.items() if not _is_same(folder / name, paths, before.get(name))}
    kept = load(folder / "paper.json", Paper) if (folder / "paper.json").exists() else None
    if not changed and set(before) == set(forms) and kept and kept.licence == paper.licence:
        return kept
    (folder / "paper.json").unlink(missing_ok=True)
    for name in set(before) - set(forms):
        (folder / name).unlink(missing_ok=True)
    for name, paths in changed.items():
        write_bytes(folder / name, packed(paths, root))
    origins = {name: [_origin(path) for path in paths] for name, paths in forms.items()}
    save(folder / ".origin.json", origins)
    save(folder / "paper.json", paper)
    return paper


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
