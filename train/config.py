"""What a lab may write under `train:`, `prove:`, `gate:` and `release:`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

GgufType = Literal["f16", "Q8_0", "Q4_K_M"]
Values = Annotated[tuple[float, ...], Field(min_length=2)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# ---- train:


class LoraConfig(_Settings):
    """The adapter (LoRA, arXiv 2106.09685; rank-stabilised, 2312.03732; weight-decomposed, 2402.09353)."""

    r: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] | Literal["all-linear"] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    rslora: bool = False
    dora: bool = False


class ReplayConfig(_Settings):
    """General data mixed into a stage against forgetting: a file, or a data set of the hub."""

    path: Path | None = Field(default=None, description="JSON or JSONL of chats or pairs (of texts, for a cpt stage)")
    hub: str | None = Field(default=None, description="hub id of a data set, such as owner/name")
    split: str = Field(default="train", description="of the hub's data set")
    fraction: float = Field(default=0.1, gt=0, lt=1, description="share of the stage's tokens that is replayed")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("name where general data comes from: path (a file) or hub (an id), one of them")
        return self


class StageConfig(_Settings):
    """One stage of training: `cpt` on document text, `sft` on question-answer pairs."""

    kind: Literal["cpt", "sft"]
    data: Path | None = Field(
        default=None, description="JSON or JSONL of pairs (of texts, for cpt) in place of the dataset's, such as a few measured samples"
    )
    validation: Path | None = Field(default=None, description="held-out file of the same kind; default: the dataset's")
    restatements: bool = Field(
        default=False, description="cpt: also learn the teacher's restatements of the documents (qagen.restatements)"
    )
    replay: ReplayConfig | None = None
    epochs: float = Field(default=3.0, gt=0)
    max_steps: int | None = Field(default=None, ge=1, description="stop after so many optimiser steps")
    learning_rate: float = Field(default=2e-4, gt=0)
    batch_size: int = Field(default=8, ge=1, description="examples per optimiser step, over all GPUs")
    micro_batch: int | None = Field(default=None, ge=1, description="examples per forward pass; default: what fits into memory")
    warmup_steps: int = Field(default=10, ge=0)
    scheduler: Literal["linear", "cosine", "constant"] = "cosine"
    weight_decay: float = Field(default=0.0, ge=0)
    neftune_alpha: float | None = Field(default=None, gt=0, description="noise on the embeddings (NEFTune, arXiv 2310.05914)")
    max_length: int = Field(default=1024, ge=16, description="tokens of one example")
    packing: bool | None = Field(default=None, description="several examples in one row, none seeing another; default: where it is faster")
    checkpoint_steps: int = Field(default=50, ge=1, description="a checkpoint every so many steps")
    eval_steps: int | None = Field(default=None, ge=1, description="held-out loss every so many steps; default: about once an epoch")
    early_stopping: int | None = Field(default=None, ge=1, description="stop after so many evaluations without a lower held-out loss")

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        if self.micro_batch and self.batch_size % self.micro_batch:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of micro_batch {self.micro_batch}")
        if self.kind == "sft" and self.restatements:
            raise ValueError("restatements are texts: set them in a cpt stage")
        return self


class MergeConfig(_Settings):
    """The last step: the trained weights averaged with another model of the same shape (AstroSage, arXiv 2411.09012)."""

    model: str = Field(description="hub id, folder, GGUF file or pkg:PACKAGE/FILE of the other model, such as the instruct version of base")
    weight: float = Field(default=0.75, gt=0, lt=1, description="share of the trained weights")


class SweepConfig(_Settings):
    """A few values each, all combinations, by successive halving on the held-out loss (arXiv 1502.07943)."""

    learning_rate: Values | None = None
    r: Annotated[tuple[int, ...], Field(min_length=2)] | None = None
    batch_size: Annotated[tuple[int, ...], Field(min_length=2)] | None = None
    epochs: Values | None = None
    dropout: Values | None = None
    first_steps: int = Field(default=20, ge=1, description="optimiser steps of the first round; each later round doubles them")

    @model_validator(mode="after")
    def _something_to_try(self) -> Self:
        if not any((self.learning_rate, self.r, self.batch_size, self.epochs, self.dropout)):
            raise ValueError("name what is to be tried, such as learning_rate: [1.0e-4, 3.0e-4]")
        return self


class TrainConfig(_Settings):
    """How pairs and texts become an adapter."""

    base: str = Field(description="hub id, folder, GGUF file, or pkg:PACKAGE/FILE for a file inside an installed package")
    backend: Literal["auto", "unsloth", "peft"] = Field(
        default="auto", description="auto: Unsloth wherever it imports, TRL + PEFT elsewhere"
    )
    load_in_4bit: bool = False
    lora: LoraConfig = LoraConfig()
    stages: tuple[StageConfig, ...] = Field(default=(StageConfig(kind="sft"),), min_length=1)
    merge: MergeConfig | None = None
    system_prompt: str | None = Field(default=None, description="put before every question, in training and exams")
    report_to: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = Field(
        default=("tensorboard",), description="where losses are sent while training"
    )
    seeds: int = Field(default=1, ge=1, le=20, description="trainings with different seeds; the first is released, the others are evidence")
    sweep: SweepConfig | None = None

    def absolute(self, folder: Path) -> Self:
        """The settings with paths as they are meant: relative to the YAML, wherever the run happens."""
        return self.model_copy(update={"stages": tuple(_absolute_stage(stage, folder) for stage in self.stages)})


def _absolute_stage(stage: StageConfig, folder: Path) -> StageConfig:
    def placed(path: Path | None) -> Path | None:
        return folder / path.expanduser() if path else None

    replay = stage.replay.model_copy(update={"path": placed(stage.replay.path)}) if stage.replay else None
    return stage.model_copy(update={"data": placed(stage.data), "validation": placed(stage.validation), "replay": replay})


# ---- prove:


class RetrievalConfig(_Settings):
    """What the arms with retrieval are shown: BM25 and, with an embedder, vectors, fused by rank (SIGIR 2009, reciprocal rank fusion)."""

    passages: int = Field(default=3, ge=1, description="shown before each question")
    max_tokens: int = Field(default=600, ge=32, description="of all passages together")
    embedder: str | None = Field(default=None, description="hub id, folder or pkg:PACKAGE/FOLDER; none: by words alone")


class ProveConfig(_Settings):
    """How base and tuned model are examined."""

    retrieval: RetrievalConfig | None = Field(default=RetrievalConfig(), description="none (~) leaves the arms with retrieval out")
    answers: bool = Field(default=True, description="let the models answer freely too, and mark what they say")
    max_new_tokens: int = Field(default=48, ge=1, description="of a free answer")
    tolerance: float = Field(default=0.01, ge=0, lt=1, description="relative error at which a number still counts as right")
    judge: bool = Field(default=False, description="let qagen's judge compare free answers, each pair in both orders")


# ---- gate:


class GateConfig(_Settings):
    """What a model must have shown before anything of it leaves."""

    exam: str | None = Field(default=None, description="the exam that decides; default: the expert exam's trained half, else seen")
    measure: Literal["margin", "nll", "accuracy"] = Field(
        default="margin",
        description="of the gain: log-probability of the right option among the options, which form alone does not move; "
        "nll, nats per answer token, for exams without options; accuracy, right choices",
    )
    min_gain: float = Field(default=0.0, description="the tuned model's gain must be above this")
    min_low: float = Field(default=0.0, description="so must the lower end of its 95 % interval be above this")
    max_general_loss: float = Field(
        default=0.1, ge=0, description="right choices lost on the general exam, at most: the upper end of the 95 % interval"
    )
    max_leaks: int = Field(default=0, ge=0)
    beat_retrieval: bool = Field(default=False, description="the tuned model must also be no worse than the base with retrieval")
    no_regression: bool = Field(default=True, description="it must not be worse than the version released before, on the same exam")


# ---- release:


class ReleaseConfig(_Settings):
    """What is made of a model that passed."""

    merged: bool = True
    gguf: tuple[GgufType, ...] = ("f16", "Q8_0", "Q4_K_M")
    parity: float = Field(default=0.05, gt=0, description="nats per answer token that an export may drift; see parity_quantised")
    parity_quantised: float = Field(default=0.25, gt=0, description="the same for formats below 8 bits")
    parity_choices: float = Field(default=0.05, ge=0, le=1, description="right choices that an export may lose")
    licence: str | None = Field(default=None, description="SPDX id of the released model; default: not stated")
    push_to: str | None = Field(default=None, description="hub id, such as owner/name, to which the release is pushed")
    private: bool = Field(default=True, description="whether a pushed repository is private")
