import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_judge import serving, speak_judge

from qagen.checks.value import KNOWN, answers_alike, closed_book, marked_known
from qagen.config import BaseModelConfig, QAGenConfig, TeacherConfig
from qagen.desk import Desk
from qagen.records import QAPair, Span, Written
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.protocol import Failure

Speak = Callable[[dict[str, Any]], str | None]


def pair(name: str, question: str, answer: str, kind: str = "fact", distractors: tuple[str, ...] = ()) -> QAPair:
    return QAPair(name, "d", "d#0-9", kind, "en", question, answer, (Span(0, 9),), "t", "", "CC0-1.0", distractors=distractors)


def asked(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def run(speak: Speak, tmp_path: Path, *pairs: QAPair, drop: bool = False) -> tuple[Written, list[dict[str, Any]]]:
    async def whole(url: str) -> Written:
        base = BaseModelConfig(model="base", base_url=url, drop=drop, retries=0)
        config = QAGenConfig(teacher=TeacherConfig(model="teacher", base_url=url), base=base)
        async with Desk(config, tmp_path) as desk:
            return await marked_known(pairs, base, desk.file("d").ask("base"))

    with serving(speak) as (url, bodies):
        written = asyncio.run(whole(url))
    return written, [body for body in bodies if "say only: unknown" in body["messages"][0]["content"]]


@pytest.mark.parametrize(
    ("question", "answer", "reply"),
    [
        ("What is the beam energy of the LHC?", "6.8 TeV", "6.8 TeV"),
        ("What is the beam energy of the LHC?", "6.8 TeV", "6800 GeV."),
        ("What is the beam energy of the LHC?", "It is 6.8 TeV.", "The beam energy is 6.8 TeV"),
        ("What is the speed of light in vacuum?", "299792458 m/s", "About 2.998 × 10^8 m/s"),
        ("What is the rate?", "$1.15\\times10^{-5}$ s", "1.15 × 10⁻⁵ s"),
        ("How many dipoles has the LHC?", "1232", "1232 dipoles"),
        ("Who predicted the positron?", "Paul Dirac", "Paul Dirac\n\nQuestion: Who found it?"),
        ("Why is the sky blue?", "Short wavelengths are scattered more strongly.", "Because short wavelengths are scattered more strongly"),
        ("氦的沸点是多少？", "4.2 K", "4.2 K。"),
        ("正电子是谁预言的？", "狄拉克", "狄拉克"),
        ("北京正负电子对撞机的储存环周长是多少？", "240 米", "240 m"),
        ("What is the charge of the electron?", "-1.602e-19 C", "−1.602 × 10⁻¹⁹ C"),
        ("What is the answer?", "7 TeV", "<think>Is it 14 TeV? No.</think>7 TeV"),
    ],
)
def test_the_same_answer_in_other_words_is_known(question: str, answer: str, reply: str) -> None:
    assert answers_alike(question, answer, reply)


@pytest.mark.parametrize(
    ("question", "answer", "reply"),
    [
        ("What is the beam energy of the LHC?", "6.8 TeV", "7 TeV"),
        ("What is the beam energy of the LHC?", "6.8 TeV", "6.8 GeV"),
        ("What is the beam energy of the LHC?", "6.8 TeV", "6.8"),
        ("What is the beam energy of the LHC?", "6.8 TeV", "6.5 TeV or 6.8 TeV"),
        ("What is the beam energy of the LHC?", "6.8 TeV", "unknown"),
        ("What is the beam energy of the LHC?", "6.8 TeV", ""),
        ("In which year was the LHC started?", "2008", "2009"),
        ("How many dipoles has the LHC?", "1232", "1233"),
        ("What is the charge?", "-1.602e-19 C", "1.602e-19 C"),
        ("Who predicted the positron?", "Paul Dirac", "Paul Dirac or Carl Anderson"),
        ("Who predicted the positron?", "Paul Dirac", "Carl Anderson"),
        ("Does it depend on the current?", "No, it does not depend on the current.", "It depends on the current."),
        ("Does the rate depend on the pressure?", "Yes", "Yes"),
        ("In which plane does the kicker act?", "In the horizontal plane", "In the vertical plane"),
        ("Why is the sky blue?", "Short wavelengths are scattered more strongly.", "Because of the ocean."),
        ("氦的沸点是多少？", "4.2 K", "不知道"),
        ("氦的沸点是多少？", "4.2 K", "77 K"),
        ("分辨率是否变差？", "没有变差", "变差了"),
        ("What is the answer?", "7 TeV", "<think>It must be 7 TeV, or"),
    ],
)
def test_what_may_be_luck_or_another_answer_is_not_known(question: str, answer: str, reply: str) -> None:
    assert not answers_alike(question, answer, reply)


@given(st.floats(0.001, 1000), st.sampled_from(["TeV", "mm", "K", "MHz", "T", "s"]), st.floats(1.03, 50))
def test_a_value_is_known_by_itself_and_not_by_another(value: float, unit: str, factor: float) -> None:
    answer = f"{value:.4g} {unit}"
    assert answers_alike("What was measured?", answer, f"{answer}.")
    assert not answers_alike("What was measured?", answer, f"{value * factor:.6g} {unit}")


def test_known_pairs_are_marked(tmp_path: Path) -> None:
    light = pair("light", "What is the speed of light in vacuum?", "299792458 m/s")
    ring = pair("ring", "What is the circumference of the Arno ring?", "210 m")
    written, bodies = run(speak_judge, tmp_path, light, ring)
    assert [(one.id, one.marks) for one in written.pairs] == [("light", (KNOWN,)), ("ring", ())]
    assert not written.rejections
    assert sorted(map(asked, bodies)) == sorted([light.question, ring.question])  # and nothing of the source


def test_known_pairs_can_be_left_out(tmp_path: Path) -> None:
    light = pair("light", "What is the speed of light in vacuum?", "299792458 m/s")
    ring = pair("ring", "What is the circumference of the Arno ring?", "210 m")
    written, _ = run(speak_judge, tmp_path, light, ring, drop=True)
    assert [one.id for one in written.pairs] == ["ring"]
    assert [(one.id, one.stage, one.reason) for one in written.rejections] == [("light", "value", "known")]


CHOICE = pair("choice", "Which metal superconducts at the highest temperature?", "Niobium", "choice", ("Lead", "Tin", "Aluminium"))


def lettered(body: dict[str, Any], answer: str) -> str:
    return str(next(letter for letter, option in re.findall(r"^([A-D])\. (.*)$", asked(body), re.M) if option == answer))


def test_a_choice_is_known_if_it_is_picked_in_two_orders(tmp_path: Path) -> None:
    written, bodies = run(lambda body: f"The answer is {lettered(body, 'Niobium')}.", tmp_path, CHOICE)
    assert written.pairs[0].marks == (KNOWN,)
    assert len({lettered(body, "Niobium") for body in bodies}) == 2
    assert all(set(re.findall(r"^[A-D]\. (.*)$", asked(body), re.M)) == {"Niobium", "Lead", "Tin", "Aluminium"} for body in bodies)


@pytest.mark.parametrize("letter", ["A", "B", "C", "D", "E", "None of them"])
def test_always_the_same_letter_knows_nothing(letter: str, tmp_path: Path) -> None:
    written, _ = run(lambda body: letter, tmp_path, CHOICE)
    assert not written.pairs[0].marks


def test_an_option_said_in_full_counts_as_picked(tmp_path: Path) -> None:
    written, _ = run(lambda body: "Niobium.", tmp_path, CHOICE)
    assert written.pairs[0].marks == (KNOWN,)


def test_what_the_source_leaves_open_is_not_asked(tmp_path: Path) -> None:
    silent = pair("silent", "What is the heat flow below the fault?", "The source does not say.", "unanswerable")
    written, bodies = run(lambda body: "The source does not say.", tmp_path, silent)
    assert written.pairs == (silent,)
    assert not bodies


def test_a_failed_question_leaves_its_pair_as_it_was(tmp_path: Path) -> None:
    light = pair("light", "What is the speed of light in vacuum?", "299792458 m/s")
    ring = pair("ring", "What is the circumference of the Arno ring?", "210 m")
    written, _ = run(lambda body: None if "Arno" in asked(body) else speak_judge(body), tmp_path, light, ring, drop=True)
    assert written.pairs == (ring,)
    assert [one.id for one in written.rejections] == ["light"]


def test_questions_are_short_and_greedy() -> None:
    seen: list[Request] = []

    async def ask(request: Request) -> Reply | Failure:
        seen.append(request)
        return Failure("enough")

    config = BaseModelConfig(model="base", temperature=1.5)
    found = asyncio.run(closed_book([pair("light", "What is the speed of light?", "299792458 m/s")], config, ask))
    assert isinstance(found["light"], Failure)
    assert (seen[0].temperature, seen[0].max_tokens) == (0.0, 160)
