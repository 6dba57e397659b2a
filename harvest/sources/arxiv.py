"""arXiv: what its search or OAI-PMH lists, the licence of each paper, and its source, HTML or PDF, all through one gate.

    papers/.search/<name>.json        a listing, asked once until a refresh; <name>.part/ while its pages arrive
    papers/<id>/.paper.json           a paper whose licence is known and whose file is under way (.source.part)
    papers/<id>/files.json            hashes of its files, and which forms arXiv does not have (harvest.sources.kept)
    papers/<id>/paper.json            the paper, whole

A harvest that is killed goes on at the first page or byte that is missing. A paper whose download fails time and again
is refused by name and asked for by the next run; three of them in a row, an access that is denied, or a server that is
not there end the run.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from harvest.config import ArxivSource
from harvest.licence import spdx
from harvest.records import Paper
from harvest.sources.arxiv_files import NAMES, first_form, next_form
from harvest.sources.arxiv_found import Found, Listing, Pages, bare, version_of, withdrawn
from harvest.sources.arxiv_oai import get_record, listed_by_oai
from harvest.sources.arxiv_search import listed_by_search, listed_ids
from harvest.sources.arxiv_site import VARIABLE, Site, content_address
from harvest.sources.kept import verified
from harvest.sources.offer import Offer, Refused
from harvest.store import fingerprint, load, safe_name, save
from harvest.web import Broken

__all__ = ["VARIABLE", "content_address", "offers"]
_log = logging.getLogger(__name__)
_DRAFT = ".paper.json"
_IN_A_ROW = 3  # papers that fail one after the other, after which it is the server


def offers(source: ArxivSource, run: Path, *, refresh: bool) -> Iterator[Offer]:
    """What a source has; it is listed once and the listing kept in papers/.search/ until a refresh.

    Ids that arXiv does not know are offers that refuse themselves. Files of earlier runs are verified on the way.
    """
    site = Site(source.interval)
    ids = list(dict.fromkeys(_plain_id(name) for name in source.ids))[: source.max_papers]
    listing = _listing(source, site, ids, run / "papers" / ".search", refresh)
    origin = f"arxiv {_called(source)}"
    names = tuple(dict.fromkeys(name for form in source.forms for name in NAMES[form]))
    for found in listing.found:
        _check(run / "papers" / safe_name(found.paper.id), source.forms)
        yield Offer(
            found.paper,
            origin,
            partial(_fetch, site, found, source.forms),
            partial(next_form, site, found, source.forms),
            names=names,
        )
    for name in listing.unknown:
        yield Offer(Paper(f"arxiv:{name}", "arxiv", ""), origin, _unknown)


def _listing(source: ArxivSource, site: Site, ids: list[str], folder: Path, refresh: bool) -> Listing:
    settings = (source.query, ids, source.categories, str(source.since), str(source.until), source.listing, source.max_papers, site.base)
    pages = Pages(folder, fingerprint(*settings)[:16])
    if pages.whole.exists() and not refresh:
        return load(pages.whole, Listing)
    _log.info("asking %s for %s", site.base, _called(source))
    listing = listed_ids(site, ids, pages)
    if (source.query or source.categories) and len(listing.found) < source.max_papers:
        more = listed_by_oai(site, source, pages) if source.listing == "oai" else listed_by_search(site, source, pages)
        have = {item.paper.id for item in listing.found}
        others = [item for item in more.found if item.paper.id not in have]
        listing = replace(listing, found=(*listing.found, *others)[: source.max_papers])
    return pages.finish(listing)


def _check(place: Path, forms: tuple[str, ...]) -> None:
    """Let a paper be fetched again whose files are not what came, or of which another form is wanted now."""
    if not (place / "files.json").exists():
        return
    kept = verified(place)
    best = next((form for form in forms if form not in kept.missing), "")
    if (kept.pending or (best and not kept.held(best))) and (place / "paper.json").exists():
        save(place / _DRAFT, Found(load(place / "paper.json", Paper), recorded=True))
        (place / "paper.json").unlink()


def _fetch(site: Site, found: Found, forms: tuple[str, ...], place: Path) -> Paper:
    """Make papers/<id>/ whole. Raises `Refused`, and `Unreachable` where nothing more can be asked."""
    draft = place / _DRAFT
    try:
        found = load(draft, Found) if draft.exists() else _recorded(site, found)
        if said := withdrawn(found):
            raise Refused("withdrawn", f"it was withdrawn ({said})", lasting=True)
        save(draft, found)
        said = first_form(site, found, forms, place)
    except Broken as error:
        site.failed += 1
        if site.failed >= _IN_A_ROW:
            raise
        raise Refused("unreachable", f"{error.address} fails to give it ({error.why})", lasting=False) from error
    site.failed = 0
    if said:
        draft.unlink(missing_ok=True)
        raise _gone(found, said)
    save(place / "paper.json", found.paper)
    draft.unlink(missing_ok=True)
    return found.paper


def _recorded(site: Site, found: Found) -> Found:
    """With licence and size from the paper's OAI record; its licence is that of the latest version only."""
    if found.recorded:
        return found
    record = get_record(site, bare(found.identifier))
    if record is None:
        return replace(found, recorded=True)
    number = version_of(found.identifier) or record.versions[-1].number
    latest = number >= record.versions[-1].number
    licence = record.found.paper.licence if latest else _licence_of_page(site.page("abs", found.identifier))
    return replace(found, paper=replace(found.paper, licence=licence), recorded=True, kilobytes=record.size(number))


def _licence_of_page(page: str) -> str:
    """The licence that an abstract page links to."""
    box = re.search(r"<div[^>]*\babs-license\b.*?</div>", page, re.DOTALL)
    link = re.search(r"href=[\"']([^\"']+)", box[0]) if box else None
    return spdx(link[1] if link else None)


def _gone(found: Found, said: str) -> Refused:
    for text, where in ((found.comment, "its comment says"), (said, "arXiv says")):
        if re.search(r"withdraw", text, re.IGNORECASE):
            return Refused("withdrawn", f"it was withdrawn ({where}: {text[:200]})", lasting=True)
    return Refused("not-found", f"arXiv has no form of this version that is asked for ({said})", lasting=True)


def _unknown(folder: Path) -> Paper:
    raise Refused("not-found", "arXiv has no paper of this id", lasting=True)


def _called(source: ArxivSource) -> str:
    """What a source is called in counts and messages."""
    words = [source.query, ", ".join(source.categories)]
    if source.since or source.until:
        words.append(f"{source.since or ''}..{source.until or ''}")
    return " ".join(word for word in words if word) or f"{len(source.ids)} ids"


def _plain_id(name: str) -> str:
    """An id as arXiv's answers have it: without arXiv: before it and without the subject class of old ids."""
    return re.sub(r"\.[A-Z]{2}(?=/)", "", re.sub(r"^arxiv:", "", name.strip(), flags=re.IGNORECASE))
