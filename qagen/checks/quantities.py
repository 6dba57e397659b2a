"""The quantities of a text: values with units, powers of ten, uncertainties, ranges; in figures and in words, English and Chinese.

Two quantities are the same if they are equal in base units: 7 TeV and 7000 GeV, 120 万 and 1.2 × 10^6, 0.035 and 3.5 %.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from qagen.checks.typography import plain
from qagen.checks.units import NO_UNIT, Unit, unit_at


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value as written (`value`, power of ten included) and its unit; `text[start:end]` of the plain text.

    `place` is what one in the last digit shown is worth, `digits` how many digits are shown, `word` tells a number written
    as a word. The uncertainty of a value is a quantity of its own, which follows it.
    """

    value: float
    unit: Unit
    text: str
    start: int
    end: int
    place: float = 0.0
    digits: int = 1
    uncertainty: float = 0.0
    word: bool = False

    @property
    def base(self) -> float:
        """The value in base units."""
        return self.value * self.unit.scale

    @property
    def key(self) -> tuple[float, tuple[tuple[str, int], ...]]:
        """What equal quantities have in common: the value in base units to nine digits, and the dimension."""
        return float(f"{self.base:.9g}"), self.unit.dimension


def same(a: Quantity, b: Quantity) -> bool:
    """Whether two quantities are equal, in whatever units."""
    return a.unit.dimension == b.unit.dimension and close(a.base, b.base)


def close(a: float, b: float, relative: float = 1e-9) -> bool:
    """Whether two values are equal up to binary fractions."""
    return abs(a - b) <= relative * max(abs(a), abs(b))


def rounds_to(exact: Quantity, shown: Quantity) -> bool:
    """Whether `shown` is `exact` with fewer digits, in whatever units."""
    if exact.unit.dimension != shown.unit.dimension or shown.digits >= exact.digits:
        return False
    return abs(exact.base - shown.base) <= 0.5000001 * shown.place * shown.unit.scale


@lru_cache(maxsize=2048)
def quantities(text: str) -> tuple[Quantity, ...]:
    """All quantities of a text, in order. Digits that belong to a name (V-211, H2O, 238U) are none."""
    read = without_markers(plain(text))
    taken: list[Quantity] = []
    for found in sorted([*_figures(read), *_words(read), *_fractions(read)], key=lambda one: (one.start, -one.end)):
        if not taken or found.start >= taken[-1].end or (taken[-1].uncertainty and found.start >= taken[-1].start and not found.word):
            taken.append(found)
    return tuple(_with_inherited_units(read, taken))


_MARKER = re.compile(
    r"(?:^|(?<=[.;:,!?。；：，！？、]))\s*(?:(?:[Ss]tep|步骤)\s?)?(?P<mark>\d{1,2})\s?(?:[.)、）：:](?=\s?[^\d\s])|[.)：:]\s(?=\d))"
    r"|(?<![\w)])\((?P<inside>\d{1,2})\)(?=\s?[^\d\s])"
)


def without_markers(text: str) -> str:
    """A plain text with spaces in place of the markers of a list (`1. … 2. …`, `(1) … (2) …`); other numbers stay where they are."""
    wanted, marks = 1, list[tuple[int, int]]()
    for found in _MARKER.finditer(text):
        name = "mark" if found["mark"] else "inside"
        if int(found[name]) == wanted:
            wanted += 1
            marks.append(found.span(name))
    for start, end in marks if wanted > 2 else []:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


# ---- figures

_DIGITS = r"(?<!\d )\d{1,3}(?: \d{3})+(?:\.\d+)?(?![\d.]| \d)|\d+(?:\.\d+)?|\.\d+"
_TIMES_TEN = r"(?:\s?[×x·*]\s?10(?:\s?\^\s?\(?(?P<power>[-+]?\d{1,3})\)?|(?P<lost>-?\d{1,2})(?![\d.])))"
_FIGURE = re.compile(
    rf"(?<![A-Za-z0-9_.^Α-ω])(?<![A-Za-z]-)(?<!\d\.)(?P<open>\()?"
    rf"(?P<sign>(?<![A-Za-z0-9_Α-ω)铀碳锂氢氦钚钍氚铯钴锶碘镭型号])[-+]\s?(?=\d)|(?<!plus or )\bminus\s|(?<!正)负\s?|零下\s?)?"
    rf"(?P<digits>{_DIGITS})(?!\.\d)"
    rf"(?P<e>[eE][-+]?\d{{1,3}}(?!\w))?(?P<paren>\(\d{{1,3}}\))?(?:\s?±\s?(?P<error>{_DIGITS}))?"
    rf"(?P<close>\))?{_TIMES_TEN}?"
)
_PURE_POWER = re.compile(r"\s?\^\s?\(?([-+]?\d{1,3})\)?|(-\d{1,2})(?![\d.])(?!\s?[A-Za-z%]*-)")
_LARGEST_POWER = 250  # powers of ten, with room for units to a power
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_HAN_SCALES = {"万亿": 1e12, "百万": 1e6, "千万": 1e7, "十万": 1e5, "亿": 1e8, "万": 1e4}
_SCALE = re.compile(rf"\s?(?:{'|'.join(_HAN_SCALES)})(?!分之)|\s(?:{'|'.join(_SCALES)})s?\b")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b")


