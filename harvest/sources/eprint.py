"""The arXiv version of a paper that another source lists: through arXiv's own gate, with arXiv's own licence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harvest.config import ArxivSource
from harvest.records import Paper
from harvest.sources import arxiv
from harvest.sources.kept import read_kept
from harvest.sources.landing import FORM
from harvest.sources.offer import Offer
from harvest.store import save
from harvest.web import is_loopback

_ID = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v[1-9]\d*)?", re.IGNORECASE)
_ADDRESS = re.compile(r"^(?:https?://)?(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html|e-print|src|format)/(.+?)(?:\.pdf)?/?$", re.IGNORECASE)
_DOI = re.compile(r"^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?10\.48550/arxiv\.(.+)$", re.IGNORECASE)


def eprint_of(text: str) -> str:
    """The arXiv id that an id, an address of arXiv or a DOI of arXiv names; empty for anything else."""
    text = re.sub(r"^arxiv:\s*", "", text.strip(), flags=re.IGNORECASE)
    named = _ADDRESS.match(text.partition("#")[0].partition("?")[0]) or _DOI.match(text)
    text = named[1] if named else text
    return text if _ID.fullmatch(text) else ""


def eprint_offers(eprints: tuple[str, ...], run: Path, *, refresh: bool = False) -> Iterator[Offer]:
    """arXiv's offers of some ids; those that arXiv does not know refuse themselves."""
    interval = 0.0 if is_loopback(arxiv.content_address()) else 3.0
    return arxiv.offers(ArxivSource(ids=eprints, max_papers=len(eprints), interval=interval), run, refresh=refresh)


def fetch_eprint(eprint: str, paper: Paper, run: Path, folder: Path) -> Paper:
    """Fetch a paper's best form at arXiv into its own folder; its licence becomes that of arXiv's version."""
    there = next(iter(eprint_offers((eprint,), run))).fetch(folder)
    made = replace(
        paper,
        title=paper.title or there.title,
        authors=paper.authors or there.authors,
        abstract=paper.abstract or there.abstract,
        categories=paper.categories or there.categories,
        licence=there.licence,
        published=paper.published or there.published,
        doi=paper.doi or there.doi,
        urls=tuple(dict.fromkeys((*paper.urls, *there.urls))),
    )
    save(folder / "paper.json", made)
    return made


def more_of_eprint(eprint: str, run: Path, folder: Path) -> bool:
    """Another form at arXiv of a paper whose first form came from there too; files of other places have other licences."""
    if any(file.form == FORM for file in read_kept(folder).files.values()):
        return False
    more = next(iter(eprint_offers((eprint,), run))).more
    return more is not None and more(folder)
