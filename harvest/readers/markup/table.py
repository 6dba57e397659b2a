"""Tables of a page: the rows of one that holds data, as Markdown; a formula that only stands in a table to be numbered."""

from __future__ import annotations

import re
from collections.abc import Callable

from harvest.readers.markup.parse import Element, classes, text_of

_MAX_CELLS = 40_000
_MAX_SPAN = 60
_LONG = 400  # characters in a cell that is more than an entry
_NUMBER = re.compile(r"^\(?\s*(?P<number>[A-Z]?\.?\d+(?:[.\-]\d+)*[a-z]?)\s*\)?$")
_BLOCKS = ("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "pre", "blockquote", "section")

Row = list[Element]


def rows_of(table: Element) -> list[Row]:
    """The rows of a table as their cells, those of tables inside not counted."""
    rows = [row for row in table.iter("tr") if next(row.iterancestors("table"), None) is table]
    return [cells for row in rows if (cells := [cell for cell in row if cell.tag in ("td", "th")])]


def is_data(table: Element, rows: list[Row]) -> bool:
    """Whether a table shows data; otherwise it only arranges the page, as tables did before there were styles."""
    role = table.get("role")
    if role in ("presentation", "none") or next((True for e in table.iter("table") if e is not table), False):
        return False
    if role == "table" or "ltx_tabular" in classes(table):
        return True
    cells = [cell for row in rows for cell in row]
    if any(cell.tag == "th" for cell in cells) or any(child.tag in ("thead", "caption") for child in table):
        return True
    wide = max((len(row) for row in rows), default=0)
    return len(rows) > 1 and wide > 1 and not any(_is_more_than_an_entry(cell) for cell in cells)


def _is_more_than_an_entry(cell: Element) -> bool:
    return len(text_of(cell)) > _LONG or sum(1 for e in cell.iter(*_BLOCKS)) > 2


def formula_row(row: Row) -> tuple[str, str] | None:
    """The TeX and the number of a row that holds nothing else; None for any other row."""
    formulas: list[str] = []
    number = ""
    for cell in row:
        inside = list(cell.iter("tex"))
        rest = text_of(cell)
        for tex in inside:
            rest = rest.replace(re.sub(r"\s+", " ", tex.text or "").strip(), "", 1).strip()
        match = _NUMBER.match(rest)
        if rest.strip(" .,;") and not match:
            return None
        number = match["number"] if match else number
        formulas += [tex.text or "" for tex in inside]
    return (" ".join(formulas), number) if formulas else None


def markdown(rows: list[Row], text: Callable[[Element], str]) -> str:
    """The rows with bars between cells and the line that Markdown wants below the first; cells that span get empty neighbours."""
    lines: list[list[str]] = []
    below: dict[int, int] = {}  # column to the rows that a cell above still covers
    for row in rows[: _MAX_CELLS // 2]:
        line: list[str] = []
        for cell in row:
            _skip_covered(line, below)
            deep, wide = _span(cell, "rowspan"), _span(cell, "colspan")
            for offset in range(wide):
                if deep > 1:
                    below[len(line)] = deep
                line.append(_entry(text(cell)) if not offset else "")
        _skip_covered(line, below)
        below = {column: left - 1 for column, left in below.items() if left > 1}
        lines.append(line)
    width = max((len(line) for line in lines), default=0)
    full = [line + [""] * (width - len(line)) for line in lines if any(line)]
    used = [column for column in range(width) if any(line[column] for line in full)]
    shown = ["| " + " | ".join(line[column] for column in used) + " |" for line in full]
    return "\n".join([shown[0], "|" + " --- |" * len(used), *shown[1:]]) if shown and len(used) else ""


def _entry(text: str) -> str:
    """A cell on one line in which no bar can be taken for the end of it."""
    plain = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"\$[^$]*\$|\|", lambda m: m[0].replace("|", r"\vert ") if len(m[0]) > 1 else r"\|", plain)


def _skip_covered(line: list[str], below: dict[int, int]) -> None:
    while below.get(len(line), 0) > 0 and len(line) < 2000:
        line.append("")


def _span(cell: Element, name: str) -> int:
    said = re.match(r"\s*(\d{1,4})", cell.get(name) or "1")
    return min(max(int(said[1]), 1), _MAX_SPAN) if said else 1
