"""Units as people write them, in English and Chinese, turned into what `pint` computes with.

Only units of `units.toml` are read: pint alone would take "in" for inches and "at" for technical atmospheres. Definitions and
conversions are pint's.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any

CELSIUS = "(degC) ** 1"
"""A place on the scale; in products degrees Celsius are steps."""

_WORDS_NO_UNITS = frozenset({"as", "am"})
"""Prefix and symbol that are a word of the language."""


def _read_table() -> dict[str, str]:
    data: dict[str, dict[str, Any]] = tomllib.loads(files("train.prove").joinpath("units.toml").read_text(encoding="utf-8"))
    prefixes = data["prefixes"]
    table = {sign + name: long + unit for name, unit in data["symbols"].items() for sign, long in {"": "", **prefixes["symbols"]}.items()}
    table |= {sign + name: long + unit for name, unit in data["han"].items() for sign, long in {"": "", **prefixes["han"]}.items()}
    for name, unit in data["names"].items():
        table |= {f"{prefix}{name}{many}": f"{prefix}{unit}" for prefix in ("", *prefixes["names"]["all"]) for many in ("", "s")}
    for name, unit in data["words"].items():
        first, blank, rest = name.partition(" ")
        table |= {name: unit, f"{first}s{blank}{rest}": unit}
    table |= data["plain"] | data["han_plain"]
    return {name: unit for name, unit in table.items() if name not in _WORDS_NO_UNITS}


_TABLE = _read_table()
_LONG_TABLE = {name.casefold(): unit for name, unit in _TABLE.items() if len(name) > 3 and name[0].isalpha() and not name[0] > "\u3000"}


def _any_of(names: dict[str, str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


_LONG, _SHORT = _any_of(_LONG_TABLE), _any_of(_TABLE)
_UNIT = re.compile(
    r"(?:(?P<power>square|cubic|平方|立方)\s?)?"
    rf"(?P<name>(?i:{_LONG})(?![A-Za-z])|(?:{_SHORT})(?![A-Za-z]))"
    r"(?:\^?\(?(?P<exponent>[-+]?\d)\)?(?!\d|\.\d))?"
)
_JOINT = re.compile(r"\s*(?P<over>/|\bper\b|每)\s*|\s*[·⋅*×-]\s*|[ \u00a0]")
_POWERS = {None: 1, "square": 2, "平方": 2, "cubic": 3, "立方": 3}
_NAMED = re.compile(rf"\b(?i:{_LONG})(?![A-Za-z])|百分")


def unit_at(text: str, start: int) -> tuple[str, int] | None:
    """The unit that stands at `start` as an expression for `pint` ("" for things counted), and where it ends; None where none does.

    >>> unit_at("5 MV/m", 2)
    ('(megavolt) ** 1 * (meter) ** -1', 6)
    """
    parts: list[str] = []
    found, sign = _UNIT.match(text, start), 1
    end = start
    while found:
        name = _TABLE.get(found["name"]) or _LONG_TABLE[found["name"].casefold()]
        if name != "1":
            parts.append(f"({name}) ** {sign * _POWERS[found['power']] * int(found['exponent'] or 1)}")
        end = found.end()
        joint = _JOINT.match(text, end)
        sign = -1 if joint and joint["over"] else 1
        found = _UNIT.match(text, joint.end()) if joint else None
    if end == start:
        return None
    joined = " * ".join(parts)
    return joined if joined == CELSIUS else joined.replace("(degC)", "(delta_degC)"), end


def units_in(text: str) -> list[str]:
    """Units that a text names by a word ("How many kilowatts"), as expressions for `pint`."""
    found = ["percent" if word[0] == "百分" else _LONG_TABLE[word[0].casefold()] for word in _NAMED.finditer(text)]
    return [f"({unit}) ** 1" for unit in found if unit != "1"]


# ---- computing


@lru_cache(maxsize=1)
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(cache_folder=None)
    registry.define("ppb = 1e-9")
    registry.define("ppt = 1e-12")
    return registry


@lru_cache(maxsize=1 << 12)
def _one(unit: str) -> Any:
    return _registry().parse_expression(unit) if unit else _registry().Quantity(1.0)


def convert(value: float, unit: str, into: str) -> float | None:
    """A value in another unit ("" is a bare number); None where the two are of different kinds."""
    if unit == into:
        return value
    amount = _registry().Quantity(value, "degC").to("kelvin") if unit == CELSIUS else value * _one(unit)
    if not amount.is_compatible_with("kelvin" if into == CELSIUS else _one(into).units):
        return None
    if into == CELSIUS:
        return float(amount.to("degC").magnitude)
    return float((amount / _one(into)).to("dimensionless").magnitude)
