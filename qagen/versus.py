"""Which of two free answers is better, by a judge that must say so twice: once in each order.

Models that judge prefer what stands first, or last, however much they are told not to (position bias: "Judging LLM-as-a-judge with
MT-bench and Chatbot Arena", arXiv 2306.05685). So both orders are asked for, and a verdict counts only where they agree; where
they do not, the bout is a tie and is counted as inconsistent.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from harvest.store import FieldsmithError, UsageError
from qagen.config import JudgeConfig, QAGenConfig
from qagen.desk import Desk
from qagen.kinds.together import together
from qagen.teacher.ledger import Request
from qagen.teacher.parse import list_schema, parse_items
from qagen.teacher.prompt import Prompt, load_prompt
from qagen.teacher.protocol import Ask, Failure, Stopped

PROMPT = "versus"
NAME = "_versus"
"""The ledger of the bouts: `replies/_versus.jsonl`."""

Side = Literal["first", "second", "tie"]
_KEY = "verdicts"
_SCHEMA: dict[str, Any] = list_schema(_KEY, {"reason": {"type": "string"}, "better": {"type": "string", "enum": ["A", "B", "tie"]}})
_LONGEST = 4000  # characters of an answer that are shown; small models run on and on
_TAG = re.compile(r"<(?=\s*/?\s*(?:question|reference|source|answer)\b)", re.I)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contest:
    """Two answers to one question, such as the base model's and the tuned one's; `evidence` is the source sentence, or empty."""

    id: str
    question: str
    reference: str
    evidence: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Bout:
    """What came of a contest: `points` is +1 where the second answer is better, -1 where the first is, 0 for a tie.

    `verdicts` are what the judge said with the first answer shown first, and with it shown last; None where it said nothing that
    can be read. `consistent` is False where these two do not agree or one is missing: then there are no points.
    """

    id: str
    points: int
    verdicts: tuple[Side | None, Side | None]

    @property
    def consistent(self) -> bool:
        """Whether the judge said the same whichever answer stood first."""
        return self.verdicts[0] is not None and self.verdicts[0] == self.verdicts[1]


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    better: Annotated[Literal["a", "b", "tie"], BeforeValidator(lambda said: str(said).strip().casefold())]


def judge_answers(config: QAGenConfig, run: Path, questions: Sequence[Contest]) -> list[Bout]:
    """A bout for each contest, in their order, by the judge of the settings; not within a running event loop.

    Two requests a contest, through the ledger and the budget of `run`: what was judged once is not asked again. Answers that are
    word for word the same tie unasked. Raises `UsageError` where the settings name no judge, `FieldsmithError` where it cannot
    be asked or the budget is reached; run again, it goes on from there.
    """
    if config.judge is None:
        raise UsageError("free answers are to be compared by a judge, and there is none; name a model under qagen.judge")
    bouts = asyncio.run(_judged(config, config.judge, run, questions))
    if odd := sum(not bout.consistent for bout in bouts):
        _log.info("versus: in %d of %d bouts the judge did not say the same in both orders; they count as ties", odd, len(bouts))
    return bouts


async def _judged(config: QAGenConfig, judge: JudgeConfig, run: Path, questions: Sequence[Contest]) -> list[Bout]:
    prompt = load_prompt(PROMPT, config.prompts)
    async with Desk(config, run, only="judge") as desk:
        ask = desk.file(NAME).ask("judge")
        try:
            return await together(_bout(contest, judge, prompt, ask) for contest in questions)
        except Stopped as stopped:
            raise FieldsmithError(f"{stopped}; not all answers are judged, what was judged is kept in {run / 'replies'}") from stopped


async def _bout(contest: Contest, judge: JudgeConfig, prompt: Prompt, ask: Ask) -> Bout:
    if " ".join(contest.first.split()) == " ".join(contest.second.split()):
        return Bout(contest.id, 0, ("tie", "tie"))
    straight, swapped = await asyncio.gather(
        _better(contest, contest.first, contest.second, judge, prompt, ask),
        _better(contest, contest.second, contest.first, judge, prompt, ask),
    )
    verdicts: tuple[Side | None, Side | None] = (_side(straight, "first", "second"), _side(swapped, "second", "first"))
    agreed = verdicts[0] if verdicts[0] == verdicts[1] else None
    return Bout(contest.id, {"second": 1, "first": -1}.get(agreed or "tie", 0), verdicts)


async def _better(contest: Contest, a: str, b: str, judge: JudgeConfig, prompt: Prompt, ask: Ask) -> str | None:
    """`a`, `b` or `tie`, as the judge calls them; None where there is no single verdict."""
    shown = {"question": contest.question, "reference": contest.reference, "evidence": contest.evidence, "a": a, "b": b}
    messages = prompt.messages(**{name: _shown(text) for name, text in shown.items()})
    seed = 0 if judge.temperature > 0 else None
    reply = await ask(Request(messages, judge.max_tokens, judge.temperature, seed, _SCHEMA))
    if isinstance(reply, Failure):
        _log.warning("versus: no verdict on %s: %s", contest.id, reply.detail)
        return None
    said, _ = parse_items(reply.content, _KEY, _Said)
    return said[0].better if len(said) == 1 else None


def _side(said: str | None, a: Side, b: Side) -> Side | None:
    """Whose answer stood where."""
    named: dict[str | None, Side] = {"a": a, "b": b, "tie": "tie"}
    return named.get(said)


def _shown(text: str) -> str:
    """Text as it may stand between our tags: it cannot close its own."""
    return _TAG.sub("(", text.strip())[:_LONGEST]