def _figures(text: str) -> Iterator[Quantity]:
    for found in _FIGURE.finditer(text):
        start = found.start("sign") if found["sign"] else found.start("digits")
        end, exponent = _end_and_power(text, found)
        if abs(exponent or 0) > _LARGEST_POWER or len(found["digits"]) > _LARGEST_POWER:
            continue  # no quantity of this world, and no float
        factor, end = _scale(text, end)
        at = end + 1 if text[end : end + 1] in (" ", "-") else end
        unit = unit_at(text, at)
        if unit is None and re.match(r"[A-Za-zΑ-ω_]", text[end : end + 1]) and not _ORDINAL.match(text, end):
            continue  # 238U, 3D: a name
        if len(found["digits"]) == 4 and re.search(r"\b[A-Z]/$", text[:start]):
            continue  # C/2017 W4: a designation
        digits = found["digits"].replace(" ", "")
        value = 1.0 if exponent is not None and not found["power"] and not found["lost"] and digits == "10" else float(digits)
        factor *= 10.0 ** (exponent or 0)
        place = 10.0 ** -len(digits.partition(".")[2]) * factor
        sign = -1.0 if found["sign"] and not found["sign"].startswith("+") else 1.0
        sign = -1.0 if text[max(0, start - 2) : start] == "^-" else sign  # an exponent with decimals
        error = _error(found, place, factor)
        stop, kind = (unit[0], unit[1]) if unit else (end, NO_UNIT)
        yield Quantity(sign * value * factor, kind, text[start:stop], start, stop, place, _significant(digits), error)
        if error:
            yield Quantity(error, kind, (found["error"] or found["paren"] or "") + text[end:stop], start, stop, place)


def _end_and_power(text: str, found: re.Match[str]) -> tuple[int, int | None]:
    """Where the number ends, and its power of ten if it has one."""
    if found["power"] or found["lost"]:
        return found.end(), int(found["power"] or found["lost"])
    end = found.end() if found["open"] or not found["close"] else found.start("close")
    if found["e"]:
        return end, int(found["e"][1:])
    if found["digits"] == "10" and (power := _PURE_POWER.match(text, found.end("digits"))):
        return power.end(), int(power[1] or power[2])
    return end, None


def _scale(text: str, end: int) -> tuple[float, int]:
    found = _SCALE.match(text, end)
    if not found:
        return 1.0, end
    name = found[0].strip()
    return _HAN_SCALES.get(name) or _SCALES[name.removesuffix("s")], found.end()


def _error(found: re.Match[str], place: float, factor: float) -> float:
    """The uncertainty: `5.0 ± 0.3`, `5.0(3)`."""
    if found["error"]:
        return float(found["error"].replace(" ", "")) * factor
    return float(found["paren"][1:-1]) * place if found["paren"] else 0.0


def _significant(digits: str) -> int:
    return len(digits.replace(".", "").lstrip("0")) or 1


# ---- words

