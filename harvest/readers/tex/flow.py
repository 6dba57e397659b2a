"""Where the interpreter writes: paragraphs with what floats behind them, and the cells of a table."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harvest.readers.extract import Block


@dataclass(slots=True)
class Flow:
    """Blocks, the paragraph being written, and what waits for its end (floats, footnotes)."""

    blocks: list[Block] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    waiting: list[Block] = field(default_factory=list)
    lead: str = ""

    def write(self, text: str) -> None:
        """Add text to the paragraph."""
        self.parts.append(text)

    def paragraph(self) -> None:
        """End the paragraph; what floats follows it."""
        text = "".join(self.parts).strip()
        if text:
            self.blocks.append(Block(self.lead + _folded(text)))
            self.lead = ""
        self.parts.clear()
        self.blocks += self.waiting
        self.waiting.clear()

    def heading(self, title: str, level: int) -> None:
        """Open a section."""
        self.paragraph()
        self.lead = ""
        self.blocks.append(Block(title, level))

    def line(self) -> str:
        """All that was written, as one line of text; the flow is empty afterwards."""
        self.paragraph()
        text = " ".join(block.text for block in self.blocks)
        self.blocks.clear()
        return re.sub(r"\s+", " ", text).strip()


@dataclass(slots=True)
class Table:
    """Rows of a table; each cell is a flow of its own."""

    rows: list[list[str]] = field(default_factory=list)
    row: list[str] = field(default_factory=list)
    cell: Flow = field(default_factory=Flow)
    notes: list[Block] = field(default_factory=list)

    def end_cell(self) -> None:
        """The next column."""
        self.notes += self.cell.waiting
        self.cell.waiting.clear()
        self.row.append(self.cell.line().replace("|", "\\|"))

    def end_row(self) -> None:
        """The next row."""
        self.end_cell()
        if any(self.row):
            self.rows.append(self.row)
        self.row = []

    def text(self) -> str:
        """The rows in Markdown's signs."""
        return "\n".join(f"| {' | '.join(row)} |" for row in self.rows)


DISPLAY = "\ue001\n"  # stands where a displayed formula begins or ends on a line of its own


def _folded(text: str) -> str:
    """Line breaks of the source are spaces; those around displayed formulas stay."""
    if "\n" not in text:
        return text
    return re.sub(r"\s*\ue001\n\s*", "\ue001", text).replace("\n", " ").replace("\ue001", "\n")
