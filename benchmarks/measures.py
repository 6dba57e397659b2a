"""How well the text of a paper matches its true text, which is known paragraph by paragraph but without formulas.

The true text ("gold") says nothing of formulas, captions often, tables and headings never; so every figure here is built
to hold still when a tool writes a formula this way or that, and to move when it loses, shuffles, glues or adds prose.
The sizes (5 words to know a passage again, half of them for a paragraph, 4 letters for a plain word) were set so that plain
PyMuPDF and pypdfium2 come out on the SCOAP3 papers as others had measured them (recall .997, in order .919 and .921,
longest run .988, junk .093); our own reader had no part in it.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

PASSAGE = 5  # words in a row by which a place in a text is known again
FOUND = 0.5  # share of a paragraph's passages that must stand together
SHORTEST = 12  # words of a paragraph that is looked for; shorter ones are list items and scraps between formulas
RUN = 4  # words in a row whose order makes the longest run
PLAIN = 4  # letters from which a word is prose: shorter ones are too often pieces of formulas
TORN = 3  # plain words of something else that tear a paragraph: fewer may come out of a formula
SAME_HEADING = 85  # of 100, by letters: a formula in a heading may read in two ways

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff"
_LETTER = rf"[^\W\d_{_HAN}]"
_WORD = re.compile(rf"[{_HAN}]|{_LETTER}+")
# pypdfium2 writes U+FFFE or U+0002 where a line ends in a hyphen.
_HYPHEN = re.compile(rf"(?<={_LETTER})[-\x02\ufffe\u00ad\u2010-\u2013\u2212]\s*(?={_LETTER})")
_IS_HAN = re.compile(f"[{_HAN}]")
_BESIDE_THE_BODY = ("abstract", "references", "bibliography", "contents", "keywords")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gold paragraph stands: half-open words of the text, and the hits (word of the paragraph, word of the text)."""

    start: int
    end: int
    hits: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """All shares are 0 to 1; None where a figure has no meaning (nothing found, or no gold for it)."""

    recall: float | None
    precision: float | None
    found: float | None
    in_order: float | None
    longest_run: float | None
    junk: float | None
    furniture: float | None
    rest: float | None
    torn: float | None


