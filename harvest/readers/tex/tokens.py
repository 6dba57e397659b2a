r"""Texts cut into the signs of TeX.

A sign is a plain string: a control sequence (`\name`, `\,`), one of the special signs, a run of other
characters, one space, or one of the two constants below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

PAR = "\\par"
BARRIER = "\x00barrier"  # cannot come out of a text: NUL is taken out of every text

_TOKEN = re.compile(
    r"(?P<par>(?:%[^\n]*\n[ \t]*|[ \t]*\n[ \t]*)\n\s*)"
    r"|(?P<comment>%[^\n]*(?:\n[ \t]*|$))"
    r"|(?P<space>\s+)"
    r"|(?P<control>\\(?:[A-Za-z@]+|.|\Z))"
    r"|\$\$?|[{}&~^_\[\]]|\#+[0-9]?"
    r"|[^\\{}$&~^_\[\]%#\s]+",
    re.DOTALL,
)
MARKS = str.maketrans("", "", "\x00\ue000\ue001")


class OutOfFuel(Exception):  # noqa: N818
    """The input asked for more work than its length can explain."""


@dataclass(slots=True)
class TextFile:
    """A text being cut into signs, and how far; `unfinished` are endings that were sought in vain."""

    text: str
    path: str
    at: int = 0
    unfinished: set[str] = field(default_factory=set)


def tokens_of(text: str) -> list[str]:
    """All tokens of a text."""
    return [sign for sign in map(_token, _TOKEN.finditer(text.translate(MARKS))) if sign]


def next_in_file(file: TextFile) -> str | None:
    """The next sign of a file; None at its end."""
    while match := _TOKEN.match(file.text, file.at):
        file.at = match.end()
        sign = _token(match)
        if sign:
            return sign
    return None


def _token(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind is None:
        return match[0]
    if kind == "par":
        return PAR
    if kind == "space":
        return PAR if match[0].count("\n") > 1 else " "
    if kind == "comment":
        return ""
    return "\\ " if match[0] in ("\\\n", "\\\t", "\\") else match[0]
