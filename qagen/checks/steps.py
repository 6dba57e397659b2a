"""Do the steps of a solution recompute, and do they begin with what is known?

Every `expression = result` of the steps is computed again, to the digits that it shows; every number is one of the
source or the question, a constant of nature, a plain factor, or the result of an earlier step that recomputed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qagen.checks.arithmetic import NoExpressionError, Value, as_arithmetic, longest_value
from qagen.checks.quantities import Quantity, close, quantities, rounds_to, same
from qagen.checks.units import NO_UNIT

_RELATION = re.compile(r"≈|=|→|⇒|≡|~(?=\s*\d)|\bis\s+about\b|\bis\s+approximately\b|\bequals\b|约为|约等于|等于")
_ROUGH = re.compile(r"≈|~|about|approximately|约")
_START = re.compile(r"[\d(.√π]|sqrt|sin|cos|tan|ln|log|exp|arc|[-+](?=\s*[\d(])")
_SLACK, _ROUGH_SLACK = 0.002, 0.02  # relative: rounded inputs; what is only said to be about right
_PLAIN_FACTORS = frozenset(
    [
        *map(float, range(11)),
        0.5,
        0.25,
        12.0,
        16.0,
        24.0,
        32.0,
        60.0,
        64.0,
        90.0,
        100.0,
        180.0,
        273.15,
        360.0,
        365.0,
        365.25,
        3600.0,
        86400.0,
    ]
)
# CODATA 2022 in base units, and the same in the units they are mostly used in; any number of their digits may be shown.
_CONSTANTS = (
    299792458.0, 2.99792458, 0.299792458, 6.62607015e-34, 4.135667696e-15, 1.054571817e-34, 6.582119569e-16,
    1.602176634e-19, 1.380649e-23, 8.617333262e-5, 6.02214076e23, 8.31446261815, 9.1093837139e-31, 0.51099895, 510.99895,
    1.67262192595e-27, 938.27208943, 0.93827208943, 1.67492750056e-27, 939.56542194, 1.66053906892e-27, 931.49410372,
    105.6583755, 8.8541878188e-12, 1.25663706127e-6, 6.6743e-11, 5.670374419e-8, 1.0973731568e7, 0.0072973525643,
    137.035999177, 5.29177210544e-11, 2.8179403205e-15, 13.605693123, 9.2740100657e-24, 5.0507837393e-27, 9.80665, 9.81,
    9.8, 101325.0, 3.14159265358979, 2.71828182845905, 1.41421356237, 1.73205080757, 197.3269804, 1239.841984, 96485.33212,
    6.2831853071796, 0.693147180560, 2.302585093, 1.602176634, 6.62607015, 1.380649, 9.1093837139, 1.67262192595, 22.414,
    0.022414, 1.495978707e11, 3.0856775814913673e16, 1.98841e30, 5.9722e24, 6.371e6, 1.9891e30, 3.828e26,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What is wrong with the arithmetic (`wrong`), which numbers come from nowhere (`strange`), and what was shown (`results`)."""

    wrong: tuple[str, ...]
    strange: tuple[str, ...]
    results: tuple[Quantity, ...]


def recompute(steps: Sequence[str], given: Iterable[Quantity]) -> Recomputed:
    """Compute the steps again, in order, from what is given."""
    known, results = list(given), list[Quantity]()
    wrong: list[str] = []
    strange: list[str] = []
    for step in _continued(steps):
        shown = as_arithmetic(step)
        faults, proven = _equations(shown)
        wrong += faults
        here = [one for one in quantities(shown) if any(_is_result(one, value) for value in proven)]
        known, results = known + here, results + here
        for one in (other for other in quantities(shown) if other not in here):
            if is_known(one, known):
                known.append(one)
            elif not _RELATION.search(shown) and _in_words(one, shown, known):
                known, results = [*known, one], [*results, one]
            else:
                strange.append(one.text)
    return Recomputed(tuple(wrong), tuple(strange), tuple(results))


def _continued(steps: Sequence[str]) -> list[str]:
    """The steps, where one that begins with a relation (`= 0.795 kW`) goes on with the one before."""
    whole: list[str] = []
    for step in steps:
        if whole and re.match(r"\s*\$?\s*(?:=|≈|\\approx)", step):
            whole[-1] = f"{whole[-1].rstrip(' .;$')} {step.strip().lstrip('$ ')}"
        else:
            whole.append(step)
    return whole


