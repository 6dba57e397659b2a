"""What base and tuned model answer when they are asked freely, and what retrieval finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.config import RetrievalConfig, TrainConfig
from train.prove.arms import Candidates, Who, open_library
from train.prove.evaluation import tuned_model
from train.prove.prompt import prompt, tokens
from train.prove.reader import Asked, read
from train.prove.writer import write
from train.records import Passage

AT_ONCE = 16
"""Questions that are answered together."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A question, what the base and the tuned model say without help, and what retrieval finds (whole passages, the best first)."""

    question: str
    base: str
    tuned: str
    passages: tuple[Passage, ...] = ()


def answer(
    config: TrainConfig,
    out: Path,
    questions: Sequence[str],
    *,
    max_new_tokens: int = 64,
    passages: Path | None = None,
    retrieval: RetrievalConfig = RetrievalConfig(),  # noqa: B008 - frozen
) -> list[Answer]:
    """What the base model and the one trained into `out` answer to each question, greedily, at most `max_new_tokens` long.

    With `passages` (a file of them) also what retrieval finds for it. Errors: `FieldsmithError` before there is a training.
    """
    candidates = Candidates(config.base, tuned_model(out))
    library = open_library(passages, retrieval) if passages is not None else None
    base, tuned = (_said(candidates, which, questions, config.system_prompt, max_new_tokens) for which in ("base", "tuned"))
    found = [tuple(library.retriever.find(question)) if library else () for question in questions]
    return [Answer(*one) for one in zip(questions, base, tuned, found, strict=True)]


def _said(candidates: Candidates, which: Who, questions: Sequence[str], system_prompt: str | None, limit: int) -> list[str]:
    said: list[str] = []
    with candidates.called(which) as (model, tokenizer):
        for start in range(0, len(questions), AT_ONCE):
            prompts = [prompt(tokenizer, question, system_prompt=system_prompt) for question in questions[start : start + AT_ONCE]]
            asked = [Asked(tokens(tokenizer, text), ()) for text in prompts]
            said += write(model, tokenizer, asked, read(model, asked, keep=True), limit=limit)
    return said
