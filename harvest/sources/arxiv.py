"""arXiv: search by its API, licences by OAI-PMH, sources and PDFs from its content servers, all through one gate."""

from __future__ import annotations

import logging
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from harvest.config import ArxivSource
from harvest.licence import spdx
from harvest.polite import Gate
from harvest.readers.extract import UnreadableDocument
from harvest.readers.kind import kind_of
from harvest.readers.source import inner_bytes
from harvest.records import Paper
from harvest.sources.offer import Offer, Refused
from harvest.store import UsageError, fingerprint, load, save, write_bytes
from harvest.web import Missing, PoliteSession, Unreachable, is_loopback

_log = logging.getLogger(__name__)
VARIABLE = "FIELDSMITH_ARXIV_URL"
_API, _CONTENT = "https://export.arxiv.org", "https://arxiv.org"
_ATOM = "{http://www.w3.org/2005/Atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_ID_BATCH = 50  # ids in one address
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A paper of a search answer and what its authors comment."""

    paper: Paper
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer to a search, kept so that it is asked once: papers, and the ids that arXiv does not have."""

    found: tuple[Found, ...]
    unknown: tuple[str, ...]


class Arxiv:
    """One arXiv (or a stand-in for it): addresses, gate and session."""

    def __init__(self, interval: float) -> None:
        base = os.environ.get(VARIABLE, "").strip().rstrip("/")
        if base and urlsplit(base).scheme not in ("http", "https"):
            raise UsageError(f"{VARIABLE} is {base!r}; it must be an address such as http://127.0.0.1:8765")
        self.api, self.content = base or _API, content_address()
        local = is_loopback(self.api)
        if interval < 3 and not local:
            raise UsageError(
                f"interval is {interval:g} s, but {self.api} is not this machine and arXiv asks for 3 s or more between requests"
            )
        self.session = PoliteSession(Gate(f"loopback-{urlsplit(base).port or 80}" if local else "arxiv", interval))

    # ---- what exists

    def search(self, query: str, ids: list[str], most: int) -> Listing:
        """Papers of a query, newest first, or of some ids."""
        import arxiv

        results: dict[str, Found] = {}
        batches = [ids[at : at + _ID_BATCH] for at in range(0, len(ids), _ID_BATCH)] or [[]]
        for batch in batches:
            search = arxiv.Search(
                query="" if batch else query,
                id_list=batch,
                max_results=len(batch) or most,
                sort_by=arxiv.SortCriterion.SubmittedDate,
                sort_order=arxiv.SortOrder.Descending,
            )
            results.update((found.paper.id, found) for found in self._results(search, len(batch) or most))
        known = {re.sub(r"v\d+$", "", key) for key in results} | set(results)
        return Listing(tuple(results.values())[:most], tuple(name for name in ids if f"arxiv:{name}" not in known))

    def _results(self, search: Any, most: int) -> list[Found]:
        """All results of one search; an answer with fewer than it announces is asked for again, then an error."""
        import arxiv

        told = -1
        for _ in range(3):
            client = arxiv.Client(page_size=min(most, _PAGE), delay_seconds=0, num_retries=3)
            client.query_url_format = f"{self.api}/api/query?{{}}"
            watch = _Watch(self.session.gate, str(search.query or search.id_list))
            client._session = watch
            try:
                results = [_found(result) for result in client.results(search)]
            except arxiv.ArxivError as error:
                raise Unreachable(self.api, f"its search answers wrongly: {error.message}") from error
            told = min(most, watch.total)
            if len(results) >= told:
                return results
        raise Unreachable(self.api, f"its search announces {told} papers and gives {len(results)}")

    def licence(self, identifier: str) -> str:
        """The SPDX id of a paper's licence, which only OAI-PMH tells."""
        bare = re.sub(r"v\d+$", "", identifier)
        asked = urlencode({"verb": "GetRecord", "identifier": f"oai:arXiv.org:{bare}", "metadataPrefix": "arXiv"})
        address = f"{self.api}/oai2?{asked}"
        reply = self.session.get(address)
        root = _xml(reply, "its OAI-PMH service")
        error = root.find(f"{_OAI}error")
        if error is not None and error.get("code") != "idDoesNotExist":
            raise Unreachable(address, f"its OAI-PMH service says {error.get('code')}: {(error.text or '').strip()[:100]}")
        return spdx(next((node.text for node in root.iter() if node.tag.rpartition("}")[2] == "license"), None))

    # ---- what it says

    def fetch(self, found: Found, folder: Path) -> Paper:
        """Download a paper: its source, or its PDF where there is no source; then paper.json."""
        identifier = found.paper.id.removeprefix("arxiv:")
        paper = replace(found.paper, licence=self.licence(identifier))
        try:
            body = self._content("e-print", identifier)
        except Missing:
            try:
                body = self._content("pdf", identifier)
            except Missing:
                raise _gone(found) from None
        write_bytes(folder / _file_name(body), body)
        save(folder / "paper.json", paper)
        return paper

    def fetch_pdf(self, found: Found, folder: Path) -> bool:
        """Download the PDF of a paper whose source cannot be read; False if it is there already or arXiv has none."""
        if (folder / "paper.pdf").exists():
            return False
        try:
            body = self._content("pdf", found.paper.id.removeprefix("arxiv:"))
        except (Missing, Refused):
            return False
        write_bytes(folder / "paper.pdf", body)
        return True

    def _content(self, kind: str, identifier: str) -> bytes:
        body = self.session.download(f"{self.content}/{kind}/{identifier}")
        if kind_of(body) == "html":
            title = re.search(rb"<title>([^<]{1,80})", body, re.IGNORECASE)
            said = title[1].decode("utf-8", "replace").strip() if title else "no title"
            raise Refused("denied", f"arXiv gave a web page ({said}) in place of the document", lasting=False)
        if not body:
            raise Refused("empty", "arXiv gave an empty file", lasting=False)
        return body


