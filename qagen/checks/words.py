"""What a text is about, in words that can be compared: content words, length; and the language of a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from qagen.checks.language import language_of as language_of

_CJK_RUN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_WORD = re.compile(r"[^\W\d_][\w’'-]*|\d+(?:\.\d+)*")
_DOUBLED = re.compile(r"[aeiou]([bdgmnprt])\1$")
_SUFFIX = re.compile(r"(?:ing|ied|ies|ed|es|s|e|y)$")

_STOP_TEXT = (
    "a about above after again all also although am an and any are as at be because been before being below between both but by can "
    "could did do does doing down during each either else every few for from further had has have having he her here hers him his how "
    "however i if in into is it its itself just many may me might more most much must my no nor not of off on once one only onto or "
    "other our out over own per same shall she should since so some such than that the their them then there these they this those "
    "through thus to too toward under until up upon us used using very via was we were what when where whether which while who whom "
    "whose why will with within without would you your"
)
STOP_WORDS = frozenset(_STOP_TEXT.split())
STOP_CHARACTERS = frozenset("的了在是和与及或为以于由对从到将被把等其之而也都就又并则可能会有个这那该此什么哪怎样多少几何吗呢")


def content_words(text: str) -> list[str]:
    """Words that carry meaning, stemmed, in order; runs of Chinese characters are taken in overlapping pairs."""
    return list(_content_words(text))


@lru_cache(maxsize=2048)
def _content_words(text: str) -> tuple[str, ...]:
    return tuple(word for word in _words(text) if word not in STOP_WORDS)


def length_in_words(text: str) -> int:
    """Words, where two Chinese characters count as one word."""
    chinese = sum(len(run) for run in _CJK_RUN.findall(text))
    return len(_WORD.findall(_CJK_RUN.sub(" ", text))) + (chinese + 1) // 2


def _words(text: str) -> Iterator[str]:
    for run in _CJK_RUN.findall(text):
        yield from (a + b for a, b in pairwise(run) if a not in STOP_CHARACTERS and b not in STOP_CHARACTERS)
    for found in _WORD.findall(_CJK_RUN.sub(" ", text)):
        word = found.lower().replace("’", "'").removesuffix("'s")
        yield word if word in STOP_WORDS else _stem(word)


def _stem(word: str) -> str:
    """A crude stem, good enough to see that `measured` and `measures` are about the same."""
    shorter = _SUFFIX.sub("", word)
    if len(shorter) >= 4 and word.endswith(("ed", "ing")) and _DOUBLED.search(shorter):
        shorter = shorter[:-1]  # stopped, stop
    return shorter if len(shorter) >= 3 and word[0].isalpha() else word
