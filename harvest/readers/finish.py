"""What readers of markup and text have in common at the end: blocks become an Extract, the references apart."""

from __future__ import annotations

import re

from harvest.readers.extract import Block, Extract, UnreadableDocument, lay_out, split_references
from harvest.records import HiddenText


def finished(
    blocks: list[Block], references: tuple[str, ...], hidden: tuple[HiddenText, ...], title: str, name: str, extractor: str
) -> Extract:
    """Blocks as an extract, their references apart; raises `UnreadableDocument` where no text is left."""
    kept, cut = split_references(blocks)
    text, sections = lay_out(kept)
    if len(re.findall(r"\w", text)) < 20:
        raise UnreadableDocument(name, "no-text", "it holds no text")
    warnings = [f"{len(hidden)} hidden texts were dropped: {', '.join(sorted({item.reason for item in hidden}))}"] if hidden else []
    return Extract(text, sections, title, extractor, tuple(warnings), (*references, *cut), (), hidden)
