"""Is this a pair that can be learnt from, as far as rules can tell? English and Chinese.

Every rule looks at one defect and names it with a stable word that can be counted. Rules err on the side of refusal: a
pair lost costs little, a pair that teaches nonsense costs trust.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from qagen.checks.ground import numbers
from qagen.checks.words import content_words, language_of, length_in_words, number_words

LONGEST_QUESTION, LONGEST_ANSWER = 60, 150  # words


LEAST_KEPT, LEAST_KEPT_OPEN = 0.6, 0.4  # share of a statement's content words that its question must hold; without a hole


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason against a pair: `reason` can be counted, `detail` is for a person."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair before it is one. `context` is what the teacher saw; `evidence` the part of it that proves the answer.

    `examples` are the questions of the prompt's own examples, which small teachers like to repeat. `wording` is the
    statement with a hole that the question was made from, if it was: then the question must ask just for that hole.
    """

    question: str
    answer: str
    evidence: str
    context: str
    examples: Collection[str] = ()
    wording: str = ""


def faults(pair: Candidate) -> list[Fault]:
    """All that is wrong with a pair, the most telling first; empty if no rule objects."""
    if not pair.question.strip() or not pair.answer.strip():
        return [Fault("empty", "no question" if not pair.question.strip() else "no answer")]
    return [fault for rule in _RULES for fault in rule(pair)]


def addresses_a_model(text: str) -> str | None:
    """The words with which a text speaks to a language model instead of its reader, or None."""
    found = _INJECTION.search(text)
    return found[0] if found else None


def points_outside(question: str) -> str | None:
    """The words by which a question cannot be understood without its source (`this paper`, `Figure 3`, 本文), or None."""
    found = _OUTSIDE.search(question) or _OUTSIDE_CASED.search(question)
    return found[0].strip() if found else _pronoun_first(question)


# ---- what the rules look for

_WORK = (
    r"papers?|articles?|stud(?:y|ies)|works?|sections?|chapters?|reports?|passages?|texts?|documents?|excerpts?|sentences?|statements?|"
    r"notes?|context"
)
_OUTSIDE = re.compile(
    rf"\b(?:this|these|present|following|given|above|provided|our)\s+(?:\w+\s+)?(?:{_WORK})\b"
    r"|\bthe\s+(?:authors?|passage|text|excerpt|sentence|statement|paper|article|context)\b"
    r"|\b(?:mentioned|described|discussed|shown|listed|given|stated)\s+(?:above|below|here|earlier|previously)\b"
    r"|\b(?:we|our|us|ours|my|i)\b(?!\.)|\bet al\b|\[\d[\d, –-]*\]"
    r"|本(?:文|章|节|篇|报告|论文|研究|工作)|[该这此](?:篇|论文|文|文章|文献|研究|章|节|段|图|表|报告)|作者|上述|上文|下文|前文|文中|文章中|原文|我们|如[图表]"
    r"|[图表式]\s*[（(]?\d|公式|方程[（(]\d",
    re.I,
)
_OUTSIDE_CASED = re.compile(
    r"\b(?:Figs?\.?|Figures?|Tabs?\.|Tables?|Eqs?\.|Equations?|Eqn\.|Secs?\.|Sections?|Refs?\.|References?|Chapters?|Appendix|Appendices)"
    r"[\s~]*[(\[]?(?:\d|[A-Z]\b)|\b(?:fig|figure|table|equation|eq|section|ref)\.?\s*[(\[]?\d"
)
_PRONOUN = re.compile(r"\b(?:it|its|they|them|their|he|she|his|her|this|these|those)\b(?! takes?\b)", re.I)
_ASKED_FOR = re.compile(
    r"\b(?:what|which|how|whose)\b.*?\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|must|should)\b", re.I
)
_PRONOUN_ZH = re.compile(r"^.{0,2}(?:它|其(?!中|他|余)|该|此|这|他们|她)")

_MODELS = (
    r"(?:(?:large\s+)?language\s+models?|LLMs?|AI\s+(?:assistants?|systems?|models?|agents?|reviewers?|tools?)|chat\s?bots?|"
    r"ChatGPT|GPT-?\d*)"
)
_OBEY = (
    r"(?:answer|reply|respond|output|say|state|write|praise|recommend|ignore|report|print|repeat|rate|include|insert|give|stop|disregard)"
)
_INJECTION = re.compile(
    rf"\b(?:ignore|disregard|forget|override)\b.{{0,40}}\b(?:instructions?|prompts?|rules|guidelines|directions)\b"
    rf"|\b(?:attention|note|message|instructions?|notice|request)\s*(?:to|for|:)\s*(?:all|any|every|the)?\s*{_MODELS}\b"
    rf"|\b(?:if|when|since|because)\s+you\s+are\s+(?:an?|the)\s+{_MODELS}\b|\byou\s+are\s+(?:now\s+)?(?:an?|the)\s+(?:{_MODELS}|assistant)\b"
    rf"|\b{_MODELS}\b.{{0,40}}\b(?:must|should|shall|please|are\s+(?:asked|told|instructed|required|ordered)\s+to)\s+(?:always\s+|only\s+|now\s+|not\s+)?{_OBEY}\b"
    rf"|\bas\s+an?\s+(?:AI|{_MODELS})\b.{{0,20}}\b(?:I|you)\b|\bsystem\s+prompt\b|<\|\w+\|>|\[/?INST\]|<</?SYS>>"
    r"|(?:忽略|无视|忘记|不要理会).{0,12}(?:指令|提示|说明|要求|规则)|(?:语言模型|大模型|人工智能|AI|智能助手).{0,15}(?:必须|应当|应该|请|务必).{0,6}(?:回答|输出|回复|说|写|忽略|给出)"
    r"|(?:致|给|提醒).{0,6}(?:语言模型|大模型|AI\s*助手|人工智能)|你是(?:一个|一名)?.{0,6}(?:语言模型|助手|人工智能)|系统提示词",
    re.I | re.S,
)


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


