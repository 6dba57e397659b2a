"""How texts are made comparable: one form for each sign, words of any language, their stems, and 5-grams.

A Chinese character counts as a word, so that the same code compares English and Chinese, and texts that mix them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from zlib import crc32

import numpy as np
import numpy.typing as npt
import snowballstemmer

from qagen.curate.lexicon import SCAFFOLDING

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_LATEX_SPACE = re.compile(r"(?<=\d)\\[,;:!]\s?(?=\d{3}\b)")
_LATEX_SIGNS = {r"\mu": "\u03bc", r"\times": "×", r"\cdot": "·", "{": "", "}": ""}
_LATEX = re.compile(r"\\(?:[A-Za-z]+\*?|[,;:! ])|[$~]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_WORD = re.compile(rf"[{HAN}]|\d+(?:\.\d+)?|(?:(?![{HAN}\d_])\w)+")
_UNTIDY = re.compile(r"[\\${}~]|\d,\d")
_STEMMER = snowballstemmer.stemmer("english")


def plain(text: str) -> str:
    """The text with one form for each sign: NFKC, no invisible signs, no LaTeX commands, no thousands separators."""
    if text.isascii() and not _UNTIDY.search(text):  # most texts: nothing to do
        return text
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+", lambda match: "^" + match.group().translate(_SUPERSCRIPTS), text)
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).replace("\u2212", "-").replace("\u2019", "'")
    text = _LATEX_SPACE.sub("", text)
    for written, sign in _LATEX_SIGNS.items():
        text = text.replace(written, sign)
    return _THOUSANDS.sub("", _LATEX.sub(" ", text))


def words(text: str) -> list[str]:
    """Words and numbers in lower case, each Chinese character a word; punctuation is not one."""
    return _WORD.findall(plain(text).casefold())


@lru_cache(maxsize=1 << 17)
def stem(word: str) -> str:
    """An English word in lower case without its ending: `oscillations`, `oscillating` and `oscillate` are one (Snowball)."""
    return str(_STEMMER.stemWord(word)) if len(word) > 3 else word


def grams(text: str, n: int = 5) -> npt.NDArray[np.uint32]:
    """Sorted distinct hashes (CRC-32) of the n-grams of `words(text)` that are prose; empty when there are none.

    Prose holds two function words or Chinese characters among five words (an initial is no article).
    What does not, such as the author list of a collaboration, is the same in papers that are not: by it, two different
    papers of 100,000 characters reach 0.78. A text almost without prose (a table, a third language) is taken as it is.
    """
    found = words(text)
    every = [found[i : i + n] for i in range(len(found) - n + 1)]
    prose = [gram for gram in every if sum((word in SCAFFOLDING and len(word) > 1) or word[0] >= "\u3400" for word in gram) >= 2]
    hashes = {crc32(" ".join(gram).encode()) for gram in (prose if 50 * len(prose) >= len(every) else every)}
    return np.array(sorted(hashes), dtype=np.uint32)


def containment(a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32]) -> float:
    """The share of the smaller set that lies in the other (Broder 1997); 0 when one is empty."""
    smaller = min(len(a), len(b))
    return len(np.intersect1d(a, b, assume_unique=True)) / smaller if smaller else 0.0
