"""Two papers that disagree on a value are found with both sources and dates; agreement in other units or within errors is none."""

from __future__ import annotations

import pytest

from harvest.records import Paper
from qagen.checks.conflicts import find_conflicts
from qagen.records import QAPair

PAPERS = {
    "old": Paper("old", "test", "First light of Mere", published="2041-03-29"),
    "new": Paper("new", "test", "Mere revisited", published="2043-01-02"),
}
ASKED = "What is the horizontal emittance of the Mere storage ring?"


def pair(document: str, answer: str, question: str = ASKED, **more: str) -> QAPair:
    return QAPair(f"{document}-{answer}", document, "", more.pop("kind", "fact"), "en", question, answer, (), "", "", "", **more)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("131 pm rad", "150 pm rad"),
        ("131 ± 2 pm rad", "150 ± 3 pm rad"),
        ("131 pm rad", "131 nm rad"),
        ("from 100 to 110 pm rad", "from 150 to 160 pm rad"),
    ],
)
def test_values_that_cannot_both_be_right_are_flagged(one: str, other: str) -> None:
    (found,) = find_conflicts([pair("new", other), pair("old", one)], PAPERS)
    assert found.documents == ("old", "new")
    assert found.dates == ("2041-03-29", "2043-01-02")
    assert found.titles == ("First light of Mere", "Mere revisited")
    assert found.values == (one, other)
    assert found.pairs == (f"old-{one}", f"new-{other}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("131 pm rad", "0.131 nm rad"),
        ("131 ± 15 pm rad", "145 pm rad"),
        ("131(15) pm rad", "145 pm rad"),
        ("131.4 pm rad", "131 pm rad"),
        ("131 pm rad", "low"),
        ("131 pm rad", "2.4 GeV"),  # another kind of thing: not this question's conflict
    ],
)
def test_values_that_agree_are_not(one: str, other: str) -> None:
    assert find_conflicts([pair("old", one), pair("new", other)], PAPERS) == []


def test_only_the_same_question_to_different_papers_counts() -> None:
    vertical = ASKED.replace("horizontal", "vertical")
    assert find_conflicts([pair("old", "131 pm rad"), pair("new", "8 pm rad", vertical)], PAPERS) == []
    assert find_conflicts([pair("old", "131 pm rad"), pair("new", "8 pm rad", ASKED.replace("Mere", "Heron"))], PAPERS) == []
    assert find_conflicts([pair("old", "131 pm rad"), pair("old", "8 pm rad")], PAPERS) == []
    assert find_conflicts([pair("old", "131 pm rad"), pair("new", "8 pm rad", paraphrase_of="x")], PAPERS) == []
    at = "What is the lifetime of the Mere beam at {}?"
    assert find_conflicts([pair("old", "11 h", at.format("200 mA")), pair("new", "7 h", at.format("300 mA"))], PAPERS) == []


def test_dates_and_other_languages_are_compared_too() -> None:
    when = "When was beam first stored in the Mere ring?"
    assert len(find_conflicts([pair("old", "29 March 2041", when), pair("new", "2041-03-30", when)], PAPERS)) == 1
    assert find_conflicts([pair("old", "29 March 2041", when), pair("new", "2041-03-29", when)], PAPERS) == []
    asked = "云湖储存环的束流寿命是多少？"
    assert len(find_conflicts([pair("old", "11 小时", asked), pair("new", "7 h", asked)], PAPERS)) == 1
    assert find_conflicts([pair("old", "11 小时", asked), pair("new", "660 分钟", asked)], PAPERS) == []


def test_a_paper_nobody_knows_has_no_date() -> None:
    (found,) = find_conflicts([pair("old", "131 pm rad"), pair("own", "8 pm rad")], PAPERS)
    assert found.documents == ("old", "own")
    assert found.dates == ("2041-03-29", "")


def test_many_questions_cost_what_is_alike_and_not_the_square() -> None:
    things = [f"What is the current of magnet M{n} in sector S{n % 97} of ring R{n % 89}?" for n in range(4000)]
    pairs = [pair("old", f"{n} A", question) for n, question in enumerate(things)]
    pairs += [pair("new", f"{n + 10 * (n == 1234)} A", question) for n, question in enumerate(things)]
    assert [found.values for found in find_conflicts(pairs, PAPERS)] == [("1234 A", "1244 A")]
