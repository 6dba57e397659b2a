"""Formulas: the LaTeX between their signs, with the document's own macros expanded and layout commands gone."""

from __future__ import annotations

import re
from typing import Protocol

from harvest.readers.tex.macros import Macros
from harvest.readers.tex.tokens import BARRIER, PAR, Input
from harvest.readers.tex.units import number, unit

_DROPPED = {
    "vspace": 1,
    "hspace": 1,
    "phantom": 1,
    "hphantom": 1,
    "vphantom": 1,
    "color": 1,
    "footnote": 1,
    "nonumber": 0,
    "notag": 0,
    "displaystyle": 0,
    "textstyle": 0,
    "ensuremath": 0,
    "allowbreak": 0,
    "nobreak": 0,
    "noalign": 1,
    "hfill": 0,
    "newline": 0,
    "relax": 0,
    "protect": 0,
    "index": 1,
    "textcolor": 1,
    "mathstrut": 0,
    "strut": 0,
    "null": 0,
    "limits": 0,
    "xspace": 0,
    "centering": 0,
    "cite": 1,
    "scriptstyle": 0,
}
_MAX_FORMULA = 50_000


class Labels(Protocol):
    """Where labels and references of a formula go."""

    def label(self, name: str) -> None:
        """Note a label."""

    def reference(self, name: str, style: str) -> str:
        """The mark that stands for a reference."""


def formula(source: Input, macros: Macros, labels: Labels, ending: str) -> tuple[str, bool]:
    r"""Read a formula up to `ending` (`$`, `$$`, `\)`, `\]` or the name of an environment).

    Returns its LaTeX and whether it was closed; one that is not closed ends with its paragraph.
    """
    out: list[str] = []
    nested = depth = 0
    while (sign := source.next()) is not None and sign is not BARRIER:
        if sign is PAR:
            if ending[0] in "$\\":
                source.back(sign)
                return _joined(out), False
        elif sign == ending and depth <= 0:
            return _joined(out), True
        elif sign == "$$" and ending == "$" and depth <= 0:
            source.back("$")
            return _joined(out), True
        elif sign == "\\begin":
            nested += 1
            out.append(f"\\begin{{{_word(source)}}}")
        elif sign == "\\end":
            name = _word(source)
            if not nested:
                if name != ending:
                    source.push(["\\end", "{", name, "}"])
                return _joined(out), name == ending
            nested -= 1
            out.append(f"\\end{{{name}}}")
        elif sign[0] == "\\":
            out += _command(sign, source, macros, labels)
        else:
            depth += (sign == "{") - (sign == "}")
            out.append(sign)
    if sign is not None:
        source.back(sign)
    return _joined(out), False


def aligned(text: str) -> str:
    """A formula of several rows or columns as one that stands alone."""
    outer = re.sub(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", "", text, flags=re.DOTALL) if len(text) < _MAX_FORMULA else text
    if not re.search(r"(?<!\\)&|\\\\", outer):
        return text
    return f"\\begin{{aligned}} {text} \\end{{aligned}}"


def _command(sign: str, source: Input, macros: Macros, labels: Labels) -> list[str]:
    name = sign[1:]
    name = macros.aliases.get(name, name)
    if name in macros.commands:
        macros.expand(macros.commands[name], source)
        return []
    if name == "label":
        labels.label(_argument_text(source))
        return []
    if name in ("ref", "eqref", "cref"):
        return [labels.reference(_argument_text(source), "()" if name == "eqref" else "")]
    if name in ("SI", "qty", "num", "si", "unit", "SIrange"):
        return [quantity(name, source).replace("%", "\\%")]
    if name in _DROPPED:
        source.star()
        for _ in range(_DROPPED[name]):
            source.argument()
        return []
    if name == "intertext":
        return ["\\text{", *source.argument(), "}"]
    return ["\\" + name]


def quantity(name: str, source: Input) -> str:
    r"""What a siunitx command prints."""
    source.option()
    first = source.argument()
    if name in ("si", "unit"):
        return unit(first)
    value = number("".join(first))
    if name == "num":
        return value
    if name == "SIrange":
        value = f"{value} to {number(''.join(source.argument()))}"
    symbol = unit(source.argument())
    return f"{value}{'' if symbol in ('°', '%', '′', '″') else ' '}{symbol}"


def _word(source: Input) -> str:
    return "".join(source.argument())[:60]


def _argument_text(source: Input) -> str:
    return "".join(source.argument())


def _joined(parts: list[str]) -> str:
    """Tokens as text; a control word is kept apart from a letter that follows."""
    out: list[str] = []
    word = False
    for part in parts:
        if word and part[:1].isalpha():
            out.append(" ")
        out.append(part)
        word = part[0] == "\\" and part[-1].isalpha() and part.isascii()
    return re.sub(r"\s+", " ", "".join(out)).strip()
