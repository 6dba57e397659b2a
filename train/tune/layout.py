"""How the rows of a stage are laid out in batches: padded, or packed where that is asked for or faster, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from train.backends.learner import Learner
from train.config import StageConfig
from train.data import Row
from train.tune.batches import Packing, Padding, attention_cost, keeps_apart


@dataclass(frozen=True, slots=True)
class Collator:
    """Rows -> a batch, and what was decided about packing, in a sentence."""

    collate: Callable[[Sequence[Row]], dict[str, Any]]
    said: str


def collator(stage: StageConfig, learner: Learner, rows: Sequence[Row]) -> Collator:
    """As the settings ask, unless the examples of a row would see each other in this model."""
    tokenizer = learner.tokenizer
    token = int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)
    if why := _why_not(stage, learner, rows):
        return Collator(Padding(token), f"each example has its own row, {why}")
    attention = attention_cost(learner.model.config)
    flash = "flash" in str(getattr(learner.model.config, "_attn_implementation", ""))
    if flash or learner.packs_in_one_row:
        how = "FlashAttention's bounds" if flash else "Unsloth's bounds"
        return Collator(Packing(token, attention, flat=True), f"the examples of a batch share one row, kept apart by {how}")
    if stage.packing:
        return Collator(Packing(token, attention, always=True), "examples share rows, as the settings ask, kept apart by a mask")
    return Collator(Packing(token, attention), "examples share rows where that costs less than padding, kept apart by a mask")


def _why_not(stage: StageConfig, learner: Learner, rows: Sequence[Row]) -> str | None:
    if stage.packing is False:
        return "as the settings ask"
    if len({len(row["input_ids"]) for row in rows}) == 1:
        return "since all are of one length"
    if stage.neftune_alpha:
        return "since NEFTune scales its noise by the length of a row"
    if not keeps_apart(learner.model, rows):
        return "since this model lets examples that share a row see each other"
    return None
