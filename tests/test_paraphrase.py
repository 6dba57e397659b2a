"""Paraphrases: the same question in other words, and nothing else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from scripted_more import speak_more

from qagen.config import QAGenConfig, TeacherConfig
from qagen.kinds.asked import asks_otherwise
from qagen.kinds.paraphrase import paraphrase
from qagen.records import QAPair, Span, Step, Written
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.protocol import Failure, Stopped

PAIR = QAPair(
    id="one",
    document_id="mere",
    chunk_id="mere#0-90",
    kind="fact",
    language="en",
    question="At what frequency do the five Bittern cavities of the Mere ring run horizontally at 4.4 K?",
    answer="499.213 MHz",
    evidence=(Span(3, 40), Span(2, 9, "heron")),
    teacher="t",
    prompt="p",
    licence="CC-BY-4.0",
    scores={"faithful": 90.0},
    marks=("known",),
)
GOOD = "Which frequency do the five horizontally mounted Bittern cavities of the Mere ring have when they run at 4.4 K?"
ZH = QAPair(
    "zh",
    "zh",
    "zh#0-9",
    "fact",
    "zh",
    "储存环束流为 320 mA 时，五个高频腔的加速电压是多少？",
    "1.86 MV",
    (Span(0, 9),),
    "t",
    "p",
    "CC0-1.0",
)


def config(count: int = 1, **more: Any) -> QAGenConfig:
    return QAGenConfig(teacher=TeacherConfig(model="t"), paraphrases=count, **more)


def said(*pairs: tuple[str, str]) -> str:
    return json.dumps({"pairs": [{"question": question, "answer": answer} for question, answer in pairs]}, ensure_ascii=False)


def paraphrased(reply: str | None = None, pair: QAPair = PAIR, count: int = 1, **more: Any) -> Written:
    async def ask(request: Request) -> Reply | Failure:
        scripted = speak_more({"messages": [{"role": one.role, "content": one.content} for one in request.messages]})
        return Reply(reply if reply is not None else scripted or "", "stop", 1, 1)

    return asyncio.run(paraphrase([pair], config(count, **more), ask, None))


def reasons(written: Written) -> list[str]:
    return [rejection.reason for rejection in written.rejections]


def test_a_paraphrase_is_a_pair_of_its_own_on_the_same_ground() -> None:
    written = paraphrased(said((GOOD, "something else")))
    assert reasons(written) == []
    (found,) = written.pairs
    assert (found.question, found.answer, found.paraphrase_of) == (GOOD, PAIR.answer, PAIR.id)
    assert found.id != PAIR.id
    for name in ("document_id", "chunk_id", "kind", "language", "evidence", "licence", "scores", "marks"):
        assert getattr(found, name) == getattr(PAIR, name)


@pytest.mark.parametrize("pair", [PAIR, ZH], ids=["en", "zh"])
def test_as_many_as_are_wanted(pair: QAPair) -> None:
    written = paraphrased(pair=pair, count=3)
    assert reasons(written) == []
    assert len({found.question for found in written.pairs} | {pair.question}) == 4
    assert len({found.id for found in written.pairs}) == 3
    assert paraphrased(pair=pair, count=3) == written


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (PAIR.question, "paraphrase-same"),
        (PAIR.question.upper().replace("?", " ?"), "paraphrase-same"),
        (GOOD.replace("4.4 K", "1.9 K"), "paraphrase-numbers"),
        (GOOD.replace("4.4 K", "4.4 T"), "paraphrase-numbers"),
        (GOOD.replace(" when they run at 4.4 K", ""), "paraphrase-numbers"),
        (GOOD.replace("five", "six"), "paraphrase-numbers"),
        (GOOD.replace("Mere", "Heron"), "paraphrase-names"),
        (GOOD.replace("have", "not have"), "paraphrase-negation"),
        (GOOD.replace("horizontally", "vertically"), "paraphrase-opposites"),
        (GOOD.replace("Which frequency", "Why do").replace(" have ", " run "), "paraphrase-asks-otherwise"),
        (GOOD.replace("Which frequency do", "Where are").replace(" have ", " placed "), "paraphrase-asks-otherwise"),
        (GOOD.replace("Which frequency do", "Do").replace(" have ", " run "), "paraphrase-asks-otherwise"),
        (GOOD.replace("Which frequency", "Which voltage"), "paraphrase-asks-otherwise"),
        (GOOD.replace("?", "."), "no-question-mark"),
        (GOOD.replace("Which", "According to this paper, which"), "not-self-contained"),
        (GOOD.replace("?", ", 499.213 MHz?"), "paraphrase-numbers"),
        ("", "paraphrase-numbers"),
    ],
)
def test_another_question_is_refused(question: str, reason: str) -> None:
    written = paraphrased(said((question, PAIR.answer)))
    assert written.pairs == ()
    assert reasons(written) == [reason]


@pytest.mark.parametrize(
    "question",
    [
        "储存环束流为 200 mA 时，五个高频腔提供的加速电压是多少？",
        "储存环束流为 320 mA 时，五个高频腔不提供的加速电压是多少？",
        "储存环束流为 320 mA 时，五个高频腔的工作频率是多少？",
    ],
)
def test_another_question_in_chinese_is_refused(question: str) -> None:
    assert paraphrased(said((question, "1.86 MV")), ZH).pairs == ()


def test_a_good_one_in_chinese() -> None:
    written = paraphrased(said(("当储存环的束流达到 320 mA 时，五个高频腔加速电压的数值是多少？", "1.86 MV")), ZH)
    assert (reasons(written), len(written.pairs)) == ([], 1)


def test_two_wordings_that_are_the_same_count_once() -> None:
    written = paraphrased(said((GOOD, ""), (GOOD.replace(" when", ", when"), "")), count=2)
    assert (len(written.pairs), reasons(written)) == (1, ["paraphrase-same"])


def test_wordings_that_do_not_come_are_listed() -> None:
    assert reasons(paraphrased(said((GOOD, "")), count=3)) == ["paraphrase-missing"]
    assert reasons(paraphrased("no", count=3)) == ["unreadable-reply"]


def test_formulas_are_kept_to_the_letter() -> None:
    pair = QAPair(
        "d", "d", "d#0-9", "derivation", "en",
        "For the Mere ring with $P = V^2 / (2 R)$, where $P$ is the power and $V$ the voltage, what is the resistance $R$?",
        "$R = V^2 / (2 P)$", (Span(0, 4),), "t", "p", "CC0-1.0", steps=(Step("$2 R P = V^2$", 90.0), Step("$R = V^2 / (2 P)$", 90.0)),
    )  # fmt: skip
    good = "If $P = V^2 / (2 R)$ holds for the Mere ring, $P$ being the power and $V$ the voltage, what is the resistance $R$?"
    written = paraphrased(said((good, "")), pair)
    assert reasons(written) == []
    assert written.pairs[0].steps == pair.steps
    assert reasons(paraphrased(said((good.replace("V^2", "V^3"), "")), pair)) in (["paraphrase-formulas"], ["paraphrase-numbers"])


def test_the_answer_changes_only_where_a_style_is_given_and_only_its_words(tmp_path: Path) -> None:
    style = tmp_path / "style.txt"
    style.write_text("Answers are whole sentences.")
    spoken = "They run at 499.213 MHz."
    assert paraphrased(said((GOOD, spoken)), style=style).pairs[0].answer == spoken
    assert paraphrased(said((GOOD, spoken))).pairs[0].answer == PAIR.answer
    assert reasons(paraphrased(said((GOOD, "They run at 500 MHz.")), style=style)) == ["paraphrase-numbers"]


def test_what_is_a_paraphrase_already_and_zero_paraphrases_cost_nothing() -> None:
    async def refuses(request: Request) -> Reply | Failure:
        raise AssertionError("nobody is to be asked")

    again = paraphrased(said((GOOD, ""))).pairs
    assert asyncio.run(paraphrase(again, config(), refuses, None)) == Written()
    assert asyncio.run(paraphrase([PAIR], config(0), refuses, None)) == Written()


def test_failures_are_listed_and_stops_go_through() -> None:
    async def fails(request: Request) -> Reply | Failure:
        return Failure("503")

    async def stops(request: Request) -> Reply | Failure:
        raise Stopped("budget")

    assert reasons(asyncio.run(paraphrase([PAIR], config(), fails, None))) == ["teacher-failed"]
    with pytest.raises(Stopped):
        asyncio.run(paraphrase([PAIR], config(), stops, None))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What is the length of the ring?", "How long is the ring?", True),
        ("Why does the beam stop?", "What is the reason that the beam stops?", True),
        ("How many cavities are there?", "What is the number of cavities?", True),
        ("What is the diameter of the chamber?", "What is the length of the chamber?", False),
        ("When was the ring built?", "Where was the ring built?", False),
        ("Who built the ring?", "Is the ring built?", False),
        ("储存环的周长是多少？", "储存环有多长？", True),
        ("储存环的周长是多少？", "储存环的能量是多少？", False),
        ("高频腔为什么会失步？", "高频腔何时会失步？", False),
    ],
)
def test_what_is_asked_for(one: str, other: str, same: bool) -> None:
    assert (asks_otherwise(one, other) is None) == same
    assert (asks_otherwise(other, one) is None) == same
