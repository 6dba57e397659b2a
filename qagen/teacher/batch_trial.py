"""Before the first batch, a small request or two are asked live: a wrong key, model or parameter shows at once, not tomorrow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harvest.store import FieldsmithError, load, save
from qagen.teacher.answer import Answer, read_refusal, read_reply
from qagen.teacher.batch_api import BatchEndpoint
from qagen.teacher.batch_manner import Manner
from qagen.teacher.budget import Account, used, worst_case
from qagen.teacher.dialect import probe, shows_it
from qagen.teacher.ledger import Ledger, Reply, Request, Spent


class Trial:
    """Finds out how an endpoint wants to be asked, once a run: `note` is the file that remembers it."""

    def __init__(self, endpoint: BatchEndpoint, note: Path, model: str, account: Account, ledger: Ledger) -> None:
        self._endpoint, self._note, self._model, self._account, self._ledger = endpoint, note, model, account, ledger

    async def manner(self, first: Manner) -> Manner:
        """The manner that the endpoint understands; `first` where it takes no batches (then nothing is asked).

        Raises `FieldsmithError` where the endpoint cannot be used, `BudgetError` where even this is too much.
        """
        if self._note.exists():
            return load(self._note, Manner)
        if not await self._endpoint.takes_batches():
            return first
        manner = first
        while following := await self._next(manner):
            manner = following
        save(self._note, manner)
        return manner

    async def _next(self, manner: Manner) -> Manner | None:
        """A simpler manner where this one is refused or not honoured."""
        request = probe(manner.mode)
        answer, reply = await self._ask(manner, request)
        if reply is None:
            refusal = read_refusal(answer)
            simpler = manner.after(refusal)
            if simpler is None:
                raise FieldsmithError(f"{self._endpoint.name} refuses a plain request ({answer.status}); check the teacher settings")
            return simpler
        return None if manner.mode == "text" or shows_it(manner.mode, reply.content) else manner.simpler()

    async def _ask(self, manner: Manner, request: Request) -> tuple[Answer, Reply | None]:
        """Live costs up to twice what a batch does: it is set aside, booked and kept as if it were twice as long."""
        bound = await self._account.reserve(replace(request, messages=request.messages * 2, max_tokens=request.max_tokens * 2))
        spent: Spent | None = bound
        try:
            answer = await self._endpoint.complete(manner.body(self._model, request))
            reply = read_reply(answer, worst_case(request)) if answer.status == 200 else None
            twice = reply and replace(reply, input_tokens=2 * reply.input_tokens, output_tokens=2 * reply.output_tokens)
            spent = used(twice) if twice else None
            if twice:
                await self._ledger.keep(self._model, request, twice)
        finally:
            await self._account.settle(bound, spent)
        return answer, reply
