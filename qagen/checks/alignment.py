"""Which of several values of a sentence belongs to what is asked about?

A sentence with several values of one kind is cut between them, at the strongest mark or conjunction there is. What stands
beside one value and not beside the other tells them apart (`xenon` and `krypton`, `northern` and `southern`, `by hand`); a
question that names what stands beside another value than the answer's asks for that other value. What stands before the
first value may be meant for all (`The discharge oscillated at 21 kHz with xenon and at 27 kHz with krypton`), so that only
words in contrast count there: names, opposites, quantities of one kind, words in the same place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from qagen.checks.elements import ELEMENT_SYMBOLS, names
from qagen.checks.opposites import sides
from qagen.checks.quantities import quantities
from qagen.checks.typography import plain
from qagen.checks.words import STOP_WORDS, content_words

Token = str | tuple[float, tuple[tuple[str, int], ...]]

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\u3400-\u9fff$])|(?<=[。！？])|\n")
_CUTS = (  # the strongest first
    re.compile(r"[;；]"),
    re.compile(r",?\s(?:while|whereas|but)\s|,?(?:而(?!且|不是|非)|但)"),
    re.compile(r",\s?(?!which\b|so\b|because\b|since\b|因为|所以|以免|从而|使)(?:and\s)?"),  # `plain` has one comma for both languages
    re.compile(r"\s(?:and|or)\s|[和与]|、"),
)
_ORDER = re.compile(r"\b(zero(?:th)?|first|second|third|pseudo-first)[\s-]order\b", re.I)
_RESPECTIVELY = re.compile(r"\brespectively\b|\bin (?:that|this) order\b|分别")
_PREPOSITION_TEXT = "with by for in at on under from of without to during after before behind above below using"
_PREPOSITIONS = frozenset(_PREPOSITION_TEXT.split())
_ELEMENTS = frozenset(symbol.casefold() for symbol in ELEMENT_SYMBOLS)
_MANY_HAN = 3  # pairs of Chinese characters of the question that stand beside another value
_SUBJECT = re.compile(r"\s*,?\s*(?:and\s)?(?:the|a|an)\s", re.I)
_ARTICLES = frozenset(["the", "a", "an", "its", "their"])
_WORD = re.compile(r"[A-Za-z][\w-]*")


@dataclass(frozen=True, slots=True)
class _Value:
    start: int
    end: int
    key: Token
    kind: object


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands around one value (or several that nothing parts)."""

    text: str
    values: frozenset[Token]


def misplaced(question: str, answer: str, evidence: str) -> str | None:
    """Why the answer's value is that of something else than is asked about, or None."""
    if found := _wrong_end(question, answer, evidence):
        return found
    statements = _statements(answer)
    evidence = _with_former_and_latter(evidence)
    for said in statements:
        asked = said if len(statements) > 1 else f"{question} ; {said}"  # who gives several values says what each is of
        for sentence in (part for line in evidence.split("\n") if line.count("|") < 2 for part in _SENTENCE.split(plain(line))):
            for values in _kinds(sentence):
                if found := _of_another(values, sentence, asked, said):
                    return found
    return None


_FROM_TO = re.compile(
    r"\bfrom\s+(?P<a>[^,;.]{0,20}?\d[^,;]{0,25}?)\s+to\s+(?P<b>\d[^,;]{0,20})|[由从](?P<c>[^，,；。]{1,16}?)[^，,；。\d]{0,4}?[到至为](?P<d>\s?[-\d][^，,；。]{0,14})"
)
_AFTER = re.compile(
    r"\b(?:after(?:wards)?|finally|in\s+the\s+end|to\s+(?:what|which)|at\s+the\s+end|eventually)\b|[降升高少低大加减]到|后[，,的]?|达到|最终"
)
_BEFORE = re.compile(
    r"\b(?:before|initial(?:ly)?|original(?:ly)?|from\s+(?:what|which)|at\s+first|beforehand)\b|之前|以前|原来|最初|起初|初始"
)


_BOTH = re.compile(
    r"(?P<one>[\w-]+(?:\s[\w-]+)?)\s(?:and|or)\s(?:the\s|an?\s)?(?P<two>[\w-]+(?:\s[\w-]+)?)|(?:[用以由对在有]|^)?(?P<han>[^，,。、；用以由对]{2,10}?)[和与](?P<han_two>[^，,。、；]{2,10}?)(?=测|的|分|均|都|两|各|，|,|进)"
)


