"""The nouns of qagen: a piece of a document (Chunk), a question with its proof (QAPair), and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Part = Literal["train", "validation", "unseen"]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `text[start:end]` of a document."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole sentences of one section: `text == document.text[start:end]`."""

    id: str
    document_id: str
    section: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class QAPair:
    """A question, its answer and the spans of the document on which the answer rests.

    `teacher` is the model that wrote it, `prompt` the SHA-256 of the prompt template, `licence` the paper's.
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
    """A line of `corpus.jsonl`: a section of a trained document, for continued pre-training."""

    id: str
    document_id: str
    text: str
    licence: str


@dataclass(frozen=True, slots=True)
class ExamQuestion:
    """A line of `exams/<name>.jsonl`: an open answer and, if it is a choice too, options (`options[correct] == answer`).

    `evidence` is the source sentence in words; `document_id` is empty where an expert named no document. Without options
    (`correct` None) the question is asked openly only.
    """

    id: str
    document_id: str
    question: str
    answer: str
    options: tuple[str, ...] = ()
    correct: int | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class SplitEntry:
    """Where a document belongs: near-copies share a `cluster`, a cluster is never divided."""

    document_id: str
    cluster: str
    part: Part
