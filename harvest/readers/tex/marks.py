"""Places in the text that can only be written at the end of the reading: references look forward."""

from __future__ import annotations

import re
from collections.abc import Callable

from harvest.readers.extract import Block

_MARK = re.compile("\ue000([0-9]+)\ue000")
_BRACKETED = re.compile(r" ?[(\[]\s*\ue000([0-9]+)\ue000\s*[)\]]")
_BEFORE_SIGN = re.compile("[ ~]+\ue000([0-9]+)\ue000(?=[.,;:)])")
_ON_PAGE = re.compile(" (?:on |at |from )?(?:pages?|pp?\\.)[ ~]*\ue000([0-9]+)\ue000")
_MAX_DEPTH = 4  # of marks in what a mark stands for
_MAX_LENGTH = 20_000  # of one text after its marks are filled


class Marks:
    """What stands in the text for now, and how to write it when everything is known."""

    def __init__(self) -> None:
        self._later: list[Callable[[], str]] = []

    def later(self, render: Callable[[], str]) -> str:
        """A mark for a place in the text, which `render` will write."""
        self._later.append(render)
        return f"\ue000{len(self._later) - 1}\ue000"

    def fill(self, text: str, depth: int = 0) -> str:
        """The text with its marks written out; where nothing is to be written no brackets or spaces stay behind."""
        if "\ue000" not in text:
            return text
        if depth > _MAX_DEPTH or (len(text) > _MAX_LENGTH and depth):
            return _MARK.sub("", text).replace("\ue000", "")
        text = _BRACKETED.sub(lambda m: m[0] if self._written(m[1], depth) else "", text)
        text = _ON_PAGE.sub(lambda m: m[0] if self._written(m[1], depth) else "", text)
        text = _BEFORE_SIGN.sub(lambda m: m[0] if self._written(m[1], depth) else "", text)
        return _MARK.sub(lambda m: self._written(m[1], depth), text)

    def fill_blocks(self, blocks: list[Block]) -> list[Block]:
        """All blocks with their marks written out."""
        return [Block(self.fill(block.text), block.level) if "\ue000" in block.text else block for block in blocks]

    def _written(self, number: str, depth: int) -> str:
        place = int(number)
        return self.fill(self._later[place](), depth + 1) if place < len(self._later) else ""
