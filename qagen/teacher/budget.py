"""Hard caps on what a run may spend, over its whole life and over all its teachers.

Every request reserves its worst case before it leaves and gives back what it did not use, so that the caps hold
whatever is in flight at the same time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

from qagen.config import BudgetConfig, Price
from qagen.teacher.ledger import Reply, Request, Spent

_PER_MESSAGE = 16  # role, separators and what a chat template adds
_PER_REQUEST = 64  # a template's own system prompt
_PER_SCHEMA = 128  # what introduces a schema where it has to be put into words


class BudgetError(Exception):
    """The next request might exceed a cap; `cap` says which, in words."""

    def __init__(self, cap: str) -> None:
        super().__init__(cap)
        self.cap = cap


def worst_case(request: Request) -> Spent:
    """The most that a request can cost: a tokeniser makes at most one token of a byte."""
    sent = sum(len(message.content.encode("utf-8", "surrogatepass")) + _PER_MESSAGE for message in request.messages)
    schema = 0
    if request.schema is not None:
        schema = len(json.dumps(request.schema, ensure_ascii=False, default=dict).encode("utf-8", "surrogatepass")) + _PER_SCHEMA
    return Spent(1, sent + schema + _PER_REQUEST, request.max_tokens)


@dataclass(frozen=True, slots=True)
class _Amount:
    calls: int = 0
    tokens: int = 0
    money: float = 0.0

    def plus(self, other: _Amount, sign: int = 1) -> _Amount:
        return _Amount(self.calls + sign * other.calls, self.tokens + sign * other.tokens, self.money + sign * other.money)


class Budget:
    """What was spent and what is reserved by all teachers of a run, against the caps. One event loop only.

    `prices` by model; what was spent on a model without a price counts as calls and tokens only.
    """

    def __init__(self, caps: BudgetConfig, prices: Mapping[str, Price], spent: Mapping[str, Spent]) -> None:
        self._caps, self._prices, self.spent = caps, dict(prices), dict(spent)
        self._total, self._reserved, self._in_flight = _Amount(), _Amount(), 0
        for model, used in self.spent.items():
            self._total = self._total.plus(self._amount(model, used))
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def capped(self) -> bool:
        """Whether there is any cap."""
        return self._caps != BudgetConfig()

    def account(self, model: str) -> Account:
        """The budget as one teacher sees it."""
        return Account(self, model)

    def cost(self) -> float:
        """Money spent so far, in the currency of the prices."""
        return self._total.money

    async def reserve(self, model: str, bound: Spent) -> None:
        """Set a worst case aside; see `Account.reserve`."""
        amount = self._amount(model, bound)
        while cap := self._broken_by(amount):
            if not self._in_flight:
                raise BudgetError(cap)
            await self._change()
        self._reserved, self._in_flight = self._reserved.plus(amount), self._in_flight + 1

    async def settle(self, model: str, bound: Spent, used: Spent | None) -> None:
        """Replace a reservation by what was used; see `Account.settle`. Never suspends, so that no cancellation leaves it half done."""
        self._in_flight -= 1
        self._reserved = self._reserved.plus(self._amount(model, bound), -1) if self._in_flight else _Amount()
        if used:
            self.spent[model] = self.spent.get(model, Spent()).plus(used)
            self._total = self._total.plus(self._amount(model, used))
        for waiter in self._waiting:
            waiter.set_result(None)
        self._waiting.clear()

    async def _change(self) -> None:
        """Wait until something is settled."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)

    def _broken_by(self, amount: _Amount) -> str | None:
        total = self._total.plus(self._reserved).plus(amount)
        if self._caps.calls is not None and total.calls > self._caps.calls:
            return f"{self._caps.calls} calls"
        if self._caps.tokens is not None and total.tokens > self._caps.tokens:
            return f"{self._caps.tokens} tokens"
        if self._caps.money is not None and total.money > self._caps.money:
            return f"{self._caps.money:g} in money"
        return None

    def _amount(self, model: str, spent: Spent) -> _Amount:
        price = self._prices.get(model, Price())
        money = (spent.input_tokens * price.input + spent.output_tokens * price.output) / 1e6
        return _Amount(spent.calls, spent.input_tokens + spent.output_tokens, money)


@dataclass(frozen=True, slots=True)
class Account:
    """What one teacher may spend of a budget that it shares with the others."""

    _budget: Budget
    _model: str

    @property
    def capped(self) -> bool:
        """Whether the budget has a cap."""
        return self._budget.capped

    async def reserve(self, request: Request) -> Spent:
        """Set aside the worst case of a request; waits for requests in flight where their remainder might suffice.

        Raises `BudgetError` if the request does not fit even then.
        """
        bound = worst_case(request)
        await self._budget.reserve(self._model, bound)
        return bound

    async def settle(self, bound: Spent, used: Spent | None) -> None:
        """Replace a reservation by what was used; None gives all of it back."""
        await self._budget.settle(self._model, bound, used)


def used(reply: Reply) -> Spent:
    """What a reply cost."""
    return Spent(1, reply.input_tokens, reply.output_tokens)
