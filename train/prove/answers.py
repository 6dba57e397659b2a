"""What base and tuned model answer when they are asked freely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from train import data
from train.config import TrainConfig
from train.models import load as load_model
from train.prove.evaluation import finished_adapter


def answer(config: TrainConfig, out: Path, questions: Sequence[str], *, max_new_tokens: int = 64) -> list[tuple[str, str]]:
    """What the base model and the tuned one answer to each question, greedily, at most `max_new_tokens` long."""
    from train.decode import Ask, Decoder

    model, tokenizer = load_model(config.base, adapter=finished_adapter(out))
    asks = [Ask(_prompt(tokenizer, question, config.system_prompt), max_new_tokens) for question in questions]

    def said() -> list[str]:
        return [reply.text.strip() for reply in Decoder(model, tokenizer).answer(asks)]

    return list(zip(_without_adapter(model, said), said(), strict=True))


def _without_adapter(model: Any, act: Callable[[], list[str]]) -> list[str]:
    with model.disable_adapter():
        return act()


def _prompt(tokenizer: Any, question: str, system_prompt: str | None) -> tuple[int, ...]:
    turns = data.with_system([data.Turn(role="user", content=question)], system_prompt)
    messages = [turn.model_dump() for turn in turns]
    return tuple(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False))
