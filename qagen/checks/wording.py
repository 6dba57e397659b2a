"""Does a question ask for what its statement leaves open? For questions that were made from a statement with a hole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qagen.checks.words import content_words

LEAST_KEPT, LEAST_KEPT_OPEN = 0.6, 0.4  # share of a statement's content words that its question must hold; without a hole

_ASKED_OF = re.compile(r"([a-z-]+) of \[")
_HOLE = re.compile(r"[\[【]([^\]】]+)[\]】]")
_ASKING = frozenset(
    content_words(
        "percentage percent number value long far wide high kelvin volts kilovolts megavolts amperes milliamperes watts kilowatts hertz "
        "kilohertz megahertz metres meters millimetres millimeters micrometres micrometers seconds milliseconds hours minutes tonnes tons "
        "degrees Celsius kilograms joules pascals happen reason take 多少 什么 为何 何时 原因 数值 哪个 几个"
    )
)
_FORMS = {
    "why": re.compile(r"\b(?:why|what\s+(?:is|was)\s+the\s+(?:reason|cause|purpose))\b", re.I),
    "when": re.compile(r"\b(?:when|(?:what|which)\s+(?:year|date|month|day))\b", re.I),
}
_ANY_FORM = re.compile(r"\b(?:what|which|who|whose|whom|where|when|why|how)\b|什么|多少|多大|多长|多高|多久|几|哪|谁|何|怎|为何|吗", re.I)


def strays(wording: str, question: str) -> Iterator[tuple[str, str]]:
    """(reason, what) for each way in which a question adds to its statement, leaves out of it, or asks for something else."""
    said, asked = set(content_words(wording)), set(content_words(question))
    if added := sorted(asked - said - _ASKING):
        yield "adds-words", ", ".join(added)
    if _HOLE.search(question):
        yield "wrong-form", "the question still has the hole"
    hole, asked_of = _HOLE.search(wording), _ASKED_OF.search(wording)
    if asked_of and not set(content_words(asked_of[1])) <= asked:
        yield "leaves-out", asked_of[1]
    body = set(content_words(_HOLE.sub(" ", wording)))
    if len(body & asked) < (LEAST_KEPT if hole else LEAST_KEPT_OPEN) * len(body):
        yield "leaves-out", ", ".join(sorted(body - asked))
    wanted = _FORMS.get(hole[1].split()[0] if hole else "", _ANY_FORM)
    # A hole after 为 (is) that is filled by 什么 (what) reads 为什么: why.
    turned_why = hole is not None and hole[1] != "什么原因" and "为什么" in question
    if turned_why or not wanted.search(question):
        yield "wrong-form", f"{hole[0] if hole else 'a statement'} asked as `{question[:40]}`"
