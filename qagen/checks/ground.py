"""Where in a text does a quote stand? Exactly, or tolerantly, or almost, but never with other numbers or a lost "not".

Tolerant: both sides are brought to a canonical form (compatibility decomposition, case folded, without white space,
`$`, `~` and invisible characters, dashes and quotation marks unified, words hyphenated at a line's end joined) that
remembers for each character where it came from, so that the span found is one of the original text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz import fuzz

from qagen.records import Span

ALMOST = 92.0  # per cent of the characters that must align (rapidfuzz partial ratio)
_SHORTEST_ALMOST = 24  # canonical characters below which only an exact or tolerant match counts
_SLACK = 0.15  # of the quote's length by which an almost equal passage may differ

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－"), "-")
_QUOTES = dict.fromkeys(map(ord, "‘’‚‛′`´＇"), "'") | dict.fromkeys(map(ord, "“”„‟″«»「」『』＂"), '"')
_SIGNS = _DASHES | _QUOTES
_COMMAND = re.compile(
    r"\\(?:mathrm|text|mathbf|mathit|rm|left|right|cdot|times|pm|mu|approx|sim|leq?|geq?|circ|degree)(?![a-zA-Z])|\\[,;:! %&_#$]|\\$"
)
_MEANT = {
    "times": "×",
    "pm": "±",
    "mu": "μ",
    "approx": "≈",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "cdot": "·",
    "circ": "°",
    "degree": "°",
}
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])(?:[-‐\u00ad]|-\s)\s*\n\s*(?=[^\W\d_])|\u00ad")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_RAISED = re.compile("[⁰¹²³⁴-⁹⁻]+")
_NEGATIONS = re.compile(r"\b(?:not|no|never|none|neither|nor|without|cannot|\w+n't)\b|[不无無没沒未非]", re.I)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class _Canonical:
    """Canonical characters and, for each, the span of the original that it stands for."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def origin(self, start: int, end: int) -> Span:
        return Span(self.starts[start], self.ends[end - 1])


def locate_quote(text: str, quote: str) -> Span | None:
    """The first span of `text` that says what `quote` says, or None.

    Word for word first, then up to typography, then (longer quotes only) with at least `ALMOST` per cent of the
    characters aligned and the very same numbers and negations. A match never begins or ends within a word or number.
    """
    quote = quote.strip()
    if not quote:
        return None
    return _exact(text, quote) or _tolerant(text, quote)


def numbers(text: str) -> list[str]:
    """The numbers in a text, as comparable strings: typography, thousands separators and trailing zeros removed."""
    plain = re.sub(r"(?<=\d)(?:[\u2009\u202f~]|\\,)(?=\d{3}(?!\d))|(?<=\d),(?=\d{3}(?!\d))", "", text.replace("{,}", ","))
    plain = unicodedata.normalize("NFKC", _RAISED.sub(lambda found: f"^{found[0]}", plain))
    return [_number(found[0]) for found in _NUMBER.finditer(plain)]


def _number(digits: str) -> str:
    if digits.count(".") == 1 and "," not in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits.lstrip("0") or "0"


def _exact(text: str, quote: str) -> Span | None:
    at = text.find(quote)
    while at >= 0:
        if _whole(text, Span(at, at + len(quote))):
            return Span(at, at + len(quote))
        at = text.find(quote, at + 1)
    return None


def _tolerant(text: str, quote: str) -> Span | None:
    there, wanted = _canonical(text), _canonical(quote)
    if not wanted.text:
        return None
    at = there.text.find(wanted.text)
    while at >= 0:
        span = _with_closers(text, there.origin(at, at + len(wanted.text)))
        if _whole(text, span) and _tells_the_same(text[span.start : span.end], quote):
            return span
        at = there.text.find(wanted.text, at + 1)
    return _almost(text, there, quote, wanted.text) if len(wanted.text) >= _SHORTEST_ALMOST else None


def _with_closers(text: str, span: Span) -> Span:
    """The span with the braces and dollar signs that close what it opens; they have no canonical form."""
    start, end = span.start, span.end
    while text[end : end + 1] in ("}", "$") and _is_open(text[start:end], text[end]):
        end += 1
    return Span(start - 1 if start and text[start - 1] == "$" and _is_open(text[start:end], "$") else start, end)


def _is_open(piece: str, closer: str) -> bool:
    return piece.count("$") % 2 == 1 if closer == "$" else piece.count("{") > piece.count("}")


def _almost(text: str, there: _Canonical, quote: str, wanted: str) -> Span | None:
    if len(there.text) < len(wanted) * (1 - _SLACK):
        return None
    found = fuzz.partial_ratio_alignment(wanted, there.text, score_cutoff=ALMOST)
    if found is None or found.dest_end <= found.dest_start:
        return None
    span = _to_words(text, there.origin(found.dest_start, found.dest_end))
    length = len(_canonical(text[span.start : span.end]).text)
    if abs(length - len(wanted)) > _SLACK * len(wanted) or not _tells_the_same(text[span.start : span.end], quote):
        return None
    return span


def _tells_the_same(here: str, quote: str) -> bool:
    """Whether numbers and negations are the same, in the same order."""
    return numbers(_joined(here)) == numbers(_joined(quote)) and _denials(here) == _denials(quote)


def _denials(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", _joined(text)).translate(_SIGNS)
    return [found[0].lower() for found in _NEGATIONS.finditer(plain)]


def _joined(text: str) -> str:
    return _BROKEN_WORD.sub("", text)


def _whole(text: str, span: Span) -> bool:
    """Whether the span cuts neither a word nor a number, nor leaves a number's sign or first digits behind."""
    before, first = text[: span.start][-2:], text[span.start]
    last, after = text[span.end - 1], text[span.end :][:2]
    if _joins(before[-1:], first) or _joins(last, after[:1]):
        return False
    if first.isdigit() and re.search(r"\d[.,]$|(?:^|[\s(])[-−–]$", before):
        return False
    return not (last.isdigit() and re.match(r"[.,]\d", after))


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


def _canonical(text: str) -> _Canonical:
    letters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end, plain in _pieces(text):
        letters.append(plain)
        starts += [start] * len(plain)
        ends += [end] * len(plain)
    return _Canonical("".join(letters), tuple(starts), tuple(ends))


def _pieces(text: str) -> Iterator[tuple[int, int, str]]:
    """Original span and canonical characters, from left to right."""
    skip = {found.start(): (found.end(), "") for found in _BROKEN_WORD.finditer(text)}
    skip |= {found.start(): (found.end(), _command(found[0])) for found in _COMMAND.finditer(text)}
    at, raised = 0, False
    while at < len(text):
        end, plain = skip.get(at) or (at + 1, _letter(text[at]))
        if unicodedata.decomposition(text[at]).startswith("<super>"):  # 10⁶ is 10^6, never 106
            plain, raised = (plain if raised else f"^{plain}"), True
        else:
            raised = False
        if plain:
            yield at, end, plain
        at = end


def _command(command: str) -> str:
    name = command[1:]
    return _MEANT.get(name, name if name in "%&_#" else "")


def _letter(letter: str) -> str:
    plain = unicodedata.normalize("NFKD", letter.translate(_SIGNS)).casefold().translate(_SIGNS)
    plain = unicodedata.normalize("NFKD", plain)
    return "".join(c for c in plain if not c.isspace() and c not in "$~{}" and unicodedata.category(c) not in ("Cf", "Cc"))
