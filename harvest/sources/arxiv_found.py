"""What arXiv's listings tell of a paper, and whether it was withdrawn."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harvest.records import Paper
from harvest.store import load, safe_name, save

_STALE = 86_400.0  # seconds after which half a listing is begun again: arXiv announces daily and its tokens live so long
_NOUN = r"(?:paper|article|submission|manuscript|preprint|e-?print|work|note|letter|report|thesis|version|document)"
_SAYS_SO = re.compile(
    rf"^\W*withdrawn\b|^\W*(?:this\s+)?{_NOUN}\s+(?:has\s+been|have\s+been|was|is|being|is\s+being)?\s*(?:temporarily\s+)?withdrawn\b"
    rf"|\bthis\s+{_NOUN}\s+(?:has\s+been|was|is)\s+(?:temporarily\s+|now\s+)?withdrawn\b|\bwithdrawn\s+by\s+(?:the\s+|its\s+)?(?:authors?|arxiv|submitter)",
    re.IGNORECASE,
)
_ANOTHER = re.compile(
    r"\b(?:previous|earlier|first|old(?:er)?|original|v\d)\b[^.;]{0,40}\bwithdrawn|\bwithdrawn\s+(?:paper|version)", re.IGNORECASE
)
_A_NOTE = 5.0  # kB: what is larger than a note of withdrawal is a paper, whatever its comment says
Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Found:
    """A paper of a listing, what its authors comment, and what its OAI record tells if that was read (`recorded`).

    `kilobytes` is the size of this version's source, where the record has it; 0 is a version without contents.
    """

    paper: Paper
    comment: str = ""
    recorded: bool = False
    kilobytes: float | None = None

    @property
    def identifier(self) -> str:
        """arXiv's own id with its version, such as 2301.00001v2."""
        return self.paper.id.removeprefix("arxiv:")


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer to a source, kept so that it is asked once: papers, and the ids that arXiv does not have."""

    found: tuple[Found, ...]
    unknown: tuple[str, ...]


class Pages:
    """The pages of one listing as they arrive, so that a killed harvest goes on at the first that is missing.

    They lie in `<name>.part/` until the listing is whole and becomes `<name>.json`. Half a listing of another day is
    begun again: it would mix two states of arXiv.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.whole, self._part = folder / f"{name}.json", folder / f"{name}.part"
        begun = min((page.stat().st_mtime for page in self._part.glob("*.json")), default=time.time())
        if not 0 <= time.time() - begun <= _STALE:
            shutil.rmtree(self._part, ignore_errors=True)

    def get(self, name: str, kind: type[Record]) -> Record | None:
        """The page called `name`, if it is here."""
        path = self._path(name)
        return load(path, kind) if path.exists() else None

    def put(self, name: str, page: Record) -> Record:
        """Keep a page; returns it."""
        save(self._path(name), page)
        return page

    def forget(self, start: str) -> None:
        """Drop the pages whose names start so."""
        for path in self._part.glob("*.json"):
            if path.name.startswith(_file_name(start)):
                path.unlink()

    def finish(self, listing: Listing) -> Listing:
        """Keep the whole listing and drop its pages; an empty one is not kept, so that it is asked again."""
        if listing.found:
            save(self.whole, listing)
        shutil.rmtree(self._part, ignore_errors=True)
        return listing

    def _path(self, name: str) -> Path:
        return self._part / f"{_file_name(name)}.json"


def _file_name(name: str) -> str:
    return safe_name(name.replace(":", "."))


def bare(identifier: str) -> str:
    """An arXiv id without its version."""
    return re.sub(r"v\d+$", "", identifier)


def version_of(identifier: str) -> int | None:
    """The number of the version that an id names; None if it names none."""
    found = re.search(r"v(\d+)$", identifier)
    return int(found[1]) if found else None


def earlier(identifier: str) -> tuple[str, ...]:
    """The ids of the versions before this one, oldest first, as `Paper.earlier` has them: arXiv numbers them without gaps."""
    return tuple(f"arxiv:{bare(identifier)}v{number}" for number in range(1, version_of(identifier) or 1))


def first_doi(text: str | None) -> str | None:
    """The first of the DOIs that authors put into the field."""
    return next((word for word in re.split(r"[,;\s]+", text or "") if word), None)


def one_line(text: str | None) -> str:
    """Text with single spaces for all white space."""
    return re.sub(r"\s+", " ", text or "").strip()


def withdrawn(found: Found) -> str:
    """Why a version counts as withdrawn, as half a sentence; empty if it does not.

    Without contents (arXivRaw gives its size as 0) it is; with contents it is where its comment says so and the contents
    are no more than the note that older withdrawals carry.
    """
    said = f"its comment says: {found.comment[:200]}" if found.comment else "it has no contents"
    if found.kilobytes == 0:
        return said
    if found.kilobytes is not None and found.kilobytes > _A_NOTE:
        return ""
    return said if _SAYS_SO.search(found.comment) and not _ANOTHER.search(found.comment) else ""
