r"""Acronyms and glossary entries (packages acronym, acro, glossaries), written out where they are used first."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.readers.tex.marks import Marks
from harvest.readers.tex.tokens import tokens_of

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

_KEYS = re.compile(r"([\w-]+)\s*=\s*(\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|[^,{}]*)")


@dataclass(slots=True)
class Term:
    """One entry: short and long form (equal for a glossary's own words), their plurals, and its description."""

    short: str
    long: str
    shorts: str
    longs: str
    description: str = ""
    is_acronym: bool = True


class Acronyms:
    """The terms of one document; how one is printed depends on whether it was used before."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self.terms: dict[str, Term] = {}
        self.used: set[str] = set()  # written out already, at this point of the text
        self.seen: dict[str, None] = {}  # used anywhere

    def define(self, key: str, term: Term) -> None:
        """A term by its key; the first definition stays."""
        self.terms.setdefault(key, term)

    def use(self, key: str, form: str, *, many: bool = False, capital: bool = False) -> str:
        """A mark for a term: form is "" (as the first use or a later one asks), short, long or full."""
        self.seen.setdefault(key)
        first = key not in self.used
        if form in ("", "full"):
            self.used.add(key)
        return self._marks.later(lambda: self._printed(key, form or ("full" if first else "short"), many=many, capital=capital))

    def _printed(self, key: str, form: str, *, many: bool, capital: bool) -> str:
        term = self.terms.get(key)
        if term is None:
            return key
        short, long = (term.shorts, term.longs) if many else (term.short, term.long)
        text = long if form == "long" else short if form == "short" or not term.is_acronym else f"{long} ({short})"
        return text[:1].upper() + text[1:] if capital else text


def _plural(word: str) -> str:
    return word + "s" if word else ""


def _acro(reader: Interpreter) -> None:
    r"""\acro{key}[short]{long} inside the acronym environment, \acrodef and \newacro anywhere."""
    key = "".join(reader.source.argument()).strip()
    option = reader.source.option()
    short = reader.inline(option) if option else key
    long = reader.inline(reader.source.argument())
    reader.acronyms.define(key, Term(short, long, _plural(short), _plural(long)))


def _listed_acro(reader: Interpreter) -> None:
    r"""\acro inside the acronym environment prints a line of a list; with printonlyused, where the acronym is used at all."""
    name = reader.source.argument()
    reader.source.push(["{", *name, "}"])
    _acro(reader)
    key = "".join(name).strip()
    if any(group.name == "acronym" for group in reader.groups):
        always = "printonlyused" not in reader.packages.options.get("acronym", "")
        term = reader.acronyms.terms[key]
        reader.block(reader.marks.later(lambda: f"- {term.short}: {term.long}" if always or key in reader.acronyms.seen else ""))


def _plural_forms(reader: Interpreter) -> None:
    r"""\acrodefplural{key}[shorts]{longs}."""
    key = "".join(reader.source.argument()).strip()
    option = reader.source.option()
    longs = reader.inline(reader.source.argument())
    if term := reader.acronyms.terms.get(key):
        term.longs = longs
        term.shorts = reader.inline(option) if option else term.shorts


def _new_acronym(reader: Interpreter) -> None:
    r"""\newacronym[options]{key}{short}{long} of glossaries."""
    keys = _settings(reader, reader.source.option() or [])
    key = "".join(reader.source.argument()).strip()
    short, long = reader.inline(reader.source.argument()), reader.inline(reader.source.argument())
    shorts = keys.get("shortplural") or keys.get("plural") or _plural(short)
    reader.acronyms.define(key, Term(short, long, shorts, keys.get("longplural") or _plural(long), long))


def _glossary_entry(reader: Interpreter) -> None:
    r"""\newglossaryentry{key}{name=..., plural=..., description=...}."""
    key = "".join(reader.source.argument()).strip()
    keys = _settings(reader, reader.source.argument())
    name = keys.get("text") or keys.get("name") or key
    many = keys.get("plural") or _plural(name)
    reader.acronyms.define(key, Term(name, name, many, many, keys.get("description", ""), is_acronym=False))


def _long_glossary_entry(reader: Interpreter) -> None:
    key = "".join(reader.source.argument()).strip()
    keys = _settings(reader, reader.source.argument())
    name = keys.get("name") or key
    many = keys.get("plural") or _plural(name)
    reader.acronyms.define(key, Term(name, name, many, many, reader.inline(reader.source.argument()), is_acronym=False))


def _declare(reader: Interpreter) -> None:
    r"""\DeclareAcronym{key}{short=..., long=...} of acro."""
    key = "".join(reader.source.argument()).strip()
    keys = _settings(reader, reader.source.argument())
    short, long = keys.get("short") or key, keys.get("long") or key
    shorts, longs = short + keys.get("short-plural", "s"), long + keys.get("long-plural", "s")
    reader.acronyms.define(key, Term(short, long, shorts, keys.get("long-plural-form") or longs, long))


def _settings(reader: Interpreter, tokens: list[str]) -> dict[str, str]:
    """Keys and their values as text."""
    found = {}
    for match in _KEYS.finditer("".join(_spaced(tokens))):
        value = match[2].strip()
        value = value[1:-1] if value.startswith("{") and value.endswith("}") else value
        found[match[1]] = reader.inline(tokens_of(value))
    return found


def _spaced(tokens: list[str]) -> list[str]:
    return [sign + " " if sign[0] == "\\" and sign[-1].isalpha() else sign for sign in tokens]


def _use(form: str, *, many: bool = False, capital: bool = False) -> Command:
    def run(reader: Interpreter) -> None:
        reader.source.star()
        reader.source.option()
        key = "".join(reader.source.argument()).strip()
        following = reader.source.option() if reader.source.follows("[") else None
        reader.write(reader.acronyms.use(key, form, many=many, capital=capital))
        if following:
            reader.write(reader.inline(following))

    return run


def _linked(reader: Interpreter) -> None:
    r"""\glslink{key}{text} and \glsdisp: the text."""
    reader.source.option()
    reader.acronyms.seen.setdefault("".join(reader.source.argument()).strip())


def _description(reader: Interpreter) -> None:
    key = "".join(reader.source.argument()).strip()
    reader.write(reader.marks.later(lambda: term.description if (term := reader.acronyms.terms.get(key)) else ""))


def _reset(reader: Interpreter) -> None:
    reader.acronyms.used.clear()


def _print(title: str, *, acronyms: bool | None) -> Command:
    """The list of what was used, with descriptions; `acronyms` tells which (None: all)."""

    def run(reader: Interpreter) -> None:
        reader.source.option()
        terms = [term for key, term in reader.acronyms.terms.items() if key in reader.acronyms.seen]
        wanted = [term for term in terms if term.description and acronyms in (None, term.is_acronym)]
        if wanted:
            reader.heading(title, 1)
        for term in sorted(wanted, key=lambda term: term.short.lower()):
            reader.block(f"- {term.short}: {term.description.rstrip('. ')}")

    return run


def _kinds() -> dict[str, Callable[[Interpreter], None]]:
    """All spellings: \\ac and \\gls with their endings for short, long, full forms and plurals, and with a capital."""
    forms = {"s": "short", "l": "long", "f": "full", "": ""}
    found: dict[str, Callable[[Interpreter], None]] = {}
    for ending, form in forms.items():
        for p, many in (("", False), ("p", True)):
            found[f"ac{ending}{p}"] = _use(form, many=many)
            found[f"Ac{ending}{p}"] = _use(form, many=many, capital=True)
    for form in ("short", "long", "full"):
        for pl, many in (("", False), ("pl", True)):
            found[f"acr{form}{pl}"] = found[f"glsxtr{form}{pl}"] = _use(form, many=many)
            found[f"Acr{form}{pl}"] = found[f"Glsxtr{form}{pl}"] = _use(form, many=many, capital=True)
    for pl, many in (("", False), ("pl", True)):
        found |= {f"gls{pl}": _use("", many=many), f"Gls{pl}": _use("", many=many, capital=True), f"GLS{pl}": _use("", many=many)}
    return found


COMMANDS: dict[str, Command] = {
    **_kinds(),
    **dict.fromkeys(("acsu", "glstext", "glsname", "acrotext"), _use("short")),
    **dict.fromkeys(("aclu", "glsfirst"), _use("long")),
    **dict.fromkeys(("Glsname", "Glstext"), _use("short", capital=True)),
    "glsplural": _use("short", many=True),
    "glssymbol": lambda reader: reader.skip("om"),
    "acro": _listed_acro,
    "acrodef": _acro,
    "newacro": _acro,
    "acrodefplural": _plural_forms,
    "newacroplural": _plural_forms,
    "acroextra": lambda reader: None,
    "newacronym": _new_acronym,
    "newabbreviation": _new_acronym,
    "newglossaryentry": _glossary_entry,
    "longnewglossaryentry": _long_glossary_entry,
    "DeclareAcronym": _declare,
    **dict.fromkeys(("glslink", "glsdisp"), _linked),
    "glsdesc": _description,
    **dict.fromkeys(("acresetall", "glsresetall"), _reset),
    **dict.fromkeys(("printglossary", "printglossaries", "printnoidxglossaries", "printnoidxglossary"), _print("Glossary", acronyms=None)),
    **dict.fromkeys(("printacronyms", "printabbreviations"), _print("Acronyms", acronyms=True)),
}
