r"""Theorems and their kin: \newtheorem, and the environments it makes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter


def open_theorem(reader: Interpreter, name: str) -> None:
    r"""\begin{theorem}[note]: "Theorem 2 (note). ..."."""
    reader.paragraph()
    note = reader.source.option()
    title, counter = reader.theorems[name]
    number = reader.number(counter, name) if counter else ""
    reader.open(name)
    head = f"{title} {number}".strip()
    reader.write(f"{head} ({reader.inline(note)}). " if note else f"{head}. " if head else "")


def open_proof(reader: Interpreter, name: str) -> None:
    r"""\begin{proof}[title]."""
    reader.paragraph()
    note = reader.source.option()
    title = reader.inline(note) if note else reader.word("proof")
    reader.open(name, reader.paragraph)
    reader.write(f"{title.rstrip('.')}. ")


def _new_theorem(reader: Interpreter) -> None:
    r"""\newtheorem{name}[shared]{Title}[within]."""
    starred = reader.source.star()
    name = "".join(reader.source.argument()).strip()
    shared = reader.source.option()
    title = reader.inline(reader.source.argument())
    within = reader.source.option()
    counter = "" if starred else "".join(shared).strip() if shared else name
    _define(reader, name, title, counter, "".join(within).strip() if within else "")


def _declare_theorem(reader: Interpreter) -> None:
    r"""\declaretheorem[name=Title, numbered=no, sibling=other, within=section]{name} of thmtools."""
    options = "".join(reader.source.option() or [])
    name = "".join(reader.source.argument()).strip()
    keys = {key: value.strip(" {}") for key, value in re.findall(r"(\w+)\s*=\s*(\{[^{}]*\}|[^,]*)", options)}
    counter = "" if keys.get("numbered") == "no" else keys.get("sibling") or keys.get("numberlike") or keys.get("sharenumber") or name
    title = keys.get("name") or keys.get("title") or name.capitalize()
    _define(reader, name, title, counter, keys.get("within") or keys.get("numberwithin") or "")


def _springer_theorem(reader: Interpreter) -> None:
    r"""\spnewtheorem{name}[shared]{Title}{font}{font}."""
    _new_theorem(reader)
    reader.skip("mm")


def _define(reader: Interpreter, name: str, title: str, counter: str, within: str) -> None:
    reader.theorems[name] = (title, counter)
    reader.references.titles[name] = title
    if counter == name:
        reader.counters.new(name, within, prefixed=True)


COMMANDS: dict[str, Command] = {
    "newtheorem": _new_theorem,
    "spnewtheorem": _springer_theorem,
    "declaretheorem": _declare_theorem,
    "newproof": _new_theorem,
    "newdefinition": _new_theorem,
}
