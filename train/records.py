"""The nouns of train: an exam's question, what a model scored on it, and what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExamItem:
    """A question with an open answer and, if it is a choice, options (`options[correct] == answer`)."""

    id: str
    question: str
    answer: str
    options: tuple[str, ...] = ()
    correct: int | None = None
    document_id: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class EvalResult:
    """One model on one question: `nll` in nats per answer token; `choice` the index of the likeliest option."""

    item_id: str
    nll: float
    choice: int | None
    correct: bool | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval (paired bootstrap); for gains, positive means better."""

    value: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Training:
    """What a training run left behind: `adapter` is its folder, `base` the model that it belongs to (folder or hub id).

    `losses` holds a curve of (step, loss) per stage, named `<n>-<kind>`, and `<n>-<kind> validation` where there are
    validation pairs; `counts` the same stages' rows, tokens and steps as `<n>-<kind> <what>`; `fingerprint` is that of
    settings, data and seed.
    """

    adapter: str
    base: str
    backend: str
    backend_reason: str
    losses: Mapping[str, tuple[tuple[int, float], ...]]
    counts: Mapping[str, int]
    versions: Mapping[str, str]
    fingerprint: str = ""
    seconds: float = 0.0
