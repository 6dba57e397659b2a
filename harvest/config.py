"""What a lab may write under `harvest:`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harvest.records import UNKNOWN_LICENCE

_ARXIV_ID = re.compile(r"(?:arxiv:)?(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v[1-9]\d*)?", re.IGNORECASE)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArxivSource(_Settings):
    """Papers of arXiv: a search query in arXiv's own language, or a list of ids."""

    query: str = Field(default="", description="arXiv search query, such as cat:physics.acc-ph")
    ids: tuple[str, ...] = Field(default=(), description="arXiv ids, with or without version")
    max_papers: int = Field(default=100, ge=1, description="at most so many papers of this source, newest first")
    interval: float = Field(default=3.0, ge=0, description="seconds between two requests; less than 3 only for a server on this machine")

    @model_validator(mode="after")
    def _something_to_ask(self) -> Self:
        if not self.query and not self.ids:
            raise ValueError("an arxiv source needs a query or ids")
        wrong = [name for name in self.ids if not _ARXIV_ID.fullmatch(name.strip())]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not an arXiv id such as 2301.00001, 2301.00001v2 or physics/0601001")
        return self


class FolderSource(_Settings):
    """Documents that lie on a disk: LaTeX (.tex, .tar.gz) and PDF; files of one stem are one paper."""

    path: Path = Field(description="folder, relative to the YAML file")
    licence: str = Field(default=UNKNOWN_LICENCE, description="SPDX id of everything in the folder")


class Source(_Settings):
    """One place to gather from: name exactly one kind."""

    arxiv: ArxivSource | None = None
    folder: FolderSource | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.arxiv is None) == (self.folder is None):
            raise ValueError("a source is either arxiv: or folder:, one of them")
        return self


class HarvestConfig(_Settings):
    """Where documents come from."""

    sources: tuple[Source, ...] = Field(min_length=1)
    max_papers: int | None = Field(default=None, ge=1, description="at most so many papers over all sources")
