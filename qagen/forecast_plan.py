"""What a document will be asked, without asking: the code that asks is run on facts that are only supposed.

What a passage states is not known before a teacher has read it. Supposed is that a share of its sentences are facts; kinds,
requests and prompts then come from the very functions that a run uses, so that settings, prompts and long passages count as
they will. What is left to suppose, with a low, a likely and a high value, is in `Suppositions`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from harvest.records import Document
from harvest.store import fingerprint
from qagen.answer_aware import question_request, targets_of
from qagen.by_fact import asked_about, facts_request, plan_of, source_of
from qagen.checks.judge import judge_document
from qagen.checks.value import closed_book
from qagen.checks.words import language_of
from qagen.chunk import sentences
from qagen.config import QAGenConfig, SplitConfig
from qagen.desk import Role
from qagen.facts import facts_in, joined
from qagen.kinds.asking import Question
from qagen.kinds.derivation import write_derivations
from qagen.kinds.left_open import request_about
from qagen.kinds.paraphrase import paraphrase
from qagen.kinds.specs import SPECS, TOLD
from qagen.methods import askable_chunks
from qagen.records import Chunk, Fact, QAPair, Span
from qagen.restate import restate
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.protocol import Failure

Thing = TypeVar("Thing")
_CJK = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")

# Characters per token, cheapest case first, by o200k, cl100k and DeepSeek's tokeniser on the text of 41 papers of ../shared/papers
# and of our Chinese pages (22 November 2026): single papers 2.7 to 5.5, median 3.6, instructions 4.5 to 5; Chinese 1.5, 1.2 and 0.9.
_LATIN, _CHINESE = (4.5, 3.8, 3.2), (1.5, 1.2, 0.9)
SHORTEST = 40  # characters of a sentence that states something
_PAIR = 60  # characters of a reply around a question and an answer: names, braces, quotation marks
_QUESTION = 110  # characters of a question beside its answer; those of the demo and of PACuna's examples have 60 to 160
_VERDICT = 330  # characters of a judge's verdict: six short fields and a sentence
_SHORT_ANSWER = 60  # characters of an answer without the source
_FILLING = 900  # characters of what fills a template, and of the work of a step
_STEPS = 4  # of a derivation


@dataclass(frozen=True, slots=True)
class Suppositions:
    """What nobody knows before a teacher has read: `facts` per sentence, the share of pairs that passes the rules (`sound`) and the
    judge (`good`), and the share of passages with formulas that give a derivation (`derived`).
    """

    facts: float
    sound: float
    good: float
    derived: float


# Ours to suppose; where a run has coverage already, the share of facts is taken from there.
LOW, LIKELY, HIGH = Suppositions(0.35, 0.6, 0.75, 0.1), Suppositions(0.5, 0.75, 0.85, 0.25), Suppositions(0.7, 0.85, 0.95, 0.5)


@dataclass(frozen=True, slots=True)
class Text:
    """Characters, Chinese ones apart: a tokeniser makes more tokens of those."""

    latin: float = 0.0
    cjk: float = 0.0

    @property
    def tokens(self) -> tuple[float, float, float]:
        """How many tokens that is: at least, likely, at most."""
        least, likely, most = (self.latin / latin + self.cjk / cjk for latin, cjk in zip(_LATIN, _CHINESE, strict=True))
        return least, likely, most

    @classmethod
    def of(cls, text: str) -> Text:
        """The characters of a text."""
        cjk = len(_CJK.findall(text))
        return cls(len(text) - cjk, cjk)

    def plus(self, other: Text, times: float = 1.0) -> Text:
        """The sum."""
        return Text(self.latin + times * other.latin, self.cjk + times * other.cjk)


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests that a role is asked: how many, for what, and how much text goes there and comes back."""

    role: Role
    what: str
    calls: float
    sent: Text
    said: Text