def _with_former_and_latter(evidence: str) -> str:
    """The evidence with the names of two things where it says the former and the latter, 前者 and 后者."""
    first = re.search(r"\bthe\s+former\b|前者", evidence)
    found = list(_BOTH.finditer(evidence[: first.start()])) if first else []
    if first is None or not found:
        return evidence
    evidence = evidence[first.start() :]  # what stands before names both
    one, two = found[-1]["one"] or found[-1]["han"], found[-1]["two"] or found[-1]["han_two"]
    return re.sub(r"\bthe\s+latter\b|后者", two, re.sub(r"\bthe\s+former\b|前者", one, evidence))


def _wrong_end(question: str, answer: str, evidence: str) -> str | None:
    """The beginning of a change where its end is asked for, or the end for the beginning (`from 14 % to 9 %`); else None."""
    said, asked = {one.key for one in quantities(answer)}, {one.key for one in quantities(question)}
    late, early = bool(_AFTER.search(question)), bool(_BEFORE.search(question))
    if len(said) != 1 or late == early:
        return None
    read = plain(evidence)
    for found in _FROM_TO.finditer(read):
        stop = {one.key for one in quantities(found["b"] or found["d"])}
        unit = re.sub(r"^[\s\d.,+-]+", "", found["b"] or found["d"])
        start = {one.key for one in quantities(found["a"] or found["c"])} | {
            one.key for one in quantities(f"{found['a'] or found['c']} {unit}")
        }
        if said <= (start if late else stop) and not said & (stop if late else start) and not (start | stop) & asked:
            return f"`{answer[:40]}` is the other end of `{found[0][:60]}`"
    return None


def _statements(answer: str) -> list[str]:
    """The parts of an answer that give a value each; the whole answer where it gives one."""
    read = plain(answer)
    values = [value for kind in _kinds(read) for value in kind]
    pieces = _pieces(read, values) if len(values) > 1 else []
    return [piece.text for piece in pieces] if len(pieces) > 1 else [read]


def _kinds(sentence: str) -> Iterator[list[_Value]]:
    """The values of a sentence by kind."""
    kinds: dict[object, list[_Value]] = {}
    for one in quantities(sentence):
        kinds.setdefault(one.unit.dimension, []).append(_Value(one.start, one.end, one.key, one.unit.dimension))
    for found in _ORDER.finditer(sentence):
        kinds.setdefault("order", []).append(_Value(found.start(), found.end(), found[1].lower().removesuffix("th"), "order"))
    yield from kinds.values()


def _of_another(values: Sequence[_Value], sentence: str, spoken: str, said: str) -> str | None:
    given = {value.key for kind in _kinds(said) for value in kind}
    pieces = _pieces(sentence, values)
    mine = [number for number, piece in enumerate(pieces) if piece.values & given]
    if len(pieces) < 2 or not mine or len({key for number in mine for key in pieces[number].values & given}) > 1:
        return None
    asked = _tokens(spoken) - given
    others = [number for number, piece in enumerate(pieces) if not piece.values & given]
    for other in others:
        if all(_asks_for(pieces[other], pieces[number], asked, after=other > number, spoken=spoken) for number in mine):
            return f"`{said.strip()[:40]}` is said of something else than `{pieces[other].text.strip()[:80]}`"
    return None


def _asks_for(other: _Piece, own: _Piece, asked: Collection[Token], after: bool, spoken: str) -> bool:
    """Whether the question speaks of what stands beside the other value, and not of what stands beside the own one."""
    theirs, mine = _tokens(other.text) - other.values, _tokens(own.text) - own.values
    theirs, mine = theirs - mine, mine - theirs
    hits, held = theirs & set(asked), mine & set(asked)
    if any(_contrast(a, b, own.text, other.text) for a in held for b in theirs):
        # Both are named: asked about is the one that stands in it as in the source (`the order in oxygen of the oxidation of CO`).
        rivals = [b for b in hits if any(_contrast(a, b, own.text, other.text) for a in held)]
        return not any(_stands_alike(a, own.text, spoken) for a in held) and any(_stands_alike(b, other.text, spoken) for b in rivals)
    if any(_contrast(a, b, own.text, other.text, after) for a in mine for b in hits):
        return True
    if after:
        return len(hits) > len(held)
    strong = any(_is_strong(token, own.text) for token in mine)
    return bool(hits) and not held and (strong or len({hit for hit in hits if isinstance(hit, str) and not hit.isascii()}) >= _MANY_HAN)


