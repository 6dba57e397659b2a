"""What can be seen of an answer without understanding it: a number and what stands around it, a name, a sentence.

Options of one question must be of one form, or the form tells which is right. Nothing here looks at a question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from qagen.checks.words import length_in_words

Kind = Literal["number", "name", "term", "formula", "text"]

# Not within names (BL-07, Sm2Co17), powers (10^6) or after a decimal point; a Chinese character may touch it.
NUMERAL = re.compile(r"(?<![A-Za-z0-9_.^])(?<![A-Za-z]-)(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![A-Za-z0-9_^]|[.,]\d)")
_MOST_NUMERALS, _MOST_WORDS = 2, 8  # of an answer that is a number; more is a sentence with numbers in it
_NAME = re.compile(r"(?:[A-Z0-9][\w'’./-]*|of|the|and|de|von|for|&|at)(?:[ ](?:[A-Z0-9][\w'’./-]*|of|the|and|de|von|for|&|at))*")
_CODE = re.compile(r"[A-Za-z]-\d")  # BL-07-4
_QUOTED_NAME = re.compile(r"[“「《][^”」》]{1,20}[”」》]")
_FORMULA = re.compile(r"[$\\=^_]|[≈≤≥]")
_OPENINGS_TEXT = (
    "because since by to in at from with when if so it they he she yes no the a an this these only both after before for as through via"
)
_OPENINGS = frozenset(_OPENINGS_TEXT.split())
_OPENINGS_ZH = ("因为", "由于", "通过", "为了", "以便", "在", "是", "不", "用", "从", "当")


@dataclass(frozen=True, slots=True)
class Form:
    """The kind of an answer and its `frame`: for a number the text around it with `#` in its place, for a text how it opens and ends."""

    kind: Kind
    frame: str


def form_of(answer: str) -> Form:
    """The form of an answer."""
    text = " ".join(answer.split())
    words = length_in_words(text)
    found = [] if _CODE.search(text) else NUMERAL.findall(text)
    if 1 <= len(found) <= _MOST_NUMERALS and words <= _MOST_WORDS and not _FORMULA.search(text):
        return Form("number", frame_of(text).casefold().rstrip(".。"))
    if _FORMULA.search(text):
        return Form("formula", _ends(text))
    if words <= 5 and (_NAME.fullmatch(text) or _QUOTED_NAME.fullmatch(text)):
        return Form("name", "quoted" if text[0] in "“「《" else "coded" if re.search(r"\d", text) else "")
    if words <= 3:
        return Form("term", _ends(text))
    return Form("text", f"{_opening(text)} {_ends(text)}")


def frame_of(text: str) -> str:
    """A text with `#` in place of its numerals."""
    return NUMERAL.sub("#", text)


def numerals(text: str) -> list[str]:
    """The numerals of a text as they are written, in order."""
    return NUMERAL.findall(text)


def filled(text: str, values: tuple[str, ...]) -> str:
    """The text with other numerals in place of its own."""
    given = iter(values)
    return NUMERAL.sub(lambda found: next(given), text)


def value_of(numeral: str) -> float:
    """What a numeral is worth."""
    return float(numeral.replace(",", ""))


def _opening(text: str) -> str:
    first = re.split(r"[\s,，]", text, maxsplit=1)[0].casefold()
    if first in _OPENINGS:
        return first
    return next((opening for opening in _OPENINGS_ZH if text.startswith(opening)), "")


def _ends(text: str) -> str:
    """How a text begins and ends, as far as one sees it from afar."""
    return ("A" if text[:1].isupper() else "a") + ("." if text.rstrip()[-1:] in ".。" else "")
