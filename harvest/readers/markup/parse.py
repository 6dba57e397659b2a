"""Bytes of an HTML or XHTML page to an element tree: no network, no entities of its own, bounded in size and depth."""

from __future__ import annotations

import html
import re
from typing import Any

from harvest.readers.encoding import decode_text
from harvest.readers.extract import UnreadableDocument

Element = Any  # lxml.etree._Element, which has no types of its own

LINE_END = "\ue000"  # in place of a newline that is shown as one
MAX_BYTES = 64_000_000
MAX_DEPTH = 120  # of elements in elements; what lies deeper keeps its text and loses its markup
_DECLARED = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^>]{0,100}encoding\s*=\s*[\"']([\w.:-]+)", re.IGNORECASE)
_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
_NAMED = re.compile(r"&(\w{1,32});")
_XML_OWN = frozenset(("amp", "lt", "gt", "quot", "apos"))


def html_tree(data: bytes, name: str) -> Element:
    """The root element of a page, its tags in lower case and without namespaces; raises `UnreadableDocument`."""
    if len(data) > MAX_BYTES:
        raise UnreadableDocument(name, "too-large", f"it is a web page of more than {MAX_BYTES // 1_000_000} MB")
    declared = _DECLARED.search(data[:4096])
    text = decode_text(data, (declared[1] or declared[2]).decode() if declared else "")
    text = text.replace("\x00", "").replace(LINE_END, "")
    root = _as_xml(text) if text.lstrip().startswith("<?xml") else None
    root = _as_html(text) if root is None else root
    if root is None:
        raise UnreadableDocument(name, "no-text", "it is a web page without content")
    _plain_tags(root)
    _flatten(root)
    return root


def xml_tree(data: bytes, name: str, part: str) -> Element:
    """The root of an XML part of an archive, as it is; raises `UnreadableDocument` where it is broken or declares entities."""
    from lxml import etree

    if len(data) > MAX_BYTES or b"<!ENTITY" in data:
        raise UnreadableDocument(name, "damaged", f"its part {part} is too large or declares entities")
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableDocument(name, "damaged", f"its part {part} is broken ({error.msg})") from error


def _as_html(text: str) -> Element | None:
    from lxml import etree

    # huge_tree: without it libxml2 drops whatever lies deeper than 256 elements, and old pages never close their <font>
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True, remove_pis=True)
    data = re.sub(r"^\s*<\?xml[^>]*>", "", text).encode("utf-8", "replace")
    try:
        return etree.fromstring(data, parser)
    except etree.ParserError:  # an empty document
        return None


def _as_xml(text: str) -> Element | None:
    """The tree of a page that is XML; None where it is not well-formed or declares entities, which only an attack needs."""
    from lxml import etree

    if "<!ENTITY" in text.upper()[:100_000]:
        return None
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=True, remove_comments=True, remove_pis=True, encoding="utf-8"
    )
    text = _NAMED.sub(lambda m: m[0] if m[1] in _XML_OWN else html.unescape(m[0]), text)
    try:
        return etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return None


def _plain_tags(root: Element) -> None:
    """Local names in lower case, the kinds of EPUB as roles (https://www.w3.org/TR/dpub-aria/); what is no element goes."""
    for element in list(root.iter()):
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2].lower()
            kind = element.get(_EPUB_TYPE) or element.get("epub:type")
            if kind and not element.get("role"):
                element.set("role", f"doc-{kind.split()[-1].replace('rearnote', 'endnote')}")
        else:
            remove(element)


def _flatten(root: Element) -> None:
    stack = [(root, 1)]
    while stack:
        element, depth = stack.pop()
        if depth >= MAX_DEPTH and len(element):
            text = "".join(element.itertext())
            for child in list(element):
                element.remove(child)
            element.text = text
        stack.extend((child, depth + 1) for child in element)


def remove(element: Element, instead: str = "") -> None:
    """Take an element out of its tree and leave the text behind it, after `instead`."""
    parent = element.getparent()
    if parent is None:
        return
    rest = instead + (element.tail or "")
    before = element.getprevious()
    if rest and before is not None:
        before.tail = (before.tail or "") + rest
    elif rest:
        parent.text = (parent.text or "") + rest
    parent.remove(element)


def replace(element: Element, tag: str, text: str, **attributes: str) -> None:
    """Put an element of nothing but text in the place of another."""
    tail = element.tail
    for child in list(element):
        element.remove(child)
    element.attrib.clear()
    element.tag, element.text, element.tail = tag, text, tail
    element.attrib.update(attributes)


def words(text: str) -> frozenset[str]:
    """The words of a list in a source file."""
    return frozenset(text.split())


def classes(element: Element) -> frozenset[str]:
    """The classes of an element."""
    return frozenset((element.get("class") or "").split())


def text_of(element: Element) -> str:
    """The text inside an element on one line, markup and formulas alike."""
    return re.sub(r"\s+", " ", "".join(element.itertext())).strip()
