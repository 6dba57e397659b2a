"""The places of a derivation's template, filled from a passage: what the teacher says, and what of it the passage bears out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from qagen.checks.ground import locate_quote, numbers
from qagen.checks.rules import Fault, addresses_a_model
from qagen.checks.words import content_words, language_of
from qagen.context import definitions_in
from qagen.kinds.formulas import bare, formulas, math_in, symbols
from qagen.kinds.shape import TEXT, TEXTS, listed
from qagen.kinds.template import SYMBOLS, Template, fill
from qagen.records import Chunk, Span
from qagen.symbols import symbols_said
from qagen.teacher.parse import list_schema

_PLACE = {"type": "object", "properties": {"name": TEXT, "value": TEXT, "quotes": TEXTS}, "required": ["name", "value", "quotes"]}
_SYMBOL = {"type": "object", "properties": {"symbol": TEXT, "meaning": TEXT, "quote": TEXT}, "required": ["symbol", "meaning", "quote"]}
SCHEMA: dict[str, Any] = list_schema(
    "fillings",
    {
        "template": TEXT,
        "places": {"type": "array", "items": {**_PLACE, "additionalProperties": False}},
        SYMBOLS: {"type": "array", "items": {**_SYMBOL, "additionalProperties": False}},
    },
)
_WORD = re.compile(r"[A-Za-z]{2,}[\w-]*(?: .*)?")
_MEANS = {"en": " is ", "zh": "为"}
_BETWEEN = {"en": ", ", "zh": "，"}


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)


class SaidPlace(_Said):
    """A place and what the teacher puts there."""

    name: str
    value: str
    quotes: Annotated[list[str], BeforeValidator(listed)] = []


class SaidSymbol(_Said):
    """A letter and what it stands for."""

    symbol: str
    meaning: str
    quote: str = ""


class SaidFilling(_Said):
    """A template as the teacher has filled it."""

    template: str
    places: list[SaidPlace]
    symbols: list[SaidSymbol] = []


@dataclass(frozen=True, slots=True)
class Filling:
    """A template with all of its places filled and proven: question and steps in one language, and where what is in them stands."""

    template: Template
    language: str
    values: dict[str, str]
    defined: frozenset[str]
    evidence: tuple[Span, ...]

    @property
    def question(self) -> str:
        """The question, which can be understood alone."""
        return self._filled[0]

    @property
    def steps(self) -> list[str]:
        """What is to be done, in order."""
        return self._filled[1:]

    @property
    def _filled(self) -> list[str]:
        return [fill(text, self.values) for text in self.template.texts(self.language)]


def proven(template: Template, said: SaidFilling, chunk: Chunk, language: str) -> Filling | Fault:
    """The filling if the passage bears out every place of it and explains every symbol of its formulas, else what it lacks."""
    given = {place.name: place for place in said.places if place.value}
    values, spans = dict[str, str](), list[Span]()
    for name, wanted in template.placeholders.items():
        place = given.get(name)
        if place is None:
            return Fault("placeholder-not-filled", f"{template.name}: the passage has nothing for {name}")
        found = _formula(place, chunk) if wanted.kind == "formula" else _words(place, chunk)
        if isinstance(found, Fault):
            return Fault(found.reason, f"{template.name}, {name}: {found.detail}")
        spans += found
        values[name] = _shown(place.value) if wanted.kind == "formula" else place.value
    meanings = [*_meanings(said.symbols, chunk), *_called(values, template, chunk)]
    used = _used(values.values())
    if unknown := sorted(used - frozenset().union(*(symbols(one) for one, _, _ in meanings))):
        return Fault("symbol-undefined", f"{template.name}: nothing says what {', '.join(unknown)} stands for")
    needed = list({one[0]: one for one in reversed(meanings) if symbols(one[0]) & used}.values())[::-1]
    values[SYMBOLS] = _BETWEEN[language].join(f"${name}${_MEANS[language]}{meaning}" for name, meaning, _ in needed)
    if words := next((words for value in values.values() if (words := addresses_a_model(value))), None):
        return Fault("injection", f"{template.name}: a place speaks to a language model: {words}")
    evidence = [_moved(span, chunk.start) for span in spans] + [span for _, _, span in needed]
    return Filling(template, language, values, frozenset(name for name, _, _ in needed), _apart(evidence))


def _formula(place: SaidPlace, chunk: Chunk) -> list[Span] | Fault:
    """Where a formula stands; it is copied, never written anew."""
    copied = bare(place.value)
    if not formulas(f"${copied}$", plain=False):
        return Fault("placeholder-not-filled", f"`{place.value[:120]}` is no formula")
    found = locate_quote(chunk.text, copied)
    return [found] if found else Fault("quote-not-found", f"`{place.value[:200]}` is not in the text")


def _words(place: SaidPlace, chunk: Chunk) -> list[Span] | Fault:
    """Where the quotes stand that prove a place in words; it has no number that they lack, and is about what they are about."""
    located = [(quote, locate_quote(chunk.text, quote)) for quote in place.quotes if quote]
    if missing := next((quote for quote, span in located if span is None), None):
        return Fault("quote-not-found", f"`{missing[:200]}` is not in the text")
    spans = [span for _, span in located if span is not None]
    if not spans:
        return Fault("placeholder-not-filled", f"`{place.value[:120]}` has no quote")
    proof = f"{chunk.title}\n{chunk.section}\n" + "\n".join(chunk.text[span.start : span.end] for span in spans)
    if invented := [number for number in numbers(place.value) if number not in numbers(proof)]:
        return Fault("number-not-in-evidence", f"{', '.join(invented)} of `{place.value[:120]}`")
    return spans if _about_the_same(place.value, proof) else Fault("off-source", f"`{place.value[:120]}` shares no word with its quotes")


def _about_the_same(value: str, proof: str) -> bool:
    """Whether two texts share a word or a symbol; texts in two languages cannot be compared by words."""
    if language_of(value) != language_of(proof):
        return True
    return bool(set(content_words(value)) & set(content_words(proof)))


def _meanings(said: Iterable[SaidSymbol], chunk: Chunk) -> list[tuple[str, str, Span]]:
    """Each symbol, what it stands for and where that is said: as the teacher finds it, else as rules do, here or earlier."""
    found: dict[str, tuple[str, str, Span]] = {}
    for one in said:
        if one.meaning and _is_symbol(name := bare(one.symbol)) and (span := _explained(one, chunk)):
            found.setdefault(name, (name, one.meaning, span))
    here = [replace(one, span=_moved(one.span, chunk.start)) for one in definitions_in(chunk.text)]
    for definition in (*here, *chunk.definitions):
        if _is_symbol(name := bare(definition.term)):
            found.setdefault(name, (name, definition.meaning, definition.span))
    return list(found.values())


def _called(values: Mapping[str, str], template: Template, chunk: Chunk) -> Iterator[tuple[str, str, Span]]:
    """Symbols that a place in words names beside what they are: `the shunt impedance $R$`, where the passage has the symbol."""
    for name, wanted in template.placeholders.items():
        for symbol, meaning, _ in symbols_said(values[name]) if wanted.kind == "words" else ():
            if span := locate_quote(chunk.text, f"${symbol}$"):
                yield symbol, meaning, _moved(span, chunk.start)


def _explained(said: SaidSymbol, chunk: Chunk) -> Span | None:
    """Where the passage explains a symbol; the quote holds it, and all numbers of its meaning."""
    span = locate_quote(chunk.text, said.quote) if said.quote else None
    if span is None:
        return None
    proof = chunk.text[span.start : span.end]
    if not symbols(bare(said.symbol)) <= symbols(proof.replace("$", " ")) or set(numbers(said.meaning)) - set(numbers(proof)):
        return None
    return _moved(span, chunk.start)


def _is_symbol(name: str) -> bool:
    """Whether a term is a letter and no word or acronym: `P_c`, `\\beta`, `k`."""
    return bool(symbols(name)) and not _WORD.fullmatch(name)


def _used(values: Iterable[str]) -> frozenset[str]:
    """Every symbol that question and steps are going to hold."""
    return frozenset().union(*(symbols(math) for value in values for math in math_in(value)))


def _shown(formula: str) -> str:
    return f"${' '.join(bare(formula).split())}$"


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)


def _apart(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Spans in the order of the text, those that overlap as one."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if joined and span.start < joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return tuple(joined)
