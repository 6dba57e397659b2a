r"""Numbers behind \ref and \cite: counted while reading, filled in at the end because references look forward."""

from __future__ import annotations

import re

from harvest.readers.extract import Block
from harvest.readers.tex.names import LONG_NAMES, SHORT_NAMES

_MARK = re.compile("\ue000([0-9]+)\ue000")


class References:
    """Counters, labels and the order of citations of one document."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._sections: list[int] = []
        self._now = ("section", "")
        self._labels: dict[str, tuple[str, str]] = {}
        self._asked: list[tuple[str, str]] = []
        self._cited: dict[str, int] = {}

    def count(self, kind: str) -> None:
        """One more figure, table, equation, item."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._now = (kind, str(self._counts[kind]))

    def section(self, level: int) -> None:
        """One more numbered section of this level (part -1, chapter 0, section 1 and so on)."""
        depth = max(level, 0)
        numbers = (self._sections + [0] * (depth + 1))[: depth + 1]
        numbers[depth] += 1
        self._sections = numbers
        self._now = ("section", ".".join(str(n) for n in numbers).lstrip("0."))

    def label(self, name: str) -> None:
        r"""\label{name} here."""
        self._labels.setdefault(name.strip(), self._now)

    def reference(self, name: str, style: str) -> str:
        """A mark to be replaced by the number when all labels are known."""
        self._asked.append((name.strip(), style))
        return f"\ue000{len(self._asked) - 1}\ue000"

    def cite(self, keys: str, before: str, after: str) -> str:
        """[n] in the order of first citation, with the notes around it."""
        numbers = [str(self._cited.setdefault(key.strip(), len(self._cited) + 1)) for key in keys.split(",") if key.strip()]
        return f"[{', '.join(part for part in (before, *numbers, after) if part)}]" if numbers else ""

    def fill(self, blocks: list[Block]) -> list[Block]:
        """The blocks with numbers in place of marks; a label that is nowhere leaves nothing behind."""
        return [Block(self._filled(block.text), block.level) if "\ue000" in block.text else block for block in blocks]

    def _filled(self, text: str) -> str:
        return re.sub(r" +(?=[.,;)])", "", _MARK.sub(self._number, text)) if "\ue000" in text else text

    def _number(self, match: re.Match[str]) -> str:
        name, style = self._asked[int(match[1])]
        found = [self._labels[part.strip()] for part in name.split(",") if part.strip() in self._labels]
        numbers = ", ".join(f"({n})" if style == "()" or (style in ("long", "short") and k == "equation") else n for k, n in found if n)
        if not numbers or style == "page":
            return ""
        names = LONG_NAMES if style == "long" else SHORT_NAMES if style == "short" else {}
        return f"{names.get(found[0][0], '')} {numbers}".strip()
