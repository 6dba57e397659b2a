"""The title of a paper from its first page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from harvest.readers.leaf import Leaf
from harvest.readers.visible import Line


def title_of_paper(leaves: Sequence[Leaf], stated: str) -> str:
    """The title that the metadata state where the first page shows it too; else the largest lines in the upper half of that page."""
    first = next((leaf for leaf in leaves if leaf.lines), None)
    if first is None:
        return ""
    stated = re.sub(r"\s+", " ", stated).strip()
    if len(stated) > 12 and letters_of(stated) in letters_of("".join(line.text for line in first.lines)):
        return stated
    upper = [line for line in first.lines if line.level and line.y0 < 0.55 * first.height and len(re.findall(r"\w", line.text)) > 2]
    return _largest(upper, leaves) if upper else ""


def letters_of(text: str) -> str:
    """Letters and figures alone, small."""
    return re.sub(r"\W", "", text).lower()


def _largest(upper: Sequence[Line], leaves: Sequence[Leaf]) -> str:
    size = max(line.size for line in upper)
    lines = _run([line for line in sorted(upper, key=lambda line: line.y0) if line.size > 0.93 * size])
    body = Counter(line.size for leaf in leaves for line in leaf.lines).most_common(1)[0][0]
    text = " ".join(line.text.strip() for line in sorted(lines, key=lambda line: (round(line.y0), line.x0)))
    return re.sub(r"\s+", " ", text).strip() if len(lines) <= 5 and size > 1.1 * body and 4 < len(text) < 300 else ""


def _run(lines: list[Line]) -> list[Line]:
    """The lines from the first on that stand close below each other."""
    kept = lines[:1]
    for line in lines[1:]:
        if line.y0 - kept[-1].y1 > 1.2 * line.size:
            break
        kept.append(line)
    return kept