@dataclass(frozen=True, slots=True)
class Planned:
    """What a document comes to."""

    chunks: int
    pairs: float
    asked: tuple[Asked, ...]


def plan_document(document: Document, config: QAGenConfig, supposed: Suppositions) -> Planned:
    """Everything that is asked about a document, if what is supposed holds. Not within a running event loop."""
    chunks = askable_chunks(document, config)
    if config.method == "answer-aware":
        asked, pairs = _answer_aware(document, chunks, config)
    else:
        asked, pairs = _by_facts(document, chunks, config, supposed)
    kept = _share(pairs, supposed.sound)
    if config.judge:
        verdict = Text(_VERDICT)
        asked += _recorded("judge", "judge", lambda ask: judge_document(
            document, kept, config.judge, ask, None, chunking=config.chunk, prompts=config.prompts), verdict, len(kept))  # type: ignore[arg-type]  # fmt: skip
        kept = _share(kept, supposed.good)
    if config.base:
        base = config.base
        asked += _recorded("base", "closed book", lambda ask: closed_book(kept, base, ask, prompts=config.prompts), Text(_SHORT_ANSWER))
    if config.paraphrases:
        wording = Text.of("".join(pair.question for pair in kept[:1])).plus(Text(_PAIR))
        asked += _recorded(
            "teacher", "paraphrases", lambda ask: paraphrase(kept, config, ask, None), wording, len(kept) * config.paraphrases
        )
    if config.restatements:
        said = Text().plus(Text.of("".join(chunk.text for chunk in chunks)), config.restatements)
        every = _recorded("teacher", "restatements", lambda ask: restate(document, config, ask, None), said, 1)
        asked += [_part(one, trained_share(config.split)) for one in every]
    return Planned(len(chunks), len(kept) * (1 + config.paraphrases), tuple(asked))


def trained_share(split: SplitConfig) -> float:
    """The share of the documents that is trained on, as far as shares decide."""
    return max(
        0.0, 1 - sum(share for part, share in (("validation", split.validation), ("unseen", split.unseen)) if part not in split.assign)
    )


def _part(asked: Asked, share: float) -> Asked:
    return Asked(asked.role, asked.what, share * asked.calls, Text().plus(asked.sent, share), Text().plus(asked.said, share))


# ---- by the open method


def _by_facts(
    document: Document, askable: Sequence[Chunk], config: QAGenConfig, supposed: Suppositions
) -> tuple[list[Asked], list[QAPair]]:
    source, _ = source_of(document, config, None)
    asked, stated, pairs = list[Asked](), list[Fact](), list[QAPair]()
    for chunk in askable:
        reply = _supposed_facts(chunk, config, supposed.facts)
        asked.append(_one("teacher", "facts", facts_request(source, chunk), Text.of(reply)))
        stated += facts_in(chunk, reply)[0]
    facts, _ = joined(stated)
    for question in asked_about(source, plan_of(source, facts)):
        made = [_pair(document, question, fact) for fact in question.slot.facts]
        made = made[:1] if question.slot.kind == "unanswerable" else made
        said = Text.of("".join(pair.question + pair.answer for pair in made)).plus(Text(_PAIR), len(made))
        asked.append(_one("teacher", f"questions: {question.slot.kind}", question.request, said))
        if question.slot.kind == "unanswerable":
            looked = request_about(source, made[0].question, source.chunks[question.slot.chunk_id])
            asked.append(_one("teacher", "questions: left open?", looked, Text(_PAIR)))
        pairs += made
    if config.kinds.get("derivation"):
        asked += _derivations(document, askable, config, supposed)
    return asked, pairs


def _supposed_facts(chunk: Chunk, config: QAGenConfig, share: float) -> str:
    """A reply that lists some sentences of a chunk as facts, each good for a few kinds."""
    said = [chunk.text[span.start : span.end].strip() for span in sentences(chunk.text)]
    said = _share([text for text in said if len(text) >= SHORTEST], share)[: config.pairs_per_chunk]
    kinds = list(TOLD)
    facts = [
        {"text": text, "quotes": [text], "kinds": [kinds[(at + number) % len(kinds)] for number in (0, 2, 5)]}
        for text in said
        for at in [int(fingerprint(text)[:4], 16)]
    ]
    return json.dumps({"facts": facts}, ensure_ascii=False)


