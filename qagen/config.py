"""What a lab may write under `qagen:`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Settings):
    """What a million tokens cost, in the currency of the budget."""

    input: float = Field(default=0.0, ge=0)
    output: float = Field(default=0.0, ge=0)


class TeacherConfig(_Settings):
    """An OpenAI-compatible endpoint, or a local model that is served for the time of the run."""

    model: str = Field(description="model name at the endpoint; with serve, a hub id, folder, GGUF file or pkg:PACKAGE/FILE")
    base_url: str | None = Field(default=None, description="address of the endpoint; none means OpenAI's own")
    api_key_env: str = Field(default="OPENAI_API_KEY", description="environment variable that holds the key")
    serve: bool = Field(default=False, description="start a local server for the model and stop it afterwards")
    concurrency: int = Field(default=16, ge=1, le=1024, description="requests in flight")
    timeout: float = Field(default=120.0, gt=0, description="seconds for one request")
    retries: int = Field(default=5, ge=0, description="further tries after 429, 5xx, cut connections and timeouts")
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=400, ge=1)
    price: Price = Price()

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, url: str | None) -> str | None:
        """Settings are shown and kept in manifests, so an address holds no secret."""
        if url is not None and (not url.startswith(("http://", "https://")) or "@" in url.split("/")[2]):
            raise ValueError(
                "base_url is an http:// or https:// address without user and password; the key goes into the variable api_key_env"
            )
        return url

    @model_validator(mode="after")
    def _one_endpoint(self) -> Self:
        if self.serve and self.base_url:
            raise ValueError("serve starts its own endpoint: give base_url or serve, not both")
        return self


class BudgetConfig(_Settings):
    """Hard caps over the whole life of a run; what the ledger already paid for counts."""

    calls: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    money: float | None = Field(default=None, ge=0)


class ChunkConfig(_Settings):
    """How long a piece of a document is, in characters."""

    max_chars: int = Field(default=2400, ge=200)


class SplitConfig(_Settings):
    """Which documents are trained on; decided before any question exists.

    `assign` names documents (ids, `*` allowed) that must go to a part; a part with assigned documents gets no
    others, and near-copies follow each other.
    """

    validation: float = Field(default=0.08, ge=0, lt=1, description="share of document clusters")
    unseen: float = Field(default=0.15, ge=0, lt=1, description="share of document clusters")
    assign: dict[Literal["validation", "unseen"], tuple[str, ...]] = Field(default_factory=dict)
    near_copy: float = Field(default=0.5, gt=0, le=1, description="Jaccard similarity of word 5-grams from which two documents are one")

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Self:
        if self.validation + self.unseen >= 1:
            raise ValueError("validation and unseen together must be below 1: the rest is trained on")
        return self


class ExamConfig(_Settings):
    """How many questions each generated exam holds (`seen`: at most a quarter of the trained documents' pairs), and the lab's own."""

    seen: int = Field(default=60, ge=0)
    unseen: int = Field(default=60, ge=0)
    expert: Path | None = Field(default=None, description="JSONL, relative to the YAML file")


class QAGenConfig(_Settings):
    """How documents become question-answer pairs."""

    teacher: TeacherConfig
    method: Literal["open", "answer-aware"] = Field(
        default="open",
        description="open: the teacher writes question, answer and quote; answer-aware: the answer is chosen first "
        "and only the question is asked for, which suits small teachers",
    )
    pairs_per_chunk: int = Field(default=5, ge=1, description="questions asked for per chunk, at most")
    chunk: ChunkConfig = ChunkConfig()
    split: SplitConfig = SplitConfig()
    exams: ExamConfig = ExamConfig()
    near_duplicate: float = Field(default=0.8, gt=0, le=1, description="similarity from which two questions are one")
    budget: BudgetConfig = BudgetConfig()
