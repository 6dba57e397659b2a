"""What makes two questions different however alike their words are: numbers, units, names, negation, opposites, what is asked.

"7 TeV" against "14 TeV", "LHC" against "HL-LHC", horizontal against vertical: neither word overlap nor embeddings see
the difference, so it is read out of the text and compared by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from qagen.curate.lexicon import ASKS, UNIT_NAMES, UNITS
from qagen.curate.tokens import Tokens, tokenise
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
    return take_marks(plain(text))[0]


def take_marks(flat: str) -> tuple[Marks, Tokens]:
    """The marks and the tokens of a text that `plain` has seen."""
    numbers, rest = _take_numbers(flat)
    tokens = tokenise(rest)
    every = frozenset(numbers) | {(count, "") for count in tokens.counts}
    return Marks(every, tokens.names, tokens.forms, tokens.sides, is_negated(flat)), tokens


def qualifiers(marks: Marks) -> frozenset[str]:
    """The sides that tell two things of one kind apart, such as planes and particles."""
    return frozenset(side for side in marks.sides if side[0] == "q")


def differ(a: Marks, b: Marks) -> str | None:
    """Why two questions cannot be the same, or None: the strict rule, by which what only one of them names counts.

    Numbers are not looked at: a paraphrase may leave one to the answer (see `qagen.curate.likeness`).
    """
    if a.names - b.forms or b.names - a.forms:
        return "names"
    if a.negated != b.negated:
        return "negation"
    return "opposites" if qualifiers(a) != qualifiers(b) or _opposed(a.sides, b.sides) else None


def contradict(a: Marks, b: Marks) -> str | None:
    """Why two texts exclude each other, or None: the lenient rule, by which each must name what the other does not."""
    if _only(a.numbers, b.numbers) and _only(b.numbers, a.numbers):
        return "numbers"
    if a.names - b.forms and b.names - a.forms:
        return "names"
    if a.negated != b.negated:
        return "negation"
    return "opposites" if _opposed(a.sides, b.sides) else None


def shared_numbers(a: frozenset[Quantity], b: frozenset[Quantity]) -> bool:
    """Whether two texts have a number in common; one without a unit is any of its value."""
    return bool(a) and len(_only(a, b)) < len(a)


def _only(a: frozenset[Quantity], b: frozenset[Quantity]) -> frozenset[Quantity]:
    if not a - b:
        return frozenset()
    values, bare = {value for value, _ in b}, {value for value, unit in b if not unit}
    return frozenset((value, unit) for value, unit in a - b if value not in (bare if unit else values))


def _opposed(a: frozenset[str], b: frozenset[str]) -> bool:
    return a != b and bool({_group(side) for side in a - b} & {_group(side) for side in b - a})


def _group(side: str) -> str:
    return side.partition(":")[0]


# ---- numbers and their units

_UNIT = "|".join(map(re.escape, UNIT_NAMES))
_POWER = r"(?:\s*[×x·*]\s*10\s*\^?\s*(?P<power>[-+]?\d{1,2}))?"
_NUMBER = re.compile(
    rf"(?<![A-Za-z0-9_.])(?P<sign>(?<![\w)])-)?(?P<digits>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?){_POWER}"
    rf"(?:[\s-]?(?P<unit>{_UNIT})(?![A-Za-zμΩ])(?P<of>\s?/\s?[A-Za-zμ]+|\s?\^-?\d+)?)?"
)
_DIGIT = re.compile(r"\d")


def _take_numbers(text: str) -> tuple[list[Quantity], str]:
    if not _DIGIT.search(text):
        return [], text
    return [_quantity(match) for match in _NUMBER.finditer(text)], _NUMBER.sub(" # ", text)


def _quantity(match: re.Match[str]) -> Quantity:
    value = float(match["digits"]) * 10.0 ** int(match["power"] or 0)
    scale, unit = UNITS[match["unit"]] if match["unit"] else (1.0, "")
    value = -value if match["sign"] else value
    # Six digits: "7 TeV" and "7000 GeV" must meet in spite of binary fractions.
    return float(f"{value * scale:.6g}"), unit + re.sub(r"\s", "", match["of"] or "")


# ---- negation, and what is asked for

_NOT_NEGATION = re.compile("是否|能否|可否|非常|不同|不仅|无论|不确定|未来|无线|非线性|无量纲")
_NEGATION = re.compile(r"\b(?:not|no|never|without|neither|nor|cannot|none|except|fail|fails|failed)\b|n't\b", re.IGNORECASE)
_NEGATION_HAN = re.compile("[不没未非]|无法|没有|除了")


def is_negated(text: str) -> bool:
    """Whether a text denies something."""
    return bool(_NEGATION.search(text)) or (not text.isascii() and bool(_NEGATION_HAN.search(_NOT_NEGATION.sub(" ", text))))


def asks_for(text: str) -> str:
    """What a question asks for, by its first word of asking: why, who, when, where, count, manner; empty for all else."""
    low = text.casefold()
    found = [(match.start(), name) for name, how in ASKS.items() if (match := how.search(low))]
    return min(found)[1] if found else ""
