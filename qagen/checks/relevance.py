"""Is it the asked thing that the answer tells? A reason for a why, the sentence that speaks of it, not another one beside it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from qagen.checks.elements import ELEMENT_SYMBOLS, names
from qagen.checks.ground import denials
from qagen.checks.injection import stretches
from qagen.checks.opposites import same_side
from qagen.checks.quantities import quantities
from qagen.checks.support import IDLE, worded
from qagen.checks.typography import plain
from qagen.checks.words import content_words, language_of
from qagen.chunk import sentences

_BETTER = 2  # content words of the question that another sentence must have beyond those of the evidence
_ANSWERABLE = 0.75  # share of a question's content words that a sentence has which answers it

# ---- a reason for a why

_WHY = re.compile(
    r"\bwhy\b|\bwhat\s+(?:is|was|are|were)\s+the\s+(?:reasons?|causes?|purpose)\b|\bfor\s+what\s+(?:reason|purpose)\b|为什么|为何|什么原因|原因是什么",
    re.I,
)
_REASON = re.compile(
    r"\b(?:because|since|as|so\s+that|so\s+as|in\s+order|due|owing|thanks|to|for|otherwise|therefore|hence|thus|cause[sd]?|leads\s+to|led\s+to|result\w*|reason|"
    r"prevent\w*|avoid\w*|allow\w*|enabl\w*|when|if|by|which|that|would|can|could|need\w*|requir\w*|too|not|than|while|whereas|from)\b"
    r"|因|由于|为了|以[便免]|从而|导致|使|避免|防止|否则|会|能|可以|需|太|过",
    re.I,
)
_CAUSE = re.compile(
    r"\b(?:caused\s+by|attributed\s+to|explained\s+by|stems?\s+from|because|since|as|so\s+that|due\s+to|owing\s+to|when)\b|因为|由于|以免|以便|为了",
    re.I,
)
_MEASURES = frozenset(
    content_words("thick long wide high deep heavy large small made consist thickness length width height depth weigh layer hold held")
)


def asks_why(question: str) -> bool:
    """Whether a question asks for a reason."""
    return bool(_WHY.search(question))


def no_reason(question: str, answer: str, evidence: str) -> str | None:
    """An answer to a why that gives no reason: it tells only what the question says, with a value or a measure; or None."""
    if not asks_why(question):
        return None
    own = _own_words(question, answer)
    if not own:
        return f"no reason in `{answer[:60]}`"
    if not _REASON.search(answer) and quantities(answer) and set(own) - names(answer) <= _MEASURES | _OF_UNITS:
        return f"a measure instead of a reason: `{answer[:60]}`"
    return f"the effect instead of the reason: `{answer[:60]}`" if _tells_the_effect(own, answer, evidence) else None


_OF_UNITS = frozenset(content_words("after about only roughly over under up down"))


def _tells_the_effect(own: Sequence[str], answer: str, evidence: str) -> bool:
    """Whether all that an answer adds stands in the part of the evidence that is explained, and nothing of it in the explanation."""
    read = plain(evidence)
    found = _CAUSE.search(read)
    if found is None or len(_CAUSE.findall(read)) > 1 or re.search(r"[.。;；]\s*\S", read[: found.start()]):
        return False
    if read[: found.start()].strip():
        effect, cause = read[: found.start()], read[found.end() :]
    else:
        cause, _, effect = read.partition(",")
    said = {*own, *(one.key for one in quantities(answer))}
    there = {*content_words(worded(effect)), *(one.key for one in quantities(effect))}
    why = {*content_words(worded(cause)), *(one.key for one in quantities(cause))}
    return bool(said & there) and len(said - there) <= 1 and not said & why


_PARTICLES = frozenset("由至到从为在达约成了")


def _own_words(question: str, answer: str) -> list[str]:
    """The content words that an answer adds, for Chinese those with at least one sign that the question has not."""
    asked = set(content_words(question)) | IDLE
    own = [word for word in content_words(worded(answer)) if word not in asked]
    like = same_side(answer, question)
    return [word for word in own if word not in like and (word.isascii() or not set(word) - _PARTICLES <= set(question))]


# ---- the sentence that speaks of it


def better_sentence(question: str, answer: str, evidence: str, context: str, title: str) -> str | None:
    """A sentence of the context that speaks of what is asked, with a value like the answer's, where the evidence does not; or None."""
    if evidence.count("|") >= 2:
        return None  # rows say little by themselves
    kinds = {one.unit.dimension for one in quantities(answer)}
    shapes = {_shape(name) for name in names(answer)}
    asked = _asked(question, title)
    if language_of(question) != language_of(context) or len(asked) < _BETTER:
        return None
    # An answer in words: any sentence may be the better one, unless the evidence explains something itself.
    told = (not (kinds or shapes) or asks_why(question)) and not _EXPLAINS.search(evidence)
    own = asked & _words_of(evidence)
    own |= {word for word in asked if word in _words_of(answer)}
    for sentence in _sentences_of(context):
        there = asked & _words_of(sentence)
        values = {one.unit.dimension for one in quantities(sentence) if one.unit.dimension} & kinds
        alike = {_shape(name) for name in names(sentence)} & shapes if not kinds else set()
        nearer = own < there and (len(there - own) >= _BETTER or (not own and bool(values)))
        if not nearer or not (told or values or alike) or sentence in evidence or evidence in sentence:
            continue
        if shapes or not denials(sentence) or denials(evidence):
            return sentence
    return None


