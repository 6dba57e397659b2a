"""Are the numbers, units and names of a pair those of its source, or derived from them in steps that recompute?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from qagen.checks.elements import elements_of, forms, names
from qagen.checks.ground import numbers
from qagen.checks.quantities import Quantity, close, quantities, rounds_to, same
from qagen.checks.typography import plain
from qagen.checks.units import ASKED, DIMENSIONS, NO_UNIT, Unit, unit_at
from qagen.checks.words import length_in_words

_HEDGED = re.compile(
    r"\b(?:about|approximately|around|roughly|nearly|almost|some|circa|ca\.?|just (?:over|under))\b|≈|~|∼|约|大约|左右|近似", re.I
)
_LESS = re.compile(r"\b(?:decreas|reduc|lower|fall|fell|drop|shrink|shift|loss|lose|lost|below|minus)\w*|降低|下降|减少|减小|低", re.I)
_BOUND = re.compile(r"(?:\b(?:below|under|(?:lower|less|colder)\s+than)|低于|小于|以下)\s?$", re.I)  # a bound keeps its sign
_IN_BRACKETS = re.compile(r"[(\[（/]\s*([^()\[\]（）|]{1,24}?)\s*[)\]）|,，]|\bin\s+(?:units\s+of\s+)?(?=[A-Za-zμΩ°%])")
_ASKED = {word: frozenset(DIMENSIONS[name] for name in kinds) for words, kinds in ASKED for word in words}
_WHAT_IS = re.compile(
    r"\b(?:what|which)\s+(?:is|are|was|were)\s+(?:the\s+)?(?P<noun>(?:[a-z-]+\s+){0,4}?[a-z-]+)"
    r"(?=\s+(?:of|at|in|for|on|per|between|above|below|inside)\b|\?)",
    re.I,
)
_WHAT = re.compile(
    r"\b(?:what|which)\s+(?:[a-z-]+\s+)?(?P<noun>[a-z]+)\s+(?:is|are|was|were|does|do|did|has|have|can|must|will|of|at|in|for|[a-z]+s)\b",
    re.I,
)
_HAN_WHAT = re.compile(r"的(?P<noun>[\u3400-\u9fff]{1,8}?)(?:是多少|为多少|有多[大高长厚深]|是多[大高长厚深])")


def unproven(
    answer: str, evidence: str, context: str, others: Sequence[Quantity] = (), asked: Sequence[Quantity] = ()
) -> list[tuple[str, str]]:
    """(reason, what) for each number of an answer that neither the evidence nor `others` (the question's, results of steps) has.

    Numbers in `asked` belong to the name of a thing (the third harmonic): in the evidence they prove nothing.
    """
    names_only = {one.key for one in asked}
    proven = [*quantities(evidence), *spelt_multiples(evidence), *_days_from(evidence, answer), *others]
    nameless = [one for one in proven if not (one.word and one.key in names_only)]
    figures = set(numbers(evidence))
    hedged, less = bool(_HEDGED.search(answer)), bool(_LESS.search(answer))
    units = [*units_named(evidence), *units_named(context)]
    found = []
    for one in quantities(answer):
        fewer = less and not _BOUND.search(plain(answer)[: one.start])
        if _is_proven(one, proven if one.word else nameless, figures, units, hedged, fewer) or _is_idle(one, answer):
            continue
        if _is_ratio(one, answer, quantities(evidence)):
            continue
        found.append((_reason(one, proven), one.text))
    return found


_TIMES = re.compile(r"\s?-?(?:times\b|fold\b|倍)")
_MORE_THAN = re.compile(r"\b(?:more than|over|at least|exceed\w*|above)\s*$|(?:超过|多于|不止|至少)\s*$", re.I)
_NEARLY = re.compile(r"\b(?:nearly|almost|less than|just under)\s*$|(?:近|将近|不到)\s*$", re.I)


def _is_ratio(one: Quantity, answer: str, proven: Sequence[Quantity]) -> bool:
    """Whether a number of times is the ratio of two quantities of the evidence: `more than ten times` for 4 % and 0.3 %."""
    read = plain(answer)
    if one.unit.dimension or not (_TIMES.match(read, one.end) or one.text.endswith("倍")) or one.value < 2:
        return False
    low, high = (1.0, 1.6) if _MORE_THAN.search(read[: one.start]) else (0.85, 1.0) if _NEARLY.search(read[: one.start]) else (0.95, 1.05)
    pairs = [(a, b) for a in proven for b in proven if a is not b and a.unit.dimension == b.unit.dimension]
    return any(b.base and low <= a.base / b.base / one.value <= high for a, b in pairs)


_DAY = re.compile(r"\b(?P<unit>day|week|month|year|hour|minute|second)s?\s(?P<value>[-+]?\d+(?:\.\d+)?)\b(?!\s?[A-Za-zμ°%]+/)", re.I)
_AGO = re.compile(r"\b(?:before|prior|earlier|ahead)\b|[之以]?前", re.I)
_LATER = re.compile(r"\b(?:after|later|past|following)\b|[之以]?后", re.I)


def _days_from(evidence: str, answer: str) -> list[Quantity]:
    """Times that the evidence counts from an event, as the answer says them: `15 days before` for `day −15`."""
    found = []
    for day in _DAY.finditer(plain(evidence)):
        value, unit = float(day["value"]), unit_at(day["unit"].lower(), 0)
        if unit and (_AGO if value < 0 else _LATER).search(answer):
            found.append(Quantity(abs(value), unit[1], day[0], day.start(), day.end()))
    return found


def invented(question: str, sources: Sequence[str], others: Sequence[Quantity] = ()) -> list[str]:
    """The numbers of a question that its sources do not have."""
    if not quantities(question):
        return []
    proven = [*(one for source in sources for one in quantities(source)), *others]
    figures = {figure for source in sources for figure in _figures(source)}
    units = [unit for source in sources for unit in units_named(source)]
    return [
        one.text for one in quantities(question)
        if not one.word and not _is_proven(one, proven, figures, units, hedged=True, less=True)
    ]  # fmt: skip


@lru_cache(maxsize=512)
def _figures(text: str) -> frozenset[str]:
    return frozenset(numbers(text))


def unknown_names(text: str, sources: Iterable[str]) -> list[str]:
    """The names of a text that its sources do not have, sorted."""
    there: set[str] = set()
    said = names(text)
    for source in sources:
        if not said - there:
            break
        there |= forms(source)
    return sorted(name for name in said - there if not _in_other_form(name, there))


_SUBSTANCE = re.compile(r"[\u3400-\u9fff]{1,10}?[酯烯烷醇酮醚胺醛腈苯](?![\u3400-\u9fff]{0,2}[酯烯烷醇酮醚胺醛腈苯])")
_JOINS = re.compile(r"[的了和与及或为是用在成入含由以加]")
_WHO = re.compile(r"^谁|[由是]谁|谁[^的]")


def unknown_in_chinese(question: str, answer: str, evidence: str) -> str | None:
    """The person or substance that a Chinese answer names and its Chinese evidence does not; or None."""
    if not re.search(r"[\u3400-\u9fff]{4}", evidence):
        return None
    there = plain(evidence)
    for found in _SUBSTANCE.finditer(plain(answer)):
        name = _JOINS.split(found[0])[-1]
        if len(name) >= 3 and name not in there:
            return name
    head = ""
    for a, b in pairwise(plain(answer) if _WHO.search(question) else ""):
        if a + b in there or not re.match(r"[\u3400-\u9fff]", a):
            break
        head += a
    return head if len(head) >= 2 else None


def identifiers(found: Iterable[str]) -> list[str]:
    """Those of some names that are written alike in all languages: with digits or hyphens (LN-3), not proper names and elements."""
    return [name for name in found if re.search(r"[a-z].*\d|\d.*[a-z]", name)]


def wrong_kind(question: str, answer: str, evidence: str = "") -> str | None:
    """What is asked for where the answer is a quantity of another kind: a voltage answered in seconds; else None."""
    shown = [one for one in quantities(answer) if one.unit.dimension]
    counted = [one for one in quantities(answer) if one.word]
    if len(quantities(answer)) > 1 or (quantities(answer) and not shown and not counted):
        return None
    shown = shown or counted  # `six screws` is no torque
    found = _HAN_WHAT.search(question) or _WHAT_IS.search(question) or _WHAT.search(question)
    if not found:
        return None
    noun = found["noun"].split()[-1].lower() if found["noun"].isascii() else found["noun"]
    kinds = _ASKED.get(noun) or next((kinds for word, kinds in _ASKED.items() if not word.isascii() and noun.endswith(word)), None)
    if kinds and not shown:  # no value at all, though the source has one: `It drifted downwards`
        there = {one.unit.dimension for one in quantities(evidence)}
        whole = length_in_words(answer) >= 3 and noun not in answer.lower()
        return f"`{noun}` answered without a value" if kinds & there and whole else None
    if (
        kinds is None
        or shown[0].unit.dimension in kinds
        or any(set(_bases(kind)) <= set(_bases(shown[0].unit.dimension)) for kind in kinds if kind)
    ):
        return None
    return f"`{noun}` answered by `{shown[0].text}`"


def _bases(dimension: Iterable[tuple[str, int]]) -> list[str]:
    return [base for base, _ in dimension]


@lru_cache(maxsize=512)
def units_named(text: str) -> tuple[Unit, ...]:
    """The units that a text names with or without a number: `5 kV`, `Voltage (kV)`."""
    read = plain(text)
    found = [one.unit for one in quantities(text) if one.unit.dimension or one.unit.scale != 1]
    for bracket in _IN_BRACKETS.finditer(read):
        start = bracket.start(1) if bracket[1] else bracket.end()
        if (unit := unit_at(read, start)) and (not bracket[1] or unit[0] >= bracket.end(1)):
            found.append(unit[1])
    return tuple(dict.fromkeys(found))


def _is_proven(one: Quantity, proven: Sequence[Quantity], figures: set[str], units: Sequence[Unit], hedged: bool, less: bool) -> bool:
    if any(same(one, other) or ((hedged or one.digits >= 3) and rounds_to(other, one)) for other in proven) or (
        hedged and any(_rounded(other, one) for other in proven)
    ):
        return True
    bare = [other for other in proven if not other.unit.dimension and other.unit.scale == 1]
    if not one.unit.dimension and one.unit.scale == 1:
        turned = any(close(one.value, -other.value) for other in bare) and not less  # `+4.2` where the source has -4.2
        return any(close(one.value, other.value) for other in proven) or (
            not turned and (f"{one.value:g}" in figures or one.text in figures)
        )
    if any(close(one.value, other.value) for other in bare) and one.unit in units:
        return True
    if less and any(one.unit.dimension == other.unit.dimension and close(one.base, -other.base) for other in proven):
        return True
    parts = (
        quantities(one.text.partition(" per ")[0]) if " per " in one.text else ()
    )  # `8.3 kHz per kelvin`: per what may be said elsewhere
    return bool(parts) and _is_proven(parts[0], proven, figures, units, hedged, less)


def _rounded(exact: Quantity, shown: Quantity) -> bool:
    """Whether `shown` ends in zeros to which `exact` rounds: about 1830 for 1831."""
    if exact.unit.dimension != shown.unit.dimension or not shown.value or shown.value != round(shown.value):
        return False
    zeros = len(f"{abs(shown.value):.0f}") - len(f"{abs(shown.value):.0f}".rstrip("0"))
    return (
        zeros > 0
        and abs(exact.base - shown.base) <= 0.5 * 10.0**zeros * shown.unit.scale
        and abs(exact.base - shown.base) <= 0.05 * abs(exact.base)
    )


_RATE = re.compile(r"(?P<value>\d[\d.]*)\s+(?!per\b)(?:[A-Za-z-]+\s+){1,3}?(?:per|each|every|an?)\s+"
                   r"(?P<per>second|minute|hour|day|week|month|year|s|min|h|d)\b|"
                   r"每(?P<per_zh>秒|分钟?|小时|天|周|月|年)[^。，\d]{0,8}(?P<value_zh>\d[\d.]*)\s?[\u3400-\u9fff]")  # fmt: skip
_SHORT = {"s": "second", "min": "minute", "h": "hour", "d": "day"}


def other_rate(answer: str, evidence: str) -> str | None:
    """`850 droplets per minute` where the evidence counts them per second; else None."""
    there, here = _rates(evidence), _rates(answer)
    for value, per in here:
        others = {known for number, known in there if number == value}
        if others and per not in others:
            return f"{value} per {per}"
    return None


def _rates(text: str) -> list[tuple[str, str]]:
    return [
        (found["value"] or found["value_zh"], _SHORT.get(found["per"] or "", found["per"] or found["per_zh"]))
        for found in _RATE.finditer(plain(text))
    ]


_MULTIPLES = (
    (re.compile(r"\bdoubl(?:e|es|ed|ing)\b|\btwice\b|\btwofold\b|[增大加高长多]了?一倍|翻[了一]?[番倍]", re.I), 2.0),
    (re.compile(r"\btripl(?:e|es|ed|ing)\b|\bthreefold\b|\bthrice\b", re.I), 3.0),
    (re.compile(r"\bquadrupl(?:e|es|ed|ing)\b|\bfourfold\b", re.I), 4.0),
    (re.compile(r"\bhal(?:f|ves?|ved|ving)\b|一半|减半", re.I), 0.5),
    (re.compile(r"\bhal(?:ves|ved|ving)\b|减半", re.I), 2.0),  # by a factor of two
)


def spelt_multiples(text: str) -> list[Quantity]:
    """The factors that a text says without a number: doubled, halved, 增大了一倍."""
    return [
        Quantity(value, NO_UNIT, found[0], found.start(), found.end(), place=1.0 if value > 1 else 0.1, word=True)
        for pattern, value in _MULTIPLES
        for found in pattern.finditer(text)
    ]


def _is_idle(one: Quantity, answer: str) -> bool:
    """A small number word that only counts what the answer lists: `two reasons`, `second`."""
    return one.word and one.value <= 2 and not one.unit.dimension and len(answer) > 40


def _reason(one: Quantity, proven: Sequence[Quantity]) -> str:
    changed = any(close(abs(one.value), abs(other.value)) and other.unit != one.unit and other.unit.dimension for other in proven)
    return "wrong-unit" if changed and one.unit.dimension else "number-not-in-evidence"


def _in_other_form(name: str, there: set[str]) -> bool:
    """`Nb-Si` where both elements are named, `Type-2` as `type2`, H2O2 where hydrogen is spoken of."""
    parts = set(re.split(r"[-/& :]", name))
    return parts <= there or name.replace("-", "") in there or bool(elements_of(name) & there)
