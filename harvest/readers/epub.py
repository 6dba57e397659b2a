"""EPUB to text: the pages of its spine in order, each read as the web page that it is (https://www.w3.org/TR/epub-33/)."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from urllib.parse import unquote

from harvest.readers.extract import Block, Extract, UnreadableDocument
from harvest.readers.finish import finished
from harvest.readers.html import page_flow
from harvest.readers.markup.flow import Flow
from harvest.readers.markup.parse import Element, html_tree, text_of, words, xml_tree
from harvest.readers.versions import EPUB
from harvest.readers.zipped import Archive, open_zip
from harvest.records import HiddenText

_MAX_PAGES = 5000
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")  # that are only obfuscated, which is no protection
_ASIDE = words(
    "cover toc title-page titlepage copyright-page index loi lot list-of-illustrations list-of-tables landmarks page-list halftitlepage "
    "halftitle copyright other-credits"
)


@dataclass(slots=True)
class _Book:
    """What the package says: pages in reading order, the headings of the contents by page, and the title."""

    pages: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    title: str = ""
    aside: dict[str, str] = field(default_factory=dict)  # page to the kind for which it is left out


def read_epub(data: bytes, name: str) -> Extract:
    """Read the bytes of an EPUB; raises `UnreadableDocument`."""
    archive = open_zip(data, name)
    _refuse_encrypted(archive)
    book = _package(archive)
    blocks: list[Block] = []
    references: list[str] = []
    hidden: list[HiddenText] = []
    for path in book.pages:
        page = archive.read(path)
        if path in book.aside or not page or not page.strip():
            continue
        flow, unseen, _ = page_flow(html_tree(page, name))
        blocks += _headed(flow, book.labels.get(path, ""))
        references += flow.references
        hidden += unseen
    return finished(blocks, tuple(references), tuple(hidden[:200]), book.title, name, EPUB)


def _headed(flow: Flow, label: str) -> list[Block]:
    """The blocks of a page, under the heading that the contents give it where it has none of its own."""
    if label and flow.blocks and not any(block.level for block in flow.blocks[:4]):
        return [Block(label, 1), *flow.blocks]
    return flow.blocks


def _refuse_encrypted(archive: Archive) -> None:
    said = archive.read("META-INF/encryption.xml")
    if said is None:
        return
    root = xml_tree(said, archive.name, "META-INF/encryption.xml")
    methods = [e.get("Algorithm") for e in root.iter("{*}EncryptionMethod") if e.getparent().tag.endswith("}EncryptedData")]
    if any(method not in _FONTS for method in methods):
        raise UnreadableDocument(archive.name, "encrypted", "its pages are encrypted (DRM)")


def _package(archive: Archive) -> _Book:
    """The package document: title, spine, contents."""
    container = xml_tree(archive.need("META-INF/container.xml"), archive.name, "META-INF/container.xml")
    root = next((e.get("full-path") for e in container.iter("{*}rootfile") if e.get("full-path")), None)
    if root is None:
        raise UnreadableDocument(archive.name, "damaged", "its container names no package")
    package = xml_tree(archive.need(root), archive.name, root)
    here = posixpath.dirname(root)
    items = {e.get("id"): e for e in package.iter("{*}item")}
    book = _Book(title=next((text_of(e) for e in package.iter("{*}title")), ""))
    spine = next(iter(package.iter("{*}spine")), None)
    for reference in package.iter("{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or len(book.pages) >= _MAX_PAGES or "html" not in (item.get("media-type") or ""):
            continue
        path = _path(here, item.get("href") or "")
        book.pages.append(path)
        if "nav" in (item.get("properties") or "").split():
            book.aside[path] = "toc"
    for reference in package.iter("{*}reference"):  # the guide of EPUB 2
        if (reference.get("type") or "").lower() in _ASIDE:
            book.aside[_path(here, reference.get("href") or "")] = reference.get("type")
    _read_contents(archive, book, items, spine, here)
    if set(book.pages) <= set(book.aside):  # a guide that calls everything a cover is no guide
        book.aside = {}
    return book


def _read_contents(archive: Archive, book: _Book, items: dict[str | None, Element], spine: Element | None, here: str) -> None:
    """Labels of pages from the navigation page of EPUB 3, or the toc.ncx of EPUB 2."""
    navigation = next((e for e in items.values() if "nav" in (e.get("properties") or "").split()), None)
    if navigation is not None:
        path = _path(here, navigation.get("href") or "")
        page = archive.read(path)
        if page:
            for link in html_tree(page, archive.name).iter("a"):
                _label(book, posixpath.dirname(path), link.get("href") or "", text_of(link))
                kind = (link.get("role") or "").removeprefix("doc-")
                if kind in _ASIDE:
                    book.aside[_path(posixpath.dirname(path), link.get("href") or "")] = kind
    item = items.get(spine.get("toc")) if spine is not None and spine.get("toc") else None
    path = _path(here, item.get("href") or "") if item is not None else ""
    listing = archive.read(path) if path else None
    if listing and not book.labels:
        for point in xml_tree(listing, archive.name, path).iter("{*}navPoint"):
            text = next((text_of(e) for e in point.iter("{*}text")), "")
            target = next((e.get("src") or "" for e in point.iter("{*}content")), "")
            _label(book, posixpath.dirname(path), target, text)


def _label(book: _Book, here: str, address: str, text: str) -> None:
    """The first entry of the contents that leads to a page is its label."""
    if text and address and "#" not in address:
        book.labels.setdefault(_path(here, address), text)


def _path(here: str, address: str) -> str:
    return posixpath.normpath(posixpath.join(here, unquote(address.partition("#")[0])))
