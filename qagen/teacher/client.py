"""The teacher: any OpenAI-compatible endpoint, asked with a bounded number of requests in flight.

Nothing else in fieldsmith speaks HTTP to a language model. A reply is in the ledger before the caller sees it; a call
that fails after all retries is a value (`Failure`); what makes all further calls pointless (budget, key, model,
address) stops the teacher, and every later request that the ledger cannot answer fails with that sentence.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from harvest.store import FieldsmithError
from qagen.config import TeacherConfig
from qagen.teacher.budget import Budget, BudgetError, used
from qagen.teacher.ledger import Ledger, Reply, Request, Spent

if TYPE_CHECKING:
    from openai import APIError, APIStatusError, AsyncOpenAI
    from openai.types.chat import ChatCompletion

logger = logging.getLogger(__name__)

OPENAI = "https://api.openai.com/v1"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LONGEST_WAIT = 60.0  # seconds between our own tries; a Retry-After may ask for more
_LONGEST_RETRY_AFTER = 600.0  # seconds; an endpoint that asks for more ends the run
_SERVED_TIMEOUT = 3600.0  # our own server is slow but answers or dies; giving up on it would only make it work twice
_FAILURES_IN_A_ROW = 8  # failed calls, each with all its retries, after which the endpoint counts as down


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request has no reply; `stopped` if no request will have one any more in this run of the process."""

    detail: str
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What this endpoint understands of the protocol; found out from its refusals."""

    schema: bool = True
    tokens_name: str = "max_tokens"
    temperature: bool = True

    def after(self, refusal: str, request: Request) -> _Dialect | None:
        """A simpler dialect that may avoid a 400, or None."""
        if self.tokens_name == "max_tokens" and "max_completion_tokens" in refusal:
            return replace(self, tokens_name="max_completion_tokens")
        if self.temperature and "temperature" in refusal:
            return replace(self, temperature=False)
        if self.schema and request.schema is not None:
            return replace(self, schema=False)
        return None

    def body(self, model: str, request: Request) -> dict[str, Any]:
        """The request as arguments of the client's `create`."""
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            self.tokens_name: request.max_tokens,
        }
        if self.temperature:
            body["temperature"] = request.temperature
        if request.seed is not None:
            body["seed"] = request.seed
        if self.schema and request.schema is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": request.schema}}
        return body


