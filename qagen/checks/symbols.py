r"""Symbols and acronyms that a question uses without saying what they stand for.

A symbol is explained where a noun stands right before it or behind it (`the beta function $\beta$`, `mass m`, `Q factor`),
where the question says what it is (`k is the rate constant`), or where everybody knows it (π, c, k_B, √s).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path

from qagen.checks.elements import WELL_KNOWN, acronyms, forms
from qagen.checks.quantities import quantities
from qagen.checks.typography import plain
from qagen.checks.units import SYMBOLS
from qagen.checks.words import STOP_WORDS, content_words

_UNIVERSAL_TEXT = "π c e h ħ k_B k_b kB m_e m_p m_n N_A R G i s x y z t T ∞ √s √s_NN pH A a I σ μ_0 μ0 ε_0 ε0"
_UNIVERSAL = frozenset(_UNIVERSAL_TEXT.split())
_MATHS = re.compile(r"\$([^$]+)\$|\\\((.+?)\\\)")
_INDEX = r"(?:_\{[^{}]{1,12}\}|_[A-Za-z0-9Α-ω]{1,8}|\d)?"
_BARE = re.compile(rf"(?<![A-Za-z0-9Α-ω_\\$^/'’.·°-])([A-Za-zΑ-ωħ]{_INDEX})(?![A-Za-z0-9Α-ω_$'’])(?!-\d)")
_LETTER = re.compile(rf"[A-Za-zΑ-ωħ]{_INDEX}")
_STRESSED = STOP_WORDS | {"true", "false", "except", "least"}  # words in capitals for emphasis
_GIVEN = r"\s*\$?\s*(?:=|≈|~|<|>|≤|≥|:)\s*\$?\s*[-+]?\d"
_FUNCTIONS = re.compile(r"\b(?:sin|cos|tan|log|ln|exp|min|max|det|arg|lim|sqrt|d)\b|√")
_PARTICLES = re.compile(r"^(?:[WZHBDKJepnγνμτπKηρωφΛΣΞΩΥαβ]|ψ)[\^_]?[\d*+'-]*$")
_NO_NOUNS = STOP_WORDS | frozenset(
    tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))["words"]["no_nouns"].split()
)
_EXPLAINED = re.compile(r"\b(?:is|are|being|denotes?|denoting|stands?\s+for|means?|represents?|=)\s+(?:the|an?|its)\b|表示|代表|为|是")
_NOUN_BEFORE = re.compile(r"([A-Za-zα-ω-]{3,})(?:\s*[,(]\s*|\s+(?:of\s+)?)?$")
_NOUN_AFTER = re.compile(r"^(?:[-\s]|\)\s*)([A-Za-z-]{3,})")


def unexplained(question: str, defined: Collection[str] = ()) -> list[str]:
    """The symbols of a question that neither it nor `defined` explains, each once."""
    known = {_bare(term) for term in defined} | _UNIVERSAL
    read = plain(question)
    places = list(_symbols(question))
    known |= {_bare(symbol) for symbol, before, after in places if _is_explained(symbol, before, after)}
    found = [symbol for symbol, _, _ in places if _bare(symbol) not in known]
    return [symbol for symbol in dict.fromkeys(found) if not re.search(rf"(?<!\w){re.escape(_bare(symbol))}{_GIVEN}", read)]


def bare_acronyms(question: str, title: str = "", defined: Collection[str] = (), source: str = "") -> list[str]:
    """The acronyms of a question that stand alone and that nothing explains, each once.

    Explained is what the question writes out, what its title, `defined` or common knowledge holds, and what a noun stands
    behind (`the OLS storage ring`) or right before; identifiers with digits are names.
    """
    known = {term.casefold() for term in defined} | forms(title) | {term.casefold() for term in WELL_KNOWN}
    read = plain(question)
    found = []
    for acronym in dict.fromkeys(acronyms(question)):
        short = re.sub(r"s$", "", acronym)
        if (
            short in SYMBOLS
            or short.lower() in _STRESSED
            or any(character.isdigit() for character in short)
            or {short.casefold(), acronym.casefold()} & known
            or _designates(read, acronym)
        ):
            continue
        if not _written_out(read, short) and not (source and _written_out(plain(source), short)) and not _described(read, acronym):
            found.append(acronym)
    return found


def _designates(text: str, acronym: str) -> bool:
    """Whether a bare number stands behind an acronym wherever it is used (`AA 6082`): the two are one name."""
    bare = {one.start for one in quantities(text) if not one.unit.dimension and one.unit.scale == 1}
    places = list(re.finditer(rf"\b{re.escape(acronym)}(?![A-Za-z0-9])", text))
    return bool(places) and all(text[at.end() : at.end() + 1] in (" ", "-") and at.end() + 1 in bare for at in places)


def without_explained(text: str, source: str) -> str:
    """A text without the short forms that it writes out itself in words of the source: `BN (boron nitride)`."""
    there = set(content_words(source))
    for found in _SHORT_FORM.finditer(text):
        short, words = found["short"] or found["late"], found["words"] or found["early"]
        if words and set(content_words(words)) <= there:
            text = text.replace(short, " ")
    return text


_SHORT_FORM = re.compile(
    r"\b(?P<short>[A-Z][A-Za-z0-9]*)\s*\((?P<words>[a-z][a-z -]{3,60})\)|"
    r"\b(?P<early>[a-z][a-z-]*(?:\s[a-z-]+){1,4})\s*\((?P<late>[A-Z][A-Za-z0-9]*)\)"
)


def _symbols(question: str) -> Iterator[tuple[str, str, str]]:
    """Symbol, what stands before it and what stands behind it."""
    rest = question
    for found in _MATHS.finditer(question):
        before, after = question[: found.start()], question[found.end() :]
        inside = _FUNCTIONS.sub(" ", plain(found[1] or found[2]))
        for letter in _LETTER.finditer(_without_units(inside)):
            yield letter[0], before, after
        rest = rest.replace(found[0], " " * len(found[0]), 1)
    rest = plain(rest)
    for found in _BARE.finditer(rest):
        if (len(found[1]) == 1 or re.search(r"[_\d]", found[1])) and found[1] not in ("a", "A", "I") and not _is_a_name(rest, found):
            yield found[1], rest[: found.start()], rest[found.end() :]


def _without_units(maths: str) -> str:
    """A formula without the units behind its numbers, and without words of three letters or more."""
    for found in quantities(maths):
        maths = maths.replace(found.text, " ")
    return re.sub(r"(?<![_A-Za-z])[A-Za-z]{3,}(?![_\d])", " ", maths)


def _is_a_name(text: str, found: re.Match[str]) -> bool:
    """A unit behind a number, an initial, an element, `type A`, `B. Toms`, a label such as K1 or H2."""
    before, symbol = text[max(0, found.start() - 12) : found.start()], found[1]
    if re.search(r"\d[\d.]*\s?(?:[a-zA-Zμ/·^-]*\s)?$", before) and symbol.split("^")[0] in SYMBOLS:
        return True
    if re.search(r"(?:\b[Uu]nits?|\bin|\bper)[:\s]*$", before) and symbol in SYMBOLS:
        return True
    if re.match(r"\.\s?[A-Z]|-[A-Za-z]|\s?/\s?[A-Za-zψ]", text[found.end() :]) or re.search(r"[A-Z]\.\s?$|/\s?$", before):
        return True
    return symbol[0].isascii() and bool(re.fullmatch(r"[A-Z]\d+", symbol))


def _is_explained(symbol: str, before: str, after: str) -> bool:
    if re.search(r"\b[A-ZΑ-ω](?:_\w+)?\s*(?:,|and|or|和|与)\s*(?:and\s)?$", before):
        return True  # the second of `objects A and B`
    if re.search(r"[\u3400-\u9fff]\s*[（(]?\s*$", before) and not re.search(r"(?:的|当|若|在|是|和|与|中|为|及|取|使|随)\s*$", before):
        return True
    if re.match(r"\s*[）)]?\s*(?:粒子|衰变|函数|因子|波段|射线|玻色子|介子|轴|方向|值表示|表示|代表)", after):
        return True
    noun = _NOUN_BEFORE.search(before)
    if noun and noun[1].lower() not in _NO_NOUNS:
        return True
    behind = _NOUN_AFTER.match(after)
    if behind and behind[1].lower() not in _NO_NOUNS:
        return True
    if re.search(r"(?:^|[\s(])(?:[A-Za-z-]{3,})\s(?:and|or|,)\s*$", before) and _PARTICLES.match(symbol):
        return True
    return bool(_EXPLAINED.search(after[:40])) or bool(re.search(r"(?:stands?\s+for|mean|denote|represent)", after))


def _bare(term: str) -> str:
    return re.sub(r"[{}\s]", "", plain(term))


def _written_out(text: str, acronym: str) -> bool:
    """`large hadron collider (LHC)`, `LHC (large hadron collider)`, 大型强子对撞机（LHC）."""
    name = re.escape(acronym)
    found = re.search(
        rf"((?:[\w-]+\s+){{1,8}})[(（]\s*(?:the\s+)?{name}s?\s*[)）,，;]|{name}s?\s*[(（]((?:[\w-]+[\s)）]*){{1,8}})|[\u3400-\u9fff]{{2,}}\s*[(（]\s*{name}",
        text,
    )
    if not found:
        return False
    words = found[1] or found[2]
    return words is None or len(words.split()) >= 2


def _described(text: str, acronym: str) -> bool:
    """Whether a noun right beside an acronym says what kind of thing it is; behind `does the ABC` the first word is a verb."""
    found = re.search(
        rf"(?P<verb>\b(?:do|does|did|can|could|will|would|must|should)\s+(?:the\s+)?)?(?P<before>[\w\u3400-\u9fff]+\s*)?\b{re.escape(acronym)}"
        rf"(?:'s)?(?![A-Za-z0-9])(?:[-\s]+(?P<after>[a-z][\w-]{{2,}})(?P<next>\s+[a-z]{{3,}})?|\s?(?P<han>[\u3400-\u9fff]{{2}}))?",
        text,
    )
    if not found:
        return False
    before, after, following = (found["before"] or "").strip().lower(), (found["after"] or "").lower(), (found["next"] or "").strip()
    if found["han"] or re.search(r"[\u3400-\u9fff]{2}$", before):
        return True
    if after and after not in _NO_NOUNS and not (found["verb"] and (not following or following in STOP_WORDS)):
        return True
    return bool(re.fullmatch(r"[a-z]{4,}", before)) and before not in _NO_NOUNS
