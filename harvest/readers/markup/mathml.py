"""MathML to TeX, for formulas that bring no TeX of their own (https://www.w3.org/TR/mathml-core/)."""

from __future__ import annotations

import re
from collections.abc import Callable

from harvest.readers.markup.parse import Element
from harvest.readers.markup.symbols import ACCENTS, LARGE, in_tex, join, word


def tex_of(element: Element) -> str:
    """The TeX of a MathML element."""
    rule = _RULES.get(element.tag)
    return rule(element) if rule else _row(element)


def _row(element: Element) -> str:
    return join([in_tex(_own(element)) if not len(element) else "", *(tex_of(child) for child in element)])


def _own(element: Element) -> str:
    return re.sub(r"\s+", " ", "".join(element.itertext())).strip()


def _argument(element: Element, at: int) -> str:
    """A child as the argument of a command; empty where it is missing."""
    return tex_of(element[at]).strip() if at < len(element) else ""


def _base(element: Element) -> str:
    """What a script hangs on: braced where it is more than one thing."""
    tex = _argument(element, 0)
    return tex if re.fullmatch(r"(?:\\[A-Za-z]+|[^{}\\]|\\mathrm\{\w+\}|)", tex) else f"{{{tex}}}"


def _scripts(lower: int | None, upper: int | None) -> Callable[[Element], str]:
    def rule(element: Element) -> str:
        below = f"_{{{_argument(element, lower)}}}" if lower and _argument(element, lower) else ""
        above = _argument(element, upper) if upper else ""
        prime = re.fullmatch(r"(?:\\prime ?|'|’)+", above)
        above = "'" * max(above.count("prime"), 1) if prime else f"^{{{above}}}" if above else ""
        return f"{_base(element)}{below}{above} "

    return rule


def _around(below: bool, above: bool) -> Callable[[Element], str]:
    r"""Something above or below: an accent, a limit of a sum, else \overset and \underset."""

    def rule(element: Element) -> str:
        base = _argument(element, 0)
        texts = [_own(child) for child in element]
        if len(texts) == 2 and texts[1] in ACCENTS:
            name = ACCENTS[texts[1]]
            return rf"\{'underline' if below and name == 'bar' else name}{{{base}}}"
        under, over = _argument(element, 1) if below else "", _argument(element, 1 + below) if above else ""
        if texts and (texts[0] in LARGE or re.match(r"\\(?:lim|max|min|sup|inf|det)", base)):
            return base + (f"_{{{under}}}" if under else "") + (f"^{{{over}}} " if over else " ")
        tex = rf"\underset{{{under}}}{{{base}}}" if under else base
        return rf"\overset{{{over}}}{{{tex}}}" if over else tex

    return rule


def _fenced(element: Element) -> str:
    inner = ", ".join(tex_of(child) for child in element)
    return rf"\left{in_tex(element.get('open', '('))}{inner}\right{in_tex(element.get('close', ')'))}"


def _table(element: Element) -> str:
    rows = [" & ".join(tex_of(cell) for cell in row) for row in element if row.tag in ("mtr", "mlabeledtr")]
    return r"\begin{matrix} " + r" \\ ".join(rows) + r" \end{matrix}"


def _text(element: Element) -> str:
    text = re.sub(r"\s+", " ", "".join(element.itertext()))
    return rf"\text{{{text}}}" if text.strip() else " "


def _operator(element: Element) -> str:
    text = _own(element)
    return word(text) if text.isalpha() and len(text) > 1 else in_tex(text)


def _prescripts(element: Element) -> str:
    """mmultiscripts: base, scripts below and above in turn, and after <mprescripts/> those in front."""
    before, after, side = "", "", False
    scripts = list(element)[1:]
    lower = True
    for child in scripts:
        if child.tag == "mprescripts":
            side, lower = True, True
            continue
        tex = tex_of(child).strip()
        written = f"{'_' if lower else '^'}{{{tex}}}" if tex else ""
        before, after, lower = (before + written, after, not lower) if side else (before, after + written, not lower)
    return f"{'{}' + before if before else ''}{_base(element)}{after} "


_RULES: dict[str, Callable[[Element], str]] = {
    "mi": lambda e: word(_own(e)),
    "mn": lambda e: in_tex(_own(e)),
    "mo": _operator,
    "mtext": _text,
    "ms": _text,
    "mspace": lambda e: " ",
    "mphantom": lambda e: "",
    "annotation": lambda e: "",
    "annotation-xml": lambda e: "",
    "mfrac": lambda e: rf"\frac{{{_argument(e, 0)}}}{{{_argument(e, 1)}}}",
    "msqrt": lambda e: rf"\sqrt{{{_row(e)}}}",
    "mroot": lambda e: rf"\sqrt[{_argument(e, 1)}]{{{_argument(e, 0)}}}",
    "msub": _scripts(1, None),
    "msup": _scripts(None, 1),
    "msubsup": _scripts(1, 2),
    "munder": _around(True, False),
    "mover": _around(False, True),
    "munderover": _around(True, True),
    "mmultiscripts": _prescripts,
    "mfenced": _fenced,
    "mtable": _table,
}
