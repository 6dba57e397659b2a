"""Quantities are read as people and papers write them, and are equal when their values are, whatever the unit and notation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qagen.checks.quantities import connected, quantities, rounds_to, same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("7 TeV", "7000 GeV"),
        ("7 TeV", r"$\SI{7}{\tera\electronvolt}$"),
        ("7 TeV", r"$7\,\mathrm{TeV}$"),
        ("3 × 10^6 eV", "3 MeV"),
        ("3e6 eV", "3 MeV"),
        ("3 × 10⁶ eV", r"$3\times10^{6}$ eV"),
        ("10^-6 mbar", "10⁻⁶ mbar"),
        ("10−6 mbar", "1e-6 mbar"),  # a PDF that has lost its superscript
        ("120 万", "1.2 million"),
        ("1.2 亿伏", "120 MV"),
        ("百万分之六", "6 ppm"),
        ("百分之三", "3 %"),
        ("0.035", "3.5 percent"),
        ("1,250 kg", "1.25 tonnes"),
        ("1{,}250 m", "1.25 km"),
        ("twenty-five minutes", "1500 s"),
        ("one hundred and fifty", "150"),
        ("三千伏", "3 kV"),
        ("二十五台", "25"),
        ("minus 7.5 dBm", "−7.5 dBm"),
        ("5 cm−2s−1", r"$5\,\mathrm{cm^{-2}\,s^{-1}}$"),
        ("7 K per hour", "7 K/h"),
        ("9.473 T m", "9.473 T·m"),
        ("5 cubic metres", "5 m³"),
        ("3 毫米每秒", "3 mm/s"),
        ("2.5 gigabits per second", "2.5 Gbit/s"),
        ("16 wt%", "16 %"),
        ("30 ℃", r"$30\,^{\circ}$C"),
        ("4 µm", "4 micrometres"),
        ("5 Å", "0.5 nm"),
        ("-1.9 × 10⁻¹⁰ m³/C", r"$-1.9\times10^{-10}$ m$^3$/C"),
    ],
)
def test_the_same_quantity_in_two_notations(one: str, other: str) -> None:
    (a,), (b,) = quantities(one), quantities(other)
    assert same(a, b)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 mW", "5 MW"),
        ("5 ms", "5 µs"),
        ("10^-6 Pa", "10^-7 Pa"),
        ("5 K", "−5 K"),
        ("5 V", "5 A"),
        ("5 GeV", "5 GeV/c"),
        ("5 Gy", "5 Sv"),
        ("5", "5 %"),
        ("5 A", "5 Å"),
        ("5 m", "5 m²"),
        ("20 °C", "20 K"),
    ],
)
def test_another_unit_sign_or_power_is_another_quantity(one: str, other: str) -> None:
    (a,), (b,) = quantities(one), quantities(other)
    assert not same(a, b)


@pytest.mark.parametrize("text", ["V-211", "Sedge-48", "H2O", "238U", "a 3D model", "version 2.1.3", "千伏", "一般", "K1 and A3", "T_2"])
def test_digits_of_names_are_no_quantities(text: str) -> None:
    assert quantities(text) == ()


def test_uncertainties_belong_to_their_value() -> None:
    for text in ("5.0 ± 0.3 MeV", "5.0(3) MeV", r"$(5.0\pm0.3)$ MeV", "(5.0 ± 0.3) MeV"):
        value, error = quantities(text)
        assert value.uncertainty == pytest.approx(0.3)
        assert error.base == pytest.approx(0.3 * 1.602176634e-13)
        assert value.base == pytest.approx(5 * 1.602176634e-13)


def test_the_unit_of_a_list_or_range_is_that_of_all() -> None:
    for text in ("5 to 10 GeV", "5–10 GeV", "5 and 10 GeV", "5 至 10 GeV"):
        first, last = quantities(text)
        assert same(first, quantities("5 GeV")[0])
        assert same(last, quantities("10 GeV")[0])
    assert [one.value for one in connected("at 2, 10 and 30 cm, and 4 K")[0]] == [2, 10, 30]


def test_fewer_digits_are_a_rounding_only_if_they_round() -> None:
    exact, rounded, wrong = (quantities(text)[0] for text in ("938.272 MeV", "0.938 GeV", "0.939 GeV"))
    assert rounds_to(exact, rounded)
    assert not rounds_to(exact, wrong)
    assert not rounds_to(rounded, exact)


PREFIXES = st.sampled_from([("", 0), ("k", 3), ("M", 6), ("G", 9), ("m", -3), ("μ", -6), ("n", -9)])
UNITS = st.sampled_from(["V", "A", "eV", "Hz", "W", "Pa", "s", "m", "T", "J"])


@settings(deadline=None)
@given(st.integers(1, 99999), st.integers(0, 3), PREFIXES, PREFIXES, UNITS)
def test_prefixes_only_move_the_point(digits: int, decimals: int, one: tuple[str, int], other: tuple[str, int], unit: str) -> None:
    written = f"{digits / 10**decimals:.{decimals}f} {one[0]}{unit}"
    moved = f"{digits} × 10^{one[1] - decimals - other[1]} {other[0]}{unit}"
    (a,), (b,) = quantities(written), quantities(moved)
    assert same(a, b)
    assert same(quantities(f"${written.replace(' ', chr(92) + ',')}$")[0], a)


@settings(deadline=None)
@given(st.integers(1, 99999), st.integers(1, 99999))
def test_other_figures_are_other_quantities(one: int, other: int) -> None:
    (a,), (b,) = quantities(f"{one} kV"), quantities(f"{other} kV")
    assert same(a, b) == (one == other)


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet=st.sampled_from(list("0123456789.,+-−±()^_{}$\\ ×eE/%°KVmμ万亿百分之三十two of")), max_size=60))
def test_any_text_is_read_without_a_stumble(text: str) -> None:
    for one in quantities(text):
        assert one.end >= one.start >= 0
