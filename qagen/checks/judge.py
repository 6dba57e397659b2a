"""A model that reads the source beside the pair and scores it: what rules cannot see.

Several pairs of one passage are judged in one request, which begins with the passage as all prompts do. A reply counts for
a pair only if it holds exactly one whole verdict about it; what a batch leaves open is asked once more alone. Among the pairs
of every request there is one that no source supports: a judge that accepts it has been talked into accepting, by the source
or by a pair, or is none, and nothing that it said in this reply counts.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harvest.records import Document, Rejection
from harvest.store import fingerprint
from qagen.checks.rules import Fault
from qagen.checks.words import language_of
from qagen.chunk import chunk_document
from qagen.config import ChunkConfig, JudgeConfig
from qagen.records import Chunk, QAPair, Span, Written
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.parse import list_schema, parse_items
from qagen.teacher.prompt import load_prompt, shown
from qagen.teacher.protocol import Ask, Failure

STAGE = "judge"
PROMPT = "judge"
SCORES = ("faithful", "complete", "specific", "standalone")
_REASONS = {
    "faithful": "judged-unfaithful",
    "complete": "judged-incomplete",
    "specific": "judged-unspecific",
    "standalone": "judged-not-standalone",
}
_AT_ONCE = 8  # pairs in one request; more are judged less well and cost more if the reply is cut off
_LONGEST_REASON = 240  # characters of the judge's own words that are kept

Difficulty = Literal["easy", "medium", "hard"]
_Score = Annotated[float, Field(ge=0, le=100)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of a pair: scores from 0 to 100 by the names of `SCORES`, and why in one line."""

    pair_id: str
    scores: dict[str, float]
    difficulty: Difficulty
    reason: str

    @property
    def worst(self) -> tuple[float, str]:
        """The lowest score and its name."""
        return min((self.scores[name], name) for name in SCORES)


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    pair: int
    reason: str = ""
    faithful: _Score
    complete: _Score
    specific: _Score
    standalone: _Score
    difficulty: Difficulty


_NUMBER = {"type": "integer"}
SCHEMA: dict[str, Any] = list_schema(
    "verdicts",
    {
        "pair": _NUMBER,
        "reason": {"type": "string"},  # before the scores, so that a model gives its grounds before it decides
        **dict.fromkeys(SCORES, _NUMBER),
        "difficulty": {"type": "string", "enum": ["easy", "medium", "hard"]},
    },
)

# Nothing that anybody could be asked to read says this.
_CONTROLS = {
    "en": (
        "What was the name of the barge on which the clockmaker Ansel Trevithoe crossed Lake Ombrel in 1874?",
        "The barge was called Merganser.",
    ),
    "zh": ("1874 年钟表匠安塞尔·特雷维索渡过翁布雷尔湖时乘坐的驳船叫什么名字？", "那艘驳船叫秋沙鸭号。"),
}


async def judged(
    document: Document,
    pairs: Sequence[QAPair],
    config: JudgeConfig,
    ask: Ask,
    seed: int | None,
    *,
    chunking: ChunkConfig = ChunkConfig(),  # noqa: B008 - frozen
    prompts: Path | None = None,
) -> Written:
    """The pairs of a document that the judge lets through, with its scores and a mark for their difficulty, and the others' faults.

    A pair without a verdict is rejected as `judge-failed`.
    """
    outcomes = await judge_document(document, pairs, config, ask, seed, chunking=chunking, prompts=prompts)
    return settled(pairs, outcomes, config.least)


async def judge_document(
    document: Document,
    pairs: Sequence[QAPair],
    config: JudgeConfig,
    ask: Ask,
    seed: int | None,
    *,
    chunking: ChunkConfig = ChunkConfig(),  # noqa: B008 - frozen
    prompts: Path | None = None,
) -> list[Verdict | Failure]:
    """A verdict for each pair of a document, in their order; each is judged beside the chunks that hold its evidence."""
    groups = _beside(pairs, chunk_document(document, chunking))
    parts = await asyncio.gather(*(judge_pairs(group, sources, config, ask, seed, prompts=prompts) for sources, group in groups))
    ids = [pair.id for _, group in groups for pair in group]
    found = dict(zip(ids, (outcome for part in parts for outcome in part), strict=True))
    return [found[pair.id] for pair in pairs]


