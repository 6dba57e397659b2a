"""What came back of a batch, sorted: replies kept in the ledgers, requests to ask again, and what has failed for good."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from qagen.teacher.answer import Refusal
from qagen.teacher.batch_files import Batch, Returned
from qagen.teacher.batch_manner import Manner
from qagen.teacher.budget import used, worst_case
from qagen.teacher.ledger import Ledger, Reply, Request, Spent
from qagen.teacher.protocol import Failure

logger = logging.getLogger(__name__)

MOST_BATCHES = 3  # that a request may take part in before it counts as failed
_AT_ONCE = 256  # replies that are being kept at the same time


@dataclass(slots=True)
class Wanted:
    """A request that somebody waits for, and what is set aside for it; `batch` is where it is being asked, if it is."""

    key: str
    request: Request
    bound: Spent
    ledgers: list[Ledger]
    answer: asyncio.Future[Reply | Failure]
    batch: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """What a request has come to, and what that cost; None where nothing was billed."""

    wanted: Wanted
    outcome: Reply | Failure
    spent: Spent | None


class Harvest:
    """Takes the answers of one batch. `wanted` are the requests of it that somebody waits for, `kept` the keys whose replies an
    earlier process had put into a ledger before it died.
    """

    def __init__(self, model: str, manner: Manner, wanted: Mapping[str, Wanted], kept: set[str]) -> None:
        self._model, self._manner, self._wanted, self._kept = model, manner, wanted, kept
        self._seen: set[str] = set()
        self._refused: list[tuple[Wanted, Refusal]] = []
        self.ended: list[Ended] = []
        self.again: list[Wanted] = []
        self.unclaimed: dict[str, Returned] = {}
        self.answered, self.why = 0, ""

    async def take(self, answers: Iterable[Returned]) -> None:
        """Sort what came back; every reply that somebody waits for is in its ledger when this returns."""
        fresh = self._once(answers)
        while some := list(islice(fresh, _AT_ONCE)):
            await asyncio.gather(*(self._one(answer) for answer in some))

    async def conclude(self, *, ours_to_lose: bool) -> Manner | None:
        """Decide on what was refused and what is missing; a simpler manner of asking, if one may help.

        `ours_to_lose`: the endpoint took the batch, so that a line of which it says nothing may have been billed.
        """
        for wanted in self._wanted.values():
            if wanted.key not in self._seen:
                if ours_to_lose:
                    await self._lost(wanted, "the batch came back without it")
                else:
                    self._again_or(wanted, "the batch came back without it")
        simpler = None
        if self._refused and not self.answered:  # where others were answered, it is these requests and not how they are put
            simpler = self._manner.after(self._refused[0][1])
        for wanted, refusal in self._refused:
            if simpler:
                self.again.append(wanted)
            else:
                self.ended.append(Ended(wanted, Failure(f"refused in a batch ({refusal.status}: {refusal.said[:300]})"), None))
        return simpler

    def spent_on(self, key: str, bound: Spent) -> Spent | None:
        """What the reply to a request that nobody waits for cost."""
        reply = self.unclaimed[key].reply(bound) if key in self.unclaimed else None
        return used(reply) if reply else None

    async def keep_unclaimed(self, asked: Iterable[tuple[str, Request]], ledger: Ledger) -> None:
        """Keep the replies that nobody waits for, so that whoever asks later has them."""
        for key, request in asked if self.unclaimed else ():
            reply = self.unclaimed[key].reply(worst_case(request)) if key in self.unclaimed else None
            if reply and not ledger.find(key):
                await ledger.keep(self._model, request, reply)

    def trouble(self, batch: Batch, endpoint: str, *, hopeful: bool) -> str:
        """Why there is no use in going on after how a batch ended; empty where there is."""
        if batch.status == "cancelled":
            return f"the batch {batch.batch_id} was cancelled at the endpoint; what it had answered is kept, the next run asks for the rest"
        if batch.status == "failed" and ("token_limit" not in batch.why or batch.lines == 1):
            return f"{endpoint} refused the batch {batch.batch_id}: {batch.why or 'no reason given'}"
        if batch.status != "failed" and not self.answered and not self.again and not hopeful:
            why = self.why or "no reason given"
            return f"{endpoint} answered none of {batch.lines} requests of a batch ({why}); check the teacher settings"
        return ""

    def _once(self, answers: Iterable[Returned]) -> Iterator[Returned]:
        for answer in answers:
            if answer.key in self._seen:
                logger.warning("a batch came back with two lines for %s; the first counts", answer.key[:16])
                continue
            self._seen.add(answer.key)
            yield answer

    async def _one(self, returned: Returned) -> None:
        wanted = self._wanted.get(returned.key)
        if returned.status == 200 and wanted is None:
            self.answered += 1
            if returned.key not in self._kept:
                self.unclaimed[returned.key] = returned
        elif wanted and (reply := returned.reply(wanted.bound)):
            self.answered += 1
            await self._reply(wanted, reply)
        else:
            await self._none(wanted, returned)

    async def _none(self, wanted: Wanted | None, returned: Returned) -> None:
        refusal = returned.refusal()
        self.why = self.why or f"{returned.status}: {refusal.said[:300]}"
        if wanted is None:
            return
        if returned.status == 200:
            await self._lost(wanted, "a response that is no chat completion")
        elif returned.status in (0, 408, 409, 429) or returned.status >= 500:
            self._again_or(wanted, refusal.said)
        else:
            self._refused.append((wanted, refusal))

    async def _reply(self, wanted: Wanted, reply: Reply) -> None:
        """Into the ledger of everybody who waits, but paid for in one only."""
        paid = before = wanted.key in self._kept
        for ledger in {id(ledger): ledger for ledger in wanted.ledgers}.values():
            await ledger.keep(self._model, wanted.request, free(reply) if paid else reply)
            paid = True
        self.ended.append(Ended(wanted, reply, None if before else used(reply)))

    async def _lost(self, wanted: Wanted, why: str) -> None:
        await wanted.ledgers[0].keep_lost(self._model, wanted.request, wanted.bound, why)
        self.ended.append(Ended(wanted, Failure(why), wanted.bound))

    def _again_or(self, wanted: Wanted, why: str) -> None:
        if wanted.tries < MOST_BATCHES:
            self.again.append(wanted)
        else:
            self.ended.append(Ended(wanted, Failure(f"not answered in {wanted.tries} batches: {why[:300]}"), None))


def free(reply: Reply) -> Reply:
    """A reply that another ledger has paid for."""
    return replace(reply, input_tokens=0, output_tokens=0)
