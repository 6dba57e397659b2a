"""Pieces of a paragraph: raised and lowered signs, formulas between TeX's own delimiters, spaces between the pieces."""

from __future__ import annotations

import re

from harvest.readers.markup.formulas import clean_tex

_UP = dict(zip("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ", strict=True))
_DOWN = dict(zip("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎", strict=True))
_CITATION = re.compile(r"\[?\d{1,3}[a-z]?(?:\s*[,;–-]\s*\d{1,3}[a-z]?)*\]?")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|o|a|er|re|e|me|TM|SM)\Z")
# As MathJax finds formulas in the text of a page (https://docs.mathjax.org/en/latest/input/tex/delimiters.html).
_DELIMITED = re.compile(
    r"\\\((?P<inline>.{1,2000}?)\\\)|\\\[(?P<display>.{1,8000}?)\\\]|"
    r"(?P<environment>(?<!\$)\\begin\{(?P<name>equation|align|gather|multline|eqnarray)(?P<star>\*?)\}.{1,8000}?\\end\{(?P=name)(?P=star)\})",
    re.DOTALL,
)


def after_pieces(parts: list[str]) -> str:
    """The pieces of a paragraph as its text: single spaces, none at the ends of its lines, formulas between dollars."""
    text = re.sub(r"[ \t]+", " ", "".join(parts))
    text = re.sub(r" ?\n ?", "\n", text).strip()
    return _DELIMITED.sub(_in_dollars, text) if "\\" in text else text


def script(text: str, *, raised: bool, linked: bool) -> str:
    """A raised or lowered text: `m²`, `H₂O`, `10⁻³`, `1st`, a citation in brackets, else as TeX writes it."""
    text = text.strip()
    if not text or text.startswith("["):
        return text
    if raised and linked and _CITATION.fullmatch(text):
        return f"[{text}]"
    signs = _UP if raised else _DOWN
    plain = re.sub(r"\s", "", text)
    if all(sign in signs for sign in plain):
        return "".join(signs[sign] for sign in plain)
    if (raised and _ORDINAL.match(text)) or text in "*†‡§¶′″°®™©":
        return text
    return f"{'^' if raised else '_'}{{{text}}}" if len(text) < 40 else f" {text} "


def _in_dollars(match: re.Match[str]) -> str:
    if match["inline"] is not None:
        return f"${clean_tex(match['inline'])}$"
    return f"$${clean_tex(match['display'] or match['environment'])}$$"
