"""Tables written as lists of words, so that what a reader knows of hundreds of names stays readable."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """A set of words."""
    return frozenset(text.split())


def pairs(text: str) -> dict[str, str]:
    """Words in pairs: a name and what it stands for."""
    listed = text.split()
    return dict(zip(listed[::2], listed[1::2], strict=True))


def lines(text: str) -> dict[str, str]:
    """Lines of a name, a bar, and what it stands for (which may hold spaces, or nothing); several such a line, parted by two bars."""
    entries = (entry.partition("|") for line in text.strip().splitlines() for entry in line.split("||"))
    return {name.strip(): meaning.strip(" ").replace("_", " ") if meaning.strip() else "" for name, _, meaning in entries}


def patterns(text: str) -> dict[str, str]:
    """Lines of `pattern: name name ...`; a dash stands for the empty pattern."""
    found = {}
    for line in text.strip().splitlines():
        pattern, _, names = line.strip().partition(":")
        found.update(dict.fromkeys(names.split(), pattern.replace("-", "")))
    return found
