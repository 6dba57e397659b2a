"""The same paper twice: at arXiv and in the journal, v1 and v2, the author's copy and the camera-ready one.

Four signs, the strongest first; the first three are known before anything is downloaded:

- id: the same arXiv number, whatever the version;
- DOI: the same, written in whatever way (DOIs of arXiv itself, 10.48550/arXiv.…, are arXiv numbers);
- title and authors: the same title of four words and more and the same first author, at most a year apart, unless both
  have a DOI of their own: a paper of proceedings and its journal version may share a title, and are two works;
- text: nine tenths of the runs of five words of *each* text are in the other, or seven tenths where the titles agree
  too. Both ways, since a short paper is contained in the long one that was made of it. And the numbers must agree: weekly
  reports have one wording and other values.

Works are gone through in the order of preference and each is compared with those kept so far, so that what is left out
is always a twin of the very one that is kept for it: no chain of small steps joins two different works. The result
depends on the set of works only, not on the order in which they came.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from harvest.likeness import Sketch, alike, numbers, shingles
from harvest.records import Document, Paper

_ARCHIVES = r"acc-phys|astro-ph|chao-dyn|cond-mat|cs|gr-qc|hep-(?:ex|lat|ph|th)|math|math-ph|nlin|nucl-(?:ex|th)|physics|plasm-ph|quant-ph"
_ARXIV = re.compile(
    rf"(?:^|arxiv[:./]|/abs/|/pdf/)(\d{{2}}(?:0[1-9]|1[0-2])\.\d{{4,5}}|(?:{_ARCHIVES})(?:\.[a-z]{{2}})?/\d{{7}})(?:v(\d+))?(?:\.pdf)?$",
    re.IGNORECASE,
)
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_LEAST = 0.35  # similarity by sketches from which two texts are compared as a whole
_SAME_TEXT = 0.9  # share of each text that is in the other
_SAME_TITLE_TOO = 0.7
_SAME_NUMBERS = 0.4  # share of the numbers of the text that has fewer of them; copies in other forms lose some in formulas
_ENOUGH = 40  # runs of words, below which a text says nothing: entries of a logbook are often the same
_TITLE_WORDS = 4
_HEAD = 1000  # characters of a text among which its title stands


@dataclass(frozen=True, slots=True)
class Identity:
    """How a work is known in the literature; what is not known is empty, the year 0."""

    arxiv: str
    version: int
    doi: str
    title: str
    author: str
    year: int

    @property
    def signs(self) -> Iterator[tuple[str, str]]:
        """What two descriptions of one work may share."""
        return (sign for sign in (("arxiv", self.arxiv), ("doi", self.doi), ("title", self.title)) if sign[1])


@dataclass(frozen=True, slots=True)
class Twin:
    """That the work at `place` is the one at `kept` again, and why, as a word and as the rest of a sentence."""

    place: int
    kept: int
    sign: str
    why: str


def identify(paper: Paper) -> Identity:
    """The identity of a paper by its record; a local file's is also looked for in its name, such as 2301.00001v2.pdf."""
    names = (paper.id, paper.id.rpartition("/")[2], *(url for url in paper.urls if "arxiv" in url.lower()), paper.doi or "")
    match = next((found for name in names if (found := _ARXIV.search(name.strip()))), None)
    doi = _DOI.search((paper.doi or "").strip().casefold())
    title = plain(paper.title)
    author = plain(re.sub(r"^([^,]+),.*", r"\1", paper.authors[0])).split()[-1:] if paper.authors else []
    year = re.match(r"\d{4}", paper.published or "")
    return Identity(
        arxiv=match[1].casefold() if match else "",
        version=int(match[2] or 0) if match else 0,
        doi=doi[0].rstrip(".,;") if doi and not doi[0].startswith("10.48550/arxiv") else "",
        title=title if len(title.split()) >= _TITLE_WORDS or (len(title) >= 8 and not title.isascii()) else "",
        author=author[0] if author else "",
        year=int(year[0]) if year else 0,
    )


def plain(text: str) -> str:
    """A title as bare words: no case, accents, commands, signs."""
    bare = re.sub(r"\\[A-Za-z]+|\\.", " ", text)
    apart = unicodedata.normalize("NFKD", bare)
    return " ".join(re.findall(r"[^\W_]+", "".join(sign for sign in apart if not unicodedata.combining(sign)).casefold()))


def same_record(a: Identity, b: Identity) -> tuple[str, str]:
    """Why two records are of one work, as a word and the rest of a sentence; empty words where nothing says so."""
    if a.arxiv and a.arxiv == b.arxiv:
        return "id", f"the same arXiv number {a.arxiv}"
    if a.doi and a.doi == b.doi:
        return "doi", f"the same DOI {a.doi}"
    two_works = (a.doi and b.doi) or (a.arxiv and b.arxiv)
    if not two_works and a.title and a.title == b.title and a.author and a.author == b.author and _near(a.year, b.year):
        return "title", "the same title and first author"
    return "", ""


