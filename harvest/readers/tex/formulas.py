r"""Formulas as text: what their rows stand in, their numbers, quantities inside them."""

from __future__ import annotations

import re

from harvest.readers.tex.names import MATH_ENVIRONMENTS


def displayed(text: str, environment: str = "") -> str:
    r"""A formula of several rows or columns inside the environment that shows them within $$."""
    outer = _without_inner(text)
    rows, columns = "\\\\" in outer, re.search(r"(?<!\\)&", outer) is not None
    shown = MATH_ENVIRONMENTS[environment][1] if environment in MATH_ENVIRONMENTS else "aligned"
    if not rows and not columns:
        return text
    if shown == "eqnarray":
        return f"\\begin{{array}}{{rcl}} {text} \\end{{array}}"
    shown = shown if not columns or shown != "gathered" else "aligned"
    return f"\\begin{{{shown or 'aligned'}}} {text} \\end{{{shown or 'aligned'}}}"


def tag(numbers: list[str]) -> str:
    r"""The numbers printed beside a formula as one \tag; empty if there are none."""
    text = numbers[0] if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}" if numbers else ""
    return f" \\tag{{{text}}}" if text else ""


def _without_inner(text: str) -> str:
    """The formula without its inner environments and groups, whose rows and columns are their own."""
    out: list[str] = []
    depth = 0
    for match in re.finditer(r"\\(?P<which>begin|end)\s*\{[^{}]*\}|\\.|[{}]|[^\\{}]+", text, re.DOTALL):
        piece = match["which"] or match[0]
        if piece in ("begin", "{"):
            depth += 1
        elif piece in ("end", "}"):
            depth -= 1
        elif depth <= 0:
            out.append(piece)
    return "".join(out)


def quantity(text: str) -> list[str]:
    """A number with its unit inside a formula."""
    match = re.match(r"^([-+−±×.,\d() ⁰¹²³⁴⁵⁶⁷⁸⁹⁻]*)(.*)$", text)
    if not match or not match[2]:
        return [text]
    return [match[1].strip(), "\\,\\mathrm{" if match[1].strip() else "\\mathrm{", match[2].replace("%", "\\%").replace(" ", "\\,"), "}"]


def joined(parts: list[str]) -> str:
    """Tokens as text; a control word is kept apart from a letter that follows."""
    out: list[str] = []
    word = False
    for part in parts:
        if word and part[:1].isalpha():
            out.append(" ")
        out.append(part)
        word = part[:1] == "\\" and part[-1:].isalpha() and part.isascii()
    return re.sub(r"\s+", " ", "".join(out)).strip()
