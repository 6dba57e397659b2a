"""Nothing that an exam asks is trained on, and no text of a held-out document.

The rules lean to safety: what only might be the exam's question goes. The leak check reads what is on disk and believes
nothing of how it came there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from harvest.embed import Embed
from harvest.records import Document, Rejection
from harvest.store import FieldsmithError, load_lines
from qagen.curate.chats import asked
from qagen.curate.contamination import ExamCheck
from qagen.curate.likeness import read, same_answer
from qagen.curate.seal import verify_seal
from qagen.curate.words import grams, words
from qagen.records import Example, ExamQuestion, Part, Passage, QAPair, Restatement, SplitEntry

_ENOUGH_GRAMS: Final = 12
_ASKS: Final = re.compile(r"[^.!?。！？\n]{8,}[?？]")
_FOLLOWS: Final = 200  # characters behind a question in which its answer is looked for


def decontaminate(
    pairs: Iterable[QAPair],
    exams: Mapping[str, Sequence[ExamQuestion]],
    evidence: Callable[[QAPair], Sequence[str]],
    *,
    threshold: float,
    foreign: Mapping[str, Sequence[QAPair]] = MappingProxyType({}),
    embed: Embed | None = None,
) -> tuple[list[QAPair], list[Rejection]]:
    """The pairs that may be trained on, and the others as rejections of stage `decontaminate`.

    `foreign` are questions of other files that must not be trained on, by the file's name; `embed` finds what is asked in
    other words or in another language.

    Reasons: `exam-question` (a question of any exam, or near to one), `general-question` (one of the general exam) and `exam-fact` (the
    sentence and the answer of a question of the exam `seen`, asked in other words). `evidence` gives a pair's source sentences in words.
    """
    questions = [(f"the exam {name}", question) for name, held in sorted(exams.items()) for question in held]
    questions += [(f"the file {name}", _as_exam(pair)) for name, held in sorted(foreign.items()) for pair in held]
    check = ExamCheck([question for _, question in questions], threshold, embed)
    name_of = {id(question): name for name, question in questions}
    facts = [(_flat(question.evidence), question) for question in exams.get("seen", ()) if question.evidence]
    kept, rejected, every = [], [], list(pairs)
    for pair, near in zip(every, check.all([(pair.question, pair.answer) for pair in every]), strict=True):
        if near:
            home = name_of[id(near[0])]
            reason = "general-question" if home == "the exam general" else "exam-question"
            rejected.append(Rejection(pair.id, "decontaminate", reason, f"near question {near[0].id} of {home}", near[1]))
        elif same := _same_fact(pair, evidence(pair), facts):
            detail = f"rests on the sentence of question {same.id} of the exam seen, with its answer"
            rejected.append(Rejection(pair.id, "decontaminate", "exam-fact", detail))
        else:
            kept.append(pair)
    return kept, rejected


def _as_exam(pair: QAPair) -> ExamQuestion:
    return ExamQuestion(pair.id, pair.document_id, pair.question, pair.answer)


def _same_fact(pair: QAPair, evidence: Sequence[str], facts: Sequence[tuple[str, ExamQuestion]]) -> ExamQuestion | None:
    quotes = [_flat(quote) for quote in evidence if quote]
    for fact, question in facts:
        if any(quote in fact or fact in quote for quote in quotes) and same_answer(read(pair.answer), read(question.answer)):
            return question
    return None


def _flat(text: str) -> str:
    return f" {' '.join(words(text))} "


# ---- text of held-out documents


def held_out_grams(documents: Iterable[Document]) -> npt.NDArray[np.uint32]:
    """The word 5-grams of held-out documents, sorted and distinct."""
    return np.unique(np.concatenate([np.array([], dtype=np.uint32), *(grams(document.text) for document in documents)]))


def is_held_out_text(text: str, held_out: npt.NDArray[np.uint32], near_copy: float) -> bool:
    """Whether a passage is mostly text of held-out documents, such as a paragraph that a laboratory puts in every report.

    Its first line, the heading, is not looked at.
    """
    own = grams(re.sub(r"^.*\n", "", text, count=1))
    return len(own) >= _ENOUGH_GRAMS and len(np.intersect1d(own, held_out, assume_unique=True)) >= near_copy * len(own)


# ---- the last look


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that is trained on and must not be: which file and line, and why."""

    file: str
    line: int
    why: str


