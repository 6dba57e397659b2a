"""Pages made by LaTeXML (https://math.nist.gov/~BMiller/LaTeXML/), as arXiv shows them, put into plain HTML.

What LaTeXML says by classes becomes elements that the rest knows: tables, footnotes (<note>), the bibliography (<references>),
headings of one rank. Authors and dates go: the record of the paper has them.
"""

from __future__ import annotations

import re

from harvest.readers.markup.parse import Element, classes, remove, text_of, words

_DROPPED = words(
    "ltx_authors ltx_dates ltx_date ltx_page_navbar ltx_page_header ltx_page_footer ltx_TOC ltx_toc ltx_ERROR ltx_pagination ltx_rule "
    "ltx_note_mark ltx_note_type ltx_listing_data ltx_tag_listingline ltx_tag_note ltx_bib_cited ltx_role_newpage ltx_page_logo "
    "ltx_LaTeXML_logo"
)
_TABLES = {"ltx_tabular": "table", "ltx_tr": "tr", "ltx_td": "td", "ltx_th": "th", "ltx_thead": "thead", "ltx_tbody": "tbody"}
_TOP = words("ltx_title_abstract ltx_title_acknowledgements ltx_title_bibliography ltx_title_appendix")
_RUN_IN = frozenset(("ltx_title_theorem", "ltx_title_proof", "ltx_title_keywords", "ltx_title_classification", "ltx_runin"))
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def is_latexml(root: Element) -> bool:
    """Whether a page comes from LaTeXML."""
    return next((True for e in root.iter("article", "div", "section") if "ltx_document" in classes(e)), False)


def plain_latexml(root: Element) -> None:
    """Put a page of LaTeXML into plain HTML."""
    top = _top_level(root)
    for element in list(root.iter()):
        own = classes(element)
        if not any(name.startswith("ltx_") for name in own):
            continue
        if own & _DROPPED:
            remove(element)
        else:
            _rename(element, own, top)


def _top_level(root: Element) -> str:
    """The tag of the headings of sections, which those of the abstract and the like are put on."""
    for name in ("ltx_title_part", "ltx_title_chapter", "ltx_title_section"):
        for heading in root.iter(*_HEADINGS):
            if name in classes(heading):
                return str(heading.tag)
    return "h2"


def _rename(element: Element, own: frozenset[str], top: str) -> None:
    table = next((tag for name, tag in _TABLES.items() if name in own), None)
    if table:
        element.tag = table
        element.set("role", "table") if table == "table" else None
    elif own & {"ltx_note_outer"}:
        element.tag = "span"
    elif "ltx_note_content" in own:
        element.tag = "note"
        _without_mark(element)
    elif "ltx_bibliography" in own:
        element.tag = "references"
    elif "ltx_bibblock" in own or "ltx_tag_bibitem" in own:
        element.tail = " " + (element.tail or "")
    elif own & _RUN_IN and element.tag in _HEADINGS:
        element.tag = "lead"
    elif own & _TOP and element.tag in _HEADINGS:
        element.tag = top
    elif "ltx_listing" in own or "ltx_verbatim" in own:
        element.tag = "pre" if element.tag == "div" or "ltx_listing" in own else element.tag
    elif "ltx_listingline" in own:
        element.tail = "\n" + (element.tail or "")
    elif "ltx_tag_item" in own:
        _mark_item(element)
    elif "ltx_transformed_outer" in own or "ltx_inline-block" in own:
        element.tag = "div" if element.tag == "span" and _holds_blocks(element) else element.tag


def _without_mark(note: Element) -> None:
    """LaTeXML prints the number of a footnote again before its text."""
    note.text = re.sub(r"^\s*(?:\d+|[*†‡§¶]+)\s*", "", note.text or "")


def _mark_item(tag: Element) -> None:
    """The sign of an item of a list becomes its attribute."""
    sign, item = text_of(tag), tag.getparent()
    if item is not None and item.tag == "li":
        item.set("data-sign", "-" if re.fullmatch(r"[^\w(]+", sign) else sign)
        remove(tag)


def _holds_blocks(element: Element) -> bool:
    return next((True for e in element.iter("table", "p", "figure", "div", "ul", "ol")), False)
