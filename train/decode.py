"""Batched decoding whose replies do not depend on the batch: the same question gets the same reply, alone or among others.

A run that was killed and resumed must end with the same dataset, though other questions then share its batches. Sums of
floats depend on how a matrix product is cut up, which depends on its *shape*; so a request always passes through the same
shapes. Prompts are read in blocks of `BLOCK` tokens, `READ_ROWS` rows at a time; replies are written `ROWS` rows at a time,
in front of each a prompt room of a multiple of `ROOM` columns, of which the unused ones are masked. Missing rows are filled
with dummies. A block's keys and values depend on the tokens up to its end only, so a prefix that prompts share (instructions,
few-shot examples) is computed once and kept: the block cache of vLLM (arXiv 2309.06180), with results equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from harvest.store import FieldsmithError
from train.memory import BlockCache, Memory, use_grouped_attention

ROWS = 16
"""Replies written at once: on two cores a step of 16 rows takes 1.2 times as long as one of 4."""
READ_ROWS, BLOCK = 4, 32
ROOM = 256


@dataclass(frozen=True, slots=True)
class Ask:
    """What to continue: prompt token ids, how far, and how (temperature 0 is greedy)."""

    prompt: tuple[int, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The text without the stop string; `tokens` counts what was generated, an end token included."""

    text: str
    tokens: int
    finish: Literal["stop", "length"]


