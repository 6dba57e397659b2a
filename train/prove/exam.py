"""An exam: what a model gives to the right answers, before and after training.

Two figures a question. `nll`: the mean negative log-likelihood of the tokens of the open answer, in nats, after the question
as the model's own chat template puts it; nothing but the answer's tokens counts. `choice`: the option with the lowest such
figure, the usual length-normalised choice by likelihood (`acc_norm` of lm-evaluation-harness, there by bytes, here by the
tokens that training counts too). It asks nothing of a model's obedience: no letter is to be written, no text to be parsed,
and it needs no calibration to be fair to two models that are compared on the same options. A model that does not read the question
prefers some options to others, but on an exam whose options are right equally often it scores at chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from harvest.store import FieldsmithError
from train.prove.statistics import paired_bootstrap
from train.records import EvalResult, ExamItem

if TYPE_CHECKING:
    from torch import Tensor

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


@dataclass(frozen=True, slots=True)
class _Row:
    """A question's tokens and the tokens of each answer that may follow; `item` and `first` say whose they are."""

    item: int
    first: int
    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.prompt) + sum(map(len, self.answers))


def score(
    model: Any, tokenizer: Any, items: Sequence[ExamItem], *, system_prompt: str | None = None, seed: int = 0, batch_tokens: int = 1024
) -> list[EvalResult]:
    """One result per item, in the order of the items; `batch_tokens` bounds rows times columns of a batch.

    Results do not depend on the batches by more than 1e-4. `seed` decides between options that a model likes equally.
    """
    rows = [_row(tokenizer, number, item, system_prompt) for number, item in enumerate(items)]
    start = None
    if _can_branch(model, max(map(len, rows), default=0)):
        start = _common_start(model, rows)
    else:
        rows = [replace(row, first=place, answers=(answer,)) for row in rows for place, answer in enumerate(row.answers)]
    figures: list[dict[int, float]] = [{} for _ in items]
    for batch in _batches(rows, batch_tokens):
        for row, values in zip(batch, _nlls(model, batch, start), strict=True):
            figures[row.item] |= {row.first + place: value for place, value in enumerate(values)}
    return [_result(item, [found[place] for place in sorted(found)], seed) for item, found in zip(items, figures, strict=True)]


def _row(tokenizer: Any, number: int, item: ExamItem, system_prompt: str | None) -> _Row:
    prompt = _prompt(tokenizer, item.question, system_prompt)
    special = tokenizer.chat_template is None  # a template writes the begin token itself
    head = tokenizer(prompt, add_special_tokens=special).input_ids
    answers = []
    for answer in item.options or (item.answer,):
        whole = tokenizer(prompt + (" " if special else "") + answer.strip(), add_special_tokens=special).input_ids
        if whole[: len(head)] != head or len(whole) == len(head):
            raise FieldsmithError(f"exam question {item.id}: the answer {answer!r} cannot be told from its question in this model's tokens")
        answers.append(tuple(whole[len(head) :]))
    return _Row(number, 0, tuple(head), tuple(answers))


