"""Can a question be understood without its source? References to the work, pronouns, and things nobody has named."""

from __future__ import annotations

import re

from qagen.checks.elements import names
from qagen.checks.language import language_of
from qagen.checks.quantities import quantities
from qagen.checks.words import content_words

_WORK = (
    r"papers?|articles?|stud(?:y|ies)|works?|sections?|chapters?|reports?|passages?|texts?|documents?|excerpts?|sentences?|statements?|"
    r"notes?|context|manuscripts?|publications?|theses|thesis|letter|appendix|paragraphs?|sources?|abstracts?|proceedings|contributions?|reviews?"
)
_OUTSIDE = re.compile(
    rf"\b(?:this|these|present|following|given|above|provided|our|current|cited)\s+(?:\w+\s+)?(?:{_WORK})\b(?!\s+functions?)"
    r"|\bthe\s+(?:authors?(?:'s?)?|passage|text|excerpt|sentence|statement|paper|article|context|manuscript|publication|paragraph|abstract)\b"
    r"|\bthe\s+(?:document|source|report|study|work|section|table|figure|equation|formula|plot|graph|diagram|caption|appendix|reference)\s+"
    r"(?:says?|states?|reports?|shows?|describes?|mentions?|gives?|discuss(?:es)?|lists?|presents?|provides?|suggests?|finds?|claims?|above|below)\b"
    r"|\baccording\s+to\s+the\s+(?:source|document|report|study|table|figure|work|results)\b"
    r"|\b(?:in|from)\s+the\s+(?:provided|given|table|figure|equation|caption|source\s+text)\b(?!\s+(?:of\b|\S{1,8}\s*=))"
    r"|\b(?:mentioned|described|discussed|shown|listed|given|stated|defined|introduced|presented|noted|seen|explained)\s+(?:above|below|here|earlier|previously|before)\b"
    r"|\b(?:as\s+)?(?:mentioned|described|discussed|shown|listed|stated|defined|introduced|presented|reported|noted)\s+in\s+(?:the\s+)?(?:text|paper|table|figure|section|"
    rf"passage|document|source|{_WORK})\b"
    r"|\b(?:afore|above-?)(?:mentioned|said)\b|\b(?:we|our|us|ours|my)\b(?!\.)|\b(?-i:I)\s+[a-z]{3,}"
    r"|\b(?:row|column|line|entry|entries|panel|curve)s?\s+of\s+(?:the|this)\s+(?:table|figure|plot|graph|list)\b|\b(?:listed|given|shown)\s+in\s+the\s+(?:last|first|second|third|top|bottom)\b"
    r"|\bet al\b|\[\d[\d, –-]*\]|\bhere\s+(?:reported|presented|described|proposed|used|studied)\b"
    r"|本(?:文|章|节|篇|报告|论文|研究|工作|实验|系统|装置|项目|方法)|[该这此](?:篇|论文|文|文章|文献|研究|章|节|段|图|表|报告|工作|公式|方程)|作者|上述|上文|下文|前文|"
    r"文中|文章中|原文(?!没有|未)|我们|笔者|如前所述|如上所述|如[下上]?[图表]|所述|以上(?:方法|结果|实验)|下(?:图|表|式)|上(?:图|表|式)"
    r"|[图表式]\s*[（(]?\d|公式\s*[（(]?\d|公式(?:中|给出)|方程\s*[（(]\s*\d|第\s*[\d一二三四五六七八九十]+\s*[章节](?!点)|附录|参考文献",
    re.I,
)
_OUTSIDE_CASED = re.compile(
    r"\b(?:Figs?\.?|Figures?|Tabs?\.|Tables?|Eqs?\.|Equations?|Eqn\.|Secs?\.|Sections?|Refs?\.|References?|Chapters?|Appendix|Appendices|Formula)"
    r"[\s~]*[(\[]?(?:\d|[A-Z]\b)|\b(?:fig|figure|table|equation|eq|section|ref|chapter|appendix)\.?[\s~]*[(\[]?\d"
)
_TITLED = re.compile(
    r"\b(?:paper|article|study|report|work|note|thesis|document)s?\s*,?\s*(?:titled|entitled|called|named|on|about)?\s*[“\"‘«](?=.{8,})|《[^》]{2,}》"
)
_PRONOUN = re.compile(r"\b(?:it|its|they|them|their|he|she|his|her|this|these|those)\b(?! takes?\b)", re.I)
_EXPLETIVE = re.compile(
    r"\b(?:is|was|does|did|can|could|may|will|would)\s+it\s+\w+\s+(?:that|to|for|when|how|why)\b|\bit\s+is\s+\w+\s+(?:that|to)\b|\bof\s+these\b",
    re.I,
)
_EVERYBODY = re.compile(
    r"\b(?:do|can|can't|could|should|would|did|must)\s+we\s+(?:see|know|call|need|feel|understand|say|look)\b|\bwe\s+(?:know|call|see)\b|\btells?\s+us\b"
    r"|\bour\s+(?:own\s+)?(?:milky\s+way|galaxy|sun|solar\s+system|universe|earth|planet|sky|eyes?|moon)\b",
    re.I,
)
_CHOICE = re.compile(r"\bof\s+the\s+following\b(?:\s+\w+)?", re.I)
_ASKED_FOR = re.compile(
    r"\b(?:what|which|how|whose)\b.*?\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|must|should)\b", re.I
)
_PRONOUN_ZH = re.compile(r"^.{0,2}(?:它|其(?!中|他|余|次|实)|(?<!应)该|此(?!外|后|前|时)|这|他们|她)")
_POINTING_ZH = re.compile(
    r"(?<![应因如彼从由在至据为])(?:该|此|这[个种些台只套项条次]?|那[个种些台只套项条次]?)(?![外后前时类样里么])(?P<thing>[\u3400-\u9fff]{2})"
)


