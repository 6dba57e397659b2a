"""Exams on a CPU at two to three times the speed: products with weights that oneDNN has packed.

PyTorch multiplies float32 matrices on a CPU by MKL, which is slow on processors that Intel did not make (on a Zen 5, one core: 85
GFLOP/s, 190 for weights packed by oneDNN; single precision both, sums in another order).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 4 * 2**30
"""Bytes of weights above which none are packed: packed weights stand in memory beside the others."""


@contextmanager
def quick(model: Any) -> Iterator[None]:
    """Let a model compute with packed weights, as they are now, for as long as this lasts; without gain for it, nothing is done."""
    import torch

    linears = [module for module in model.modules() if type(module) is torch.nn.Linear] if _gains(model) else []
    for module in linears:
        packed = torch.ops.mkldnn._reorder_linear_weight(module.weight.detach())
        bias = None if module.bias is None else module.bias.detach()
        module.forward = partial(_product, packed, bias)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module in linears:
            del module.forward  # the class's own is there again


def _gains(model: Any) -> bool:
    import torch

    fits = sum(weights.nbytes for weights in model.parameters()) <= LARGEST
    exact = model.device.type == "cpu" and model.dtype == torch.float32
    return fits and exact and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def _product(packed: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    import torch

    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
    return product
