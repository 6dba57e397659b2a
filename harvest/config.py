"""What a lab may write under `harvest:`."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_serializer, field_validator, model_validator

from harvest.licence import licence_id, licence_pattern
from harvest.links import masked, problem, shown
from harvest.records import PUBLISHABLE, UNKNOWN_LICENCE, is_among

_ARXIV_ID = re.compile(r"(?:arxiv:)?(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v[1-9]\d*)?", re.IGNORECASE)
_CATEGORY = re.compile(r"[a-z-]+(?:\.[A-Za-z-]+)?")
LicenceId = Annotated[str, AfterValidator(licence_id)]
LicencePattern = Annotated[str, AfterValidator(licence_pattern)]


def _host(text: str) -> str:
    """A host as it is written in an address; `ValueError` for anything else."""
    if not re.fullmatch(r"[^\s/@?#:]+|\[?[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\]?", text):
        raise ValueError(f"{shown(text)!r} is not a host such as wiki.lab.example or 10.0.0.7 (without http:// and port)")
    return text


Host = Annotated[str, AfterValidator(_host)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArxivSource(_Settings):
    """Papers of arXiv: a search query in arXiv's own language, categories, a range of dates, or a list of ids."""

    query: str = Field(default="", description="arXiv search query, such as cat:physics.acc-ph")
    categories: tuple[str, ...] = Field(default=(), description="arXiv categories, such as physics.acc-ph; a paper of any of them")
    since: date | None = Field(default=None, description="only papers submitted on or after this day, such as 2024-01-01")
    until: date | None = Field(default=None, description="only papers submitted on or before this day")
    ids: tuple[str, ...] = Field(default=(), description="arXiv ids, with or without version")
    listing: Literal["search", "oai"] = Field(
        default="search",
        description="how categories are listed: by search, or by OAI-PMH, which reads whole categories, for thousands of papers",
    )
    forms: tuple[Literal["source", "html", "pdf"], ...] = Field(
        default=("source", "html", "pdf"), min_length=1, description="what to take of each paper, best first"
    )
    max_papers: int = Field(default=100, ge=1, description="at most so many papers of this source, newest first")
    interval: float = Field(default=3.0, ge=0, description="seconds between two requests; less than 3 only for a server on this machine")

    @model_validator(mode="after")
    def _something_to_ask(self) -> Self:
        if not self.query and not self.ids and not self.categories:
            raise ValueError("an arxiv source needs a query, categories or ids")
        wrong = [name for name in self.ids if not _ARXIV_ID.fullmatch(name.strip())]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not an arXiv id such as 2301.00001, 2301.00001v2 or physics/0601001")
        odd = [name for name in self.categories if not _CATEGORY.fullmatch(name)]
        if odd:
            raise ValueError(f"{odd[0]!r} is not an arXiv category such as physics.acc-ph or hep-ex")
        if self.since and self.until and self.until < self.since:
            raise ValueError(f"until ({self.until}) lies before since ({self.since})")
        if (self.since or self.until) and not self.query and not self.categories:
            raise ValueError("since and until belong to a query or categories; ids are taken whatever their day")
        if self.listing == "oai" and (self.query or not self.categories):
            raise ValueError("listing: oai lists categories; it knows no query")
        return self


class FolderSource(_Settings):
    """Documents that lie on a disk: LaTeX, PDF, HTML, Markdown, plain text, EPUB, DOCX; files of one stem are one paper."""

    path: Path = Field(description="folder, relative to the YAML file")
    include: tuple[str, ...] = Field(default=("**/*",), min_length=1, description="globs below the folder, such as reports/**/*.pdf")
    exclude: tuple[str, ...] = Field(default=(), description="globs of what is left out")
    books: tuple[str, ...] = Field(default=(), description="globs of books, which are split into one document per chapter")
    licence: LicenceId = Field(default=UNKNOWN_LICENCE, description="SPDX id of everything in the folder")


