"""Wrong numbers that look like a right one, in sets of which nobody can tell which member was there first.

Figures of this world lie evenly on a logarithmic scale, small first digits being the commonest (Newcomb 1881, Benford 1938). So a set
is a pattern of four places on that scale, drawn without regard to the right value, which is put at the place that the caller names; the
other three are rounded to numbers that look like it: decimals, significant digits, a 5 at the end or none. A pattern that does not fit,
because a number would be too small to look alike or two would be one, is dropped and not mended: mending is what gives the right one away.
Shares are moved by their odds, years and days by steps, and the numbers of a range by one ratio.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from math import exp, floor, inf, log, log2, log10
from typing import Final

from qagen.curate.forms import numerals, value_of
from qagen.curate.split import draw

PLACES: Final = 4
_PATTERNS: Final = 8
_GAPS: Final = (0.09, 0.12, 0.16, 0.2, 0.25, 0.3, 0.36)  # between neighbours, natural logarithms: 9 to 43 %
_WIDE: Final = (0.3, 0.4, 0.5, 0.65, 0.8)  # where few numbers look alike: 1 to 9, 15 to 95
_STEPS: Final = (1.0, 1.0, 1.0, 2.0, 2.0, 3.0)  # of years and days
_YEAR: Final = (1500, 2200)
_DAYS: Final = 28
_MONTH: Final = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b|月|日|号", re.IGNORECASE
)
_CLOCK: Final = re.compile(r"\d\s?[:：]\s?\d|\bo'clock\b|[点时]\s?\d")
_PERCENT: Final = re.compile(r"%|\bper\s?cent\b|百分之")

Numbers = tuple[str, ...]
"""The numerals of an answer, as written."""


def like(answer: str, place: int, seed: int) -> list[tuple[Numbers, Numbers, Numbers]]:
    """Sets of three others for the numerals of an answer, which is at `place` (0 to 3) of the four; empty where none would be believed."""
    own = tuple(numerals(answer))
    if _CLOCK.search(answer) or any(re.fullmatch(r"0\d+", one) or not value_of(one) for one in own):
        return []
    found: dict[tuple[Numbers, Numbers, Numbers], None] = {}
    for number in range(_PATTERNS):
        made = [_moved(own, answer, by, number, seed) for by in _pattern(answer, place, number, seed)]
        if None not in made and len({own, *made}) == PLACES:
            one, two, three = (numbers for numbers in made if numbers is not None)
            found.setdefault((one, two, three))
    return list(found)


def same_look(one: str, other: str) -> bool:
    """Whether two numerals cannot be told apart by how they are written: decimals, significant digits, digits (one more or less)."""
    return look(one) == look(other) and abs(len(_digits(one)) - len(_digits(other))) <= 1


def look(numeral: str) -> tuple[int, int, bool, bool]:
    """How a numeral is written: decimals, significant digits, whether decimals end in 0, commas."""
    return _decimals(numeral), _significant(numeral), bool(_decimals(numeral)) and numeral.endswith("0"), "," in numeral


def farness(one: str, other: str) -> float:
    """How far apart two numerals are, as the logarithm of their ratio (base 2); infinite where one is 0."""
    a, b = value_of(one), value_of(other)
    return abs(log2(a / b)) if a > 0 and b > 0 else inf


# ---- patterns


def _pattern(answer: str, place: int, number: int, seed: int) -> Iterator[float]:
    """How far the three others are from the right value, which is at a place of the pattern."""
    gaps = _gaps(answer)
    chosen = (gaps[int(draw(seed, "gap", answer, str(number), str(at)) * len(gaps))] for at in range(PLACES - 1))
    line = [0.0, *accumulate(chosen)]
    return (other - line[place] for at, other in enumerate(line) if at != place)


def _gaps(answer: str) -> tuple[float, ...]:
    own = numerals(answer)[0]
    if _is_year(own) or _MONTH.search(answer):
        return _STEPS
    return _WIDE if _significant(own) == 1 or (_ends_in_5(own) and _significant(own) == 2) else _GAPS


# ---- a value moved


def _moved(own: Numbers, answer: str, by: float, number: int, seed: int) -> Numbers | None:
    if len(own) > 1:
        made = tuple(_scaled(one, exp(by)) for one in own)
        return made if all(map(value_of, made)) else None
    numeral = own[0]
    if _is_year(numeral):
        return (str(int(numeral) + int(by)),)
    if _MONTH.search(answer):
        return (str((int(numeral) - 1 + int(by)) % _DAYS + 1),) if re.fullmatch(r"[12]?\d", numeral) and int(numeral) <= _DAYS else None
    least, most = _cell(numeral)
    before = exp(log(least) + draw(seed, "within", answer, str(number)) * (log(most) - log(least)))
    found = _near(numeral, _target(answer, before, by))
    return (found,) if found and found != numeral else None


def _target(answer: str, value: float, by: float) -> float:
    """A value times a ratio; of a share the odds are multiplied."""
    if _PERCENT.search(answer) and value < 100:
        odds = value / (100 - value) * exp(by)
        return 100 * odds / (1 + odds)
    return value * exp(by)


def _cell(numeral: str) -> tuple[float, float]:
    """The values that are rounded to a numeral, among those that look alike."""
    value = value_of(numeral)
    below, above = _next(numeral, -1), _next(numeral, 1)
    return ((below + value) / 2 if below else value / 1.5), (above + value) / 2 if above else value * 1.1


def _next(numeral: str, way: int) -> float:
    """The next number below or above that looks alike; 0 where there is none."""
    value = value_of(numeral)
    for _ in range(24):
        # 9, 10, 20: below a power of ten the steps are a tenth of those above it
        value = round(value + way * _unit_at(numeral, value if way > 0 else value * (1 - 1e-9)), 9)
        if value <= 0:
            return 0.0
        if _alike(_written(numeral, value), numeral):
            return value
    return 0.0


def _near(numeral: str, target: float) -> str | None:
    """The number nearest to a target that looks alike."""
    unit = _unit_at(numeral, target)
    for off in sorted(range(-10, 11), key=lambda off: abs((round(target / unit) + off) * unit - target)):
        made = _written(numeral, (round(target / unit) + off) * unit)
        if value_of(made) > 0 and _alike(made, numeral):
            return made
    return None


def _alike(one: str, other: str) -> bool:
    return same_look(one, other) and _ends_in_5(one) == _ends_in_5(other)


def _scaled(numeral: str, ratio: float) -> str:
    """A numeral times a ratio, with as many decimals, or one significant digit more of a whole number: 5 to 10 becomes 6 to 12."""
    value = value_of(numeral) * ratio
    unit = _unit(numeral) if _decimals(numeral) else 10.0 ** max(0, floor(log10(value)) - _significant(numeral))
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
