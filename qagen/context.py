"""What symbols, acronyms and names stand for, where a document says so itself: precise rather than many. English and Chinese."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harvest.records import Section
from qagen.checks.words import STOP_WORDS
from qagen.records import Definition, Span
from qagen.symbols import key_of, symbols_in, symbols_said

MOST = 16  # definitions that a chunk is given
_LONGEST = 110  # characters of a meaning

_SHORT = r"[A-Z0-9][A-Za-z0-9]*(?:[-/&][A-Za-z0-9]+)*"
_IN_BRACKETS = re.compile(rf"\(\s*[\"“]?({_SHORT})[\"”]?\s*(?:[;,][^()]{{0,60}})?\)")
_BEFORE_BRACKETS = re.compile(rf"(?<![\w-])({_SHORT})\s*\(([A-Za-z][A-Za-z' /-]{{5,90}})\)")
_ZH_BRACKETS = re.compile(
    rf"([\u3400-\u9fff]{{3,24}})\s*[（(]\s*(?:([A-Za-z][A-Za-z' /-]{{5,90}}?)\s*[,，;；]\s*(?:简称)?)?({_SHORT})\s*[)）]"
)
_ZH_LEADS = re.compile(r".*(?:[的为是和与及在用由了将对从把被以于等该这有个台套种座]|采用|通过|包括|利用|基于|使用|称作|称为|根据)")
_CALLED = re.compile(r",?\s(?:(?:is|are)\s)?(?:called|named|nicknamed|known as)\s[\"“]?([A-Z][\w-]*(?:\s[A-Z][\w-]*){0,2})")
_CLAUSE = re.compile(r"[^.,;:()\[\]\n“”\"]*\Z")
_REACH = 110  # characters before `called` in which the thing stands that has the name
_ARTICLES = frozenset(("a", "an", "the", "one", "another", "each", "its"))
_VERBS = frozenset(
    ("is", "are", "was", "were", "be", "been", "has", "have", "had", "can", "may", "must", "will", "by", "divided", "measured")
)
_LINKS = frozenset(("of", "for", "in", "at", "on", "from"))
_LISTS = re.compile(
    r"^(?:[\dIVX.]+\s*)?(?:nomenclature|notations?|(?:list of )?(?:symbols|abbreviations|acronyms)(?: and \w+)*|glossary"
    r"|符号(?:列表|说明|表)?|缩略[语词].*|主要符号.*|术语.*)$",
    re.I,
)
_ENTRY = re.compile(
    r"^[ \t]*(?:[-*•]\s+)?(?P<term>\$[^$\n]{1,60}\$|[^\s|:：]{1,16})"
    r"(?:[ \t]*(?:[:：=]|\t|--?|–|—)[ \t]*|[ \t]{2,})(?P<meaning>\S[^\n]{2,})$",
    re.M,
)
_ROW = re.compile(r"^[ \t]*\|[ \t]*(?P<term>[^|\n]{1,60}?)[ \t]*\|[ \t]*(?P<meaning>[^|\n]{3,}?)[ \t]*\|", re.M)


def definitions_in(text: str, sections: Sequence[Section] = ()) -> list[Definition]:
    """What a text says that its symbols, acronyms and names stand for, in its order; a term may be defined again further on."""
    found = [*_acronyms(text), *_acronyms_zh(text), *_names(text), *_lists(text, sections)]
    found += [Definition(term, _plain(meaning), span) for term, meaning, span in symbols_said(text)]
    return sorted(dict.fromkeys(one for one in found if _tells(one)), key=lambda one: (one.span.start, one.term))


def by_term(definitions: Iterable[Definition]) -> dict[str, list[Definition]]:
    """Definitions by their term, in order."""
    index: dict[str, list[Definition]] = defaultdict(list)
    for one in definitions:
        index[one.term].append(one)
    return index


def defined_before(text: str, start: int, index: Mapping[str, Sequence[Definition]]) -> tuple[Definition, ...]:
    """What the terms of a passage that begins at `start` stand for, as the document says last before it, in the order of the terms.

    What the passage defines itself is left out.
    """
    found = []
    for term in terms_of(text):
        known = index.get(term, ())
        earlier = [one for one in known if one.span.end <= start]
        if earlier and not any(start <= one.span.start < start + len(text) for one in known):
            found.append(earlier[-1])
    return tuple(found[:MOST])


def terms_of(text: str) -> list[str]:
    """The words and symbols of a text, each once, as they may be terms of definitions."""
    words = [found[0] for found in re.finditer(r"[^\W_][\w′']*(?:[-/&][^\W_]+)*", text)]
    named = [found[0] for found in re.finditer(r"[A-Z][\w-]*(?:\s[A-Z][\w-]*){1,2}", text)]
    return list(dict.fromkeys([*words, *map(_singular, words), *named, *symbols_in(text)]))


# ---- acronyms


def _acronyms(text: str) -> Iterator[Definition]:
    for found in _IN_BRACKETS.finditer(text):
        short, before = _singular(found[1]), text[max(0, found.start() - 120) : found.start()]
        if _is_short(short) and (at := _long_form(short, before)):
            yield Definition(short, _plain(before[at - 1 :]), Span(found.start() - len(before) + at - 1, found.end()))
    for found in _BEFORE_BRACKETS.finditer(text):
        short = _singular(found[1])
        if _is_short(short) and _long_form(short, found[2]) == 1:
            yield Definition(short, _plain(found[2]), Span(*found.span()))


def _singular(word: str) -> str:
    return word[:-1] if re.fullmatch(r"[A-Z].*[A-Z]s", word) else word


def _is_short(word: str) -> bool:
    return 2 <= len(word) <= 10 and sum(map(str.isupper, word)) >= 2


def _long_form(short: str, before: str) -> int:
    """Where the words begin (from 1) whose letters an acronym takes in their order, the first at a word's start; 0 if none do.

    Found from the right, as in Schwartz and Hearst, "A simple algorithm for identifying abbreviation definitions in
    biomedical text" (2003).
    """
    clause = re.split(r"[.;:()\[\]\n]|,\s", before)[-1].rstrip()
    offset, at = len(before.rstrip()) - len(clause), len(clause)
    letters = [letter.lower() for letter in short if letter.isalnum()]
    for place, letter in reversed(list(enumerate(letters))):
        at -= 1
        while at >= 0 and (clause[at].lower() != letter or (place == 0 and re.match(r"[\w-]", clause[at - 1 : at]))):
            at -= 1
        if at < 0:
            return 0
    long = clause[at:]
    most = min(len(letters) + 5, 2 * len(letters))
    whole = len(long) > len(short) + 2 and short not in long and len(long.split()) <= most
    return offset + at + 1 if whole and re.search(r"[\s-]", long) else 0


def _acronyms_zh(text: str) -> Iterator[Definition]:
    for found in _ZH_BRACKETS.finditer(text):
        name = _ZH_LEADS.sub("", found[1])
        if not _is_short(found[3]) or len(name) < 3 or (found[2] and not _long_form(found[3], found[2])):
            continue
        meaning = f"{name} ({_plain(found[2])})" if found[2] else name
        yield Definition(found[3], meaning, Span(found.end(1) - len(name), found.end()))


# ---- names and lists


def _names(text: str) -> Iterator[Definition]:
    """`One event generator, called Clockhouse`."""
    for found in _CALLED.finditer(text):
        clause = _CLAUSE.search(text, max(0, found.start() - _REACH), found.start())
        words = list(re.finditer(r"\S+", clause[0])) if clause else []
        at = _article([word[0].lower() for word in words])
        said = [word[0] for word in words[at + 1 :]] if at is not None else []
        if clause and said and at is not None and not _VERBS & set(said):
            yield Definition(found[1], " ".join(said), Span(clause.start() + words[at].start(), found.end()))


def _article(words: Sequence[str]) -> int | None:
    """The place of the article with which the last noun and what it belongs to begin: `the gun of the linac`."""
    places = [at for at, word in enumerate(words) if word in _ARTICLES]
    while len(places) > 1 and words[places[-1] - 1] in _LINKS:
        places.pop()
    return places[-1] if places else None


def _lists(text: str, sections: Sequence[Section]) -> Iterator[Definition]:
    """Nomenclatures: a line or a row for each symbol."""
    for section in sections:
        if _LISTS.match(section.title.strip()):
            for pattern in (_ROW, _ENTRY):
                for found in pattern.finditer(text, section.start, section.end):
                    term = found["term"].strip("*` ")
                    if not set(term) <= set("-: "):
                        yield Definition(key_of(term), _plain(found["meaning"]), Span(*found.span()))


def _plain(text: str) -> str:
    return " ".join(text.split()).strip(" ,;:")


def _tells(one: Definition) -> bool:
    """Whether a meaning says anything: some word, not too long, and not one of those that only point."""
    words = re.findall(r"[^\W\d_]{2,}", one.meaning)
    return (
        bool(words) and len(one.meaning) <= _LONGEST and one.term != one.meaning and not all(word.lower() in STOP_WORDS for word in words)
    )
