"""The texts of a dataset: what continued pre-training reads, what it is watched on, and the chunks that retrieval finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from harvest.records import Rejection
from harvest.store import load_lines
from qagen.curate.contamination import ExamCheck
from qagen.curate.dataset import chunk_lines, corpus, representatives
from qagen.curate.decontaminate import held_out_grams, is_held_out_text, question_in
from qagen.curate.plan import Plan
from qagen.records import EXAMINED, PARTS, ChunkLine, ExamQuestion, Part, Passage, Restatement
from qagen.restate import restated_path

Text = Passage | Restatement | ChunkLine
CHUNKS: Final = "chunks"
_STAGE: Final = "decontaminate"


@dataclass(frozen=True, slots=True)
class Texts:
    """Lines by file (without its ending), what was left out of them, and the documents of that, by its id."""

    files: Mapping[str, Sequence[Text]]
    rejected: Sequence[Rejection] = ()
    document_of: Mapping[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Lines by file, without empty ones."""
        return {name: len(held) for name, held in self.files.items() if held}


def texts_of(plan: Plan, exams: Mapping[str, Sequence[ExamQuestion]]) -> Texts:
    """The corpus and the restatements of the trained documents, the corpus of the validation documents, the chunks of all.

    Of copies only the longest is read. Text of held-out documents is left out of the corpora and the restatements, and of these what
    asks an exam's question.
    """
    near_copy = plan.config.split.near_copy
    lengths = {entry.document_id: len(plan.read(entry.document_id).text) for entry in plan.documents}

    def chosen(part: Part) -> list[str]:
        return representatives(plan.documents, lengths, part)

    held_out = held_out_grams(plan.held_out())
    passages, foreign = corpus(map(plan.read, chosen("train")), held_out, near_copy)
    watched, strange = corpus(map(plan.read, chosen("validation")), held_out_grams(plan.of(EXAMINED)), near_copy)
    restated, refused, homes = _restatements(plan, chosen("train"), exams, held_out)
    chunks = list(chunk_lines(plan.of(PARTS), plan.config.chunk))
    files: dict[str, Sequence[Text]] = {"corpus": passages, "validation_corpus": watched, "restatements": restated, CHUNKS: chunks}
    homes = {one.id: one.id.rpartition("#")[0] for one in (*foreign, *strange)} | homes
    return Texts(files, [*foreign, *strange, *refused], homes)


def _restatements(
    plan: Plan, documents: Sequence[str], exams: Mapping[str, Sequence[ExamQuestion]], held_out: npt.NDArray[np.uint32]
) -> tuple[list[Restatement], list[Rejection], dict[str, str]]:
    """Those that may be trained on, the others, and the documents of the others."""
    check = ExamCheck([question for held in exams.values() for question in held], plan.config.near_duplicate)
    kept, refused, homes = list[Restatement](), list[Rejection](), dict[str, str]()
    for one in _written(plan, documents):
        near = question_in(one.text, check)
        if is_held_out_text(one.text, held_out, plan.config.split.near_copy):
            refused.append(Rejection(one.id, _STAGE, "held-out-text", f"mostly text of held-out documents: {one.text[-80:]!r}"))
        elif near:
            refused.append(Rejection(one.id, _STAGE, "exam-question", f"it asks the question {near.id} of an exam"))
        else:
            kept.append(one)
        homes[one.id] = one.document_id
    return kept, refused, homes


def _written(plan: Plan, documents: Sequence[str]) -> Iterator[Restatement]:
    for path in (restated_path(plan.run, name) for name in documents) if plan.config.restatements else ():
        if path.exists():
            yield from load_lines(path, Restatement)
