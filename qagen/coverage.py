"""Which chunks are asked about, and the line that each leaves in the coverage ledger: no part of a document is left out silently."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from harvest.records import Rejection
from qagen.records import Chunk, Coverage, QAPair

_NO_SOURCE = re.compile(
    r"^(?:(?P<references>references?|bibliography|参考文献)|(?P<thanks>acknowledge?ments?|funding|致谢)"
    r"|(?P<authors>authors?.{0,20}|.*contributions?|作者.*)|(?P<licence>licen[cs]e)|(?P<contents>(?:table of )?contents|目录))$",
    re.I,
)
Outcome = tuple[str, QAPair | Rejection]  # the chunk that it is about, and what came of it


def reason_to_skip(chunk: Chunk, fewest_letters: int) -> str:
    """Why a chunk holds nothing to ask about, in a word; empty if it may."""
    if found := _NO_SOURCE.match(chunk.section.rsplit(" > ", 1)[-1].strip()):
        return found.lastgroup or "no-source"
    letters = sum(2 if "\u3400" <= character <= "\u9fff" else character.isalpha() for character in chunk.text)
    return "" if letters >= fewest_letters else "no-prose"


def coverage(chunks: Sequence[Chunk], reasons: Mapping[str, str], facts: Mapping[str, int], outcomes: Iterable[Outcome]) -> list[Coverage]:
    """A line for each chunk. `reasons` by chunk say why nothing was asked, `facts` how many things a chunk states."""
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    refused: dict[str, Counter[str]] = defaultdict(Counter)
    for chunk_id, outcome in outcomes:
        if isinstance(outcome, QAPair):
            pairs[chunk_id][outcome.kind] += 1
        else:
            refused[chunk_id][outcome.reason] += 1
    return [
        Coverage(
            chunk_id=chunk.id,
            section=chunk.section,
            characters=len(chunk.text),
            facts=facts.get(chunk.id, 0),
            pairs=dict(sorted(pairs[chunk.id].items())),
            rejections=dict(sorted(refused[chunk.id].items())),
            reason=reasons.get(chunk.id, ""),
        )
        for chunk in chunks
    ]
