r"""\begin and \end: floats, tables, lists, theorems, formulas, code, what is dropped whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harvest.readers.extract import Block
from harvest.readers.tex import names
from harvest.readers.tex.bibliography import open_bibliography
from harvest.readers.tex.code import code, pseudocode
from harvest.readers.tex.flow import Flow, Table
from harvest.readers.tex.lists import open_list
from harvest.readers.tex.math import formula
from harvest.readers.tex.references import Label
from harvest.readers.tex.theorems import open_proof, open_theorem
from harvest.readers.tex.tokens import BARRIER

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

Environment = Callable[["Interpreter", str], None]


def begin(reader: Interpreter) -> None:
    r"""\begin{name}."""
    name = "".join(reader.source.argument()).strip()[:60]
    if name in names.DROPPED:
        skip_to_end(reader, name)
    elif name in reader.code_environments:
        code(reader, name)
    elif name in reader.macros.environments:
        reader.open("own " + name)
        reader.macros.expand(reader.macros.environments[name][0], reader.source)
    elif name in reader.theorems:
        open_theorem(reader, name)
    elif name in reader.list_types:
        open_list(reader, name)
    elif name in ENVIRONMENTS:
        ENVIRONMENTS[name](reader, name)
    else:
        _group(reader, name)


def end(reader: Interpreter) -> None:
    r"""\end{name}."""
    name = "".join(reader.source.argument()).strip()[:60]
    if name in reader.macros.environments and any(group.name == "own " + name for group in reader.groups):
        reader.source.push([*reader.macros.environments[name][1], "\\end", "{", "own " + name, "}"])
    elif name == "document":
        _end_document(reader)
    else:
        reader.close(name)
        if name in names.BREAKING or name in reader.theorems:
            reader.paragraph()


def _group(reader: Interpreter, name: str) -> None:
    if name in names.ENVIRONMENT_ARGUMENTS:
        reader.skip(names.ENVIRONMENT_ARGUMENTS[name])
    else:
        reader.skip_settings()
    if name in names.BREAKING:
        reader.paragraph()
    reader.open(name)


def _float(reader: Interpreter, name: str) -> None:
    before, captioned, pseudo = reader.float, reader.captioned, reader.pseudocode
    reader.skip(names.ENVIRONMENT_ARGUMENTS.get(name, ""))
    reader.float = names.FLOATS[name]
    reader.captioned = captioned and reader.float.startswith("sub")
    reader.open_flow(name, Flow())
    if reader.float == "algorithm" and reader.packages.has("algorithm2e"):
        reader.pseudocode = "algorithm2e"
    close = reader.groups[-1].end

    def closed() -> None:
        reader.float, reader.captioned, reader.pseudocode = before, captioned, pseudo
        if close:
            close()

    reader.groups[-1].end = closed


def _table(reader: Interpreter, name: str) -> None:
    reader.skip(names.TABLES[name])
    reader.open_flow(name, Table())
    if name.startswith(("long", "xlt", "super", "xtab")):
        before = reader.float
        reader.float = "table"
        close = reader.groups[-1].end

        def closed() -> None:
            reader.float = before
            if close:
                close()

        reader.groups[-1].end = closed


def _abstract(reader: Interpreter, name: str) -> None:
    reader.skip(names.ENVIRONMENT_ARGUMENTS.get(name, ""))
    if any(group.name == "document" for group in reader.groups):
        reader.heading(reader.word("abstract"), 1)
        reader.open(name, reader.paragraph)
        return
    flow = Flow()  # JACoW and others: before the document begins

    def closed() -> None:
        reader.flows.pop()
        flow.paragraph()
        if flow.blocks:
            reader.front += [Block(reader.word("abstract"), 3), *flow.blocks]

    reader.flows.append(flow)
    reader.open(name, closed)


def _keyword(reader: Interpreter, name: str) -> None:
    """Key words, which some templates leave empty."""
    flow = Flow()

    def closed() -> None:
        while reader.flows[-1] is not flow and len(reader.flows) > 1:
            reader.close_flow()
        if len(reader.flows) > 1:
            reader.flows.pop()
        if text := flow.line():
            reader.aside(f"{reader.word('keywords').capitalize()}: {text}")

    reader.paragraph()
    reader.flows.append(flow)
    reader.open(name, closed)


def _titled(title: str) -> Environment:
    def run(reader: Interpreter, name: str) -> None:
        reader.heading(title, 1)
        reader.open(name, reader.paragraph)

    return run


def _formula(reader: Interpreter, name: str) -> None:
    reader.skip(names.ENVIRONMENT_ARGUMENTS.get(name, ""))
    found = formula(reader, environment=name)
    if name == "math":
        reader.write(f"${found.text}$" if found.text else "")
    else:
        reader.display(found.pieces, found.numbers, name)


def _subequations(reader: Interpreter, name: str) -> None:
    counters = reader.counters
    number = reader.number("equation")
    counters.parents.append((number, counters.values["equation"]))
    counters.values["equation"] = 0
    reader.references.now = Label("equation", number)

    def closed() -> None:
        if counters.parents:
            counters.values["equation"] = counters.parents.pop()[1]

    reader.open(name, closed)


def _appendices(reader: Interpreter, name: str) -> None:
    reader.skip(names.ENVIRONMENT_ARGUMENTS.get(name, ""))
    reader.counters.begin_appendix()
    reader.open(name)


def _document(reader: Interpreter, name: str) -> None:
    if len(reader.flows) == 1 and not any(group.name == "document" for group in reader.groups):
        reader.flows[0] = Flow()  # the preamble has no text
        reader.groups.clear()
    reader.open(name)


def _end_document(reader: Interpreter) -> None:
    if len(reader.source.open_files) <= 1:
        while reader.source.end_file():
            pass
    else:  # of a file that was included whole
        reader.source.end_file()


def skip_to_end(reader: Interpreter, name: str) -> None:
    r"""Read past an environment without looking at it."""
    if reader.source.raw_until(f"\\end{{{name}}}") is not None:
        return
    while (sign := reader.source.next()) is not None and sign is not BARRIER:
        if sign == "\\end" and "".join(reader.source.argument()).strip() == name:
            return
    if sign is not None:
        reader.source.back(sign)


ENVIRONMENTS: dict[str, Environment] = {
    **dict.fromkeys(names.MATH_ENVIRONMENTS, _formula),
    **dict.fromkeys(names.TABLES, _table),
    **dict.fromkeys(names.FLOATS, _float),
    **dict.fromkeys(names.LISTS, open_list),
    "document": _document,
    "abstract": _abstract,
    "abstract*": _abstract,
    "subequations": _subequations,
    "proof": open_proof,
    "Proof": open_proof,
    "appendices": _appendices,
    "subappendices": _appendices,
    "appendix": _appendices,
    **dict.fromkeys(("keyword", "keywords", "IEEEkeywords"), _keyword),
    **dict.fromkeys(("acknowledgments", "acknowledgements", "acknowledgment", "acknowledgement", "acks"), _titled("Acknowledgments")),
    **dict.fromkeys(("thebibliography", "references"), open_bibliography),
    **dict.fromkeys(("algorithmic", "algorithmicx"), pseudocode),
}
COMMANDS: dict[str, Command] = {"begin": begin, "end": end}
