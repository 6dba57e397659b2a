"""Where in a text does a quote stand? Exactly, or tolerantly, or almost, but never with other numbers or a lost "not".

Tolerant: both sides are brought to a canonical form (`typography`, case folded, without white space, subscript signs,
hyphens inside words; Greek letters by name) that remembers for each character where it came from, so that the span
found is one of the original text. Almost: pieces of the quote are looked up, and only where several of them lie is the
quote aligned (a seed-and-extend search, as in Altschul et al., BLAST, 1990), so that long texts cost little.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz

from qagen.checks.opposites import sides
from qagen.checks.quantities import quantities
from qagen.checks.typography import pieces, plain
from qagen.records import Span

ALMOST = 92.0  # per cent of the characters that must align (rapidfuzz partial ratio)
_SHORTEST_ALMOST = 24  # canonical characters below which only an exact or tolerant match counts
_SLACK = 0.15  # of the quote's length by which an almost equal passage may differ
_END, _ENDS_ALIKE = 8, 70.0  # characters at either end that must be alike, and how much
_EDGE, _BESIDE = 4, 30  # characters at either end that need no look further, and how far the look goes
_SEED = 6  # characters of a piece that is looked up; with 92 % aligned, some of 6 are whole
_MOST_PLACES = 4  # where the quote is aligned
_FARTHEST = 3000  # characters that an ellipsis may leave out

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_RAISED = re.compile("[⁰¹²³⁴-⁹⁻]+")
_NEGATIONS = re.compile(
    r"\b(?:not|no|never|none|neither|nor|without|cannot|hardly|barely|unable|fail(?:s|ed)?|lack(?:s|ed)?|\w+n't)\b|[不无無没沒未非]", re.I
)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_ELLIPSIS = re.compile(r"\s*(?:[\[(]\s*)?(?:\.\s?\.\s?\.|…+|\\l?dots(?![a-zA-Z]))(?:\s*[\])])?\s*")
_GREEK_TEXT = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega"
_GREEK = {chr(ord("α") + place + (place > 16)): name for place, name in enumerate(_GREEK_TEXT.split())}  # past the final ς


@dataclass(frozen=True, slots=True)
class _Canonical:
    """Canonical characters and, for each, the span of the original that it stands for."""

    text: str
    starts: array[int]
    ends: array[int]

    def origin(self, start: int, end: int) -> Span:
        return Span(self.starts[start], self.ends[end - 1])


def locate_quote(text: str, quote: str) -> Span | None:
    """The first span of `text` that says what `quote` says, or None.

    Word for word first, then up to typography, then (longer quotes only) with at least `ALMOST` per cent of the
    characters aligned and the very same numbers, negations and sides of opposites. A match never begins or ends within a
    word or number.
    """
    return _locate(text, quote, 0)


def locate_quotes(text: str, quotes: Sequence[str]) -> list[Span] | None:
    """The spans of all quotes, in the order of the text and joined where they overlap; None unless every one is found.

    A quote whose words are not together in the text may leave out what stands between with `...`, but no more than
    a few sentences, and no "not".
    """
    found: list[Span] = []
    for quote in quotes:
        spans = _parts(text, quote)
        if spans is None:
            return None
        found += spans
    return _joined_spans(found) or None


def numbers(text: str) -> list[str]:
    """The numbers in a text, as comparable strings: typography, thousands separators and trailing zeros removed."""
    read = re.sub(r"(?<=\d)(?:[\u2009\u202f~]|\\,)(?=\d{3}(?!\d))|(?<=\d),(?=\d{3}(?!\d))", "", text.replace("{,}", ","))
    read = unicodedata.normalize("NFKC", _RAISED.sub(lambda found: f"^{found[0]}", read))
    return [_number(found[0]) for found in _NUMBER.finditer(read)]


def denials(text: str) -> list[str]:
    """The words of a text that deny, in order."""
    return [found[0].lower() for found in _NEGATIONS.finditer(plain(text))]


def _number(digits: str) -> str:
    if digits.count(".") == 1 and "," not in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits.lstrip("0") or "0"


# ---- several quotes, and quotes with something left out


def _parts(text: str, quote: str) -> list[Span] | None:
    whole = locate_quote(text, quote)
    if whole:
        return [whole]
    said = [part for part in _ELLIPSIS.split(quote.strip()) if part.strip(" .,;")]
    if len(said) < 2 and not _ELLIPSIS.search(quote):
        return None
    spans: list[Span] = []
    for part in said:
        span = _locate(text, part, spans[-1].end if spans else 0)
        if span is None or (spans and not _may_leave_out(text[spans[-1].end : span.start])):
            return None
        spans.append(span)
    return spans or None


def _may_leave_out(gap: str) -> bool:
    """Whether a quote may skip this: a denial in the skipped part of a sentence would turn what the sentence says."""
    inside = re.split(r"[.!?](?:\s|$)|[。！？]|\n\s*\n", gap)
    return len(gap) <= _FARTHEST and not denials(inside[0]) and not denials(inside[-1])


def _joined_spans(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


# ---- one quote


def _locate(text: str, quote: str, start: int) -> Span | None:
    quote = quote.strip()
    if not quote:
        return None
    return _exact(text, quote, start) or _tolerant(text, quote, start)


def _exact(text: str, quote: str, start: int) -> Span | None:
    at = text.find(quote, start)
    while at >= 0:
        if _whole(text, Span(at, at + len(quote))):
            return Span(at, at + len(quote))
        at = text.find(quote, at + 1)
    return None


def _tolerant(text: str, quote: str, start: int) -> Span | None:
    there, wanted = _canonical(text), _canonical(quote)
    if not wanted.text:
        return None
    at = there.text.find(wanted.text)
    while at >= 0:
        span = _with_closers(text, there.origin(at, at + len(wanted.text)))
        if span.start >= start and _whole(text, span) and _tells_the_same(text[span.start : span.end], quote, letters=True):
            return span
        at = there.text.find(wanted.text, at + 1)
    return _almost(text, there, quote, wanted.text, start) if len(wanted.text) >= _SHORTEST_ALMOST else None


def _with_closers(text: str, span: Span) -> Span:
    """The span with the braces and dollar signs that close what it opens; they have no canonical form."""
    start, end = span.start, span.end
    while text[end : end + 1] in ("}", "$") and _is_open(text[start:end], text[end]):
        end += 1
    return Span(start - 1 if start and text[start - 1] == "$" and _is_open(text[start:end], "$") else start, end)


def _is_open(piece: str, closer: str) -> bool:
    return piece.count("$") % 2 == 1 if closer == "$" else piece.count("{") > piece.count("}")


def _almost(text: str, there: _Canonical, quote: str, wanted: str, start: int) -> Span | None:
    for low, high in _places(there.text, wanted):
        found = fuzz.partial_ratio_alignment(wanted, there.text[low:high], score_cutoff=ALMOST)
        if found is None or found.dest_end <= found.dest_start:
            continue
        span = _to_words(text, there.origin(low + found.dest_start, low + found.dest_end))
        here = _canonical(text[span.start : span.end]).text
        if span.start < start or not _as_long(here, wanted) or _denied_beside(text, span, here, wanted):
            continue
        if _tells_the_same(text[span.start : span.end], quote, letters=False):
            return span
    return None


def _denied_beside(text: str, span: Span, here: str, wanted: str) -> bool:
    """Whether a denial stands right where a match leaves away the beginning or the end of what is wanted."""
    before = "" if here[:_EDGE] == wanted[:_EDGE] else text[max(0, span.start - _BESIDE) : span.start]
    after = "" if here[-_EDGE:] == wanted[-_EDGE:] else text[span.end : span.end + _BESIDE]
    return bool(denials(f"{before} | {after}"))


def _as_long(here: str, wanted: str) -> bool:
    """Whether two passages are about as long, and begin and end alike: what a match leaves away may be what a "not" stood before."""
    if abs(len(here) - len(wanted)) > _SLACK * len(wanted):
        return False
    return fuzz.ratio(here[:_END], wanted[:_END]) >= _ENDS_ALIKE and fuzz.ratio(here[-_END:], wanted[-_END:]) >= _ENDS_ALIKE


def _places(there: str, wanted: str) -> Iterator[tuple[int, int]]:
    """Stretches of the text where several pieces of what is wanted lie as in it, the fullest first."""
    votes: Counter[int] = Counter()
    width = max(32, len(wanted) // 4)
    for offset in range(0, len(wanted) - _SEED + 1, _SEED):
        for at in _all(there, wanted[offset : offset + _SEED]):
            votes[(at - offset) // width] += 1
    if not votes and len(there) >= len(wanted) * (1 - _SLACK):
        return
    for place, _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))[:_MOST_PLACES]:
        slack = width + int(_SLACK * len(wanted)) + 8
        yield max(0, place * width - slack), place * width + width + len(wanted) + slack


def _all(text: str, piece: str) -> Iterator[int]:
    at = text.find(piece)
    while at >= 0:
        yield at
        at = text.find(piece, at + 1)


# ---- what must be the same


def _tells_the_same(here: str, quote: str, letters: bool) -> bool:
    """Whether numbers with their units, negations and sides of opposites are the same, in the same order.

    Where all `letters` are known to be the same but for their case, a unit can only have changed its prefix.
    """
    here, quote = plain(here), plain(quote)
    return (
        numbers(here) == numbers(quote)
        and denials(here) == denials(quote)
        and sides(here) == sides(quote)
        and _same_units(here, quote, letters)
    )


def _same_units(here: str, quote: str, letters: bool) -> bool:
    """Whether no value has changed its unit, as 5 mW to 5 MW, where both name one."""
    mine, theirs = quantities(here), quantities(quote)
    return len(mine) != len(theirs) or all(
        a.key == b.key or not a.unit.dimension or not b.unit.dimension or (letters and a.unit.dimension != b.unit.dimension)
        for a, b in zip(mine, theirs, strict=True)
    )


def _whole(text: str, span: Span) -> bool:
    """Whether the span cuts neither a word nor a number, nor leaves a number's sign, first digits or power behind."""
    before, first = text[: span.start][-2:], text[span.start]
    last, after = text[span.end - 1], text[span.end : span.end + 12]
    if _joins(before[-1:], first) or _joins(last, after[:1]):
        return False
    if first.isdigit() and re.search(r"\d[.,]$|(?:^|[\s(])[-−–]$|[\^_]\{?$", before):
        return False
    return not (last.isdigit() and re.match(r"[.,]\d|\s?(?:\$|\\,)?\s?(?:×|\\times)\s?10|\^|[⁰¹²³⁴-⁹⁻]", after))


