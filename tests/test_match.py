from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from train.prove.abstention import abstains
from train.prove.match import mark, matches
from train.prove.numerals import han
from train.prove.quantities import find
from train.prove.units import convert, unit_at
from train.records import EvalResult, ExamItem

LABELLED = Path(__file__).parents[1] / "benchmarks" / "labelled"
UNITS = [
    "m",
    "mm",
    "km",
    "μm",
    "pm rad",
    "MV/m",
    "T/m",
    "keV",
    "nPa",
    "mbar",
    "K",
    "kHz",
    "l/s",
    "mA/s",
    "m s^-2",
    "h",
    "percent",
    "ppm",
    "千赫",
    "微米",
]


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (LABELLED / name).read_text(encoding="utf-8").splitlines()]


def as_label(case: dict[str, Any]) -> bool:
    item = ExamItem("1", case["question"], case["answer"], tuple(case["options"]))
    return bool(mark(item, EvalResult("1", 1.0, None, None, said=case["said"]), tolerance=0.01).match)


def test_answers_are_marked_as_people_marked_them() -> None:
    wrong = [case for case in lines("answers.jsonl") if as_label(case) != case["right"]]
    assert wrong == []


def test_declared_ignorance_is_told_from_other_negations() -> None:
    wrong = [case for case in lines("abstentions.jsonl") if abstains(case["said"]) != case["abstained"]]
    assert wrong == []


# ---- laws


def unit(text: str) -> str:
    found = unit_at(text, 0)
    assert found is not None
    assert found[1] == len(text)
    return found[0]


@given(st.floats(1e-6, 1e6), st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_a_value_comes_back_from_every_unit_of_its_kind(value: float, one: str, other: str) -> None:
    there = convert(value, unit(one), unit(other))
    assume(there is not None)
    assert there is not None
    assert convert(there, unit(other), unit(one)) == pytest.approx(value, rel=1e-9)


@given(st.floats(-500, 500))
def test_a_temperature_comes_back_from_kelvin(value: float) -> None:
    kelvin = convert(value, unit("°C"), unit("K"))
    assert kelvin == pytest.approx(value + 273.15)
    assert kelvin is not None
    assert convert(kelvin, unit("K"), unit("degrees Celsius")) == pytest.approx(value, abs=1e-9)


@given(st.integers(1, 999_999), st.integers(-12, 9), st.sampled_from(["mm", "keV", "MV/m", "nPa", "T"]))
def test_a_number_is_the_same_however_it_is_written(digits: int, power: int, name: str) -> None:
    answer = f"{digits}e{power} {name}"
    raised = str(power).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
    for said in (
        f"{digits} × 10^{power} {name}",
        f"{digits}×10{raised} {name}",
        f"It is {digits:,}E{power} {name}.",
        f"约{digits}·10^{power} {name}",
    ):
        assert matches(answer, said), said
        assert not matches(answer, said.replace(str(digits), str(digits * 2)).replace(f"{digits:,}", f"{digits * 2:,}")), said


@given(st.integers(0, 99_999_999))
def test_chinese_numerals_are_read(value: int) -> None:
    assert han(in_chinese(value)) == value


def in_chinese(value: int) -> str:
    def group(part: int) -> str:
        signs = ""
        for step, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
            digit = part // step % 10
            signs += "零一二三四五六七八九"[digit] + sign if digit else "零"
        return signs

    text = f"{group(value // 10_000)}万{group(value % 10_000)}" if value >= 10_000 else group(value)
    while "零零" in text:
        text = text.replace("零零", "零")
    return text.strip("零").replace("零万", "万") or "零"


@given(st.floats(0.1, 1e5), st.sampled_from(["m", "keV", "T/m"]), st.floats(0, 0.05))
def test_the_tolerance_is_that_of_the_value(value: float, name: str, error: float) -> None:
    assume(abs(error - 0.01) > 1e-4)
    said = f"{value * (1 + error):.12g} {name}"
    assert matches(f"{value:.12g} {name}", said, tolerance=0.01) == (error < 0.01)


@given(st.lists(st.sampled_from(["5 m", "7 keV", "20 K", "3 T", "11 nPa", "40 s", "2 MHz", "9 A"]), min_size=4, unique=True))
def test_saying_everything_is_not_right(said: list[str]) -> None:
    assert not matches(said[0], "; ".join(said))
    assert matches(said[0], said[0])


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=30))
def test_nothing_that_is_said_breaks_the_marking(answer: str, said: str, question: str) -> None:
    matches(answer, said, question=question)
    find(said)
    abstains(said)


# ---- cases that the laws do not reach


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("(3.2 ± 0.1) × 10^3 kV", [3200.0]),
        ("3.2 kV ± 0.1 kV", [3.2]),
        ("BL-07-4, Sm2Co17, V-211 and D3", []),
        ("two thousand and forty-one days", [2041.0]),
        ("half of one of the twenty-four cells", [1.0, 24.0]),
        ("3万伏", [30000.0]),
        ("两千零四十一台", [2041.0]),
        ("零下18度", [-18.0]),
        ("百万分之一点二", [1.2e-6]),
        ("4 parts per million", [4.0]),
        ("1 200 mA and 5,600 litres", [1200.0, 5600.0]),
        ("at 07:48 on 29 March 2041", []),
    ],
)
def test_quantities_are_found(text: str, values: list[float]) -> None:
    assert [one.value for one in find(text).quantities] == pytest.approx(values)


def test_what_the_question_says_may_be_said_again() -> None:
    question = "What cooling power does the plant deliver at 4.4 K?"
    assert matches("1.12 kW", "At 4.4 K it delivers 1.12 kW.", question=question)
    assert not matches("4.5 K", "It is 4.4 K.", question="How cold?")
    assert matches("97.6 percent", "97.6", question="What percentage of the hours?")
    assert not matches("97.6 percent", "97.6", question="How available is it?")


def test_without_a_free_answer_there_are_no_marks() -> None:
    silent = mark(ExamItem("1", "Q?", "a"), EvalResult("1", 1.0, None, None), tolerance=0.01)
    assert (silent.match, silent.abstained) == (None, None)


def test_of_a_question_that_cannot_be_answered_abstaining_is_right() -> None:
    item = ExamItem("1", "Who cooked?", "It is not known.", answerable=False)
    marks = [
        mark(item, EvalResult("1", 1.0, None, None, said=said), tolerance=0.01)
        for said in ("I do not know.", "Ann cooked.", "资料中没有提到。")
    ]
    assert [(result.match, result.abstained) for result in marks] == [(True, True), (False, False), (True, True)]
    answerable = mark(ExamItem("2", "Who?", "Ann"), EvalResult("2", 1.0, None, None, said="I do not know if it was Ann."), tolerance=0.01)
    assert (answerable.match, answerable.abstained) == (False, True)
