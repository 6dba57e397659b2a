"""The nouns of harvest: what exists (Paper), what it says (Document), and what was refused (Rejection).

Every record names its parent, so that an answer can be walked back to a span of characters of a paper.
Offsets are in characters (Python `str` indices) of `Document.text`, half-open: `text[start:end]`.
"""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN_LICENCE = "LicenseRef-unknown"


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


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the characters below it up to the next heading; `level` 1 is the topmost."""

    title: str
    level: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """The text of one paper: `sha256` is that of `text` in UTF-8, `extractor` names reader and version."""

    id: str
    paper: Paper
    sections: tuple[Section, ...]
    text: str
    sha256: str
    extractor: str
    warnings: tuple[str, ...] = ()


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
