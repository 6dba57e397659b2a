"""Tables that read well in a terminal, and where the papers lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

PAPERS = Path(os.environ.get("FIELDSMITH_PAPERS", Path(__file__).resolve().parent.parent.parent / "shared/papers"))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], beside: Sequence[str] = ()) -> None:
    """Print rows of text, the first column left and the others right, as wide as they need to be.

    `beside` are remarks to the right of the table, the first of them beside the heads.
    """
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    remarks = [*beside[:1], "", *beside[1:]] if beside else [""] * (len(rows) + 2)
    for row, remark in zip([heads, ["-" * width for width in widths], *rows], remarks, strict=True):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells[1:], remark]).rstrip())
