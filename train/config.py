"""What a lab may write under `train:`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LoraConfig(_Settings):
    """The adapter (LoRA, arXiv 2106.09685)."""

    r: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    rslora: bool = False


class StageConfig(_Settings):
    """One stage of training: `cpt` on document text, `sft` on question-answer pairs."""

    kind: Literal["cpt", "sft"]
    epochs: float = Field(default=3.0, gt=0)
    max_steps: int | None = Field(default=None, ge=1, description="stop after so many optimiser steps")
    learning_rate: float = Field(default=2e-4, gt=0)
    batch_size: int = Field(default=8, ge=1, description="examples per optimiser step")
    micro_batch: int | None = Field(default=None, ge=1, description="examples per forward pass; default: the batch")
    warmup_steps: int = Field(default=10, ge=0)
    scheduler: Literal["linear", "cosine", "constant"] = "cosine"
    weight_decay: float = Field(default=0.0, ge=0)
    max_length: int = Field(default=1024, ge=16, description="tokens of one example")
    checkpoint_steps: int = Field(default=50, ge=1, description="a checkpoint every so many steps")

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        if self.micro_batch and self.batch_size % self.micro_batch:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of micro_batch {self.micro_batch}")
        return self


class TrainConfig(_Settings):
    """How pairs and texts become an adapter, and how it is examined."""

    base: str = Field(description="hub id, folder, GGUF file, or pkg:PACKAGE/FILE for a file inside an installed package")
    backend: Literal["auto", "unsloth", "peft"] = Field(
        default="auto", description="auto: Unsloth wherever it imports, TRL + PEFT elsewhere"
    )
    load_in_4bit: bool = False
    lora: LoraConfig = LoraConfig()
    stages: tuple[StageConfig, ...] = Field(default=(StageConfig(kind="sft"),), min_length=1)
    system_prompt: str | None = Field(default=None, description="put before every question, in training and exams")
