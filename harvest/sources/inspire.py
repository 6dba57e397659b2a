"""INSPIRE-HEP: what its literature search lists, with the full texts that it keeps, that it links, or that arXiv has.

The API is described at https://github.com/inspirehep/rest-api-doc (15 requests in 5 s, at most 10,000 results of one
search). JACoW's proceedings are among its records. `FIELDSMITH_INSPIRE_URL` names another server in place of https://inspirehep.net.

    papers/.search/<name>.json     a listing, asked once until a refresh; <name>.part/ while its pages arrive
    papers/<id>/paper.json         the paper, whole
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from harvest.config import InspireSource
from harvest.download import MEGABYTE, Downloader
from harvest.links import problem
from harvest.records import Paper
from harvest.sources.arxiv_found import Pages
from harvest.sources.eprint import fetch_eprint, more_of_eprint
from harvest.sources.inspire_records import FIELDS, Work, answer_of, work_of
from harvest.sources.landing import fetch_document, recheck
from harvest.sources.offer import Offer, Refused
from harvest.store import UsageError, fingerprint, load, safe_name, save
from harvest.web import Unreachable

_log = logging.getLogger(__name__)
VARIABLE = "FIELDSMITH_INSPIRE_URL"
_SERVER = "https://inspirehep.net"
_PAGE = 100  # records; those of large collaborations have thousands of authors each
_TRIES = 3  # of an answer that is not what it should be


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search's answer, and how many records all pages have together."""

    works: tuple[Work, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Works:
    """The whole listing."""

    works: tuple[Work, ...]


def offers(source: InspireSource, run: Path, *, refresh: bool = False) -> Iterator[Offer]:
    """What the search lists, most recent first; it is asked once and the listing kept until a refresh. Raises `Unreachable`."""
    site = _Site(source)
    for work in site.works(run / "papers" / ".search", refresh):
        recheck(run / "papers" / safe_name(work.paper.id), work.paper.id)
        more = partial(more_of_eprint, work.eprint, run) if work.eprint else None
        yield Offer(work.paper, f"inspire {source.query}", partial(site.fetch, work, run), more)


class _Site:
    """INSPIRE or a stand-in for it, as one source of a field asks it."""

    def __init__(self, source: InspireSource) -> None:
        named = os.environ.get(VARIABLE, "").strip().rstrip("/")
        if named and problem(named):
            raise UsageError(f"{VARIABLE} is not an address such as http://127.0.0.1:8765")
        self.source, self.base = source, named or _SERVER
        allowed = (*source.allow_private, *((urlsplit(named).hostname or "",) if named else ()))
        self.api, self.files = Downloader(max_bytes=64 * MEGABYTE, allow_private=allowed), Downloader(allow_private=allowed)

    # ---- what exists

    def works(self, folder: Path, refresh: bool) -> tuple[Work, ...]:
        """The records of the search, at most `max_papers`; pages that came before a crash are not asked for again."""
        pages = Pages(folder, f"inspire-{fingerprint(self.source.query, self.source.max_papers, self.base)[:16]}")
        if pages.whole.exists() and not refresh:
            return load(pages.whole, Works).works
        _log.info("asking %s for %s", self.base, self.source.query)
        found = self._all(folder, pages)
        if found:
            save(pages.whole, Works(found))
        pages.forget("page-")
        return found

    def _all(self, folder: Path, pages: Pages) -> tuple[Work, ...]:
        """All pages; where their number of records changes on the way, the listing is begun again, twice at most."""
        for _ in range(_TRIES):
            found: dict[str, Work] = {}
            total = number = 0
            size = min(_PAGE, self.source.max_papers)
            while number == 0 or number * size < min(total, self.source.max_papers):
                number += 1
                page = pages.get(f"page-{number}", Page) or pages.put(f"page-{number}", self._page(folder, number, size))
                if number > 1 and page.total != total:
                    break
                total = page.total
                found.update({work.paper.id: work for work in page.works})
            else:
                return tuple(found.values())[: self.source.max_papers]
            _log.info("INSPIRE lists %d records now, %d before; beginning again", page.total, total)
            pages.forget("page-")
        raise Unreachable(self.base, "the number of records that its search finds changes all the time")

    def _page(self, folder: Path, number: int, size: int) -> Page:
        """One page of the answer; what is no answer, or lacks records, is asked for again."""
        asked = {"q": self.source.query, "sort": "mostrecent", "size": size, "page": number, "fields": FIELDS}
        url, why = f"{self.base}/api/literature?{urlencode(asked, quote_via=quote)}", ""
        for _ in range(_TRIES):
            try:
                answer = answer_of(self._get(url, folder))
            except ValueError as error:
                why = f"its search answers with something that is no list of records: {error}"
                continue
            expected = min(size, max(0, answer.total - (number - 1) * size))
            if len(answer.hits) >= expected:
                return Page(tuple(work for hit in answer.hits if (work := work_of(hit, f"{self.base}/"))), answer.total)
            why = f"its search announces {expected} records on page {number} and gives {len(answer.hits)}"
        raise Unreachable(url, why)

    def _get(self, url: str, folder: Path) -> bytes:
        path = folder / f".{fingerprint(url)[:16]}"
        try:
            self.api.fetch(url, path)
        except Refused as error:
            raise Unreachable(url, error.detail) from error
        data = path.read_bytes()
        path.unlink()
        return data

    # ---- what it says

    def fetch(self, work: Work, run: Path, folder: Path) -> Paper:
        """Bring the full text: of INSPIRE, of a link, or of arXiv. Raises `Refused`, and `Unreachable` for arXiv."""
        if work.refused:
            raise Refused(*work.refused, lasting=True)
        failed: list[Refused] = []
        for text in work.texts:
            try:
                got = fetch_document(self.files, text.url, folder, pages=False)
            except Refused as error:
                failed.append(error)
                continue
            paper = replace(work.paper, licence=text.licence, urls=tuple(dict.fromkeys((*work.paper.urls, got.url))))
            save(folder / "paper.json", paper)
            return paper
        if work.eprint:
            try:
                return fetch_eprint(work.eprint, work.paper, run, folder)
            except Refused as error:
                failed.append(error)
        if not failed:
            raise Refused("no-full-text", "INSPIRE keeps and links no full text, and it is not at arXiv", lasting=True)
        raise Refused("no-full-text", "; ".join(error.detail for error in failed), lasting=all(error.lasting for error in failed))
