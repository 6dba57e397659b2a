"""Shown steps are computed again: right ones pass in any notation, wrong ones and numbers from nowhere are named."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qagen.checks.arithmetic import NoExpressionError, as_arithmetic, longest_value
from qagen.checks.quantities import quantities
from qagen.checks.steps import recompute


@pytest.mark.parametrize(
    ("step", "given"),
    [
        ("3.2 × 5 = 16 MeV", "3.2 MeV, 5 turns"),
        (r"$\frac{6.45 - 5.2}{6.45} = 0.194$", "6.45 kΩ and 5.2 kΩ"),
        (r"$v = \sqrt{2 \times 9.8 \times 5} \approx 9.9$ m/s", "a fall of 5 m"),
        ("E = 0.5 * 2 kg * (3 m/s)^2 = 9 J", "2 kg at 3 m/s"),
        ("ω = 2π × 500 MHz = 3.14 × 10^9 rad/s", "500 MHz"),
        ("262 h × 1.9 = 497.8 h, about 498 h", "262 h, 1.9 times"),
        ("0.13 / 1.00e-6 = 1.3e5", "0.13 m²/s and 1.00 × 10⁻⁶ m²/s"),
        ("52 mm = 0.052 m", "52 mm"),
        ("f = c/λ = 3e8 / 0.6 = 500 MHz", "λ = 0.6 m"),
        ("Dividing 320 mA by 868 bunches gives 0.369 mA.", "320 mA in 868 bunches"),
        ("总功率为 4 × 150 = 600 kW。", "4 只腔, 150 kW"),
        ("20 % = 0.2", "20 %"),
        ("9 A × 40 V = 360 W", "9 A, 40 V"),
        ("46 W * 2 h = 92 Wh", "46 W for 2 h"),
        ("270 / 9.0e-9 = 3.0e10", "270 Ω and 9.0 nΩ"),
        ("5900 / 3.65 = 1616", "5.9 keV and 3.65 eV"),
        ("714 hg/cm² = 71400 g/cm²", "714 hg/cm²"),
    ],
)
def test_right_steps_pass(step: str, given: str) -> None:
    computed = recompute([step], quantities(given))
    assert computed.wrong == ()
    assert computed.strange == ()
    assert computed.results


@pytest.mark.parametrize(
    "step",
    [
        "3.2 × 5 = 17 MeV",
        "One frame takes 1 / 100 = 0.1 s.",
        "0.0240 / 0.0052 = 6.4",
        "7 TeV = 700 GeV",
        "E = 0.5 * 2 kg * (3 m/s)^2 = 18 J",
        "25 × 40 = 1001",
        r"$\sqrt{2 \times 8} \approx 5$",
        "10^3 × 5 = 50000",
        "6.45 − 5.2 = 1.35",
        "4 × 150 = 640 kW",
    ],
)
def test_wrong_steps_are_named(step: str) -> None:
    assert recompute([step], quantities("3.2 5 100 0.0240 0.0052 7 TeV 2 kg 3 m/s 25 40 8 6.45 5.2 150")).wrong


def test_a_number_from_nowhere_is_named_and_a_result_is_not() -> None:
    given = quantities("a current of 1.8 kA and a gap of 32 mm")
    assert recompute(["1.2566e-6 * 1800 / 0.032 = 0.0707 T", "0.0707 T is about 71 mT."], given).strange == ()
    assert recompute(["1.2566e-6 * 1800 / 0.0032 = 0.707 T"], given).strange == ("0.0032",)


def test_a_step_that_begins_with_a_relation_goes_on_with_the_one_before() -> None:
    computed = recompute(["P = 0.53 × 1.5 kW", "= 0.795 kW"], quantities("0.53 and 1.5 kW"))
    assert computed.wrong == computed.strange == ()
    assert recompute(["P = 0.53 × 1.5 kW", "= 0.895 kW"], quantities("0.53 and 1.5 kW")).wrong


def test_what_has_no_value_is_not_judged() -> None:
    for step in ("E = m c^2 = 5 J", "F × 3 = 12 N", "P = U I", "sin φ = U_0 / V", "x = 5 y"):
        assert recompute([step], quantities("5 J 12 N 3 5")).wrong == ()


@pytest.mark.parametrize("text", ["1/0", "sqrt(-1)", "(" * 5000 + "1", "10^999999", "exp(100000)", "__import__('os')", "ln(0)"])
def test_hostile_arithmetic_ends_in_no_value(text: str) -> None:
    with pytest.raises(NoExpressionError):
        longest_value(as_arithmetic(text))


NUMBERS = st.integers(1, 999).map(str) | st.decimals("0.01", "99", places=2).map(str)
TREES = st.recursive(
    NUMBERS,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"),
    max_leaves=6,
)


@settings(deadline=None)
@given(TREES)
def test_arithmetic_is_that_of_python(text: str) -> None:
    try:
        expected = float(eval(text))  # noqa: S307 - made of digits and four signs, above
    except ZeroDivisionError:
        return
    assume(abs(expected) < 1e12)
    value, end = longest_value(as_arithmetic(text.replace("*", "×")))
    assert end == len(text)
    assert math.isclose(value.number, expected, rel_tol=1e-9, abs_tol=1e-9)


@settings(deadline=None)
@given(st.integers(12, 999), st.integers(12, 999), st.integers(1, 9))
def test_a_product_passes_and_its_neighbour_does_not(a: int, b: int, off: int) -> None:
    known = quantities(f"{a} and {b}")
    assert recompute([f"{a} × {b} = {a * b}"], known).wrong == ()
    assert recompute([f"{a} × {b} = {a * b + off}"], known).wrong
