"""Unsloth: the same LoRA in less time and memory, on a GPU and (since 2026.10.9) on a CPU.

Importing unsloth patches TRL and transformers for the whole process, so it is imported in one function only and
before either of them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError
from train.backends.learner import Learner, check_adapter, targets, weights_dtype
from train.config import TrainConfig


def is_installed() -> bool:
    """Whether there is an unsloth at all; it may still fail to import."""
    return importlib.util.find_spec("unsloth") is not None


def import_unsloth(compiled: Path) -> Any:
    """The module. What it compiles goes to `compiled`, not to the user's folder; it sends nothing home, tells nothing on stdout.

    It fails with whatever a library that patches others may fail with.
    """
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(compiled))
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")  # else it downloads a counter file at every load
    with contextlib.redirect_stdout(sys.stderr):
        import unsloth
    return unsloth


def open_model(config: TrainConfig, base: Path | str, tokenizer: Any, *, max_length: int, seed: int) -> Learner:
    """The base model with a fresh LoRA, as in `train.backends.peft`; `import_unsloth` must have run."""
    language_model = sys.modules["unsloth"].FastLanguageModel
    import torch

    checkpointing = "unsloth" if torch.cuda.is_available() else False
    lora = config.lora
    with contextlib.redirect_stdout(sys.stderr):
        try:
            model, _ = language_model.from_pretrained(
                model_name=str(base),
                max_seq_length=max_length,
                dtype=weights_dtype(),
                load_in_4bit=config.load_in_4bit,
                use_exact_model_name=True,
                use_gradient_checkpointing=checkpointing,
            )
        except OSError as error:
            raise FieldsmithError(f"the base model {config.base} cannot be loaded: {str(error).splitlines()[0]}") from error
        try:
            model = language_model.get_peft_model(
                model,
                r=lora.r,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                target_modules=targets(lora),
                use_rslora=lora.rslora,
                use_dora=lora.dora,
                use_gradient_checkpointing=checkpointing,
                random_state=seed,
            )
        except ValueError as error:
            raise FieldsmithError(f"no LoRA fits {config.base}: {str(error).splitlines()[0]}") from error
    check_adapter(model, lora, "Unsloth")
    # On a GPU its kernels compute the loss, under the name "nll" ("chunked_nll" would leave them aside), and take examples that share
    # a row apart only where there is one row. On a CPU it is transformers with another loss, whose evaluation computes all logits.
    cuda = torch.cuda.is_available()
    return Learner(model, tokenizer, loss_type="nll", own_loss=not cuda, packs_in_one_row=cuda)
