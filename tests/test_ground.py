"""Quotes are found where they stand, through all typography, and never with other numbers or a lost "not"."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qagen.checks.ground import locate_quote, locate_quotes, numbers

TOKENS = st.sampled_from(
    [
        "The",
        "klystron",
        "of",
        "Pike",
        "runs",
        "at",
        "37",
        "MW",
        "and",
        "12.5",
        "kV",
        "with",
        "field-free",
        "naïve",
        "efficiency",
        "“Reed”",
        "束流能量",
        "coefficient",
    ]
)
TEXT = st.lists(TOKENS, min_size=6, max_size=60)


def mangled(token: str, how: int) -> str:
    """The same word as another program would print it."""
    forms = [
        token,
        token.upper(),
        token.replace("ffi", "ﬃ").replace("fi", "ﬁ"),
        token.replace("“", '"').replace("”", '"').replace("-", "‐"),
        f"${token}$",
    ]
    return forms[how % len(forms)]


@settings(deadline=None)
@given(TEXT, st.data())
def test_a_verbatim_quote_is_found_verbatim(tokens: list[str], data: st.DataObject) -> None:
    text = " ".join(tokens)
    first = data.draw(st.integers(0, len(tokens) - 1))
    quote = " ".join(tokens[first : data.draw(st.integers(first + 1, len(tokens)))])
    found = locate_quote(text, quote)
    assert found is not None
    assert text[found.start : found.end] == quote


@settings(deadline=None)
@given(TEXT, st.data())
def test_a_quote_in_other_typography_is_found_at_its_place(tokens: list[str], data: st.DataObject) -> None:
    marked = ["anchor", *tokens, "rudder"]  # words that stand only once, so that there is one right place
    first, last = 0, len(marked)
    text = data.draw(st.sampled_from([" ", "\n", "  ", "\u00a0", "~"])).join(marked)
    quote = data.draw(st.sampled_from([" ", "\n", "\t"])).join(mangled(word, data.draw(st.integers(0, 4))) for word in marked[first:last])
    found = locate_quote(f"Before. {text} After.", quote)
    assert found is not None
    assert f"Before. {text} After."[found.start : found.end] == text


@settings(deadline=None)
@given(TEXT, st.integers(0, 10_000))
def test_a_changed_number_is_never_found(tokens: list[str], other: int) -> None:
    assume("37" in tokens and str(other) not in tokens)
    changed = [str(other) if word == "37" else word for word in tokens]
    assume(" ".join(changed) not in " ".join(tokens))
    assert locate_quote(" ".join(tokens), " ".join(changed)) is None


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=60))
def test_whatever_is_found_is_a_span_of_the_text(text: str, quote: str) -> None:
    found = locate_quote(text, quote)
    assert found is None or 0 <= found.start < found.end <= len(text)


LONG = "The safety valve behind the cold box of the plant does not open at a pressure of 1.95 bar during the cool-down."


@pytest.mark.parametrize(
    ("text", "quote", "said"),
    [
        ("the accel-\nerator runs", "accelerator runs", "accel-\nerator runs"),
        ("a gain of $10^{6}$ is", "a gain of 10⁶", "a gain of $10^{6}$"),
        ("a beam of 10\\,MeV\nelectrons.", "A beam of 10 MeV electrons", "a beam of 10\\,MeV\nelectrons"),
        ("能量为 2.84 GeV，束流", "能量为2.84GeV,束流", "能量为 2.84 GeV，束流"),
        (LONG, LONG.replace("behind the cold box", "behind the cold boxes"), LONG),
        (LONG, LONG.replace("does not open", "does open"), None),
        (LONG, LONG.replace("1.95", "1.96"), None),
        (LONG, LONG.replace("1.95 bar", "1.95 mbar"), None),
        (LONG, LONG.replace("behind", "before").replace("cold", "hot"), None),
        ("a vacuum of $10^{-6}$ mbar", "a vacuum of 10⁻⁶ mbar", "a vacuum of $10^{-6}$ mbar"),
        ("a vacuum of 10⁻⁶ mbar", "a vacuum of 10^-6 mbar", "a vacuum of 10⁻⁶ mbar"),
        ("a vacuum of 10⁻⁶ mbar", "a vacuum of 10⁻⁷ mbar", None),
        (r"protons of \SI{7}{\tera\electronvolt} each", "protons of 7 TeV each", r"protons of \SI{7}{\tera\electronvolt} each"),
        (r"at $4.4\,\mathrm{K}$ in the bath", "at 4.4 K in the bath", r"at $4.4\,\mathrm{K}$ in the bath"),
        (r"the factor $\alpha_{c}$ of the ring", "the factor α_c of the ring", r"the factor $\alpha_{c}$ of the ring"),
        (r"the factor $\alpha_{c}$ of the ring", "the factor alpha_c of the ring", r"the factor $\alpha_{c}$ of the ring"),
        ("an energy $E_0$ of", "an energy E0 of", "an energy $E_0$ of"),
        (r"a rise of $30\,^{\circ}$C in", "a rise of 30 °C in", r"a rise of $30\,^{\circ}$C in"),
        (r"the mass is $\frac{1}{2} m$ here", "the mass is 1/2 m here", r"the mass is $\frac{1}{2} m$ here"),
        ("a flux of 5 cm−2s−1 on", "a flux of 5 cm⁻² s⁻¹ on", "a flux of 5 cm−2s−1 on"),
        ("the high-\nvoltage side", "the high-voltage side", "the high-\nvoltage side"),
        ("in 1,250 bunches of", "in 1250 bunches of", "in 1,250 bunches of"),
        ("the tune is ≠ 0.5 here", "the tune is = 0.5 here", None),
        ("a power of 5 mW was", "a power of 5 MW was", None),
        ("a gain of 5 × 10^3 at", "a gain of 5", None),
        ("M\u200ber\u200be stores beam", "Mere stores beam", "M\u200ber\u200be stores beam"),
        ("It is 15 MeV.", "5 MeV", None),
        ("It is 1.5 MeV.", "5 MeV", None),
        ("It is −5 K.", "5 K", None),
        ("a gain of 10⁶ is", "a gain of 106", None),
        ("reheart", "heart", None),
        ("anything", "  ", None),
    ],
)
def test_quotes_that_are_there_and_quotes_that_are_not(text: str, quote: str, said: str | None) -> None:
    found = locate_quote(text, quote)
    assert (text[found.start : found.end] if found else None) == said


def test_numbers_are_compared_by_value_not_by_typography() -> None:
    assert numbers("1,250 and 1{,}250 and 1\\,250 and 2.50 and ２.5") == ["1250", "1250", "1250", "2.5", "2.5"]


@pytest.mark.parametrize(
    ("quotes", "said"),
    [
        (["The safety valve ... at a pressure of 1.95 bar"], None),  # what is left out holds the "not"
        (["The safety valve behind ... of the plant"], ["The safety valve behind", "of the plant"]),
        (
            ["The safety valve behind […] of the plant", "during the cool-down."],
            ["The safety valve behind", "of the plant", "during the cool-down."],
        ),
        (["of the plant does not", "plant does not open"], ["of the plant does not open"]),
        (["of the plant ... The safety valve"], None),  # not in this order
        (["The safety valve", "the relief valve"], None),
        ([], None),
    ],
)
def test_several_quotes_and_what_they_leave_out(quotes: list[str], said: list[str] | None) -> None:
    found = locate_quotes(LONG, quotes)
    assert (None if found is None else [LONG[span.start : span.end] for span in found]) == said


WORDS = [
    "The",
    "safety",
    "valve",
    "behind",
    "the",
    "cold",
    "box",
    "of",
    "our",
    "plant",
    "opens",
    "at",
    "pressures",
    "of",
    "some",
    "bar",
    "during",
    "every",
    "cool-down",
]


@settings(deadline=None)
@given(st.permutations(WORDS), st.integers(1, len(WORDS) - 1), st.integers(0, 4), st.sampled_from(["not", "never", "cannot", "hardly"]))
def test_a_lost_not_is_never_found(words: list[str], place: int, cut: int, denial: str) -> None:
    text = " ".join([*words[:place], denial, *words[place:]])
    quote = words[min(cut, place - 1) :]  # begins before the denial and ends behind it
    assert locate_quote(text, " ".join(quote)) is None


def test_a_quote_from_the_end_of_a_long_text_is_found_through_small_errors() -> None:
    filler = "".join(f"Sentence {n} tells of magnet {n * 7} and of its current. " for n in range(3500))
    text = f"{filler}{LONG} That is all."
    found = locate_quote(text, LONG.replace("safety valve", "safty valve").replace("pressure", "presure"))
    assert found is not None
    assert text[found.start : found.end] == LONG