def _joins(left: str, right: str) -> bool:
    return left.isalnum() and right.isalnum() and not _CJK.match(left) and not _CJK.match(right)


def _to_words(text: str, span: Span) -> Span:
    """The span widened to whole words."""
    start, end = span.start, span.end
    while start > 0 and _joins(text[start - 1], text[start]):
        start -= 1
    while end < len(text) and _joins(text[end - 1], text[end]):
        end += 1
    return Span(start, end)


# ---- the canonical form


@lru_cache(maxsize=8)
def _canonical(text: str) -> _Canonical:
    letters: list[str] = []
    starts: array[int] = array("q")
    ends: array[int] = array("q")
    before = ""
    for piece in pieces(text):
        read = piece.plain.casefold()
        if piece.word and len(read) == len(piece.plain):
            letters.append(read)
            starts.extend(range(piece.start, piece.end))
            ends.extend(range(piece.start + 1, piece.end + 1))
        elif read := _tight(read, before, text[piece.end : piece.end + 2]):
            letters.append(read)
            starts.extend([piece.start] * len(read))
            ends.extend([piece.end] * len(read))
        before = (before + (read or piece.plain))[-2:]
    return _Canonical("".join(letters), starts, ends)


def _tight(read: str, before: str, after: str) -> str:
    """A sign without what only typography knows: spaces, subscripts, the hyphen inside a word."""
    if read in (" ", "_", "~", "|", "&"):
        return ""
    if read == "-" and before.isalpha() and len(before) == 2 and after.isalpha() and len(after) == 2:
        return ""
    if read == "^" and before[-1:].isalpha() and after.lstrip("{")[:1] in ("-", "+", "−", "*"):
        return ""
    if read.startswith("^") and before[-1:].isalpha() and read[1:2] in ("-", "+"):
        read = read[1:]
    return "".join(_GREEK.get(letter, letter) for letter in read if not letter.isspace())
