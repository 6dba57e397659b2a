"""arXiv's OAI-PMH service (https://info.arxiv.org/help/oa/index.html): whole categories, and the licence of each paper.

The arXivRaw form is asked for, the only one with all versions, the size of each and the licence. The datestamps of
OAI-PMH are of the last change of a record, which is never before its submission: so the first day is given as `from`,
and the days of submission are then told from the records themselves.
"""

from __future__ import annotations

import difflib
import email.utils
import logging
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import count

from harvest.config import ArxivSource
from harvest.licence import spdx
from harvest.readers.tex.signs import ACCENTS, SYMBOLS
from harvest.records import Paper
from harvest.sources.arxiv_found import Found, Listing, Pages, earlier, first_doi, one_line
from harvest.sources.arxiv_site import Site
from harvest.store import UsageError
from harvest.web import Unreachable

_log = logging.getLogger(__name__)
_BEGUN_AGAIN = 3
_EARLIEST = date(2005, 9, 16)  # arXiv's first datestamp, which all papers before it share
_ACCENT = re.compile(r"\\([`'^~\"=.]|[uvHckrbd](?![A-Za-z]))\s*(?:\{\s*(\\?[A-Za-z])\s*\}|(\\[ij](?![A-Za-z])|[A-Za-z]))")
_LETTER = re.compile(r"\\(ss|SS|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j|dh|DH|th|TH)(?![A-Za-z])(?:\{\}|\s+)?")


@dataclass(frozen=True, slots=True)
class Version:
    """A version: its day and time (ISO 8601), and the size of its source in kilobytes if the record tells."""

    number: int
    date: str
    kilobytes: float | None


@dataclass(frozen=True, slots=True)
class OaiRecord:
    """A paper as arXivRaw has it: the latest version's data, and all versions, oldest first."""

    found: Found
    versions: tuple[Version, ...]

    def size(self, number: int) -> float | None:
        """Kilobytes of a version's source, if known."""
        return next((version.kilobytes for version in self.versions if version.number == number), None)


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """One answer of ListRecords, and the token for the next (empty: the last)."""

    found: tuple[Found, ...]
    token: str


@dataclass(frozen=True, slots=True)
class Sets:
    """The names of all sets, such as physics:physics:acc-ph."""

    specs: tuple[str, ...]


class _TokenExpired(Exception):  # noqa: N818
    """A resumption token that the server does not know any more."""


def get_record(site: Site, identifier: str) -> OaiRecord | None:
    """The record of one paper (an id without version); None if there is none."""
    root = site.ask_oai(verb="GetRecord", identifier=f"oai:arXiv.org:{identifier}", metadataPrefix="arXivRaw")
    code = _error(site, root, "idDoesNotExist")
    record = None if code else next(_all(root, "record"), None)
    return None if record is None else read_record(record)


def listed_by_oai(site: Site, source: ArxivSource, pages: Pages) -> Listing:
    """The papers of the categories whose first version was submitted in the days asked for, newest first."""
    found: dict[str, Found] = {}
    for category, spec in _sets(site, source.categories, pages).items():
        found.update((item.paper.id, item) for item in _records(site, spec, category, source, pages))
    since, until = source.since and source.since.isoformat(), source.until and source.until.isoformat()
    asked = [item for item in found.values() if (since or "") <= (item.paper.published or "")[:10] <= (until or "9999")]
    newest = sorted(asked, key=lambda item: (item.paper.published or "", item.paper.id), reverse=True)
    return Listing(tuple(newest[: source.max_papers]), ())


def read_record(record: ET.Element) -> OaiRecord | None:
    """A <record> in arXivRaw form; None for one that was deleted."""
    raw = next(_all(record, "arXivRaw"), None)
    if raw is None:
        return None
    text = {child.tag.rpartition("}")[2]: child.text or "" for child in raw}
    versions = tuple(sorted((_version(node) for node in _all(raw, "version") if node.get("version")), key=lambda version: version.number))
    if not versions or not text.get("id", "").strip():
        return None
    identifier = f"{text['id'].strip()}v{versions[-1].number}"
    paper = Paper(
        id=f"arxiv:{identifier}",
        source="arxiv",
        title=plain(text.get("title", "")),
        authors=authors(text.get("authors", "")),
        abstract=plain(text.get("abstract", "")),
        categories=tuple(text.get("categories", "").split()),
        licence=spdx(text.get("license")),
        published=versions[0].date or None,
        updated=versions[-1].date or None,
        doi=first_doi(text.get("doi")),
        urls=(f"https://arxiv.org/abs/{identifier}",),
        earlier=earlier(identifier),
    )
    return OaiRecord(Found(paper, one_line(text.get("comments")), recorded=True, kilobytes=versions[-1].kilobytes), versions)


def authors(text: str) -> tuple[str, ...]:
    """The names in arXivRaw's one line of authors: separated by commas and `and`, affiliations in parentheses dropped."""
    flat = one_line(text)
    while (without := re.sub(r"\s*\([^()]*\)", "", flat)) != flat:
        flat = without
    names = re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+|\s*;\s*", plain(flat))
    return tuple(name for name in names if name and not re.fullmatch(r"(?:Jr|Sr)\.?|[IV]+", name))


