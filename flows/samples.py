"""Three exam questions with both models' answers, the passages that retrieval finds and the sentence that holds the truth.

They are what a person looks at first, so nobody picks them: they are drawn by hash before any answer is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harvest.store import fingerprint, load, load_lines, save
from qagen.records import ExamQuestion
from train.prove.answers import Answer
from train.records import Passage

PREFERRED = ("expert_trained", "expert", "seen", "unseen")
HOW_MANY = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """An exam question, its true answer and source sentence, what base and tuned model said, and what retrieval found."""

    exam: str
    question: str
    truth: str
    evidence: str
    document_id: str
    base: str
    tuned: str
    passages: tuple[Passage, ...]


def answer_samples(exams: Path, out: Path, ask: Callable[[list[str]], None], seed: int) -> None:
    """Draw questions, have them answered (`ask` leaves `out/answers.json`) and write `out/samples.json`."""
    exam, drawn = _draw(exams, seed)
    ask([item.question for item in drawn])
    answers = load(out / "answers.json", list[Answer])
    save(out / "samples.json", [_sample(exam, item, said) for item, said in zip(drawn, answers, strict=True)])


def _sample(exam: str, item: ExamQuestion, said: Answer) -> Sample:
    return Sample(exam, item.question, item.answer, item.evidence, item.document_id, said.base, said.tuned, said.passages)


def _draw(exams: Path, seed: int) -> tuple[str, Sequence[ExamQuestion]]:
    for name in PREFERRED:
        path = exams / f"{name}.jsonl"
        items = list(load_lines(path, ExamQuestion)) if path.exists() else []
        if items:
            return name, sorted(items, key=lambda item: fingerprint(seed, item.id))[:HOW_MANY]
    return "", []
