r"""Commands inside tables: columns that are joined, heads that repeat, the tables of AASTeX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.readers.tex.flow import Table

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

_MAX_SPAN = 100


def _multicolumn(reader: Interpreter) -> None:
    count = "".join(reader.source.argument()).strip()
    reader.source.argument()
    top = reader.flows[-1]
    if isinstance(top, Table) and re.fullmatch(r"\d{1,3}", count):
        top.span = max(1, min(int(count), _MAX_SPAN))


def _end_part(*, is_head: bool) -> Command:
    def run(reader: Interpreter) -> None:
        top = reader.flows[-1]
        if isinstance(top, Table):
            top.end_part(is_head=is_head)

    return run


def _stacked(reader: Interpreter) -> None:
    r"""\makecell[..]{a\\b} and \shortstack: lines in one cell."""
    reader.source.star()
    reader.source.option()
    reader.write(reader.inline(reader.source.argument()))


def _table_head(reader: Interpreter) -> None:
    r"""\tablehead{\colhead{A} & \colhead{B}} of AASTeX, and of supertabular."""
    head = reader.source.argument()
    reader.table_head = [*head, "\\\\"]


def _start_data(reader: Interpreter) -> None:
    reader.open_flow("deluxetable data", Table())
    head, reader.table_head = reader.table_head, []
    reader.source.push(head)


def _end_data(reader: Interpreter) -> None:
    reader.close("deluxetable data")


def _table_note(reader: Interpreter) -> None:
    reader.aside(reader.inline(reader.source.argument()))


COMMANDS: dict[str, Command] = {
    "multicolumn": _multicolumn,
    "endfirsthead": _end_part(is_head=True),
    "endhead": _end_part(is_head=True),
    "endfoot": _end_part(is_head=False),
    "endlastfoot": _end_part(is_head=False),
    "makecell": _stacked,
    "thead": _stacked,
    "shortstack": _stacked,
    "specialcell": _stacked,
    "tablehead": _table_head,
    "startdata": _start_data,
    "enddata": _end_data,
    "tablecomments": _table_note,
    "tablerefs": _table_note,
    "\\": lambda reader: reader.next_row(),
    "tabularnewline": lambda reader: reader.next_row(),
    "cr": lambda reader: reader.next_row(),
}
