"""The manner in which an endpoint wants to be asked: a dialect, and a way to ask for structured replies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from qagen.config import TeacherConfig
from qagen.teacher.answer import Refusal
from qagen.teacher.dialect import SIMPLER, Dialect, Mode, about_format
from qagen.teacher.ledger import Request


@dataclass(frozen=True, slots=True)
class Manner:
    """How requests are put; `fixed` where the YAML says how structured replies are asked for."""

    dialect: Dialect
    mode: Mode
    fixed: bool = False

    @classmethod
    def first(cls, config: TeacherConfig) -> Manner:
        """What is tried before an endpoint has said anything."""
        return cls(Dialect(), "schema" if config.replies == "auto" else config.replies, config.replies != "auto")

    def body(self, model: str, request: Request) -> dict[str, Any]:
        """The request as the protocol's JSON body."""
        return self.dialect.body(model, request, self.mode)

    def after(self, refusal: Refusal) -> Manner | None:
        """A simpler manner that may avoid this refusal; None if there is none."""
        if refusal.status not in (400, 422):
            return None
        if dialect := self.dialect.after(refusal.said, refusal.parameter):
            return replace(self, dialect=dialect)
        return self.simpler() if about_format(refusal.said, refusal.parameter) else None

    def simpler(self) -> Manner | None:
        """The next simpler way to ask for structured replies; None at the end, or where the YAML has decided."""
        return None if self.fixed or self.mode == "text" else replace(self, mode=SIMPLER[self.mode])
