"""The loss on what is to be learnt, and on nothing else: no logits for the rest, and never those of all tokens at once.

Of a pair's tokens a quarter are its answer. A model's own forward computes logits for all of them (tokens x vocabulary, the
largest tensor of a step); TRL's chunked loss leaves the rest out, but rounds up to 256, computes every chunk twice and measures entropies
besides. Here a chunk is computed once: the loss is a sum, so its gradient follows in the forward pass, and the backward pass only
scales it (the idea of Liger Kernel's fused linear cross entropy, arXiv 2410.10989, in plain PyTorch).
"""

from __future__ import annotations

import types
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import CausalLMOutput

from train.data import IGNORED

CHUNK = 2**24
"""Logits held at a time: 64 MB as float32."""


class _SummedLoss(torch.autograd.Function):
    """Hidden states (tokens, size), a frozen head (vocabulary, size), labels (tokens) -> the sum of the tokens' losses in nats."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
        gradient = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        total = torch.zeros((), device=hidden.device)
        rows = max(1, CHUNK // head.shape[0])
        for start in range(0, len(labels), rows):
            logits = (hidden[start : start + rows] @ head.T).float()
            wanted = labels[start : start + rows, None]
            norms = logits.logsumexp(-1, keepdim=True)
            total += (norms - logits.gather(1, wanted)).sum()
            if gradient is not None:
                shares = logits.sub_(norms).exp_()
                shares.scatter_add_(1, wanted, torch.full_like(norms, -1.0))
                gradient[start : start + rows] = shares.to(head.dtype) @ head
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *scales: Any) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * scales[0].to(gradient.dtype), None, None


def learn_answers_only(model: Any) -> bool:
    """Let a LoRA model compute its loss so when it is given labels; False, and nothing is done, where its head is not a plain product.

    Whether it is, is asked of the model itself: some scale or cap their logits, or train their head.
    """
    causal = model.get_base_model()
    if not _is_plain(causal):
        return False
    if not hasattr(causal, "forward_with_logits"):
        causal.forward_with_logits = causal.forward
        causal.forward = types.MethodType(_forward, causal)
    return True


def _is_plain(causal: Any) -> bool:
    head = causal.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.bias is not None or head.weight.requires_grad or head.weight.dtype == torch.float16:
        return False  # in 16 bit floats a gradient would be lost before the loss is scaled
    training = causal.training
    causal.eval()
    ids = torch.arange(8, device=head.weight.device)[None]
    with torch.no_grad():
        logits = causal(input_ids=ids, use_cache=False).logits
        plain = head(causal.base_model(input_ids=ids, use_cache=False).last_hidden_state)
    causal.train(training)
    return bool(torch.allclose(logits.float(), plain.float(), rtol=1e-3, atol=1e-3))


def _forward(self: Any, input_ids: Tensor | None = None, labels: Tensor | None = None, **more: Any) -> Any:
    if labels is None or input_ids is None:
        return self.forward_with_logits(input_ids=input_ids, **more)
    items = more.pop("num_items_in_batch", None)
    # With a cache transformers would not look for examples that share a row, and let them see each other.
    hidden = self.base_model(input_ids=input_ids, **{**more, "use_cache": False}).last_hidden_state
    wanted = labels[:, 1:]
    learnt = wanted != IGNORED
    head = self.get_output_embeddings().weight
    total = _SummedLoss.apply(hidden[:, :-1][learnt], head, wanted[learnt])  # type: ignore[no-untyped-call]
    return CausalLMOutput(loss=total / (learnt.sum().clamp(min=1) if items is None else items))