_EXPLAINS = re.compile(
    r"\b(?:because|since|due\s+to|owing\s+to|so\s+that|in\s+order|attribut\w+|explain\w*|caus\w+|result\w*|prevent\w*|avoid\w*|otherwise|therefore|thus|hence|reason)\b"
    r"|因|由于|为了|以[便免]|从而|导致|使|避免|防止|否则",
    re.I,
)


def answered_by(question: str, context: str, title: str) -> str | None:
    """The sentence that answers a question for a number which is said to have no answer; or None."""
    if not _FOR_A_NUMBER.search(question):
        return None
    named = set(content_words(" ".join(names(question))))
    asked, whole = _asked(question, title) - named, _asked(question, "") - named
    known = {one.key for one in quantities(question)}
    for sentence in _sentences_of(context):
        words = _words_of(sentence)
        like = same_side(question, sentence)
        held = {word for word in asked if word in words or word in like or any(_alike(word, other) for other in words)}
        new = [one for one in quantities(sentence) if one.key not in known]
        if _of_others(question, sentence, title):
            continue
        if asked and len(whole & words | held) >= 2 and len(held) >= _ANSWERABLE * len(asked) and new and not denials(sentence):
            return sentence
    return None


def _of_others(question: str, sentence: str, title: str) -> bool:
    """Whether a sentence speaks under other conditions (10 K asked, 5 K told) or of another thing of the kind (OV-08 asked, OV-07 told)."""
    told = {one.key for one in quantities(sentence)}
    if any(one.unit.dimension and one.key not in told for one in quantities(question)):
        return True
    asked, there = names(question) - names(title), names(sentence)
    return bool(asked - there) and bool({_shape(name) for name in asked - there} & {_shape(name) for name in there - asked})


_FOR_A_NUMBER = re.compile(
    r"\b(?:what|which)\s+(?:[\w-]+\s+){0,3}?(?:depth|height|length|width|thickness|diameter|radius|mass|weight|speed|temperature|pressure|voltage|current|power|energy|frequency|rate|"
    r"flow|field|distance|duration|time|density|dose|angle|wavelength|efficiency|yield|resolution|number|share|percentage)\b|"
    r"\bhow\s+(?:many|much|long|often|far|fast|high|deep|large|big|thick|wide|heavy|hot|cold|old)\b|\b(?:what|which)\s+(?:is|was|are|were)\s+the\s+(?:\w+\s+)?(?:mean|maximum|"
    r"minimum|value|number|rate|frequency|temperature|pressure|energy|power|voltage|current|thickness|length|width|mass|duration|resolution|efficiency)\b|多少|多大|多长|多高|多久|几[个台条次种]",
    re.I,
)
_HOW_LONG = frozenset(content_words("many much long often far takes took take last value number total times"))


def _asked(question: str, title: str) -> set[str]:
    """The content words of a question that do not just name the document's subject."""
    return set(content_words(worded(question))) - set(content_words(title)) - IDLE - _HOW_LONG - _PRODUCT


_PRODUCT = frozenset(content_words("source text paper document say state give"))


def _alike(word: str, other: str) -> bool:
    """`plan` and `planning`, `distance` and `distances`."""
    return word.isascii() and len(word) >= 4 and len(other) >= 4 and (word.startswith(other) or other.startswith(word))


def _shape(name: str) -> str:
    """The form of an identifier: KS6 and KS4 are of one form."""
    return re.sub(r"\d+", "0", name) if re.search(r"\d", name) else name


@lru_cache(maxsize=256)
def _sentences_of(context: str) -> tuple[str, ...]:
    """The sentences of a text, without headings, tables and what speaks to models."""
    orders = stretches(context)
    return tuple(
        context[span.start : span.end]
        for span in sentences(context)
        if context[span.start : span.end].count("|") < 2 and not any(low < span.end and span.start < high for low, high in orders)
    )


@lru_cache(maxsize=4096)
def _words_of(text: str) -> frozenset[str]:
    return frozenset(content_words(text))


# ---- the thing before the noun


def other_modifier(question: str, evidence: str) -> str | None:
    """`the tungsten collimator` where the evidence has a zirconium collimator and no tungsten; or None."""
    mine, theirs = _modified(question), _modified(evidence)
    known = names(evidence)
    for noun, elements in mine.items():
        strange = {element for element in elements if element not in known}
        if strange and theirs.get(noun, set()) - elements:
            return f"`{', '.join(sorted(strange))}` before `{noun}`, where the evidence has `{', '.join(sorted(theirs[noun]))}`"
    return None


_ELEMENTS = frozenset(symbol.casefold() for symbol in ELEMENT_SYMBOLS)
_NEXT = re.compile(r"(?P<word>[A-Za-z]{2,})[\s-]+(?P<noun>[A-Za-z]{3,})|(?P<han>[\u3400-\u9fff])(?P<han_noun>[\u3400-\u9fff]{2})")


def _modified(text: str) -> dict[str, set[str]]:
    """Noun -> the elements that stand right before it."""
    found: dict[str, set[str]] = {}
    read = plain(text)
    for at in range(len(read)):
        match = _NEXT.match(read, at)
        if match and (match["han"] or not read[at - 1 : at].isalpha()):
            elements = _one_element(match["word"] or match["han"])
            noun = match["han_noun"] or "".join(content_words(match["noun"])[:1])
            if elements and noun:
                found.setdefault(noun, set()).update(elements)
    return found


@lru_cache(maxsize=4096)
def _one_element(word: str) -> Collection[str]:
    return names(word) & _ELEMENTS
