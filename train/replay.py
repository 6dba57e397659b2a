"""General data against forgetting: a share of a stage's tokens that is not of the field.

What a model could do before fades while it learns a field; a few per cent of general chats (or texts) among the new rows keep it
(experience replay; for language models see "Simple and Scalable Strategies to Continually Pre-train Large Language Models", arXiv
2403.08763). Which entries are drawn follows from the seed; they keep their own turns and system messages, and the loss falls on
their answers only.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harvest.store import FieldsmithError, UsageError
from train.config import ReplayConfig
from train.data import Prepared, Row, in_blocks, prepare_pairs, text_tokens
from train.entries import Entry, read_entries
from train.layouts import conversation, text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Share:
    """What is to be drawn: how many tokens, of which kind of rows, of which length, by which seed."""

    kind: Literal["cpt", "sft"]
    tokens: int
    max_length: int
    seed: int


def with_replay(
    own: Prepared, replay: ReplayConfig, kind: Literal["cpt", "sft"], tokenizer: Any, *, max_length: int, seed: int
) -> Prepared:
    """The stage's rows with general ones spread evenly among them, which make up `replay.fraction` of all tokens.

    Errors: `FieldsmithError` where the data cannot be had or holds too few tokens.
    """
    wanted = math.ceil(own.tokens * replay.fraction / (1 - replay.fraction))
    drawn = _draw(replay, tokenizer, Share(kind, wanted, max_length, seed))
    log.info("%s: %d rows with %d tokens of general data are learnt too", called(replay), len(drawn.rows), drawn.tokens)
    return replace(
        own,
        rows=_spread(own.rows, drawn.rows),
        truncated=own.truncated + drawn.truncated,
        replayed=len(drawn.rows),
        replayed_tokens=drawn.tokens,
    )


def called(replay: ReplayConfig) -> str:
    """Where general data comes from, in a word."""
    return str(replay.path or replay.hub)


def _spread(own: Sequence[Row], general: Sequence[Row]) -> tuple[Row, ...]:
    """Both in their order, evenly mixed."""
    placed = [((at + 0.5) / len(rows), row) for rows in (own, general) for at, row in enumerate(rows)]
    return tuple(row for _, row in sorted(placed, key=lambda one: one[0]))


# ---- drawing


def _draw(replay: ReplayConfig, tokenizer: Any, share: Share) -> Prepared:
    draws = _Draws(replay, share.seed)
    found = _texts(draws, tokenizer, share) if share.kind == "cpt" else _chats(draws, tokenizer, share)
    if found.tokens < min(share.tokens, 2):
        raise FieldsmithError(f"{called(replay)} holds nothing to replay{draws.why()}")
    if found.tokens < share.tokens:
        raise FieldsmithError(
            f"{called(replay)} holds {found.tokens} tokens that can be replayed{draws.why()}, and a fraction of {replay.fraction} of this "
            f"stage takes {share.tokens}: give more general data or a smaller fraction"
        )
    return found


def _chats(draws: _Draws, tokenizer: Any, share: Share) -> Prepared:
    rows: list[Row] = []
    held = truncated = 0
    for entry in draws:
        if held >= share.tokens:
            break
        try:
            one = prepare_pairs(tokenizer, [conversation(entry.data, entry.name, entry.where)], max_length=share.max_length)
        except FieldsmithError as error:
            draws.pass_over(str(error))
            continue
        rows += one.rows
        held, truncated = held + one.tokens, truncated + one.truncated
    return Prepared(tuple(rows), truncated)


def _texts(draws: _Draws, tokenizer: Any, share: Share) -> Prepared:
    stream: list[int] = []
    for entry in draws:
        if len(stream) >= share.tokens:
            break
        try:
            one = text(entry.data, entry.name, entry.where)
        except FieldsmithError as error:
            draws.pass_over(str(error))
            continue
        stream += text_tokens(tokenizer, one.text)
    wanted = max(share.tokens, 2)  # a single token predicts nothing
    return in_blocks(stream[: wanted + (wanted % share.max_length == 1)], share.max_length)


class _Draws:
    """The entries of a source in an order that follows from the seed; the data is of others, so bad ones are passed over and counted."""

    def __init__(self, replay: ReplayConfig, seed: int) -> None:
        self.source = _hub(replay) if replay.hub else list(read_entries(replay.path)) if replay.path else []
        self.order = list(range(len(self.source)))
        random.Random(f"replay {seed}").shuffle(self.order)  # noqa: S311
        self.bad = 0
        self.first = ""

    def __iter__(self) -> Iterator[Entry]:
        for place in self.order:
            found = self.source[place]
            yield found if isinstance(found, Entry) else Entry(f"row {place + 1}", f"row {place + 1}", found)

    def pass_over(self, why: str) -> None:
        """Count an entry that cannot be used, and keep the first reason."""
        self.bad += 1
        self.first = self.first or why

    def why(self) -> str:
        """What was passed over, to go into a sentence."""
        return f" ({self.bad} entries cannot be used; {self.first})" if self.bad else ""


def _hub(replay: ReplayConfig) -> Any:
    """Rows of a data set of the hub by number; downloaded once, into the cache of `datasets`."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    try:
        return load_dataset(replay.hub, split=replay.split)
    except DatasetNotFoundError as error:
        raise UsageError(f"there is no data set {replay.hub} on the hub, or it is not open to you: correct replay.hub") from error
    except ValueError as error:  # a split or configuration that is not there; the message names the valid ones
        raise UsageError(f"replay: the data set {replay.hub}: {_one_line(error)}") from error
    except OSError as error:  # no network, and not in the cache
        raise FieldsmithError(
            f"the data set {replay.hub} cannot be had: {_one_line(error)}; run again when the hub can be reached, or give replay.path"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