class InspireSource(_Settings):
    """Papers of INSPIRE-HEP (https://inspirehep.net), with the full texts that it links or that arXiv has."""

    query: str = Field(min_length=1, description="INSPIRE literature search, such as 't beam dynamics and de > 2020'")
    max_papers: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="at most so many papers of this source (INSPIRE gives no more than 10,000), most recent first",
    )
    allow_private: tuple[Host, ...] = Field(default=(), description="hosts with private addresses that downloads may come from")


class UrlsSource(_Settings):
    """Documents behind addresses: a list, a text file of one address a line, or a BibTeX file (its url, doi and eprint fields)."""

    urls: tuple[str, ...] = Field(default=(), description="http or https addresses")
    file: Path | None = Field(
        default=None, description="a .bib, or a .txt of one address, DOI or arXiv id a line, relative to the YAML file"
    )
    licence: LicenceId = Field(default=UNKNOWN_LICENCE, description="SPDX id of all of them but those from arXiv, which says it itself")
    max_megabytes: int = Field(default=200, ge=1, description="size of the largest file that is taken")
    allow_private: tuple[Host, ...] = Field(default=(), description="hosts with private addresses that downloads may come from")

    @model_validator(mode="after")
    def _something_to_get(self) -> Self:
        if not self.urls and self.file is None:
            raise ValueError("a urls source needs urls or a file")
        return self

    @field_validator("urls")
    @classmethod
    def _addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if wrong := problem(url):
                raise ValueError(f"{shown(url)!r} {wrong}")
        return urls

    @field_serializer("urls")
    def _without_secrets(self, urls: tuple[str, ...]) -> list[str]:
        """What a manifest may show of them."""
        return [masked(url) for url in urls]


class PythonSource(_Settings):
    """A lab's own archive: a Python function that yields Documents."""

    call: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="module:function, the module found in folder or installed; it yields harvest.Document",
    )
    folder: Path = Field(default=Path("."), description="where the module is looked for first, relative to the YAML file")
    arguments: dict[str, str | int | float | bool] = Field(
        default={}, description="keyword arguments of the function; no passwords, since the manifest shows them"
    )
    licence: LicenceId = Field(default=UNKNOWN_LICENCE, description="SPDX id of documents that state none")


class Source(_Settings):
    """One place to gather from: name exactly one kind."""

    arxiv: ArxivSource | None = None
    folder: FolderSource | None = None
    inspire: InspireSource | None = None
    urls: UrlsSource | None = None
    python: PythonSource | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.arxiv, self.folder, self.inspire, self.urls, self.python)) != 1:
            raise ValueError("a source is one of arxiv:, folder:, inspire:, urls: or python:")
        return self


class Licences(_Settings):
    """What may be done with a document by its licence: SPDX ids, or patterns such as CC-BY-SA-* and *.

    Unknown may be trained on, if the patterns say so (your own law decides that), but is never published, not even by *.
    """

    train: tuple[LicencePattern, ...] = Field(default=("*",), min_length=1, description="licences of what may be trained on")
    publish: tuple[LicencePattern, ...] = Field(
        default=PUBLISHABLE, description="licences of what may be passed on; unknown never is, not even by *"
    )

    def may_train(self, licence: str) -> bool:
        """Whether a document under this SPDX id may be trained on."""
        return is_among(licence, self.train)


class HarvestConfig(_Settings):
    """Where documents come from."""

    sources: tuple[Source, ...] = Field(default=(), description="none only where qagen.own brings all pairs")
    max_papers: int | None = Field(default=None, ge=1, description="at most so many papers over all sources")
    licences: Licences = Field(default=Licences(), description="what may be trained on and what may be published")
    min_quality: float = Field(default=0.5, ge=0, le=1, description="documents and pages below this score are left out")
    ocr_language: str = Field(
        default="eng", pattern=r"^[a-zA-Z_]{3,12}(\+[a-zA-Z_]{3,12})*$", description="Tesseract's languages for scans, such as eng+deu"
    )
    workers: int | None = Field(default=None, ge=1, description="documents read at a time; by default one per processor core")
