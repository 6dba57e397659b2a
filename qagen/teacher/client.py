"""The teacher: any OpenAI-compatible endpoint, asked with as many requests in flight as it gains from.

A reply is on the disk before the caller sees it; a call that fails after all retries is a value (`Failure`); what makes all
further calls pointless (budget, key, model, address) stops the teacher, and every later request that the ledger cannot answer
fails with that sentence.

Who does what: `dialect` and `forms` put a request into the endpoint's words, `transport` sends it, `answer` reads what comes
back, `pace` says how many may be in flight, `budget` whether the next may leave, `ledger` keeps the replies.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from harvest.store import FieldsmithError
from qagen.config import TeacherConfig
from qagen.teacher.answer import Refusal, read_refusal, read_reply
from qagen.teacher.budget import Account, BudgetError, used
from qagen.teacher.dialect import SIMPLER, Dialect, Mode, about_format, probe, shows_it
from qagen.teacher.endpoint import Endpoint, Serve
from qagen.teacher.forms import Forms
from qagen.teacher.ledger import Ledger, Reply, Request, Spent
from qagen.teacher.pace import Outcome, Pace, Ticket
from qagen.teacher.protocol import Failure
from qagen.teacher.transport import Hung, Lost, Unsent, Wire

logger = logging.getLogger(__name__)

_LONGEST_WAIT = 60.0  # seconds between our own tries; a Retry-After may ask for more
_LONGEST_RETRY_AFTER = 600.0  # seconds; an endpoint that asks for more ends the run
_FAILURES_IN_A_ROW = 8  # failed calls, each with all its retries, after which the endpoint counts as down
_REFUSED_AT_FIRST = 3  # requests refused for what they are, before any was answered, after which it is the settings
_IN_LINE = 8  # times the allowed retries: so often may a request be told to wait while others are answered
_HEAD_START = 0.05  # seconds by which who has failed goes before the others
_FULL = frozenset({408, 425, 429, 502, 503, 504, 529})  # statuses of an endpoint that has too much to do
_LETTERS_A_TOKEN = 4  # roughly, as endpoints estimate it for their rate limits


@dataclass(frozen=True, slots=True)
class _Again:
    """A try that failed but may succeed later.

    `lost`: the endpoint may have done, and billed, the work. `full`: it has too much to do. `free`: it is asked again in other
    words, which is no further try.
    """

    why: str
    lost: bool = False
    full: bool = False
    free: bool = False


@dataclass(frozen=True, slots=True)
class _Declined(Failure):
    """The endpoint does not take what it was probed with."""


@dataclass(frozen=True, slots=True)
class _Try:
    """A request, in the words in which it leaves; `bound` is the most that it can cost."""

    request: Request
    ledger: Ledger
    mode: Mode
    probing: bool
    dialect: Dialect
    bound: Spent
    ticket: Ticket


class Teacher:
    """One endpoint and one model; use it as an async context manager and `ask`.

    `serve` starts the endpoint if there is none to reach yet and yields its address; it is entered at the first request
    that the ledger cannot answer, so that a run without new requests loads no model. `made` counts the replies that came,
    `kept` those that the ledger had; `stopped` says why nothing is asked any more.
    """

    def __init__(self, config: TeacherConfig, account: Account, serve: Serve | None = None) -> None:
        self._config, self._account, self._endpoint, self._probing = config, account, Endpoint(config, serve), asyncio.Lock()
        self._pace, self._forms, self._dialect = Pace(config.concurrency), Forms(config.replies), Dialect()
        self._under_way: dict[tuple[Path, str], asyncio.Event] = {}
        self._failed_in_a_row = self._refused_at_first = 0
        self.stopped: FieldsmithError | None = None
        self.made = self.kept = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._endpoint.__aexit__(*exc)

    async def ask(self, request: Request, ledger: Ledger) -> Reply | Failure:
        """The reply to a request: from the ledger, or from the endpoint and then from now on in the ledger."""
        key = request.key(self._config.model)
        async with self._alone(ledger.path, key):
            if found := ledger.find(key):
                self.kept += 1
                return found
            if request.schema is not None and not self._forms.known and (failure := await self._find_form(ledger.folder)):
                return failure
            return await self._call(request, ledger)

    @asynccontextmanager
    async def _alone(self, path: Path, key: str) -> AsyncIterator[None]:
        """The same request asked twice at once leaves once; who comes second finds the reply in the ledger."""
        while under_way := self._under_way.get((path, key)):
            await under_way.wait()
        self._under_way[path, key] = over = asyncio.Event()
        try:
            yield
        finally:
            del self._under_way[path, key]
            over.set()

    async def _find_form(self, folder: Path) -> Failure | None:
        """Ask the endpoint once what it honours; its replies lie in a ledger of their own, where later runs find them."""
        async with self._probing:
            if self._forms.known:
                return None
            ledger = Ledger(folder, f"endpoint {self._endpoint.place}")
            form: Mode = "text"
            for mode in SIMPLER:
                request = probe(mode)
                reply = ledger.find(request.key(self._config.model)) or await self._call(request, ledger, mode)
                if isinstance(reply, Failure) and not isinstance(reply, _Declined):
                    return reply
                if isinstance(reply, Reply) and shows_it(mode, reply.content):
                    form = mode
                    break
            self._forms.known = form
            logger.info("%s is asked for structured replies as %s", self._endpoint.name, form)
        return None

    # ---- one call: tries until it is answered, declined or given up

    async def _call(self, request: Request, ledger: Ledger, probing: Mode | None = None) -> Reply | Failure:
        failed = waited = 0
        while True:
            answered = self.made
            outcome = await self._attempt(request, ledger, probing, again=failed + waited > 0)
            if not isinstance(outcome, _Again):
                return outcome
            if outcome.free:
                continue
            if outcome.full and self.made > answered:
                waited += 1  # others were answered: it is this request's turn later, and no fault of the endpoint
            else:
                failed += 1
            if failed > self._config.retries or waited > _IN_LINE * self._config.retries:
                return self._give_up(outcome.why)
            self._endpoint.note(outcome.why, self._pace.in_flight)
            wait = min(_LONGEST_WAIT, 0.5 * 2 ** max(0, failed - 1)) * random.uniform(0.5, 1)  # noqa: S311 - jitter
            if not self.made:
                self._pace.hold(wait + _HEAD_START)  # nobody else tries what may not work at all
            await asyncio.sleep(wait)

    def _give_up(self, failure: str) -> Failure:
        self._failed_in_a_row += 1
        if not self.made or self._failed_in_a_row >= _FAILURES_IN_A_ROW:
            return self._stop(
                f"{self._endpoint.name} does not answer: {failure}; see that it runs and run this again, nothing received is lost"
            )
        return Failure(failure)

    async def _attempt(self, request: Request, ledger: Ledger, probing: Mode | None, *, again: bool) -> Reply | Failure | _Again:
        """One HTTP request when its turn has come and the budget has room for it."""
        try:
            wire = await self._endpoint.wire()
        except FieldsmithError as error:
            return self._stop(str(error))
        ticket = await self._pace.enter(_tokens(request), again=again)
        try:
            if self.stopped:
                return Failure(str(self.stopped), stopped=True)
            bound = await self._account.reserve(request)
            mode = probing or self._forms.of(request)
            return await self._book(wire, _Try(request, ledger, mode, bool(probing), self._dialect, bound, ticket))
        except BudgetError as reached:
            return self._stop(f"the budget of {reached.cap} is used up")
        except FieldsmithError as error:
            return self._stop(str(error))
        finally:
            self._pace.leave(ticket, "failed")

    async def _book(self, wire: Wire, one: _Try) -> Reply | Failure | _Again:
        """Send a request that is reserved for; book what it cost, in the ledger before the caller hears of it."""
        spent: Spent | None = one.bound  # a request that is cancelled or lost may have been billed
        model, ledger, request = self._config.model, one.ledger, one.request
        written: Awaitable[None] | None = None
        try:
            if self._account.capped:
                ledger.sending(model, request, one.bound)
            outcome = await self._send(wire, one)
            if isinstance(outcome, Reply):
                spent, written = used(outcome), ledger.keep(model, request, outcome)
                self._forms.saw(request, one.mode, outcome)
            elif isinstance(outcome, _Again) and outcome.lost:
                written = ledger.keep_lost(model, request, one.bound, outcome.why)
            else:
                ledger.refused(model, request)
                spent = None
            self._pace.leave(one.ticket, _of_load(outcome))  # what is written survives us: the next may leave while the disk is busy
            if written:
                await written
            if isinstance(outcome, Reply):
                self._failed_in_a_row, self.made = 0, self.made + 1
            return outcome
        finally:
            await self._account.settle(one.bound, spent)

    async def _send(self, wire: Wire, one: _Try) -> Reply | Failure | _Again:
        body = _encoded(one.dialect.body(self._config.model, one.request, one.mode))
        self._pace.sends(one.ticket)
        try:
            answer = await wire.post(body)
        except Unsent as error:
            return _Again(self._endpoint.safe(error), full=True)
        except Lost as error:
            return _Again(self._endpoint.safe(error), lost=True, full=isinstance(error, Hung))
        self._pace.hear(one.ticket, answer.headers)
        if answer.status >= 300:
            return self._refused(read_refusal(answer), one)
        reply = read_reply(answer, one.bound)
        return reply or _Again(f"an answer without a message: {self._endpoint.safe(read_refusal(answer).said)}", lost=True)

    # ---- what refusals mean

    def _refused(self, refusal: Refusal, one: _Try) -> Failure | _Again:
        status, said = refusal.status, self._endpoint.safe(refusal.said)
        if status in (400, 422, 501) and self._in_other_words(refusal, one):
            return _Again(said, free=True)
        passing = status in (408, 409, 425) or status >= 500 or (status == 429 and refusal.code != "insufficient_quota")
        if passing and status != 501 and refusal.wait <= _LONGEST_RETRY_AFTER:
            self._pace.hold(refusal.wait)
            return _Again(f"HTTP {status}: {said}", full=status in _FULL)
        if status in (400, 413, 422, 501) and (one.probing or self._only_this_one()):
            return (_Declined if one.probing else Failure)(f"HTTP {status}: {said}")
        return self._stop(f"{self._endpoint.name} refuses (HTTP {status}): {said}; {self._endpoint.advice(status)}")

    def _in_other_words(self, refusal: Refusal, one: _Try) -> bool:
        """Whether the request may be taken in the words in which it would be put now."""
        if self._dialect != one.dialect:
            return True
        if not self.made and (simpler := one.dialect.after(refusal.said, refusal.parameter)):
            self._dialect = simpler
            return True
        return not one.probing and about_format(refusal.said, refusal.parameter) and self._forms.step_down(one.request, one.mode)

    def _only_this_one(self) -> bool:
        """Whether a refusal is about the request that met it: not if the first that were ever sent are all refused."""
        self._refused_at_first += not self.made
        return self._refused_at_first < _REFUSED_AT_FIRST

    def _stop(self, sentence: str) -> Failure:
        self.stopped = self.stopped or FieldsmithError(sentence)
        self._pace.close()
        return Failure(str(self.stopped), stopped=True)


def _tokens(request: Request) -> float:
    """About as many tokens as an endpoint takes off a rate limit for a request."""
    return sum(len(message.content) for message in request.messages) / _LETTERS_A_TOKEN + request.max_tokens


def _of_load(outcome: Reply | Failure | _Again) -> Outcome:
    if isinstance(outcome, Reply):
        return "answered"
    return "refused" if isinstance(outcome, _Again) and outcome.full else "failed"


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, default=dict).encode()
    except UnicodeEncodeError:  # half a surrogate pair, out of a broken text: only escapes can hold it
        return json.dumps(body, default=dict).encode()
