"""A paper's source, HTML or PDF from arXiv, best form first: resumed, checked by its bytes, remembered with its hash."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from pathlib import Path

from harvest.partial import LARGEST, Part, TooLarge
from harvest.readers.kind import DESCRIPTIONS, Kind, kind_of
from harvest.sources.arxiv_found import Found
from harvest.sources.arxiv_site import Site
from harvest.sources.kept import describe, read_kept, write_kept
from harvest.sources.offer import Refused
from harvest.web import Broken, Forbidden, Improper, Missing, page_heading

NAMES = {
    "source": ("source.tar.gz", "source.tar", "source.tex", "source.gz", "source.bin", "paper.pdf", "paper.pdf.gz"),
    "html": ("paper.html",),
    "pdf": ("paper.pdf", "paper.pdf.gz"),
}
_PLACES = {"source": "e-print", "html": "html", "pdf": "pdf"}
_HEAD = 1 << 16  # bytes that tell what a file is
_LATEXML = re.compile(rb"\bclass=[\"'][^\"'>]*\bltx_(?:document|page_main|page_content|authors)\b")
_DENIAL = re.compile(
    r"denied|captcha|forbidden|robot|automated|blocked|too many|rate limit|unusual traffic|are you human|verify", re.IGNORECASE
)


class NotHere(Exception):  # noqa: N818
    """arXiv does not have a form of a paper; `said` is what its page says."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def first_form(site: Site, found: Found, forms: tuple[str, ...], place: Path) -> str:
    """Fetch the best form that arXiv has, unless it is here; returns what arXiv said if it has none, else nothing.

    Where an earlier run could read nothing here and not get the next form, it goes on with that. Raises `Refused` where
    arXiv has a form and does not give it, `Unreachable` where nothing more can be asked.
    """
    said = ""
    going_on = bool(read_kept(place).pending)
    for form in forms:
        kept = read_kept(place)
        if kept.held(form) and not going_on:
            return ""
        if kept.held(form) or form in kept.missing:
            continue
        try:
            _fetch(site, found, form, place)
        except NotHere as error:
            said = said or error.said
            write_kept(place, kept.without(form, for_good=True))
        else:
            return ""
    return "" if read_kept(place).files else said or "404"


def next_form(site: Site, found: Found, forms: tuple[str, ...], place: Path) -> bool:
    """Fetch other bytes for a paper of which nothing here can be read; whether there are any.

    First each file is asked for once more, since servers and proxies do hand out other bytes than they have; then the
    forms that are not here. One that cannot be had just now is noted, so that a later run begins with it.
    """
    for name, file in read_kept(place).files.items():
        if not file.asked_again and _changed_on_asking_again(site, found, name, place):
            return True
    for form in forms:
        kept = read_kept(place)
        if kept.held(form) or form in kept.missing:
            continue
        try:
            _fetch(site, found, form, place)
        except NotHere:
            write_kept(place, kept.without(form, for_good=True))
        except (Refused, Broken):
            write_kept(place, kept.without(form, for_good=False))
            return False
        else:
            return True
    return False


def _changed_on_asking_again(site: Site, found: Found, name: str, place: Path) -> bool:
    kept = read_kept(place)
    before = kept.files[name]
    try:
        _fetch(site, found, before.form, place, unless=before.tag, asked_again=True)
    except (NotHere, Refused, Broken):
        return False
    now = read_kept(place)
    return now.files.get(name, before).sha256 != before.sha256 or name not in now.files


def _fetch(site: Site, found: Found, form: str, place: Path, *, unless: str = "", asked_again: bool = False) -> None:
    """Download one form; a page that denies it is asked for again, more and more slowly, then refused."""
    part = Part(place / f".{form}.part")
    try:
        tag = site.session.patiently(lambda: _download(site, found, form, part, unless))
    except Improper as error:
        raise Refused("denied", str(error), lasting=False) from error
    kept = read_kept(place)
    if tag is None:
        name = kept.held(form)
        write_kept(place, kept.with_file(name, replace(kept.files[name], asked_again=True)))
        return
    old, name = kept.held(form), file_name(_head(part.path), form)
    part.keep(place / name)
    if old and old != name and kept.files[old].form == form:
        (place / old).unlink(missing_ok=True)
    write_kept(place, kept.with_file(name, describe(place / name, form, tag, asked_again=asked_again)))


def _download(site: Site, found: Found, form: str, part: Part, unless: str) -> str | None:
    try:
        tag = site.session.download(f"{site.base}/{_PLACES[form]}/{found.identifier}", part, unless)
    except Missing as error:
        raise NotHere(error.said) from error
    except Forbidden as error:
        if "not public" in error.said.lower():  # arXiv's page for sources that authors keep to themselves
            raise NotHere(error.said) from error
        raise
    except TooLarge as error:
        part.drop()
        raise NotHere(f"its {form} is larger than {LARGEST // 1_000_000} MB") from error
    except Broken as error:
        if form == "html":  # made from the source by arXiv, which answers 500 for those that it could not convert
            raise NotHere(error.why) from error
        raise
    if tag is not None:
        _judge(part, form, found)
    return tag


def _judge(part: Part, form: str, found: Found) -> None:
    """Look at what came: nothing at all and pages of HTML in place of a document are not the document."""
    kind = kind_of(_head(part.path))
    if kind == "html":
        _judge_page(part, form, found)
    elif kind == "empty" or (form == "html") or (form == "pdf" and kind not in ("pdf", "gzip")):
        part.drop()
        raise Improper(f"arXiv gave something else than the {form} ({DESCRIPTIONS[kind]})")


def _judge_page(part: Part, form: str, found: Found) -> None:
    page = part.path.read_bytes()
    if form == "html" and is_the_paper(page, found.paper.title):
        return
    part.drop()
    said = page_heading(page.decode("utf-8", "replace")) or "no title"
    if form == "html" and not _DENIAL.search(said):
        raise NotHere(f"arXiv's page is not the paper ({said})")
    raise Improper(f"arXiv gave a web page ({said}) in place of the document")


def is_the_paper(page: bytes, title: str) -> bool:
    """Whether a page of HTML is a paper: made by LaTeXML, or headed by the paper's title."""
    if _LATEXML.search(page):
        return True
    heading = set(_words(page_heading(page.decode("utf-8", "replace"))))
    wanted = set(_words(title[:100]))
    return bool(wanted) and 5 * len(wanted & heading) >= 4 * len(wanted)


def file_name(head: bytes, form: str) -> str:
    """The name under which a download is kept: what it is, by its first bytes."""
    kind = kind_of(head)
    if kind == "html":
        return "paper.html" if form == "html" else "source.bin"
    if kind == "pdf":
        return "paper.pdf"
    if kind == "gzip":
        return {"tar": "source.tar.gz", "pdf": "paper.pdf.gz"}.get(_inner_kind(head), "source.gz")
    return "source.tex" if kind == "latex" else "source.tar" if kind == "tar" else "source.bin"


def _inner_kind(head: bytes) -> Kind:
    """What a gzip stream holds, by its first bytes."""
    try:
        return kind_of(zlib.decompressobj(wbits=31).decompress(head, _HEAD))
    except zlib.error:
        return "binary"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", re.sub(r"\\[A-Za-z]+|[${}]", " ", text).casefold())
