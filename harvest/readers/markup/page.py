"""The part of a page that is the document: without scripts, menus, banners, side bars, comments and footers."""

from __future__ import annotations

import re

from harvest.readers.markup.parse import Element, classes, remove, replace, text_of

_MACHINERY = (
    "script", "style", "noscript", "iframe", "object", "embed", "applet", "canvas", "audio", "video", "svg", "map", "link", "meta", "base",
    "button", "select", "option", "input", "textarea", "datalist", "nav", "menu", "noframes",
)  # fmt: skip
_ROLES = frozenset(
    (
        "navigation",
        "banner",
        "contentinfo",
        "search",
        "complementary",
        "menu",
        "menubar",
        "toolbar",
        "doc-toc",
        "doc-pagelist",
        "doc-pagebreak",
        "doc-index",
    )
)
# Words in classes and ids by which page makers name what is not the text.
_FURNITURE = re.compile(
    r"^(?:nav(?:bar|igation|box)?|site-?(?:nav|header|footer|menu)|(?:main-?|top-?|side-?)?menu|side-?bar|sphinxsidebar\w*|bread-?crumbs?|"
    r"(?:page-?)?footer|masthead|banner|cookies?(?:-?(?:banner|consent|notice|bar))?|consent|share|sharing|social(?:-?\w+)?|"
    r"related(?:-?(?:posts|articles|links))?|comments?(?:-?(?:list|area|section))?|advert\w*|ads?|sponsor(?:ed|s)?|promo|newsletter|"
    r"subscribe|pagination|pager|prev-?next|skip-?(?:link|nav|to-\w+)|toc|table-?of-?contents|toctree-wrapper|mw-(?:navigation|editsection|"
    r"jump-link|indicators|head|panel|footer)|printfooter|catlinks|vector-\w+|headerlink|anchor-?link|header-anchor|search(?:-?(?:box|form|bar))?|"
    r"login(?:-?(?:box|form))?|back-to-top|prompt|jp-InputPrompt|jp-OutputPrompt|edit-this-page|package-alerts|ar5iv-footer)$",
    re.IGNORECASE,
)
_SIGNS_OF_LINKS = ("¶", "#", "§", "🔗", "[edit]", "permalink")
_MAIN = ("main", "article")


def document_part(root: Element) -> Element:
    """The element that holds the document, everything else in it removed."""
    _drop_machinery(root)
    body = next(root.iter("body"), root)
    main = _main(body)
    _drop_furniture(main)
    _drop_links(main)
    return main


def _drop_machinery(root: Element) -> None:
    for element in list(root.iter(*_MACHINERY)):
        if element.getparent() is not None:
            remove(element, " ")


def _main(body: Element) -> Element:
    """<main> or the only <article>, if most of the text is in it."""
    whole = len(text_of(body))
    for found in (
        [e for e in body.iter() if e.get("role") in ("main", "doc-chapter") or e.tag == "main"],
        [e for e in body.iter("article") if e.getparent() is None or next(e.iterancestors("article"), None) is None],
    ):
        if len(found) == 1 and len(text_of(found[0])) * 2 > whole:
            return found[0]
    return body


def _drop_furniture(main: Element) -> None:
    whole = len(text_of(main)) or 1
    for element in list(main.iter()):
        if element is main or element.getparent() is None:
            continue
        if element.tag in ("header", "footer", "aside") and not _belongs(element):
            _keep_heading(element) if element.tag == "header" else remove(element, " ")
        elif (element.get("role") in _ROLES or _is_named_furniture(element)) and len(text_of(element)) * 2 < whole:
            remove(element, " ")


def _belongs(element: Element) -> bool:
    """Whether a header, footer or aside is one of a section or article, not of the page."""
    if "footnote" in (element.get("class") or "") or (element.get("role") or "").startswith("doc-"):
        return True
    return next((True for a in element.iterancestors("article", "section", "main", "blockquote", "figure")), False)


def _is_named_furniture(element: Element) -> bool:
    names = {*classes(element), *(element.get("id") or "").split()}
    return element.tag not in ("body", "html", "tex", "h1", "pre") and any(_FURNITURE.match(name) for name in names)


def _keep_heading(header: Element) -> None:
    """Of the banner of a page, the title of the document that may stand in it."""
    headings = list(header.iter("h1"))
    if len(headings) == 1:
        replace(header, "h1", text_of(headings[0]), **{"class": headings[0].get("class") or ""})
    else:
        remove(header, " ")


def _drop_links(main: Element) -> None:
    """Signs that link to their own heading, and lists of nothing but links, which are menus and contents."""
    for link in list(main.iter("a")):
        if text_of(link) in _SIGNS_OF_LINKS:
            remove(link)
    for listing in list(main.iter("ul", "ol", "dl")):
        if listing.getparent() is not None and _is_menu(listing):
            remove(listing, " ")


def _is_menu(listing: Element) -> bool:
    """At least four links, short ones, with hardly a word between them."""
    links = [text_of(link) for link in listing.iter("a")]
    linked = sum(map(len, links))
    return len(links) >= 4 and linked * 10 >= len(text_of(listing)) * 8 and linked < 60 * len(links)
