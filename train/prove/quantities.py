"""Quantities and dates in a sentence: `(3.2 ± 0.1) × 10^3 kV`, `5.8 to 17.4 keV`, `百万分之一点二`, `29 March 2041`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from train.prove import numerals
from train.prove.units import unit_at
from train.prove.words import HAN, plain


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit (an expression for `pint`; "" for none) at `start` to `end` of `plain(text)`.

    `vague` are words such as "one", which often are no numbers.
    """

    value: float
    unit: str
    start: int
    end: int
    vague: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What is counted or dated in a text, and the plain text without it."""

    quantities: tuple[Quantity, ...]
    dates: frozenset[tuple[int, ...]]
    rest: str


_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"]
_MONTH = "|".join(f"{month}|{month[:3]}\\.?" for month in _MONTHS)
_DATES: tuple[tuple[str, Callable[[re.Match[str]], tuple[int, ...]]], ...] = (
    (rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH}),? (\d{{4}})\b", lambda at: (int(at[3]), _month(at[2]), int(at[1]))),
    (rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})\b", lambda at: (int(at[3]), _month(at[1]), int(at[2]))),
    (rf"\b({_MONTH}),? (\d{{4}})\b", lambda at: (int(at[2]), _month(at[1]))),
    (r"\b(\d{4})-(\d{2})-(\d{2})\b", lambda at: (int(at[1]), int(at[2]), int(at[3]))),
    (r"(\d{4})\s?年\s?(\d{1,2})\s?月\s?(\d{1,2})\s?[日号]", lambda at: (int(at[1]), int(at[2]), int(at[3]))),
    (r"(\d{4})\s?年\s?(\d{1,2})\s?月", lambda at: (int(at[1]), int(at[2]))),
    (r"\b(\d{1,2}):(\d{2})(?::\d{2})?\b", lambda at: (int(at[1]), int(at[2]), -1)),
)
_YEAR = re.compile(r"(\d{4})\s?年")
_SIGN = rf"(?P<sign>(?:(?<![\w)])|(?<=[{HAN}]))[-+]\s?(?=[\d.])|\b(?:minus|negative)\s|[负零下]+\s?(?=\d))?"
_DIGITS = r"(?P<digits>\d+(?:\.\d+)?|\.\d+)"
_POWER = r"(?:(?:\s*(?:×|x|\*|·|⋅|\\times)\s?10\s?(?:\^|\*\*)?\s?\{?(?P<power>[-+]?\d+)\}?)|[eE](?P<e>[-+]?\d+))?"
_NUMBER = re.compile(rf"(?<![A-Za-z\d.])(?<![A-Za-z]-){_SIGN}{_DIGITS}{_POWER}(?![\d])(?!\.\d)")
_TEN = re.compile(r"(?<![\w.^])10\^(?P<power>[-+]?\d+)")
_SHARE = re.compile(rf"(?P<of>[百千万亿]+|十亿)分之(?P<value>\d+(?:\.\d+)?|{numerals.HAN_NUMBER})")
_HAN_NUMERAL = re.compile(rf"(?P<sign>负|零下)?(?P<number>{numerals.HAN_NUMBER})")
_MULTIPLE = re.compile(r"\s?(?:(hundred|thousand|million|billion|trillion)s?\b|(百万|千万|十亿|[万亿]))", re.IGNORECASE)
_CODE = re.compile(r"(?<![\w.])(?:[A-Za-z]+[-./]?)+\d[\w.-]*|(?!\d+[eE][-+]?\d+(?!\w))\d+[A-Z][\w-]*\d[\w-]*")
_GAP = re.compile(r"[\s)]*")
_RANGE = re.compile(r"\s*(?:to|and|or|by|through|-|–|—|~|至|到|和|或|与|、|,)+\s*", re.IGNORECASE)
_SPREAD_WORDS = r"\s*(?:±|\+/-|\+-|plus or minus|\\pm)\s*"
_BRACKETED = re.compile(rf"\(\s*(-?\d+(?:\.\d+)?){_SPREAD_WORDS}\d+(?:\.\d+)?\s*\)", re.IGNORECASE)
_SPREAD = re.compile(_SPREAD_WORDS, re.IGNORECASE)


def find(text: str) -> Found:
    """All quantities and dates of a text. A number in a name (`BL-07-4`, `Sm2Co17`) is none.

    In a range the first number has the unit of the second; what stands after ± is left out.
    """
    text = _BRACKETED.sub(lambda found: found[1].ljust(len(found[0])), plain(text))
    dates, text = _dates(text)
    text = _CODE.sub(lambda found: found[0] if unit_at(found[0], 0) else re.sub(r"\d", "\ue000", found[0]), text)
    found = sorted(_numbers(text), key=lambda one: one.start)
    kept: list[Quantity] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    kept = _without_spread(text, _in_ranges(text, kept))
    rest = text
    for one in kept:
        rest = rest[: one.start] + " " * (one.end - one.start) + rest[one.end :]
    return Found(tuple(kept), frozenset(dates), rest)


def _dates(text: str) -> tuple[set[tuple[int, ...]], str]:
    """Dates as (year, month, day) or (year, month), times as (hour, minute, -1), and the text without them."""
    dates: set[tuple[int, ...]] = set()
    for pattern, read in _DATES:
        for found in re.finditer(pattern, text, re.IGNORECASE):
            dates.add(read(found))
            text = text[: found.start()] + " " * len(found[0]) + text[found.end() :]
    return dates, _YEAR.sub(lambda found: f"{found[1]} " + " " * (len(found[0]) - 5), text)


def _month(word: str) -> int:
    return next(number for number, month in enumerate(_MONTHS, 1) if month.startswith(word.casefold().rstrip(".")))


def _numbers(text: str) -> Iterator[Quantity]:
    for found in _SHARE.finditer(text):
        digits = found["value"]
        share = float(digits) if digits[0].isdigit() and digits.isascii() else numerals.han(digits)
        yield Quantity(share / numerals.han(found["of"]), "(percent) ** 0", found.start(), found.end())
    for found in _NUMBER.finditer(text):
        power = int(found["power"] or found["e"] or 0)
        value = float(f"{found['digits']}e{power}") * (-1 if found["sign"] and found["sign"].strip() != "+" else 1)
        yield _measured(text, value, found.start(), found.end())
    for found in _TEN.finditer(text):
        yield _measured(text, float(f"1e{found['power']}"), found.start(), found.end())
    for found in numerals.ENGLISH.finditer(text):
        yield replace(_measured(text, numerals.english(found[0]), found.start(), found.end()), vague=found[0].casefold() == "one")
    for found in _HAN_NUMERAL.finditer(text):
        yield from _han(text, found)


def _han(text: str, found: re.Match[str]) -> Iterator[Quantity]:
    """A numeral of one sign is one only before a unit: 一 stands in 一些, 一定, 之一 too."""
    number = found["number"]
    end = found.end()
    if number[-1] in "千百万亿" and len(number) > 1 and (longer := unit_at(text, end - 1)) and longer[1] > end:
        number, end = number[:-1], end - 1  # 四十八千赫: the thousand belongs to the unit
    value = numerals.han(number) * (-1 if found["sign"] else 1)
    one = _measured(text, value, found.start(), end)
    yield replace(one, vague=len(number) == 1 and one.end == end)


def _measured(text: str, value: float, start: int, end: int) -> Quantity:
    """The number with its multiple and unit behind it; a unit comes first, so that 48千赫 are kilohertz."""
    for _ in range(2):
        gap = _GAP.match(text, end)
        if (unit := unit_at(text, gap.end() if gap else end)) is not None:
            return Quantity(value, unit[0], start, unit[1])
        if (multiple := _MULTIPLE.match(text, end)) is None:
            break
        value *= numerals.MULTIPLES[multiple[1].casefold()] if multiple[1] else numerals.HAN_MULTIPLES[multiple[2]]
        end = multiple.end()
    return Quantity(value, "", start, end)


def _in_ranges(text: str, found: list[Quantity]) -> list[Quantity]:
    for at in range(len(found) - 1, 0, -1):
        one, after = found[at - 1], found[at]
        between = text[one.end : after.start]
        if after.unit and not one.unit and (_RANGE.fullmatch(between) or _SPREAD.fullmatch(between)):
            found[at - 1] = replace(one, unit=after.unit)
    return found


def _without_spread(text: str, found: list[Quantity]) -> list[Quantity]:
    spreads = {after.start for one, after in pairwise(found) if _SPREAD.fullmatch(text[one.end : after.start])}
    return [one for one in found if one.start not in spreads]
