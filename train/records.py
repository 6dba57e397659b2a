"""The nouns of train: an exam's question, what a model scored on it, what was trained, what was proven, what was released."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Arm = Literal["base", "base_retrieval", "tuned", "tuned_retrieval"]
ARMS: tuple[Arm, ...] = ("base", "base_retrieval", "tuned", "tuned_retrieval")
"""Who sits an exam: the base and the tuned model, each without and with passages that retrieval finds for the question."""

COMPARISONS: Mapping[str, tuple[Arm, Arm]] = {
    "tuned": ("base", "tuned"),
    "base_retrieval": ("base", "base_retrieval"),
    "tuned_retrieval": ("base", "tuned_retrieval"),
    "tuned_over_retrieval": ("base_retrieval", "tuned"),
    "tuned_retrieval_over_retrieval": ("base_retrieval", "tuned_retrieval"),
}
"""Gains that are reported: name -> (the arm compared with, the arm that gains)."""


@dataclass(frozen=True, slots=True)
class ExamItem:
    """A question with an open answer and, if it is a choice, options (`options[correct] == answer`).

    `answerable` is False where the right answer is that it cannot be known.
    """

    id: str
    question: str
    answer: str
    options: tuple[str, ...] = ()
    correct: int | None = None
    document_id: str = ""
    evidence: str = ""
    answerable: bool = True


@dataclass(frozen=True, slots=True)
class Passage:
    """What retrieval may find: a line of `dataset/chunks.jsonl`."""

    id: str
    text: str
    title: str = ""
    section: str = ""
    document_id: str = ""


@dataclass(frozen=True, slots=True)
class EvalResult:
    """One model on one question: `nll` in nats per answer token; `choice` the index of the likeliest option.

    `probabilities` are those of the options (softmax over minus their nlls), `margin` the logarithm of the right one's. `said` is
    the free answer, `match` whether it is right, `abstained` whether it says that it does not know; None where the model was not
    asked freely. `passages` are the ids of what retrieval showed.
    """

    item_id: str
    nll: float
    choice: int | None
    correct: bool | None
    probabilities: tuple[float, ...] = ()
    said: str | None = None
    match: bool | None = None
    abstained: bool | None = None
    passages: tuple[str, ...] = ()
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval (paired bootstrap); for gains, positive means better."""

    value: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far the confidence in a choice can be trusted: expected calibration error, Brier score, and (confidence, accuracy, n) bins."""

    ece: float
    brier: float
    bins: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, slots=True)
class Score:
    """One arm on one exam; None where an exam has nothing of the kind (no options, no free answers, no unanswerable questions).

    `nll` in nats per answer token; the others are shares. `abstained` is the share of unanswerable questions on which the model
    said that it does not know, `abstained_wrongly` that of the answerable ones.
    """

    nll: float
    accuracy: float | None = None
    match: float | None = None
    abstained: float | None = None
    abstained_wrongly: float | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True, slots=True)
class McNemar:
    """Choices that only the one arm (`better`) or only the other (`worse`) got right, and the exact two-sided p-value."""

    better: int
    worse: int
    p: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one arm gains over another on one exam; `needed` questions would narrow the interval of `accuracy` to +-0.05.

    `margin` is the gain in the logarithm of the right option's probability among the options: what makes every option of the kind likelier
    (short answers, units) cancels in it, so that what is left is knowing the right one.
    """

    nll: Estimate | None
    accuracy: Estimate | None = None
    match: Estimate | None = None
    mcnemar: McNemar | None = None
    needed: int | None = None
    margin: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Fairness:
    """Whether an exam's choices can be guessed without reading: shares of right guesses by rules that see the options only.

    `chance` is what guessing gives, `band` its 95 % interval for so many questions; `position` always takes the best place,
    `longest` and `shortest` always that option; `suspect` names the rules that lie above the band.
    """

    chance: float
    band: tuple[float, float]
    position: float
    longest: float
    shortest: float
    suspect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExamReport:
    """One exam: its seal, size, every arm's score, the comparisons of `COMPARISONS`, and whether its choices are fair."""

    sha256: str
    n: int
    choices: int
    arms: Mapping[str, Score]
    gains: Mapping[str, Comparison]
    fairness: Fairness | None = None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How passages were found: `sha256` and number of the passages, `how` ("bm25" or "bm25+embeddings"), and how many were shown."""

    sha256: str
    n: int
    how: str
    embedder: str | None
    shown: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """`metrics.json`: what was proven. `adapter` is the SHA-256 of its weights, `seed` that of the training and of the exams' draws."""

    base: str
    adapter: str
    seed: int
    exams: Mapping[str, ExamReport]
    retrieval: Retrieval | None = None


@dataclass(frozen=True, slots=True)
class SeedGain:
    """One comparison over several trainings: the value of each, and the pooled one (questions and seeds resampled)."""

    per_seed: tuple[float, ...]
    pooled: Estimate


@dataclass(frozen=True, slots=True)
class Seeds:
    """`seeds.json`: exam -> comparison -> "nll", "margin" or "accuracy" -> gain over the trainings with these seeds."""

    seeds: tuple[int, ...]
    exams: Mapping[str, Mapping[str, Mapping[str, SeedGain]]]


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of the gate: what was asked, what was found, whether it holds, in words."""

    name: str
    passed: bool
    said: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`gate.json`: whether a model may leave."""

    passed: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class ParityRow:
    """The exam again on one exported form: drift of the nll (nats per answer token) and of the choices against the adapter.

    `drift` is the mean absolute difference per question, `agree` the share of questions with the same choice (None without options).
    """

    form: str
    nll: float
    accuracy: float | None
    drift: float
    agree: float | None
    tolerance: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Parity:
    """`parity.json`: every exported form on one exam, and whether the chat template each carries renders and ends as the adapter's."""

    exam: str
    n: int
    rows: tuple[ParityRow, ...]
    templates: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing drifted and every template is the one that was trained."""
        return all(row.passed for row in self.rows) and all(check.passed for check in self.templates)


@dataclass(frozen=True, slots=True)
class Release:
    """`release.json`: what was released (paths relative to the release folder, with SHA-256) and where it was pushed."""

    files: Mapping[str, str]
    parity: Parity
    pushed_to: str | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """What a training run left behind: `adapter` is its folder, `base` the model that it belongs to (folder or hub id).

    `losses` holds a curve of (step, loss) per stage, named `<n>-<kind>`, and `<n>-<kind> validation` where there are
    validation pairs; `counts` the same stages' rows, tokens and steps as `<n>-<kind> <what>`; `fingerprint` is that of
    settings, data and seed. `notes` are sentences about what was decided on the way (memory, packing, early stopping). `merged` is the
    folder of whole weights where `merge` was set: then these are the tuned model, and the adapter is one part of it.
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
    notes: tuple[str, ...] = field(default=())
    merged: str | None = None