def is_known(one: Quantity, known: Iterable[Quantity]) -> bool:
    """Whether a number of a calculation needs no further proof."""
    return is_free(one) or any(_stands_for(one, other) for other in known)


def is_free(one: Quantity) -> bool:
    """Whether a number may be used by anyone: a small factor, a power of ten, a constant of nature."""
    value = abs(one.value)
    if value in _PLAIN_FACTORS and (not one.unit.dimension or value in (0, 1)):
        return True
    if value and close(value, 10.0 ** round(_log10(value))):
        return True
    return any(abs(constant - one.value) <= 1.01 * one.place or abs(constant - one.base) <= 1.01 * one.place * one.unit.scale
               for constant in _CONSTANTS if one.digits >= 2 or not 1e-5 < value < 1e5)  # fmt: skip


def _log10(value: float) -> float:
    return float(f"{value:e}".partition("e")[2]) if close(float(f"{value:e}".partition("e")[0]), 1.0) else 0.5


def _stands_for(one: Quantity, other: Quantity) -> bool:
    """Equal, rounded, or the bare figure of a quantity in its own or in base units (52 mm as 52 or 0.052)."""
    if same(one, other) or rounds_to(other, one) or (close(abs(one.base), abs(other.base)) and one.unit.dimension == other.unit.dimension):
        return True
    if one.unit.dimension and other.unit.dimension:
        return False
    # A bare figure may be that of a known quantity in any decimal multiple of its unit: 5900 for 5.9 keV, 9.0e-9 for 9.0 nΩ.
    powers = [other.value * 10.0 ** (3 * step) for step in range(-4, 5)] if other.unit.dimension else []
    figures = (other.value, other.base, other.base * 1000, *powers) if not one.unit.dimension else (other.value,)
    return any(
        close(abs(one.value), abs(figure)) or abs(abs(one.value) - abs(figure)) <= 0.5000001 * one.place * (one.digits >= 3)
        for figure in figures
    )


# ---- equations


def _equations(step: str) -> tuple[list[str], list[tuple[Value, bool]]]:
    """What is wrong with the equations of a step; the values that they prove, each with whether it is only about right."""
    wrong: list[str] = []
    proven: list[tuple[Value, bool]] = []
    relations = list(_RELATION.finditer(step))
    for number, relation in enumerate(relations):
        begin = relations[number - 1].end() if number else 0
        stop = relations[number + 1].start() if number + 1 < len(relations) else len(step)
        left, right = _ending(step[begin : relation.start()]), _beginning(step[relation.end() : stop], whole=stop < len(step))
        if left is None or right is None or (left.parts == 1 and right.parts == 1 and not _converts(left, right)):
            continue
        rough = bool(_ROUGH.search(relation[0] + step[relation.end() : relation.end() + 8]))
        if _agree(left, right, rough) or _turned_by_hand(step[begin : relation.start()], left, right):
            proven.append((right, rough))
        else:
            wrong.append(f"{step[begin:stop].strip()[-80:]}: gives {_shown(left, right)}")
    return wrong, proven


def _ending(segment: str) -> Value | None:
    """The expression that a segment ends with, if it is whole: nothing unknown may multiply it."""
    for found in _START.finditer(segment):
        before = segment[: found.start()].rstrip()
        if found.start() and re.search(r"[\w.^)]$", segment[: found.start()]) and not re.search(r"[\u3400-\u9fff]$", before):
            continue
        try:
            value, end = longest_value(segment, found.start())
        except NoExpressionError:
            continue
        if not segment[end:].strip(" ,:") or re.fullmatch(r"\s*[,(]?\s*(?:which|that|this)?\s*", segment[end:]):
            unknown = re.search(r"(?:[×·*/÷^+(-]|(?:^|\s)[A-Za-zΑ-ω](?:_\w+)?)\s*$", before)
            return None if unknown and not re.search(r"(?:^|\s)(?:a|I)\s*$|[,:;]\s*-?$|\s-\s*$", before) else value
    return None


