"""The names in a text: proper names, acronyms, identifiers, chemical formulae, elements and isotopes.

An element may be called niobium, Nb or 铌, and an isotope ^{238}U, U-238 or uranium-238: each is one name. A name is
anything that cannot be put in other words, so that an answer which says one that its source does not is wrong.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from qagen.checks.typography import plain
from qagen.checks.units import SYMBOLS, is_unit_name
from qagen.checks.words import STOP_WORDS

_TABLES = tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))
_ELEMENTS: dict[str, str] = {}  # symbol, English and Chinese name -> symbol
for _line in _TABLES["elements"]["table"].strip().split("\n"):
    for _entry in _line.split(";"):
        _symbol, *_names = _entry.split()
        _ELEMENTS |= dict.fromkeys([_symbol, *_names], _symbol)
ELEMENT_SYMBOLS = frozenset(_ELEMENTS.values())
_ELEMENT_NAMES = {name: symbol for name, symbol in _ELEMENTS.items() if name not in ELEMENT_SYMBOLS and name.isascii()}
_HAN_ELEMENTS = {name: symbol for name, symbol in _ELEMENTS.items() if not name.isascii()}
WELL_KNOWN: frozenset[str] = frozenset(_TABLES["acronyms"]["well_known"].split())
_NO_NAMES = frozenset(_TABLES["names"]["not_names"].split()) | {word.capitalize() for word in STOP_WORDS}

_SYMBOL = "|".join(sorted(ELEMENT_SYMBOLS, key=len, reverse=True))
_ISOTOPE = re.compile(
    rf"(?<![\w^])\^?(?P<a1>\d{{1,3}})(?P<s1>{_SYMBOL})(?![a-z0-9])|(?<![\w-])(?P<s2>{_SYMBOL})-?(?P<a2>\d{{1,3}})(?![\w.])"
    rf"|\b(?P<s3>{'|'.join(_ELEMENT_NAMES)})-(?P<a3>\d{{1,3}})\b|(?P<s4>{'|'.join(_HAN_ELEMENTS)})-?(?P<a4>\d{{1,3}})",
)
_PART = rf"(?:{_SYMBOL})(?:_?(?:\d+(?:\.\d+)?|1-[xyz]|[xyzδ](?![a-z])))?"
_ALLOY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}){{2,}}(?![A-Za-z0-9_])")
_TOKEN = re.compile(r"(?<![A-Za-z0-9_^])[A-Za-zΑ-ω][A-Za-z0-9Α-ω]*(?:[-/&'][A-Za-z0-9Α-ω]+)*(?:\([IVX]+\))?")
_START = re.compile(r"(?:^|[.?!:;。？！：|][\"”')]?\s|[\"“(#|]\s?|\n)\s*$")
_QUOTED = re.compile(r"[“「『\"《]([^”」』\"》]{1,30})[”」』\"》]")
_ELEMENT_WORD = re.compile(rf"\b(?:{'|'.join(_ELEMENT_NAMES)})\b", re.I)
_SINGLE = re.compile(
    r"\b(?i:syringe|magnet|cell|sample|film|group|type|mode|phase|sector|line|hall|point|station|detector|class|stage|vent|wave|peak|layer|site|panel|plate|port|run|batch|zone|"
    r"arm|row|series|region|well|tank|ring|chamber|electrode|channel|specimen|crystal|variant|version|strain|bed|column|tube|valve|pump|reactor)\s([A-Z]|[IVX]{1,4})\b"
)
# Not in compounds (过氧化氢), and not the five that are part of many words (资金, 银河).
_HAN_ELEMENT = re.compile(rf"(?<![化])[{''.join(name for name in _HAN_ELEMENTS if name not in '金银铜铁铝')}](?![化酸盐气合代醇硫])")


@lru_cache(maxsize=2048)
def names(text: str) -> frozenset[str]:
    """The names of a text in one form each: folded in case, plural and possessive removed, elements by their symbol."""
    read, alloys = _without_alloys(_level(text))
    found = (
        alloys
        | set(_isotopes(read))
        | set(_elements(read))
        | {quoted.casefold() for quoted in _QUOTED.findall(text) if not quoted.isascii()}
    )
    return frozenset(found | {_folded(token) for token, before in _tokens(read) if _is_name(token, before)} | set(_lettered(read)))


@lru_cache(maxsize=1024)
def forms(text: str) -> frozenset[str]:
    """Every word of a text in the form that `names` gives, so that a name is found where it does not look like one."""
    read = _level(text)
    found = {_folded(token) for token, _ in _tokens(read)}
    found |= {part for form in found for part in re.split(r"[-/&]", form)} | {form.replace("-", "") for form in found}
    return frozenset(found) | names(text)


def _level(text: str) -> str:
    """A plain text whose numeric subscripts stand on the line: Na_2O and Na2O, J_1 and J1 are one name each."""
    return re.sub(r"(?<=[A-Za-z)])_(?=\d)", "", plain(text))


def acronyms(text: str) -> list[str]:
    """Tokens of two or more capitals, with digits or without, as they are written."""
    return [token for token, _ in _tokens(plain(text)) if re.fullmatch(r"[A-Z][A-Za-z]?[A-Z][A-Za-z0-9]*", re.sub(r"s$", "", token))]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for found in _TOKEN.finditer(text):
        if not re.match(r"[\d.]\s?$", text[max(0, found.start() - 2) : found.start()]) or found[0] not in SYMBOLS:
            yield found[0].removesuffix("'s"), text[max(0, found.start() - 4) : found.start()]


def _is_name(token: str, before: str) -> bool:
    if "/" in token and all(part in SYMBOLS or len(part) == 1 for part in token.split("/")):
        return False  # C/m, as in `g C/m²`
    if token in _NO_NAMES or is_unit_name(token) or (re.search(r"[\d)]\s?/?$", before) and token.split("/")[0] in SYMBOLS):
        return False
    if re.search(r"[A-Z].*[A-Z]|[a-z][A-Z]|[A-Za-z]\d|\d[A-Za-z]", token) or ("-" in token and re.search(r"[A-Z].*-\d|-[A-Z]", token)):
        return token not in SYMBOLS
    return len(token) > 2 and token[0].isupper() and not _START.search(before)


def _folded(token: str) -> str:
    token = re.sub(r"(?<=[A-Z])s$", "", token)
    return _ELEMENT_NAMES.get(token.lower(), token).casefold()


def _without_alloys(text: str) -> tuple[str, set[str]]:
    """A text without its formulae of a variable composition, and these by their elements: Nb0.15Si0.85 and Nb_xSi_1-x are `nb:si`."""
    found = [match[0] for match in _ALLOY.finditer(text) if re.search(r"\.\d|[xyzδ](?![a-z])|1-", match[0])]
    for formula in found:
        text = text.replace(formula, " ")
    return text, {":".join(re.findall(_SYMBOL, formula)).casefold() for formula in found}


def elements_of(formula: str) -> frozenset[str]:
    """The elements of a chemical formula in the form of `names` (`h2o2`: h, o); empty if it is none."""
    written = formula[:1].upper() + formula[1:]
    whole = next((form for form in (written, formula.upper()) if re.fullmatch(rf"(?:(?:{_SYMBOL})\d*)+", form)), "")
    return frozenset(symbol.casefold() for symbol in re.findall(_SYMBOL, whole)) if re.search(r"\d", whole) else frozenset()


def _lettered(text: str) -> Iterator[str]:
    """`syringe A`: a letter that tells one from another."""
    return (f"letter {found[1].casefold()}" for found in _SINGLE.finditer(text))


def _isotopes(text: str) -> Iterator[str]:
    for found in _ISOTOPE.finditer(text):
        symbol = found["s1"] or found["s2"] or found["s3"] or found["s4"]
        mass = found["a1"] or found["a2"] or found["a3"] or found["a4"]
        yield f"{_ELEMENTS.get(symbol, symbol)}-{mass}".casefold()


def _elements(text: str) -> Iterator[str]:
    yield from (_ELEMENT_NAMES[found[0].lower()].casefold() for found in _ELEMENT_WORD.finditer(text))
    yield from (_HAN_ELEMENTS[found[0]].casefold() for found in _HAN_ELEMENT.finditer(text))
