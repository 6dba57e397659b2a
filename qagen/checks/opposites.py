"""Words that exclude each other: horizontal and vertical, rise and fall, 水平 and 垂直. The table is `opposites.toml`."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

from qagen.checks.words import content_words

_GROUPS: str = tomllib.loads(Path(__file__).with_name("opposites.toml").read_text(encoding="utf-8"))["groups"]


def _table() -> dict[str, frozenset[str]]:
    """Word -> the sides, as `group:side`, on which it stands."""
    table: dict[str, set[str]] = defaultdict(set)
    for group, line in enumerate(_GROUPS.strip().split("\n")):
        for side, words in enumerate(line.split("|")):
            for word in words.split():
                table[word].add(f"{group}:{side}")
    return {word: frozenset(sides) for word, sides in table.items()}


_SIDES = _table()
_HAN = re.compile("|".join(sorted((word for word in _SIDES if not word.isascii()), key=len, reverse=True)))
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)?")


def sided_words(text: str) -> list[str]:
    """The words of a text that have an opposite, in order, in lower case."""
    low = text.lower()
    found = [(match.start(), match[0]) for match in _WORD.finditer(low) if match[0] in _SIDES]
    found += [(match.start(), match[0]) for match in _HAN.finditer(low)]
    return [word for _, word in sorted(found)]


def sides(text: str) -> frozenset[str]:
    """The sides that a text names, as `group:side`."""
    return frozenset(side for word in sided_words(text) for side in _SIDES[word])


def same_side(text: str, other: str) -> frozenset[str]:
    """The words of `text`, as content words, that stand on a side that `other` names: `rise` where it says `grew`."""
    there = sides(other)
    return frozenset(stem for word in sided_words(text) if _SIDES[word] & there for stem in content_words(word))


def opposed(said: str, proven: str) -> list[str]:
    """The words of `said` whose opposites `proven` names, while it has neither them nor another word of their side."""
    there = sides(proven)
    groups = {side.partition(":")[0] for side in there}
    return [
        word for word in sided_words(said) if not _SIDES[word] & there and all(side.partition(":")[0] in groups for side in _SIDES[word])
    ]
