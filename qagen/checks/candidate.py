"""What the rules look at, and what they find."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason against a pair: `reason` can be counted, `detail` is for a person."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair before it is one. `context` is what the teacher saw; `evidence` the part of it that proves the answer.

    `examples` are the questions of the prompt's own examples, which small teachers like to repeat. `wording` is the
    statement with a hole that the question was made from, if it was: then the question must ask just for that hole.
    `kind` is the kind of question (`qagen.config.Kind`), `steps` lead to the answer, `distractors` are the wrong options of
    a multiple choice, `language` is the one asked for (empty: the evidence's), `defined` are terms and symbols that need
    no explanation, `title` is the paper's.
    """

    question: str
    answer: str
    evidence: str
    context: str
    examples: Collection[str] = ()
    wording: str = ""
    kind: str = "fact"
    steps: tuple[str, ...] = ()
    distractors: tuple[str, ...] = ()
    language: str = ""
    defined: frozenset[str] = frozenset()
    title: str = ""