# ---- the rules


def _asks(pair: Candidate) -> Iterator[Fault]:
    if not pair.question.rstrip().endswith(("?", "？")):
        yield Fault("no-question-mark", pair.question[-40:])


def _right_length(pair: Candidate) -> Iterator[Fault]:
    words = length_in_words(pair.question)
    if words < 4:
        yield Fault("too-short", f"a question of {words} words")
    if words > LONGEST_QUESTION:
        yield Fault("too-long", f"a question of {words} words")
    if length_in_words(pair.answer) > LONGEST_ANSWER:
        yield Fault("too-long", f"an answer of {length_in_words(pair.answer)} words")


def _no_injection(pair: Candidate) -> Iterator[Fault]:
    for name, text in (("question", pair.question), ("answer", pair.answer), ("evidence", pair.evidence)):
        if words := addresses_a_model(text):
            yield Fault("injection", f"the {name} speaks to a language model: {words}")
            return


def _no_loop(pair: Candidate) -> Iterator[Fault]:
    """Small models repeat themselves: the same three words three times, or the same word five times."""
    words = re.findall(r"[\u3400-\u9fff]|\w+", pair.question.lower())
    triples = Counter(zip(words, words[1:], words[2:], strict=False))
    if max(triples.values(), default=0) >= 3 or max(Counter(content_words(pair.question)).values(), default=0) >= 5:
        yield Fault("repeats-itself", pair.question[:80])


def _same_language(pair: Candidate) -> Iterator[Fault]:
    wanted, got = language_of(pair.evidence), language_of(pair.question)
    if wanted != got:
        yield Fault("wrong-language", f"a question in {got} about evidence in {wanted}")


def _self_contained(pair: Candidate) -> Iterator[Fault]:
    if words := points_outside(pair.question):
        yield Fault("not-self-contained", f"the question says `{words}`")


def _numbers_proven(pair: Candidate) -> Iterator[Fault]:
    proven = set(numbers(pair.evidence)) | number_words(pair.evidence)
    if missing := [number for number in numbers(pair.answer) if number not in proven]:
        yield Fault("number-not-in-evidence", f"the answer's {', '.join(missing)}")
    known = proven | set(numbers(pair.context)) | number_words(pair.context)
    if invented := [number for number in numbers(pair.question) if number not in known]:
        yield Fault("number-invented", f"the question's {', '.join(invented)}")


def _keeps_the_answer(pair: Candidate) -> Iterator[Fault]:
    answer, question = _bare(pair.answer), _bare(pair.question)
    words = set(content_words(pair.answer))
    whole = bool(answer) and re.search(rf"(?<![a-z0-9.]){re.escape(answer)}(?![a-z0-9])", question)
    if whole or (words and words <= set(content_words(pair.question))):
        yield Fault("answer-in-question", f"`{pair.answer[:60]}` is said by the question")


def _on_the_source(pair: Candidate) -> Iterator[Fault]:
    asked = set(content_words(pair.question))
    if not asked & set(content_words(pair.evidence)):
        yield Fault("off-source", "the question shares no content word with its evidence")


def _keeps_the_wording(pair: Candidate) -> Iterator[Fault]:
    """A question made from a statement may add nothing to it and may leave out little."""
    if not pair.wording:
        return
    said, asked = set(content_words(pair.wording)), set(content_words(pair.question))
    if added := sorted(asked - said - _ASKING):
        yield Fault("adds-words", ", ".join(added))
    if _HOLE.search(pair.question):
        yield Fault("wrong-form", "the question still has the hole")
    hole, asked_of = _HOLE.search(pair.wording), _ASKED_OF.search(pair.wording)
    if asked_of and not set(content_words(asked_of[1])) <= asked:
        yield Fault("leaves-out", asked_of[1])
    body = set(content_words(_HOLE.sub(" ", pair.wording)))
    if len(body & asked) < (LEAST_KEPT if hole else LEAST_KEPT_OPEN) * len(body):
        yield Fault("leaves-out", ", ".join(sorted(body - asked)))
    wanted = _FORMS.get(hole[1].split()[0] if hole else "", _ANY_FORM)
    # A hole after 为 (is) that is filled by 什么 (what) reads 为什么: why.
    turned_why = hole is not None and hole[1] != "什么原因" and "为什么" in pair.question
    if turned_why or not wanted.search(pair.question):
        yield Fault("wrong-form", f"{hole[0] if hole else 'a statement'} asked as `{pair.question[:40]}`")


def _no_example(pair: Candidate) -> Iterator[Fault]:
    if _bare(pair.question) in {_bare(example) for example in pair.examples}:
        yield Fault("copies-example", "the question is one of the prompt's examples")


_RULES = (
    _no_injection,
    _asks,
    _right_length,
    _no_loop,
    _no_example,
    _same_language,
    _self_contained,
    _keeps_the_answer,
    _numbers_proven,
    _on_the_source,
    _keeps_the_wording,
)


def _pronoun_first(question: str) -> str | None:
    """A pronoun before anything that it could stand for."""
    if language_of(question) == "zh":
        found = _PRONOUN_ZH.search(question)
        return found[0] if found else None
    found = _PRONOUN.search(question)
    before = _ASKED_FOR.sub(" ", question[: found.start()]) if found else ""
    return found[0] if found and not content_words(before) else None


def _bare(text: str) -> str:
    return re.sub(r"[\s$~{}\\]+", " ", text.lower()).strip(" .?!。？！,，;；:：\"'“”")
