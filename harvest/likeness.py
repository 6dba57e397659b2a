"""How alike two texts are, whatever form they were read from.

A text is compared by its words of three letters and more, outside of formulas, in runs of five (w-shingles: Broder, "On
the resemblance and containment of documents", 1997); Chinese and Japanese by single characters. So LaTeX and PDF, one
column and two, author copy and camera-ready of one paper agree, for what differs between them is mathematics, hyphens,
captions out of place, and running heads. Each text is kept as a bottom-k sketch, its smallest hashes, of which two give
the Jaccard similarity of the texts (standard error 0.04); that finds the pairs worth a look at the whole texts.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_RUN = 5
_KEPT = 128  # hashes in a sketch
_DIGITS = 12  # hexadecimal digits of a hash
_LOOKED_UP = 32  # hashes by which others are looked for: two texts of similarity 0.35 share none of them once in a million
_CROWD = 40  # a shingle in more texts than this is a phrase of the trade (a licence notice, a collaboration's boilerplate)
_FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]{1,400}\$", re.DOTALL)
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W\d_{_CJK}]{{3,}}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Sketch:
    """The smallest hashes of a text's shingles, ascending and in 12 hexadecimal digits each."""

    hashes: str

    def values(self) -> list[str]:
        """The hashes one by one."""
        return [self.hashes[at : at + _DIGITS] for at in range(0, len(self.hashes), _DIGITS)]


def sketch(text: str) -> Sketch:
    """Reduce a text to its sketch."""
    runs = (" ".join(run).encode("utf-8", "surrogatepass") for run in shingles(text))
    return Sketch("".join(sorted(hashlib.blake2b(run, digest_size=_DIGITS // 2).hexdigest() for run in runs)[:_KEPT]))


def shingles(text: str) -> set[tuple[str, ...]]:
    """The runs of five words of a text."""
    words = _WORD.findall(unicodedata.normalize("NFKC", _FORMULA.sub(" ", text)).casefold())
    return set(zip(*(words[at:] for at in range(_RUN)), strict=False))


def numbers(text: str) -> set[str]:
    """The numbers of two and more digits in a text, formulas included: what a series of reports of one wording differs in."""
    return {number for number in _NUMBER.findall(text) if len(number) > 1}


def similarity(a: Sketch, b: Sketch) -> float:
    """The Jaccard similarity of two texts as their sketches tell it, 0 to 1."""
    mine, its = set(a.values()), set(b.values())
    smallest = sorted(mine | its)[:_KEPT]
    return sum(one in mine and one in its for one in smallest) / len(smallest) if smallest else 0.0


def alike(sketches: Sequence[Sketch], least: float) -> Iterator[tuple[int, int]]:
    """The pairs of places whose sketches say at least `least`, each once and in order."""
    holders: dict[int, list[int]] = {}
    for place, one in enumerate(sketches):
        for value in one.values()[:_LOOKED_UP]:
            holders.setdefault(int(value, 16), []).append(place)
    pairs = {pair for held in holders.values() for pair in _neighbours(held)}
    yield from (pair for pair in sorted(pairs) if similarity(sketches[pair[0]], sketches[pair[1]]) >= least)


def _neighbours(held: Sequence[int]) -> Iterator[tuple[int, int]]:
    """All pairs of a few; of a crowd only each with the next, which still ties copies together."""
    if len(held) <= _CROWD:
        yield from ((a, b) for at, b in enumerate(held) for a in held[:at])
    else:
        yield from pairwise(held)
