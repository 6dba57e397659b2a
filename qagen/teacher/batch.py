"""The teacher in batch mode: the same face as the live one, at half the price, within a day.

Requests are collected until nobody can go on without a reply, sent as one file, waited for, and answered all at once, so that
what depends on the replies comes together again: a run takes about as many batches as a document has rounds of questions.

Every step is on disk before the next one is taken (`batch_trip`), so that a process that dies anywhere submits nothing twice
and loses nothing; a later one finds the open batches, waits on, and puts what comes back into the ledgers first. Money is
reserved, at the worst case, for every request before its batch leaves.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from harvest.store import FieldsmithError, fingerprint, safe_name
from qagen.config import TeacherConfig
from qagen.teacher.batch_api import BatchEndpoint, UnreachableError
from qagen.teacher.batch_files import Batch, BatchFolder, kept_keys, request_line
from qagen.teacher.batch_harvest import Ended, Harvest, Wanted, free
from qagen.teacher.batch_manner import Manner
from qagen.teacher.batch_trial import Trial
from qagen.teacher.batch_trip import Pace, Trip
from qagen.teacher.budget import Account, BudgetError
from qagen.teacher.ledger import Ledger, Reply, Request, Spent
from qagen.teacher.protocol import Failure

__all__ = ["BatchTeacher", "Limits", "Pace"]

logger = logging.getLogger(__name__)

_TURNS = 20  # turns of the event loop in which whoever was woken by a reply may come to ask


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may hold; OpenAI's are 50,000 requests and 200 MB."""

    lines: int = 50_000
    size: int = 200_000_000