class Decoder:
    """A model ready to answer; it switches the model to an attention that handles grouped heads without copying them.

    Errors: `FieldsmithError` for architectures whose layers are not plain attention (state space, linear, capped logits).
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        config = model.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
        if not kinds <= {"full_attention", "sliding_attention"}:
            raise FieldsmithError(
                f"this model has {', '.join(sorted(kinds))} layers, which the built-in server cannot batch: serve it by vLLM"
            )
        # Within the window, sliding attention is full attention.
        windows = [config.sliding_window] if "sliding_attention" in kinds and config.sliding_window else []
        self.context = int(min([config.max_position_embeddings, *windows]))
        self._model, self._tokenizer, self._layers = model, tokenizer, config.num_hidden_layers
        self._ends = end_tokens(model, tokenizer)
        self._kept = BlockCache(BLOCK)
        use_grouped_attention(model)

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        """Replies in the order of the asks, which may be any number."""
        replies: dict[int, Reply] = {}
        for width in sorted({room(ask) for ask in asks}):
            which = [place for place, ask in enumerate(asks) if room(ask) == width]
            for start in range(0, len(which), ROWS):
                part = which[start : start + ROWS]
                replies |= dict(zip(part, self._together([asks[place] for place in part]), strict=True))
        return [replies[place] for place in range(len(asks))]

    def _together(self, asks: Sequence[Ask]) -> list[Reply]:
        replies: dict[int, Reply] = {}
        self.run(asks, replies.__setitem__)
        return [replies[place] for place in range(len(asks))]

    @torch.inference_mode()
    def run(self, asks: Sequence[Ask], done: Callable[[int, Reply], None], told: Callable[[int, int], bool] | None = None) -> None:
        """Answer at most `ROWS` asks of one `room`; `done(place, reply)` is called as each of them ends.

        `told(place, token)` is called for every token as it comes, and ends that reply by saying False.
        Every ask needs `1 <= len(prompt)` and `len(prompt) + max_tokens <= context`.
        """
        rows = [_Row(ask, self._tokenizer, self._ends) for ask in asks]
        memory = self._read([row.ask.prompt[:-1] for row in rows], room(asks[0]))
        step = _Step([row.ask.prompt for row in rows], room(asks[0]), self._model.device)
        while not all(row.reply for row in rows):
            logits = self._forward(step.tokens, step.positions, step.mask, memory)[:, -1].float().cpu()
            for place, row in enumerate(rows):
                if row.reply is None:
                    row.take(logits[place])
                    if told and not told(place, row.tokens[-1]) and row.reply is None:
                        row.reply = Reply("", len(row.tokens), "stop")
                    if row.reply is not None:
                        done(place, row.reply)
            step.advance([row.tokens[-1] for row in rows])

    def _forward(self, tokens: Tensor, positions: Tensor, mask: Tensor, memory: Cache) -> Tensor:
        out = self._model(
            input_ids=tokens, position_ids=positions, attention_mask=mask, past_key_values=memory, use_cache=True, logits_to_keep=1
        )
        logits: Tensor = out.logits
        return logits

    # ---- reading prompts

    def _read(self, prompts: Sequence[tuple[int, ...]], width: int) -> Cache:
        """Keys and values of the prompts, left-aligned in a room of `width` columns, one row each and dummies up to `ROWS`."""
        known: list[list[Tensor]] = [[] for _ in prompts]
        for index in range(max(map(_blocks, prompts))):
            wanted = {prompt[: (index + 1) * BLOCK]: row for row, prompt in enumerate(prompts) if _blocks(prompt) > index}
            found = {key: block for key in wanted if (block := self._kept.get(key)) is not None}
            missing = [key for key in wanted if key not in found]
            for start in range(0, len(missing), READ_ROWS):
                part = missing[start : start + READ_ROWS]
                found |= dict(zip(part, self._read_block(part, [known[wanted[key]] for key in part], index), strict=False))
            for row, prompt in enumerate(prompts):
                if _blocks(prompt) > index:
                    known[row].append(found[prompt[: (index + 1) * BLOCK]])
            for key, block in found.items():
                self._kept.put(key, block)
        return self._memory(known, width)

    def _read_block(self, keys: Sequence[tuple[int, ...]], before: Sequence[list[Tensor]], index: int) -> list[Tensor]:
        """Block `index` of at most `READ_ROWS` prompts -> [layers, 2, heads, BLOCK, size] each."""
        start, device = index * BLOCK, self._model.device
        tokens = torch.zeros((READ_ROWS, BLOCK), dtype=torch.long)
        for row, key in enumerate(keys):
            tokens[row, : len(key) - start] = torch.tensor(key[start:])
        positions = (start + torch.arange(BLOCK)).expand(READ_ROWS, BLOCK)
        # Causal alone: what pads the last block of a prompt comes after all that is real.
        mask = (torch.arange(start + BLOCK)[None] <= positions[0][:, None]).expand(READ_ROWS, 1, BLOCK, start + BLOCK)
        filled = [*before, *[before[0]] * (READ_ROWS - len(before))]
        memory = Memory(self._layers, [torch.cat(row, dim=3) if row else None for row in filled], BLOCK)
        self._forward(tokens.to(device), positions.to(device), mask.to(device), memory)
        return [memory.last(row, BLOCK) for row in range(len(keys))]

    def _memory(self, known: Sequence[list[Tensor]], width: int) -> Cache:
        rows: list[Tensor | None] = []
        for blocks in known:
            joined = torch.cat(blocks, dim=3) if blocks else None
            rows.append(None if joined is None else torch.nn.functional.pad(joined, (0, 0, 0, width - joined.shape[3])))
        some = next((row for row in rows if row is not None), None)
        empty = None if some is None else torch.zeros_like(some)
        return Memory(self._layers, [empty if row is None else row for row in [*rows, *[None] * (ROWS - len(rows))]], BLOCK)


def room(ask: Ask) -> int:
    """Columns reserved for the ask's prompt: asks of one room can share a batch (the last prompt token is written, not read)."""
    return -(-(len(ask.prompt) - 1) // ROOM) * ROOM


def _blocks(prompt: tuple[int, ...]) -> int:
    return -(-len(prompt) // BLOCK)


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens after which the model has said all: those of its generation settings, and its tokenizer's end of text."""
    named = model.generation_config.eos_token_id
    ends = named if isinstance(named, list) else [named]
    return frozenset(number for number in [*ends, tokenizer.eos_token_id] if number is not None)


# ---- one reply


@dataclass(slots=True)
class _Row:
    ask: Ask
    tokenizer: Any
    ends: frozenset[int]
    tokens: list[int] = field(default_factory=list)
    reply: Reply | None = None
    chance: torch.Generator = field(default_factory=torch.Generator)

    def __post_init__(self) -> None:
        self.chance.manual_seed(self.ask.seed)

    def take(self, logits: Tensor) -> Reply | None:
        """Choose the next token from logits [vocabulary]; the reply once it has ended."""
        self.tokens.append(self._choose(logits))
        ended = self.tokens[-1] in self.ends
        text = self.tokenizer.decode(self.tokens[:-1] if ended else self.tokens, skip_special_tokens=True)
        cuts = [at for stop in self.ask.stop if (at := text.find(stop)) >= 0]
        if ended or cuts:
            self.reply = Reply(text[: min(cuts, default=len(text))], len(self.tokens), "stop")
        elif len(self.tokens) >= self.ask.max_tokens:
            self.reply = Reply(text, len(self.tokens), "length")
        return self.reply

    def _choose(self, logits: Tensor) -> int:
        if self.ask.temperature == 0:
            return int(logits.argmax())
        return int(torch.multinomial((logits / self.ask.temperature).softmax(-1), 1, generator=self.chance))


class _Step:
    """The inputs of a decoding step: tokens and positions [ROWS, 1], mask [ROWS, 1, 1, columns]."""

    def __init__(self, prompts: Sequence[tuple[int, ...]], width: int, device: Any) -> None:
        filled = [*prompts, *[(0,)] * (ROWS - len(prompts))]
        lengths = torch.tensor([len(prompt) - 1 for prompt in filled])[:, None]
        self._device = device
        self.tokens = torch.tensor([[prompt[-1]] for prompt in filled], device=device)
        self.positions = lengths.to(device)
        own = torch.ones((ROWS, 1), dtype=torch.bool)
        self.mask = torch.cat([torch.arange(width)[None] < lengths, own], dim=1)[:, None, None].to(device)

    def advance(self, tokens: Sequence[int]) -> None:
        filled = [*tokens, *[0] * (ROWS - len(tokens))]
        self.tokens = torch.tensor(filled, device=self._device)[:, None]
        self.positions = self.positions + 1
        self.mask = torch.nn.functional.pad(self.mask, (0, 1), value=True)
