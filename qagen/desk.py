"""Who is asked: the teacher, the judge and the base model of a run, on one budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack
from pathlib import Path
from typing import Literal, Protocol, Self

from harvest.store import FieldsmithError
from qagen.config import QAGenConfig, TeacherConfig
from qagen.teacher.batch import BatchTeacher
from qagen.teacher.budget import Budget
from qagen.teacher.client import Teacher
from qagen.teacher.ledger import Ledger, Reply, Request, spent_in
from qagen.teacher.local import local_server, server_command
from qagen.teacher.prices import prices_of
from qagen.teacher.protocol import Ask, Failure, Stopped

Role = Literal["teacher", "judge", "base"]
Serve = Callable[[], AbstractContextManager[str]]


class _Asked(Protocol):
    """What all ways to reach a model have in common."""

    stopped: FieldsmithError | None
    made: int
    kept: int

    async def ask(self, request: Request, ledger: Ledger) -> Reply | Failure: ...


class Desk:
    """The models of a run (of all roles, or of `only` one); an async context manager. Roles that name one endpoint and model share it.

    Raises `UsageError` where the budget is in money and a model has no price.
    """

    def __init__(self, config: QAGenConfig, run: Path, *, only: Role | None = None) -> None:
        self._folder, self._stack = run / "replies", AsyncExitStack()
        self._configs = {role: one for role, one in roles(config).items() if only in (None, role)}
        self.budget = Budget(config.budget, prices_of(self._configs.values(), config.budget), spent_in(self._folder))
        self._models: dict[str, _Asked] = {}
        self._run = run

    async def __aenter__(self) -> Self:
        for config in self._configs.values():
            if _place(config) not in self._models:
                self._models[_place(config)] = await self._stack.enter_async_context(self._open(config))
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def _open(self, config: TeacherConfig) -> Teacher | BatchTeacher:
        account = self.budget.account(config.model)
        if config.mode == "batch":
            return BatchTeacher(config, account, self._run)
        return Teacher(config, account, _served(config.model) if config.serve else None)

    def file(self, name: str) -> File:
        """What is asked about one document, under its name."""
        return File(self, Ledger(self._folder, name))

    def of(self, role: Role) -> _Asked:
        """Who has this role."""
        return self._models[_place(self._configs[role])]

    @property
    def stopped(self) -> FieldsmithError | None:
        """Why nothing is answered any more, if so."""
        return next((model.stopped for model in self._models.values() if model.stopped), None)

    @property
    def made(self) -> int:
        """Calls made now."""
        return sum(model.made for model in self._models.values())

    @property
    def kept(self) -> int:
        """Calls answered from the ledger."""
        return sum(model.kept for model in self._models.values())


class File:
    """The requests about one document; `failed` once any has come to nothing."""

    def __init__(self, desk: Desk, ledger: Ledger) -> None:
        self._desk, self._ledger = desk, ledger
        self.failed = False

    def ask(self, role: Role) -> Ask:
        """The way to ask somebody about this document."""
        model = self._desk.of(role)

        async def asked(request: Request) -> Reply | Failure:
            reply = await model.ask(request, self._ledger)
            if isinstance(reply, Failure):
                self.failed = True
                if reply.stopped:
                    raise Stopped(reply.detail)
            return reply

        return asked


def roles(config: QAGenConfig) -> Mapping[Role, TeacherConfig]:
    """The endpoints of a run by what they are asked for."""
    named: dict[Role, TeacherConfig | None] = {"teacher": config.teacher, "judge": config.judge, "base": config.base}
    return {role: endpoint for role, endpoint in named.items() if endpoint is not None}


def _place(config: TeacherConfig) -> str:
    return f"{config.model} {config.base_url} {config.serve} {config.mode}"


def _served(model: str) -> Serve:
    return lambda: local_server(server_command(model))
