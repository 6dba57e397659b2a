"""Web pages to text: the document that a page shows, whoever made the page (LaTeXML for arXiv, pandoc, Sphinx, MediaWiki, hands)."""

from __future__ import annotations

import re

from harvest.readers.extract import Extract, UnreadableDocument
from harvest.readers.finish import finished
from harvest.readers.markup.denial import why_no_document
from harvest.readers.markup.flow import Flow
from harvest.readers.markup.formulas import mark_formulas
from harvest.readers.markup.hidden import take_out_hidden
from harvest.readers.markup.latexml import is_latexml, plain_latexml
from harvest.readers.markup.page import document_part
from harvest.readers.markup.parse import Element, classes, html_tree, text_of
from harvest.readers.versions import HTML
from harvest.records import HiddenText

_TITLES = ("citation_title", "dc.title", "dcterms.title", "og:title")
_MISPLACED = (".pdf", ".gz", ".tgz", ".tar", ".tex", ".bin", ".ps")


def read_html(data: bytes, name: str) -> Extract:
    """Read the bytes of a web page; `name` is for messages.

    Raises `UnreadableDocument` where the page is a refusal, an error or a stub, or has no text.
    """
    root = html_tree(data, name)
    said = _said_titles(root)
    copy = html_tree(data, name) if len(data) < 100_000 else root  # reading takes a page apart; a refusal is short
    flow, hidden, main = page_flow(root)
    title = take_title(flow, main)
    text = "\n\n".join(block.text for block in flow.blocks)
    if reason := why_no_document(copy, text):
        raise UnreadableDocument(name, "not-a-document", reason)
    words = len(re.findall(r"[^\W\d_]+|[\u4e00-\u9fff]", text))
    if words < 300 and name.lower().endswith(_MISPLACED):
        raise UnreadableDocument(name, "not-a-document", "it is a web page, not a document")
    headings = {block.text for block in flow.blocks if block.level}
    title = title or ("" if said in headings else said)  # some converters call a page by its first section
    return finished(flow.blocks, tuple(flow.references), hidden, title, name, HTML)


def page_flow(root: Element) -> tuple[Flow, tuple[HiddenText, ...], Element]:
    """The text of a page, what was hidden in it, and the element that is the document; the tree is taken apart."""
    mark_formulas(root)
    hidden = take_out_hidden(root)
    if is_latexml(root):
        plain_latexml(root)
    main = document_part(root)
    flow = Flow()
    flow.walk(main)
    flow.finish()
    return flow, hidden, main


def take_title(flow: Flow, main: Element, *, marked_only: bool = False, said: str = "") -> str:
    """The heading that is the title, taken out of the text: one marked so, else the only topmost one near the beginning.

    Where the title is `said` elsewhere, only a heading of these very words is taken.
    """
    marked = [text_of(e) for e in main.iter("h1") if classes(e) & {"ltx_title_document", "title"}]
    tops = [at for at, block in enumerate(flow.blocks) if block.level == 1]
    named = [at for at in tops if re.sub(r"\s+", " ", flow.blocks[at].text) in marked]
    at = named[0] if named else tops[0] if len(tops) == 1 else -1
    if at < 0 or (not named and (at > 8 or marked_only)):
        return ""
    return flow.blocks.pop(at).text if said in ("", flow.blocks[at].text) else ""


def _said_titles(root: Element) -> str:
    """The title in the head of a page: as catalogues want it, else as the window shows it."""
    metas = {(e.get("name") or e.get("property") or "").lower(): (e.get("content") or "").strip() for e in root.iter("meta")}
    found = next((metas[name] for name in _TITLES if metas.get(name)), "")
    return found or next((text_of(e) for e in root.iter("title")), "")
