"""The tuned model as a whole: an adapter merged into its base, in the layout that every runtime reads.

The sum is made in float32 on the base's full weights (a base that was quantised for training is read in 16 bit again, and a
GGUF base as float32), compared with what base and adapter give together, and only then rounded. 16-bit bases keep their type: activations
that were trained in bfloat16 may overflow float16. A float32 base (that of a GGUF file) becomes float16, whose 11 significant bits
keep a small LoRA update that bfloat16's 8 round away (drift on the demo's exam: 0.0009 and 0.0068 nats), unless a weight is too large.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError, is_done, mark_done
from train.backends.learner import read_tokenizer
from train.models import materialise
from train.release.template import TEXTS, Trained
from train.tune.checkpoints import move_into_place

log = logging.getLogger(__name__)

CLOSE = 1e-3
"""By how much of the largest logit the merged weights may differ from base and adapter together, both in float32."""

SHARD = "4GB"


def is_adapter(tuned: Path) -> bool:
    """Whether the folder holds an adapter; False for a whole model's. `FieldsmithError` where it is neither."""
    if (tuned / "adapter_config.json").is_file():
        return True
    if (tuned / "config.json").is_file():
        return False
    raise FieldsmithError(f"{tuned} holds neither an adapter (adapter_config.json) nor a model (config.json): train one first")


def tuned_tokenizer(base: str, tuned: Path) -> Any:
    """The tokenizer with which the model was examined: an adapter's is its base's, a whole model has its own."""
    return read_tokenizer(base, materialise(base)) if is_adapter(tuned) else read_tokenizer(str(tuned), tuned)


def merge(base: str, tuned: Path, folder: Path, *, key: str) -> Path:
    """Leave the whole tuned model in `folder`: 16-bit safetensors, tokenizer, chat template, generation config with every end token.

    `tuned` is an adapter's folder or a whole model's, `base` the reference (as in `train.models`) of the model that the adapter belongs
    to. The folder appears in one instant; for the same `key` it is left alone. Takes 4 bytes of memory a parameter.
    Errors: `FieldsmithError` where merging changes what the model computes, and for models that cannot be read.
    """
    if is_done(folder, key):
        return folder
    tokenizer = tuned_tokenizer(base, tuned)
    model = _whole(base, tuned, tokenizer)
    dtype = _kept_type(model)
    log.info("writing the merged weights (%s)", str(dtype).removeprefix("torch."))
    _set_ends(model, tokenizer)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.to(dtype).save_pretrained(partial, max_shard_size=SHARD)
    tokenizer.save_pretrained(partial)
    move_into_place(partial, folder)
    mark_done(folder, key)
    return folder


def _whole(base: str, tuned: Path, tokenizer: Any) -> Any:
    """The tuned model in float32, without an adapter."""
    if not is_adapter(tuned):
        return _read(str(tuned), str(tuned)).eval()
    from peft import PeftModel

    model = _read(base, str(materialise(base)))
    try:
        adapted = PeftModel.from_pretrained(model, str(tuned)).eval()
    except (ValueError, RuntimeError) as error:  # modules that are not there, weights of another shape
        raise FieldsmithError(f"the adapter {tuned} does not fit {base}: {str(error).strip().splitlines()[0]}") from error
    before = _logits(adapted, tokenizer)
    merged = adapted.merge_and_unload(safe_merge=True)
    _verify(before, _logits(merged, tokenizer), tuned)
    return merged


def _read(reference: str, where: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    try:
        model = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32)
    except OSError as error:  # transformers' word for: not on the hub, hub out of reach, broken folder
        raise FieldsmithError(f"the model {reference} cannot be loaded: {str(error).splitlines()[0]}") from error
    # What the config says of its own type was overwritten on loading.
    model.stored_type = _stored_type(where)
    return model.dequantize() if getattr(model, "hf_quantizer", None) is not None else model


def _stored_type(where: str) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(where).dtype


def _logits(model: Any, tokenizer: Any) -> Any:
    """Logits [tokens, vocabulary] of the sample texts."""
    import torch

    ids = [token for text in TEXTS for token in tokenizer(text, add_special_tokens=False).input_ids]
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).logits[0]


def _verify(before: Any, after: Any, tuned: Path) -> None:
    error = float((before - after).abs().max() / before.abs().max())
    if not error <= CLOSE:  # not a number is no agreement either
        raise FieldsmithError(
            f"merging the adapter {tuned} changes what the model computes (logits by {error:.1%}): it does not fit its base"
        )
    log.info("the merged weights compute what base and adapter do (logits differ by %.1e of the largest)", error)


def _kept_type(model: Any) -> Any:
    import torch

    if model.stored_type in (torch.float16, torch.bfloat16):
        return model.stored_type
    largest = max(float(weight.detach().abs().max()) for weight in model.parameters())
    return torch.float16 if largest < torch.finfo(torch.float16).max else torch.bfloat16


def _set_ends(model: Any, tokenizer: Any) -> None:
    """Every token at which a reply may end: the base's own, the tokenizer's, and what its chat template closes an answer with."""
    named = model.generation_config.eos_token_id
    ends = {*(named if isinstance(named, list) else [named]), tokenizer.eos_token_id}
    if tokenizer.chat_template:
        ends.add(Trained(tokenizer).end)
    model.generation_config.eos_token_id = sorted(end for end in ends if end is not None)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
