"""The last step: the trained weights averaged with another model of the same shape, such as the instruct version of the base.

AstroSage (arXiv 2411.09012) took 75 % of its own weights and 25 % of Llama-3.1-Instruct, and had the field's knowledge and the
instruct model's manners. The weights are read, merged with their LoRA (by PEFT, so that every kind of it is merged as it was
trained), averaged and written one tensor at a time: memory holds one shard of what is written, not a model.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvest.store import FieldsmithError, fingerprint, load, save, sha256_file
from train.backends.learner import read_tokenizer
from train.config import MergeConfig
from train.models import identity, materialise
from train.tune.checkpoints import move_into_place
from train.weights import Lora, Weights, model_folder

if TYPE_CHECKING:
    from torch import Tensor

RECORD = "merge.json"
SHARD = 2 * 2**30
"""Bytes of a file of weights, and about the memory that a merge takes."""

FREE = re.compile(
    r"_name_or_path|architectures|d?type|torch_dtype|transformers_version|use_cache|max_position_embeddings|initializer_range"
    r"|quantization_config|.*token_id|.*dropout.*|unsloth.*|auto_map|id2label|label2id|problem_type|return_dict|output_.*"
)
"""Settings in which models that can be averaged may differ: names, limits, what only matters in training or to a tokenizer."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Merged:
    """`merge.json`: what was averaged. `weight` is the share of the tuned weights; `notes` say what was decided on the way."""

    base: str
    other: str
    weight: float
    fingerprint: str
    tensors: int
    notes: tuple[str, ...] = ()


def merge_models(base: str, adapter: Path | None, merge: MergeConfig, out: Path) -> Merged:
    """Leave `weight` x (base with its adapter) + (1 - weight) x the other model as a whole model's folder `out`.

    `base` and `merge.model` are references as in `train.models`. The folder appears in one instant and is left alone where it is
    there for these very models. Errors: `FieldsmithError` where the two do not fit: another architecture, other shapes of
    weights, another vocabulary; and where an adapter has weights that the base has no place for.
    """
    key = _key(base, adapter, merge)
    if done := _finished(out, key):
        return done
    ours, theirs = (model_folder(materialise(reference), reference) for reference in (base, merge.model))
    _check_settings(ours, theirs, base, merge.model)
    tokenizers = [read_tokenizer(reference, folder) for reference, folder in ((base, ours), (merge.model, theirs))]
    _check_vocabularies(tokenizers, merge.model)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    log.info("averaging the trained weights (%g) with those of %s (%g)", merge.weight, merge.model, 1 - merge.weight)
    with Weights(ours) as tuned, Weights(theirs) as other:
        lora = Lora(adapter) if adapter else None
        tensors = _write(partial, _averaged(tuned, other, lora, merge))
    merged = Merged(base, merge.model, merge.weight, key, tensors, _copy_rest(ours, tokenizers, partial, merge.model))
    save(partial / RECORD, merged)
    move_into_place(partial, out)
    return merged


def _key(base: str, adapter: Path | None, merge: MergeConfig) -> str:
    weights = sha256_file(adapter / "adapter_model.safetensors") if adapter else ""
    return fingerprint("merge", identity(base), weights, identity(merge.model), merge.weight)


def _finished(out: Path, key: str) -> Merged | None:
    if not (out / RECORD).is_file():
        return None
    merged = load(out / RECORD, Merged)
    return merged if merged.fingerprint == key else None


# ---- whether two models fit


def _check_settings(ours: Path, theirs: Path, base: str, other: str) -> None:
    """Weights of one shape may still mean something else: another activation, other rotations of positions."""
    mine, its = (_settings(folder) for folder in (ours, theirs))
    differing = [name for name in sorted(mine.keys() | its.keys()) if not FREE.fullmatch(name) and mine.get(name) != its.get(name)]
    if differing:
        said = "; ".join(f"{name} is {mine.get(name)!r} and {its.get(name)!r}" for name in differing[:3])
        raise FieldsmithError(
            f"{base} and {other} cannot be averaged, for they are built differently: {said}; name a model of the same shape"
        )


