"""The words by which questions are compared, read from `lexicon.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_TABLES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("lexicon.toml").read_text(encoding="utf-8"))


def _longest_first(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: (-len(name), name))


def _units() -> dict[str, tuple[float, str]]:
    table: dict[str, tuple[float, str]] = {}
    for family in ("symbol", "word", "chinese"):
        for base, names in _TABLES["units"][family]["names"].items():
            for prefix, scale in _TABLES["units"][family]["prefixes"].items():
                table |= {prefix + name: (scale, base) for name in names}
    for base, names in _TABLES["units"]["other"].items():
        table |= {name: (scale, base) for name, scale in names.items()}
    return table


def _sides() -> dict[str, str]:
    table: dict[str, str] = {}
    for number, line in enumerate(_TABLES["opposites"]["groups"].split("\n")):
        for side, names in enumerate(line.split("|")):
            table |= dict.fromkeys(names.split(), f"{number}:{side}")
    return table


SCAFFOLDING: frozenset[str] = frozenset(_TABLES["scaffolding"]["english"].split())
SCAFFOLDING_HAN: list[str] = _longest_first(_TABLES["scaffolding"]["chinese"].split())
NOT_NAMES: frozenset[str] = frozenset(_TABLES["scaffolding"]["not_names"].split())

# Unit as written -> how many of which base unit; and word -> "group:side".
UNITS: dict[str, tuple[float, str]] = _units()
UNIT_NAMES: list[str] = _longest_first(list(UNITS))
SIDES: dict[str, str] = _sides()
SIDE_NAMES: list[str] = _longest_first(list(SIDES))