async def judge_pairs(
    pairs: Sequence[QAPair], sources: Sequence[Chunk], config: JudgeConfig, ask: Ask, seed: int | None, *, prompts: Path | None = None
) -> list[Verdict | Failure]:
    """A verdict for each pair, or why there is none, in the order of the pairs; all are judged beside the same sources.

    Sources may be of several documents. Without any there is nothing to judge by, and no verdict.
    """
    if not sources:
        return [Failure("no passage of the document holds the evidence of the pair") for _ in pairs]
    batches = [pairs[at : at + _AT_ONCE] for at in range(0, len(pairs), _AT_ONCE)]
    outcomes = await asyncio.gather(*(_batch(batch, sources, config, ask, seed, prompts) for batch in batches))
    return [outcome for batch in outcomes for outcome in batch]


def decide(verdict: Verdict, least: float) -> Fault | None:
    """What the judge has against a pair: its lowest score, if that is below `least` (0 to 100)."""
    score, name = verdict.worst
    return Fault(_REASONS[name], f"{name} {score:g} of 100: {verdict.reason}") if score < least else None


def settled(pairs: Sequence[QAPair], outcomes: Sequence[Verdict | Failure], least: float) -> Written:
    """Pairs with their scores, from 0 to 100, and rejections; the difficulty is a mark, so that it is not taken for a merit."""
    kept, rejections = list[QAPair](), list[Rejection]()
    for pair, outcome in zip(pairs, outcomes, strict=True):
        if isinstance(outcome, Failure):
            rejections.append(Rejection(pair.id, STAGE, "judge-failed", _with_pair(outcome.detail, pair)))
        elif fault := decide(outcome, least):
            rejections.append(Rejection(pair.id, STAGE, fault.reason, _with_pair(fault.detail, pair), outcome.worst[0]))
        else:
            marks = tuple(dict.fromkeys((*pair.marks, outcome.difficulty)))
            kept.append(replace(pair, scores={**pair.scores, **outcome.scores}, marks=marks))
    return Written(tuple(kept), tuple(rejections))


def _with_pair(detail: str, pair: QAPair) -> str:
    return f"{detail} | {pair.question} | {pair.answer}"


# ---- one request


async def _batch(
    pairs: Sequence[QAPair], sources: Sequence[Chunk], config: JudgeConfig, ask: Ask, seed: int | None, prompts: Path | None
) -> list[Verdict | Failure]:
    outcomes = await _asked(pairs, sources, config, ask, seed, prompts)
    again = [at for at, outcome in enumerate(outcomes) if isinstance(outcome, _Unread) and len(pairs) > 1]
    alone = await asyncio.gather(*(_asked([pairs[at]], sources, config, ask, seed, prompts) for at in again))
    for at, outcome in zip(again, alone, strict=True):
        outcomes[at] = outcome[0]
    return [Failure(outcome.why) if isinstance(outcome, _Unread) else outcome for outcome in outcomes]


@dataclass(frozen=True, slots=True)
class _Unread:
    """A reply that says nothing usable of a pair."""

    why: str


