"""What a web page says that came in place of a document: its title, the PDF that it names, and whether it is a closed door."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_DOORS = (
    (
        r"captcha|are you (?:a )?(?:human|robot)|not a robot|just a moment|checking your browser|attention required|unusual traffic"
        r"|security check|bot detection|verify(?:ing)? (?:that )?you are|client challenge|人机验证|安全验证",
        "wants proof that a person is asking",
    ),
    (r"sign[ -]?in|log[ -]?(?:in|on)\b|single sign|authenticat|shibboleth|anmelden|登录|登入", "wants us to sign in"),
    (r"denied|forbidden|not (?:authori[sz]ed|permitted)|unauthori[sz]ed|\b40[13]\b|purchase|subscribe|拒绝访问|无权", "denies access"),
    (r"not (?:be )?found|\b404\b|does(?: not|n't) exist|no longer (?:available|exists)|不存在|未找到", "says that there is nothing"),
    (r"unavailable|maintenance|too many requests|rate limit|\b(?:429|50[0234])\b|try again later", "says that it cannot answer now"),
)
_LOOKED_AT = 1 << 18  # bytes of a page; its head and the words of a closed door are among them
_SHORT = 3000  # characters of text up to which a page may be nothing but a closed door


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page's title, its visible text, and the address in its `citation_pdf_url`, by which publishers name the PDF to Google Scholar."""

    title: str
    pdf: str
    text: str

    @property
    def door(self) -> str:
        """What a page that is a closed door does, as words after "a page that"; empty for any other page."""
        if len(self.text) > _SHORT:
            return ""
        said = f"{self.title}\n{self.text}"
        return next((words for signs, words in _DOORS if re.search(signs, said, re.IGNORECASE)), "")


def web_page(data: bytes) -> WebPage:
    """Look at the beginning of a page; markup may be broken."""
    from lxml import etree

    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(_decoded(data[:_LOOKED_AT]).replace("\x00", "").encode("utf-8", "replace"), parser)
    except etree.ParserError:  # nothing but spaces
        root = None
    if root is None:
        return WebPage("", "", "")
    metas = ((meta.get("name") or meta.get("property") or "", meta.get("content") or "") for meta in root.iter("meta"))
    pdf = next((content.strip() for name, content in metas if name.lower() == "citation_pdf_url" and content.strip()), "")
    title = next((_one_line("".join(node.itertext())) for node in root.iter("title")), "")
    etree.strip_elements(root, "title", "script", "style", "noscript", with_tail=False)
    return WebPage(title[:120], pdf, _one_line(" ".join(root.itertext())))


def _decoded(data: bytes) -> str:
    said = re.search(rb"charset\s*=\s*[\"']?([\w-]{1,40})", data[:4096], re.IGNORECASE)
    try:
        name = codecs.lookup(said[1].decode("ascii")).name if said else "utf-8"
    except LookupError:
        name = "utf-8"
    return data.decode(name, "replace")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
