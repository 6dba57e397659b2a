r"""Chemical formulas of mhchem and chemformula in Unicode: `\ce{SO4^2-}` is SO₄²⁻."""

from __future__ import annotations

import re

from harvest.readers.tex.signs import SUBSCRIPTS, SUPERSCRIPTS

_ARROWS = {"<=>": "⇌", "<-->": "⇄", "<->": "↔", "->": "→", "<-": "←", "<=>>": "⇌", "<<=>": "⇌"}
_ARROW = re.compile(r"(<=>>|<<=>|<-->|<=>|<->|->|<-)(?:\[[^\]]*\]){0,2}")


def formula(text: str) -> str:
    """One formula or reaction, written in the input syntax of mhchem."""
    text = _ARROW.sub(lambda m: f" {_ARROWS[m[1]]} ", text.replace("$", "").replace("\\,", " "))
    text = re.sub(r"\^\{?([\d+-]+|\*)\}?", lambda m: m[1].translate(SUPERSCRIPTS), text)
    text = re.sub(r"_\{?([\d+-]+)\}?", lambda m: m[1].translate(SUBSCRIPTS), text)
    text = re.sub(r"(?<=[A-Za-z)\]])(\d+)", lambda m: m[1].translate(SUBSCRIPTS), text)
    text = re.sub(r"(?<=[A-Za-z₀-₉)\]])([+-])(?=\s|$)", lambda m: m[1].translate(SUPERSCRIPTS), text)
    text = re.sub(r"\\([a-zA-Z]+)\s*", r"\1", text)
    return re.sub(r"\s+", " ", re.sub(r"[{}_^]", "", text)).strip()
