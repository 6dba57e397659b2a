"""The kinds of question that are asked about facts: a row each, a prompt file each (`qagen/prompts/kinds/<kind>.j2`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from qagen.checks.rules import Fault
from qagen.kinds.own_checks import calculates, fair_choice
from qagen.kinds.shape import Said, schema


def _nothing(said: Said, evidence: str) -> Iterator[Fault]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Spec:
    """A kind of question.

    `good_for` tells the teacher which facts it suits; empty where rules decide that. `extra` are the lists of texts that its
    reply has besides question and answer, `several` says whether one question may rest on several facts, `objections` is what
    is checked of this kind alone.
    """

    kind: str
    good_for: str = ""
    extra: tuple[str, ...] = ()
    several: bool = False
    objections: Callable[[Said, str], Iterator[Fault]] = _nothing

    @property
    def prompt(self) -> str:
        """The name of its prompt."""
        return f"kinds/{self.kind}"

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its replies."""
        return schema(self.extra, several=self.several)


_ROWS = (
    Spec("fact", "a value, a name, a date, a place or an amount"),
    Spec("definition", "what a term, a quantity or a thing is"),
    Spec("concept", "why something is so, or how it works"),
    Spec("procedure", "how something is done, in steps"),
    Spec("numerical", "numbers from which another quantity can be calculated", ("steps",), several=True, objections=calculates),
    Spec("comparison", "it can be set against another fact, or compares two things itself", several=True),
    Spec("choice", "its answer is short and has plausible wrong alternatives", ("distractors",), objections=fair_choice),
    Spec("table"),
    Spec("caption"),
    Spec("summary"),
    Spec("unanswerable"),
)
SPECS = {spec.kind: spec for spec in _ROWS}
TOLD = {spec.kind: spec.good_for for spec in _ROWS if spec.good_for}  # the kinds that a teacher names for a fact
PER_FACT = (*TOLD, "table", "caption")  # one question about one fact
