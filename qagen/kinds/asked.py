"""What a question asks for: a reason, a time, a place, a person, yes or no, or a thing; and which quantity of it."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

from qagen.checks.words import content_words
from qagen.curate.guards import asks_for
from qagen.curate.words import stem

_TABLES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("asked.toml").read_text(encoding="utf-8"))
_DEGREES = {way: name for name, ways in _TABLES["degrees"].items() for way in ways.split()}
_SAME = [frozenset(line.split()) for line in _TABLES["quantities"]["same"].split("\n") if line]
_VAGUE = frozenset(_TABLES["quantities"]["vague"].split())

_TELLING = ("why", "who", "when", "where")  # forms that no other form can stand for; how and how many may be asked as what
_YES_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|must|should|may)\b"
    r"|吗\s*[?？]?$|是否|能否|可否|会不会|是不是",
    re.I,
)
_VERB = r"does|do|did|is|are|was|were|has|have|had|can|will|must"
_QUANTITY = re.compile(
    rf"\b(?:what|which)\s+(?:(?:{_VERB})\s+)?(?:the\s+)?(?P<what>(?:[\w-]+\s+){{0,3}}?[\w-]+)\s+"
    rf"(?:of|for|at|in|on|between|from|per|to|with|{_VERB})\b"
    r"|\bhow\s+(?P<how>[a-z]+)\b"
    r"|的(?P<han>[\u3400-\u9fff]{2,8}?)(?:大约|分别)?(?:是|为|有|达到?)?(?:多少|多大|几|什么)|多(?P<way>[长宽高深重厚])",
    re.I,
)


def asks_otherwise(one: str, other: str) -> str | None:
    """In words why two questions do not ask for the same thing, or None if no rule sees a difference.

    Of quantities the name must be the same where both name it: `What is the length of` and `How long is` ask for the same,
    `What is the diameter of` asks for something else.
    """
    forms = _form(one), _form(other)
    if forms[0] != forms[1] and any(form in (*_TELLING, "whether") for form in forms):
        return f"one asks {forms[0] or 'what'}, the other {forms[1] or 'what'}"
    here, there = _quantity(one), _quantity(other)
    if here and there and not _one_quantity(here, there):
        return f"one asks for {' '.join(sorted(here))}, the other for {' '.join(sorted(there))}"
    return None


def _form(question: str) -> str:
    return "whether" if _YES_NO.search(question.strip()) else asks_for(question)


def _one_quantity(one: set[str], other: set[str]) -> bool:
    """Whether two names of quantities have a part in common or may stand for each other."""
    if any(a in b or b in a for a in one for b in other if min(len(a), len(b)) == 1 or a == b):
        return True
    return any(one & same and other & same for same in _SAME)


def _quantity(question: str) -> set[str]:
    """The name of what is asked for, in stems or pairs of characters; empty where the question does not say it before what it is of."""
    found = _QUANTITY.search(question)
    if found is None:
        return set()
    if found["way"]:
        return {found["way"]}
    if how := found["how"]:
        return {_DEGREES[how.lower()]} if how.lower() in _DEGREES else set()
    if han := found["han"]:
        return {a + b for a, b in pairwise(han)} - _VAGUE
    return {stem(word.lower()) for word in found["what"].split() if content_words(word)} - _VAGUE
