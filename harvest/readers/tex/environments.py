r"""\begin and \end: floats, tables, lists, formulas, what is dropped whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.readers.extract import Block
from harvest.readers.tex import names
from harvest.readers.tex.flow import Flow, Table
from harvest.readers.tex.math import formula
from harvest.readers.tex.tokens import BARRIER

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Interpreter

_BREAKING = frozenset(
    ("quote", "quotation", "center", "flushleft", "flushright", "verse", "document", "frame", "block", "minipage", "multicols")
)


def begin(reader: Interpreter) -> None:
    r"""\begin{name}."""
    name = "".join(reader.source.argument()).strip()[:60]
    if name in names.DROPPED:
        skip_to_end(reader, name)
    elif name in names.VERBATIM:
        _verbatim(reader, name)
    elif name in names.MATH_ENVIRONMENTS:
        _formula(reader, name)
    elif name in reader.macros.environments:
        _own(reader, name)
    elif name == "document":
        _document(reader)
    else:
        reader.skip(names.TABLES.get(name) or names.ENVIRONMENT_ARGUMENTS.get(name, ""))
        _open(reader, name)


def end(reader: Interpreter) -> None:
    r"""\end{name}."""
    name = "".join(reader.source.argument()).strip()[:60]
    if name in reader.macros.environments and any(group.name == "own " + name for group in reader.groups):
        after = reader.macros.environments[name][1]
        reader.source.push([*after, "\\end", "{", "own " + name, "}"])
    elif name == "document":
        _end_document(reader)
    else:
        reader.close(name)
        if name in _BREAKING or name in names.LISTS or name in reader.theorems:
            reader.paragraph()


def _open(reader: Interpreter, name: str) -> None:
    if name in names.FLOATS:
        before = reader.float
        reader.float = names.FLOATS[name]
        reader.open_flow(name, Flow())
        close = reader.groups[-1].end

        def closed() -> None:
            reader.float = before
            if close:
                close()

        reader.groups[-1].end = closed
    elif name in names.TABLES:
        reader.open_flow(name, Table())
        if name.startswith("long"):
            reader.float = "Table"
    elif name in names.LISTS:
        _list(reader, name)
    elif name == "abstract":
        reader.heading(reader.abstract, 1)
        reader.open(name, reader.paragraph)
    elif name in reader.theorems or name == "proof":
        _theorem(reader, name)
    else:
        if name in _BREAKING:
            reader.paragraph()
        reader.open(name)


def _list(reader: Interpreter, name: str) -> None:
    reader.paragraph()
    reader.counters.append(0 if "enum" in name else None)

    def closed() -> None:
        if reader.counters:
            reader.counters.pop()
        reader.paragraph()
        reader.flow.lead = ""

    reader.open(name, closed)


def _theorem(reader: Interpreter, name: str) -> None:
    reader.paragraph()
    note = reader.source.option()
    reader.references.count(name)
    title = reader.theorems.get(name, "Proof")
    reader.open(name)
    reader.write(f"{title} ({reader.inline(note)}). " if note else f"{title}. ")


def _formula(reader: Interpreter, name: str) -> None:
    reader.skip(names.ENVIRONMENT_ARGUMENTS.get(name, ""))
    if not name.endswith("*"):
        reader.references.count("equation")
    text, _ = formula(reader.source, reader.macros, reader.references, name)
    if name == "math":
        reader.write(f"${text}$" if text else "")
    else:
        reader.display(text)


def _own(reader: Interpreter, name: str) -> None:
    reader.open("own " + name)
    reader.macros.expand(reader.macros.environments[name][0], reader.source)


def _document(reader: Interpreter) -> None:
    if len(reader.flows) == 1 and not any(group.name == "document" for group in reader.groups):
        reader.flows[0] = Flow()  # the preamble has no text
        reader.groups.clear()
    reader.open("document")


def _end_document(reader: Interpreter) -> None:
    if len(reader.source.open_files) <= 1:
        while reader.source.end_file():
            pass
    else:  # of a file that was included whole
        reader.source.end_file()


def _verbatim(reader: Interpreter, name: str) -> None:
    text = reader.source.raw_until(f"\\end{{{name}}}")
    if text is None:
        reader.open(name)
        return
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reader.paragraph()
    if lines and not reader.hidden:
        reader.flow.blocks.append(Block("\n".join(lines)))


def skip_to_end(reader: Interpreter, name: str) -> None:
    r"""Read past an environment without looking at it."""
    if reader.source.raw_until(f"\\end{{{name}}}") is not None:
        return
    while (sign := reader.source.next()) is not None and sign is not BARRIER:
        if sign == "\\end" and "".join(reader.source.argument()).strip() == name:
            return
    if sign is not None:
        reader.source.back(sign)
