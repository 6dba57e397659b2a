"""Wrong numbers that look like a right one, in sets of which nobody can tell which member was there first.

A set is a pattern of four values on a scale of ratios, drawn without regard to the right value, which is put at one of its four places;
each place comes up as often, so that neither rank nor distance tells anything. What would tell the right one otherwise is kept alike:
decimals, significant digits, a 5 at the end. Of shares above one half it is the rest to the whole that is varied, of years and days the
difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from math import exp, floor, inf, log, log2, log10
from typing import Final

from qagen.curate.forms import numerals, value_of
from qagen.curate.split import draw

_SETS: Final = 6  # patterns that are tried, each with the right value at every place
_GAPS: Final = (0.09, 0.12, 0.16, 0.2, 0.25, 0.3, 0.36)  # between neighbours, natural logarithms: 9 to 43 %
_FEW: Final = 0.09  # log step of the lattice of numbers that look alike, from which on its own steps are the gaps: 1, 2, 3, ... 9, 10, 20
_STEPS: Final = (1, 1, 1, 2, 2, 3)
_YEAR: Final = (1500, 2200)
_LAST_DAY: Final = 28
_MONTH: Final = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b|月|日|号", re.IGNORECASE
)
_CLOCK: Final = re.compile(r"\d\s?[:：]\s?\d|\bo'clock\b|[点时]\s?\d")
_PERCENT: Final = re.compile(r"%|\bper\s?cent\b|百分之")

Numbers = tuple[str, ...]
"""The numerals of an answer, as written."""


def like(answer: str, seed: int) -> list[tuple[Numbers, Numbers, Numbers]]:
    """Sets of three others for the numerals of an answer; empty where none would be believed.

    All numerals of an answer are moved by the same ratio, so that a range stays one.
    """
    own = tuple(numerals(answer))
    if _CLOCK.search(answer) or any(re.fullmatch(r"0\d+", one) or not value_of(one) for one in own):
        return []
    found: dict[tuple[Numbers, Numbers, Numbers], None] = {}
    for places in _patterns(answer, seed):
        made = [_moved(own, answer, place) for place in places]
        if None not in made and len({own, *made}) == 4:
            one, two, three = (numbers for numbers in made if numbers is not None)
            found.setdefault((one, two, three))
    return list(found)


def same_look(one: str, other: str) -> bool:
    """Whether two numerals cannot be told apart by how they are written: decimals, significant digits, digits (one more or less)."""
    return _look(one) == _look(other) and abs(len(_digits(one)) - len(_digits(other))) <= 1


def farness(one: str, other: str) -> float:
    """How far apart two numerals are, as the logarithm of their ratio (base 2); infinite where one is 0."""
    a, b = value_of(one), value_of(other)
    return abs(log2(a / b)) if a > 0 and b > 0 else inf


# ---- patterns


def _patterns(answer: str, seed: int) -> Iterator[tuple[float, float, float]]:
    """Where three others stand as seen from the right value, which is put at each of the four places of a pattern."""
    gaps = _STEPS if _by_steps(answer) else _GAPS
    for number in range(_SETS):
        chosen = [gaps[int(draw(seed, "gap", answer, str(number), str(at)) * len(gaps))] for at in range(3)]
        line = [0.0, *accumulate(chosen)]
        for right in line:
            one, two, three = (place - right for place in line if place != right)
            yield one, two, three


def _by_steps(answer: str) -> bool:
    """Whether an answer is varied by whole steps: years, days, and numbers with few like them."""
    own = numerals(answer)
    return len(own) == 1 and (_is_year(own[0]) or bool(_MONTH.search(answer)) or _step(_varied(answer, own[0])) >= _FEW)


def _varied(answer: str, numeral: str) -> str:
    """The numeral that is varied: of a share above one half the rest to the whole."""
    value = value_of(numeral)
    if _PERCENT.search(answer) and 50 < value < 100:
        return f"{100 - value:.{_decimals(numeral)}f}"
    return numeral


def _step(numeral: str) -> float:
    """How far the next number is that looks the same and, like it, ends in a 5 or does not, as a logarithm."""
    return log(1 + (10 if _ends_in_5(numeral) else 1) * _unit(numeral) / value_of(numeral)) if value_of(numeral) else inf


# ---- a value moved


def _moved(own: Numbers, answer: str, place: float) -> Numbers | None:
    if len(own) > 1:
        made = tuple(_scaled(one, exp(place), more=True) for one in own)
        return made if all(map(value_of, made)) else None
    if _is_year(own[0]):
        return (str(int(own[0]) + int(place)),)
    if _MONTH.search(answer):
        day = value_of(own[0]) + place
        return (str(int(day)),) if 1 <= day <= _LAST_DAY and "." not in own[0] else None
    varied = _varied(answer, own[0])
    made_of_it = _stepped(varied, int(place)) if _by_steps(answer) else _near(varied, value_of(varied) * exp(place))
    if made_of_it is None or varied == own[0]:
        return None if made_of_it is None or not _believed(made_of_it, answer) else (made_of_it,)
    rest = 100 - value_of(made_of_it)
    return (f"{rest:.{_decimals(own[0])}f}",) if rest > 0 else None


def _believed(numeral: str, answer: str) -> bool:
    return not _PERCENT.search(answer) or value_of(numeral) <= 100 or value_of(numerals(answer)[0]) > 100


def _stepped(numeral: str, steps: int) -> str | None:
    """So many numbers further on that look the same; None below the least."""
    found: str | None = numeral
    for _ in range(abs(steps)):
        found = _next(found, numeral, 1 if steps > 0 else -1) if found else None
    return found


def _next(numeral: str, like_this: str, way: int) -> str | None:
    """The next number that looks like another."""
    value = value_of(numeral)
    for _ in range(24):
        # 9, 10, 20: below a power of ten the steps are a tenth of those above it
        value = round(value + way * _unit_at(like_this, value if way > 0 else value * (1 - 1e-9)), 9)
        if value <= 0:
            return None
        if _alike(made := _written(like_this, value), like_this):
            return made
    return None


def _near(numeral: str, target: float) -> str | None:
    """The number nearest to a target that looks the same."""
    unit = _unit_at(numeral, target)
    for off in sorted(range(-10, 11), key=abs):
        made = _written(numeral, (round(target / unit) + off) * unit)
        if value_of(made) > 0 and _alike(made, numeral):
            return made
    return None


def _alike(one: str, other: str) -> bool:
    return same_look(one, other) and _ends_in_5(one) == _ends_in_5(other)


def _scaled(numeral: str, ratio: float, *, more: bool = False) -> str:
    """A numeral times a ratio, with as many decimals, or as many significant digits of a whole number (`more`: one more)."""
    value = value_of(numeral) * ratio
    unit = _unit(numeral) if _decimals(numeral) else 10.0 ** max(0, floor(log10(value)) + 1 - _significant(numeral) - more)
    return _written(numeral, round(value / unit) * unit)


# ---- how numerals are written


def _unit_at(numeral: str, value: float) -> float:
    """What one in the last significant digit is worth of a number of this look and value."""
    return _unit(numeral) if _decimals(numeral) else 10.0 ** max(0, floor(log10(value)) + 1 - _significant(numeral))


def _unit(numeral: str) -> float:
    """What one in the last significant digit is worth."""
    digits = _digits(numeral)
    return float(10.0 ** (len(digits) - len(digits.rstrip("0")) - _decimals(numeral)))


def _written(numeral: str, value: float) -> str:
    """A value with as many decimals, and commas, as a numeral."""
    made = f"{value:,.{_decimals(numeral)}f}"
    return made if "," in numeral else made.replace(",", "")


def _look(numeral: str) -> tuple[int, int, bool]:
    decimals = _decimals(numeral)
    return decimals, int(numeral.endswith("0")) if decimals else _significant(numeral), "," in numeral


def _significant(numeral: str) -> int:
    """Digits without the zeros at either end."""
    return max(1, len(_digits(numeral).strip("0")))


def _ends_in_5(numeral: str) -> bool:
    return _significant(numeral) > 1 and _digits(numeral).rstrip("0").endswith("5")


def _decimals(numeral: str) -> int:
    return len(numeral.partition(".")[2])


def _digits(numeral: str) -> str:
    return re.sub(r"\D", "", numeral)


def _is_year(numeral: str) -> bool:
    return bool(re.fullmatch(r"\d{4}", numeral)) and _YEAR[0] <= int(numeral) < _YEAR[1]
