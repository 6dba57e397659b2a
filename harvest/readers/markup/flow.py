"""The text of a page in reading order: a walk over its elements that writes paragraphs, headings, lists, tables and formulas."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from harvest.readers.extract import CAPTION, Block
from harvest.readers.markup.inline import after_pieces, script
from harvest.readers.markup.parse import LINE_END, Element, classes, text_of, words
from harvest.readers.markup.table import formula_row, is_data, markdown, rows_of

_BREAKING = words(
    "address article aside blockquote body center div dd dt fieldset figcaption figure footer form header hgroup html main p section "
    "summary details td th tr tbody thead tfoot caption table legend lead"
)
_DISPLAY = re.compile(r"(?<!\\)\$\$.+?(?<!\\)\$\$", re.DOTALL)
_NOTE_REFERENCE = re.compile(r"^#_?(?:fn|footnote|note|ftn|endnote|edn)(?!ref)", re.IGNORECASE)
_BACK = re.compile(r"footnote-?back|reversefootnote|doc-backlink")


@dataclass(slots=True)
class Flow:
    """What has been read: blocks, references, and the paragraph being written with the notes that wait for its end."""

    blocks: list[Block] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    waiting: list[Block] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    lead: str = ""
    mono: bool = False

    def walk(self, element: Element) -> None:
        """Read an element with all that is in it, without the text behind it."""
        rule = _RULES.get(element.tag)
        if rule:
            rule(self, element)
        elif element.tag in _BREAKING:
            self._block(element)
        else:
            self.children(element)

    def children(self, element: Element) -> None:
        """Read what is in an element."""
        self.write(element.text)
        for child in element:
            self.walk(child)
            self.write(child.tail)

    def write(self, text: str | None) -> None:
        """Add to the paragraph; white space of the source counts as one space."""
        if text:
            self.parts.append(re.sub(r"[^\S\u00a0]+", " ", text).replace(LINE_END, "\n"))

    def flush(self) -> None:
        """End the paragraph."""
        text = after_pieces(self.parts)
        self.parts = []
        if self.mono and text and not self.lead:
            self.code.append(text)
            return
        if text:
            self._end_code()
            self._put(text)
            self.blocks += self.waiting
            self.waiting = []

    def finish(self) -> None:
        """End the page."""
        self.flush()
        self._end_code()
        self.blocks += self.waiting
        self.waiting = []

    def _put(self, text: str) -> None:
        """A paragraph, its displayed formulas and empty lines as breaks; the sign of a list item stands before it."""
        at = 0
        for match in [*_DISPLAY.finditer(text), None]:
            end = match.start() if match else len(text)
            for piece in re.split(r"\n\s*\n", text[at:end]):
                if re.search(r"\w|[^\s.,;:]{2}", piece):
                    self.blocks.append(Block(self.lead + piece.strip()))
                    self.lead = ""
            if match:
                self.blocks.append(Block(match[0]))
                at = match.end()

    def _end_code(self) -> None:
        if self.code:
            self.blocks.append(Block("```\n" + "\n".join(self.code) + "\n```"))
            self.code = []

    def _block(self, element: Element) -> None:
        self.flush()
        before, self.mono = self.mono, element.get("data-mono") is not None
        self.children(element)
        self.flush()
        self.mono = before


def line_of(element: Element) -> str:
    """What is in an element as one line; blocks in it follow each other, notes in it stay in brackets."""
    flow = Flow()
    flow.children(element)
    flow.finish()
    return " ".join(block.text.replace("$$", "$") if block.text.startswith("$$") else block.text for block in flow.blocks)


# ---- one function for each kind of element


def _heading(flow: Flow, element: Element) -> None:
    flow.flush()
    level = int(element.tag[1]) if element.tag != "heading" else int(element.get("level", "1"))
    inner = Flow()
    inner.children(element)
    notes, inner.waiting = inner.waiting, []
    inner.finish()
    text = " ".join(block.text for block in inner.blocks).strip()
    if text:
        flow._end_code()
        flow.blocks.append(Block(text, level))
    flow.blocks += notes


def _formula(flow: Flow, element: Element) -> None:
    tex = element.text or ""
    if element.get("display") == "block":
        flow.parts.append(f"$${tex}$$")
    else:
        flow.parts.append(f"${tex}$")


def _break(flow: Flow, element: Element) -> None:
    flow.parts.append("\n")


def _rule(flow: Flow, element: Element) -> None:
    flow.flush()


def _link(flow: Flow, element: Element) -> None:
    """A link is its text; the number of a footnote and the arrow back from it are no text."""
    role, own = element.get("role") or "", element.get("class") or ""
    mark = len(text_of(element)) <= 6 and _NOTE_REFERENCE.match(element.get("href") or "")
    if role in ("doc-noteref", "doc-backlink") or mark or _BACK.search(own) or element.get("type") == "noteref":
        return
    flow.children(element)


def _script(flow: Flow, element: Element) -> None:
    flow.parts.append(script(line_of(element), raised=element.tag == "sup", linked=next(element.iter("a"), None) is not None))


def _note(flow: Flow, element: Element) -> None:
    inner = Flow()
    inner.children(element)
    inner.finish()
    flow.waiting += inner.blocks


def _code(flow: Flow, element: Element) -> None:
    flow.flush()
    flow._end_code()
    for line_break in element.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    text = "".join(element.itertext()).expandtabs(4).strip("\n").rstrip()
    if text.strip():
        flow.blocks.append(Block(f"```\n{text}\n```"))


def _list(flow: Flow, element: Element) -> None:
    flow.flush()
    before = flow.lead
    number = int(element.get("start")) if re.fullmatch(r"\d{1,6}", element.get("start") or "") else 1
    for child in element:
        if child.tag == "li":
            number = int(child.get("value")) if re.fullmatch(r"\d{1,6}", child.get("value") or "") else number
            flow.lead = f"{child.get('data-sign') or (f'{number}.' if element.tag == 'ol' else '-')} "
            number += 1
            flow.children(child)
            flow.flush()
        else:
            flow.walk(child)
        flow.write(child.tail)
        flow.flush()
        flow.lead = before


def _term(flow: Flow, element: Element) -> None:
    """A term with what is said of it, as one paragraph where both are short."""
    flow.flush()
    text = line_of(element).strip()
    flow.lead = f"- {text}: " if text else ""


def _described(flow: Flow, element: Element) -> None:
    flow.children(element)
    flow.flush()
    flow.lead = ""


def _lead(flow: Flow, element: Element) -> None:
    """A heading that runs into its paragraph."""
    flow.flush()
    text = line_of(element).strip()
    flow.lead = f"{text} " if text.endswith((".", ":", "。")) else f"{text}. " if text else ""


def _caption(flow: Flow, element: Element) -> None:
    flow.flush()
    text = re.sub(r"\s+", " ", line_of(element)).strip()
    if text:
        over = next((a for a in element.iterancestors("table", "figure")), None)
        table = over is not None and (over.tag == "table" or next(over.iter("table"), None) is not None)
        numbered = CAPTION.match(text) or re.match(r"^(?:algorithm|listing|scheme|box|video)\b", text, re.IGNORECASE)
        flow._end_code()
        flow.blocks.append(Block(text if numbered else f"{'Table' if table else 'Figure'}: {text}"))


def _table(flow: Flow, element: Element) -> None:
    rows = rows_of(element)
    formulas = [formula_row(row) for row in rows]
    if rows and all(formulas):
        flow.flush()
        for tex, number in filter(None, formulas):
            tag = rf" \tag{{{number}}}" if number and "\\tag" not in tex else ""
            flow.blocks.append(Block(f"$${tex}{tag}$$"))
        return
    if not is_data(element, rows):
        flow._block(element)
        return
    flow.flush()
    for caption in element.iter("caption"):
        _caption(flow, caption)
    flow._end_code()
    text = markdown(rows, line_of)
    flow.blocks += [Block(text)] if text else []


def _references(flow: Flow, element: Element) -> None:
    items = [e for e in element.iter("li", "div", "p") if "ltx_bibitem" in classes(e)] or list(element.iter("li"))
    flow.references += [text for item in items if (text := re.sub(r"\s+", " ", line_of(item)).strip())]


def _quote(flow: Flow, element: Element) -> None:
    flow.parts.append("“")
    flow.children(element)
    flow.parts.append("”")


def _described_by_role(flow: Flow, element: Element) -> None:
    """Spans that are footnotes by their role."""
    if element.get("role") == "doc-footnote" and element.tag == "span":
        _note(flow, element)
    else:
        flow.children(element)


def _nothing(flow: Flow, element: Element) -> None:
    """Machinery and pictures say nothing in words."""


_RULES: dict[str, Callable[[Flow, Element], None]] = {
    **{f"h{level}": _heading for level in range(1, 7)},
    "heading": _heading,
    "tex": _formula,
    "br": _break,
    "hr": _rule,
    "a": _link,
    "sup": _script,
    "sub": _script,
    "note": _note,
    "pre": _code,
    "listing": _code,
    "xmp": _code,
    "ul": _list,
    "ol": _list,
    "dir": _list,
    "dt": _term,
    "dd": _described,
    "lead": _lead,
    "figcaption": _caption,
    "caption": _nothing,
    "table": _table,
    "references": _references,
    "q": _quote,
    "span": _described_by_role,
    "rt": _nothing,
    "rp": _nothing,
    "title": _nothing,
    "head": _nothing,
    "img": _nothing,
    "script": _nothing,
    "style": _nothing,
}
