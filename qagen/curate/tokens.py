"""A question's words as they are compared: synonyms as one token, scaffolding gone, names and opposites noted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from qagen.curate.lexicon import ASKING, MEASURES, NOT_NAMES, SCAFFOLDING_HAN, SIDES, SYNONYMS
from qagen.curate.words import HAN, stem


@dataclass(frozen=True, slots=True)
class Tokens:
    """`sequence` are the words that carry the sense, in order (of Chinese, terms that are known and single characters).

    `names` are identifiers and proper names, `forms` every word as written (so that a name can be found where it does
    not look like one), `sides` which side of a pair of opposites is named (`group:side`), `counts` words for numbers, `chinese`
    whether there is Chinese in it.
    """

    sequence: tuple[str, ...]
    names: frozenset[str]
    forms: frozenset[str]
    sides: frozenset[str]
    counts: tuple[float, ...]
    chinese: bool

    def content(self) -> frozenset[str]:
        """The set by which two questions are compared: the sequence, with pairs of neighbours for single Chinese characters."""
        han = [_is_han(token) for token in self.sequence]
        bigrams = {a + b for (a, b), (x, y) in zip(pairwise(self.sequence), pairwise(han), strict=True) if x and y}
        alone = {
            token
            for place, token in enumerate(self.sequence)
            if not han[place] or not (any(han[place + 1 : place + 2]) or any(han[max(0, place - 1) : place]))
        }
        return frozenset(bigrams | alone)


def tokenise(text: str) -> Tokens:
    """Read a text that `plain` has seen and whose numbers are taken out."""
    runs = [] if text.isascii() else list(_HAN_RUN.finditer(text))
    found, end = _Found([], set(), set(), set(), [], bool(runs)), 0
    for run in runs:
        _latin(text, end, run.start(), found)
        _chinese(run.group(), found)
        end = run.end()
    _latin(text, end, len(text), found)
    return Tokens(
        tuple(found.sequence), frozenset(found.names), frozenset(found.forms), frozenset(found.sides), tuple(found.counts), found.chinese
    )


@dataclass(slots=True)
class _Found:
    sequence: list[str]
    names: set[str]
    forms: set[str]
    sides: set[str]
    counts: list[float]
    chinese: bool  # where a capital letter is always a name's


# ---- words of alphabets

_FORM = re.compile(r"[^\W_]+(?:[-/][^\W_]+)*")
_SENTENCE_START = re.compile(r"(?:^|[.?!:;]\s|[\"'(#]\s?)\s*$")
_IDENTIFIER = re.compile(r"[A-Z].*[A-Z]|[a-z][A-Z]|[^\W\d_]\d|\d[^\W\d_]")
_COUNTS = {
    word: float(value)
    for value, names in enumerate(
        ("", "first", "two|second|twice", "three|third", "four|fourth", "five|fifth", "six|sixth", "seven|seventh",
         "eight|eighth", "nine|ninth", "ten|tenth", "eleven|eleventh", "twelve|twelfth")
    )
    for word in names.split("|") if word
}  # fmt: skip


def _latin(text: str, start: int, end: int, found: _Found) -> None:
    before = ""
    for match in _FORM.finditer(text, start, end):
        word = _entry(match.group())
        found.forms.update(word.forms)
        if word.name or (word.capital and (found.chinese or not _starts(text, match.start()))):
            found.names.add(word.forms[0])
        for part in word.parts:
            _take_word(part, before, found)
            before = part.word


def _starts(text: str, place: int) -> bool:
    """Whether a sentence begins here, so that a capital letter says nothing."""
    return bool(_SENTENCE_START.search(text[max(0, place - 3) : place]))


def _take_word(part: _Part, before: str, found: _Found) -> None:
    if part.count and before not in ("per", "a", "each"):
        found.counts.append(part.count)
        return
    token = part.token
    if before == "how" and part.word in MEASURES:
        token = MEASURES[part.word]
    elif part.side:
        found.sides.add(part.side)
    if token:
        found.sequence.append(token)


@dataclass(frozen=True, slots=True)
class _Part:
    word: str
    token: str
    side: str
    count: float


@dataclass(frozen=True, slots=True)
class _Word:
    forms: tuple[str, ...]
    parts: tuple[_Part, ...]
    name: bool
    capital: bool


@lru_cache(maxsize=1 << 17)
def _entry(written: str) -> _Word:
    """All that there is to know of a word without its neighbours: words come again, so it is found out once."""
    form = re.sub(r"(?<=[A-Z])s$", "", written)  # BPMs are BPM
    low = form.casefold()
    whole = (low,) if low in SIDES or low in SYNONYMS else tuple(low.split("-"))
    forms = (low, *low.split("-")) if form.islower() and "-" in low else (low,)
    return _Word(forms, tuple(_part(part) for part in whole if part), low not in NOT_NAMES and _is_identifier(form), _is_capital(form, low))


def _part(word: str) -> _Part:
    side = SIDES.get(word, "")
    return _Part(word, "" if word in ASKING else side or _one_of_all(word), side, _COUNTS.get(word, 0.0))


def _one_of_all(word: str) -> str:
    return SYNONYMS.get(word) or _BY_STEM.get(stem(word), stem(word))


def _is_identifier(form: str) -> bool:
    return bool(_IDENTIFIER.search(form)) or ("-" in form and any(letter.isupper() for letter in form))


def _is_capital(form: str, low: str) -> bool:
    return form[0].isupper() and low not in NOT_NAMES


# ---- Chinese

_HAN_RUN = re.compile(rf"[{HAN}]+")
_HAN_DIGITS = {digit: float(value) for value, digit in enumerate("零一二三四五六七八九十")} | {"两": 2.0}
_HAN_COUNT = re.compile("第([一二三四五六七八九十])|([二三四五六七八九十两])(?=[个台座条根块级段次种支名组])")
_BY_STEM = {stem(name): token for name, token in SYNONYMS.items() if name.isascii()}
_HAN_TERMS: dict[str, str] = (
    {name: SYNONYMS[name] for name in SYNONYMS if not name.isascii()}
    | {name: SIDES[name] for name in SIDES if not name.isascii()}
    | dict.fromkeys(SCAFFOLDING_HAN, "")
    | {"电子伏": "", "电子伏特": ""}
)
_HAN_TERM = re.compile("|".join(sorted(map(re.escape, _HAN_TERMS), key=lambda name: (-len(name), name))))


def _chinese(run: str, found: _Found) -> None:
    found.counts.extend(_HAN_DIGITS[match[1] or match[2]] for match in _HAN_COUNT.finditer(run))
    run, end = _HAN_COUNT.sub("之", run), 0
    for match in _HAN_TERM.finditer(run):
        found.sequence.extend(run[end : match.start()])
        end = match.end()
        if token := _HAN_TERMS[match.group()]:
            found.sequence.append(token)
            if match.group() in SIDES:
                found.sides.add(token)
    found.sequence.extend(run[end:])


def _is_han(token: str) -> bool:
    return len(token) == 1 and "\u3400" <= token <= "\ufaff"


def exchanged(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """What stands for what where two sequences are one frame: all that only one of them has stands in the other's place of it.

    "how does the pion lose energy" and "how does the kaon lose energy": (pion) and (kaon). Empty where the sequences are
    alike, and where they differ in more than what is exchanged or in most of their words, as other wordings do.
    """
    of_a, of_b = _runs(a, frozenset(b)), _runs(b, frozenset(a))
    if of_a.keys() != of_b.keys() or sum(map(len, of_a.values())) > max(1, len(a) // 2):
        return ()
    return tuple((run, of_b[place]) for place, run in of_a.items())


def _runs(sequence: tuple[str, ...], other: frozenset[str]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Runs of tokens that the other sequence lacks, by the tokens on either side."""
    runs: dict[tuple[str, str], tuple[str, ...]] = {}
    before, run = "", []
    for token in (*sequence, ""):
        if token and token not in other:
            run.append(token)
            continue
        if run:
            runs[before, token] = tuple(run)
        before, run = token, []
    return runs
