"""The form of a pair: a question of some length, in the language asked for, with options that differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from qagen.checks.candidate import Candidate, Fault
from qagen.checks.quantities import quantities, same
from qagen.checks.wording import strays
from qagen.checks.words import content_words, language_of, length_in_words

LONGEST_QUESTION, LONGEST_ANSWER, LONGEST_SUMMARY = 80, 150, 400  # words
_LONG_QUESTIONS, _LONG_ANSWERS = frozenset(["numerical", "derivation"]), frozenset(["summary", "derivation", "procedure"])


_REQUEST = re.compile(
    r"(?:^|[.;:,]\s+)(?:please\s+)?(?:summari[sz]e|describe|explain|list|compare|contrast|outline|name|state|calculate|compute|derive|give|define|discuss|"
    r"estimate|determine|show|identify|sketch|find|prove|obtain|express|evaluate|characteri[sz]e|justify|tell)\b"
    r"|(?:^|[。；，,;])\s*(?:请|试|简述|简要|概括|总结|概述|说明|描述|叙述|解释|列出|列举|比较|对比|计算|推导|估算|求|写出|指出|给出|证明|定义)",
    re.I,
)


def asks(pair: Candidate) -> Iterator[Fault]:
    """A question ends like one, or is a request in the imperative."""
    if not pair.question.rstrip().rstrip("”\"')）").endswith(("?", "？")) and not _REQUEST.search(pair.question.strip()):
        yield Fault("no-question-mark", pair.question[-40:])


_SIGN = re.compile(r"[\u3400-\u9fff]|[A-Za-z0-9-]+")
_SHORTEST_ZH = 5  # characters: 什么是硬碳


def right_length(pair: Candidate) -> Iterator[Fault]:
    """Question and answer are neither too short nor too long."""
    words = length_in_words(pair.question)
    if words < 4 and (language_of(pair.question) != "zh" or len(_SIGN.findall(pair.question)) < _SHORTEST_ZH):
        yield Fault("too-short", f"a question of {words} words")
    if words > LONGEST_QUESTION * (3 if pair.kind in _LONG_QUESTIONS else 1):
        yield Fault("too-long", f"a question of {words} words")
    if length_in_words(pair.answer) > (LONGEST_SUMMARY if pair.kind in _LONG_ANSWERS else LONGEST_ANSWER):
        yield Fault("too-long", f"an answer of {length_in_words(pair.answer)} words")


def no_loop(pair: Candidate) -> Iterator[Fault]:
    """Small models repeat themselves: the same three words three times, or the same word five times."""
    words = re.findall(r"[\u3400-\u9fff]|\w+", pair.question.lower())
    triples = Counter(zip(words, words[1:], words[2:], strict=False))
    if max(triples.values(), default=0) >= 3 or max(Counter(content_words(pair.question)).values(), default=0) >= 5:
        yield Fault("repeats-itself", pair.question[:80])


def same_language(pair: Candidate) -> Iterator[Fault]:
    """Question and answer are in the language asked for, else in that of the evidence."""
    wanted, got = pair.language or language_of(pair.evidence or pair.context), language_of(pair.question)
    if wanted != got:
        yield Fault("wrong-language", f"a question in {got}, wanted in {wanted}")
    elif wanted == "en" and length_in_words(pair.answer) >= 4 and language_of(pair.answer) != "en":
        yield Fault("wrong-language", f"an answer in {language_of(pair.answer)}, wanted in {wanted}")
    elif wanted == "zh" and not re.search(r"[\u3400-\u9fff]", pair.answer) and len(content_words(pair.answer)) >= 6:
        yield Fault("wrong-language", "an English answer to a Chinese question")


def no_example(pair: Candidate) -> Iterator[Fault]:
    """Small teachers repeat the examples of their prompt."""
    if bare(pair.question) in {bare(example) for example in pair.examples}:
        yield Fault("copies-example", "the question is one of the prompt's examples")


def keeps_the_wording(pair: Candidate) -> Iterator[Fault]:
    """A question made from a statement may add nothing to it and may leave out little."""
    if pair.wording:
        yield from (Fault(reason, detail) for reason, detail in strays(pair.wording, pair.question))


def choices(pair: Candidate) -> Iterator[Fault]:
    """The options of a multiple choice: told apart from the answer and from each other."""
    if pair.kind == "choice" and len(pair.distractors) < 2:
        yield Fault("too-few-options", f"{len(pair.distractors)} wrong options")
    options = [pair.answer, *pair.distractors]
    for number, option in enumerate(options):
        for other in options[:number]:
            if _alike(option, other, pair.question):
                yield Fault("options-alike", f"`{option[:60]}` is `{other[:60]}`")
                return


def _alike(a: str, b: str, question: str) -> bool:
    """Whether two options say the same: the same words, or one value in two units."""
    mine, theirs = quantities(a), quantities(b)
    if (
        sorted(content_words(a)) == sorted(content_words(b))
        and re.search(r"\b(?:and|or)\b|和|或|与|及|、", a)
        and not _ORDERED.search(f"{a} {b}")
    ):
        return True  # `krypton or xenon`, `xenon or krypton`
    if bare(a) == bare(b) or not mine or len(mine) != len(theirs):
        return bare(a) == bare(b)
    figures = {word for one in (*mine, *theirs) for word in content_words(one.text)}
    rest = (set(content_words(a)) - figures) ^ (set(content_words(b)) - figures)
    return rest <= set(content_words(question)) and all(map(same, mine, theirs))  # `14`, `14 tools`, where the question names the tools


_ORDERED = re.compile(r"\b(?:then|before|after|from|to|than|first|per|by)\b|[先后前到]|\d")


def bare(text: str) -> str:
    """A text without case, mathematical signs and closing punctuation."""
    return re.sub(r"[\s$~{}\\]+", " ", text.lower()).strip(" .?!。？！,，;；:：\"'“”")
