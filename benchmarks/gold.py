"""The papers whose true text is known, read from the folder of shared papers: three sets, one shape."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path
from typing import Any

from defusedxml.ElementTree import fromstring
from measures import words

SETS = ("scoap3", "latex", "ziemann")
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*(\[.*?\])?\s*>", re.DOTALL)  # Elsevier's names every figure as an entity
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\w+);)(\w*);?")
_FORMULA = re.compile(r"\$\$.*?\$\$|\\\[.*?\\\]|\\begin\{.*?\\end\{\w+\*?\}", re.DOTALL)
_MATHEMATICS = {"math", "tex-math", "inline-formula", "disp-formula", "formula"}
_INLINE = {"italic", "bold", "sup", "sub", "sc", "inf", "xref", "cross-ref", "cross-refs", "ext-link", "named-content", "styled-content"}
# Parts of an article (JATS; Elsevier) that a reader sees as its text, but for what they have of the others: names, references.
_SEEN = {"article-title", "title", "abstract", "body", "back", "floats-group", "floats", "appendices", "acknowledgment", "tail"}
_UNSEEN = {"ref-list", "bibliography", "contrib-group", "author-group", "related-article", "object-id", "copyright-statement"}
_SECTIONS = {"sec", "section", "app", "appendix", "ack", "acknowledgment", "appendices"}
_BLOCKS = {"div", "p", "li", "h1", "h2", "h3", "h4"}


@dataclass(frozen=True, slots=True)
class GoldPaper:
    """A PDF and its true prose: paragraphs in order, without formulas.

    `whole` is all that belongs to the text (abstract, headings, captions, tables, footnotes, code), the paragraphs too;
    `headings` are the titles of its sections, `language` all words of the set outside formulas; None where gold does not tell.
    """

    name: str
    pdf: Path
    paragraphs: tuple[str, ...]
    whole: str | None = None
    headings: tuple[str, ...] | None = None
    title: str = ""
    language: frozenset[str] | None = None


def gold_papers(papers: Path, name: str) -> list[GoldPaper]:
    """The papers of a set: scoap3 (publishers' XML), latex (LaTeX sources), ziemann (HTML twins of PDF)."""
    return list({"scoap3": _scoap3, "latex": _latex, "ziemann": _ziemann}[name](papers))


def _scoap3(papers: Path) -> Iterator[GoldPaper]:
    folders = sorted((papers / "E_gold/scoap3_ccby").iterdir())
    articles = [parse_article((folder / "fulltext.xml").read_text(encoding="utf-8")) for folder in folders]
    language = frozenset(word for article in articles for word in words(_text(article)))
    for folder, article in zip(folders, articles, strict=True):
        paragraphs = tuple((folder / "gold_prose.txt").read_text(encoding="utf-8").splitlines())
        yield GoldPaper(
            folder.name, folder / "paper.pdf", paragraphs, seen_text(article), section_titles(article), _title(article), language
        )


def _latex(papers: Path) -> Iterator[GoldPaper]:
    for folder in sorted((papers / "B_latex").iterdir()):
        prose = (folder / "gold_prose.txt").read_text(encoding="utf-8")
        yield GoldPaper(folder.name, folder / "paper.pdf", latex_paragraphs(prose))


def _ziemann(papers: Path) -> Iterator[GoldPaper]:
    for page in sorted((papers / "E_gold/ziemann_html").glob("*.html")):
        visible = _Visible()
        visible.feed(page.read_text(encoding="utf-8"))
        pdf = papers / "A_pdfs" / f"ziemann_{page.stem}.pdf"
        titles = [text for tag, text in visible.blocks if tag[0] == "h"]
        whole = "\n".join([*visible.code, *(text for _, text in visible.blocks)])
        paragraphs = tuple(text for tag, text in visible.blocks if tag[0] != "h")
        yield GoldPaper(page.stem, pdf, paragraphs, whole, tuple(titles[1:]) or None, titles[0] if titles else "")


def parse_article(text: str) -> Any:
    """The root of a publisher's XML, without its DTD: entities are those of HTML or nothing."""
    text = _DOCTYPE.sub("", text, count=1)
    return fromstring(_ENTITY.sub(_character, text))


def seen_text(article: Any) -> str:
    """What a reader sees as the text of an article, without authors, references and formulas."""
    if _tag(article) in _SEEN:
        return _text(article, _MATHEMATICS | _UNSEEN)
    return "" if _tag(article) in _UNSEEN else "\n".join(map(seen_text, article))


def section_titles(article: Any) -> tuple[str, ...]:
    """Titles of all sections, appendices and acknowledgements, in order, without numbers and formulas."""
    found = []
    for section in article.iter():
        if _tag(section) in _SECTIONS:
            found += [_text(part) for part in section if _tag(part) in ("title", "section-title")]
    return tuple(" ".join(title.split()) for title in found if title.strip())


def latex_paragraphs(prose: str) -> tuple[str, ...]:
    """Paragraphs of a text made of LaTeX: between blank lines, without displayed formulas, tables and pictures of letters.

    A paragraph straight after itself is one: pandoc writes a caption twice, as the figure's description and as its caption.
    """
    blocks = (" ".join(block.split()) for block in re.split(r"\n\s*\n", _FORMULA.sub("\n", prose)))
    return tuple(block for block, _ in groupby(block for block in blocks if _is_prose(block)))


def _is_prose(block: str) -> bool:
    tokens = block.split()
    letters = [token for token in tokens if sum(map(str.isalpha, token)) * 2 > len(token)]
    return "----" not in block and len(letters) * 4 >= len(tokens) * 3


def _title(article: Any) -> str:
    found = (part for part in article.iter() if _tag(part) in ("article-title", "title"))
    return " ".join(_text(next(found)).split())


def _character(entity: re.Match[str]) -> str:
    told = html.unescape(entity[0])
    return told if told != entity[0] and entity[0].endswith(";") else "&amp;" + entity[0][1:]


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(element: Any, without: Collection[str] = _MATHEMATICS) -> str:
    """The text of an element without some (formulas), its parts on lines of their own."""
    if _tag(element) in without or not isinstance(element.tag, str):
        return " "
    inside = (element.text or "") + "".join(_text(part, without) + (part.tail or "") for part in element)
    return inside if _tag(element) in _INLINE else f"\n{inside}\n"


class _Visible(HTMLParser):
    """The blocks of prose of a MATLAB live script, and its code with what it printed."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[tuple[str, str]] = []
        self.code: list[str] = []
        self._open: list[tuple[str, bool]] = []  # the blocks around us, and whether they are code
        self._deaf = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._deaf += tag in ("style", "script", "title", "math", "svg")
        if tag in _BLOCKS:
            code = "CodeBlock" in (dict(attrs).get("class") or "")
            self._open.append((tag, code or bool(self._open and self._open[-1][1])))
            self._begin(tag)

    def handle_endtag(self, tag: str) -> None:
        self._deaf -= tag in ("style", "script", "title", "math", "svg")
        if tag in _BLOCKS and self._open:
            self._open.pop()
            self._begin("div")

    def handle_data(self, data: str) -> None:
        if self._deaf or not data.strip():
            return
        if self._open and self._open[-1][1]:
            self.code.append(data)
        else:
            self._begin(self._open[-1][0] if self._open else "div") if not self.blocks else None
            tag, text = self.blocks.pop()
            self.blocks.append((tag, text + data))

    def _begin(self, tag: str) -> None:
        if self.blocks and not self.blocks[-1][1].strip():
            self.blocks.pop()
        self.blocks.append((tag, ""))
