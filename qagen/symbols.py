"""Symbols of formulas: which a text has, and what it says that they are (`where $\\beta$ is the ...`, 其中 $\\beta$ 为 ...)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qagen.checks.words import STOP_WORDS
from qagen.records import Span

_SUB = r"(?:\s*_\s*(?:\{[^{}$]{1,24}\}|\{\s*\\[a-z]+\s*\{[^{}$]{1,24}\}\s*\}|\\[A-Za-z]+|[A-Za-z0-9*]))?"
_ACCENT = r"\\(?:vec|hat|tilde|bar|dot|mathbf|boldsymbol|mathcal|mathrm|bm|overline)"
_STAR = r"(?:\s*\^\s*(?:\*|\{\s*(?:\*|\\prime)\s*\}))?"
_ATOM = rf"(?:{_ACCENT}\s*\{{\s*\\?[A-Za-z]+\s*\}}|{_ACCENT}\s+[A-Za-z]|\\[A-Za-z]+|[A-Za-z]){_SUB}{_STAR}"
_BARE = re.compile(rf"\s*({_ATOM})\s*")
_ATOMS = re.compile(rf"(?<![A-Za-z\\]){_ATOM}(?![A-Za-z])")
_MATH = re.compile(r"\$\$.+?\$\$|\\\[.+?\\\]|\\begin\{(?P<env>\w+\*?)\}.*?\\end\{(?P=env)\}|\\\(.+?\\\)|\$[^$]{1,400}\$", re.S)
_RELATIONS = re.compile(
    r"\\(?:times|cdot|pm|mp|approx|sim|leq?|geq?|ll|gg|frac|sqrt|sum|int|left|right|quad|text|rm|ldots|dots|to|in|infty|propto)\b"
)

_GREEK = r"[Α-ωϑϕϱϵ\U0001d400-\U0001d7cb]"
_LETTERS = rf"(?:{_GREEK}[\w′']{{0,3}}|[A-Z][a-z0-9]{{1,2}}|[b-z][A-Z0-9][A-Za-z]?|[B-HJ-Zb-z])(?![\w-])"
_SIGN = rf"(?:\$(?P<tex>[^$\n]{{1,60}})\$|\\\((?P<tex2>[^\n]{{1,60}}?)\\\)|(?<![\w$\\.'-])(?<!\d\s)(?P<plain>{_LETTERS}))"
_WORDS_TEXT = (
    "It He We As If In On To By At Of Or An Is Be Do So No Up Us Me My Go For And But Not Are Was Has How Now One Two All Any May Can The"
)
_WORDS = frozenset(_WORDS_TEXT.split())
_BODY = r"(?:[^,;.:\n$()（），。；]|\.(?=\d)|(?<!\n)\n(?!\s*\n)|\$[^$\n]{1,60}\$|\([^()\n]{1,40}\)){3,140}?"
_NEXT = rf"\sand\s(?:the\s|\$|\\\(|{_LETTERS}\s(?:is|the)\s)"
_STOP = (
    rf"(?=\s*(?:[,;:，。；)]|\.(?!\d)|$|\n\s*\n|\(|\$\$|\\begin|{_NEXT}"
    r"|\s(?:while|whereas|which|where|with|for|so\sthat|such\sthat|because|as|when|if)\s))"
)
_THE = r"(?:[Tt]he|[Aa]n?|[Ii]ts|[Tt]heir)\s+"
_UNLESS = ("if", "If", "when", "When", "that", "whether", "since", "Since", "unless", "because", "until", "as")
_NOT_IF = "".join(rf"(?<!\b{word}\s)" for word in _UNLESS)
_SAYS = re.compile(rf"{_NOT_IF}{_SIGN}\s+is\s+(?:the|its|their)\s+(?P<meaning>{_BODY}){_STOP}")
_DENOTES = re.compile(rf"{_SIGN}\s+(?:denotes|represents|stands\s+for|designates|is\s+defined\s+as)\s+{_THE}?(?P<meaning>{_BODY}){_STOP}")
_GIVEN = re.compile(rf"(?:\b(?:with|where|and|here)\s|[,;]\s+(?:and\s+)?){_SIGN}\s+(?:being\s+)?the\s+(?P<meaning>{_BODY}){_STOP}")
_LET = re.compile(rf"\b[Ll]et\s+{_SIGN}\s+(?:denote|be|represent)\s+{_THE}?(?P<meaning>{_BODY}){_STOP}")
_DENOTED = re.compile(
    rf"\b{_THE}(?P<meaning>[^,;.:\n$()]{{3,80}}?),?\s+(?:(?:which\s+)?(?:is|are|will\s+be)\s+)?denoted\s+(?:here\s+)?(?:by|as|with)\s+{_SIGN}"
)
_BESIDE = re.compile(r"\b(?:[Tt]he|[Aa]n?)\s+(?P<meaning>[a-z][a-z-]+(?:\s[a-z][a-z-]+){0,3})\s+\$(?P<tex>[^$\n]{1,40})\$")
_ZH_SIGN = rf"(?:\$(?P<tex>[^$\n]{{1,60}})\$|(?<![\w$\\.])(?P<plain>{_GREEK}[A-Za-z0-9]{{0,3}}|[A-Za-z][A-Za-z0-9]{{0,2}})(?![A-Za-z0-9]))"
_ZH_BODY = r"(?P<meaning>(?:[^，。；;,、\n$]|\$[^$\n]{1,40}\$){2,30}?)(?=[，。；;,、\n]|$)"
_ZH_SAYS = re.compile(rf"(?:其中|式中|这里|此处|[，,；;、]|^)[，,:：]?\s*{_ZH_SIGN}\s*(?:为|是|表示|代表|指)\s*{_ZH_BODY}", re.M)
_ZH_CALLED = re.compile(rf"(?:将|把|设|令|以)?(?P<meaning>[\u3400-\u9fff]{{2,12}}?)(?:记为|记作)\s*{_ZH_SIGN}")

_POINTING_TEXT = "same case following only first second last latter former other next one above result correct"
_EMPTY_TEXT = (
    "value values number parameter parameters variable quantity limit equation function set symbol point choice order maximum minimum "
    "total main most least unique small large different specific given required certain whole fact amount"
)
_VERBS_TEXT = "gives yields reaches becomes equals requires takes uses varies means needs has shows obtains finds let"
_POINTING, _VERBS = frozenset(_POINTING_TEXT.split()), frozenset(_VERBS_TEXT.split())
_EMPTY = _POINTING | frozenset(_EMPTY_TEXT.split())


def symbols_said(text: str) -> list[tuple[str, str, Span]]:
    """Symbols, what the text says that they are, and where it does: what it says in so many words, else what it calls them once."""
    explicit = [said for pattern in (_SAYS, _DENOTES, _GIVEN, _LET, _DENOTED, _ZH_SAYS, _ZH_CALLED) for said in _said(text, pattern)]
    known = {term for term, _, _ in explicit}
    beside = [(term, meaning.split(" of ")[-1], span) for term, meaning, span in _said(text, _BESIDE) if term not in known]
    return [*explicit, *(said for said in beside if _is_noun(said[1]))]


def symbols_in(text: str) -> list[str]:
    """The symbols in the formulas of a text, each once."""
    return list(dict.fromkeys(key_of(atom[0]) for found in _MATH.finditer(text) for atom in _ATOMS.finditer(found[0])))


def key_of(symbol: str) -> str:
    """A symbol as it is found again: without dollars, white space and braces that change nothing."""
    inner = re.sub(r"\s+", " ", symbol.strip().strip("$").removeprefix("\\(").removesuffix("\\)").strip())
    inner = re.sub(r"\s*([_^{}])\s*", r"\1", inner)
    inner = re.sub(r"\\(?:mathrm|text|rm|mathit)\s*(?=\{)", "", inner)
    while (shorter := re.sub(r"\{(\{[^{}]*\})\}|([_^])\{(\w)\}", lambda found: found[1] or f"{found[2]}{found[3]}", inner)) != inner:
        inner = shorter
    return inner


def _said(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, str, Span]]:
    for found in pattern.finditer(text):
        groups = found.groupdict()
        tex = groups.get("tex") or groups.get("tex2")
        bare = _BARE.fullmatch(tex) if tex else None
        if (tex and (bare is None or _RELATIONS.match(bare[1]))) or groups.get("plain") in _WORDS:
            continue
        meaning = " ".join(found["meaning"].split())
        if meaning.split()[0].lower() not in _POINTING and meaning.lower() not in _EMPTY:
            yield key_of(bare[1] if bare else groups["plain"] or ""), meaning, Span(*found.span())


def _is_noun(meaning: str) -> bool:
    words = meaning.split()
    return words[-1] not in _EMPTY | _VERBS | STOP_WORDS and not words[-1].endswith("ed") and not (set(words) - {"of"}) & STOP_WORDS