async def _asked(
    pairs: Sequence[QAPair], sources: Sequence[Chunk], config: JudgeConfig, ask: Ask, seed: int | None, prompts: Path | None
) -> list[Verdict | Failure | _Unread]:
    at = _place_of_control(pairs)
    lines = [_line(pair, sources) for pair in pairs]
    lines.insert(at, _control(pairs[0]))
    messages = load_prompt(PROMPT, prompts).messages(sources=[shown(source) for source in sources], pairs=lines)
    reply = await ask(Request(messages, config.max_tokens, config.temperature, seed, SCHEMA))
    if isinstance(reply, Failure):
        return [reply for _ in pairs]
    said = _verdicts(reply, len(lines))
    control = said.pop(at)
    if isinstance(control, _Said) and min(control.faithful, control.complete) >= max(config.least, 1):
        return [Failure("the judge accepted a pair that no source supports, so that none of its scores count") for _ in pairs]
    return [one if isinstance(one, _Unread) else _verdict(pair, one) for pair, one in zip(pairs, said, strict=True)]


def _verdicts(reply: Reply, count: int) -> list[_Said | _Unread]:
    """What was said of each of `count` pairs; a pair spoken of twice, or not at all, has no verdict."""
    said, bad = parse_items(reply.content, "verdicts", _Said)
    by_number = defaultdict(list)
    for one in said:
        by_number[one.pair].append(one)
    cut = ", and the reply was cut off" if reply.finish_reason == "length" else ""
    why = _Unread(f"no single verdict in the judge's reply{cut}{': ' + bad[0] if bad else ''}")
    return [by_number[number][0] if len(by_number[number]) == 1 else why for number in range(1, count + 1)]


def _verdict(pair: QAPair, said: _Said) -> Verdict:
    scores = {name: float(getattr(said, name)) for name in SCORES}
    return Verdict(pair.id, scores, said.difficulty, " ".join(said.reason.split())[:_LONGEST_REASON])


def _place_of_control(pairs: Sequence[QAPair]) -> int:
    """Where the control stands: anywhere, but always in the same place of the same request."""
    return int(fingerprint([pair.id for pair in pairs])[:8], 16) % (len(pairs) + 1)


def _control(like: QAPair) -> dict[str, object]:
    question, answer = _CONTROLS["zh" if language_of(like.question) == "zh" else "en"]
    return {"kind": "fact", "question": question, "answer": answer, "steps": (), "distractors": (), "quotes": ()}


def _line(pair: QAPair, sources: Sequence[Chunk]) -> dict[str, object]:
    """A pair as the prompt shows it."""
    return {
        "kind": pair.kind,
        "question": _one_line(pair.question),
        "answer": _one_line(pair.answer),
        "steps": [_one_line(step.text) for step in pair.steps],
        "distractors": [_one_line(option) for option in pair.distractors],
        "quotes": [_one_line(quote) for span in pair.evidence for quote in _said_by(span, pair, sources)],
    }


def _one_line(text: str) -> str:
    """Text that cannot begin a line of its own, and so no pair or field, nor close a tag."""
    return re.sub(r"<(?=\s*/?\s*(?:pairs|source|terms)\b)", "(", " ".join(text.split()), flags=re.I)


def _said_by(span: Span, pair: QAPair, sources: Sequence[Chunk]) -> list[str]:
    """The part of a span that stands in each of the sources."""
    document = span.document_id or pair.document_id
    inside = [source for source in sources if source.document_id == document and span.start < source.end and source.start < span.end]
    return [source.text[max(0, span.start - source.start) : span.end - source.start] for source in inside]


# ---- which passages a pair is judged beside


def _beside(pairs: Sequence[QAPair], chunks: Sequence[Chunk]) -> list[tuple[list[Chunk], list[QAPair]]]:
    """Pairs that rest on the same chunks, together."""
    groups: dict[tuple[int, ...], list[QAPair]] = defaultdict(list)
    for pair in pairs:
        groups[_holding(pair, chunks)].append(pair)
    return [([chunks[number] for number in numbers], group) for numbers, group in groups.items()]


def _holding(pair: QAPair, chunks: Sequence[Chunk]) -> tuple[int, ...]:
    """The chunks that a pair was made from and rests on."""
    return tuple(
        number
        for number, chunk in enumerate(chunks)
        if chunk.id == pair.chunk_id or any(span.start < chunk.end and chunk.start < span.end for span in pair.evidence)
    )
