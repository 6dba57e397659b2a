"""Hard caps on what a run may spend, over its whole life.

Every request reserves its worst case before it leaves and gives back what it did not use, so that the caps hold
whatever is in flight at the same time.
"""

from __future__ import annotations

import asyncio

from qagen.config import BudgetConfig, Price
from qagen.teacher.ledger import Reply, Request, Spent

_PER_MESSAGE = 16  # role, separators and what a chat template adds
_PER_REQUEST = 64  # a template's own system prompt


class BudgetError(Exception):
    """The next request might exceed a cap; `cap` says which, in words."""

    def __init__(self, cap: str) -> None:
        super().__init__(cap)
        self.cap = cap


def worst_case(request: Request) -> Spent:
    """The most that a request can cost: a tokeniser makes at most one token of a byte."""
    sent = sum(len(message.content.encode("utf-8", "surrogatepass")) + _PER_MESSAGE for message in request.messages)
    schema = len(str(request.schema)) if request.schema else 0
    return Spent(1, sent + schema + _PER_REQUEST, request.max_tokens)


class Budget:
    """What was spent and what is reserved, against the caps. One event loop only."""

    def __init__(self, caps: BudgetConfig, price: Price, spent: Spent) -> None:
        self._caps, self._price = caps, price
        self.spent = spent
        self._reserved: list[Spent] = []
        self._settled = asyncio.Condition()

    def cost(self) -> float:
        """Money spent so far, in the currency of the price."""
        return self._money(self.spent)

    async def reserve(self, request: Request) -> Spent:
        """Set aside the worst case of a request; waits for requests in flight where their remainder might suffice.

        Raises `BudgetError` if the request does not fit even then.
        """
        bound = worst_case(request)
        async with self._settled:
            while cap := self._broken_by(bound):
                if not self._reserved:
                    raise BudgetError(cap)
                await self._settled.wait()
            self._reserved.append(bound)
        return bound

    async def settle(self, bound: Spent, used: Spent | None) -> None:
        """Replace a reservation by what was used; None gives all of it back."""
        async with self._settled:
            self._reserved.remove(bound)
            self.spent = self.spent.plus(used or Spent())
            self._settled.notify_all()

    def _broken_by(self, bound: Spent) -> str | None:
        total = self.spent.plus(bound)
        for reserved in self._reserved:
            total = total.plus(reserved)
        if self._caps.calls is not None and total.calls > self._caps.calls:
            return f"{self._caps.calls} calls"
        if self._caps.tokens is not None and total.input_tokens + total.output_tokens > self._caps.tokens:
            return f"{self._caps.tokens} tokens"
        if self._caps.money is not None and self._money(total) > self._caps.money:
            return f"{self._caps.money:g} in money"
        return None

    def _money(self, spent: Spent) -> float:
        return (spent.input_tokens * self._price.input + spent.output_tokens * self._price.output) / 1e6


def used(reply: Reply) -> Spent:
    """What a reply cost."""
    return Spent(1, reply.input_tokens, reply.output_tokens)
