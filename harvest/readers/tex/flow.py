"""Where the interpreter writes: paragraphs with what floats behind them, and the rows of a table."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harvest.readers.extract import Block

_WORD_CHARACTER = re.compile(r"[\w.,;:%’”)\]\ue000]$")
_MATH = re.compile(r"(?<!\\)\$[^$]*\$")


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

    def space(self) -> None:
        """A space, if a word or its punctuation stands right before."""
        if self.parts and _WORD_CHARACTER.search(self.parts[-1]):
            self.parts.append(" ")

    def paragraph(self) -> None:
        """End the paragraph; what floats follows it."""
        text = folded("".join(self.parts))
        if text:
            self.blocks.append(Block(self.lead + text))
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
    captions: list[Block] = field(default_factory=list)
    notes: list[Block] = field(default_factory=list)
    span: int = 1  # columns of the cell being written
    head: int | None = None  # rows that a long table repeats on every page

    def end_cell(self) -> None:
        """The next column."""
        for block in self.cell.waiting:
            (self.captions if not self.rows and _CAPTION.match(block.text) else self.notes).append(block)
        self.cell.waiting.clear()
        self.row += [_escaped(self.cell.line()), *[""] * (self.span - 1)]
        self.span = 1

    def end_row(self) -> None:
        """The next row."""
        self.end_cell()
        if any(self.row):
            self.rows.append(self.row)
        self.row = []

    def end_part(self, *, is_head: bool) -> None:
        """The head or foot that a long table repeats ends here: its first head is kept, all else was repetition."""
        self.end_row()
        if self.head is None and is_head:
            self.head = len(self.rows)
        del self.rows[self.head or 0 :]

    def text(self) -> str:
        """The rows in Markdown; one column is lines, one row is a line."""
        columns = max(map(len, self.rows))
        wide = [row + [""] * (columns - len(row)) for row in self.rows]
        used = [place for place in range(columns) if any(row[place] for row in wide)]
        rows = [[row[place] for place in used] for row in wide]
        if len(used) == 1 or len(rows) == 1:
            return "\n".join(" ".join(cell for cell in row if cell).replace("\\|", "|") for row in rows)
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], f"|{' --- |' * len(used)}", *lines[1:]])

    def inline(self) -> str:
        """The rows in one line, for a table inside a cell or a caption."""
        if max(map(len, self.rows)) == 1:
            return " ".join(row[0] for row in self.rows)
        return "; ".join(", ".join(cell for cell in row if cell) for row in self.rows)


DISPLAY = "\ue001\n"  # stands where a line of its own begins or ends: a displayed formula, a line of pseudocode
_CAPTION = re.compile(r"^\w[\w-]* [^:]{0,12}: ")


def folded(text: str) -> str:
    """Line breaks of the source are spaces; those around displayed formulas stay."""
    text = text.strip().removeprefix("\ue001").removesuffix("\ue001").strip()
    text = re.sub(r" \(\s*\)(?=[\s.,;:]|$)", "", text) if "()" in text else text  # around what the source lacks
    if "\n" not in text:
        return text
    return re.sub(r"\s*(?:\ue001\s*)+", "\ue001", text).replace("\n", " ").replace("\ue001", "\n")


def _escaped(cell: str) -> str:
    """A cell without the sign that separates cells, in formulas by its other name."""
    if "|" not in cell:
        return cell
    cell = _MATH.sub(lambda m: m[0].replace("\\|", "\\Vert ").replace("|", "\\vert "), cell)
    return cell.replace("|", "\\|")