def points_outside(question: str, title: str = "", *, choice: bool = False) -> str | None:
    """The words by which a question cannot be understood without its source (`this paper`, `Figure 3`, 本文), or None.

    A work that the question names by its title is no reference outside; with a `choice`, "which of the following" is none.
    """
    question = _EVERYBODY.sub(" ", _CHOICE.sub(" ", question) if choice else question)
    named = title and len(title) > 8 and title.casefold() in question.casefold()
    if not named and not _TITLED.search(question) and (words := refers_to_the_work(question)):
        return words
    return _pronoun_first(question) or _unnamed(question, title) or _pointing(question) or _that_case(question)


def refers_to_the_work(text: str) -> str | None:
    """Words that mean the source itself, its parts or its authors, or None."""
    found = _OUTSIDE.search(text) or _OUTSIDE_CASED.search(text)
    return found[0].strip() if found else None


def _pronoun_first(question: str) -> str | None:
    """A pronoun before anything that it could stand for."""
    if language_of(question) == "zh":
        found = _PRONOUN_ZH.search(question)
        return found[0] if found else None
    question = _EXPLETIVE.sub(" ", question)
    found = _PRONOUN.search(question)
    before = _ASKED_FOR.sub(" ", question[: found.start()]) if found else ""
    if (
        found
        and found[0].lower() in ("they", "them", "their", "these", "those")
        and not re.search(r"s\b|\band\b|\bpeople\b|data\b|ae\b|\beach\b|\bevery", question[: found.start()].partition(" ")[2])
    ):
        return found[0]  # nothing in the plural that it could stand for
    return found[0] if found and not content_words(before) else None


def _that_case(question: str) -> str | None:
    """`in that case`, 在这种情况下, where the question has not said which."""
    found = _THAT_CASE.search(question)
    if found is None:
        return None
    before = question[: found.start()]
    return None if _SAID_CASE.search(before) or (found["noun"] and found["noun"].lower() in before.lower()) else found[0]


_THAT_CASE = re.compile(
    r"\b(?:in|at|under|during|for|with|after|before|on)\s+(?:that|those|such|this|these)\s+(?P<noun>[a-z-]{3,})\b|\bthen\b(?=\s*\?)"
    r"|(?:在|于)?(?:这|那|此|该)(?:种|个|些|类|一)?(?:情况|条件|情形|状态|时候|时刻|期间|阶段)下?",
    re.I,
)
_SAID_CASE = re.compile(
    r"\b(?:if|when|where|given|suppose|assum\w+|with|after|once|while|during)\b|\b(?:at|in|on|under|for)\s+(?:which|what)\b.*,\s*and\b"
    r"|如果|若|当|假设|设|时[,，]|后[,，]",
    re.I,
)


