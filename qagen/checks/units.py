"""Units as they are written, and what they are in base units: `MV/m`, `cm^-2 s^-1`, `kilovolts per metre`, 千伏, 摄氏度.

The table is `units.toml`. A registry such as pint's knows more units, but it also reads `a`, `in` and `at` as units, costs
half a second to load, and knows neither Chinese names nor the "c" of MeV/c; what a sentence may mean by a unit is decided here.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TABLES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("units.toml").read_text(encoding="utf-8"))

Dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """`scale` base units of a `dimension`: powers of the base units by name, without the zeros."""

    scale: float
    dimension: Dimension

    def power(self, exponent: int) -> Unit:
        """The unit to a whole power."""
        return Unit(self.scale**exponent, tuple((base, count * exponent) for base, count in self.dimension if count * exponent))

    def times(self, other: Unit) -> Unit:
        """The product of two units."""
        counts = dict(self.dimension)
        for base, count in other.dimension:
            counts[base] = counts.get(base, 0) + count
        return Unit(self.scale * other.scale, tuple(sorted((base, count) for base, count in counts.items() if count)))


NO_UNIT = Unit(1.0, ())


def _dimension(powers: str) -> Dimension:
    found = [re.fullmatch(r"([a-zA-Z_]+)(-?\d+)?", part) for part in powers.split()]
    return tuple(sorted((part[1], int(part[2] or 1)) for part in found if part))


DIMENSIONS: dict[str, Dimension] = {name: _dimension(powers) for name, powers in _TABLES["dimensions"].items()}

# Words for what is asked for, and the names of the dimensions that an answer may have.
ASKED: tuple[tuple[list[str], list[str]], ...] = tuple((words.split(), kinds.split()) for words, kinds in _TABLES["asked"].items())


def _table(entries: dict[str, Any], prefixes: dict[str, float], plural: bool = False) -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for name, (dimension, scale) in entries.items():
        for prefix, factor in ({"": 1.0} | prefixes).items():
            if prefix and prefix.isascii() != name.isascii():
                continue
            unit = Unit(scale * factor, DIMENSIONS[dimension])
            for ending in ("", "s", "es")[: 1 + plural * name.isascii()]:
                table.setdefault(prefix + name + ending, unit)
    return table


_NO_UNITS = frozenset(["as", "am", "a", "aC", "PS"])  # words that look like attoseconds, attometres
_PREFIXED = {sign: _table({sign: entry}, _TABLES["prefixes"] | {"": 1.0}) for sign, entry in _TABLES["symbols"].items()}
SYMBOLS: dict[str, Unit] = {
    **{name: unit for table in _PREFIXED.values() for name, unit in table.items() if name not in _NO_UNITS},
    **_table({f"μ{sign}": [entry[0], entry[1] * 1e-6] for sign, entry in _TABLES["symbols"].items()}, {}),
    **_table({f"{prefix}Ω": ["resistance", scale] for prefix, scale in _TABLES["prefixes"].items()}, {}),
    **_table(_TABLES["plain"], {}),
}
_NAMES: dict[str, Unit] = _table(_TABLES["plain_names"], {}, plural=True) | _table(_TABLES["names"], _TABLES["word_prefixes"], plural=True)
_HAN_NAMES = {name: unit for name, unit in _NAMES.items() if not name.isascii()}
_LONGEST_HAN = max(map(len, _HAN_NAMES))
_SPEED_OF_LIGHT = Unit(1.0, (("c", 1),))

_SYMBOL = re.compile(r"(?:wt|vol|at|mol)\.?\s?%|°C|°(?!\s?[A-Z])|[%‰]|[A-Za-zμΩÅ]+|σ")
_WORDS = re.compile(r"[A-Za-z]+(?:[ -][A-Za-z]+){0,2}")
_POWER = re.compile(r"\^(-?\d)(?!\d)|(-[1-4])(?!\d|[.,]\d)|([1-4])(?![\d.,]\d|[A-Za-z])|\s(squared|cubed)\b")
_JOINT = re.compile(r"\s?(?P<over>/)\s?|\s(?P<per>per)\s|\s?[·*]\s?|(?P<space>[ -]|(?<=\d)(?=[A-Za-zμΩ]))|(?P<han>每)")
_SHAPE = re.compile(r"(square|cubic)\s")


def is_unit_name(word: str) -> bool:
    """Whether a word names a unit: `Kelvin`, `megahertz`."""
    return word.lower() in _NAMES


def unit_at(text: str, start: int) -> tuple[int, Unit] | None:
    """The longest unit that begins at `start` of a plain text, and where it ends; None if there is none."""
    first = _factor(text, start)
    if first is None:
        return None
    end, unit, symbol = first
    while joint := _JOINT.match(text, end):
        inverse = bool(joint["over"] or joint["per"] or joint["han"])
        following = _denominator(text, joint.end()) if joint["over"] else _factor(text, joint.end())
        if following is None or (joint["space"] and not (symbol and following[2] and following[1] != unit)):
            break
        end, unit = following[0], unit.times(following[1].power(-1 if inverse else 1))
    return end, unit


def _denominator(text: str, start: int) -> tuple[int, Unit, bool] | None:
    """What stands behind a stroke: a factor, c, or several factors in parentheses."""
    if light := re.compile(r"c(?:\^?(2))?(?![A-Za-z0-9])").match(text, start):
        return light.end(), _SPEED_OF_LIGHT.power(int(light[1] or 1)), True
    if text[start : start + 1] != "(":
        return _factor(text, start)
    inside = unit_at(text, start + 1)
    return (inside[0] + 1, inside[1], True) if inside and text[inside[0] : inside[0] + 1] == ")" else None


def _factor(text: str, start: int) -> tuple[int, Unit, bool] | None:
    """A unit with its power, and whether it is a symbol (else a word)."""
    shape = _SHAPE.match(text, start)
    found = _symbol(text, start) or _name(text, shape.end() if shape else start)
    if found is None:
        return None
    end, unit, symbol = found
    if shape:
        return end, unit.power(2 if shape[1] == "square" else 3), symbol
    power = _POWER.match(text, end)
    if power and (power[1] or power[4] or symbol):
        exponent = int(power[1] or power[2] or power[3] or {"squared": 2, "cubed": 3}[power[4]])
        return power.end(), unit.power(exponent), symbol
    return end, unit, symbol


def _symbol(text: str, start: int) -> tuple[int, Unit, bool] | None:
    found = _SYMBOL.match(text, start)
    sign = "%" if found and found[0].endswith("%") else found[0] if found else ""
    return (found.end(), SYMBOLS[sign], True) if found and sign in SYMBOLS else None


def _name(text: str, start: int) -> tuple[int, Unit, bool] | None:
    for length in range(_LONGEST_HAN, 0, -1):
        if (piece := text[start : start + length]) in _HAN_NAMES:
            return start + len(piece), _HAN_NAMES[piece], False
    found = _WORDS.match(text, start)
    words = re.split(r"([ -])", found[0]) if found else []
    for count in range(len(words), 0, -2):
        name = "".join(words[:count])
        if unit := _NAMES.get(name) or _NAMES.get(name.lower()) or _NAMES.get(name.replace("-", "")):
            return start + len(name), unit, False
    return None
