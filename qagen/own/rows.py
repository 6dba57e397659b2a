"""The nouns of reading: a row of a file (or what a function yields), and a row that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One record; `place` says where it stands (`line 17`), `line` is its text where the file has one record a line."""

    place: str
    data: Mapping[str, Any]
    line: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that cannot be used: where it stands, a short stable word for counting, and a sentence for a person."""

    place: str
    reason: str
    detail: str


Rows = Iterator[Row | Fault]
