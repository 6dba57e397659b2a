"""How readable the text of a page is, from 0 (garbage) to 1: its words, its signs, and the order of its lines.

There is no list of words: names, formulas and the terms of a field are in none. A word counts as readable if its letters follow
each other as they do in the languages written with its script (a table of trigrams made of 23 languages, benchmarks/trigrams.py),
a Chinese or Japanese character if it is one of the common ones, as the old character sets sorted them. Text whose fonts name wrong
letters, shuffled letters, mojibake and bad OCR fail at this; references, tables and formulas have few words that could fail.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from math import prod

from harvest.readers.visible import Line

RAREST = 9  # level (negative logarithm of a probability, base 2) from which the table of trigrams does not tell them apart
_UNSEEN = 12  # level of three letters that no language has
_READABLE = 4.8  # mean level of a word up to which it can be a word: 97 of 100 words of prose, 35 of 100 with shuffled letters
_ASSUMED = 60  # letters of readable words that a page is thought to have beside its own, so that a few odd names condemn no table
_GARBAGE, _PROSE = 0.45, 0.85  # shares of readable letters that mean scores of 0 and of 1

_ASSUMED_CUTS = 3  # cut words that go on as they should, which a page is thought to have beside its own
_IN_WORDS = 0.4  # of the signs of a recognised page that stand in words: prose has 0.6 to 0.8, a page of plots 0.4, a photograph 0.2
_CUT = re.compile(r"([^\W\d_]{2,})[-‐\u00ad]\s*$")
_CUT_WITHIN = re.compile(
    r"[^\W\d_]{2,}- (?!and\b|or\b|und\b|oder\b|bzw|bis\b|et\b|ou\b|e\b|y\b|o\b|en\b|of\b)(?=[^\W\d_]{2})[a-zß-ÿа-яα-ω]"
)
_AROUND = "([{\"'“”„‘’«»‹›¿¡*)]}.,;:!?…،؛؟、。，；：！？（）「」"  # what may stand before and after a word
_HYPHENS = re.compile(r"[-‐–'’]")
_MATHS = frozenset("ðÐþÞ")  # what some fonts call their brackets and signs
_IDEOGRAPHS = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_REPEATED = re.compile(r"(.{1,3})\1{2}")  # the bar of a root, which some fonts call a row of ligatures
_LETTERS = re.compile(r"[^\W\d_]+")
_NOISE = re.compile(r"(?!\S*(?:://|@|www\.|\.\w{2,4}/))\S*[^\W\d_][~;:\"?€£¥°«»§¶©®#$%&]+[^\W\d_]")
_SPECIAL = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "œ": "oe", "þ": "th"})


@dataclass(frozen=True, slots=True)
class Quality:
    """A score from 0 to 1, what lowers it most (`reason`, empty if nothing does), and how many letters it was judged by."""

    score: float
    reason: str = ""
    letters: int = 0


def page_quality(columns: Sequence[Sequence[Line]], recognised: bool = False) -> Quality:
    """The quality of a page from its lines, column by column in reading order; without any letters it is 1."""
    return _quality([line for column in columns for line in column], recognised, {"broken-order": order_score(columns)})


def legibility(lines: Sequence[Line], recognised: bool = False) -> Quality:
    """The quality of lines in whatever order.

    Of text that was `recognised` more is asked: recognition finds letters in every photograph, but few words.
    """
    return _quality(lines, recognised, {})


def _quality(lines: Sequence[Line], recognised: bool, parts: dict[str, float]) -> Quality:
    text = "\n".join(line.text for line in lines)
    parts = {"garbled-words": word_score(text), "unknown-signs": sign_score(text), **parts}
    if recognised:
        parts["garbled-words"] *= min(1.0, _share_in_words(text) / _IN_WORDS)
    worst = min(parts, key=lambda name: parts[name])
    return Quality(round(prod(parts.values()), 3), worst if parts[worst] < 0.9 else "", len(re.findall(r"\w", text)))


def document_quality(pages: Sequence[Quality], without_text: int) -> float:
    """The quality of a document: the mean of its pages by their letters, less where more than half of them have no text at all."""
    letters = sum(page.letters for page in pages)
    mean = sum(page.score * page.letters for page in pages) / letters if letters else 0.0
    full = sum(page.letters > 0 for page in pages)
    return round(mean * min(1.0, 2 * full / max(full + without_text, 1)), 3)


def word_score(text: str) -> float:
    """The share of letters in words that can be words, stretched so that garbage is 0 and prose 1."""
    good = total = 0.0
    for token, count in Counter(text.split()).items():
        weight, share = _judged_token(token)
        good += count * weight * share
        total += count * weight
    if _IDEOGRAPHS.search(text):
        ideographs = Counter(_IDEOGRAPHS.findall(text))
        good += 2 * sum(count for sign, count in ideographs.items() if _is_common(sign))
        total += 2 * ideographs.total()
    share = (good + _ASSUMED * _PROSE) / (total + _ASSUMED)
    return min(max((share - _GARBAGE) / (_PROSE - _GARBAGE), 0.0), 1.0)


def _share_in_words(text: str) -> float:
    """The share of all signs that stand in readable words or are common ideographs."""
    readable = sum(weight * share for weight, share in map(_judged_token, text.split()))
    readable += sum(map(_is_common, _IDEOGRAPHS.findall(text)))
    return readable / max(1, sum(map(len, text.split())))


@lru_cache(maxsize=50_000)
def _judged_token(token: str) -> tuple[float, float]:
    """The weight, in letters, of what stands between two spaces, and how much of it is readable.

    A word of prose is letters alone, between brackets, quotes and points; what else has letters in it is a formula, a code or an
    address, of which nothing is known, or noise if signs that no formula has stand between them.
    """
    parts = _HYPHENS.split(token.strip(_AROUND))
    if all(parts) and all(_is_plain(part) for part in parts):
        judged = [_judged(part) for part in parts]
        weight = sum(weight for weight, _ in judged)
        return weight, sum(weight * share for weight, share in judged) / weight if weight else 0.0
    return (float(len(token)), 0.0) if _NOISE.match(token) else (0.0, 0.0)


def _is_plain(part: str) -> bool:
    """Whether something is made of letters, and of the marks that go with them in Arabic, Hebrew and Indian scripts."""
    letters = part if part.isalpha() else "".join(sign for sign in part if not unicodedata.category(sign).startswith("M"))
    return letters.isalpha() and not _MATHS & set(part)


def sign_score(text: str) -> float:
    """1 for text of known signs; 0 where a quarter of the signs have no meaning (replacement characters, private use, codes of glyphs)."""
    signs = sum(map(len, text.split()))
    unknown = sum(count for sign, count in Counter(text).items() if sign > "\x7f" and _is_unknown(sign))
    unknown += 7 * text.count("(cid:")
    return 1 - min(1.0, 4 * max(0.0, unknown / signs - 0.03)) if signs else 1.0


@cache
def _is_unknown(sign: str) -> bool:
    return sign == "\ufffd" or unicodedata.category(sign) in ("Co", "Cn", "Cc")


def order_score(columns: Sequence[Sequence[Line]]) -> float:
    """1 where words cut at the end of a line go on in the next; less where more than a fifth of them do not, 0.2 at the least.

    Lines of two columns that are read across, as one or in turns, leave the halves of words apart. Pages with few cut words score 1.
    A capital after the hyphen tells nothing: it may be the other half of a name.
    """
    whole = broken = 0
    for column in columns:
        for place, line in enumerate(column):
            broken += len(_CUT_WITHIN.findall(line.text))
            if (cut := _CUT.search(line.text)) and place + 1 < len(column):
                rest = _LETTERS.match(column[place + 1].text.lstrip())
                if rest is None or rest[0][0].islower():
                    goes_on = rest is not None and _judged((cut[1] + rest[0]).lower())[1] > 0
                    whole, broken = whole + goes_on, broken + (not goes_on)
    return max(0.2, 1 - 2.5 * max(0.0, broken / (whole + broken + _ASSUMED_CUTS) - 0.2))


@lru_cache(maxsize=50_000)
def _judged(word: str) -> tuple[float, float]:
    """The weight of a word, in letters, and how much of it is readable, 0 to 1."""
    if len(word) < 3 or _REPEATED.search(word) or _IDEOGRAPHS.search(word) or (len(word) < 6 and word.isupper()):
        return 0.0, 0.0
    letters = plain_letters(word)
    scripts = {script for letter in letters if (script := _script(letter))}
    if len(scripts) != 1:  # Greek among a few Latin letters is a formula, other mixtures are a mistake
        return 0.0 if "greek" in scripts and len(word) < 8 else float(len(word)), 0.0 if scripts else 1.0
    accents = sum(letter > "\x7f" for letter in word) if "latin" in scripts else 0
    if len(word) > 40 or (len(word) > 3 and accents > 0.6 * len(word)):
        return float(len(word)), 0.0
    return float(len(word)), float(_level(letters) <= _READABLE)


def plain_letters(word: str) -> str:
    """A word in small letters without accents."""
    parts = unicodedata.normalize("NFKD", word.casefold().translate(_SPECIAL))
    return "".join(part for part in parts if not unicodedata.combining(part))


def _level(letters: str) -> float:
    """The mean level of the trigrams of a word, its beginning and its end included."""
    table = _table()
    padded = f" {letters} "
    levels = [table.get(padded[place : place + 3], _UNSEEN) for place in range(len(letters))]
    return sum(levels) / len(levels)


@cache
def _table() -> dict[str, int]:
    table: dict[str, int] = {}
    for line in files("harvest.readers").joinpath("trigrams.txt").read_text("utf-8").splitlines():
        pair, levels = line.replace("_", " ")[:2], line[3:].replace("_", " ")
        for level, letters in enumerate(levels.split(",")):
            table.update((pair + letter, level) for letter in letters)
    return table


_RANGES = (("latin", "a", "ɏ"), ("greek", "Ͱ", "Ͽ"), ("cyrillic", "Ѐ", "ԯ"), ("arabic", "\u0600", "ۿ"))


def _script(letter: str) -> str:
    """The script of a letter if the table has it."""
    return next((script for script, first, last in _RANGES if first <= letter <= last), "")


# The old character sets put the common characters first: their leading bytes.
_COMMON = (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("shift_jis", 0x88, 0x97))


@lru_cache(maxsize=30_000)
def _is_common(sign: str) -> bool:
    return any(first <= _lead(sign, code) <= last for code, first, last in _COMMON)


def _lead(sign: str, code: str) -> int:
    return sign.encode(code, "ignore")[:1][0] if sign.encode(code, "ignore") else 0
