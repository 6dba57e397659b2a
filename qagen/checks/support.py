"""Does the evidence say what the answer says, as far as words can tell: content, negation, opposites, who is meant.

Only statements in the same language can be compared by words; across languages, numbers and names have to do.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from qagen.checks.elements import names
from qagen.checks.ground import denials
from qagen.checks.opposites import opposed, same_side, sided_words, sides
from qagen.checks.quantities import connected, quantities
from qagen.checks.typography import plain
from qagen.checks.units import unit_at
from qagen.checks.words import STOP_CHARACTERS, content_words, language_of, length_in_words

LEAST_SHORT, LEAST_LONG = 0.5, 0.4  # share of an answer's own content words that its evidence must hold
_SHORT = 6  # content words of a short answer
_BRIEF = 5  # words of an answer that cannot have told two things
_PROCEDURE, _LEFT_OUT = 12, 0.5  # content words of a procedure, and the share of them that an answer may leave out
_IDLE_TEXT: str = tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))["words"]["idle"]
IDLE = frozenset([*content_words(_IDLE_TEXT), *(word for word in _IDLE_TEXT.split() if not word.isascii())])

_SOURCE = (
    r"(?:source|text|document|paper|passage|"
    r"article|report|study|authors?|context|excerpt|material|manuscript|publication|chapter|section)s?"
)
_TELL = (
    r"(?:stat|giv|specif|mention|report|sa[iy]|provid|describ|discuss|know|avail|disclos|address|cover|includ|measur|determin|test|stud[iy]|investigat|tell|told|"
    r"reveal|publish|record|found|find|list|indicat|answer|contain|suppl|quot|explain|quantif|tr[iy]|examin|compar|inferr?|deriv|establish|touch|offer|shar|explor|consider)\w*"
)
_HONEST = re.compile(
    rf"\b{_SOURCE}\b[^.]{{0,60}}\b(?:(?:does|do|did|is|are|was|has|have|were|can)\s?(?:n['’]?t|not)|not|no|nothing|never|neither|nowhere|silent|without|fails?\s+to|omits?|leaves?|lacks?|"
    r"stops?\s+short)\b"
    rf"|\b(?:not|n['’]t|never|nowhere)\s+(?:(?:[\w-]+\s+){{0,3}}){_TELL}\b|\bcannot\s+be\s+(?:answered|determined|told|inferred|found|derived|known)\b"
    rf"|\bno\s+(?:\w+\s+)?(?:information|value|mention|statement|data|figure|indication|details?|answer|account|word|hint|number|price)\b|\bnothing\b[^.]{{0,40}}\b(?:{_TELL}|about|on)\b"
    r"|\bun(?:known|stated|published|disclosed|specified|reported|mentioned|answered|addressed|recorded)\b|\bleaves?\s+(?:\w+\s+)?open\b|\b(?:is|are|remains?|was)\s+(?:left\s+)?open\b"
    r"|\bout(?:side)?\s+(?:of\s+)?(?:the\s+|its\s+)?scope\b|\bsilent\s+(?:on|about)\b|\bopen\s+question\b|\bnot\s+something\b|\bimpossible\s+to\s+(?:say|tell)\b|\b(?:one\s+)?cannot\s+(?:say|tell|know)\b"
    r"|(?:没有|未|并未|并没有|尚未|无法|不能|从未)[\u3400-\u9fff]{0,6}(?:说明|给出|提及|提到|指出|报告|说|介绍|涉及|提供|描述|回答|得知|统计|评估|分析|考察|检验|谈及|论及|予以|确定|测[量试定]?|记载|公布|公开|列出|透露|披露|讨论|研究|交代|写明|记录|知道|判断|推断)"
    r"|(?:原文|文中|资料|来源|材料)[\u3400-\u9fff]{0,6}(?:没有|未|无|不|缺)|无法(?:回答|得知|知道)|不得而知|只字未提|找不到|(?:没有|无|缺乏|缺少)[\u3400-\u9fff]{0,6}(?:信息|数据|资料|记载|说明|内容)|不详|未知|无从|不清楚|没有(?:答案|做|进行)|不明确|未予|不在[^，。]{0,8}之列",
    re.I,
)
_YES_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|must|should|may)\b|,\s*(?:is|are|was|were|do|does|did|has|have|had|can|could)\s",
    re.I,
)
_YES_NO_ZH = re.compile(r"是否|能否|可否|有没有|吗[？?]|会不会|是不是")
_YES = re.compile(r"^\s*(?:yes\b|是的?[，,。]|有[，,。]|会[，,。]|能[，,。]|可以)", re.I)
_NO = re.compile(r"^\s*(?:no\b|否|不[，,。是会能]|没有[，,。])", re.I)
_CLAUSE = re.compile(r"[;；。！？\n]|,(?=\s|[\u3400-\u9fff])|，|、|\.\s|\bwhile\b|\bwhereas\b|\band\b|\bbut\b|而|但|[!?]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_SENTENCE = re.compile(r"[;；。！？\n]|[.!?](?:\s|$)")
_NEGATED = re.compile(
    r"\b(?:not|never|no|neither|nor|cannot|n't|none\s+of|hardly|unable\s+to|fail(?:s|ed)?\s+to)\b\s*(?P<after>(?:[\w-]+\s*){1,6})|"
    r"(?:没有|未能|未|无法|不能|不会|不|无(?=[\u3400-\u9fff])|没|并非)(?P<han>[\u3400-\u9fffA-Za-z0-9 ]{1,10})",
    re.I,
)
_PER = re.compile(r"\s?/\s?|\sper\s")
_RATHER = re.compile(r"\brather\s+than\b|\binstead\s+of\b|,?\s*\bnot\s+(?:by|from|to|with|in)\b(?=[^.]*$)|而不是|而非|，?而?并非", re.I)
_UNLIKE = re.compile(
    r"\b(?:unlike|in\s+contrast\s+to|as\s+opposed\s+to|contrary\s+to)\s+(?P<other>[^,;.]{3,60}?)[,;]\s|(?:与|和)[^，,。]{1,20}?不同[，,]",
    re.I,
)
_NOT_NEGATED_ZH = re.compile(
    r"是否|能否|可否|会不会|是不是|能不能|有没有|要不要|可不可|非常|不同|不仅|无论|不但|不断|未来|无线|无机|无氧|无载|不锈钢|不确定|不稳定|无限|不久|不少|不过|不等|不变|没收|非线性"
)
_TWO_THINGS = re.compile(
    r"^(?:how|in what way|to what extent)\s+(?:do|does|did|are|is|were|was|will|would|have|has)\s+(?:the\s+)?"
    r"(?P<one>[\w -]{3,60}?)\s+and\s+(?:the\s+)?(?P<two>[\w -]{3,60}?)\s+"
    r"(?:change|vary|differ|compare|depend|behave|evolve|scale|affect|respond|develop)"
    r"|[,，]?\s(?:and|as well as)\s+(?:what|which|how|why|where|when|who|on\s+which|at\s+what|in\s+which|by\s+how|for\s+how|to\s+what)\b"
    r"|(?P<one_zh>[\u3400-\u9fff]{2,12})[和与及](?P<two_zh>[\u3400-\u9fff]{2,12}?)(?:各|分别|如何|怎样|有何|是多少|有什么)",
    re.I,
)


def is_honest(answer: str) -> bool:
    """Whether an answer says that the source does not say."""
    return bool(_HONEST.search(answer))


def says_yes_or_no(answer: str) -> bool:
    """Whether an answer begins with yes or no."""
    return bool(_YES.match(answer) or _NO.match(answer))


def asks_yes_or_no(question: str) -> bool:
    """Whether a question can be answered with yes or no."""
    return bool(_YES_NO.search(question) or _YES_NO_ZH.search(question))


def support(answer: str, question: str, evidence: str, context: str = "") -> float:
    """The share of what an answer adds to its question that the evidence carries, or (for half) its context; 1 if it adds nothing.

    A quantity or a name that is proven counts like a word, for a sentence around a value adds only its verb.
    """
    if language_of(answer) == "zh":
        return _support_zh(answer, question, evidence, context)
    own = _own_words(answer, question)
    there, near = set(content_words(worded(evidence))), set(content_words(worded(context)))
    if not own:
        return 1.0
    asked = {one.key for one in quantities(question)}
    if len(own) == 1 and any(one.unit.dimension for one in quantities(answer)):
        return 1.0  # the verb of a sentence around a value; the value is proven elsewhere
    values = {one.key for one in quantities(answer)} - asked
    proven = len(values & {one.key for one in quantities(evidence)}) + len(names(answer) - names(question))
    like = same_side(answer, evidence)
    carried = sum(1.0 if _said(word, there) or word in like else 0.5 if _said(word, near) else 0.0 for word in own)
    return (carried + proven) / (len(own) + proven)


def _counted_unsaid(answer: str, sources: Sequence[str]) -> str | None:
    """What an answer measures (`160 mg/L isoflurane`), where no source speaks of it."""
    read, there = plain(answer), {word for source in sources for word in content_words(source)}
    for one in quantities(answer):
        found = re.match(r"\s(?:of\s)?([a-z]{4,})\b", read[one.end :])
        word = content_words(found[1]) if found else []
        if word and word[0] not in IDLE and one.unit.dimension and not names(word[0]) and not _said(word[0], there):
            return found[1] if found else None
    return None


def _support_zh(answer: str, question: str, evidence: str, context: str) -> float:
    """The same for Chinese, by characters: those of a pair of characters that the evidence has are carried by it."""
    read = _without_quantities(answer)
    there = {word for word in content_words(evidence) if len(word) == 2} | set(sided_words(evidence))
    near = {word for word in content_words(context) if len(word) == 2}
    asked = {word for word in content_words(question) if len(word) == 2} | IDLE
    told = sides(evidence)
    marks = {"there": set[int](), "near": set[int](), "asked": set[int]()}
    for at in range(len(read) - 1):
        pair = read[at : at + 2]
        for mark, held in (("there", pair in there or bool(sides(pair) & told)), ("near", pair in near), ("asked", pair in asked)):
            marks[mark] |= {at, at + 1} if held else set()
    own = [at for at, sign in enumerate(read) if _HAN.match(sign) and sign not in STOP_CHARACTERS | _DENYING and at not in marks["asked"]]
    if len(own) <= 2 * bool(quantities(answer)):
        return 1.0
    asked_values = {one.key for one in quantities(question)}
    proven = 2 * len({one.key for one in quantities(answer)} - asked_values & {one.key for one in quantities(evidence)})
    carried = sum(1.0 if at in marks["there"] else 0.5 if at in marks["near"] and context else 0.0 for at in own)
    return (carried + proven) / (len(own) + proven)


def unsupported(answer: str, question: str, evidence: str, context: str = "") -> str | None:
    """The words of an answer that nothing in the evidence carries, where they are too many; None if they are not."""
    if language_of(answer) != language_of(evidence):
        return None
    own = _own_words(answer, question)
    if counted := _counted_unsaid(answer, [question, evidence, context]):
        return counted
    short = len(own) <= _SHORT
    share = support(answer, question, evidence, "" if short else context)
    if share >= (LEAST_SHORT if short else LEAST_LONG) and not (share <= LEAST_SHORT and len(own) == 2 and length_in_words(answer) <= 4):
        return None
    there = set(content_words(worded(evidence)))
    return ", ".join(word for word in own if not _said(word, there)) or "words"


def _without_quantities(text: str) -> str:
    """A Chinese text without its quantities and the measure words behind them."""
    read = plain(text)
    for found in quantities(text):
        read = re.sub(
            re.escape(found.text) + (r"\s?[次个台座条根块级种支组层只项类步点件套节圈篇]?" if not found.unit.dimension else ""),
            " ",
            read,
            count=1,
        )
    return read


def _own_words(answer: str, question: str) -> list[str]:
    """The content words that an answer adds to its question, without those that carry nothing by themselves."""
    asked = set(content_words(question)) | IDLE
    own, named = dict.fromkeys(content_words(worded(answer))), names(answer)
    return [word for word in own if word not in asked and word not in named and not names(word)]  # names are compared as names


@lru_cache(maxsize=1024)
def worded(text: str) -> str:
    """A text without its quantities: they are compared as such."""
    read = plain(text)
    for found in quantities(text):
        read = read.replace(found.text, " ", 1)
    for per in reversed(list(_PER.finditer(read))):
        if unit := unit_at(read, per.end()):  # `lines per millimetre` is `lines/mm`
            read = read[: per.start()] + " " + read[unit[0] :]
    return re.sub(r"\bby\s+(?:mass|weight|volume|number)\b", " ", read)


def _said(word: str, there: Collection[str]) -> bool:
    """Whether a word stands there, in itself or in a form of it (`crystal` in `crystalline`, `deposit` in `deposition`)."""
    return word in there or (
        len(word) >= 5
        and word.isascii()
        and any(other[: len(word) - 1] == word[:-1] or (len(other) >= 5 and word.startswith(other[:-1])) for other in there)
    )


# ---- negation


def turned(question: str, answer: str, evidence: str) -> str | None:
    """The words by which an answer says the contrary of its evidence: a lost or added "not", an opposite; or None."""
    same_language = language_of(answer) == language_of(evidence)
    if asks_yes_or_no(question) and (found := _wrong_yes_or_no(question, answer, evidence)):
        return found
    if not same_language:
        return None
    if found := _denied_there(question, answer, evidence):
        return f"the evidence denies `{found}`"
    if found := _denied_here(question, answer, evidence):
        return f"the evidence does not deny `{found}`"
    if found := _preferred_there(answer, evidence, question):
        return f"the evidence has something else rather than `{found}`"
    contrary = [word for word in opposed(answer, f"{evidence} {question}") if word not in _ENDS or not _IN_ORDER.search(evidence)]
    if contrary:
        return f"`{contrary[0]}` is the opposite of what the evidence says"
    return None


_ENDS = frozenset(["first", "last"])  # of an order, which the evidence may tell by `then`
_IN_ORDER = re.compile(r"\b(?:then|next|finally|subsequently|afterwards|thereafter|before|after)\b|然后|随后|接着|再", re.I)
_UNCHANGED = re.compile(
    r"\b(?:unchanged|unaffected|unaltered|constant|(?:remain|stay|kept|keep)\w*\s+(?:the\s+)?same)\b|不变|不受|照旧", re.I
)
_EFFECT = re.compile(r"\s*(?:[a-z]+\s)?(?:effect|influence|change|impact|difference|bearing)s?\b|\s*(?:明显)?(?:影响|变化|改变)", re.I)


def _wrong_yes_or_no(question: str, answer: str, evidence: str) -> str | None:
    asked = set(content_words(question))
    denied = [found for found in _negated(evidence) if asked & set(content_words(found))]
    said_so = _set_aside(answer, asked) or denials(_neutral(question))
    if _YES.match(answer) and not said_so and (found := _set_aside(evidence, asked)):
        return f"yes, where the evidence says `{found}`"
    if denied and (_YES.match(answer) or (not denials(_neutral(answer)) and not _NO.match(answer))) and not denials(_neutral(question)):
        return f"yes, where the evidence denies `{denied[0].strip()}`"
    return None


_SET_ASIDE = re.compile(
    r"(?P<what>[A-Za-z][\w-]*)\s(?:is|are|was|were|has\sbeen|had\sbeen)\s(?:deliberately\s)?(?:avoided|omitted|dispensed\swith|left\sout|given\sup|"
    r"abandoned|absent|unnecessary|superfluous|ruled\sout|excluded)\b|\bwithout\s(?:an?\s|any\s|the\s)?(?P<lacking>[a-z][\w-]*)",
    re.I,
)


def _set_aside(evidence: str, asked: Collection[str]) -> str | None:
    """What is asked about and the evidence says was done without: `a gearbox was avoided`."""
    for found in _SET_ASIDE.finditer(plain(evidence)):
        if set(content_words(found["what"] or found["lacking"])) & set(asked):
            return found[0]
    return None


def _denied_there(question: str, answer: str, evidence: str) -> str | None:
    """What the evidence denies and the answer states."""
    if denials(_neutral(answer)) or (opposed(answer, evidence) and denials(_neutral(question))):
        return None
    stated, asked = set(content_words(worded(answer))), set(content_words(question))
    for sentence in _SENTENCE.split(plain(evidence)):
        for found in _negated(sentence):
            if _EFFECT.match(found) and _UNCHANGED.search(answer):
                continue  # the same denial in other words
            words = [word for word in content_words(found) if len(word) > 1][:3]
            clause = _clause_of(sentence, found)
            about = set(content_words(clause))
            if (
                words
                and stated & set(words)
                and (words[0] in stated or len(stated & set(words)) > 1 or not words[0].isascii() or len(words) < 2)
                and len(stated & about) >= min(2, len(about))
                and not _elsewhere(words, stated, evidence, clause)
            ):
                return found.strip()
            if asked & set(words) and len(stated) >= 2 and len(stated & about) >= 0.6 * len(stated):
                return found.strip()
    return None


def _denied_here(question: str, answer: str, evidence: str) -> str | None:
    """What the answer denies although the evidence states it without any denial."""
    if denials(_neutral(evidence)) or denials(_neutral(question)):
        return None
    there = set(content_words(evidence))
    for found in _negated(answer):
        words = content_words(found)[:2]
        if words and words[0] in there:
            return found.strip()
    return None


def _preferred_there(answer: str, evidence: str, question: str) -> str | None:
    """What the answer states and the evidence sets aside: Y, where the evidence says `X rather than Y`."""
    if unlike := _UNLIKE.search(plain(evidence)):  # `Unlike X, Y cracked` says of X that it did not
        other, rest = set(content_words(unlike["other"] or unlike[0])), set(content_words(plain(evidence)[unlike.end() :]))
        said = set(content_words(answer))
        if said and said <= other and not said & rest:
            return ", ".join(sorted(said))
    if found := _than(answer, evidence, question):
        return found
    there, here = _RATHER.split(plain(evidence)), _RATHER.split(plain(answer))
    if len(there) < 2:
        return None
    chosen = set(content_words(" ".join(_CLAUSE.split(part)[-1] for part in there[:-1])))
    chosen |= {word for part in there[1:] for clause in _CLAUSE.split(part)[1:] for word in content_words(clause)}
    if {one.key for part in there[:1] for one in quantities(part)} & {one.key for one in quantities(answer)}:
        return None  # the answer tells both values
    aside = {word for part in there[1:] for word in content_words(_CLAUSE.split(part)[0])[:6]} - chosen
    stated = aside & set(content_words(here[0]))
    return ", ".join(sorted(stated)) if stated and not chosen - aside <= set(content_words(here[0])) and not denials(here[0]) else None


def _than(answer: str, evidence: str, question: str) -> str | None:
    """Y, where the evidence says that `X is slower than Y` and the question asks which is slower; or None."""
    if _THAN.search(plain(answer)) or not _WHICH.search(question):
        return None
    asked = set(content_words(question)) | {word.lower() for word in re.findall(r"\b(?:more|less|\w+er)\b", question)}
    for sentence in _SENTENCE.split(plain(evidence)):
        found = _THAN.search(sentence)
        if found is None or (found["degree"] and not (asked & {found["degree"].lower(), *content_words(found["degree"])})):
            continue
        subject = found["zh_subject"] or sentence[: found.start()]
        other = _CLAUSE.split(found["other"] or found["zh_other"])[0]
        said = set(content_words(answer)) - set(content_words(question))
        if said and said <= set(content_words(other)) and not said & set(content_words(subject)):
            return ", ".join(sorted(said))
    return None


_THAN = re.compile(
    r"\b(?P<degree>more|less|\w+er)\b[^,;.]{0,40}?\bthan\b(?P<other>[^,;.]{2,60})|(?P<zh_subject>[^，,。；]{2,20})比(?P<zh_other>[^，,。；]{2,20}?)[更要还]",
    re.I,
)
_WHICH = re.compile(r"\b(?:which|what|who|whose)\b|哪|谁|什么", re.I)


def _negated(text: str) -> Iterator[str]:
    for found in _NEGATED.finditer(_neutral(plain(text))):
        piece = found["after"] or found["han"] or ""
        yield _CLAUSE.split(piece)[0]


def _neutral(text: str) -> str:
    return _NOT_NEGATED_ZH.sub(" ", re.sub(r"\bnot only\b|\bno (?:more|less|fewer) than\b|\bno longer\b(?=.{0,1}$)", " ", text))


def _clause_of(sentence: str, piece: str) -> str:
    """The clause in which the piece stands."""
    at, start = sentence.find(piece.strip()[:12]), 0
    for found in _CLAUSE.finditer(sentence):
        if found.start() > at:
            return sentence[start : found.start()]
        start = found.end()
    return sentence[start:]


def _elsewhere(words: Sequence[str], stated: Collection[str], evidence: str, clause: str) -> bool:
    """Whether the evidence states the same words in another clause that denies nothing."""
    rest = plain(evidence).replace(clause, " ")
    return any(set(words) & set(stated) & set(content_words(part)) and not denials(_neutral(part)) for part in _CLAUSE.split(rest))


# ---- whole


def half_answered(question: str, answer: str) -> str | None:
    """The part of a question for two things that an answer of one thing leaves open, or None."""
    found = _TWO_THINGS.search(question)
    if not found or len(quantities(answer)) >= 2 or _parts(answer) >= 2:
        return None
    one, two = found.groupdict().get("one") or found["one_zh"], found.groupdict().get("two") or found["two_zh"]
    said = set(content_words(answer))
    left = [part for part in (one, two) if part and not said & set(content_words(part))]
    if one:
        return left[-1] if left else None
    brief = length_in_words(answer) <= _BRIEF or len(said - set(content_words(question))) <= 1
    return found[0].strip(" ,，") if brief else None


_DENYING = frozenset("没未无不否非")  # whether something is denied is looked at elsewhere
_IN_TURN = frozenset("先再然后最接着首依次时")  # words that only order the steps


def left_out(answer: str, question: str, evidence: str) -> str | None:
    """The words of a procedure that an answer leaves out, where they are more than half of it; or None."""
    if language_of(answer) != language_of(evidence):
        return None
    if language_of(answer) == "zh":
        steps = [sign for sign in plain(evidence) if _HAN.match(sign) and sign not in STOP_CHARACTERS | _IN_TURN and sign not in question]
        missing = [sign for sign in steps if sign not in answer]
        return "".join(missing[:12]) if len(steps) >= _PROCEDURE // 2 and len(missing) > len(steps) * _LEFT_OUT else None
    whole, said = _own_words(evidence, question), set(content_words(answer))
    missing = [word for word in whole if not _said(word, said)]
    return ", ".join(missing[:12]) if len(whole) >= _PROCEDURE and len(missing) > len(whole) * _LEFT_OUT else None


def shortened_list(answer: str, evidence: str) -> str | None:
    """The quantities that an answer leaves out of a list of its evidence (`2, 10 and 30 cm`), or None."""
    said = {one.key for one in quantities(answer)}
    for listed in connected(evidence):
        keys = [one.key for one in listed]
        if len(said) >= 2 and len(keys) >= 3 and said < set(keys):
            return ", ".join(one.text for one in listed if one.key not in said)
    return None


def _parts(answer: str) -> int:
    return len(
        [
            part
            for part in re.split(r"[,;，；、:：]\s*|\band\b|\bbut\b|\bwhile\b|[。.]\s|和|而", answer)
            if len(content_words(part)) or quantities(part)
        ]
    )