def plain(text: str) -> str:
    r"""Text with TeX's accents (\'e, \"{o}, \ss) as letters, outside of formulas, on one line."""
    parts = re.split(r"(\$[^$]*\$)", one_line(text))
    return unicodedata.normalize("NFC", "".join(part if part.startswith("$") else _letters(part) for part in parts))


def _letters(text: str) -> str:
    def accented(found: re.Match[str]) -> str:
        base = (found[2] or found[3]).removeprefix("\\")
        return base + ACCENTS[found[1]]

    text = _ACCENT.sub(accented, text)
    text = _LETTER.sub(lambda found: SYMBOLS[found[1]].replace("ı", "i"), text)
    return re.sub(r"\{(\w{1,3})\}", r"\1", unicodedata.normalize("NFC", text))


# ---- lists


def _sets(site: Site, categories: tuple[str, ...], pages: Pages) -> dict[str, str]:
    """The set of each category, such as physics:physics:acc-ph for physics.acc-ph and cs:cs for cs, from ListSets."""
    sets = pages.get("sets", Sets) or pages.put("sets", _all_sets(site))
    known = {".".join(spec.split(":")[1:]) or spec: spec for spec in sorted(sets.specs)}
    for category in categories:
        if category not in known:
            near = difflib.get_close_matches(category, known, 1, 0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"arXiv has no category {category!r}{hint}; see https://arxiv.org/category_taxonomy")
    return {category: known[category] for category in categories}


def _all_sets(site: Site) -> Sets:
    specs: list[str] = []
    arguments: dict[str, str] = {}
    while True:
        root = site.ask_oai(verb="ListSets", **arguments)
        _error(site, root)
        specs += [(node.text or "").strip() for node in _all(root, "setSpec")]
        token = _token(root)
        if not token or arguments.get("resumptionToken") == token:
            return Sets(tuple(specs))
        arguments = {"resumptionToken": token}


def _records(site: Site, spec: str, category: str, source: ArxivSource, pages: Pages) -> list[Found]:
    for _ in range(_BEGUN_AGAIN):
        try:
            return _paged(site, spec, category, source, pages)
        except _TokenExpired:
            _log.info("arXiv's resumption token for %s has expired; beginning again", category)
            pages.forget(f"oai-{spec}-")
    raise Unreachable(site.oai, f"its OAI-PMH service lets every resumption token for {category} expire")


def _paged(site: Site, spec: str, category: str, source: ArxivSource, pages: Pages) -> list[Found]:
    since = {"from": source.since.isoformat()} if source.since and source.since > _EARLIEST else {}
    arguments = {"metadataPrefix": "arXivRaw", "set": spec, **since}
    found: list[Found] = []
    tokens = {""}
    for number in count():
        name = f"oai-{spec}-{number:05}"
        page = pages.get(name, RecordsPage) or pages.put(name, _asked(site, arguments))
        found += page.found
        _log.info("%s: %d papers listed", category, len(found))
        if page.token in tokens:
            if page.token:
                raise Unreachable(site.oai, f"its OAI-PMH service gives the same page of {category} again and again")
            break
        tokens.add(page.token)
        arguments = {"resumptionToken": page.token}
    return found


def _asked(site: Site, arguments: dict[str, str]) -> RecordsPage:
    root = site.ask_oai(verb="ListRecords", **arguments)
    code = _error(site, root, "noRecordsMatch", "badResumptionToken")
    if code == "badResumptionToken":
        raise _TokenExpired
    records = (read_record(record) for record in _all(root, "record"))
    return RecordsPage(tuple(record.found for record in records if record), _token(root))


def _error(site: Site, root: ET.Element, *expected: str) -> str:
    """The code of an answer's error, if it is one of those expected; another is `Unreachable`."""
    node = next(_all(root, "error"), None)
    code = node.get("code", "unknown") if node is not None else ""
    if node is not None and code not in expected:
        raise Unreachable(site.oai, f"its OAI-PMH service says {code}: {one_line(node.text)[:100]}")
    return code


def _token(root: ET.Element) -> str:
    node = next(_all(root, "resumptionToken"), None)
    return (node.text or "").strip() if node is not None else ""


def _version(node: ET.Element) -> Version:
    inside = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in node}
    number = re.search(r"\d+", node.get("version", ""))
    size = re.match(r"([\d.,]+)\s*kb?$", inside.get("size", ""), re.IGNORECASE)
    return Version(int(number[0]) if number else 1, _iso(inside.get("date", "")), float(size[1].replace(",", "")) if size else None)


def _iso(moment: str) -> str:
    try:
        return email.utils.parsedate_to_datetime(moment).isoformat()
    except ValueError:
        return ""


def _all(node: ET.Element, name: str) -> Iterator[ET.Element]:
    """The elements below `node` of that name, in whatever namespace."""
    return (element for element in node.iter() if element.tag.rpartition("}")[2] == name)
