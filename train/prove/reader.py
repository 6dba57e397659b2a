"""How likely answers are after their prompts: each answer's tokens under the model, and the model's state after each prompt.

`read` gives, for every prompt, the log-probability of each answer (the sum over its tokens, in nats: what
lm-evaluation-harness calls `loglikelihood`), the likeliest first token, and, if wanted, keys and values from which an answer
can be written without reading the prompt again. Prompts are read in the order of their tokens, so that neighbours share what
they begin with; figures move by up to 1e-5 with what is read beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from train.prove.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 256
"""Tokens of one tree, unless a single prompt is longer: with more, attention between its branches takes longer than it saves."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt and the answers that may follow it, as token ids."""

    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Sums of the answers' log-probabilities; the likeliest token after the prompt; its memory [layers, 2, heads, tokens, size]."""

    sums: tuple[float, ...]
    next: int
    memory: Tensor | None = None


def branches(model: Any, tokens: int) -> bool:
    """Whether sequences of so many tokens can share a pass: only where nothing but masked attention connects tokens."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = config.sliding_window if "sliding_attention" in kinds else None
    return kinds <= {"full_attention", "sliding_attention"} and (window is None or tokens <= window)


def read(model: Any, asked: Sequence[Asked], *, keep: bool = False, at_once: int = AT_ONCE) -> list[Read]:
    """What comes of every prompt, in the order of `asked`; `keep` also gives their memory, where the model branches."""
    import torch

    found: dict[int, Read] = {}
    with torch.inference_mode():
        if branches(model, max((len(one.prompt) + max(map(len, one.answers), default=0) for one in asked), default=0)):
            for places, reads in _by_trees(model, asked, keep, at_once):
                found |= dict(zip(places, reads, strict=True))
        else:
            for place, one in enumerate(asked):
                found[place] = _alone(model, one)
    return [found[place] for place in range(len(asked))]


# ---- in trees


def _by_trees(model: Any, asked: Sequence[Asked], keep: bool, at_once: int) -> Iterator[tuple[list[int], list[Read]]]:
    """A tree begins with what its first prompt has in common with the last one before it, whose memory is at hand."""
    stem: tuple[int, ...] = ()
    past: Tensor | None = None
    groups = list(_groups(asked, at_once))
    for number, places in enumerate(groups):
        tree = Tree(stem)
        paths = [tree.add(asked[place].prompt) for place in places]
        ends = [[tree.add(answer, after=path[-1]) for answer in asked[place].answers] for place, path in zip(places, paths, strict=True)]
        logits, memory = _forward(model, tree, past, [[path[-1:], *tails] for path, tails in zip(paths, ends, strict=True)])
        yield (
            places,
            [
                _read(logits, asked[place], path, tails, memory[..., path, :] if keep else None)
                for place, path, tails in zip(places, paths, ends, strict=True)
            ],
        )
        if number + 1 < len(groups):
            last, first = asked[places[-1]].prompt, asked[groups[number + 1][0]].prompt
            # A prompt's own last token is read anew: what it foretells is wanted.
            stem = first[: min(_common(last, first), len(first) - 1)]
            past = memory[..., paths[-1][: len(stem)], :]


def _groups(asked: Sequence[Asked], at_once: int) -> Iterator[list[int]]:
    """Places in the order of their prompts, as many together as add about `at_once` tokens."""
    group: list[int] = []
    size = 0
    before: tuple[int, ...] = ()
    for place in sorted(range(len(asked)), key=lambda place: asked[place].prompt):
        one = asked[place]
        new = len(one.prompt) - _common(before, one.prompt) + sum(map(len, one.answers))
        if group and size + new > at_once:
            yield group
            group, size = [], 0
        group.append(place)
        size, before = size + new, one.prompt
    if group:
        yield group


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


@dataclass(frozen=True, slots=True)
class _Logits:
    """Logits [columns, vocabulary] of those columns that foretell an answer's token, and the log of their sums."""

    place: dict[int, int]
    values: Tensor
    totals: Tensor


def _forward(model: Any, tree: Tree, past: Tensor | None, wanted: Sequence[Sequence[Sequence[int]]]) -> tuple[_Logits, Tensor]:
    """Logits where they are wanted, and the memory of stem and tree [layers, 2, heads, columns, size]."""
    import torch
    from transformers.cache_utils import DynamicCache

    # The vocabulary's product is a quarter of a small model's work: only columns that are needed go through it.
    needed = sorted({column for one in wanted for path in one for column in path})
    tokens, positions, sees = tree.inputs()
    mask = torch.where(sees, 0.0, torch.finfo(model.dtype).min).to(model.dtype)
    cache = DynamicCache()
    for number, layer in enumerate(past if past is not None else ()):
        cache.update(layer[0][None], layer[1][None], number)
    out = model(
        input_ids=tokens.to(model.device),
        position_ids=positions.to(model.device),
        attention_mask=mask.to(model.device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=torch.tensor([column - tree.known for column in needed], device=model.device),
    )
    values = out.logits[0].float()
    memory = torch.stack([torch.stack([layer.keys[0], layer.values[0]]) for layer in cache.layers])
    return _Logits({column: at for at, column in enumerate(needed)}, values, values.logsumexp(-1)), memory


def _read(logits: _Logits, one: Asked, path: Sequence[int], tails: Sequence[Sequence[int]], memory: Tensor | None) -> Read:
    sums = []
    for answer, tail in zip(one.answers, tails, strict=True):
        rows = [logits.place[column] for column in (path[-1], *tail[:-1])]
        sums.append(float((logits.values[rows, list(answer)] - logits.totals[rows]).sum()))
    return Read(tuple(sums), int(logits.values[logits.place[path[-1]]].argmax()), memory)


# ---- one by one


def _alone(model: Any, one: Asked) -> Read:
    """The definition: a forward pass for each answer. For models that pass on more than attention does, or attend in a window."""
    import torch

    sums: list[float] = []
    likeliest = -1
    for answer in one.answers:
        tokens = torch.tensor([one.prompt + answer], device=model.device)
        logits = model(input_ids=tokens, use_cache=False, logits_to_keep=len(answer) + 1).logits[0].float()
        logs = logits[:-1].log_softmax(-1)
        sums.append(float(logs[range(len(answer)), list(answer)].sum()))
        likeliest = int(logits[0].argmax())
    return Read(tuple(sums), likeliest)