def assert_no_leaks(dataset: Path, documents: Iterable[Document], *, threshold: float, near_copy: float) -> None:
    """Read what is on disk under `dataset` and raise `FieldsmithError` naming the first leak and their number (`find_leaks`)."""
    leaks = find_leaks(dataset, documents, threshold=threshold, near_copy=near_copy)
    if leaks:
        first = leaks[0]
        raise FieldsmithError(
            f"the dataset leaks into its exams in {len(leaks)} lines, first {dataset / first.file}, line {first.line}: {first.why}; "
            "nothing is trained on it; run the split and the dataset again"
        )


def find_leaks(dataset: Path, documents: Iterable[Document], *, threshold: float, near_copy: float) -> list[Leak]:
    """What is trained on, or watched, and must not be, as it lies on disk under `dataset`.

    A leak is: a training line, passage or restatement of a document that is not in part train (validation lines and passages: not in
    part validation); a line or restatement that asks an exam's question; a passage or restatement that is mostly text of a held-out
    document. `documents` are those held out. Raises `FieldsmithError` where exams were changed or are not sealed.
    """
    seals = verify_seal(dataset / "exams")
    exposed = _exposed(list(load_lines(dataset / "split.jsonl", SplitEntry)))
    questions = [question for name in seals for question in load_lines(dataset / "exams" / f"{name}.jsonl", ExamQuestion)]
    check = ExamCheck(questions, threshold)
    is_held_out = partial(is_held_out_text, held_out=held_out_grams(documents), near_copy=near_copy)
    return [
        *_example_leaks(dataset / "train.jsonl", "train", exposed, check),
        *_example_leaks(dataset / "validation.jsonl", "validation", exposed, check),
        *_text_leaks(dataset / "corpus.jsonl", Passage, "train", exposed, is_held_out),
        *_text_leaks(dataset / "validation_corpus.jsonl", Passage, "validation", exposed, lambda _: False),
        *_text_leaks(dataset / "restatements.jsonl", Restatement, "train", exposed, is_held_out, check),
    ]


def _example_leaks(path: Path, part: Part, exposed: Mapping[str, set[Part]], check: ExamCheck) -> Iterator[Leak]:
    for number, example in enumerate(load_lines(path, Example) if path.exists() else (), 1):
        if why := _misplaced(example.document_id, part, exposed):
            yield Leak(path.name, number, why)
        if near := check(*asked(example.messages)):
            yield Leak(path.name, number, f"it asks the question {near[0].id} of an exam")


def _text_leaks(
    path: Path,
    kind: type[Passage] | type[Restatement],
    part: Part,
    exposed: Mapping[str, set[Part]],
    is_held_out: Callable[[str], bool],
    check: ExamCheck | None = None,
) -> Iterator[Leak]:
    for number, text in enumerate(load_lines(path, kind) if path.exists() else (), 1):
        if why := _misplaced(text.document_id, part, exposed):
            yield Leak(path.name, number, why)
        elif is_held_out(text.text):
            yield Leak(path.name, number, "its text is that of a held-out document")
        elif check and (near := question_in(text.text, check)):
            yield Leak(path.name, number, f"it asks the question {near.id} of an exam")


def question_in(text: str, check: ExamCheck) -> ExamQuestion | None:
    """The exam's question that a sentence of a text asks, its answer being what follows."""
    for found in _ASKS.finditer(text):
        if near := check(found[0].strip(), text[found.end() : found.end() + _FOLLOWS]):
            return near[0]
    return None


def _exposed(split: Sequence[SplitEntry]) -> dict[str, set[Part]]:
    """The parts in which a document or a copy of it stands."""
    parts: dict[str, set[Part]] = defaultdict(set)
    for entry in split:
        parts[entry.cluster].add(entry.part)
    return {entry.document_id: parts[entry.cluster] for entry in split}


def _misplaced(document: str, part: Part, exposed: Mapping[str, set[Part]]) -> str | None:
    if document not in exposed:
        return f"the document {document} is in no part of the split"
    others = sorted(exposed[document] - {part})
    return f"the document {document} or a copy of it is in part {', '.join(others)}" if others else None
