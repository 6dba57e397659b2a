"""How a reading writes: paragraphs, headings, what waits behind them, groups, tables."""

from __future__ import annotations

import re
from collections.abc import Callable

from harvest.readers.extract import Block
from harvest.readers.tex.flow import DISPLAY, Flow, Table
from harvest.readers.tex.state import Group, State

_ROW_OPTION = re.compile(r"\s*[-+\d.\\]|\s*$")


class Writer(State):
    """The state of a reading and all that it does to where its text goes."""

    # ---- writing

    def write(self, text: str) -> None:
        """Add text to the current paragraph, unless it is invisible."""
        if self.hidden:
            self.conceal(text, self.hidden)
        else:
            self.flow.write(text)
            if self.groups and self.groups[-1].size and not self.headed:
                self.large.setdefault(self.groups[-1].size, []).append(text)

    def paragraph(self) -> None:
        """A blank line: ends the paragraph, except in a cell of a table."""
        if isinstance(self.flows[-1], Table):
            self.flow.write(" ")
        else:
            self.flow.paragraph()

    def block(self, text: str) -> None:
        """A paragraph of its own right here."""
        if self.hidden:
            self.conceal(text, self.hidden)
        elif isinstance(self.flows[-1], Table) or self.nesting:
            self.write(f" {text} ")
        elif text:
            self.flow.paragraph()
            self.flow.blocks.append(Block(text))

    def aside(self, text: str) -> None:
        """A paragraph of its own behind the current one (or the current table)."""
        if text and not self.hidden:
            self.flow.waiting.append(Block(text))

    def heading(self, title: str, level: int) -> None:
        """A heading, which is one only in the main text."""
        if len(self.flows) == 1 and title and not self.hidden:
            self.headed = True
            self.flow.heading(title, level + 2)
        else:
            self.write(f" {title} ")

    # ---- groups

    def open(self, name: str, end: Callable[[], None] | None = None) -> None:
        """A brace or an environment begins."""
        argument, self.argument_follows = self.argument_follows and name == "{", False
        around = self.groups[-1] if self.groups else None
        self.groups.append(Group(name, self.hidden, self.typewriter, around.size if around else 0, argument, end))

    def close(self, name: str) -> None:
        """It ends, and with it whatever was left open inside; an end without a beginning is ignored."""
        if name == "{":
            if self.groups and self.groups[-1].name == "{" and self.groups.pop().argument and self.source.follows("{"):
                self.write(" ")
                self.argument_follows = True
            return
        if not any(group.name == name for group in self.groups[-200:]):
            return
        while (group := self.groups.pop()).name != name:
            if group.end:
                group.end()
        if group.end:
            group.end()

    def open_flow(self, name: str, flow: Flow | Table) -> None:
        """An environment whose text goes elsewhere."""
        self.flows.append(flow)
        self.open(name, self.close_flow)

    def close_flow(self) -> None:
        """Its text goes behind the paragraph around it."""
        if len(self.flows) == 1:
            return
        done = self.flows.pop()
        if isinstance(done, Table):
            self._place_table(done)
            return
        done.paragraph()
        self.flow.waiting += done.blocks

    def _place_table(self, table: Table) -> None:
        table.end_row()
        if isinstance(self.flows[-1], Table) or self.nesting:
            self.flow.write(f" {table.inline()} " if table.rows else "")
            self.flow.waiting += table.captions + table.notes
            return
        self.flow.paragraph()
        self.flow.blocks += [*table.captions, *([Block(table.text())] if table.rows else []), *table.notes]

    def next_cell(self) -> None:
        """The sign between two cells."""
        top = self.flows[-1]
        if isinstance(top, Table):
            top.end_cell()

    def next_row(self) -> None:
        r"""`\\`: the next row of a table, else a line break, which is a space."""
        self.source.star()
        if (option := self.source.option()) and not _ROW_OPTION.match("".join(option)):
            self.source.push(["[", *option, "]"])
        top = self.flows[-1]
        if isinstance(top, Table):
            top.end_row()
        else:
            self.write(DISPLAY if self.typewriter and not self.nesting else "\n")
