"""What a passage names, found by rule: machines and methods, quantities, symbols, technical terms. English and Chinese.

Two passages that name the same rare thing are about the same thing, whatever words stand around it. Nothing here knows
what is rare: that is a matter of the corpus (see `qagen.kinds.partners`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from qagen.checks.words import STOP_WORDS
from qagen.curate.guards import read_marks
from qagen.curate.lexicon import UNIT_NAMES, UNITS
from qagen.curate.words import stem

_MATH = re.compile(r"\$\$.+?\$\$|\\\[.+?\\\]|\\begin\{(?P<env>\w+\*?)\}.*?\\end\{(?P=env)\}|\\\(.+?\\\)|\$[^$\n]{1,400}\$", re.S)
_SYMBOL = re.compile(r"(?:\\[A-Za-z]+|[A-Za-z])(?:\s*[_^]\s*(?:\{[^{}]{1,20}\}|\\[A-Za-z]+|[A-Za-z0-9*]))+")
_UNIT = "|".join(map(re.escape, UNIT_NAMES))
_PIECE = r"[^\W\d_][^\W_]*(?:[-/][^\W_]+)*"
_NAME = re.compile(
    rf"(?<![\w-])(?=[A-ZÀ-ÖØ-ÞΑ-Ω]){_PIECE}(?:[ \t]+(?:(?=[A-ZÀ-ÖØ-ÞΑ-Ω]){_PIECE}|\d{{1,4}}(?![\d.%]|\s?(?:{_UNIT})(?![\w-]))))*"
)
_IDENTIFIER = re.compile(r"[A-Z].*[A-Z]|[a-z][A-Z]|[^\W\d_]\d|\d[^\W\d_]|[A-Z]\w*-")
_MIXED = re.compile(r"(?<![\w-])(?:[a-z]{1,3}[A-Z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*|\d{1,3}[A-Z][A-Za-z]*\d*)(?![\w-])")
_SENTENCE_START = re.compile(r"(?:^|[.?!:;。？！]\s|\n\s?|[\"'(#|•]\s?)\s*$")
_CITED = re.compile(r"(?:\s+and\s+[A-Z][\w-]+)?,?\s+et\s+al\b|\s*\(\d{4}\)|,\s*\d{4}\)")
_WORD = re.compile(r"(?<![\w-])[a-z]{3,}(?:-[a-z]+)*(?![\w-])")
_QUOTED_ZH = re.compile(r"[“「《]([^”」》“「《]{2,20})[”」》]")
_HAN = re.compile(r"[\u3400-\u9fff]+")
# The last character of what Chinese papers name: a machine or its part, a method, a law, a material, a quantity.
_CLASS_ZH = frozenset("器机环腔铁仪管泵源束站线法式律论学场力波效型程态相膜钢铜度率量值谱")
_STOP_ZH = frozenset(
    "的了在是和与及或为以于由对从到将被把等其之而也都就又并则可能会有个这那该此什么如当所用于中上下后前每各一二三四五六七八九十两"
)
_NO_NAMES_TEXT = (
    "figure figures fig table tables equation equations eq section sections chapter appendix reference references ref refs part step "
    "version university abstract introduction conclusion conclusions results discussion acknowledgements "
    "january february march april may june july august september october november december "
    "monday tuesday wednesday thursday friday saturday sunday"
)
_NO_NAMES = frozenset(_NO_NAMES_TEXT.split())


def entities(text: str) -> frozenset[str]:
    """What a text names, each in one form: `hl-lhc`, `7e+12 eV`, `\\beta_x`, `orbit correct`, `储存环`.

    Capitalised names, acronyms and identifiers (a capital letter at a sentence's start alone makes no name); quantities
    with a unit, in base units; symbols with an index; terms of two words that the text uses more than once; Chinese
    terms by their last three characters and what stands in Chinese quotation marks. People who are cited are not among them.
    """
    plain = _MATH.sub(" # ", text)
    found = {*_names(plain), *_symbols(text), *_quantities(plain), *_terms(plain), *_chinese(plain)}
    return frozenset(name for name in found if len(name) > 1)


def _names(text: str) -> Iterator[str]:
    for match in _NAME.finditer(text):
        if _CITED.match(text[match.end() : match.end() + 60]):
            continue
        name = _without_article(match[0], bool(_SENTENCE_START.search(text[max(0, match.start() - 3) : match.start()])))
        if name and name not in UNITS and not {word.lower() for word in name.split()} & _NO_NAMES:
            yield name.casefold()
    yield from (match[0].casefold() for match in _MIXED.finditer(text) if match[0] not in UNITS)


def _without_article(name: str, starts: bool) -> str:
    """A name without the word that only begins a sentence (`The LHC`); empty if nothing else is left."""
    words = name.split()
    while words and (words[0].lower() in STOP_WORDS or (starts and len(words) == 1 and not _IDENTIFIER.search(words[0]))):
        words, starts = words[1:], False
    while words and words[-1].isdigit() and len(words) == 1:
        words = []
    return re.sub(r"(?<=[A-Z])s$", "", " ".join(words))


def _symbols(text: str) -> Iterator[str]:
    for span in _MATH.finditer(text):
        for match in _SYMBOL.finditer(span[0]):
            yield re.sub(r"[\s{}]", "", match[0])


def _quantities(text: str) -> Iterator[str]:
    return (f"{value:g} {unit}" for value, unit in read_marks(text).numbers if unit)


def _terms(text: str) -> Iterator[str]:
    """Two words side by side, neither a stop word, that come up again: what a passage keeps speaking of is its subject."""
    seen: Counter[str] = Counter()
    for clause in re.split(r"[^\w\s-]+", text):
        words = [(match[0], match.start(), match.end()) for match in _WORD.finditer(clause)]
        for (first, _, end), (second, start, _) in pairwise(words):
            if start == end + 1 and first not in STOP_WORDS and second not in STOP_WORDS:
                seen[f"{first} {stem(second)}"] += 1
    return (term for term, count in seen.items() if count > 1)


def _chinese(text: str) -> Iterator[str]:
    yield from (match[1].casefold() for match in _QUOTED_ZH.finditer(text))
    for run in _HAN.findall(text):
        for at, character in enumerate(run):
            if character in _CLASS_ZH and at >= 2 and not _STOP_ZH & set(run[at - 2 : at]):
                yield run[at - 2 : at + 1]  # where a longer term begins cannot be seen, but its end is enough to recognise it