def same_text(a: Document, b: Document) -> tuple[str, str]:
    """Why two documents are one work by their texts, likewise."""
    mine, its = shingles(a.text), shingles(b.text)
    if min(len(mine), len(its)) < _ENOUGH:
        return "", ""
    if a.sha256 == b.sha256:
        return "text", "the same text to the letter"
    if not _numbers_agree(a.text, b.text):
        return "", ""
    share = len(mine & its) / max(len(mine), len(its))
    if share >= _SAME_TEXT:
        return "text", f"{share:.0%} of its text"
    if share >= _SAME_TITLE_TOO and _titles_agree(a, b):
        return "title and text", f"the same title and {share:.0%} of its text"
    return "", ""


def record_twins(identities: Sequence[Identity]) -> list[Twin]:
    """Twins by their records, of works in the order of preference."""
    known = _known(identities)
    return _star(len(identities), _sharing(identities) | _tied(known), lambda a, b: _same_record(identities, known, a, b))


def text_twins(
    identities: Sequence[Identity], sketches: Sequence[Sketch], parts_of: Sequence[str], document: Callable[[int], Document]
) -> list[Twin]:
    """Twins by records and texts, of works in the order of preference; parts of one book are never twins of each other.

    `parts_of` names the whole that a work is part of (a part's record is that of its book, so it says nothing), or is
    empty; `document` gives the document at a place and is asked for the few that look alike.
    """

    known = _known(identities)

    def same(a: int, b: int) -> tuple[str, str]:
        if parts_of[a] and parts_of[a] == parts_of[b]:
            return "", ""
        found = ("", "") if parts_of[a] or parts_of[b] else _same_record(identities, known, a, b)
        return found if found[0] else same_text(document(a), document(b))

    return _star(len(identities), _sharing(identities) | _tied(known) | set(alike(sketches, _LEAST)), same)


# ---- inner


def _star(count: int, pairs: Iterable[tuple[int, int]], same: Callable[[int, int], tuple[str, str]]) -> list[Twin]:
    """Each place is kept, or is the twin of a kept place before it that it, or a twin of that one, may be the same as."""
    before: dict[int, list[int]] = {}
    for a, b in sorted(pairs):
        before.setdefault(b, []).append(a)
    twins: dict[int, Twin] = {}
    for place in range(count):
        kept = {twins[other].kept if other in twins else other for other in before.get(place, [])}
        found = ((one, same(one, place)) for one in sorted(kept))
        if first := next(((one, why) for one, why in found if why[0]), None):
            twins[place] = Twin(place, first[0], *first[1])
    return list(twins.values())


def _same_record(identities: Sequence[Identity], known: Sequence[int], a: int, b: int) -> tuple[str, str]:
    found = same_record(identities[a], identities[b])
    return found if found[0] or known[a] != known[b] else ("id", "a third record has the arXiv number or DOI of both")


def _known(identities: Sequence[Identity]) -> list[int]:
    """For each work the first that it is tied to by arXiv numbers and DOIs, be it by way of others."""
    first = list(range(len(identities)))
    holder: dict[tuple[str, str], int] = {}

    def root(place: int) -> int:
        while first[place] != place:
            place = first[place]
        return place

    for place, identity in enumerate(identities):
        for sign in identity.signs:
            if sign[0] != "title":
                one, other = sorted((root(holder.setdefault(sign, place)), root(place)))
                first[other] = one
    return [root(place) for place in range(len(identities))]


def _tied(known: Sequence[int]) -> set[tuple[int, int]]:
    return {(first, place) for place, first in enumerate(known) if first != place}


def _sharing(identities: Sequence[Identity]) -> set[tuple[int, int]]:
    holders: dict[tuple[str, str], list[int]] = {}
    for place, identity in enumerate(identities):
        for sign in identity.signs:
            holders.setdefault(sign, []).append(place)
    return {(a, b) for held in holders.values() for at, b in enumerate(held) for a in held[:at]}


def _near(a: int, b: int) -> bool:
    return not a or not b or abs(a - b) <= 1


def _numbers_agree(a: str, b: str) -> bool:
    mine, its = numbers(a), numbers(b)
    return len(mine & its) >= _SAME_NUMBERS * min(len(mine), len(its))


def _titles_agree(a: Document, b: Document) -> bool:
    """Whether the titles are the same, or one is a line at the head of the other's text, which no reader took for the title."""
    mine, its = plain(a.paper.title), plain(b.paper.title)
    if mine == its:
        return bool(mine)
    return _stands_in(mine, b) or _stands_in(its, a)


def _stands_in(title: str, document: Document) -> bool:
    return len(title.split()) >= _TITLE_WORDS and any(plain(line) == title for line in document.text[:_HEAD].splitlines())
