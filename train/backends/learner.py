"""A model that is ready to learn: what every backend opens, and what the stages train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError
from train.config import LoraConfig


@dataclass(frozen=True, slots=True)
class Learner:
    """A model with a trainable LoRA, and its tokenizer.

    `own_loss`: our own loss (`train.tune.loss`) is to be used where the model allows it; else the one of its backend, by TRL's name
    for it (`SFTConfig.loss_type`). `packs_in_one_row`: the backend's own attention keeps examples apart that share a row, but only
    where there is one row.
    """

    model: Any
    tokenizer: Any
    loss_type: str
    own_loss: bool
    packs_in_one_row: bool = False

    @contextmanager
    def noise(self, alpha: float | None) -> Iterator[None]:
        """NEFTune (arXiv 2310.05914) while the model trains.

        Not by the trainer's own setting, to which Unsloth on a GPU adds a second hook, and with it the noise once more.
        """
        if alpha is None:
            yield
            return
        from transformers.integrations.neftune import activate_neftune, deactivate_neftune

        hook = activate_neftune(self.model, alpha)
        try:
            yield
        finally:
            deactivate_neftune(self.model, hook)


def read_tokenizer(reference: str, base: Path | str) -> Any:
    """The tokenizer of a materialised base model; `FieldsmithError` (which says `reference`) for one that cannot be had."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(base))
    except OSError as error:  # transformers' word for: not on the hub, hub out of reach, broken folder
        raise FieldsmithError(f"the base model {reference} cannot be loaded: {str(error).splitlines()[0]}") from error


# ---- the adapter


def take_up(learner: Learner, adapter: Path) -> None:
    """Put the weights of an earlier stage's adapter into the learner's own LoRA, which goes on learning."""
    from peft import load_peft_weights

    put_back(learner, load_peft_weights(str(adapter), device="cpu"))


def adapter_weights(learner: Learner) -> dict[str, Any]:
    """A copy of the LoRA's weights, in the machine's memory."""
    from peft import get_peft_model_state_dict

    return {name: tensor.detach().cpu().clone() for name, tensor in get_peft_model_state_dict(learner.model).items()}


def put_back(learner: Learner, weights: Mapping[str, Any]) -> None:
    """The learner's LoRA gets these weights."""
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(learner.model, dict(weights))


def check_adapter(model: Any, wanted: LoraConfig, backend: str) -> None:
    """`FieldsmithError` where a backend left out of the adapter what the settings ask for, which some do without a word."""
    made = model.peft_config["default"]
    asked = {
        "r": (wanted.r, made.r),
        "alpha": (wanted.alpha, made.lora_alpha),
        "dropout": (wanted.dropout, made.lora_dropout),
        "rslora": (wanted.rslora, made.use_rslora),
        "dora": (wanted.dora, any("lora_magnitude_vector" in name for name, _ in model.named_parameters())),
    }
    for name, (want, got) in asked.items():
        if want != got:
            raise FieldsmithError(
                f"{backend} leaves lora.{name}: {want} out of this model's adapter: set backend: peft, or change lora.{name}"
            )


def targets(wanted: LoraConfig) -> list[str] | str:
    """The modules that get a LoRA, as PEFT wants them named."""
    return wanted.target_modules if isinstance(wanted.target_modules, str) else list(wanted.target_modules)


# ---- numbers


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