def _settings(folder: Path) -> dict[str, Any]:
    """A model's settings in one spelling, whichever version of transformers wrote them."""
    from transformers import AutoConfig

    return dict(AutoConfig.from_pretrained(str(folder)).to_dict())


def _check_vocabularies(tokenizers: Sequence[Any], other: str) -> None:
    mine, its = (tokenizer.get_vocab() for tokenizer in tokenizers)
    if mine == its:
        return
    token = min((mine.items() ^ its.items()), key=lambda item: item[1])[0]
    places = " and ".join(f"number {vocabulary[token]}" if token in vocabulary else "not there" for vocabulary in (mine, its))
    raise FieldsmithError(
        f"the vocabularies of the base model and of {other} differ ({len(mine)} and {len(its)} tokens; {token!r} is {places}), so their "
        "weights cannot be averaged: name a model with the same tokenizer"
    )


# ---- one tensor at a time


def _averaged(tuned: Weights, other: Weights, lora: Lora | None, merge: MergeConfig) -> Iterator[tuple[str, Tensor]]:
    only = sorted(tuned.names ^ other.names)
    if only:
        raise FieldsmithError(f"the base model and {merge.model} do not hold the same weights ({only[0]} is only in one of them)")
    if lora is not None:
        lora.check_places(tuned.names)
    for name in sorted(tuned.names):
        mine, its = tuned.tensor(name), other.tensor(name)
        if mine.shape != its.shape:
            raise FieldsmithError(f"the weights {name} have another shape in {merge.model}: {tuple(its.shape)}, not {tuple(mine.shape)}")
        if not mine.is_floating_point():
            yield name, mine
            continue
        whole = lora.merged(name, mine) if lora is not None else mine.float()
        yield name, whole.mul_(merge.weight).add_(its.float(), alpha=1 - merge.weight).to(mine.dtype)


def _write(folder: Path, tensors: Iterator[tuple[str, Tensor]]) -> int:
    """Shards of at most `SHARD` bytes and their index, in the layout of the hub; returns how many tensors there are."""
    shards: list[list[str]] = []
    held: dict[str, Tensor] = {}
    total = 0
    for name, tensor in tensors:
        if held and sum(one.nbytes for one in held.values()) + tensor.nbytes > SHARD:
            shards.append(_write_shard(folder, len(shards), held))
            held = {}
        held[name] = tensor.contiguous()
        total += tensor.nbytes
    shards.append(_write_shard(folder, len(shards), held))
    _name_shards(folder, shards, total)
    return sum(map(len, shards))


def _write_shard(folder: Path, number: int, tensors: Mapping[str, Tensor]) -> list[str]:
    from safetensors.torch import save_file

    save_file(dict(tensors), folder / f"shard-{number}", metadata={"format": "pt"})
    return list(tensors)


def _name_shards(folder: Path, shards: list[list[str]], total: int) -> None:
    """Only now is it known how many there are, which each name says."""
    if len(shards) == 1:
        (folder / "shard-0").rename(folder / "model.safetensors")
        return
    places = dict[str, str]()
    for number, names in enumerate(shards):
        called = f"model-{number + 1:05d}-of-{len(shards):05d}.safetensors"
        (folder / f"shard-{number}").rename(folder / called)
        places |= dict.fromkeys(names, called)
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")


def _copy_rest(ours: Path, tokenizers: list[Any], folder: Path, other: str) -> tuple[str, ...]:
    """Settings and tokenizer of the tuned model; a base without a chat template speaks by the other's."""
    for name in ("config.json", "generation_config.json"):
        if (ours / name).is_file():
            shutil.copyfile(ours / name, folder / name)
    mine, its = tokenizers
    notes: tuple[str, ...] = ()
    if not mine.chat_template and its.chat_template:
        mine.chat_template = its.chat_template
        notes = (f"the base model has no chat template: the merged one has that of {other}",)
    mine.save_pretrained(str(folder))
    return notes
