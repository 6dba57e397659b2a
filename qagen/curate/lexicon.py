"""The words by which questions are compared, read from `lexicon.toml`."""

from __future__ import annotations

import re
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


def _sides(kind: str, letter: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for number, line in enumerate(_TABLES["opposites"][kind].split("\n")):
        for side, names in enumerate(line.split("|")):
            table |= dict.fromkeys(names.split(), f"{letter}{number}:{side}")
    return table


def _synonyms() -> dict[str, str]:
    table: dict[str, str] = {}
    for line in _TABLES["synonyms"]["words"].split("\n"):
        table |= {name: names[0] for names in [line.split()] for name in names}
    return table


SCAFFOLDING: frozenset[str] = frozenset(_TABLES["scaffolding"]["english"].split())
ASKING: frozenset[str] = SCAFFOLDING | frozenset(_TABLES["scaffolding"]["asking"].split())
SCAFFOLDING_HAN: list[str] = _longest_first(_TABLES["scaffolding"]["chinese"].split())
NOT_NAMES: frozenset[str] = frozenset(_TABLES["scaffolding"]["not_names"].split())

# What a question asks for -> how it says so.
ASKS: dict[str, re.Pattern[str]] = {name: re.compile(rf"(?<![a-z])(?:{how})(?![a-z])") for name, how in _TABLES["asks"].items()}

MEASURES: dict[str, str] = _TABLES["measures"]

# Unit as written -> how many of which base unit.
UNITS: dict[str, tuple[float, str]] = _units()
UNIT_NAMES: list[str] = _longest_first(list(UNITS))

# Word -> "group:side"; q are qualifiers, c the other contraries. Synonym -> the word that stands for all of them.
QUALIFIERS: dict[str, str] = _sides("qualifiers", "q")
SIDES: dict[str, str] = _sides("contraries", "c") | QUALIFIERS
SYNONYMS: dict[str, str] = _synonyms()
# What both languages have a word for.
CONCEPTS: frozenset[str] = frozenset(name for word, name in SYNONYMS.items() if not word.isascii())
