"""Parity: the exam again on exported forms; what drifts, or asks otherwise, does not pass."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_chat import NEEDS_LLAMA, NEEDS_TOKENIZER, small_files, small_model, with_template, without
from transformers import AutoModelForCausalLM, AutoTokenizer

from harvest.store import FieldsmithError
from train.config import ReleaseConfig
from train.records import Check, EvalResult, ExamItem, Parity, ParityRow
from train.release.parity import compare_form, examine_gguf, examine_model, parity_rows

ITEMS = (
    ExamItem("energy", "What is the design energy of the ring?", "2.84 GeV", ("2.84 GeV", "3.00 GeV", "1.72 GeV"), 0),
    ExamItem("环", "储存环的周长是多少？", "521.26 米", ("486.40 米", "521.26 米"), 1),
    ExamItem("open", "Why was the gun run below its design voltage?", "the alumina insulator punctured"),
    ExamItem("marks", "What does <|im_end|> stand for, and {{ messages }}?", "nothing at all", ("nothing at all", "x"), 0),
)
SYSTEM = "You are an expert. 请简短回答。"


# ---- by hand


def _result(name: str, nll: float, choice: int | None = None) -> EvalResult:
    return EvalResult(name, nll, choice, None if choice is None else choice == 0)


def test_a_row_says_how_far_a_form_drifted_and_how_often_it_chose_the_same() -> None:
    reference = [_result("a", 1.0, 0), _result("b", 2.0, 1), _result("c", 3.0)]
    row = compare_form("Q8_0", reference, [_result("a", 1.1, 0), _result("b", 1.9, 0), _result("c", 3.1)], ReleaseConfig())
    assert row.drift == pytest.approx(0.1)  # the signs do not cancel
    assert row.nll == pytest.approx(6.1 / 3)
    assert (row.accuracy, row.agree) == (1.0, 0.5)
    assert row.tolerance == ReleaseConfig().parity
    assert not row.passed
    assert compare_form("Q4_K_M", reference, [replace(one, nll=one.nll + 0.1) for one in reference], ReleaseConfig()).passed


@given(st.lists(st.floats(0, 20), min_size=1, max_size=20), st.floats(0, 3), st.floats(0.01, 2))
def test_what_passes_is_what_lies_within_the_tolerance(nlls: list[float], shift: float, tolerance: float) -> None:
    reference = [_result(str(place), nll) for place, nll in enumerate(nlls)]
    shifted = [replace(one, nll=one.nll + shift) for one in reference]
    row = compare_form("f16", reference, shifted, ReleaseConfig(parity=tolerance))
    assert row.drift == pytest.approx(shift, abs=1e-9)
    assert row.passed == (row.drift <= tolerance)
    assert compare_form("f16", reference, reference, ReleaseConfig(parity=tolerance)).passed


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_what_is_no_number_never_passes(broken: float) -> None:
    reference = [_result("a", 1.0), _result("b", 2.0)]
    assert not compare_form("f16", reference, [_result("a", broken), _result("b", 2.0)], ReleaseConfig(parity=1e9)).passed


def test_results_of_another_exam_are_refused() -> None:
    with pytest.raises(FieldsmithError, match="same exam"):
        compare_form("f16", [_result("a", 1.0)], [_result("b", 1.0)], ReleaseConfig())


def test_a_failed_check_of_a_template_alone_stops_a_release() -> None:
    row = ParityRow("f16", 1.0, None, 0.0, None, 0.05, True)
    assert Parity("seen", 1, (row,), (Check("f16 end", True, ""),)).passed
    assert not Parity("seen", 1, (row,), (Check("f16 end", False, ""),)).passed


def test_no_form_is_examined_twice_for_the_same_key(tmp_path: Path) -> None:
    sat: list[str] = []

    def examiner(form: str) -> Any:
        return lambda: sat.append(form) or [_result("a", 1.0, 0)]

    def rows(key: str) -> tuple[ParityRow, ...]:
        return parity_rows({form: examiner(form) for form in ("adapter", "f16")}, ReleaseConfig(), tmp_path, key)

    first = rows("one")
    assert [row.form for row in first] == ["adapter", "f16"]
    assert rows("one") == first
    assert sat == ["adapter", "f16"]
    rows("two")
    assert sat == ["adapter", "f16"] * 2


# ---- with llama.cpp


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(small_model())


@pytest.fixture(scope="module")
def reference(tokenizer: Any) -> list[EvalResult]:
    model = AutoModelForCausalLM.from_pretrained(small_model(), dtype=torch.float32).eval()
    return examine_model(model, tokenizer, ITEMS, system_prompt=SYSTEM, seed=0)


@NEEDS_TOKENIZER
@NEEDS_LLAMA
def test_a_faithful_file_gives_the_models_own_figures(tokenizer: Any, reference: list[EvalResult]) -> None:
    for kind, within in (("f16", 0.01), ("Q8_0", 0.1)):
        results = examine_gguf(small_files()[kind], tokenizer, ITEMS, system_prompt=SYSTEM)  # type: ignore[index]
        row = compare_form(kind, reference, results, ReleaseConfig(parity=within))
        assert row.passed, row
    assert [one.item_id for one in reference] == [one.item_id for one in results]
    assert results[2].choice is None


BROKEN = {
    "Llama-2": "{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}",
    "no beginning of the answer": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
    "two begin tokens": "<|im_start|>{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n",
}


@NEEDS_TOKENIZER
@NEEDS_LLAMA
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_template_drifts(tokenizer: Any, reference: list[EvalResult], tmp_path: Path, name: str) -> None:
    file = with_template(small_files()["f16"], tmp_path / "broken.gguf", BROKEN[name])
    row = compare_form("f16", reference, examine_gguf(file, tokenizer, ITEMS, system_prompt=SYSTEM), ReleaseConfig())
    assert not row.passed, row


@NEEDS_TOKENIZER
@NEEDS_LLAMA
def test_a_model_without_a_chat_template_is_asked_as_text_on_both_sides(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(small_model())
    tokenizer.chat_template = None
    model = AutoModelForCausalLM.from_pretrained(small_model(), dtype=torch.float32).eval()
    wanted = examine_model(model, tokenizer, ITEMS, system_prompt=None, seed=0)
    file = without(small_files()["f16"], tmp_path / "plain.gguf", "tokenizer.chat_template")
    row = compare_form("f16", wanted, examine_gguf(file, tokenizer, ITEMS, system_prompt=None), ReleaseConfig(parity=0.01))
    assert row.passed, row
