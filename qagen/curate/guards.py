"""What makes two questions different however alike their words are: numbers, units, names, negation, opposites.

"7 TeV" against "14 TeV", "LHC" against "HL-LHC", horizontal against vertical: neither word overlap nor embeddings see
the difference, so it is read out of the text and compared by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from qagen.curate.lexicon import NOT_NAMES, SIDE_NAMES, SIDES, UNIT_NAMES, UNITS
from qagen.curate.words import plain

Quantity = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Marks:
    """The parts of a text that a paraphrase must keep.

    `numbers` are in base units ("7 TeV" and "7000 GeV" are one), `names` the identifiers and proper names, `forms` every
    word as written (so that a name can be found where it does not look like one), `sides` which side of a pair of
    opposites is named, `negated` whether the text denies something.
    """

    numbers: frozenset[Quantity]
    names: frozenset[str]
    forms: frozenset[str]
    sides: frozenset[str]
    negated: bool


def read_marks(text: str) -> Marks:
    """Read the marks of a question or an answer."""
    return take_marks(text)[0]


def take_marks(text: str) -> tuple[Marks, str]:
    """The marks, and the text without its numbers and their units."""
    flat = plain(text)
    numbers, rest = _take_numbers(flat)
    names, forms = _names(rest)
    return Marks(numbers, names, forms, _sides(flat.casefold()), bool(_NEGATION.search(_NOT_NEGATION.sub(" ", flat)))), rest


def differ(a: Marks, b: Marks) -> str | None:
    """Why two texts cannot say the same, or None: the strict rule, by which what only one of them names counts."""
    if a.numbers != b.numbers:
        return "numbers"
    if a.names - b.forms or b.names - a.forms:
        return "names"
    if a.negated != b.negated:
        return "negation"
    return "opposites" if a.sides != b.sides else None


def contradict(a: Marks, b: Marks) -> str | None:
    """Why two texts exclude each other, or None: the lenient rule, by which each must name what the other does not."""
    if a.numbers - b.numbers and b.numbers - a.numbers:
        return "numbers"
    if a.names - b.forms and b.names - a.forms:
        return "names"
    if a.negated != b.negated:
        return "negation"
    return "opposites" if _opposed(a.sides, b.sides) else None


def _opposed(a: frozenset[str], b: frozenset[str]) -> bool:
    return bool({_group(side) for side in a - b} & {_group(side) for side in b - a})


def _group(side: str) -> str:
    return side.partition(":")[0]


# ---- numbers and their units

_UNIT = "|".join(map(re.escape, UNIT_NAMES))
_POWER = r"(?:\s*[×x·*]\s*10\s*\^?\s*(?P<power>[-+]?\d{1,2}))?"
_NUMBER = re.compile(
    rf"(?<![A-Za-z0-9_.])(?P<sign>(?<![\w)])-)?(?P<digits>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?){_POWER}"
    rf"(?:[\s-]?(?P<unit>{_UNIT})(?![A-Za-zμΩ])(?P<of>\s?/\s?[A-Za-zμ]+|\s?\^-?\d+)?)?"
)
_COUNTS = {
    word: float(value)
    for value, names in enumerate(
        ("", "first", "two|second", "three|third", "four|fourth", "five|fifth", "six|sixth", "seven|seventh", "eight|eighth",
         "nine|ninth", "ten|tenth", "eleven|eleventh", "twelve|twelfth")
    )
    for word in names.split("|") if word
}  # fmt: skip
_COUNT = re.compile(rf"(?<!per )(?<!a )\b(?:{'|'.join(_COUNTS)})\b", re.IGNORECASE)
_HAN_DIGITS = {digit: float(value) for value, digit in enumerate("零一二三四五六七八九十")} | {"两": 2.0}
_HAN_COUNT = re.compile("第([一二三四五六七八九十])|([一二三四五六七八九十两])(?=[个台座条根块级段次种支名组])")


def _take_numbers(text: str) -> tuple[frozenset[Quantity], str]:
    found = [_quantity(match) for match in _NUMBER.finditer(text)]
    rest = _NUMBER.sub(" # ", text)
    found += [(_COUNTS[match.group().casefold()], "") for match in _COUNT.finditer(rest)]
    found += [(_HAN_DIGITS[match[1] or match[2]], "") for match in _HAN_COUNT.finditer(rest)]
    return frozenset(found), _HAN_COUNT.sub(" # ", _COUNT.sub(" # ", rest))


def _quantity(match: re.Match[str]) -> Quantity:
    value = float(match["digits"]) * 10.0 ** int(match["power"] or 0)
    scale, unit = UNITS[match["unit"]] if match["unit"] else (1.0, "")
    value = -value if match["sign"] else value
    # Six digits: "7 TeV" and "7000 GeV" must meet in spite of binary fractions.
    return float(f"{value * scale:.6g}"), unit + re.sub(r"\s", "", match["of"] or "")


# ---- names

_FORM = re.compile(r"[A-Za-zμΩ][A-Za-z0-9]*(?:[-/][A-Za-z0-9]+)*")
_SENTENCE_START = re.compile(r"(?:^|[.?!:;]\s|[\"'(#]\s?)\s*$")


def _names(text: str) -> tuple[frozenset[str], frozenset[str]]:
    names, forms = set(), set()
    for match in _FORM.finditer(text):
        form = re.sub(r"(?<=[A-Z])s$", "", match.group())  # BPMs are BPM
        forms.add(form.casefold())
        if form.islower() and form.isascii():
            forms.update(form.split("-"))
        if _is_name(form, text[max(0, match.start() - 3) : match.start()]):
            names.add(form.casefold())
    return frozenset(names), frozenset(forms)


def _is_name(form: str, before: str) -> bool:
    if form.casefold() in NOT_NAMES:
        return False
    if re.search(r"[A-Z].*[A-Z]|[a-z][A-Z]|[A-Za-z]\d|\d[A-Za-z]", form) or ("-" in form and re.search(r"[A-Z]", form)):
        return True
    return form[0].isupper() and not _SENTENCE_START.search(before)


# ---- negation and opposites

_NOT_NEGATION = re.compile("是否|能否|可否|非常|不同|不仅|无论")
_NEGATION = re.compile(r"\b(?:not|no|never|without|neither|nor|cannot|none|except)\b|n't\b|[不没未非]|无法|没有|除了", re.IGNORECASE)

_LATIN = re.compile(r"[a-z]+(?:-[a-z]+)*")
_HAN_SIDE = re.compile("|".join(name for name in ("电子伏", *SIDE_NAMES) if not name.isascii()))


def _sides(text: str) -> frozenset[str]:
    named = [part for word in _LATIN.findall(text) for part in (word, *(word.split("-") if "-" in word else ()))]
    return frozenset(SIDES[word] for word in (*named, *_HAN_SIDE.findall(text)) if word in SIDES)