class Teacher:
    """One endpoint and one model; use it as an async context manager and `ask`.

    `serve` starts the endpoint if there is none to reach yet and yields its address; it is entered at the first request
    that the ledger cannot answer, so that a run without new requests loads no model.
    """

    def __init__(self, config: TeacherConfig, budget: Budget, serve: Callable[[], AbstractContextManager[str]] | None = None) -> None:
        self._config, self._budget = config, budget
        self._serve = serve or (lambda: nullcontext(config.base_url or OPENAI))
        self._timeout = max(config.timeout, _SERVED_TIMEOUT) if config.serve else config.timeout
        self._key = "" if config.serve else os.environ.get(config.api_key_env, "")
        self._stack = AsyncExitStack()
        self._client: AsyncOpenAI | None = None
        self._dialect = _Dialect()
        self._first, self._slots = asyncio.Lock(), asyncio.Semaphore(config.concurrency)
        self._answered, self._failed_in_a_row, self._not_before = False, 0, 0.0
        self.stopped: FieldsmithError | None = None
        self.made = self.kept = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def ask(self, request: Request, ledger: Ledger) -> Reply | Failure:
        """The reply to a request: from the ledger, or from the endpoint and then from now on in the ledger."""
        found = ledger.find(request.key(self._config.model))
        if found:
            self.kept += 1
            return found
        async with self._first:
            if not self._answered:  # the first request goes alone: a wrong key or address costs one refusal, not a hundred
                return await self._call(request, ledger)
        async with self._slots:
            return await self._call(request, ledger)

    # ---- one call

    async def _call(self, request: Request, ledger: Ledger) -> Reply | Failure:
        failure = ""
        for attempt in range(self._config.retries + 1):
            if attempt:
                await asyncio.sleep(min(_LONGEST_WAIT, 0.5 * 2 ** (attempt - 1)) * random.uniform(0.5, 1))  # noqa: S311 - jitter
            outcome = await self._attempt(request, ledger)
            if not isinstance(outcome, _Again):
                return outcome
            failure = outcome.why
            logger.warning("the teacher did not answer (%s), try %d of %d", failure, attempt + 1, self._config.retries + 1)
        return self._give_up(failure)

    def _give_up(self, failure: str) -> Failure:
        self._failed_in_a_row += 1
        if not self._answered or self._failed_in_a_row >= _FAILURES_IN_A_ROW:
            return self._stop(f"{self._name()} does not answer: {failure}; see that it runs and run this again, nothing received is lost")
        return Failure(failure)

    async def _attempt(self, request: Request, ledger: Ledger) -> Reply | Failure | _Again:
        """One HTTP request, booked before it leaves and settled when it is over, however it ends."""
        if self.stopped:
            return Failure(str(self.stopped), stopped=True)
        while (wait := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        try:
            client, bound = await self._open(), await self._budget.reserve(request)
        except BudgetError as reached:
            return self._stop(f"the budget of {reached.cap} is used up")
        except FieldsmithError as error:
            return self._stop(str(error))
        spent: Spent | None = bound  # a request that is cancelled or lost may have been billed
        try:
            outcome = await self._send(client, request, bound)
            if isinstance(outcome, Reply):
                ledger.keep(self._config.model, request, outcome)
                spent = used(outcome)
                self._answered, self._failed_in_a_row, self.made = True, 0, self.made + 1
            elif isinstance(outcome, _Again) and outcome.lost:
                ledger.keep_lost(self._config.model, request, bound, outcome.why)
            else:
                spent = None
            return outcome
        finally:
            await self._budget.settle(bound, spent)

    async def _send(self, client: AsyncOpenAI, request: Request, bound: Spent) -> Reply | Failure | _Again:
        from openai import APIConnectionError, APIResponseValidationError, APIStatusError, APITimeoutError

        try:
            async with asyncio.timeout(self._timeout):
                completion = await client.chat.completions.create(**self._dialect.body(self._config.model, request))
        except APIStatusError as error:
            simpler = None if self._answered or error.status_code not in (400, 422) else self._dialect.after(_said(error), request)
            if simpler is None:
                return self._refused(error)
            self._dialect = simpler
            return await self._send(client, request, bound)
        except APIConnectionError as error:
            if _never_left(error):  # asked first: the transport reports a refused connection as a timeout
                return _Again(self._safe(_root(error)))
            hung = isinstance(error, APITimeoutError)
            return _Again(f"no answer within {self._timeout:g} s" if hung else self._safe(_root(error)), lost=True)
        except TimeoutError:
            return _Again(f"no answer within {self._timeout:g} s", lost=True)
        except (APIResponseValidationError, JSONDecodeError, UnicodeDecodeError) as error:
            return _Again(f"an answer that is no JSON: {self._safe(error)}", lost=True)
        return _reply(completion, bound) or _Again("an answer without a message", lost=True)

    def _refused(self, error: APIStatusError) -> Failure | _Again:
        status, said = error.status_code, self._safe(_said(error))
        wait = _retry_after(error.response.headers)
        passing = status in (408, 409) or status >= 500 or (status == 429 and error.code != "insufficient_quota")
        if passing and wait <= _LONGEST_RETRY_AFTER:
            self._not_before = max(self._not_before, time.monotonic() + wait)
            return _Again(f"HTTP {status}: {said}")
        if status in (400, 413, 422) and self._answered:
            return Failure(f"HTTP {status}: {said}")
        return self._stop(f"{self._name()} refuses (HTTP {status}): {said}; {_advice(status, self._config)}")

    def _stop(self, sentence: str) -> Failure:
        self.stopped = self.stopped or FieldsmithError(sentence)
        return Failure(str(self.stopped), stopped=True)

    # ---- the endpoint

    async def _open(self) -> AsyncOpenAI:
        """The client, made at the first request."""
        if self._client is None:
            from openai import AsyncOpenAI, DefaultAioHttpClient

            served = self._serve()
            url = await asyncio.to_thread(served.__enter__)
            self._stack.push(served.__exit__)
            local = (urlsplit(url).hostname or "") in LOOPBACK
            if not self._key and not local:
                raise FieldsmithError(f"{self._name()} needs a key: put it into the environment variable {self._config.api_key_env}")
            transport = DefaultAioHttpClient(trust_env=not local, timeout=self._timeout)
            client = AsyncOpenAI(base_url=url, api_key=self._key or "none", max_retries=0, timeout=self._timeout, http_client=transport)
            self._client = await self._stack.enter_async_context(client)
        return self._client

    def _name(self) -> str:
        parts = urlsplit(self._config.base_url or OPENAI)
        address = f"{parts.scheme}://{parts.netloc}{parts.path}"
        where = "served here" if self._config.serve else f"at {address}"
        return f"the teacher {self._config.model} {where}"

    def _safe(self, text: object) -> str:
        """What may be shown and logged of a foreign text: one line, short, without the key."""
        line = " ".join(str(text).split())
        return (line.replace(self._key, "***") if self._key else line)[:300]


@dataclass(frozen=True, slots=True)
class _Again:
    """A try that failed but may succeed later; `lost` if the endpoint may have done, and billed, the work."""

    why: str
    lost: bool = False


def _reply(completion: ChatCompletion, bound: Spent) -> Reply | None:
    if isinstance(completion, str) or not completion.choices:
        return None
    choice, usage = completion.choices[0], completion.usage
    content = choice.message.content or ""
    return Reply(
        content,
        choice.finish_reason or "unknown",
        usage.prompt_tokens if usage else bound.input_tokens,
        usage.completion_tokens if usage else min(bound.output_tokens, len(content.encode("utf-8", "surrogatepass")) + 1),
    )


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that an endpoint asks to wait: a number or an HTTP date (RFC 9110, 10.2.3); 0 without it."""
    value = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _said(error: APIError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message)


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _never_left(error: BaseException) -> bool:
    """Whether no connection came about, so that nothing can have been billed."""
    import httpx2

    return isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


def _advice(status: int, config: TeacherConfig) -> str:
    if status in (401, 403):
        return f"check the key in the environment variable {config.api_key_env}"
    if status == 404:
        return "check teacher.model and teacher.base_url"
    return "check the teacher settings"
