"""The nouns of harvest: what exists (Paper), what it says (Document), and what was refused (Rejection).

Every record names its parent, so that an answer can be walked back to a span of characters of a paper.
Offsets are in characters (Python `str` indices) of `Document.text`, half-open: `text[start:end]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

UNKNOWN_LICENCE = "LicenseRef-unknown"
# Licences that let anyone pass on texts made of the work (https://spdx.org/licenses/).
PUBLISHABLE = (
    "CC0-1.0",
    "CC-BY-1.0",
    "CC-BY-2.*",
    "CC-BY-3.*",
    "CC-BY-4.0",
    "CC-BY-SA-*",
    "LicenseRef-public-domain",
    "PDDL-1.0",
    "Apache-2.0",
    "MIT",
    "BSD-*",
    "ISC",
    "Unlicense",
)


@dataclass(frozen=True, slots=True)
class Paper:
    """One work as its source describes it; `licence` is an SPDX id or `LicenseRef-…`, dates are ISO 8601."""

    id: str
    source: str
    title: str
    authors: tuple[str, ...] = ()
    abstract: str = ""
    categories: tuple[str, ...] = ()
    licence: str = UNKNOWN_LICENCE
    published: str | None = None
    updated: str | None = None
    doi: str | None = None
    urls: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()  # ids of the versions before this one


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the characters below it up to the next heading; `level` 1 is the topmost."""

    title: str
    level: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a PDF (`number` from 1), the characters of the text that stand on it, and how readable it is.

    `spans` are half-open (start, end) in order; a paragraph that runs over two pages is cut where the page ends.
    `score` is 0 (garbage) to 1; a page with a `reason` was left out of the text for it and has no spans.
    """

    number: int
    spans: tuple[tuple[int, int], ...]
    score: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HiddenText:
    """Text that a person does not see on the page, dropped: `reason` such as white, tiny, off-page, covered, invisible.

    `page` is counted from 1; it is 0 where the format has no pages.
    """

    page: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """The text of one paper: `sha256` is that of `text` in UTF-8, `extractor` names reader and version.

    `references` are the entries of the bibliography, which is cut out of the text; `pages` are those of a PDF, empty
    for other formats; `quality` is 0 to 1 (None where a format has no measure for it); `also` are the ids of the same
    paper at other sources or in other versions, which were left out for this one.
    """

    id: str
    paper: Paper
    sections: tuple[Section, ...]
    text: str
    sha256: str
    extractor: str
    warnings: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ()
    hidden: tuple[HiddenText, ...] = ()
    quality: float | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something that was left out, and why: a value, never an exception and never silence.

    `id` is the id of what was refused, `stage` who refused it, `reason` a short stable word that can be
    counted, `detail` a sentence for a person.
    """

    id: str
    stage: str
    reason: str
    detail: str = ""
    score: float | None = None


def is_among(licence: str, patterns: Iterable[str]) -> bool:
    """Whether an SPDX id is one of some ids and patterns (`CC-BY-*`); letters count alike, as SPDX asks."""
    return any(fnmatchcase(licence.casefold(), pattern.casefold()) for pattern in patterns)


def may_publish(licence: str, patterns: Iterable[str]) -> bool:
    """Whether text under this SPDX id (or `A AND B`, of two works) may be passed on: as the patterns say, never where one is unknown."""
    wanted = tuple(patterns)
    return all(one.casefold() != UNKNOWN_LICENCE.casefold() and is_among(one, wanted) for one in licence.split(" AND "))