def _beginning(segment: str, whole: bool) -> Value | None:
    """The expression that a segment begins with; nothing unknown may follow as a factor."""
    segment = re.sub(r"^\s*(?:about|approximately|roughly|约|~)\s*", "", segment)
    try:
        value, end = longest_value(segment)
    except NoExpressionError:
        return None
    rest = segment[end:]
    if re.match(r"\s*[×·*/÷^+(]|\s*-\s*[\d(A-Za-z]|\s?[A-Za-zΑ-ω](?:_\w+)?(?:\s*[×·*/^+)=-]|\s*$)|[A-Za-z_]", rest):
        return None
    return None if whole and rest.strip(" ,;.") and not re.search(r"[a-z]{2}|[\u3400-\u9fff]|[,;.]", rest) else value


def _converts(left: Value, right: Value) -> bool:
    return left.unit.dimension == right.unit.dimension and (bool(left.unit.dimension) or left.unit != right.unit)


def _agree(left: Value, right: Value, rough: bool) -> bool:
    """Whether the right side is the left one, to the digits that it shows."""
    exact = left.whole and right.whole and left.unit == NO_UNIT
    slack = _ROUGH_SLACK if rough else 0.0 if exact else _SLACK
    if left.unit.dimension and left.unit.dimension == right.unit.dimension and not left.mixed:
        return _near(left.base, right.base, right.place * right.unit.scale, slack, rough)
    if _near(left.number, right.number, right.place, slack, rough):
        return True
    bare = left.unit == NO_UNIT or right.unit == NO_UNIT or not left.unit.dimension or not right.unit.dimension
    return bare and (
        _near(left.base, right.number, right.place, slack, rough)
        or _near(left.number, right.base, right.place * right.unit.scale, slack, rough)
    )


_FACTOR = re.compile(r"(?P<sign>[×·*/÷])\s?(?P<factor>\d+(?:\.\d+)?)(?!\s?[A-Za-zμΩ°%\d.])")


def _turned_by_hand(expression: str, left: Value, right: Value) -> bool:
    """Whether a bare factor turns one unit into the other: `900 min⁻¹ / 60 = 15 s⁻¹`."""
    if left.unit.dimension != right.unit.dimension or not left.unit.dimension or left.mixed:
        return False
    ratio = right.unit.scale / left.unit.scale
    factors = [float(found["factor"]) ** (1 if found["sign"] in "/÷" else -1) for found in _FACTOR.finditer(expression)]
    return any(close(factor, ratio) and not close(factor, 1.0) for factor in factors) and _near(
        left.number, right.number, right.place, _SLACK, rough=False
    )


def _near(computed: float, shown: float, place: float, slack: float, rough: bool) -> bool:
    digits = 1.0 if rough and abs(shown) >= 10 * place else 0.5000001  # a single digit that is about right is rounded
    return abs(computed - shown) <= max(place * digits, slack * abs(computed), 1e-9 * abs(computed))


def _shown(left: Value, right: Value) -> str:
    if left.unit.dimension == right.unit.dimension:
        return f"{left.base / right.unit.scale:.6g}, not {right.number:.6g}"
    return f"{left.number:.6g}, not {right.number:.6g}"


def _is_result(one: Quantity, proven: tuple[Value, bool]) -> bool:
    value, _ = proven
    return close(one.value, value.number) and (
        one.unit.dimension == value.unit.dimension or not value.unit.dimension or not one.unit.dimension
    )


def _in_words(one: Quantity, step: str, known: Sequence[Quantity]) -> bool:
    """Whether a number is the sum, difference, product or quotient of two known ones of its step: `dividing 12 by 5 gives 2.4`."""
    others = [other for other in quantities(step) if other.start != one.start and is_known(other, known)]
    if one.digits < 2 and one.unit == NO_UNIT:
        return False
    return any(_derived(one, a, b) for number, a in enumerate(others) for b in others[number + 1 :])


def _derived(one: Quantity, a: Quantity, b: Quantity) -> bool:
    place = one.place * one.unit.scale * 0.5000001
    found = [a.value * b.value, *(x / y for x, y in ((a.value, b.value), (b.value, a.value)) if y)]
    if a.unit.dimension == b.unit.dimension:
        found += [(a.base + b.base) / one.unit.scale, abs(a.base - b.base) / one.unit.scale]
        found += [x / y / one.unit.scale for x, y in ((a.base, b.base), (b.base, a.base)) if y]
    return any(abs(value - one.value) * one.unit.scale <= place for value in found)
