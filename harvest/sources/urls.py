"""A list of addresses: written in the YAML, in a text file, or in a BibTeX file such as JACoW gives out.

Entries are one paper where their DOI, arXiv id or address agree. What only arXiv has comes by way of arXiv's own
source; a DOI leads to a publisher's page, which is followed to the PDF that it names and no further.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from harvest.config import UrlsSource
from harvest.download import MEGABYTE, Downloader
from harvest.links import masked, plain, problem, shown
from harvest.records import Paper
from harvest.sources.bibtex import Entry, decoded, entries
from harvest.sources.eprint import eprint_of, eprint_offers, fetch_eprint, more_of_eprint
from harvest.sources.landing import fetch_document, promises_document, recheck
from harvest.sources.offer import Offer, Refused
from harvest.store import UsageError, safe_name, save, sha256_text

_RESOLVER = "https://doi.org/"
_DOI = re.compile(r"^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listed:
    """One line or entry of a list: `where` it stands, and what it says of the paper."""

    where: str
    key: str
    title: str
    authors: tuple[str, ...]
    year: str
    urls: tuple[str, ...]
    doi: str
    eprint: str
    wrong: str = ""  # an address of the entry that is none

    @property
    def id(self) -> str:
        """The DOI, arXiv's id, or the hash of the address with the name of the file there; a BibTeX key where there is nothing."""
        if self.doi:
            return f"doi:{self.doi.lower()}"
        if self.eprint:
            return f"arxiv:{self.eprint}"
        return _id_of(self.urls[0]) if self.urls else f"bib:{self.key}"


def offers(source: UrlsSource, run: Path, *, refresh: bool = False) -> Iterator[Offer]:
    """The papers of a list, each once. Raises `UsageError` naming file and line of what is no address or entry."""
    papers: dict[str, Listed] = {}
    for item in _listed(source):
        first = papers.setdefault(item.id, item)
        if first is not item:
            papers[item.id] = _merged(first, item)
    origin = f"urls {source.file.name}" if source.file else "urls"
    alone = {item.eprint: item for item in papers.values() if item.eprint and not item.urls and not item.doi}
    net = Downloader(max_bytes=source.max_megabytes * MEGABYTE, allow_private=source.allow_private)
    for identifier, item in papers.items():
        if alone.get(item.eprint) is item:
            continue
        recheck(run / "papers" / safe_name(identifier), identifier)
        more = partial(more_of_eprint, item.eprint, run) if item.eprint else None
        yield Offer(_paper(item, source.licence), origin, partial(_fetch, net, item, source.licence, run), more)
    if alone:
        yield from (replace(offer, origin=origin) for offer in eprint_offers(tuple(alone), run, refresh=refresh))


# ---- what is listed


def _listed(source: UrlsSource) -> Iterator[Listed]:
    for number, url in enumerate(source.urls, 1):
        yield _of_address(url, f"urls, number {number}")
    if source.file is None:
        return
    path = source.file.expanduser()
    if not path.is_file():
        raise UsageError(f"the list {path} does not exist; correct harvest.sources.urls.file")
    if path.suffix.lower() == ".bib":
        yield from (_of_entry(entry, path) for entry in entries(path))
        return
    for number, line in enumerate(decoded(path).splitlines(), 1):
        text = re.sub(r"(?:^|\s)#.*$", "", line).strip()  # a # inside an address is part of it
        if text:
            yield _of_address(text, f"{path}, line {number}")


def _of_address(text: str, where: str) -> Listed:
    """A line of a list: an address, a DOI, or an arXiv id."""
    eprint, doi = eprint_of(text), _DOI.match(text)
    if eprint:
        return Listed(where, "", "", (), "", (), "", eprint)
    if doi:
        return Listed(where, "", "", (), "", (), unquote(doi[1]), "")
    if wrong := problem(text):
        raise UsageError(f"{where}: {shown(text)[:120]!r} {wrong}")
    return Listed(where, "", "", (), "", (plain(text),), "", "")


def _of_entry(entry: Entry, path: Path) -> Listed:
    """An entry of a BibTeX file; addresses of arXiv and of DOIs are taken for what they name."""
    eprint = entry.eprint or eprint_of(entry.doi) or next((name for url in entry.urls if (name := eprint_of(url))), "")
    named = next((unquote(found[1]) for url in entry.urls if (found := _DOI.match(url))), "")
    doi = "" if eprint_of(entry.doi) else entry.doi or ("" if eprint_of(named) else named)
    others = [url for url in entry.urls if not eprint_of(url) and not _DOI.match(url)]
    urls = tuple(plain(url) for url in others if not problem(url))
    wrong = next((f"{shown(url)[:120]!r} {said}" for url in others if (said := problem(url))), "")
    return Listed(f"{path}, line {entry.line}", entry.key, entry.title, entry.authors, entry.year, urls, doi, eprint, wrong)


def _merged(first: Listed, again: Listed) -> Listed:
    """The same paper listed twice: what the first entry lacks, the other may say."""
    return Listed(
        first.where,
        first.key or again.key,
        first.title or again.title,
        first.authors or again.authors,
        first.year or again.year,
        tuple(dict.fromkeys((*first.urls, *again.urls))),
        first.doi,
        first.eprint or again.eprint,
    )


def _id_of(url: str) -> str:
    """http and https of one address are one paper."""
    name = re.sub(r"[^\w.-]+", "_", unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2])[:60]
    digest = sha256_text(plain(url).partition("://")[2])[:12]
    return f"url:{digest}-{name}" if name else f"url:{digest}"


def _paper(item: Listed, licence: str) -> Paper:
    urls = (
        *(masked(url) for url in item.urls),
        *((f"https://doi.org/{item.doi}",) if item.doi else ()),
        *((f"https://arxiv.org/abs/{item.eprint}",) if item.eprint else ()),
    )
    return Paper(item.id, "urls", item.title, item.authors, licence=licence, published=item.year or None, doi=item.doi or None, urls=urls)


# ---- what it says


def _fetch(net: Downloader, item: Listed, licence: str, run: Path, folder: Path) -> Paper:
    """Bring a paper from the first of its places that gives it: its addresses, arXiv, its publisher. Raises `Refused`."""
    paper, failed = _paper(item, licence), list[Refused]()
    for url in item.urls:
        pages = not (item.doi or item.eprint or promises_document(url))  # what has a DOI has a page *about* it at its address
        if made := _tried(net, url, paper, folder, failed, pages=pages):
            return made
    if item.eprint:
        try:
            return fetch_eprint(item.eprint, paper, run, folder)
        except Refused as error:
            failed.append(error)
    if item.doi and (made := _tried(net, f"{_RESOLVER}{quote(item.doi)}", paper, folder, failed, pages=False)):
        return made
    raise _none(item, failed)


def _tried(net: Downloader, url: str, paper: Paper, folder: Path, failed: list[Refused], *, pages: bool) -> Paper | None:
    try:
        got = fetch_document(net, url, folder, pages=pages)
    except Refused as error:
        failed.append(error)
        return None
    made = replace(paper, urls=tuple(dict.fromkeys((*paper.urls, got.url))))
    save(folder / "paper.json", made)
    return made


def _none(item: Listed, failed: list[Refused]) -> Refused:
    if not failed:
        said = f"has no address that can be asked: {item.wrong}" if item.wrong else "has no url, doi or arXiv eprint"
        return Refused("no-address", f"{item.where}: the entry {item.key!r} {said}", lasting=True)
    if len(failed) == 1:
        return failed[0]
    return Refused("no-full-text", "; ".join(error.detail for error in failed), lasting=all(error.lasting for error in failed))
