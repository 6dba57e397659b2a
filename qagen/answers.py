"""Answers chosen by rule: which sentences of a chunk are worth a question, and what in them is to be asked for.

Answer-aware generation for small teachers: they cannot find facts, but given a sentence and its answer they can ask.
Everything here is deterministic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from qagen.checks.rules import addresses_a_model, points_outside
from qagen.checks.words import STOP_WORDS, language_of, length_in_words
from qagen.config import Kind
from qagen.kinds.summary import ABSTRACT
from qagen.records import Chunk, Span
from qagen.sentences import captions, sentences
from qagen.slots import with_slot

SHORTEST, LONGEST = 6, 45  # words of a sentence that is asked about


@dataclass(frozen=True, slots=True)
class Target:
    """A sentence to ask about: its span in the document, its words in one line, the same with a hole, and the answer.

    `kind` says what is asked for: a reason is a `concept`, what something is a `definition`, what is to be done a `procedure`;
    what stands in a caption or in the abstract is named after its place; all else is a `fact`.
    """

    span: Span
    sentence: str
    slotted: str
    answer: str
    kind: Kind
    language: str


def choose_targets(chunk: Chunk, most: int) -> list[Target]:
    """The sentences of a chunk that say most by themselves, at most `most`, in the order of the text."""
    ranked = []
    for span in sentences(chunk.text):
        line = " ".join(chunk.text[span.start : span.end].split())
        language = language_of(line)
        if _stands_alone(line, language):
            ranked.append((-_specificity(line, language), span.start, _target(chunk, span, line, language)))
    best = sorted(ranked, key=lambda entry: entry[:2])[:most]
    return [target for _, _, target in sorted(best, key=lambda entry: entry[1])]


def _target(chunk: Chunk, span: Span, line: str, language: str) -> Target:
    plain = re.sub(r"\s?\[\d[\d, –-]*\](?=[.,;\s]|$)", "", line)  # without citations
    answer = next(_short_answers(plain, language), None)
    place = Span(chunk.start + span.start, chunk.start + span.end)
    slotted = with_slot(plain, answer or plain, language)
    return Target(place, plain, slotted, answer or plain, _kind(chunk, span, plain, answer, language), language)


# ---- of which kind

_SUBJECT = r"(?:[Tt]he|[Aa]n?|Each|Every)?\s?(?:[\w’'-]+\s){0,5}?[\w’'-]+"
_IS_A = re.compile(rf"^{_SUBJECT},?\sis\san?\s(?!.*\bthan\b)|\bis\s(?:defined\s(?:as|by)|the\s(?:name|word|term)\sfor)\b")
_IS_A_ZH = re.compile(r"^[^，。；]{2,20}(?:是一[种个台座套项类]|是指|指的是|定义为)")
_DONE = r"\w+(?:ed|en|pt|lt|ut)\b"  # most participles
_TO_DO = re.compile(
    rf"^(?:First|Next|Before|After)\b.{{0,120}}?\b(?:is|are)\s{_DONE}|\b(?:must|should|shall)\s(?:(?:first|then|always|not|never)\s)?be\s{_DONE}"
    r"|\bthe\s(?:shift|operators?|users?|staff|crew|experts?)\s(?:must|should|shall)\b|^(?:Do not|Never|Always)\b"
)
_TO_DO_ZH = re.compile(r"必须|应当|应先|首先|先.{2,20}(?:再|然后|后)|(?:之前|之后|前|后)，?(?:须|需|要|应)")


def _kind(chunk: Chunk, span: Span, sentence: str, answer: str | None, language: str) -> Kind:
    """What a question for this answer is, as far as rules can tell."""
    if any(place.start <= span.start < place.end for place in captions(chunk.text)):
        return "caption"
    if ABSTRACT.match(chunk.section.rsplit(" > ", 1)[-1].strip()):
        return "summary"
    if answer is not None:
        return "concept" if answer in _reasons(sentence, language) else "fact"
    if next(_reasons(sentence, language), None):
        return "concept"
    if (_IS_A_ZH if language == "zh" else _IS_A).search(sentence):
        return "definition"
    return "procedure" if (_TO_DO_ZH if language == "zh" else _TO_DO).search(sentence) else "fact"


# ---- which sentences

_DANGLING = re.compile(
    r"(?:However|Therefore|Thus|Hence|Such|Moreover|Furthermore|Also|Then|Here|Instead|Otherwise|Consequently|Finally|Similarly|"
    r"Likewise|Nevertheless|Again|Another|Others?|Both|Neither|Accordingly|Conversely|Meanwhile|Afterwards|Later|But|And|Or|So|Yet|"
    r"Nor|[Tt]he (?:other|former|latter|same|second|third|first|last|rest|remaining|next|following|result|reason)|One of|Two of|"
    r"For example|In addition|In contrast|As a (?:result|consequence)|(?:Please )?[Nn]ote|Please|As an? example|In the moment|"
    r"(?:All|Most|Some|Each) (?:of )?(?:the following|these|those))\b"
)
_THIS_HERE = re.compile(r"\b(?:this|these)\s+(?!(?:is|are|was|were|way|year|means?)\b)[a-z]{3,}", re.I)
_IT_FIRST = re.compile(r"^(?:\w+\s){0,3}(?:it|they)\s(?:is|are|was|were|has|have|can|will|must)\b(?!\s(?:\w+\s){0,2}(?:that|to)\b)", re.I)
_DANGLING_ZH = re.compile(
    r"^(?:因此|所以|然而|但|不过|此外|另外|同时|其中|而且|并且|于是|随后|之后|例如|后者|前者|二者|两者|以上|以下|另)"
    r"|(?:^|[，,；;])(?:这|该|此(?![外后前时])|其(?![中他余])|它|他们)"
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|could|may|must|will|would|should|does|do|did|[a-z]{2,}(?:ed|es|s|ew|ose|ept|old|uns?|ame|ent))\b"
)
_SPECIFIC = re.compile(r"\d|(?<=\s)[A-Z][\w-]+|[“\"『「][^”\"』」]+[”\"』」]|\b\w{9,}\b")
_NO_PROSE = re.compile(r"\$\$|\\\[|\\begin|https?://|\bdoi\b|©|\.\s?\.\s?\.|\\cite|\?\?")


def _stands_alone(line: str, language: str) -> bool:
    """Whether a sentence is a plain statement that can be understood by itself."""
    if language == "und" or not SHORTEST <= length_in_words(line) <= LONGEST or not line.endswith((".", "。")):
        return False
    if not re.match(r"[A-Z“\"\u3400-\u9fff]" if language == "en" else r"[“「\"\w]", line) or _NO_PROSE.search(line):
        return False
    if (_DANGLING_ZH.search(line) if language == "zh" else _DANGLING.match(line)) or points_outside(line) or addresses_a_model(line):
        return False
    if language == "zh":
        return True
    return bool(_VERB.search(line) and _SPECIFIC.search(line)) and not (_THIS_HERE.search(line) or _IT_FIRST.search(line))


def _specificity(line: str, language: str) -> int:
    """How much that is particular a sentence says: quantities, names, reasons; formulae and enumerations count against it."""
    names = {name for name in re.findall(r"[A-Z][\w-]+|[“「][^”」]+[”」]", line) if name.lower() not in STOP_WORDS}
    score = 3 * min(2, len(list(_quantities(line, language)))) + 2 * min(2, len(names))
    score += 3 * bool(next(_reasons(line, language), None)) + 2 * bool(next(_names(line, language), None))
    score -= 2 * line.count("\\") + 2 * (line.count("$") // 2) + line.count("(") + max(0, line.count(",") + line.count("、") - 2)
    return score + (8 <= length_in_words(line) <= 28)


# ---- what to ask for

_NUMBER = r"(?:\b(?:minus|about|plus or minus)\s)?(?<![\w.,/$^_-])[−-]?\d+(?:[.,]\d+)*(?:\s?×\s?10\^?[−-]?\d+)?"
_SI = (
    r"(?:[kMGTPEmunpfµμ]?(?:m|g|s|A|V|W|Hz|eV|J|K|Pa|T|C|F|H|bar|rad|B|b|Ω|L|l|N|Gy|Sv|Bq|Da)|°\s?C|°|%|h|d|min|dBm?|pp[mb])(?:[²³]|\^[23])?"
    r"(?![\w-])"
)
_UNIT = (
    rf"{_SI}(?:\s?[/·]\s?{_SI}|\s{_SI}|\sper\s[a-z]+)?"
    r"|percent|per cent|degrees(?:\s(?:Celsius|Fahrenheit))?|(?:cubic|square)\s[a-z]+|parts\sper\s[a-z]+"
)
_COUNTED = r"(?:[a-z][a-z-]{2,}\s){0,2}?[a-z][a-z-]+(?:s|people|men|women)(?:\s(?:per|a|an)\s[a-z]+)?"
_QUANTITY = re.compile(rf"{_NUMBER}\s?(?:{_UNIT})(?!\w)|{_NUMBER}\s{_COUNTED}\b")
_CONDITION = re.compile(r"\b(?:at|below|above|every|after|between|up to|when|than|from)\s+$", re.I)
_MINOR = STOP_WORDS - {"a", "an", "per", "about"}
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = re.compile(
    rf"(?:\b\d{{1,2}}\s)?\b{_MONTH}\s(?:\d{{1,2}},?\s)?\d{{4}}\b|\b\d{{1,2}}\s{_MONTH}\b|\b{_MONTH}\s\d{{1,2}}\b(?!\d)|(?<![\w.])(?:19|20)\d\d(?![\w.]\d|\w)"
)
_REASON = re.compile(r"\b(?:because|so that|in order to)\s+(?!of\b)(?:\S+\s+){2,}\S+(?=\.$)")
_VALUE = re.compile(r"(?:\b(?:is|was|are|of|to|below|above)|[为是])\s?(\d+(?:\.\d+)?)(?=[.,;，。；]?(?:\s|$))")
_PROPER = r"[A-Z][\w-]*(?:\s(?:[A-Z][\w-]*|\d+))*"
_CALLED = re.compile(rf"\b(?:called|named|nicknamed|known as)\s[“\"]?((?:the\s)?{_PROPER}(?:(?:,\s|\sand\s|,\sand\s|\sto\s){_PROPER})*)")
_NAME = re.compile(
    rf"\b(?:in|of|by|at|to|from|with|on)\s(?:the\s)?({_PROPER})(?=[,.;]|\s(?:and|in|on|at|by|for|to|from|with|is|was|has)\b)"
)

_DATE_ZH = re.compile(r"\d{4}\s?年(?:\s?\d{1,2}\s?月(?:\s?\d{1,2}\s?日)?)?")
_UNITS_ZH = (
    r"(?:百万分之)?(?:[千兆吉毫微纳皮]?(?:电子伏特?|米|秒|伏|安|瓦|赫兹?|帕|法|亨|欧姆?|特斯拉|克|升|焦耳|巴)|公里|厘米|分钟|小时|千克|公斤|吨|立方米|平方米|摄氏度|"
    r"[台个条次根块节组套只名人间座层天周年度圈匝倍种片道支处]|[a-zA-Zμ%°℃Ω]+)"
)
_QUANTITY_ZH = re.compile(rf"(?:正负\s?)?(?<![\d.])\d+(?:\.\d+)?\s?(?:万|亿)?{_UNITS_ZH}|百分之\s?(?:[\d.]+|[一二三四五六七八九十百]+)")
_REASON_ZH = re.compile(r"(?:原因是|理由是|因为|由于|以便|目的是)([^，。；,;]{4,40})")
_CALLED_ZH = re.compile(r"(?:称为|叫做|命名为|名为|代号为?)\s?(“[^”]+”|[A-Z][\w ]*[\u3400-\u9fff]*)")
_CLAUSE_ZH = re.compile(r"[^，。；,;]{4,}?(?:是|为)\s?([^，。；,;为是]{2,20})。$")


def _short_answers(line: str, language: str) -> Iterator[str]:
    """Spans of a sentence that can be asked for, the best kind first; each stands in the sentence only once."""
    for find in (_reasons, _names, _quantities, _dates, _values, _others):
        for found in find(line, language):
            answer = found.strip()
            if line.count(answer) == 1 and not re.search(r"[$\\]", answer):
                yield answer


def _reasons(line: str, language: str) -> Iterator[str]:
    if language == "zh":
        return (found[1] for found in _REASON_ZH.finditer(line))
    return (found[0] for found in _REASON.finditer(line))


def _names(line: str, language: str) -> Iterator[str]:
    return (found[1] for found in (_CALLED_ZH if language == "zh" else _CALLED).finditer(line))


def _quantities(line: str, language: str) -> list[str]:
    """Numbers with units or what they count; those that only state a condition (`at 4.4 K`) come last."""
    dates = [found.span() for found in (_DATE_ZH if language == "zh" else _DATE).finditer(line)]
    found = [
        match
        for match in (_QUANTITY_ZH if language == "zh" else _QUANTITY).finditer(line)
        if not any(start <= match.start() < end for start, end in dates) and not _MINOR & set(match[0].split())
    ]
    return [match[0] for match in sorted(found, key=lambda match: bool(_CONDITION.search(line[: match.start()])))]


def _dates(line: str, language: str) -> Iterator[str]:
    return (found[0] for found in (_DATE_ZH if language == "zh" else _DATE).finditer(line))


def _values(line: str, language: str) -> Iterator[str]:
    """A bare number that something is: `is 3.6`."""
    return (found[1] for found in _VALUE.finditer(line))


def _others(line: str, language: str) -> Iterator[str]:
    """A name in the middle of a sentence; in Chinese what a sentence says that something is."""
    if language == "zh":
        return (found[1] for found in _CLAUSE_ZH.finditer(line))
    return (found[1] for found in _NAME.finditer(line) if len(found[1]) > 4)