def _prompt(tokenizer: Any, question: str, system_prompt: str | None) -> str:
    if tokenizer.chat_template is None:
        return f"{system_prompt}\n\n" * bool(system_prompt) + f"Question: {question.strip()}\nAnswer:"
    messages = [{"role": "system", "content": system_prompt}] if system_prompt else []
    messages.append({"role": "user", "content": question})
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _can_branch(model: Any, columns: int) -> bool:
    """Whether all answers of a question can share one row: only where nothing but masked attention connects tokens."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = config.sliding_window if "sliding_attention" in kinds else None
    return kinds <= {"full_attention", "sliding_attention"} and (window is None or columns <= window)


def _batches(rows: Iterable[_Row], batch_tokens: int) -> Iterator[list[_Row]]:
    batch: list[_Row] = []
    for row in sorted(rows, key=len):
        if batch and len(row) * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _common_start(model: Any, rows: Sequence[_Row]) -> Any:
    """Keys and values of the tokens with which all questions begin (template, system prompt), computed once; None where there are none.

    A question's last token is never among them: what it foretells is wanted.
    """
    import torch

    if not rows:
        return None
    first, last = min(row.prompt[:-1] for row in rows), max(row.prompt[:-1] for row in rows)  # all others begin with what these share
    common = list(takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    if not common:
        return None
    with torch.inference_mode():
        tokens = torch.tensor([[token for token, _ in common]], device=model.device)
        return model(input_ids=tokens, use_cache=True, logits_to_keep=1).past_key_values


def _nlls(model: Any, batch: Sequence[_Row], start: Any) -> list[list[float]]:
    """Mean nll of every answer of every row, from one forward pass over rows padded on the right."""
    import torch

    tokens, positions, mask, sources = _inputs(batch, model.dtype, start.get_seq_length() if start else 0)
    # The vocabulary's product is a quarter of a small model's work: only columns that some row needs go through it.
    needed = torch.tensor(sorted({column for row in sources for answer in row for column in answer}))
    place = {column: at for at, column in enumerate(needed.tolist())}
    with torch.inference_mode():
        logits = model(
            input_ids=tokens.to(model.device),
            position_ids=positions.to(model.device),
            attention_mask=mask.to(model.device) if mask is not None else None,
            logits_to_keep=needed.to(model.device),
            past_key_values=_repeated(start, len(batch)) if start else None,
            use_cache=start is not None,
        ).logits
        return [
            [
                _mean_nll(logits[number, [place[column] for column in columns]], answer)
                for columns, answer in zip(row, its.answers, strict=True)
            ]
            for number, (row, its) in enumerate(zip(sources, batch, strict=True))
        ]


def _repeated(start: Any, rows: int) -> Any:
    from transformers.cache_utils import DynamicCache

    repeated = DynamicCache()
    for number, layer in enumerate(start.layers):
        repeated.update(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), number)
    return repeated


def _mean_nll(logits: Tensor, answer: Sequence[int]) -> float:
    """Logits [tokens, vocabulary] before each token of the answer -> mean nll in nats."""
    import torch

    return float(torch.nn.functional.cross_entropy(logits.float(), torch.tensor(answer, device=logits.device)))


def _inputs(batch: Sequence[_Row], dtype: Any, known: int) -> tuple[Tensor, Tensor, Tensor | None, list[list[list[int]]]]:
    """Tokens and positions [rows, columns], the mask, and for each answer the columns whose logits foretell its tokens.

    The answers of a question stand one after the other; each begins at the position after the question and sees the
    question and itself only, so that the question is computed once. The first `known` columns are left out of all but the mask.
    Rows of one answer need no mask where nothing is left out: padding comes last.
    """
    import torch

    columns = max(map(len, batch))
    tokens, positions = torch.zeros((len(batch), columns), dtype=torch.long), torch.zeros((len(batch), columns), dtype=torch.long)
    branch = torch.full((len(batch), columns), -1)  # 0 the question, 1, 2, ... its answers, -1 padding
    sources: list[list[list[int]]] = []
    for number, row in enumerate(batch):
        end = len(row.prompt)
        tokens[number, :end], positions[number, :end], branch[number, :end] = torch.tensor(row.prompt), torch.arange(end), 0
        sources.append([])
        for which, answer in enumerate(row.answers, 1):
            begin, end = end, end + len(answer)
            tokens[number, begin:end], branch[number, begin:end] = torch.tensor(answer), which
            positions[number, begin:end] = len(row.prompt) + torch.arange(len(answer))
            sources[-1].append([column - known for column in (len(row.prompt) - 1, *range(begin, end - 1))])
    if not known and all(len(row.answers) == 1 for row in batch):
        return tokens, positions, None, sources
    before = torch.ones((columns, columns), dtype=torch.bool).tril()
    sees = before & ((branch[:, None, :] == 0) | (branch[:, :, None] == branch[:, None, :]))
    mask = torch.where(sees, 0.0, torch.finfo(dtype).min).to(dtype)[:, None, known:]
    return tokens[:, known:], positions[:, known:], mask, sources


def _result(item: ExamItem, figures: Sequence[float], seed: int) -> EvalResult:
    if not item.options or item.correct is None:
        return EvalResult(item.id, figures[0], None, None)
    tied = [place for place, figure in enumerate(figures) if figure <= min(figures) + SAME]
    lot = int.from_bytes(hashlib.sha256(f"{seed}:{item.id}".encode()).digest()[:8], "big")
    choice = tied[lot % len(tied)]
    return EvalResult(item.id, figures[item.correct], choice, choice == item.correct)


# ---- comparing


def examine(base: Sequence[EvalResult], tuned: Sequence[EvalResult], seed: int) -> dict[str, Any]:
    """`{"n", "base": {"nll", "accuracy"}, "tuned": {...}, "gain": {"nll": {"value", "ci95"}, "accuracy": {...}}}`.

    A positive gain means better (nll: base - tuned; accuracy: tuned - base). None stands for a figure without questions
    (accuracy where no item is a choice) and for a gain of fewer than two, which has no interval.
    """
    if [result.item_id for result in base] != [result.item_id for result in tuned]:
        raise FieldsmithError("the results of the base and the tuned model are not of the same questions: score both on one exam again")
    return {
        "n": len(base),
        "base": _means(base),
        "tuned": _means(tuned),
        "gain": {
            "nll": _gain([-result.nll for result in base], [-result.nll for result in tuned], seed),
            "accuracy": _gain(_marks(base), _marks(tuned), seed),
        },
    }


def _marks(results: Iterable[EvalResult]) -> list[float]:
    return [float(result.correct) for result in results if result.correct is not None]


def _means(results: Sequence[EvalResult]) -> dict[str, float | None]:
    marks = _marks(results)
    return {"nll": fmean(result.nll for result in results) if results else None, "accuracy": fmean(marks) if marks else None}


def _gain(base: Sequence[float], tuned: Sequence[float], seed: int) -> dict[str, Any] | None:
    if len(base) < 2:
        return None
    estimate = paired_bootstrap(base, tuned, seed=seed)
    return {"value": estimate.value, "ci95": list(estimate.ci95)}
