"""Keys and values of a batch: the memory that grows column by column, the blocks of prompts that are kept, and attention over both."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.cache_utils import Cache, DynamicLayer
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from harvest.store import FieldsmithError

KEPT_BYTES = 256 * 2**20
"""Memory for the blocks of prompts that are kept (SmolLM2-135M: 1.5 MB a block of 32 tokens)."""


def use_grouped_attention(model: Any) -> None:
    """Let the model attend without copying keys and values for each head of a group; the results stay the same.

    transformers' own `sdpa` copies them whenever there is a mask, which took longer on a CPU than the rest of a decoding step.
    """
    AttentionInterface.register("grouped", _grouped_attention)
    AttentionMaskInterface.register("grouped", sdpa_mask)
    model.set_attn_implementation("grouped")


def _grouped_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    if more.get("softcap") is not None or more.get("s_aux") is not None:
        raise FieldsmithError(
            "this model caps its attention or has attention sinks, which the built-in server cannot compute: serve it by vLLM"
        )
    out = torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        scale=scaling,
        is_causal=attention_mask is None and query.shape[2] > 1,  # what transformers means by no mask
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return out.transpose(1, 2).contiguous(), None


class Memory(Cache):  # type: ignore[misc]  # transformers is untyped here
    """Keys and values of all layers, begun from per-row tensors [layers, 2, heads, columns, size] (None: no columns yet)."""

    def __init__(self, layers: int, rows: Sequence[Tensor | None], spare: int) -> None:
        super().__init__(layers=[_Layer(spare) for _ in range(layers)])
        begun = [row for row in rows if row is not None]
        if begun:
            whole = torch.stack(begun, dim=2)  # [layers, 2, rows, heads, columns, size]
            for number, layer in enumerate(self.layers):
                layer.begin(whole[number, 0], whole[number, 1])

    def last(self, row: int, columns: int) -> Tensor:
        """The last columns of a row, as [layers, 2, heads, columns, size]."""
        return torch.stack([torch.stack([layer.keys[row, :, -columns:], layer.values[row, :, -columns:]]) for layer in self.layers])

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all other rows."""
        for layer in self.layers:
            layer.keep(rows)


class _Layer(DynamicLayer):  # type: ignore[misc]
    """A growing layer that takes memory in advance: appending a column does not copy the ones before."""

    def __init__(self, spare: int) -> None:
        super().__init__()
        self._spare = spare
        self._store: _Pair | None = None

    def begin(self, keys: Tensor, values: Tensor) -> None:
        """Start from [rows, heads, columns, size]."""
        self.lazy_initialization(keys, values)
        self._append(keys, values)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append columns; all columns so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self._append(key_states, value_states)
        return self.keys, self.values

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows, as much memory taken in advance as before."""
        if self._store is not None:
            filled = self.get_seq_length()
            self._store = _Pair(self._store.keys[list(rows)], self._store.values[list(rows)])
            self.keys, self.values = self._store.keys[:, :, :filled], self._store.values[:, :, :filled]

    def _append(self, keys: Tensor, values: Tensor) -> None:
        begin = self.get_seq_length()
        end = begin + keys.shape[2]
        if self._store is None or end > self._store.keys.shape[2]:
            self._store = self._larger(keys, begin, end + self._spare)
        self._store.keys[:, :, begin:end], self._store.values[:, :, begin:end] = keys, values
        self.keys, self.values = self._store.keys[:, :, :end], self._store.values[:, :, :end]

    def _larger(self, like: Tensor, filled: int, columns: int) -> _Pair:
        shape = (*like.shape[:2], columns, like.shape[3])
        larger = _Pair(like.new_zeros(shape), like.new_zeros(shape))
        if self._store is not None:
            larger.keys[:, :, :filled], larger.values[:, :, :filled] = self.keys, self.values
        return larger


class _Pair(NamedTuple):
    """Keys and values, each [rows, heads, columns, size]."""

    keys: Tensor
    values: Tensor


class BlockCache:
    """Whole blocks of prompts by all the tokens up to their end; the ones that were not used for longest go first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._blocks: OrderedDict[tuple[int, ...], Tensor] = OrderedDict()

    def get(self, prefix: tuple[int, ...]) -> Tensor | None:
        """The block that ends this prefix, if it was kept."""
        if prefix in self._blocks:
            self._blocks.move_to_end(prefix)
        return self._blocks.get(prefix)

    def put(self, prefix: tuple[int, ...], block: Tensor) -> None:
        """Keep a block, unless it is a prompt's last, unfilled one."""
        if len(prefix) % self._size == 0:
            self._blocks[prefix] = block
        while len(self._blocks) * block.nbytes > KEPT_BYTES:
            self._blocks.popitem(last=False)
