"""Rows -> a batch of tensors: each example in a row of its own, padded, or several in one row, none seeing another.

Packing is a layout and nothing else: a batch holds the same examples either way, so that the optimiser's steps, the loss and a
resumed run are the same. Whether it pays is a matter of lengths. Padding is computed and not learnt; but in a long row attention
costs more, since every token is compared with all of the row before the mask takes the others' examples out. So each batch is laid
out in the way that costs least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from train.data import IGNORED, Row

WIDTHS = (1, 2, 4)
"""Widths of packed rows that are tried, in lengths of the batch's longest example."""

Layout = list[list[int]]
"""The examples of each row of a batch."""


@dataclass(frozen=True, slots=True)
class Padding:
    """Rows -> (rows, longest), padded on the right; padding is neither attended to nor learnt."""

    token: int

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        """`input_ids`, `labels` and `attention_mask`, each (rows, longest)."""
        import torch

        width = max(len(row["input_ids"]) for row in rows)
        ids = torch.full((len(rows), width), self.token)
        labels = torch.full((len(rows), width), IGNORED)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for at, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[at, :length] = torch.tensor(row["input_ids"])
            labels[at, :length] = torch.tensor(row["labels"])
            mask[at, :length] = 1
        return {"input_ids": ids, "labels": labels, "attention_mask": mask}


@dataclass(frozen=True, slots=True)
class Packing:
    """Rows -> (fewer rows, width): positions begin anew with every example and there is no attention mask.

    From such positions transformers and Unsloth make attention that stays within an example: a block-diagonal mask for SDPA, and with
    FlashAttention, which takes one row only (`flat`), the bounds of the examples, at no cost. `attention` is what comparing a token
    with another costs, where taking a token through the layers costs 1. Unless it must `always` pack, a batch is padded where that
    costs no more.
    """

    token: int
    attention: float
    flat: bool = False
    always: bool = False

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        """`input_ids`, `labels` and `position_ids`, each (rows, width); or what `Padding` gives."""
        layout = self.layout([len(row["input_ids"]) for row in rows])
        if layout is None:
            return Padding(self.token)(rows)
        return _packed(rows, layout, self.token)

    def layout(self, lengths: Sequence[int]) -> Layout | None:
        """Which examples share a row, or None where each is to have its own."""
        if self.flat:
            return [list(range(len(lengths)))]
        longest = max(lengths)
        layouts = [fill(lengths, longest * width) for width in WIDTHS]
        best = min(layouts, key=lambda layout: self._cost(lengths, layout))
        alone: Layout = [[at] for at in range(len(lengths))]
        if not self.always and self._cost(lengths, alone) <= self._cost(lengths, best):
            return None
        return best

    def _cost(self, lengths: Sequence[int], layout: Layout) -> float:
        width = max(sum(lengths[at] for at in row) for row in layout)
        return len(layout) * width * (1 + self.attention * width)


def fill(lengths: Sequence[int], width: int) -> Layout:
    """Examples into rows of at most `width` tokens, the longest first, each where it first fits."""
    layout: Layout = []
    free: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        row = next((row for row, left in enumerate(free) if left >= lengths[at]), None)
        if row is None:
            layout.append([at])
            free.append(width - lengths[at])
        else:
            layout[row].append(at)
            free[row] -= lengths[at]
    return layout


def _packed(rows: Sequence[Row], layout: Layout, token: int) -> dict[str, Any]:
    import torch

    width = max(sum(len(rows[at]["input_ids"]) for at in row) for row in layout)
    ids = torch.full((len(layout), width), token)
    labels = torch.full((len(layout), width), IGNORED)
    positions = torch.zeros((len(layout), width), dtype=torch.long)
    for number, row in enumerate(layout):
        start = 0
        for at in row:
            end = start + len(rows[at]["input_ids"])
            ids[number, start:end] = torch.tensor(rows[at]["input_ids"])
            # An example's first token would be predicted from the example before it.
            labels[number, start + 1 : end] = torch.tensor(rows[at]["labels"][1:], dtype=torch.long)
            positions[number, start:end] = torch.arange(end - start)
            start = end
        positions[number, start:] = torch.arange(width - start)  # what is left over is an example of its own, of padding
    return {"input_ids": ids, "labels": labels, "position_ids": positions}


# ---- whether a model can be trained so


def attention_cost(config: Any) -> float:
    """`Packing.attention` of a transformer, from its sizes.

    A token takes 8 h^2 + 6 h i operations through a layer (attention's four matrices and the three of the MLP), and 4 h for each
    token it is compared with. On a CPU the latter took 1.5 times as long an operation (SmolLM2-135M: 4.8e-4 measured, 4.3e-4 here).
    """
    text = config.get_text_config()
    size = int(text.hidden_size)
    inner = int(getattr(text, "intermediate_size", None) or 4 * size)
    return 1.5 * 4 / (8 * size + 6 * inner)


def keeps_apart(model: Any, rows: Sequence[Row]) -> bool:
    """Whether examples in one row do not see each other in this model: asked of the model itself, with two of the rows.

    Some cannot: state-space layers carry what they read from one example into the next, and models without `position_ids`
    number a row through.
    """
    import inspect

    import torch

    if "position_ids" not in inspect.signature(model.get_base_model().forward).parameters:
        return False
    one, two = ([*row["input_ids"][:24]] for row in (rows[0], rows[-1]))
    device = model.get_input_embeddings().weight.device
    packed = torch.tensor([one + two], device=device)
    positions = torch.tensor([[*range(len(one)), *range(len(two))]], device=device)
    training = model.training
    model.eval()
    with torch.no_grad():
        together = model(input_ids=packed, position_ids=positions, use_cache=False).logits[0, len(one) :].float()
        alone = model(input_ids=packed[:, len(one) :], use_cache=False).logits[0].float()
    model.train(training)
    tolerance = 1e-3 if model.dtype == torch.float32 else 0.1
    return bool((together - alone).abs().max() <= tolerance * alone.abs().max())
