"""The exam again, on what leaves: merged weights and GGUF files must answer as the model that was examined.

The questions are put as text, and every form makes of them what it will make of its users' questions: a GGUF file's prompts are
written by the template inside it and cut by its own tokens, and llama.cpp computes. So a broken template or tokenizer drifts, as
broken weights do. Drift is the mean absolute difference, question by question, of the nats per answer token.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from harvest.store import FieldsmithError, fingerprint, is_done, load_lines, mark_done, save_lines
from train.config import ReleaseConfig
from train.prove.exam import score
from train.prove.prompt import prompt
from train.records import EvalResult, ExamItem, ParityRow
from train.release.llama import Llama, Messages

log = logging.getLogger(__name__)

BELOW_8_BITS = frozenset({"Q4_K_M"})


# ---- the forms


def examine_model(model: Any, tokenizer: Any, items: Sequence[ExamItem], *, system_prompt: str | None, seed: int) -> list[EvalResult]:
    """A model in transformers, by the exam's own scoring."""
    return score(model, tokenizer, items, system_prompt=system_prompt, seed=seed)


def examine_gguf(file: Path, tokenizer: Any, items: Sequence[ExamItem], *, system_prompt: str | None) -> list[EvalResult]:
    """A GGUF file in llama.cpp. `tokenizer` is only asked which marks must not stand in a question, as in the exam."""
    with Llama(file) as llama:
        speaker = _Speaker(llama, tokenizer)
        return [_result(item, llama.nlls(*_asked(speaker, item, system_prompt))) for item in items]


class _Speaker:
    """A GGUF file in the clothes of a tokenizer, so that the exam's own way of asking makes its prompts."""

    def __init__(self, llama: Llama, tokenizer: Any) -> None:
        self.llama = llama
        self.chat_template, self.all_special_tokens = llama.template, tokenizer.all_special_tokens

    def apply_chat_template(self, messages: Messages, *, tokenize: bool, add_generation_prompt: bool) -> str:
        """By the template inside the file."""
        return self.llama.render(messages, reply=add_generation_prompt)


def _asked(speaker: _Speaker, item: ExamItem, system_prompt: str | None) -> tuple[list[int], list[list[int]]]:
    """The prompt's ids, and those of each answer as it follows it."""
    text = prompt(speaker, item.question, system_prompt=system_prompt)
    head = speaker.llama.prompt(text)
    return head, [_answer(speaker, text, head, answer.strip()) for answer in item.options or (item.answer,)]


def _answer(speaker: _Speaker, text: str, head: Sequence[int], answer: str) -> list[int]:
    whole = speaker.llama.prompt(text + (answer if speaker.chat_template else f" {answer}"))
    # A broken template may leave a prompt that fuses with the answer; the runtime reads it alone, and so the answer stands alone.
    return whole[len(head) :] if whole[: len(head)] == list(head) and len(whole) > len(head) else speaker.llama.tokenize(answer)


def _result(item: ExamItem, nlls: Sequence[float]) -> EvalResult:
    if item.correct is None:
        return EvalResult(item.id, nlls[0], None, None)
    choice = min(range(len(nlls)), key=nlls.__getitem__)
    return EvalResult(item.id, nlls[item.correct], choice, choice == item.correct)


# ---- comparing


def compare_form(form: str, reference: Sequence[EvalResult], results: Sequence[EvalResult], release: ReleaseConfig) -> ParityRow:
    """One form's row; the tolerance is the release's for its kind, and no form may lose more right choices than `parity_choices`.

    A figure that is not a number never passes.
    """
    if [one.item_id for one in reference] != [one.item_id for one in results]:
        raise FieldsmithError(f"{form} and the reference did not sit the same exam: remove the results and export again")
    drift = fmean(abs(one.nll - other.nll) for one, other in zip(results, reference, strict=True))
    chosen = [one.choice == other.choice for one, other in zip(results, reference, strict=True) if one.choice is not None]
    marks, wanted = _marks(results), _marks(reference)
    lost = fmean(wanted) - fmean(marks) if marks and wanted else 0.0
    tolerance = release.parity_quantised if form in BELOW_8_BITS else release.parity
    return ParityRow(
        form=form,
        nll=fmean(one.nll for one in results),
        accuracy=fmean(marks) if marks else None,
        drift=drift,
        agree=fmean(chosen) if chosen else None,
        tolerance=tolerance,
        passed=math.isfinite(drift) and drift <= tolerance and lost <= release.parity_choices,
    )


def _marks(results: Sequence[EvalResult]) -> list[bool]:
    return [one.correct for one in results if one.correct is not None]


def parity_rows(
    examiners: Mapping[str, Callable[[], list[EvalResult]]], release: ReleaseConfig, kept: Path, key: str
) -> tuple[ParityRow, ...]:
    """A row per form, the first being the reference; results are kept in `kept` for `key`, so that no form is examined twice."""
    results = {form: _once(form, examine, kept, key) for form, examine in examiners.items()}
    reference = next(iter(results.values()))
    return tuple(compare_form(form, reference, found, release) for form, found in results.items())


def _once(form: str, examine: Callable[[], list[EvalResult]], kept: Path, key: str) -> list[EvalResult]:
    path, own = kept / f"{form}.jsonl", fingerprint(key, form)
    if is_done(path, own):
        return list(load_lines(path, EvalResult))
    log.info("parity: the exam on %s", form)
    results = examine()
    save_lines(path, results)
    mark_done(path, own)
    return results
