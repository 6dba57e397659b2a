"""The nouns of qagen: a piece of a document (Chunk), a question with its proof (QAPair), and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harvest.records import Rejection

Part = Literal["train", "validation", "unseen", "later"]
"""What a document is for: trained on; watched while training; examined on; examined on since it appeared after a day."""
PARTS: tuple[Part, ...] = ("train", "validation", "unseen", "later")
EXAMINED: tuple[Part, ...] = ("unseen", "later")
"""The parts of which nothing may be trained on or watched, since exams are drawn from them."""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `text[start:end]` of a document: the record's own, or the one named."""

    start: int
    end: int
    document_id: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a symbol or an acronym stands for, where the document says so."""

    term: str
    meaning: str
    span: Span


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole sentences of one section: `text == document.text[start:end]`.

    `section` is the path of headings; `definitions` are those of the terms in the chunk that stand earlier in the document.
    """

    id: str
    document_id: str
    section: str
    start: int
    end: int
    text: str
    title: str = ""
    definitions: tuple[Definition, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a chunk states: in the teacher's words, where it stands, and the kinds of question it is good for."""

    id: str
    chunk_id: str
    text: str
    evidence: tuple[Span, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a worked solution; `score` is 0 to 100 where a judge has looked at it."""

    text: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class QAPair:
    """A question, its answer and the spans of the document on which the answer rests.

    `teacher` is the model that wrote it, `prompt` the SHA-256 of the prompt template, `licence` the paper's. `steps` lead to
    the answer, `distractors` are the wrong options of a multiple choice, `paraphrase_of` is the id of the pair whose question
    this one asks in other words. `marks` are words to select by, such as `known` (the base model answers it without the source).
    A pair without a document (a lab's own, a simulator's) has no evidence and names where it comes from in `document_id`.
    """

    id: str
    document_id: str
    chunk_id: str
    kind: str
    language: str
    question: str
    answer: str
    evidence: tuple[Span, ...]
    teacher: str
    prompt: str
    licence: str
    scores: Mapping[str, float] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    distractors: tuple[str, ...] = ()
    paraphrase_of: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """A line of `coverage/<id>.jsonl`: what came of one chunk, or why nothing was asked about it (`reason`).

    `pairs` counts by kind, `rejections` by reason.
    """

    chunk_id: str
    section: str
    characters: int
    facts: int
    pairs: Mapping[str, int]
    rejections: Mapping[str, int]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What a way of writing pairs has made of a document, in the order of the document."""

    pairs: tuple[QAPair, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    coverage: tuple[Coverage, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat, in OpenAI's layout."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """A line of `train.jsonl` or `validation.jsonl`."""

    messages: tuple[Message, ...]
    pair_id: str
    document_id: str
    licence: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A line of `corpus.jsonl` (trained documents) or `validation_corpus.jsonl`: a piece of a section, for continued pre-training.

    `text` stands for itself: title and section are its first line (`heading`), the piece begins below an empty one.
    """

    id: str
    document_id: str
    text: str
    licence: str
    title: str = ""
    section: str = ""


@dataclass(frozen=True, slots=True)
class ChunkLine:
    """A line of `chunks.jsonl`: a chunk of any document of the run, held-out ones too, for retrieval to find."""

    id: str
    document_id: str
    title: str
    section: str
    text: str
    licence: str


@dataclass(frozen=True, slots=True)
class Restatement:
    """A line of `restatements.jsonl`: what a chunk of a trained document says, said again by the teacher (`style` names how).

    `text` stands for itself: title and section are its first line, what the teacher wrote begins below an empty one.
    """

    id: str
    chunk_id: str
    document_id: str
    style: str
    text: str
    licence: str


@dataclass(frozen=True, slots=True)
class ExamQuestion:
    """A line of `exams/<name>.jsonl`: an open answer and, if it is a choice too, options (`options[correct] == answer`).

    `evidence` is the source sentence in words; `document_id` is empty where an expert named no document. Without options
    (`correct` None) the question is asked openly only. `answerable` is False where the right answer is that nobody can know.
    """

    id: str
    document_id: str
    question: str
    answer: str
    options: tuple[str, ...] = ()
    correct: int | None = None
    evidence: str = ""
    answerable: bool = True
    licence: str = ""


@dataclass(frozen=True, slots=True)
class SplitEntry:
    """Where a document belongs: near-copies share a `cluster`, a cluster is never divided."""

    document_id: str
    cluster: str
    part: Part
