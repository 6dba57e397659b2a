"""Whether what a model said freely is right: numbers after conversion, dates, names, phrases, yes and no.

A right answer holds what was asked for and nothing that contradicts it: another value of the same kind, another option, a
negation, an alternative, or so much else that saying everything would be right. What the question itself says is no
contradiction. It is a rule, not a judge: it marks some right answers in other words as wrong, and both arms of a comparison alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from train.prove.abstention import abstains
from train.prove.quantities import Found, Quantity, find
from train.prove.units import convert, units_in
from train.prove.words import HAN, plain, terms
from train.records import EvalResult, ExamItem

OTHERS = 2
"""Quantities of other kinds that a right answer may mention."""
SPARE = 6
"""Words that are neither in question nor answer and that a right answer may have, however short the answer is."""
WHOLE = 0.8
"""Share of the words of a long phrase that must be there; of a short one, all."""
LONG = 5

_YES = re.compile(r"\W*(?:yes|yeah|correct|true|是的|是|对|能|可以|有)(?=\W|$)", re.IGNORECASE)
_NO = re.compile(r"\W*(?:no|nope|false|不是|不能|不会|没有|不|否)(?=\W|$)", re.IGNORECASE)
_BOTH = re.compile(r"\byes\b.*\bno\b|\bno\b.*\byes\b", re.IGNORECASE | re.DOTALL)
_NOT = re.compile(
    r"\b(?:not|no|never|neither|nor|without|cannot|none)\b|n't\b|(?:不|没|未|无|非)(?!同|锈|断|少|仅|管|论|线)", re.IGNORECASE
)
_DENIED = re.compile(r"(?:\bnot|n't|\bnever|不是|并非|而非)\s+(?:\w+\s+){0,2}$|(?:不是|并非|而非|不为)\s*$", re.IGNORECASE)
_BOUND = re.compile(
    r"\b(less than|more than|under|over|at least|at most|up to|below|above|fewer than|greater than|exceed)\w*\s*$"
    r"|(小于|大于|超过|不到|至少|最多|高于|低于)\s*$",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"\b(?:exceed|limit|most|least|max|min|above|below|beyond|under|over|up to|longest|shortest|allowed|tolerat)"
    r"|上限|下限|最[大小高低多少长短]|超过|允许",
    re.IGNORECASE,
)
"""A question that asks for a bound: then "at most 7 h" says 7 h."""
_OR = re.compile(r"\bor\b|或|还是", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")


def mark(item: ExamItem, result: EvalResult, *, tolerance: float) -> EvalResult:
    """The result with `match` and `abstained` judged from what was said; of a question without an answer abstaining is the match."""
    if result.said is None:
        return replace(result, match=None, abstained=None)
    silent = abstains(result.said)
    if not item.answerable:
        return replace(result, match=silent, abstained=silent)
    wrong = [option for option in item.options if option != item.answer]
    right = not silent and matches(item.answer, result.said, question=item.question, wrong=wrong, tolerance=tolerance)
    return replace(result, match=right, abstained=silent)


def matches(answer: str, said: str, *, question: str = "", wrong: Sequence[str] = (), tolerance: float = 0.01) -> bool:
    """Whether `said` gives the `answer`: `wrong` are other options, `tolerance` the relative error of a measured value.

    Whole numbers without a unit are counts and must be equal.
    """
    said = _finished(said)
    expected, found, asked = find(answer), find(said), find(question)
    if not said.strip() or not _nothing_contradicts(expected, found, asked, question, tolerance):
        return False
    polar = _polarity(answer)
    if not _measures_hold(expected, found, said, question, answer, tolerance):
        return False
    if polar is not None:
        return _said_polarity(said, question) == polar
    return _is_measure(expected) or _phrase_holds(answer, said, question, wrong)


def _finished(said: str) -> str:
    """What was said without a last sentence that was cut off, if it is not the only one: half a number is another number."""
    sentences = [sentence for sentence in _SENTENCE.split(said.strip()) if sentence.strip()]
    cut = len(sentences) > 1 and sentences[-1].rstrip()[-1:] not in ".!?。！？；"
    return said.strip()[: -len(sentences[-1].rstrip())] if cut else said


# ---- numbers and dates


def _is_measure(expected: Found) -> bool:
    """Whether the answer is its numbers or its date, but for a word or two ("806 bunches", "a factor of 3.5")."""
    return bool(expected.quantities or expected.dates) and len(terms(expected.rest)) <= 2 and not re.search(r"[\ue000]", expected.rest)


def _measures_hold(expected: Found, found: Found, said: str, question: str, answer: str, tolerance: float) -> bool:
    text = plain(said)
    for one in expected.quantities:
        if one.vague and len(expected.quantities) > 1:
            continue
        same = [other for other in found.quantities if _equal(one, other, question, tolerance)]
        if not any(_is_claimed(text[: other.start], question, answer) for other in same):
            return False
    return expected.dates <= found.dates


def _is_claimed(before: str, question: str, answer: str) -> bool:
    """Whether a value is said to be the value: not denied, and not a mere bound unless a bound was asked for."""
    bound = _BOUND.search(before)
    word = (bound[1] or bound[2]).casefold() if bound else ""
    limit = bound is None or word in plain(answer).casefold() or _LIMIT.search(question)
    return bool(limit) and not _DENIED.search(before)


def _equal(expected: Quantity, said: Quantity, question: str, tolerance: float) -> bool:
    values = [convert(said.value, said.unit, expected.unit)]
    if not said.unit and expected.unit:  # the question may have named the unit
        values = [convert(said.value, unit, expected.unit) for unit in units_in(question)] + (values if _is_share(expected.unit) else [])
    exact = not expected.unit and float(expected.value).is_integer()
    margin = max(abs(expected.value) * (0.0 if exact else tolerance), abs(expected.value) * 1e-9)
    return any(value is not None and abs(value - expected.value) <= margin for value in values)


def _is_share(unit: str) -> bool:
    return convert(1.0, unit, "") is not None


def _nothing_contradicts(expected: Found, found: Found, asked: Found, question: str, tolerance: float) -> bool:
    """No other value of an expected kind, no other date, and few quantities of other kinds; those of the question do not count."""
    if not expected.quantities and not expected.dates:
        return len([one for one in found.quantities if not one.vague and not _among(one, asked.quantities, question, tolerance)]) <= OTHERS
    others = 0
    for one in found.quantities:
        if one.vague or _among(one, (*expected.quantities, *asked.quantities), question, tolerance):
            continue
        if any(convert(1.0, one.unit, known.unit) is not None for known in expected.quantities):
            return False
        others += 1
    return others <= OTHERS and not (expected.dates and found.dates - expected.dates - asked.dates)


def _among(one: Quantity, known: Iterable[Quantity], question: str, tolerance: float) -> bool:
    return any(_equal(other, one, question, tolerance) for other in known)


# ---- yes and no


def _polarity(text: str) -> bool | None:
    if _BOTH.search(text):
        return None
    if _YES.match(text):
        return True
    return False if _NO.match(text) and not re.match(r"\W*no\s+\w", text, re.IGNORECASE) else None


def _said_polarity(said: str, question: str) -> bool | None:
    """Yes and no by word; without one, a sentence of the answer that denies is a no. Both at once are neither."""
    if _BOTH.search(said):
        return None
    stated = _polarity(said)
    if stated is not None:
        return stated
    first = _SENTENCE.split(said.strip())[0]
    return len(_NOT.findall(first)) % 2 == len(_NOT.findall(question)) % 2


# ---- names and phrases


def _phrase_holds(answer: str, said: str, question: str, wrong: Sequence[str]) -> bool:
    """Whether the first sentence gives the phrase and little else: what comes after it explains, but may name no other option."""
    wanted, known = _words(answer), _words(question)
    if not wanted:  # nothing but small words and signs: as it stands
        return plain(answer).strip().casefold() in plain(said).casefold()
    first = next(sentence for sentence in _SENTENCE.split(said) if sentence.strip())
    there = _words(first)
    whole = len(wanted & there) / len(wanted) >= (WHOLE if len(wanted) > LONG else 1.0)
    named = bool(_codes(answer)) and len(wanted) <= LONG  # "the bellows BL-07-4" is BL-07-4
    if not _codes(answer) <= _codes(first) or not (whole or named):
        return False
    if len(there - wanted - known) > max(SPARE, 2 * len(wanted)) or _codes(first) - _codes(answer) - _codes(question) - _material(first):
        return False
    if any(_is_other(option, answer, said, question) for option in wrong):
        return False
    if _OR.search(first) and not _OR.search(f"{question} {answer}"):
        return False
    return len(_NOT.findall(first)) % 2 == len(_NOT.findall(answer)) % 2


def _words(text: str) -> set[str]:
    """Stems of the words that matter, pairs of Chinese characters; parts of a hyphened word, but not the whole."""
    return {term for term in terms(text) if not re.search(r"[-/.']", term) and not term.isdigit()}


def _codes(text: str) -> set[str]:
    """Names with digits in them: `bl-07-4`, `v-211`, `d3`."""
    return {found.casefold() for found in re.findall(rf"(?<![\w{HAN}])(?:[A-Za-z]+[-./]?)+\d[\w.-]*\b", plain(text))}


def _material(text: str) -> set[str]:
    """Chemical formulas, which explain a name and are no other: `sm2co17`."""
    return {found.casefold() for found in re.findall(r"\b(?:[A-Z][a-z]?\d*){2,}\b", plain(text))}


def _is_other(option: str, answer: str, said: str, question: str) -> bool:
    words = _words(option)
    return bool(words) and words <= _words(said) and not words <= _words(f"{answer} {question}")
