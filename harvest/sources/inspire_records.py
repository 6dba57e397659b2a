"""Records of INSPIRE as its API gives them, made into papers.

The schema: https://inspire-schemas.readthedocs.io/en/latest/schemas/hep.html. Whatever does not follow it costs one
record, never the listing.
"""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from pydantic import BaseModel, ConfigDict, ValidationError

from harvest.licence import spdx
from harvest.links import problem
from harvest.records import UNKNOWN_LICENCE, Paper
from harvest.sources.arxiv_found import one_line
from harvest.sources.eprint import eprint_of
from harvest.sources.landing import promises_document
from harvest.store import first_problem

_log = logging.getLogger(__name__)
_MOST_TEXTS = 5  # places that are tried for one paper
FIELDS = (
    "control_number,titles,abstracts,authors.full_name,authors.inspire_roles,collaborations.value,dois,arxiv_eprints,license,"
    "documents,urls,earliest_date,withdrawn,deleted"
)


@dataclass(frozen=True, slots=True)
class Text:
    """An address that may give the full text, and the licence of what is there."""

    url: str
    licence: str


@dataclass(frozen=True, slots=True)
class Work:
    """A record of INSPIRE: the paper, where its text may be, its arXiv id; `refused` is why it is no paper to be had."""

    paper: Paper
    texts: tuple[Text, ...] = ()
    eprint: str = ""
    refused: tuple[str, str] | None = None


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Title(_Part):
    title: str = ""


class _Value(_Part):
    value: str = ""
    source: str = ""
    material: str = ""
    categories: tuple[str, ...] = ()


class _Author(_Part):
    full_name: str = ""
    inspire_roles: tuple[str, ...] = ()


class _File(_Part):
    url: str = ""
    fulltext: bool = False
    hidden: bool = False
    source: str = ""
    material: str = ""


class _Record(_Part):
    titles: tuple[_Title, ...] = ()
    abstracts: tuple[_Value, ...] = ()
    authors: tuple[_Author, ...] = ()
    collaborations: tuple[_Value, ...] = ()
    dois: tuple[_Value, ...] = ()
    arxiv_eprints: tuple[_Value, ...] = ()
    license: tuple[dict[str, Any], ...] = ()
    documents: tuple[_File, ...] = ()
    urls: tuple[_Value, ...] = ()
    earliest_date: str | None = None
    withdrawn: bool = False
    deleted: bool = False


class Hits(_Part):
    """One page of an answer: records as they came, and how many all pages have."""

    hits: tuple[dict[str, Any], ...]
    total: int


class _Search(_Part):
    hits: Hits


def answer_of(data: bytes) -> Hits:
    """The answer to a search; `ValueError` naming what is wrong with it."""
    try:
        return _Search.model_validate_json(data).hits
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error


def work_of(hit: dict[str, Any], base: str) -> Work | None:
    """What a record says, its relative addresses below `base`; None for one without a number or one that was merged into another."""
    metadata = hit.get("metadata")
    number = metadata.get("control_number", hit.get("id")) if isinstance(metadata, dict) else hit.get("id")
    if not re.fullmatch(r"\d{1,12}", str(number)):
        _log.warning("INSPIRE lists a record without a number; it is passed over")
        return None
    identifier = f"inspire:{number}"
    try:
        record = _Record.model_validate(metadata)
    except ValidationError as error:
        problem_ = f"INSPIRE's record is not as its schema says ({first_problem(error)})"
        return Work(Paper(identifier, "inspire", ""), refused=("bad-record", problem_))
    if record.deleted:
        return None
    eprint = next((name for item in record.arxiv_eprints if (name := eprint_of(item.value))), "")
    texts = _texts(record, base)
    paper = Paper(
        id=identifier,
        source="inspire",
        title=next((_words(item.title) for item in record.titles if item.title), ""),
        authors=_authors(record),
        abstract=next((_words(item.value) for item in record.abstracts if item.value), ""),
        categories=tuple(dict.fromkeys(name for item in record.arxiv_eprints for name in item.categories)),
        licence=texts[0].licence if texts else UNKNOWN_LICENCE,
        published=record.earliest_date or None,
        doi=_doi(record.dois),
        urls=(f"https://inspirehep.net/literature/{number}", *((f"https://arxiv.org/abs/{eprint}",) if eprint else ())),
    )
    return Work(paper, texts, eprint, ("withdrawn", "INSPIRE says that it was withdrawn") if record.withdrawn else None)


def _texts(record: _Record, base: str) -> tuple[Text, ...]:
    """Where the full text may be: INSPIRE's own files, then links, those to files first; arXiv has its own gate."""
    own, printed = _licence(record.license, preprint=True), _licence(record.license, preprint=False)
    kept = [
        Text(urljoin(base, file.url), own if file.source.lower() == "arxiv" or file.material == "preprint" else printed)
        for file in record.documents
        if file.fulltext and not file.hidden and file.url
    ]
    linked = sorted((item.value.strip() for item in record.urls), key=lambda url: not promises_document(url))
    usable: dict[str, Text] = {}
    for text in (*kept, *(Text(url, printed) for url in linked)):
        if not problem(text.url) and not eprint_of(text.url):
            usable.setdefault(text.url, text)
    return tuple(usable.values())[:_MOST_TEXTS]


def _licence(stated: Iterable[dict[str, Any]], *, preprint: bool) -> str:
    """The SPDX id of the licence stated for the preprint or for the printed version, where that is said; else unknown.

    A licence of one version says nothing about the other. One without a material belongs to the printed version unless
    arXiv imposes it.
    """
    for entry in stated:
        of_preprint = entry.get("material") == "preprint" or str(entry.get("imposing", "")).lower() == "arxiv"
        of_text = entry.get("material") in (None, "", "preprint", "publication", "reprint")
        if of_text and of_preprint == preprint and (name := spdx(entry)) != UNKNOWN_LICENCE:
            return name
    return UNKNOWN_LICENCE


def _authors(record: _Record) -> tuple[str, ...]:
    """Names in the order in which they are spoken; collaborations where no person is named."""
    people = [author.full_name for author in record.authors if "supervisor" not in author.inspire_roles]
    return tuple(" ".join(reversed(name.split(", ", 1))) for name in people) or tuple(item.value for item in record.collaborations)


def _doi(dois: tuple[_Value, ...]) -> str | None:
    """The DOI of the paper rather than of an erratum or of data."""
    return next((item.value for item in sorted(dois, key=lambda item: item.material not in ("", "publication"))), None)


def _words(text: str) -> str:
    """Text without the markup that publishers deliver (`<p>`, `<math>`, `<jats:italic>`), on one line."""
    return one_line(html.unescape(re.sub(r"</?[A-Za-z][\w:.-]*(?:\s[^<>]*)?/?>", " ", text)))
