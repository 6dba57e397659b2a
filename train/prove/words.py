"""Words by which a passage is found: English by stem, Chinese by pairs of characters, numbers, units and names as they stand."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"

_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:(?P<sign>[, ])\d{3}(?:(?P=sign)\d{3})*)(?![\d,]*\d)")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_TERM = re.compile(rf"(?P<han>[{HAN}]+)|(?P<word>(?:(?![{HAN}_])\w)+(?:[-.:/'](?:(?![{HAN}_])\w)+)*)")
_PART = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+")
_SMALL = (
    "a an and any are as at be been but by can could did do does each for from had has have he her his how i if in into is it its many "
    "may much of on one or our she should so some such than that the their them then there these they this those to us was we were what "
    "when where which who whom whose why will with would you your"
)
_SKIPPED = frozenset(_SMALL.split())
"""English words that say how is asked, not what is asked for."""


def plain(text: str) -> str:
    """One form for each sign (NFKC), `^` before what is raised, one minus, no soft hyphens, no thousands separators."""
    text = _RAISED.sub(lambda found: "^" + found[0].translate(_LOWERED), text)
    text = unicodedata.normalize("NFKC", text).replace("\u2212", "-").replace("\u2019", "'").replace("\u00ad", "")
    return _THOUSANDS.sub(lambda found: found[0].replace(found["sign"], ""), text)


def terms(text: str) -> list[str]:
    """What a text is indexed by, in its order.

    `Sedge-19` gives `sedge-19`, `sedg` and `19`; `84kW` gives `84kw`, `84` and `kw`; `束流能量` gives `束流`, `流能` and `能量`.
    """
    return [term for found in _TERM.finditer(plain(text)) for term in _terms(found)]


def _terms(found: re.Match[str]) -> Iterator[str]:
    han, word = found["han"], found["word"]
    if han:
        yield from ([han] if len(han) == 1 else [han[at : at + 2] for at in range(len(han) - 1)])
        return
    parts = _PART.findall(word.casefold())
    if len(parts) > 1:
        yield word.casefold()
    for part in parts:
        if part not in _SKIPPED:
            yield stem(part)


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """An English word in lower case without its ending (Snowball); short words, which are mostly units, stay."""
    return str(_stemmer().stemWord(word)) if len(word) > 3 and word.isascii() and word.isalpha() else word


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")