def content_address() -> str:
    """The address of the server that gives sources and PDFs."""
    return os.environ.get(VARIABLE, "").strip().rstrip("/") or _CONTENT


def offers(source: ArxivSource, run: Path, *, refresh: bool) -> Iterator[Offer]:
    """What a source has; the search is asked once and its answer kept in papers/.search/ until a refresh.

    Ids that arXiv does not know are offers that refuse themselves.
    """
    site = Arxiv(source.interval)
    ids = list(dict.fromkeys(name.strip().removeprefix("arXiv:").removeprefix("arxiv:") for name in source.ids))[: source.max_papers]
    listing = _listing(source, site, ids, run / "papers" / ".search", refresh)
    origin = f"arxiv {source.query or f'{len(ids)} ids'}"
    for found in listing.found:
        yield Offer(found.paper, origin, partial(site.fetch, found), partial(site.fetch_pdf, found))
    for name in listing.unknown:
        yield Offer(Paper(f"arxiv:{name}", "arxiv", ""), origin, _unknown)


def _listing(source: ArxivSource, site: Arxiv, ids: list[str], folder: Path, refresh: bool) -> Listing:
    kept = folder / f"{fingerprint(source.query, ids, source.max_papers, site.api)[:16]}.json"
    if kept.exists() and not refresh:
        return load(kept, Listing)
    _log.info("asking %s for %s", site.api, source.query or f"{len(ids)} ids")
    listing = site.search("", ids, source.max_papers) if ids else Listing((), ())
    left = source.max_papers - len(listing.found)
    if source.query and left > 0:
        more = site.search(source.query, [], source.max_papers)
        have = {found.paper.id for found in listing.found}
        listing = Listing((*listing.found, *[f for f in more.found if f.paper.id not in have][:left]), listing.unknown)
    save(kept, listing)
    return listing


class _Watch(PoliteSession):
    """The session of the arxiv package: it also looks at every answer, since that package takes anything for a feed."""

    def __init__(self, gate: Gate, asked: str) -> None:
        super().__init__(gate)
        self.asked, self.total = asked, 0

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        reply = super().send(request, **settings)
        if reply.status_code not in (200, 400) or reply.is_redirect:
            return reply
        root = _xml(reply, "its search")
        if root.tag != f"{_ATOM}feed":
            raise Unreachable(reply.url, "its search answers with something that is no feed")
        for entry in root.findall(f"{_ATOM}entry"):
            if "/api/errors" in (entry.findtext(f"{_ATOM}id") or ""):
                said = (entry.findtext(f"{_ATOM}summary") or "").strip()
                raise UsageError(f"arXiv refuses the search {self.asked!r}: {said}; see https://info.arxiv.org/help/api/user-manual.html")
        self.total = int(root.findtext(_TOTAL) or 0)
        return reply


def _xml(reply: requests.Response, what: str) -> ET.Element:
    try:
        return fromstring(reply.content, forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException, ValueError) as error:
        start = re.sub(r"\s+", " ", reply.text[:60]).strip()
        raise Unreachable(reply.url, f"{what} answers {reply.status_code} with something that is no proper XML: {start!r}") from error


def _found(result: Any) -> Found:
    identifier = result.get_short_id()
    paper = Paper(
        id=f"arxiv:{identifier}",
        source="arxiv",
        title=_one_line(result.title),
        authors=tuple(author.name for author in result.authors),
        abstract=_one_line(result.summary),
        categories=tuple(result.categories),
        published=result.published.isoformat(),
        updated=result.updated.isoformat(),
        doi=result.doi or None,
        urls=(f"https://arxiv.org/abs/{identifier}",),
    )
    return Found(paper, _one_line(result.comment or ""))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _gone(found: Found) -> Refused:
    if re.search(r"withdraw", found.comment, re.IGNORECASE):
        return Refused("withdrawn", f"it was withdrawn (its comment says: {found.comment})", lasting=True)
    return Refused("not-found", "arXiv has neither source nor PDF of this version (404)", lasting=True)


def _unknown(folder: Path) -> Paper:
    raise Refused("not-found", "arXiv has no paper of this id", lasting=True)


def _file_name(body: bytes) -> str:
    """The name under which a download is kept: what it is, by its bytes."""
    kind = kind_of(body)
    if kind == "pdf":
        return "paper.pdf"
    if kind != "gzip":
        return "source.tex" if kind == "latex" else "source.tar" if kind == "tar" else "source.bin"
    try:
        return {"tar": "source.tar.gz", "pdf": "paper.pdf.gz"}.get(kind_of(inner_bytes(body, "")), "source.gz")
    except UnreadableDocument:
        return "source.gz"
