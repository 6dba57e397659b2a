"""TRL + PEFT: LoRA on a stock transformers model, wherever PyTorch runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError
from train.backends import processes
from train.backends.learner import Learner, check_adapter, targets, weights_dtype
from train.config import TrainConfig

log = logging.getLogger(__name__)


def open_model(config: TrainConfig, base: Path | str, tokenizer: Any, *, max_length: int, seed: int) -> Learner:
    """The base model with a fresh LoRA, whose weights follow from `seed`.

    Errors: `FieldsmithError` for a base model that cannot be loaded or has none of the LoRA's target modules.
    """
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM, set_seed

    cuda = torch.cuda.is_available()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(base),
            dtype=weights_dtype(),
            device_map=_place(cuda=cuda),
            quantization_config=_four_bits(config, cuda=cuda),
            attn_implementation=_attention(),
        )
    except OSError as error:
        raise FieldsmithError(f"the base model {config.base} cannot be loaded: {str(error).splitlines()[0]}") from error
    set_seed(seed)
    try:
        # Shards hold weights of one type only.
        model = get_peft_model(model, _lora(config), autocast_adapter_dtype=not processes.shards())
    except ValueError as error:
        raise FieldsmithError(f"no LoRA fits {config.base}: {str(error).splitlines()[0]}") from error
    check_adapter(model, config.lora, "PEFT")
    # TRL's own loss where ours does not fit: it knows heads that scale or cap, and how to gather one that is spread over GPUs.
    return Learner(model, tokenizer, loss_type="chunked_nll", own_loss=not processes.shards())


def _place(*, cuda: bool) -> Any:
    """The device: this process's own GPU; none yet where accelerate will spread the model."""
    if processes.shards():
        return None
    return {"": processes.gpu()} if cuda else "cpu"


def _attention() -> str | None:
    """FlashAttention where it is installed, which packing thrives on; else transformers' choice."""
    from transformers.utils import is_flash_attn_2_available

    return "flash_attention_2" if is_flash_attn_2_available() else None


def _lora(config: TrainConfig) -> Any:
    from peft import LoraConfig

    lora = config.lora
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets(lora),
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        task_type="CAUSAL_LM",
    )


def _four_bits(config: TrainConfig, *, cuda: bool) -> Any:
    """NF4 with double quantisation (QLoRA, arXiv 2305.14314); a CPU has nothing to gain from it and keeps whole weights."""
    if not config.load_in_4bit:
        return None
    if not cuda:
        log.info("load_in_4bit needs a GPU: the base model is kept in 32 bit on this CPU")
        return None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=weights_dtype(),
        # 4 bits are stored inside numbers of another type, which must be that of the other weights where all are sharded together.
        bnb_4bit_quant_storage=weights_dtype() if processes.shards() else None,
    )
