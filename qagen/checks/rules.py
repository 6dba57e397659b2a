"""Is this a pair that can be learnt from, as far as rules can tell? English and Chinese.

Every rule looks at one defect and names it with a stable word that can be counted. Rules err on the side of refusal: a
pair lost costs little, a pair that teaches nonsense costs trust.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from qagen.checks.alignment import misplaced, other_clause
from qagen.checks.candidate import Candidate as Candidate
from qagen.checks.candidate import Fault as Fault
from qagen.checks.elements import names
from qagen.checks.figures import identifiers, invented, other_rate, unknown_in_chinese, unknown_names, unproven, wrong_kind
from qagen.checks.form import asks, bare, choices, keeps_the_wording, no_example, no_loop, right_length, same_language
from qagen.checks.injection import addresses_a_model as addresses_a_model
from qagen.checks.injection import repeats_an_order
from qagen.checks.quantities import Quantity, quantities
from qagen.checks.relevance import answered_by, asks_why, better_sentence, no_reason, other_modifier
from qagen.checks.standalone import names_nothing, refers_to_the_work
from qagen.checks.standalone import points_outside as points_outside
from qagen.checks.steps import Recomputed, recompute
from qagen.checks.subjects import caption, cells, headings, other_condition, wrong_cell, wrong_place
from qagen.checks.support import half_answered, is_honest, left_out, says_yes_or_no, shortened_list, turned, unsupported
from qagen.checks.symbols import bare_acronyms, unexplained, without_explained
from qagen.checks.words import content_words, language_of, length_in_words
from qagen.chunk import sentences
from qagen.records import Span

_DERIVED = frozenset(["numerical", "derivation"])  # kinds whose answers may be computed
_COMPARED = frozenset(["comparison", "across"])


def faults(pair: Candidate) -> list[Fault]:
    """All that is wrong with a pair, the most telling first; empty if no rule objects."""
    if not pair.question.strip() or not pair.answer.strip():
        return [Fault("empty", "no question" if not pair.question.strip() else "no answer")]
    return [fault for rule in _RULES for fault in rule(pair)]


# ---- orders to models


def _no_injection(pair: Candidate) -> Iterator[Fault]:
    said = [("question", pair.question), ("answer", pair.answer), ("evidence", pair.evidence)]
    said += [("steps", " ".join(pair.steps)), ("options", " ".join(pair.distractors))]
    for name, text in said:
        if words := addresses_a_model(text):
            yield Fault("injection", f"the {name} speaks to a language model: {words}")
            return
    if words := repeats_an_order(pair.context, pair.answer, f"{pair.evidence} {pair.question}"):
        yield Fault("injection", f"the answer repeats an order to models: {words}")


# ---- understood without the source


def _self_contained(pair: Candidate) -> Iterator[Fault]:
    if words := points_outside(pair.question, pair.title, choice=pair.kind == "choice"):
        yield Fault("not-self-contained", f"the question says `{words}`")
    elif pair.kind in ("fact", "table") and not asks_why(pair.question) and names_nothing(pair.question, pair.answer, pair.title):
        yield Fault("not-self-contained", "the question names nothing by which others than readers of the source could know what is meant")
    elif pair.kind not in ("unanswerable", "summary") and not is_honest(pair.answer) and (words := refers_to_the_work(pair.answer)):
        yield Fault("not-self-contained", f"the answer says `{words}`")


def _explained(pair: Candidate) -> Iterator[Fault]:
    if symbols := unexplained(pair.question, pair.defined):
        yield Fault("undefined-symbol", f"the question does not say what {', '.join(symbols)} stands for")
    if terms := bare_acronyms(pair.question, pair.title, pair.defined, f"{pair.context}\n{pair.evidence}"):
        yield Fault("undefined-term", f"the question does not say what {', '.join(terms)} stands for")


# ---- true to the source


def _steps_recompute(pair: Candidate) -> Iterator[Fault]:
    if pair.kind == "derivation" and not pair.steps:
        yield Fault("no-steps", "a derivation without steps")
    computed = _computed(pair)
    if computed.wrong:
        yield Fault("step-does-not-recompute", "; ".join(computed.wrong)[:300])
    if pair.steps and computed.strange:
        yield Fault("number-not-in-evidence", f"the steps' {', '.join(dict.fromkeys(computed.strange))}")


def _computed(pair: Candidate) -> Recomputed:
    """The steps, and an answer that shows its own arithmetic, computed again."""
    shown = [*pair.steps, *([pair.answer] if re.search(r"[\d)]\s*[=≈]|[=≈]\s*[\d(]", pair.answer) else [])]
    if not shown:
        return Recomputed((), (), ())
    return recompute(shown, [*quantities(pair.evidence), *quantities(pair.question), *quantities(pair.context)])


def _numbers_proven(pair: Candidate) -> Iterator[Fault]:
    others: list[Quantity] = [*quantities(pair.question)] if len(quantities(pair.answer)) > 1 or length_in_words(pair.answer) > 8 else []
    if pair.steps or pair.kind in _DERIVED:
        others += _computed(pair).results
    tabled = cells(pair.evidence, pair.context)
    source = f"{pair.evidence}\n{pair.context}" if pair.kind in ("summary", "unanswerable") else pair.evidence
    counted = [] if others else [one for one in quantities(pair.question) if one.word]
    missing = unproven(pair.answer, source, pair.context, [*others, *tabled], counted)
    if pair.kind in _COMPARED or _ASKS_TO_COMPARE.search(pair.question):
        missing = [(reason, what) for reason, what in missing if not _compared(what, quantities(pair.evidence))]
    if words := unknown_in_chinese(
        pair.question, pair.answer, f"{pair.evidence} {pair.question} {pair.context if pair.kind == 'summary' else ''}"
    ):
        yield Fault("name-not-in-evidence", f"the answer's {words}")
    if words := other_rate(pair.answer, pair.evidence):
        yield Fault("wrong-unit", words)
    for reason in dict.fromkeys(reason for reason, _ in missing):
        yield Fault(reason, f"the answer's {', '.join(what for why, what in missing if why == reason)}")
    given = pair.kind in (*_DERIVED, "unanswerable")  # their questions may set values of their own
    if not given and (strange := invented(pair.question, (pair.evidence, pair.context, pair.title), tabled)):
        yield Fault("number-invented", f"the question's {', '.join(strange)}")


_ASKS_TO_COMPARE = re.compile(
    r"\bdiffer|\b(?:share|percentage|fraction|proportion|ratio|factor|per\s?cent)\b|\bby\s+how\s+(?:much|many)\b|\bhow\s+(?:much|many)\s+(?:\w+\s+)?(?:more|less|fewer|\w{3,}er)\b"
    r"|\bhow\s+many\s+times\b|几倍|多少倍|百分之|占|相差|差多少|[高低多少快慢大小长短]多少",
    re.I,
)


def _compared(what: str, proven: Sequence[Quantity]) -> bool:
    """Whether a number is the difference or the ratio of two in the evidence."""
    shown = quantities(what)
    pairs = [(a, b) for a in proven for b in proven if a is not b and a.unit.dimension == b.unit.dimension and b.base]
    bare = [(a, b) for a, b in pairs if not a.unit.dimension and a.unit.scale == b.unit.scale == 1]  # cells: the heading has their unit
    if shown and any(abs(a.value - b.value - shown[0].value) <= 0.51 * shown[0].place for a, b in bare):
        return True
    return bool(shown) and any(
        abs(value - shown[0].base) <= 0.51 * shown[0].place * shown[0].unit.scale
        for a, b in pairs
        for value in ([a.base - b.base] if shown[0].unit.dimension else [a.base / b.base, (a.base - b.base) / b.base, a.base - b.base])
    )


def _names_proven(pair: Candidate) -> Iterator[Fault]:
    known = " ".join(pair.defined)
    if pair.kind != "unanswerable":
        near = pair.context if pair.kind == "summary" else _before(pair)
        missing = unknown_names(without_explained(pair.answer, pair.evidence), [pair.evidence, pair.question, pair.title, known, near])
        if missing := identifiers(missing) if _translated(pair) and language_of(pair.evidence) == "zh" else missing:
            yield Fault("name-not-in-evidence", f"the answer's {', '.join(missing)}")
    missing = unknown_names(pair.question, [pair.evidence, pair.title, known, pair.context])
    if missing := identifiers(missing) if _translated(pair) and language_of(pair.evidence) == "zh" else missing:
        yield Fault("name-not-in-evidence", f"the question's {', '.join(missing)}")


def _translated(pair: Candidate) -> bool:
    return language_of(pair.question) != language_of(pair.evidence)


def _before(pair: Candidate, always: bool = False) -> str:
    """What an evidence that begins with a pronoun speaks of, or is a table or a formula: the sentences right before it."""
    if not always and not _LEANING.match(pair.evidence):
        return ""
    if pair.evidence.count("|") >= 2:
        return f"{headings(pair.evidence, pair.context)} {caption(pair.evidence, pair.context)}"
    at = pair.context.find(pair.evidence.strip().partition("\n")[0][:40])
    near = pair.context[max(0, at - 400) : at] if at > 0 else ""
    return " ".join([near, *_appositions(near, pair.context)])


def _appositions(near: str, context: str) -> list[str]:
    """What a text says the labels of the sentences nearby are: `CR-5, which is 4.5 wt% ruthenium`."""
    labels = {found[0] for found in re.finditer(r"\b[A-Z][A-Za-z]*-?\d+\b", near)}
    said = [
        re.search(rf"\b{re.escape(label)}\s?(?:, which (?:is|are|was|were)\b|\()[^.;。；]{{0,100}}", context) for label in sorted(labels)
    ]
    return [found[0] for found in said if found]


_LEANING = re.compile(
    r"\s*(?:It|Its|They|Their|This|These|Those|Both|Such|The|Here|He|She|其|它|该|此|这)\b|\s*[其它该此这]"
    r"|\s*(?:\||\$|\\|[A-Za-z]\s=)"
)


def _keeps_the_answer(pair: Candidate) -> Iterator[Fault]:
    answer, question = bare(pair.answer), bare(pair.question)
    if _EITHER.search(pair.question) or says_yes_or_no(pair.answer) or pair.kind == "unanswerable":
        return
    words = set(content_words(pair.answer))
    whole = bool(answer) and re.search(rf"(?<![a-z0-9.]){re.escape(answer)}(?![a-z0-9])", question)
    mine, asked = quantities(pair.answer), {one.key for one in quantities(pair.question)}
    value = len(mine) == 1 and length_in_words(pair.answer) <= 3 and mine[0].key in asked and bool(mine[0].unit.dimension)
    value = value and pair.kind not in _DERIVED  # who converts a value repeats it in another unit
    if whole or value or (words and words <= set(content_words(pair.question))):
        yield Fault("answer-in-question", f"`{pair.answer[:60]}` is said by the question")


_EITHER = re.compile(r"\bor\b|\bwhich of\b|还是|或", re.I)


def _on_the_source(pair: Candidate) -> Iterator[Fault]:
    if not pair.evidence.strip() or language_of(pair.evidence) != language_of(pair.question):
        return
    shared = set(content_words(pair.question)) & set(content_words(_sentences(pair)))
    goes_on = not shared and (_continues(pair) or _named_before(pair))
    if goes_on and not set(content_words(pair.answer)).isdisjoint(content_words(pair.evidence)):
        shared = set(content_words(pair.question)) & set(content_words(f"{_before(pair, always=True)} {pair.title}"))
    if pair.kind == "unanswerable" and not shared:  # what is missing may be called by another form of the word: corrode, corrosion
        stems = {word[:_STEM] for word in content_words(_sentences(pair)) if len(word) >= _STEM}
        shared = {word for word in content_words(pair.question) if word[:_STEM] in stems}
    whole = pair.kind == "concept" and re.match(r"[A-Z“\"\u3400-\u9fff]", pair.evidence.strip())  # not a piece of a sentence
    if len(shared) < (2 if whole and len(set(content_words(pair.question))) >= 6 else 1):
        yield Fault("off-source", f"the question shares {len(shared)} content words with its evidence")
    elif pair.kind not in (*_DERIVED, *_COMPARED, "unanswerable", "summary", "choice") and (
        words := other_condition(pair.question, pair.answer, pair.evidence)
    ):
        yield Fault("off-source", words)


_STEM = 5  # letters by which two forms of a word are known


def _named_before(pair: Candidate) -> bool:
    """Whether the sentences before the evidence name what the question names."""
    return bool(names(pair.question) & names(_before(pair, always=True)))


def _continues(pair: Candidate) -> bool:
    """Whether the evidence goes on about something that the sentences before it have named: `It was chosen`, `The whole instrument`."""
    return bool(_LEANING.match(pair.evidence)) or bool(
        re.search(r"\b(?:it|its|they|their|we|this|these|the)\b|[其它该此这]", pair.evidence, re.I)
    )


def _sentences(pair: Candidate) -> str:
    """The sentences that the evidence is cut from."""
    found = [pair.evidence]
    spans = _spans(pair.context)
    for line in pair.evidence.split("\n"):
        at = pair.context.find(line)
        if at >= 0 and line.strip():
            found += [pair.context[span.start : span.end] for span in spans if span.start < at + len(line) and at < span.end]
    return "\n".join(found)


def _leaning(pair: Candidate) -> str:
    """The sentences of the evidence, with the one before where the first goes on about its subject: `The growth follows …`."""
    at = pair.context.find(pair.evidence[:40])
    before = [span for span in _spans(pair.context) if span.end <= at]
    if not before or not _GOES_ON.match(pair.evidence) or pair.evidence.count("|") >= 2:
        return _sentences(pair)
    return f"{pair.context[before[-1].start : before[-1].end]}\n{_sentences(pair)}"


_GOES_ON = re.compile(r"(?:It|They|This|These|The\s[a-z]+)\s(?:is|are|was|were|has|had|[a-z]+s|[a-z]+ed)\b|[其它该此这]")


@lru_cache(maxsize=256)
def _spans(context: str) -> tuple[Span, ...]:
    return tuple(sentences(context))


def _said_there(pair: Candidate) -> Iterator[Fault]:
    """What the answer says must be what the evidence says: its words, its denials, of the same thing."""
    if pair.kind in ("unanswerable", *_DERIVED):
        return
    if pair.kind != "summary" and (words := turned(pair.question, pair.answer, pair.evidence)):
        yield Fault("contradicts-evidence", words)
    evidence = f"{pair.evidence} {pair.context}" if pair.kind == "summary" else f"{pair.evidence} {headings(pair.evidence, pair.context)}"
    if words := unsupported(pair.answer, pair.question, evidence, pair.context):
        yield Fault("not-in-evidence", f"the answer's {words}")
    if pair.kind != "summary" and (words := misplaced(pair.question, pair.answer, pair.evidence)):
        yield Fault("wrong-subject", words)
    if words := wrong_place(pair.question, pair.answer, pair.evidence):
        yield Fault("wrong-subject", words)
    if pair.kind not in ("summary", "across") and (words := _elsewhere(pair)):
        yield Fault("wrong-subject", words)
    if words := wrong_cell(pair.question, pair.answer, pair.evidence, pair.context):
        yield Fault("wrong-subject", words)


def _elsewhere(pair: Candidate) -> str | None:
    """What says that the evidence is about something else than is asked."""
    if pair.kind in ("fact", "table", "choice", "definition", "concept") and (
        words := other_clause(pair.question, pair.answer, pair.evidence, pair.title)
    ):
        return words
    if words := other_modifier(pair.question, pair.evidence):
        return words
    if pair.kind not in _COMPARED and (words := better_sentence(pair.question, pair.answer, _leaning(pair), pair.context, pair.title)):
        return f"the source speaks of it elsewhere: `{words[:120]}`"
    return None


def _answers_it(pair: Candidate) -> Iterator[Fault]:
    if pair.kind == "unanswerable":
        if not is_honest(pair.answer):
            yield Fault("not-honest", "an unanswerable question must be told that the source does not say")
        elif words := answered_by(pair.question, f"{pair.context}", pair.title):
            yield Fault("answerable", f"the source says it: `{words[:120]}`")
        return
    if length_in_words(pair.answer) <= 25 and is_honest(pair.answer) and not is_honest(pair.evidence):
        yield Fault("no-answer", pair.answer[:80])
    if words := no_reason(pair.question, pair.answer, pair.evidence):
        yield Fault("no-answer", words)
    if words := wrong_kind(pair.question, pair.answer, pair.evidence):
        yield Fault("wrong-kind", words)
    if pair.kind == "procedure" and (words := left_out(pair.answer, pair.question, pair.evidence)):
        yield Fault("incomplete", f"nothing about {words}")
    if words := half_answered(pair.question, pair.answer):
        yield Fault("incomplete", f"nothing about `{words}`")
    if pair.kind not in (*_DERIVED, "choice", "comparison") and (words := shortened_list(pair.answer, pair.evidence)):
        yield Fault("incomplete", f"nothing about {words}")
    if _HOW_MANY.search(pair.question) and not quantities(pair.answer) and not _NUMBERLESS.search(pair.answer):
        yield Fault("wrong-kind", "a number is asked for and none is given")


_HOW_MANY = re.compile(
    r"^\s*how (?:many|much)\b(?! (?:\w+ )?(?:better|worse|more|less|larger|smaller))|有多少|是多少[？?]|为多少[？?]|几[个台条次种]", re.I
)
_NUMBERLESS = re.compile(
    r"\d|\b(?:one|none|no|all|both|half|single|twice|doubl\w+|several|many|few|zero|every|each|once)\b|[一两半零无全几]|没有", re.I
)


_RULES = (
    _no_injection,
    asks,
    right_length,
    no_loop,
    no_example,
    same_language,
    _self_contained,
    _explained,
    _keeps_the_answer,
    _steps_recompute,
    _numbers_proven,
    _names_proven,
    _on_the_source,
    _said_there,
    _answers_it,
    choices,
    keeps_the_wording,
)
