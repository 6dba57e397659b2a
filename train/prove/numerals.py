"""Numbers that are written as words: `twenty-one thousand`, `六百三十四`, `三点五`."""

from __future__ import annotations

import re

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_ONES.split())} | {word: 20 + 10 * at for at, word in enumerate(_TENS.split())}
MULTIPLES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}

_ANY = "|".join((*_SMALL, *MULTIPLES))
ENGLISH = re.compile(rf"(?<![\w-])(?:{_ANY})(?:(?:-|\s+|\s+and\s+)(?:{_ANY}))*(?![\w])(?!-\w)", re.IGNORECASE)
"""Words that make up a number."""

_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_STEPS = {"十": 10, "百": 100, "千": 1000}
HAN_MULTIPLES = {"万": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8, "十亿": 1e9}
HAN_NUMBER = "[零〇一二两三四五六七八九十百千万亿]+(?:点[零〇一二三四五六七八九]+)?"


def english(words: str) -> float:
    """The value of words that `ENGLISH` found: `eight hundred and six` is 806."""
    total, part = 0.0, 0.0
    for word in re.findall(_ANY, words.casefold()):
        if word in _SMALL:
            part += _SMALL[word]
        elif word == "hundred":
            part = (part or 1) * 100
        else:
            total += (part or 1) * MULTIPLES[word]
            part = 0
    return total + part


def han(signs: str) -> float:
    """The value of a Chinese numeral: `六百三十四` is 634, `三点五` 3.5, `两千零四十一` 2041, `二〇四一` too."""
    whole, _, fraction = signs.partition("点")
    decimals = "".join(str(_DIGITS[sign]) for sign in fraction)
    return _han_whole(whole) + (float(f"0.{decimals}") if decimals else 0)


def _han_whole(signs: str) -> float:
    if all(sign in _DIGITS for sign in signs):
        return float("".join(str(_DIGITS[sign]) for sign in signs))
    total = part = 0.0
    digit = 0
    for sign in signs:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _STEPS:
            part += (digit or 1) * _STEPS[sign]
            digit = 0
        else:
            total = (total + part + digit or 1) * (1e4 if sign == "万" else 1e8)
            part, digit = 0.0, 0
    return total + part + digit