def words(text: str, letters: int = 2) -> list[str]:
    """The words of a text with at least so many letters, lower case, NFKC; a Han character or Kana is a word whatever its length.

    Hyphens and dashes between letters vanish together with a line break after them: "tech-\\nnique", "technique" and
    "Yang–Baxter", "Yang-Baxter" are the same. Digits and all other signs part words.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    return [word for word in _WORD.findall(_HYPHEN.sub("", text)) if len(word) >= letters or _IS_HAN.match(word)]


def measure(text: str, paragraphs: Sequence[str], whole: str | None = None, language: Collection[str] | None = None) -> Figures:
    """Compare the text of a paper with its gold paragraphs.

    `whole` is all that belongs to the text (abstract, headings, captions, tables, footnotes, code too), where it is known;
    `language` all words that are known to be words, so that what else the text has is taken for pieces of formulas.
    The body is the text from the first to the last gold paragraph of the longest sequence of them that keeps the gold's order.

    - recall: share of the words of the gold that the text has, as a multiset, wherever they stand.
    - precision: share of the words of the body that the gold has; formulas, captions and headings all count against it.
    - found: share of the gold paragraphs found. in_order: share of them in the longest sequence that keeps the gold's order.
    - longest_run: of the passages of 4 words that occur once in gold and once in the text, the share in the longest
      sequence that keeps the order. Blind to what is missing (see recall) and to what is added (see junk).
    - junk: share of the plain words (4 letters or more) of the body that are in no gold paragraph, as a multiset. Formula
      glyphs are mostly shorter. Headings, captions and tables between paragraphs count: gold has them rarely.
    - furniture: the same of the words of `language`, without what `whole` explains: running heads, affiliations, dates,
      licences. Footnotes belong to a paper: see torn for those that stand in the way.
    - rest: share of the words of `whole` beyond the gold that the text has, as a multiset: low where captions, tables or code
      were thrown away, which makes junk look good.
    - torn: share of the found paragraphs that 3 or more plain words of something else interrupt (a footnote, a running
      head, a caption in mid-sentence).
    """
    gold, said = words("\n".join(paragraphs)), words(text)
    known = [w for w in map(words, paragraphs) if len(w) >= SHORTEST]
    places = find(known, said)
    there = [(paragraph, place) for paragraph, place in zip(known, places, strict=True) if place]
    ordered = [there[at][1] for at in chain([place.start for _, place in there])]
    body = said[ordered[0].start : max(place.end for place in ordered)] if ordered else []
    return Figures(
        recall=share(overlap(gold, said), len(gold)),
        precision=share(overlap(body, gold), len(body)),
        found=share(len(there), len(known)),
        in_order=share(len(ordered), len(known)),
        longest_run=longest_run(gold, said),
        junk=foreign(body, gold),
        furniture=None if whole is None else foreign([w for w in body if not language or w in language], either(gold, words(whole))),
        rest=None if whole is None else rest(said, gold, words(whole)),
        torn=share(sum(is_torn(paragraph, place, said) for paragraph, place in there), len(there)),
    )


def find(paragraphs: Sequence[Sequence[str]], said: Sequence[str]) -> list[Place | None]:
    """The place of each paragraph in the text: the window, half as long again, with most of its passages; None below half."""
    index: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, passage in enumerate(_grams(said, PASSAGE)):
        index[passage].append(at)
    return [_place(paragraph, index) for paragraph in paragraphs]


def longest_run(gold: Sequence[str], said: Sequence[str]) -> float | None:
    """Share, in the longest increasing sequence of places, of the passages that occur once in both texts."""
    there = {passage: at for passage, at in _once(said).items() if at >= 0}
    places = [there[passage] for passage, at in _once(gold).items() if at >= 0 and passage in there]
    return share(len(chain(places)), len(places))


def foreign(body: Sequence[str], known: Sequence[str]) -> float | None:
    """Share of the plain words of the body that are not among the known ones, as a multiset."""
    plain = [word for word in body if is_plain(word)]
    return share(len(plain) - overlap(plain, known), len(plain))


def rest(said: Sequence[str], gold: Sequence[str], whole: Sequence[str]) -> float | None:
    """Share of the words that the whole has beyond the gold that the text has beyond the gold."""
    wanted = Counter(whole) - Counter(gold)
    return share((wanted & (Counter(said) - Counter(gold))).total(), wanted.total())


def either(some: Iterable[str], others: Iterable[str]) -> list[str]:
    """The union of two multisets: what is in both counts once."""
    return list((Counter(some) | Counter(others)).elements())


def is_torn(paragraph: Sequence[str], place: Place, said: Sequence[str]) -> bool:
    """Whether between two neighbouring hits the text has three or more plain words that the paragraph has not there."""
    for (i, at), (j, to) in zip(place.hits, place.hits[1:], strict=False):
        between = Counter(filter(is_plain, said[at + PASSAGE : to]))
        if j > i and to > at and (between - Counter(paragraph[i + PASSAGE : j])).total() >= TORN:
            return True
    return False


def headings(told: Sequence[str], gold: Sequence[str], title: str = "") -> tuple[float | None, float | None]:
    """Share of the gold headings that a tool told as headings, and share of the told ones that are gold.

    Two headings are the same when their words (without numbers and formulas) are, nearly. Title, abstract, contents,
    keywords and references are neither right nor wrong: the true text names some of them, some not.
    """
    beside = [*_BESIDE_THE_BODY, _letters(title)]
    left = [key for key in map(_letters, told) if key and not any(_same(key, other) for other in beside if other)]
    wanted = [key for key in map(_letters, gold) if key and key not in beside]
    right = 0
    for key in wanted:
        match = next((at for at, other in enumerate(left) if _same(key, other)), None)
        right += match is not None
        if match is not None:
            left.pop(match)
    return share(right, len(wanted)), share(right, right + len(left))


def is_plain(word: str) -> bool:
    """Whether a word is prose rather than a piece of a formula."""
    return len(word) >= PLAIN or bool(_IS_HAN.match(word))


def overlap(some: Iterable[str], others: Iterable[str]) -> int:
    """How many words two multisets share."""
    return (Counter(some) & Counter(others)).total()


def chain(numbers: Sequence[int]) -> list[int]:
    """Where the members of a longest strictly increasing subsequence stand (patience sorting)."""
    tails: list[int] = []
    ends: list[int] = []  # where the best sequence of each length ends
    before: list[int] = []
    for at, number in enumerate(numbers):
        length = bisect_left(tails, number)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [number]
        ends[length : length + 1] = [at]
    found = []
    at = ends[-1] if ends else -1
    while at >= 0:
        found.append(at)
        at = before[at]
    return found[::-1]


def share(part: float, whole: float) -> float | None:
    """A share, or None of nothing."""
    return part / whole if whole else None


def _place(paragraph: Sequence[str], index: defaultdict[tuple[str, ...], list[int]]) -> Place | None:
    passages = list(_grams(paragraph, PASSAGE))
    hits = sorted((at, i) for i, passage in enumerate(passages) for at in index.get(passage, ()))
    width, best, low = len(paragraph) * 3 // 2 + 20, (0, 0, 0), 0
    for high, (at, _) in enumerate(hits):
        while at - hits[low][0] > width:
            low += 1
        best = max(best, (high - low + 1, -low, high), key=lambda window: window[0])
    count, low, high = best[0], -best[1], best[2]
    if not count or count < FOUND * len(passages):
        return None
    inside = hits[low : high + 1]
    return Place(inside[0][0], inside[-1][0] + PASSAGE, tuple((i, at) for at, i in inside))


def _grams(sequence: Sequence[str], size: int) -> Iterable[tuple[str, ...]]:
    return zip(*(sequence[shift:] for shift in range(size)), strict=False)


def _once(sequence: Sequence[str]) -> dict[tuple[str, ...], int]:
    """Passages to their places; -1 for those that come again."""
    places: dict[tuple[str, ...], int] = {}
    for at, passage in enumerate(_grams(sequence, RUN)):
        places[passage] = -1 if passage in places else at
    return places


def _letters(heading: str) -> str:
    return "".join(words(re.sub(r"^\s*(?:appendix\s+)?(?:[ivxlc]+|[a-z]|[\d.]+)[.:)]?\s+", "", heading, flags=re.IGNORECASE)))


def _same(one: str, other: str) -> bool:
    return one == other or fuzz.ratio(one, other) >= SAME_HEADING
