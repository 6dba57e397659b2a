"""files.json beside a paper's downloads: what each file is, and that it is still what came.

    {"files": {"source.tar.gz": {"form", "sha256", "size", "modified", "tag", "asked_again"}}, "missing": [...], "pending": [...]}

`sha256` is taken when a file has arrived whole. On later runs a file of the same size and time of change is taken as
unchanged; one whose time differs is hashed (a copied folder); one that is gone or other than it was is dropped and
fetched again. `missing` are the forms that the source does not have, `pending` those that it could not give just then.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

from harvest.store import load, save, sha256_file

_log = logging.getLogger(__name__)
_NAME = "files.json"


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A download: the form that it is (source, html, pdf), its hash, size in bytes, time of change in ns, and the server's ETag."""

    form: str
    sha256: str
    size: int
    modified: int
    tag: str = ""
    asked_again: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """The downloads of one paper."""

    files: dict[str, KeptFile] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    def held(self, form: str) -> str:
        """The name of the file that is this form, or empty; a PDF that came as the source is the PDF too."""
        names = [name for name, file in self.files.items() if file.form == form]
        return names[0] if names else next((name for name in self.files if form == "pdf" and name.startswith("paper.pdf")), "")

    def with_file(self, name: str, file: KeptFile) -> Kept:
        """With this file in place of any other of the same form."""
        others = {other: kept for other, kept in self.files.items() if kept.form != file.form}
        return replace(self, files={**others, name: file}, pending=tuple(form for form in self.pending if form != file.form))

    def without(self, form: str, *, for_good: bool) -> Kept:
        """With a note that this form could not be had: for good, or this time."""
        missing = dict.fromkeys([*self.missing, form] if for_good else self.missing)
        pending = dict.fromkeys(name for name in (*self.pending, form) if name not in missing)
        return replace(self, missing=tuple(missing), pending=tuple(pending))


def read_kept(place: Path) -> Kept:
    """What files.json says; nothing where there is none."""
    return load(place / _NAME, Kept) if (place / _NAME).exists() else Kept()


def write_kept(place: Path, kept: Kept) -> Kept:
    """Write files.json; returns what it was given."""
    save(place / _NAME, kept)
    return kept


def describe(path: Path, form: str, tag: str, *, asked_again: bool = False) -> KeptFile:
    """The entry of a file that has just arrived."""
    status = path.stat()
    return KeptFile(form, sha256_file(path), status.st_size, status.st_mtime_ns, tag, asked_again)


def verified(place: Path) -> Kept:
    """What is here and still what came; files that are not are removed, to be fetched again."""
    kept = read_kept(place)
    checked = {name: file for name, old in kept.files.items() if (file := _checked(place / name, old)) is not None}
    if checked == kept.files:
        return kept
    for name in kept.files.keys() - checked.keys():
        _log.warning("%s is not what was downloaded any more; it is fetched again", place / name)
        (place / name).unlink(missing_ok=True)
    return write_kept(place, replace(kept, files=checked))


def _checked(path: Path, file: KeptFile) -> KeptFile | None:
    if not path.is_file():
        return None
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) == (file.size, file.modified):
        return file
    if status.st_size != file.size or sha256_file(path) != file.sha256:
        return None
    return replace(file, modified=status.st_mtime_ns)
