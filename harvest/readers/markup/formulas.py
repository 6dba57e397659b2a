r"""Formulas of a page, in whatever way it shows them, to elements <tex>: the TeX as text, display="block" or "inline".

The TeX itself is taken where the page has it: annotations of MathML (LaTeXML, KaTeX, MediaWiki), scripts of MathJax, spans of
pandoc and markdown-it, attributes, and the alternative text of pictures; MathML alone is converted.
"""

from __future__ import annotations

import re

from harvest.readers.markup.mathml import tex_of
from harvest.readers.markup.parse import Element, classes, remove, replace

_TEX = re.compile(r"\\[A-Za-z]+|[\^_{}]|\\[,;!]")
_PICTURE = re.compile(r"\b(?:la)?tex\b|\bmath|formula|equation|\beqn?\b", re.IGNORECASE)
_SERVICE = re.compile(r"latex|mathtex|mimetex|codecogs|/math/", re.IGNORECASE)  # that draw formulas
_ATTRIBUTES = ("texencoding", "data-tex", "data-latex", "data-mathml")
_WRAPPERS = frozenset(("katex", "mwe-math-element", "MathJax", "MathJax_CHTML", "MathJax_SVG", "MJXc-display"))
_RENDERED = frozenset(
    ("MathJax_Preview", "MathJax", "MathJax_Display", "MathJax_CHTML", "MathJax_SVG", "MathJax_SVG_Display", "MJXc-display")
)


def mark_formulas(root: Element) -> None:
    """Replace the formulas of a page by <tex> elements."""
    scripted = _mark_scripts(root)
    for element in list(root.iter("span", "div", "mjx-container", "p", "em", "i", "img", "math", "eq", "eqn")):
        if element.getparent() is None and element is not root:
            continue
        if element.tag == "math":
            _put(element, _of_math(element), block=element.get("display") == "block" or element.get("mode") == "display")
        elif element.tag == "img":
            _mark_picture(element)
        elif scripted and classes(element) & _RENDERED:
            remove(element)  # the script beside it says the same
        else:
            _mark_wrapper(element)


def clean_tex(tex: str) -> str:
    r"""TeX on one line without its delimiters and without the \displaystyle that converters add."""
    tex = re.sub(r"(?<!\\)%[^\n]*\n\s*", "", tex.strip())
    tex = re.sub(r"\s+", " ", tex).strip()
    for opening, closing in ((r"\(", r"\)"), (r"\[", r"\]"), ("$$", "$$"), ("$", "$")):
        if tex.startswith(opening) and tex.endswith(closing) and len(tex) >= len(opening) + len(closing):
            tex = tex[len(opening) : len(tex) - len(closing)].strip()
    numbered = re.fullmatch(r"\\begin\{(equation|displaymath)(\*?)\}(.*)\\end\{\1\2\}", tex)
    tex = numbered[3].strip() if numbered else re.sub(r"\\(begin|end)\{(align|gather)\*?\}", r"\\\1{\2ed}", tex)
    wrapped = re.fullmatch(r"\{\\(?:display|text)style\s*(.*)\}", tex)
    return re.sub(r"^\\(?:display|text)style\s*(?![A-Za-z])", "", wrapped[1] if wrapped else tex).strip()


def _mark_scripts(root: Element) -> bool:
    """<script type="math/tex">: MathJax's own form."""
    found = [script for script in root.iter("script") if (script.get("type") or "").startswith("math/tex")]
    for script in found:
        _put(script, script.text or "", block="display" in script.get("type"))
    return bool(found)


def _mark_wrapper(element: Element) -> None:
    """Elements that hold a formula in a form of their own; others stay."""
    own = classes(element)
    attribute = next((element.get(name) for name in _ATTRIBUTES if element.get(name)), None)
    math = next(element.iter("math"), None) if own & _WRAPPERS or element.tag == "mjx-container" else None
    parent = element.getparent()
    shown = element.get("display") == "true" or bool(own & {"display", "block", "amsmath", "mwe-math-element-block", "MathJax_Display"})
    if attribute and not attribute.lstrip().startswith("<"):
        _put(element, attribute, block=shown)
    elif math is not None:
        outer = classes(parent) if parent is not None else frozenset()
        _put(element, _of_math(math), block=shown or math.get("display") == "block" or "katex-display" in outer)
    elif ("math" in own and own & {"inline", "display", "block", "amsmath"}) or element.tag in ("eq", "eqn"):
        for label in list(element.iter("a")):  # links of a formula to itself
            remove(label)
        _put(element, "".join(element.itertext()), block=shown or element.tag in ("eqn", "div"))


def _of_math(math: Element) -> str:
    """The TeX of <math>: its annotation, its alternative text if that is TeX, or its own markup converted."""
    for note in math.iter("annotation"):
        if re.search(r"tex\b", note.get("encoding") or "", re.IGNORECASE) and (note.text or "").strip():
            return note.text or ""
    alternative = math.get("alttext") or ""
    if _TEX.search(alternative) or (math.get("class") or "").startswith("ltx_"):
        return alternative
    return tex_of(math) or alternative


def _mark_picture(picture: Element) -> None:
    """A picture of a formula, as older pages have them: its class or address says so, or its text is TeX."""
    text = (picture.get("alt") or "").strip()
    if not text:
        return
    source = picture.get("src") or ""
    meant = _PICTURE.search(picture.get("class") or "") or (not source.startswith("data:") and _SERVICE.search(source[:300]))
    delimited = re.fullmatch(r"\$.+\$|\\\(.+\\\)|\\\[.+\\\]", text, re.DOTALL)
    if delimited or (meant and (_TEX.search(text) or " " not in text)) or re.search(r"\\[A-Za-z]+\s*[{_^\\]|[\^_]\{", text):
        _put(picture, text, block=text.startswith((r"\[", "$$")) or "display" in (picture.get("class") or ""))


def _put(element: Element, tex: str, *, block: bool) -> None:
    tex = clean_tex(tex)
    if tex:
        replace(element, "tex", tex, display="block" if block else "inline")
    else:
        remove(element)