def _contrast(a: Token, b: Token, own: str, other: str, after: bool = False) -> bool:
    """Whether two words, one beside each value, are two of a kind."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        return isinstance(a, tuple) and isinstance(b, tuple) and a[1] == b[1]
    if a.startswith("side ") and b.startswith("side "):
        return a.partition(":")[0] == b.partition(":")[0]
    if a.startswith("ordinal ") and b.startswith("ordinal "):
        return True
    if a in names(own) and b in names(other):
        return class_of(a) == class_of(b)
    if not a.isascii() and not b.isascii():
        return _contrast_zh(a, b, own, other)
    mine, theirs = _around(a, own), _around(b, other)
    if mine is None or theirs is None:
        return False
    same_before = mine[0] == theirs[0] and bool(mine[0]) and mine[0] not in ("of", "and", "was", "is", "were", "are")
    same_after = mine[1] == theirs[1] and bool(mine[1]) and mine[1] not in STOP_WORDS
    heads = mine[0] == theirs[0] == "" and bool(_SUBJECT.match(own) and _SUBJECT.match(other))  # what both clauses begin with
    return heads or same_before or same_after or (after and mine[0] in _PREPOSITIONS and theirs[0] in _PREPOSITIONS)


def class_of(name: str) -> str:
    """What kind of name it is: two of one kind can stand for one another, a machine and an element cannot."""
    if name in _ELEMENTS:
        return "element"
    return "label" if re.search(r"\d|^letter ", name) else "name"


def _contrast_zh(a: str, b: str, own: str, other: str) -> bool:
    """新叶 and 老叶, 温度系数 and 应变系数: one head, told apart by what stands before it."""
    if len(a) != 2 or len(b) != 2 or a in other or b in own:
        return False
    if a[1] == b[1] and a[0] != b[0] and not other.count(a[0] + a[1]):
        return True
    return own.partition(a)[2][:2] == other.partition(b)[2][:2] != "" and bool(re.match(r"[\u3400-\u9fff]{2}", own.partition(a)[2]))


def _stands_alike(token: Token, text: str, spoken: str) -> bool:
    """Whether the same preposition stands before a word in both."""
    here, there = (_around(token, text), _around(token, spoken)) if isinstance(token, str) else (None, None)
    return bool(here and there and here[0] == there[0] and here[0] in _PREPOSITIONS)


def _around(token: str, text: str) -> tuple[str, str] | None:
    """The words before and behind a stemmed word, articles left out."""
    words = [word.lower() for word in _WORD.findall(text) if word.lower() not in _ARTICLES]
    for number, word in enumerate(words):
        if token in content_words(word):
            return words[number - 1] if number else "", words[number + 1] if number + 1 < len(words) else ""
    return None


def _is_strong(token: Token, text: str) -> bool:
    """Whether a word can hardly be put in other words."""
    return isinstance(token, tuple) or token.startswith("side ") or token in names(text)


def _tokens(text: str) -> set[Token]:
    """Content words, names, quantities, and for each word with an opposite the side that it is on."""
    found = quantities(text)
    bare = text
    for one in found:
        bare = bare.replace(one.text, " ", 1)
    return {*content_words(bare), *names(text), *(f"side {side}" for side in sides(text)), *_ordinals(text), *(one.key for one in found)}


def _ordinals(text: str) -> set[str]:
    """`the first`, 第一: not the second of time, which stands behind a number."""
    found = re.findall(r"\b(?:the|a)\s+(first|second|third|fourth|fifth|last|former|latter)\b|第([一二三四五六七八九十\d]+)", text, re.I)
    return {f"ordinal {(english or han).lower()}" for english, han in found}


# ---- pieces


def _pieces(sentence: str, values: Sequence[_Value]) -> list[_Piece]:
    """The sentence cut between its values; by the list before them where it says `respectively`."""
    values = sorted(values, key=lambda value: value.start)
    if _RESPECTIVELY.search(sentence) and (listed := _listed(sentence, values)):
        return listed
    cuts = [0]
    held: list[set[Token]] = [{values[0].key}] if values else []
    for before, behind in pairwise(values):
        cut = _cut(sentence, before.end, behind.start)
        if cut is None:
            held[-1].add(behind.key)
        else:
            cuts.append(cut)
            held.append({behind.key})
    ends = [*cuts[1:], len(sentence)]
    return [_Piece(sentence[start:end], frozenset(keys)) for start, end, keys in zip(cuts, ends, held, strict=False)]


def _cut(sentence: str, start: int, end: int) -> int | None:
    between = sentence[start:end]
    if len(between.strip(" ,，、")) <= 3:
        return None  # `2, 5 and 10 mm`: a list
    for cut in _CUTS:
        if found := cut.search(between):
            return start + found.start()
    return None


def _listed(sentence: str, values: Sequence[_Value]) -> list[_Piece]:
    """`X, Y and Z are 1, 2 and 3, respectively`: each value with its member of the list."""
    members = re.split(r",\s?(?:and\s)?|\sand\s|、|[和与及]", sentence[: values[0].start])[-len(values) :]
    if len(members) != len(values):
        return []
    told = [*members[:-1], " ".join(members[-1].split()[:3])]
    told[0] = " ".join(told[0].split()[-2:])
    return [_Piece(text, frozenset([value.key])) for text, value in zip(told, values, strict=True)]


# ---- clauses

_WHEN = re.compile(
    r"\s*(?:when|if|since|because|as|after|before|with|at|in|for|under|by|during|unlike|although|though|while|which|that|who|where|so|to|on|from|of|,)\b"
    r"|\s*(?:在|当|由于|因为|随着|若|如果|虽然|所以|从而|以|使|这|其中|即|并|为了)",
    re.I,
)
_LEANS = re.compile(
    r"\s*(?:and\s+)?(?:the\s+(?:latter|former)|it|this|these|they|both)\b|\s*(?:前者|后者|其|它)", re.I
)  # speaks of what came before
_OPEN = re.compile(r"^\s*(?:why|how|for|at|in|under|by|on|with|to|from|when|where)\b|为什么|为何|如何|怎样|在什么|在何", re.I)
_CLAUSES = re.compile(r"[;；]|,\s?(?:and\s|but\s|while\s|whereas\s)?|\s(?:while|whereas)\s")


def other_clause(question: str, answer: str, evidence: str, title: str) -> str | None:
    """The clause behind the answer's that speaks of what is asked, where the answer's own does not; or None.

    `The shell is of steel, the insulation of foam`: asked for the insulation, steel is wrong.
    """
    if evidence.count("|") >= 2:
        return None
    spoken = _tokens(question)
    said, asked = _tokens(answer) - spoken, spoken - _tokens(title)
    for sentence in (part for line in evidence.split("\n") for part in _SENTENCE.split(plain(line))):
        clauses = [clause for clause in _CLAUSES.split(sentence) if clause.strip()]
        held = [_tokens(clause) for clause in clauses]
        own = [number for number, tokens in enumerate(held) if said and said <= tokens]
        if len(own) != 1 or _WHEN.match(clauses[own[0]]):
            continue
        mine = held[own[0]] - said
        for number, (clause, tokens) in enumerate(zip(clauses, held, strict=True)):
            if (
                number == own[0]
                or _WHEN.match(clause)
                or _LEANS.match(clauses[own[0]])
                or len(set(content_words(clause)) - names(clause)) < 2
            ):
                continue
            hits, kept = (asked & tokens) - mine, (asked & mine) - tokens
            contrast = any(_contrast(a, b, clauses[own[0]], clause) for a in mine - tokens for b in hits)
            if contrast and not any(_contrast(a, b, clauses[own[0]], clause) for a in kept for b in tokens - mine):
                return f"`{answer[:40]}` is said of something else than `{clause.strip()[:80]}`"
            if number > own[0] and not _OPEN.search(question) and hits and not mine & spoken and len(clause) > len(answer):
                return f"`{answer[:40]}` is said of something else than `{clause.strip()[:80]}`"
    return None
