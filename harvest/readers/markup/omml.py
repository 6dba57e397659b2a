"""Formulas of Word (Office Math, ECMA-376 part 1, chapter 22.1) to TeX."""

from __future__ import annotations

import re
from collections.abc import Callable

from harvest.readers.markup.parse import Element
from harvest.readers.markup.symbols import ACCENTS, FUNCTIONS, LARGE, in_tex, join, word

_BRACKETS = {"{": r"\{", "}": r"\}", "⟨": r"\langle ", "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ", "‖": r"\|", "": "."}
_WORDS = re.compile(r"[A-Za-z]{2,}|.", re.DOTALL)


def tex_of_office(element: Element) -> str:
    """The TeX of an element of Office Math."""
    name = _name(element)
    rule = _RULES.get(name)
    return rule(element) if rule else "" if name.endswith("Pr") else _row(element)


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _row(element: Element) -> str:
    return join([tex_of_office(child) for child in element])


def _part(element: Element, name: str) -> str:
    return next((_row(child).strip() for child in element if _name(child) == name), "")


def _value(element: Element, group: str, name: str) -> str | None:
    """The value of a property such as <m:naryPr><m:chr m:val="∑"/>; empty where it is set without one, None where it is not set."""
    for properties in element:
        if _name(properties) == group:
            for item in properties:
                if _name(item) == name:
                    return next(iter(item.attrib.values()), "")
    return None


def _run(element: Element) -> str:
    text = "".join(child.text or "" for child in element if _name(child) == "t")
    if _value(element, "rPr", "nor") is not None:
        return rf"\text{{{text}}}" if text.strip() else " "
    plain = _value(element, "rPr", "sty") == "p"
    return join([_token(piece, plain) for piece in _WORDS.findall(text)]) + (" " if text.endswith(" ") else "")


def _token(piece: str, upright: bool) -> str:
    """Letters side by side are factors, unless they are set upright or name a function."""
    return word(piece) if piece in FUNCTIONS or (upright and len(piece) > 1) else in_tex(piece)


def _base(element: Element) -> str:
    tex = _part(element, "e")
    return tex if re.fullmatch(r"\\[A-Za-z]+|[^{}\\]|", tex) else f"{{{tex}}}"


def _scripted(*signs: tuple[str, str]) -> Callable[[Element], str]:
    def rule(element: Element) -> str:
        return _base(element) + "".join(f"{sign}{{{_part(element, part)}}}" for sign, part in signs) + " "

    return rule


def _fraction(element: Element) -> str:
    if _value(element, "fPr", "type") == "noBar":
        return rf"{{{_part(element, 'num')} \atop {_part(element, 'den')}}}"
    return rf"\frac{{{_part(element, 'num')}}}{{{_part(element, 'den')}}}"


def _root(element: Element) -> str:
    degree = _part(element, "deg")
    return rf"\sqrt[{degree}]{{{_part(element, 'e')}}}" if degree else rf"\sqrt{{{_part(element, 'e')}}}"


def _large(element: Element) -> str:
    sign = _value(element, "naryPr", "chr")
    below, above = _part(element, "sub"), _part(element, "sup")
    limits = (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")
    return f"{in_tex('∫' if sign is None else sign).strip()}{limits} {_part(element, 'e')}"


def _delimited(element: Element) -> str:
    opening, closing = _value(element, "dPr", "begChr"), _value(element, "dPr", "endChr")
    opening, closing = "(" if opening is None else opening, ")" if closing is None else closing
    between = _value(element, "dPr", "sepChr")
    inner = ("|" if between is None else between).join(_row(child) for child in element if _name(child) == "e")
    return rf"\left{_BRACKETS.get(opening, opening)}{inner}\right{_BRACKETS.get(closing, closing)}"


def _function(element: Element) -> str:
    return f"{_part(element, 'fName')} {_part(element, 'e')}"


def _accent(element: Element) -> str:
    sign = _value(element, "accPr", "chr")
    return rf"\{ACCENTS.get(sign or '̂', 'hat')}{{{_part(element, 'e')}}}"


def _bar(element: Element) -> str:
    over = _value(element, "barPr", "pos") == "top"
    return rf"\{'overline' if over else 'underline'}{{{_part(element, 'e')}}}"


def _group(element: Element) -> str:
    sign = _value(element, "groupChrPr", "chr") or "⏟"
    return rf"\{ACCENTS.get(sign, 'underbrace')}{{{_part(element, 'e')}}}"


def _limit(sign: str, name: str) -> Callable[[Element], str]:
    def rule(element: Element) -> str:
        base, limit = _part(element, "e"), _part(element, "lim")
        if base in LARGE or re.match(r"\\(?:lim|max|min|sup|inf|under|over)", base):
            return f"{base}{sign}{{{limit}}} "
        return rf"\{name}{{{limit}}}{{{base}}}"

    return rule


def _matrix(element: Element) -> str:
    rows = [" & ".join(_row(cell) for cell in row if _name(cell) == "e") for row in element if _name(row) == "mr"]
    return r"\begin{matrix} " + r" \\ ".join(rows) + r" \end{matrix}"


def _array(element: Element) -> str:
    rows = [_row(child) for child in element if _name(child) == "e"]
    return r"\begin{aligned} " + r" \\ ".join(rows) + r" \end{aligned}"


def _before(element: Element) -> str:
    return f"{{}}_{{{_part(element, 'sub')}}}^{{{_part(element, 'sup')}}}{_base(element)} "


_RULES: dict[str, Callable[[Element], str]] = {
    "r": _run,
    "f": _fraction,
    "sSup": _scripted(("^", "sup")),
    "sSub": _scripted(("_", "sub")),
    "sSubSup": _scripted(("_", "sub"), ("^", "sup")),
    "sPre": _before,
    "rad": _root,
    "nary": _large,
    "d": _delimited,
    "func": _function,
    "acc": _accent,
    "bar": _bar,
    "groupChr": _group,
    "limLow": _limit("_", "underset"),
    "limUpp": _limit("^", "overset"),
    "m": _matrix,
    "eqArr": _array,
    "phant": lambda element: "",
}