def _pointing(question: str) -> str | None:
    """该样品 where no 样品 came before."""
    for found in _POINTING_ZH.finditer(question):
        if found["thing"] not in question[: found.start()] and not re.search(
            r"[A-Za-z]{2,}|[\u3400-\u9fff]{4,}", question[: found.start()]
        ):
            return found[0]
    return None


def names_nothing(question: str, answer: str, title: str) -> bool:
    """Whether a question asks for one value of a thing that only its source knows: no name, no value, no word of the title."""
    if (
        language_of(question) != language_of(title)
        or names(question)
        or any(not one.word for one in quantities(question))
        or re.search(r"[A-Z]{2}|\b[A-Z]\b(?<!\bA)(?<!\bI)", question[1:])
    ):
        return False
    asked = set(content_words(question))
    return (
        bool(title)
        and len(asked) <= _FEW
        and not asked & set(content_words(title))
        and bool(quantities(answer) or names(answer))
        and bool(_DEFINITE.search(question))
    )


_DEFINITE = re.compile(
    r"\b(?:the|this|these|that)\s+(?!(?:value|number|unit|name|formula|symbol|order)\b)[a-z]", re.I
)  # Chinese has no article, and its proper names look like words
_FEW = 5  # content words of a question that cannot describe what it means

# ---- things that nobody has named

_THINGS = (
    r"samples?|specimens?|experiments?|set-?ups?|apparatus|devices?|methods?|approach|techniques?|algorithms?|simulations?|stud(?:y|ies)|measurements?|"
    r"data\s?sets?|prototypes?|teams?|groups?|collaboration|facility|instruments?|codes?|upgrades?|runs?|campaigns?|incidents?|tests?|detectors?|"
    r"machines?|systems?|models?|schemes?|designs?|configurations?|procedures?|results?|projects?|proposals?|researchers?|scientists?|investigators?|"
    r"experimenters?|analys[ie]s|calculations?|observations?|interlock|alloy|films?|plant|prototype|software|program|framework|circuit|accelerator|ring|"
    r"beamline|laboratory|company|board|operators?|modules?|unit|batch|batches|series|stages?|phases?|variants?|versions?|cases?|specimen"
)
_VAGUE = (
    r"proposed|presented|developed|described|investigated|studied|considered|reported|mentioned|employed|above|same|new|present|current|other|"
    r"former|latter|chosen|resulting|final|original|previous|improved|modified|various"
)
_ALONE = re.compile(
    rf"\b(?:the|these|those|this)\s+(?:{_THINGS})\b(?!\s+(?:of|for|in|at|on|with|called|named|used|by|known|from|that|which|to)\b|\s+[A-Z]|[-\s]+\w*\d)",
    re.I,
)
_VAGUELY = re.compile(rf"\b(?:the|this|these)\s+(?:newly\s+)?(?:{_VAGUE})\s+(?:[a-z-]+\s)?(?:{_THINGS})\b", re.I)
_COUNTED = re.compile(
    rf"\b(?:the)\s+(?:first|second|third|fourth|fifth|last|next|other|remaining|two|three|four)\s+(?:{_THINGS})\b(?!\s+(?:of|in|at|for)\s+(?:the\s+)?[A-Z])",
    re.I,
)
_ZH_VAGUE = re.compile(
    r"(?:所(?:提出|设计|研究|使用|采用|述|用)的?|新提出的|第[一二三四五六七八九十]个?)(?:样品|方法|装置|算法|模型|实验|系统|方案|探测器|器件|技术)"
)


def _unnamed(question: str, title: str) -> str | None:
    """`the second sample`, `the proposed method`, `the detector`: a thing known only to who has the source before them."""
    if language_of(question) == "zh":
        found = _ZH_VAGUE.search(question)
        return found[0] if found and not names(question) else None
    if names(question) or re.search(r"\d", question):
        return None
    for pattern in (_VAGUELY, _COUNTED, _ALONE):
        found = pattern.search(question)
        if found and not _anchored(question, found):
            return found[0]
    return None


def _anchored(question: str, found: re.Match[str]) -> bool:
    """Whether the question tells enough beside the thing: four content words that are not its own, or a thing introduced before."""
    noun = found[0].split()[-1].lower()
    if re.search(rf"\b(?:an?|any|each)\s+(?:[a-z-]+\s+){{0,3}}{re.escape(noun)}", question[: found.start()], re.I):
        return True
    own = set(content_words(found[0]))
    return len(set(content_words(question)) - own) >= 5
