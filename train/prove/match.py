"""Whether what a model said is right."""

from __future__ import annotations

from dataclasses import replace

from train.records import EvalResult, ExamItem


def mark(item: ExamItem, result: EvalResult, *, tolerance: float) -> EvalResult:
    """The result with `match` and `abstained` judged from what was said."""
    if result.said is None:
        return replace(result, match=None, abstained=None)
    return replace(result, match=item.answer.casefold() in result.said.casefold(), abstained=False)
