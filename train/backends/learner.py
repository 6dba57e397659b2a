"""A model that is ready to learn: what every backend opens, and what the stages train."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError


@dataclass(frozen=True, slots=True)
class Learner:
    """A model with a trainable LoRA, its tokenizer, and TRL's name (`SFTConfig.loss_type`) of the loss its backend does best."""

    model: Any
    tokenizer: Any
    loss_type: str


def read_tokenizer(reference: str, base: Path | str) -> Any:
    """The tokenizer of a materialised base model; `FieldsmithError` (which says `reference`) for one that cannot be had."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(base))
    except OSError as error:  # transformers' word for: not on the hub, hub out of reach, broken folder
        raise FieldsmithError(f"the base model {reference} cannot be loaded: {str(error).splitlines()[0]}") from error


def take_up(learner: Learner, adapter: Path) -> None:
    """Put the weights of an earlier stage's adapter into the learner's own LoRA, which goes on learning."""
    from peft import load_peft_weights, set_peft_model_state_dict

    set_peft_model_state_dict(learner.model, load_peft_weights(str(adapter), device="cpu"))


def weights_dtype() -> Any:
    """The type of the frozen weights: float32 on a CPU, which may only emulate a shorter one, 16 bit on a GPU."""
    import torch

    if not torch.cuda.is_available():
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def computes_in_bf16() -> bool:
    """Whether this device multiplies bfloat16 matrices itself: then mixed precision is 2 to 5 times faster, else far slower."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    able = torch.cpu.get_capabilities()
    return any(able.get(feature) for feature in ("amx_bf16", "avx512_bf16", "bf16", "sve_bf16"))
