"""An exam: its questions, and what a model gives to the right answers.

`nll`: the mean negative log-likelihood of the tokens of the open answer, in nats, after the question
as the model's own chat template puts it (`train.prove.prompt`); nothing but the answer's tokens counts. `choice`: the option with the
lowest such figure, the usual length-normalised choice by likelihood (`acc_norm` of lm-evaluation-harness, there by characters, here by the
tokens that training counts too). It asks nothing of a model's obedience: no letter is to be written, no text to be parsed,
and it needs no calibration to be fair to two models that are compared on the same options. A model that does not read the question
prefers some options to others, but on an exam whose options are right equally often it scores at chance.

`probabilities`: the softmax of minus these very figures. The sums over tokens would be the model's own probabilities of the strings, but
those favour short options and often contradict the choice; a confidence is worth calibrating only if it is that of the choice made.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harvest.store import FieldsmithError
from train.prove.prompt import answer_tokens, prompt, tokens
from train.prove.reader import AT_ONCE, Asked, read
from train.prove.writer import write
from train.records import EvalResult, ExamItem, Passage

SAME = 1e-5
"""Options whose figures differ by less are tied: batches alone move a figure by up to 1e-5."""


# ---- reading


def read_exam(path: Path) -> list[ExamItem]:
    """The questions of a JSONL exam, other fields ignored; a bad line is a `FieldsmithError` naming file and line."""
    if not path.is_file():
        raise FieldsmithError(f"there is no exam {path}: build the dataset first, or name the file of an exam")
    items: dict[str, ExamItem] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                item = _item(line, f"{path}, line {number}")
                if item.id in items:
                    raise FieldsmithError(f"{path}, line {number}: the id {item.id!r} is used twice")
                items[item.id] = item
    return list(items.values())


def _item(line: str, where: str) -> ExamItem:
    try:
        item = TypeAdapter(ExamItem).validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        raise FieldsmithError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if not item.question.strip() or not item.answer.strip():
        raise FieldsmithError(f"{where}: question and answer must not be empty")
    if not item.options:
        return replace(item, correct=None)
    if item.correct is None or not 0 <= item.correct < len(item.options) or item.options[item.correct] != item.answer:
        raise FieldsmithError(f"{where}: correct must be the place (from 0) of the answer among the options")
    if len(item.options) < 2 or len(set(item.options)) < len(item.options) or not all(map(str.strip, item.options)):
        raise FieldsmithError(f"{where}: a choice needs at least two options, different and not empty")
    return item


# ---- scoring


def score(
    model: Any,
    tokenizer: Any,
    items: Sequence[ExamItem],
    *,
    system_prompt: str | None = None,
    seed: int = 0,
    passages: Sequence[Sequence[Passage]] | None = None,
    max_new_tokens: int | None = None,
    batch_tokens: int = AT_ONCE,
) -> list[EvalResult]:
    """One result per item, in the order of the items.

    `passages` are shown before the questions, some for each item; with `max_new_tokens` the model also answers freely, greedily, so
    many tokens at most (`said`; whether that is right is not judged here). `batch_tokens` bounds what is computed at once; results do not
    depend on it by more than 1e-4. `seed` decides between options that a model likes equally. With free answers the memory of
    all prompts is held at once: give no more items than fit.
    """
    shown = passages if passages is not None else [()] * len(items)
    asked = [ask(tokenizer, item, system_prompt, found) for item, found in zip(items, shown, strict=True)]
    reads = read(model, asked, keep=max_new_tokens is not None, at_once=batch_tokens)
    said: Sequence[str | None] = [None] * len(items)
    if max_new_tokens is not None:
        said = write(model, tokenizer, asked, reads, limit=max_new_tokens)
    results = []
    for item, found, one, what, text in zip(items, shown, asked, reads, said, strict=True):
        nlls = [-total / len(answer) for total, answer in zip(what.sums, one.answers, strict=True)]
        results.append(replace(_result(item, nlls, seed), said=text, passages=tuple(passage.id for passage in found)))
    return results


def ask(tokenizer: Any, item: ExamItem, system_prompt: str | None, passages: Sequence[Passage] = ()) -> Asked:
    """The tokens of a question's prompt and of its options, or of its answer if it has none."""
    text = prompt(tokenizer, item.question, system_prompt=system_prompt, passages=passages)
    try:
        answers = tuple(answer_tokens(tokenizer, text, answer) for answer in item.options or (item.answer,))
    except FieldsmithError as error:
        raise FieldsmithError(f"exam question {item.id}: {error}") from error
    return Asked(tokens(tokenizer, text), answers)


def _result(item: ExamItem, nlls: Sequence[float], seed: int) -> EvalResult:
    if not item.options or item.correct is None:
        return EvalResult(item.id, nlls[0], None, None)
    best = min(nlls)
    tied = [place for place, nll in enumerate(nlls) if nll <= best + SAME]
    lot = int.from_bytes(hashlib.sha256(f"{seed}:{item.id}".encode()).digest()[:8], "big")
    choice = tied[lot % len(tied)]
    weights = [math.exp(best - nll) for nll in nlls]
    shares = tuple(weight / sum(weights) for weight in weights)
    margin = best - nlls[item.correct] - math.log(sum(weights))
    return EvalResult(item.id, nlls[item.correct], choice, choice == item.correct, shares, margin=margin)
