"""Free answers, written greedily by many questions at once from the memory of prompts that were read already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from train.prove.reader import Asked, Read

if TYPE_CHECKING:
    from torch import Tensor

    from train.memory import Memory


def write(model: Any, tokenizer: Any, asked: Sequence[Asked], reads: Sequence[Read], *, limit: int) -> list[str]:
    """What the model says after each prompt: its likeliest tokens up to an end token, or `limit` of them.

    A model without a chat template knows no end of an answer: what it says is its first line.
    """
    import torch

    from train.decode import end_tokens

    ends = end_tokens(model, tokenizer)
    with torch.inference_mode():
        if all(one.memory is not None for one in reads):
            written = _together(model, [one.next for one in reads], [one.memory for one in reads if one.memory is not None], limit, ends)
        else:
            written = [_alone(model, one.prompt, limit, ends) for one in asked]
    return [_text(tokenizer, tokens) for tokens in written]


def _text(tokenizer: Any, tokens: Sequence[int]) -> str:
    text = str(tokenizer.decode(tokens, skip_special_tokens=True)).strip()
    return text if tokenizer.chat_template is not None else text.partition("\n")[0].strip()


def _together(model: Any, first: Sequence[int], memories: Sequence[Tensor], limit: int, ends: frozenset[int]) -> list[list[int]]:
    written = [[token] for token in first]
    going = [place for place, token in enumerate(first) if token not in ends and limit > 1]
    rows = _Rows(model, [memories[place] for place in going], limit) if going else None
    held = list(going)  # the rows that are computed, some of which may have ended
    while rows is not None and going:
        logits = rows.step([written[place][-1] for place in held])
        for place, token in zip(held, logits.argmax(-1).tolist(), strict=True):
            if place in going:
                written[place].append(token)
        going = [place for place in going if written[place][-1] not in ends and len(written[place]) < limit]
        if going and len(going) <= len(held) * 3 // 4:
            rows.keep([held.index(place) for place in going])
            held = list(going)
    return [tokens[:-1] if tokens[-1] in ends else tokens for tokens in written]


class _Rows:
    """Prompts' memories side by side, left-aligned, and what has been written after them."""

    def __init__(self, model: Any, memories: Sequence[Tensor], limit: int) -> None:
        import torch

        from train.memory import Memory

        self._model = model
        lengths = [memory.shape[3] for memory in memories]
        width = max(lengths)
        padded = [torch.nn.functional.pad(memory, (0, 0, 0, width - memory.shape[3])) for memory in memories]
        self._memory: Memory = Memory(len(memories[0]), padded, limit)
        self._positions = torch.tensor(lengths, device=model.device)[:, None]
        hidden = torch.arange(width)[None] >= torch.tensor(lengths)[:, None]
        self._mask = torch.zeros(hidden.shape, dtype=model.dtype).masked_fill(hidden, torch.finfo(model.dtype).min).to(model.device)

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Logits [rows, vocabulary] after one more token in each row."""
        import torch

        self._mask = torch.nn.functional.pad(self._mask, (0, 1))
        logits: Tensor = self._model(
            input_ids=torch.tensor(tokens, device=self._model.device)[:, None],
            position_ids=self._positions,
            attention_mask=self._mask[:, None, None],
            past_key_values=self._memory,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        self._positions = self._positions + 1
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only."""
        self._memory.keep(rows)
        self._positions, self._mask = self._positions[list(rows)], self._mask[list(rows)]


def _alone(model: Any, prompt: Sequence[int], limit: int, ends: frozenset[int]) -> list[int]:
    """By transformers' own generation, for models whose memory is not of keys and values alone."""
    import torch

    tokens = torch.tensor([list(prompt)], device=model.device)
    settings = {"do_sample": False, "max_new_tokens": limit, "eos_token_id": sorted(ends), "pad_token_id": min(ends, default=0)}
    out = model.generate(tokens, attention_mask=torch.ones_like(tokens), **settings)[0, tokens.shape[1] :].tolist()
    return out[:-1] if out and out[-1] in ends else list(out)
