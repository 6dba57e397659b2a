"""What a source offers: a paper, and the way to get its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harvest.records import Document, Paper


class Refused(Exception):  # noqa: N818
    """A source cannot give a paper that it lists: a reason to count, a sentence, and whether asking again is useless."""

    def __init__(self, reason: str, detail: str, *, lasting: bool) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.lasting = reason, detail, lasting


@dataclass(frozen=True, slots=True)
class Offer:
    """A paper of the source called `origin`.

    `fetch(folder)` makes papers/<id>/ complete (paper.json last) and returns the paper as it was written there;
    `more(folder)` adds another form of a paper whose first form was unreadable and says whether it did.
    Where `document` is given, what it returns is the ready Document of the paper: there is nothing to read, it is done
    again when anything in it changes, and `fetch` writes paper.json only.
    `names` are the files of the folder that may be read, best first; empty leaves the order to the stage. A `book` is
    split into one document for each chapter.
    """

    paper: Paper
    origin: str
    fetch: Callable[[Path], Paper]
    more: Callable[[Path], bool] | None = None
    document: Callable[[], Document] | None = None
    names: tuple[str, ...] = ()
    book: bool = False
