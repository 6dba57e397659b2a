r"""Commands that define others, count, and set lengths."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.readers.tex.counters import STYLES
from harvest.readers.tex.names import FLOATS

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter


def number_in(reader: Interpreter, tokens: list[str]) -> int | None:
    r"""The value of some tokens: digits, \value{counter}, a macro that stands for digits; None where it cannot be told."""
    text = "".join(tokens).replace(" ", "")
    for match in re.finditer(r"\\(?:value|arabic)\{(\w+)\}|\\(?:c@|the)(\w+)", text):
        text = text.replace(match[0], str(reader.counters.values.get(match[1] or match[2], 0)))
    if (macro := reader.macros.commands.get(text[1:])) and not macro.parameters:
        text = "".join(macro.body)
    return sum(int(part) for part in re.findall(r"[-+]?\d{1,9}", text)) if re.fullmatch(r"[-+]?\d{1,9}(?:[-+]\d{1,9}){0,5}", text) else None


def _name(reader: Interpreter) -> str:
    return "".join(reader.source.argument()).strip()


def _new_counter(reader: Interpreter) -> None:
    name = _name(reader)
    within = reader.source.option()
    reader.counters.new(name, "".join(within).strip() if within else "")


def _set_counter(*, add: bool) -> Command:
    def run(reader: Interpreter) -> None:
        name = _name(reader)
        value = number_in(reader, reader.source.argument())
        if value is not None and name in reader.counters.values:
            reader.counters.set(name, value + (reader.counters.values[name] if add else 0))

    return run


def _step(reader: Interpreter) -> None:
    reader.counters.step(_name(reader))


def _step_and_name(reader: Interpreter) -> None:
    reader.number(_name(reader))


def _within(reader: Interpreter) -> None:
    r"""\numberwithin{equation}{section} and \counterwithin."""
    bare = reader.source.star()
    reader.source.option()
    name, within = _name(reader), _name(reader)
    reader.counters.new(name, within, prefixed=not bare)


def _without(reader: Interpreter) -> None:
    reader.source.star()
    name, _ = _name(reader), _name(reader)
    reader.counters.without(name)


def _styled(style: str) -> Command:
    def run(reader: Interpreter) -> None:
        reader.write(STYLES[style](reader.counters.values.get(_name(reader), 0)))

    return run


def _value(reader: Interpreter) -> None:
    reader.write(str(reader.counters.values.get(_name(reader), 0)))


def _new_length(reader: Interpreter) -> None:
    reader.lengths.add(reader.source.control_name())


def _new_register(reader: Interpreter) -> None:
    r"""\newdimen\foo, \newcount\foo, \newtoks\foo."""
    reader.lengths.add(reader.source.control_name())


def _font(reader: Interpreter) -> None:
    r"""\font\eightrm=cmr8 at 8truept."""
    name = reader.source.control_name()
    reader.source.skip_match(re.compile(r"\s*=?\s*[\w-]+(?:\s*(?:scaled|at)\s*(?:\\[A-Za-z]+|[\d.]+\s*(?:true)?\s*[a-z]{0,2}))?\s?"))
    reader.macros.define(name, (), [])


def _advance(reader: Interpreter) -> None:
    r"""\advance\foo by 3pt."""
    reader.source.control_name()
    reader.source.skip_match(re.compile(r"\s*(?:by)?\s*"))
    if reader.source.peek() in ("by", " "):
        reader.source.next()
    reader.source.assignment()


def _set_box(reader: Interpreter) -> None:
    r"""\setbox0=\hbox{...}: a box that is not shown here."""
    reader.source.assignment()
    if reader.source.peek() in ("\\hbox", "\\vbox", "\\vtop"):
        reader.source.next()
        if reader.source.peek() == "{":
            reader.source.argument()


def _category(reader: Interpreter) -> None:
    r"""\catcode`\@=11 and the like."""
    if reader.source.skip_match(re.compile(r"\s*(?:`\\?.|\d+)\s*=?\s*(?:\d+|\\active|\\z@|`\\?.)?\s?")) is None:
        sign = reader.source.next()
        if sign is not None and sign[0] not in "`'0123456789":
            reader.source.back(sign)


def _box(reader: Interpreter) -> None:
    r"""\hbox to 3cm{...}: the text in it."""
    reader.source.skip_match(re.compile(r"\s*(?:to|spread)\s*(?:[-\d.]*\s*\\[A-Za-z@]+|[-\d.]+\s*[a-z]{2})\s*(?=\{)"))


def _new_float(reader: Interpreter) -> None:
    r"""\newfloat{name}{placement}{ext}[within], \DeclareFloatingEnvironment[..]{name}."""
    name = _name(reader)
    reader.skip("mmo")
    if name not in FLOATS and name.isalpha():
        reader.counters.new(name)


def _start_section(reader: Interpreter) -> None:
    r"""\@startsection{section}{1}{..}{..}{..}{style}*[..]{title}: a section under another name."""
    name = _name(reader)
    reader.skip("mmmmm")
    reader.source.push(["\\" + name] if name in ("section", "subsection", "subsubsection", "paragraph", "chapter") else [])


def _csname(reader: Interpreter) -> None:
    name = reader.source.until_endcsname()
    if re.fullmatch(r"[A-Za-z@*]+[\w@:*.-]*", name):
        reader.source.push(["\\" + name])


def _author_year_options(reader: Interpreter) -> None:
    r"""\PassOptionsToPackage{numbers}{natbib}."""
    options, name = _name(reader), _name(reader)
    if name == "natbib" and re.search(r"numbers|super", options):
        reader.citations.author_year = False


_NEW = lambda reader: reader.macros.newcommand(reader.source)  # noqa: E731
COMMANDS: dict[str, Command] = {
    **dict.fromkeys(("newcommand", "renewcommand", "DeclareRobustCommand", "newrobustcmd", "renewrobustcmd"), _NEW),
    "providecommand": lambda reader: reader.macros.newcommand(reader.source, only_if_new=True),
    **dict.fromkeys(
        [f"{verb}{kind}DocumentCommand" for verb in ("New", "Renew", "Declare", "Provide") for kind in ("", "Expandable")],
        lambda reader: reader.macros.xparse(reader.source),
    ),
    **dict.fromkeys(
        [f"{verb}DocumentEnvironment" for verb in ("New", "Renew", "Declare", "Provide")],
        lambda reader: reader.macros.xparse_environment(reader.source),
    ),
    **dict.fromkeys(("def", "gdef", "edef", "xdef"), lambda reader: reader.macros.definition(reader.source)),
    **dict.fromkeys(("let", "futurelet", "glet"), lambda reader: reader.macros.let(reader.source)),
    "DeclareMathOperator": lambda reader: reader.macros.operator(reader.source),
    "DeclarePairedDelimiter": lambda reader: reader.macros.paired(reader.source),
    **dict.fromkeys(("newenvironment", "renewenvironment"), lambda reader: reader.macros.environment(reader.source)),
    "newif": lambda reader: reader.macros.condition(reader.source),
    "csname": _csname,
    "newcounter": _new_counter,
    "setcounter": _set_counter(add=False),
    "addtocounter": _set_counter(add=True),
    "stepcounter": _step,
    "refstepcounter": _step_and_name,
    **dict.fromkeys(("numberwithin", "counterwithin"), _within),
    "counterwithout": _without,
    **{name: _styled(name) for name in STYLES},
    "value": _value,
    "newlength": _new_length,
    **dict.fromkeys(("newdimen", "newskip", "newcount", "newtoks", "newmuskip"), _new_register),
    "font": _font,
    "advance": _advance,
    "setbox": _set_box,
    "catcode": _category,
    **dict.fromkeys(("hbox", "vbox", "vtop"), _box),
    "newfloat": _new_float,
    "@startsection": _start_section,
    "PassOptionsToPackage": _author_year_options,
}
