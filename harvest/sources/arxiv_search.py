"""arXiv's search API (https://info.arxiv.org/help/api/user-manual.html), page by page, through the arxiv package."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

import requests

from harvest.config import ArxivSource
from harvest.records import Paper
from harvest.sources.arxiv_found import Found, Listing, Pages, bare, earlier, first_doi, one_line
from harvest.sources.arxiv_site import Site, xml
from harvest.store import UsageError
from harvest.web import Improper, PoliteSession, Unreachable

_log = logging.getLogger(__name__)
PAGE = 100  # papers of one answer
_IDS = 50  # ids in one address
_MOST = 30_000  # papers that arXiv's search gives of one query
_BEGUN_AGAIN = 3
_ATOM = "{http://www.w3.org/2005/Atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
_FIRST_DAY, _LAST_DAY = date(1991, 1, 1), date(2099, 12, 31)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its papers, how many entries it had (broken ones included) and how many papers the search announces."""

    found: tuple[Found, ...]
    entries: int
    total: int


class _Short(Improper):
    """An answer with fewer entries than were asked for and announced."""

    def __init__(self, page: Page, size: int, start: int) -> None:
        super().__init__(f"its search announces {page.total} papers and gives {page.entries} of {size} from number {start + 1} on")
        self.page = page


class _Shrunk(Exception):  # noqa: N818
    """The list lost papers while it was read, so that others moved to pages that were read already."""


def listed_ids(site: Site, ids: list[str], pages: Pages) -> Listing:
    """The papers of `ids`: the latest version of an id without version, else the version that it names."""
    found: dict[str, Found] = {}
    for number, at in enumerate(range(0, len(ids), _IDS)):
        found.update((item.paper.id, item) for item in _batch(site, ids[at : at + _IDS], f"ids-{number:04}", pages).found)
    known = {bare(item.identifier) for item in found.values()} | {item.identifier for item in found.values()}
    return Listing(tuple(found.values()), tuple(name for name in ids if name not in known))


def listed_by_search(site: Site, source: ArxivSource, pages: Pages) -> Listing:
    """The papers of a source's query, categories and days, newest first, at most `max_papers`."""
    query = query_of(source)
    for _ in range(_BEGUN_AGAIN):
        try:
            return Listing(tuple(_paged(site, query, source.max_papers, pages)[: source.max_papers]), ())
        except _Shrunk:
            _log.info("the list of %s became shorter while it was read; beginning again", query)
            pages.forget("query-")
    raise Unreachable(site.search, "its search gives another number of papers every time")


def query_of(source: ArxivSource) -> str:
    """A source's query, categories and days (of the first version's submission, UTC, both included) in arXiv's query language."""
    parts = [part for part in (source.query.strip(), " OR ".join(f"cat:{name}" for name in source.categories)) if part]
    days = source.since or source.until
    if len(parts) + bool(days) > 1:
        parts = [f"({part})" if " " in part else part for part in parts]
    if parts and days:
        parts.append(f"submittedDate:[{source.since or _FIRST_DAY:%Y%m%d}0000 TO {source.until or _LAST_DAY:%Y%m%d}2359]")
    return " AND ".join(parts)


def _batch(site: Site, ids: list[str], name: str, pages: Pages) -> Page:
    return pages.get(name, Page) or pages.put(name, _page(site, "", ids, 0, len(ids)))


def _paged(site: Site, query: str, most: int, pages: Pages) -> list[Found]:
    """All pages; a list that grows meanwhile only repeats papers (it is newest first), one that shrinks would skip some."""
    found: dict[str, Found] = {}
    start, total = 0, -1
    while start < most and (total < 0 or start < total):
        if start >= _MOST:
            raise UsageError(
                f"arXiv's search gives no more than {_MOST:,} papers of {query!r}; ask for fewer days at a time, or listing: oai"
            )
        name = f"query-{start:06}"
        page = pages.get(name, Page) or pages.put(name, _page(site, query, [], start, min(PAGE, most)))
        if page.total < total:
            raise _Shrunk
        total = page.total
        found.update((item.paper.id, item) for item in page.found)
        start += max(page.entries, 1)
        if total > PAGE:
            _log.info("%s: %d of %d listed", query, min(start, total), total)
    return list(found.values())


def _page(site: Site, query: str, ids: list[str], start: int, size: int) -> Page:
    """One answer; one with fewer entries than announced is asked for again. Raises `Unreachable`."""
    try:
        return site.session.patiently(lambda: _asked(site, query, ids, start, size))
    except Improper as error:
        if isinstance(error, _Short) and query and error.page.entries:
            return error.page  # the next page begins where this one ends; of ids it would make some look unknown
        raise Unreachable(site.search, str(error)) from error


def _asked(site: Site, query: str, ids: list[str], start: int, size: int) -> Page:
    import arxiv

    client = arxiv.Client(page_size=size, delay_seconds=0, num_retries=0)
    client.query_url_format = f"{site.search}?{{}}"
    watch = _Watch(site.session, query or ",".join(ids))
    client._session = watch
    search = arxiv.Search(
        query=query,
        id_list=ids,
        max_results=start + size,
        sort_by=arxiv.SortCriterion.SubmittedDate,
        sort_order=arxiv.SortOrder.Descending,
    )
    results = client.results(search, offset=start)
    try:
        first = next(results, None)
        rest = list(islice(results, watch.proper - 1)) if first is not None else []  # no further: the package would ask for the next page
    except arxiv.ArxivError as error:
        raise Unreachable(site.search, f"its search answers wrongly: {error.message}") from error
    page = Page(tuple(_found(result) for result in [first, *rest] if result is not None), watch.entries, watch.total)
    expected = min(size, page.total - start)
    if page.entries < expected:
        raise _Short(page, expected, start)
    return page


class _Watch(PoliteSession):
    """The session of the arxiv package: it also looks at every answer, since that package takes anything for a feed."""

    def __init__(self, session: PoliteSession, asked: str) -> None:
        super().__init__(session.gate)
        self.asked, self.total, self.entries, self.proper = asked, 0, 0, 0
        self.adapters = session.adapters  # one connection for all that arXiv is asked

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        reply = super().send(request, **settings)
        if reply.status_code not in (200, 400) or reply.is_redirect or settings.get("stream"):
            return reply
        root = xml(reply, "its search")
        if root.tag != f"{_ATOM}feed":
            raise Improper("its search answers with something that is no feed")
        entries = root.findall(f"{_ATOM}entry")
        for entry in entries:
            if "/api/errors" in (entry.findtext(f"{_ATOM}id") or ""):
                said = (entry.findtext(f"{_ATOM}summary") or "").strip()
                raise UsageError(f"arXiv refuses the search {self.asked!r}: {said}; see https://info.arxiv.org/help/api/user-manual.html")
        self.entries = len(entries)
        self.proper = sum(all(entry.findtext(f"{_ATOM}{name}") for name in ("id", "updated", "published")) for entry in entries)
        self.total = int(root.findtext(_TOTAL) or 0)
        return reply


def _found(result: Any) -> Found:
    identifier = result.get_short_id()
    paper = Paper(
        id=f"arxiv:{identifier}",
        source="arxiv",
        title=one_line(result.title),
        authors=tuple(author.name for author in result.authors),
        abstract=one_line(result.summary),
        categories=tuple(result.categories),
        published=result.published.isoformat(),
        updated=result.updated.isoformat(),
        doi=first_doi(result.doi),
        urls=(f"https://arxiv.org/abs/{identifier}",),
        earlier=earlier(identifier),
    )
    return Found(paper, one_line(result.comment))
