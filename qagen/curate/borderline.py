"""Pairs that rules cannot tell: a teacher says whether they are the same question."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from qagen.curate.dedup import DedupResult, Doubt
from qagen.teacher.ledger import Request
from qagen.teacher.parse import list_schema, parse_items
from qagen.teacher.prompt import as_line, load_prompt
from qagen.teacher.protocol import Ask, Failure

log = logging.getLogger(__name__)

PROMPT = "same_question"
SCHEMA = list_schema("verdicts", {"pair": {"type": "integer"}, "same": {"type": "boolean"}})
_AT_ONCE = 10  # couples in one request
_CONTROL = (
    {"question": "At what temperature was the first sample annealed?", "answer": "At 400 K"},
    {"question": "Who designed the vessel of the second furnace?", "answer": "Ansel Trevithoe"},
)


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    pair: int
    same: bool


async def settle_borderline(
    result: DedupResult, ask: Ask, *, max_tokens: int = 800, seed: int | None = None, most: int = 2000, prompts: Path | None = None
) -> DedupResult:
    """The result with those of `result.borderline` merged that the teacher calls the same; the most alike `most` are asked about.

    A couple about which a reply says nothing, or two things, stays apart; so do all of a reply that merges a couple that is plainly
    two, which every request holds. Raises `qagen.teacher.protocol.Stopped` when the teacher answers nothing more.
    """
    doubts = sorted(result.borderline, key=lambda doubt: -doubt.score)[:most]
    batches = [doubts[start : start + _AT_ONCE] for start in range(0, len(doubts), _AT_ONCE)]
    settled = await asyncio.gather(*(_same(batch, ask, max_tokens, seed, prompts) for batch in batches))
    same = [doubt for batch in settled for doubt in batch]
    log.info("borderline: %d of %d couples are one", len(same), len(doubts))
    return result.merged(same)


async def _same(batch: Sequence[Doubt], ask: Ask, max_tokens: int, seed: int | None, prompts: Path | None) -> list[Doubt]:
    shown = [tuple({"question": as_line(one.question), "answer": as_line(one.answer)} for one in (doubt.a, doubt.b)) for doubt in batch]
    messages = load_prompt(PROMPT, prompts).messages(couples=[*shown, _CONTROL])
    reply = await ask(Request(messages, max_tokens, 0.0, seed, SCHEMA))
    if isinstance(reply, Failure):
        log.warning("borderline: %d couples stay apart: %s", len(batch), reply.detail)
        return []
    said = parse_items(reply.content, "verdicts", _Said)[0]
    verdicts = [[item.same for item in said if item.pair == number] for number in range(1, len(batch) + 2)]
    if verdicts[-1] != [False]:
        log.warning("borderline: %d couples stay apart: the reply merges what is plainly two, or is cut off", len(batch))
        return []
    return [doubt for doubt, verdict in zip(batch, verdicts, strict=False) if verdict == [True]]