class BatchTeacher:
    """One endpoint and one model, asked in batches; use it as an async context manager and `ask`.

    `run` is the folder of the run: batches lie in `run/batches`. Entering raises `FieldsmithError` where the budget no longer
    covers a batch that is under way.
    """

    def __init__(self, config: TeacherConfig, account: Account, run: Path, pace: Pace | None = None, limits: Limits | None = None) -> None:
        self._config, self._account = config, account
        self._pace, self._limits = pace or Pace(), limits or Limits()
        self._folder, self._replies = BatchFolder(run / "batches"), run / "replies"
        self._endpoint = BatchEndpoint(config)
        self._trip = Trip(self._folder, self._endpoint, config.model, self._pace)
        self._place = fingerprint(config.model, config.base_url, config.azure_api_version)[:12]
        self._spare = Ledger(self._replies, f"_batches-{self._place}")  # of replies that nobody waits for at the moment
        self._wanted: dict[str, Wanted] = {}
        self._queue: dict[str, Wanted] = {}
        self._open: dict[str, Batch] = {}
        self._adopted: dict[str, tuple[str, Spent]] = {}  # asked by an earlier process: in which batch, what is set aside for it
        self._kept_before: set[str] = set()  # of those, what that process had put into a ledger
        self._most, self._tight = self._limits.lines, False
        note = self._folder.folder / f".manner-{self._place}-{config.replies}.json"
        self._trial = Trial(self._endpoint, note, config.model, account, self._spare)
        self._manner, self._tried, self._trying = Manner.first(config), False, asyncio.Lock()
        self._bell = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self.stopped: FieldsmithError | None = None
        self.made = self.kept = 0

    async def __aenter__(self) -> Self:
        for batch in self._folder.open_batches(self._place):
            self._open[batch.name] = batch
            await self._adopt(batch)
        if self._adopted:
            self._kept_before = self._adopted.keys() & set(kept_keys(self._replies))
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._work:
            self._work.cancel()
            await asyncio.wait([self._work])
        await self._endpoint.__aexit__(*exc)

    async def ask(self, request: Request, ledger: Ledger) -> Reply | Failure:
        """The reply to a request: from the ledger, or from a batch and then from now on in the ledger; that may take a day."""
        key = request.key(self._config.model)
        found = ledger.find(key) or await self._from_spare(key, request, ledger)
        if found:
            self.kept += 1
            return found
        try:
            wanted = await self._want(key, request)
        except BudgetError as reached:
            return self._stop(f"the budget of {reached.cap} is used up")
        except FieldsmithError as error:
            return self._stop(str(error))
        wanted.ledgers.append(ledger)
        outcome = await wanted.answer
        if isinstance(outcome, Reply) and ledger.find(key) is None:  # asked while the reply was already being handed out
            await ledger.keep(self._config.model, request, free(outcome))
        return outcome

    async def _from_spare(self, key: str, request: Request, ledger: Ledger) -> Reply | None:
        spare = self._spare.find(key)
        if spare:  # it is paid for there
            await ledger.keep(self._config.model, request, free(spare))
        return spare

    # ---- what is wanted

    async def _want(self, key: str, request: Request) -> Wanted:
        if self.stopped:
            raise self.stopped
        if key in self._wanted:  # two documents that ask the same
            return self._wanted[key]
        batch, bound = self._adopted.get(key) or ("", await self._set_aside(request))
        if self.stopped or key in self._wanted:  # it came about while this one waited for money
            await self._account.settle(bound, None)
            return await self._want(key, request)
        wanted = Wanted(key, request, bound, [], asyncio.get_running_loop().create_future(), batch, tries=1 if batch else 0)
        self._wanted[key] = wanted
        if not batch:
            self._queue[key] = wanted
        self._bell.set()
        if self._work is None:
            self._work = asyncio.create_task(self._serve())
            self._work.add_done_callback(self._break_off)
        return wanted

    async def _set_aside(self, request: Request) -> Spent:
        async with self._trying:
            if not self._tried:
                self._tried = True
                self._manner = await self._trial.manner(self._manner)
        return await self._account.reserve(request)

    async def _adopt(self, batch: Batch) -> None:
        """Set aside once more what a batch of an earlier process may cost."""
        for key, request in self._folder.asked(batch.name):
            try:
                async with asyncio.timeout(self._pace.quiet):  # nobody is going to make room
                    bound = await self._account.reserve(request)
            except (BudgetError, TimeoutError):
                raise FieldsmithError(
                    f"the batch {batch.name} is under way and may cost more than the budget now allows: raise the budget to what it was"
                ) from None
            self._adopted[key] = (batch.name, bound)

    # ---- the one who looks after the batches

    async def _serve(self) -> None:
        try:
            while True:
                await self._until_quiet()
                await self._send()
                await self._wait()
        except FieldsmithError as error:
            failure = self._stop(str(error))
            # What is under way will be billed, and counts; it is fetched by the next run.
            await self._end([Ended(wanted, failure, wanted.bound if wanted.batch else None) for wanted in self._wanted.values()])

    def _break_off(self, work: asyncio.Task[None]) -> None:
        """An error that nobody foresaw goes to everybody who waits."""
        error = None if work.cancelled() else work.exception()
        for wanted in self._wanted.values():
            if error and not wanted.answer.done():
                wanted.answer.set_exception(error)

    async def _until_quiet(self) -> None:
        """Return once something is wanted and nobody has asked for more in a while: then everybody waits for us."""
        while True:
            if not self._queue and not self._under_way():
                await self._bell.wait()
            self._bell.clear()
            await asyncio.sleep(self._pace.quiet)
            for _ in range(_TURNS):  # a loop that a long computation held up has had no time to ask
                await asyncio.sleep(0)
            if not self._bell.is_set():
                return

    async def _send(self) -> None:
        """Send what waits. While a batch is under way only full ones follow, so that the rest goes with what that one brings."""
        under_way, written = self._under_way(), []
        while self._queue and (not under_way or (len(self._queue) >= self._most and not self._tight)):
            written.append(self._write())
            under_way = under_way or self._tight
        for batch in written:
            self._open[batch.name] = await self._trip.submit(batch, fresh=True)

    def _under_way(self) -> bool:
        return any(wanted.batch for wanted in self._wanted.values())

    def _write(self) -> Batch:
        name = f"{safe_name(self._config.model)[:40]}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:8]}"
        taken: list[Wanted] = []
        lines = self._folder.write(name, self._take(taken))
        batch = self._folder.save(Batch(name, self._place, lines, time.time()))
        for wanted in taken:
            del self._queue[wanted.key]
            wanted.batch, wanted.tries = name, wanted.tries + 1
        self._open[name] = batch
        return batch

    def _take(self, taken: list[Wanted]) -> Iterator[tuple[str, Request, bytes]]:
        size = 0
        for wanted in self._queue.values():
            line = request_line(wanted.key, self._endpoint.url, self._manner.body(self._config.model, wanted.request))
            size += len(line)
            if taken and (size > self._limits.size or len(taken) >= self._most):
                return
            taken.append(wanted)
            yield wanted.key, wanted.request, line

    async def _wait(self) -> None:
        """Look after what is under way until some of it has ended and is handed out, or a full batch has come together."""
        pause, heard = self._pace.first, time.monotonic()
        while self._under_way() and (self._tight or len(self._queue) < self._most):
            ended = []
            for name in list(self._open):
                try:
                    self._open[name] = await self._trip.look(self._open[name])
                except UnreachableError as error:
                    if time.monotonic() - heard > self._pace.patience:
                        raise
                    logger.warning("%s", error)
                    continue
                heard = time.monotonic()
                if self._open[name].step == "fetched":
                    ended.append(self._open.pop(name))
            for batch in ended:
                await self._collect(batch)
            if ended:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, self._pace.longest)

    # ---- what came back

    async def _collect(self, batch: Batch) -> None:
        """Everything into the ledgers, then the batch is closed, then whoever waits is told."""
        of_it = {key: wanted for key, wanted in self._wanted.items() if wanted.batch == batch.name}
        harvest = Harvest(self._config.model, self._manner, of_it, self._kept_before)
        simpler = None
        if batch.status == "failed":
            harvest.again.extend(of_it.values())
        else:
            await harvest.take(self._folder.answers(batch.name))
            simpler = await harvest.conclude(ours_to_lose=bool(batch.batch_id) and batch.status == "completed")
        await harvest.keep_unclaimed(self._folder.asked(batch.name), self._spare)
        await self._release(batch, harvest)
        self._folder.close(replace(batch, step="closed", answered=harvest.answered))
        self.made += harvest.answered
        logger.info("batch %s: %s, %d of %d requests answered", batch.name, batch.status, harvest.answered, batch.lines)
        trouble = harvest.trouble(batch, self._endpoint.name, hopeful=simpler is not None or self.made > 0)
        if trouble:
            failure = self._stop(trouble)
            harvest.ended = [replace(one, outcome=failure) if isinstance(one.outcome, Failure) else one for one in harvest.ended]
        await self._end(harvest.ended)
        for wanted in harvest.again:
            wanted.batch, self._queue[wanted.key] = "", wanted
        self._manner = simpler or self._manner
        if trouble:
            raise FieldsmithError(trouble)
        if batch.status == "failed":
            await self._send_less(batch)

    async def _release(self, batch: Batch, harvest: Harvest) -> None:
        """Settle what was set aside for requests that this process has not asked, or not yet."""
        for key in [key for key, (name, _) in self._adopted.items() if name == batch.name]:
            _, bound = self._adopted.pop(key)
            if key not in self._wanted:
                await self._account.settle(bound, harvest.spent_on(key, bound))

    async def _end(self, ended: list[Ended]) -> None:
        for one in ended:
            del self._wanted[one.wanted.key]
            self._queue.pop(one.wanted.key, None)
            await self._account.settle(one.wanted.bound, one.spent)
        for one in ended:
            if not one.wanted.answer.done():  # whoever asked may have gone
                one.wanted.answer.set_result(one.outcome)

    async def _send_less(self, batch: Batch) -> None:
        """The endpoint queues so many tokens of a model at a time, and does not say how many of them are free."""
        self._most, self._tight = max(1, batch.lines // 2), True
        logger.warning("batch %s is more than the endpoint queues at a time (%s): at most %d now", batch.name, batch.why, self._most)
        await asyncio.sleep(self._pace.longest)

    def _stop(self, sentence: str) -> Failure:
        self.stopped = self.stopped or FieldsmithError(sentence)
        return Failure(str(self.stopped), stopped=True)