_UNITS_TEXT = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
)
_SMALL = {word: float(value) for value, word in enumerate(_UNITS_TEXT.split(), 1)} | {
    word: 10.0 * value for value, word in enumerate(["thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 3)
}
_ORDINALS_TEXT = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_SMALL |= {word: float(value) for value, word in enumerate(_ORDINALS_TEXT.split(), 3)}
_WORD = "|".join([*_SMALL, *_SCALES])
_NUMBER_WORDS = re.compile(rf"\b(?:{_WORD})(?:(?:[ -]|\sand\s)(?:{_WORD}))*\b", re.I)
_HAN_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_HAN_PLACES = {"十": 10, "百": 100, "千": 1000}
_MEASURE = "台个座条根块级段次种支名组倍层极只间项类步点门件套节圈匝人篇年月日天周小分秒米伏安瓦度千毫微兆吉皮纳"
_HAN_NUMBER = re.compile(
    rf"第?(?:[十百千]?[零〇一二两三四五六七八九]|十(?![几分]))[零〇一二两三四五六七八九十百千]*(?=[{_MEASURE}万亿])|第[一二三四五六七八九十]+|[一二三四五六七八九十百千]{{2,}}(?=[，。；、]|$)"
)
_FRACTION = re.compile(
    r"(?P<of>百|千|万|百万|十亿)分之\s?(?P<digits>\d+(?:\.\d+)?|[零〇一二两三四五六七八九十百]+(?:点[零〇一二三四五六七八九]+)?)"
)
_PARTS = {"百": 1e-2, "千": 1e-3, "万": 1e-4, "百万": 1e-6, "十亿": 1e-9}


def _words(text: str) -> Iterator[Quantity]:
    for found in _NUMBER_WORDS.finditer(text):
        if (value := _english(found[0])) is not None and value != 1:
            yield _worded(text, found, value)
    for found in _HAN_NUMBER.finditer(text):
        if (value := han_value(found[0].removeprefix("第"))) is not None and (value != 1 or found[0].startswith("第")):
            yield _worded(text, found, value)


def _worded(text: str, found: re.Match[str], value: float) -> Quantity:
    factor, end = _scale(text, found.end())
    unit = unit_at(text, end + (text[end : end + 1] in (" ", "-")))
    stop, kind = unit or (end, NO_UNIT)
    return Quantity(value * factor, kind, text[found.start() : stop], found.start(), stop, factor, len(f"{value:g}"), word=True)


def _english(words: str) -> float | None:
    total = group = 0.0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word == "hundred":
            group = (group or 1) * 100
        elif word in _SCALES:
            total, group = total + (group or 1) * _SCALES[word], 0.0
        elif word in _SMALL:
            if group % 10 and _SMALL[word] < 100:
                return None  # "three four": two numbers
            group += _SMALL[word]
    return total + group


def han_value(written: str) -> float | None:
    """The value of a Chinese numeral below ten thousand, with or without decimals; None if it is none."""
    whole, _, decimals = written.partition("点")
    total, digit = 0, 0
    if len(whole) > 1 and all(character in _HAN_DIGITS for character in whole):
        total = int("".join(str(_HAN_DIGITS[character]) for character in whole))
    else:
        for character in whole:
            if character in _HAN_PLACES:
                total, digit = total + (digit or 1) * _HAN_PLACES[character], 0
            elif character in _HAN_DIGITS:
                digit = _HAN_DIGITS[character]
            else:
                return None
    figures = "".join(str(_HAN_DIGITS[character]) for character in decimals if character in _HAN_DIGITS)
    return float(f"{total + digit}.{figures or 0}")


def _fractions(text: str) -> Iterator[Quantity]:
    """百分之三, 百万分之六."""
    for found in _FRACTION.finditer(text):
        digits = found["digits"]
        value = float(digits) if digits[0].isdigit() else han_value(digits)
        if value is not None:
            yield Quantity(value, Unit(_PARTS[found["of"]], ()), found[0], found.start(), found.end(), 1.0, len(digits))


# ---- ranges

_CONNECTED = re.compile(r"\s?(?:-|–|~|to|and|or|,|/|through|versus|vs|到|至|和|及|或|、|，|x|×|\.\.\.|,\s?(?:and|or))\s?")


def connected(text: str) -> list[list[Quantity]]:
    """The lists and ranges of a text: runs of quantities of one dimension with nothing but commas and conjunctions between them."""
    read, runs = plain(text), list[list[Quantity]]()
    for one in quantities(text):
        last = runs[-1][-1] if runs else None
        if last and last.unit.dimension == one.unit.dimension and _CONNECTED.fullmatch(read[last.end : one.start]):
            runs[-1].append(one)
        else:
            runs.append([one])
    return [run for run in runs if len(run) > 1]


def _with_inherited_units(text: str, found: Sequence[Quantity]) -> Iterable[Quantity]:
    """`5 to 10 GeV`: the five is 5 GeV."""
    read: list[Quantity] = []
    for one in reversed(found):
        after = read[-1] if read else None
        if after and one.unit is NO_UNIT and after.unit is not NO_UNIT and _CONNECTED.fullmatch(text[one.end : after.start]):
            one = replace(one, unit=after.unit)
        read.append(one)
    return reversed(read)
