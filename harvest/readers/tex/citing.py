r"""Labels, references and citations as commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.readers.tex import names
from harvest.readers.tex.citations import Cite

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

_NO_SPACE = ("citeauthor", "citeyear", "citeyearpar", "citedate", "citenum")


def _cite(name: str) -> Command:
    several = name.lower() in ("cites", "parencites", "textcites", "autocites")

    def run(reader: Interpreter) -> None:
        reader.source.star()
        first, second = reader.source.option(), reader.source.option()
        before = reader.inline(first) if first and second is not None else ""
        last = first if second is None else second
        after = reader.inline(last) if last else ""
        keys = _keys(reader.source.argument())
        while several and reader.source.peek() in ("{", "["):
            reader.skip("oo")
            keys += _keys(reader.source.argument())
        if name.lower() not in _NO_SPACE and not reader.hidden:
            reader.flow.space()
        reader.write(reader.citations.cite(Cite(name, keys, before, after)) if keys else "")

    return run


def _keys(tokens: list[str]) -> tuple[str, ...]:
    return tuple(key for part in "".join(tokens).split(",") if (key := re.sub(r"\s+", " ", part.strip())))


def _reference(style: str) -> Command:
    def run(reader: Interpreter) -> None:
        reader.source.star()
        reader.source.option()
        reader.write(reader.references.reference("".join(reader.source.argument()), style))

    return run


def _range(style: str) -> Command:
    r"""\crefrange{first}{last}."""

    def run(reader: Interpreter) -> None:
        reader.source.star()
        first, last = ("".join(reader.source.argument()) for _ in range(2))
        reader.write(reader.references.reference(first, style, last))

    return run


def _label(reader: Interpreter) -> None:
    reader.source.option()
    reader.references.label("".join(reader.source.argument()))


def _phantom_section(reader: Interpreter) -> None:
    r"""\phantomsection: an anchor without a number."""


def _names(*, capital: bool) -> Command:
    def run(reader: Interpreter) -> None:
        kind = "".join(reader.source.argument()).strip()
        forms = reader.inline(reader.source.argument()), reader.inline(reader.source.argument())
        (reader.references.capital_names if capital else reader.references.names)[kind] = forms
        if capital:
            reader.references.names.setdefault(kind, forms)

    return run


def _cite_style(reader: Interpreter) -> None:
    r"""\setcitestyle{numbers,square}."""
    options = "".join(reader.source.argument())
    if re.search(r"\b(?:numbers|super)\b", options):
        reader.citations.author_year = False
    elif "authoryear" in options:
        reader.citations.author_year = True


def _define_alias(reader: Interpreter) -> None:
    r"""\defcitealias{key}{text}: \citetalias{key} prints the text."""
    key = "".join(reader.source.argument()).strip()
    reader.cite_aliases[key] = reader.inline(reader.source.argument())


def _alias(reader: Interpreter) -> None:
    reader.skip("oo")
    keys = _keys(reader.source.argument())
    reader.write(", ".join(reader.cite_aliases.get(key, "") for key in keys))


COMMANDS: dict[str, Command] = {
    **{name: _cite(name) for name in names.CITES},
    **{name: _reference(style) for name, style in names.REFS.items()},
    "crefrange": _range("cref"),
    "Crefrange": _range("Cref"),
    "label": _label,
    "phantomsection": _phantom_section,
    "crefname": _names(capital=False),
    "Crefname": _names(capital=True),
    "setcitestyle": _cite_style,
    "defcitealias": _define_alias,
    "citetalias": _alias,
    "citepalias": _alias,
}