def _pair(document: Document, question: Question, fact: Fact) -> QAPair:
    answer = fact.text[: max(20, len(fact.text) * 2 // 3)]
    asked = fact.text[:_QUESTION] + "?"
    extra = tuple(answer[:30] + str(number) for number in range(3)) if "distractors" in SPECS[question.slot.kind].extra else ()
    name = fingerprint(fact.id, question.language, question.slot.kind)[:16]
    return QAPair(name, document.id, fact.chunk_id, question.slot.kind, question.language or language_of(fact.text), asked, answer,
                  fact.evidence, "", "", "", distractors=extra)  # fmt: skip


def _derivations(document: Document, chunks: Sequence[Chunk], config: QAGenConfig, supposed: Suppositions) -> list[Asked]:
    """The requests that fill templates, and for some of them the steps, each marked by a judge."""
    fills = _recorded(
        "teacher", "derivations", lambda ask: write_derivations(document, chunks, config, ask, None, None), Text(_FILLING), None
    )
    asked = list(fills)
    for fill in fills:
        steps = fill.calls * supposed.derived * _STEPS
        each = Text(fill.sent.latin / fill.calls, fill.sent.cjk / fill.calls)
        roles: list[Role] = ["teacher", *(["judge"] if config.judge else [])]  # type: ignore[list-item]
        for role in roles:
            asked.append(Asked(role, "derivations", steps, Text().plus(each, steps), Text().plus(Text(_FILLING), steps)))
    return asked


# ---- by the other


def _answer_aware(document: Document, chunks: Sequence[Chunk], config: QAGenConfig) -> tuple[list[Asked], list[QAPair]]:
    asked, pairs = [], []
    for chunk, target in targets_of(list(chunks), config):
        request = question_request(target, config, None)
        asked.append(_one("teacher", "questions", request, Text.of(target.sentence)))
        name = fingerprint(document.id, target.span.start)[:16]
        span = Span(target.span.start, target.span.end)
        pairs.append(QAPair(name, document.id, chunk.id, target.kind, target.language, f"{target.sentence[:_QUESTION]}?", target.answer,
                            (span,), "", "", ""))  # fmt: skip
    return asked, pairs


# ---- counting


def _recorded(role: Role, what: str, work: Callable[[Callable[[Request], Awaitable[Reply | Failure]]], Awaitable[object]],
              each: Text, replies: int | None = None) -> list[Asked]:  # fmt: skip
    """What some work asks, if nobody answers; `each` comes back so many times as `replies` says, else once a request."""
    seen: list[Request] = []

    async def ask(request: Request) -> Reply | Failure:
        seen.append(request)
        return Failure("nobody was asked")

    async def run() -> None:
        await work(ask)

    asyncio.run(run())
    if not seen:
        return []
    sent = Text()
    for request in seen:
        sent = sent.plus(_size(request))
    return [Asked(role, what, len(seen), sent, Text().plus(each, len(seen) if replies is None else replies))]


def _one(role: Role, what: str, request: Request, said: Text) -> Asked:
    return Asked(role, what, 1, _size(request), said)


def _size(request: Request) -> Text:
    size = Text(len(str(request.schema)) if request.schema else 0)
    for message in request.messages:
        size = size.plus(Text.of(message.content))
    return size


def _share(things: Sequence[Thing], share: float) -> list[Thing]:
    return list(_evenly(things, round(len(things) * share)))


def _evenly(things: Sequence[Thing], count: int) -> Iterator[Thing]:
    return (things[at * len(things) // count] for at in islice(range(count), count)) if count else iter(())
