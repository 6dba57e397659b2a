"""A process's worth of a teacher in batch mode, for the tests and for the processes that they kill."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from qagen.config import BudgetConfig, Price, TeacherConfig
from qagen.records import Message
from qagen.teacher.batch import BatchTeacher, Limits, Pace
from qagen.teacher.budget import Budget
from qagen.teacher.ledger import Ledger, Reply, Request, spent_in
from qagen.teacher.protocol import Failure

PACE = Pace(quiet=0.05, first=0.02, longest=0.1, again=0.1, patience=2)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}

Script = Callable[[BatchTeacher], Awaitable[Any]]


def request(number: int, *, round_: int = 1, schema: bool = False) -> Request:
    message = Message("user", f"Machine {number} weighs [how many tonnes] in round {round_}.")
    return Request((message,), 50, schema=SCHEMA if schema else None)


def run(
    folder: Path,
    url: str,
    script: Script,
    *,
    caps: BudgetConfig | None = None,
    limits: Limits | None = None,
    **changes: object,
) -> tuple[Any, BatchTeacher, Budget]:
    """One process's worth of a teacher on the run folder `folder`."""
    config = TeacherConfig.model_validate({"model": "scripted", "base_url": url, "timeout": 5, "retries": 2, "mode": "batch", **changes})

    async def inner() -> tuple[Any, BatchTeacher, Budget]:
        budget = Budget(caps or BudgetConfig(), {"scripted": Price(input=1.0, output=2.0)}, spent_in(folder / "replies"))
        async with BatchTeacher(config, budget.account("scripted"), folder, PACE, limits) as teacher:
            return await asyncio.wait_for(script(teacher), 120), teacher, budget

    return asyncio.run(inner())


def asks(folder: Path, count: int, documents: int = 2, **how: Any) -> Script:
    """Requests of some documents, all at once."""

    async def script(teacher: BatchTeacher) -> list[Reply | Failure]:
        ledgers = [Ledger(folder / "replies", f"doc{n}") for n in range(documents)]
        return list(await asyncio.gather(*(teacher.ask(request(n, **how), ledgers[n % documents]) for n in range(count))))

    return script
