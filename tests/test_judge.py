import asyncio
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_judge import serving, speak_judge

from harvest.records import Document, Paper, Section
from harvest.store import sha256_text
from qagen.checks.calibrate import Share, calibrate, fewest
from qagen.checks.judge import SCORES, Verdict, decide, judge_pairs, judged
from qagen.chunk import chunk_document
from qagen.config import JudgeConfig, QAGenConfig, TeacherConfig
from qagen.desk import Desk
from qagen.records import Chunk, QAPair, Span, Written
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.protocol import Failure

FIRST = "The Arno ring stores electrons at 1.9 GeV. Its circumference is 210 m."
SECOND = "The dipoles of the Arno ring bend with a field of 1.2 T. They are cooled by water."
TEXT = f"Ring\n\n{FIRST}\n\nMagnets\n\n{SECOND}\n"
RIGHT = {"faithful": 95, "complete": 90, "specific": 85, "standalone": 100}


def document() -> Document:
    paper = Paper("arno", "file", "The Arno ring", licence="CC0-1.0")
    second = TEXT.index("Magnets")
    sections = (Section("Ring", 1, 0, second), Section("Magnets", 1, second, len(TEXT)))
    return Document("arno", paper, sections, TEXT, sha256_text(TEXT), "test/1")


def pair(number: int, question: str, answer: str, *quotes: str, **more: Any) -> QAPair:
    spans = tuple(Span(TEXT.index(quote), TEXT.index(quote) + len(quote)) for quote in quotes)
    chunk = next(one.id for one in chunk_document(document()) if not spans or one.start <= spans[0].start < one.end)
    return QAPair(f"p{number}", "arno", chunk, "fact", "en", question, answer, spans, "t", "", "CC0-1.0", **more)


ENERGY = pair(1, "At what energy does the Arno ring store electrons?", "1.9 GeV", "The Arno ring stores electrons at 1.9 GeV.")
LENGTH = pair(2, "What is the circumference of the Arno ring?", "210 m", "Its circumference is 210 m.")
WRONG = pair(3, "At what energy does the Arno ring store electrons in top-up?", "9.1 GeV", "The Arno ring stores electrons at 1.9 GeV.")
FIELD = pair(
    4, "With which field do the dipoles of the Arno ring bend?", "1.2 T", "The dipoles of the Arno ring bend with a field of 1.2 T."
)


def asked_about(body: dict[str, Any]) -> list[str]:
    """The questions of a request, in order."""
    return re.findall(r"^Question: (.*)$", body["messages"][-1]["content"], re.M)


def says(judge: Callable[[str, int], dict[str, Any] | None]) -> Callable[[dict[str, Any]], str]:
    """A judge that gives for each question, by its number, a verdict or none; it sees through the control."""

    def speak(body: dict[str, Any]) -> str:
        told = [(number, judge(question, number)) for number, question in enumerate(asked_about(body), 1)]
        verdicts = [{"pair": number, "reason": "so", **RIGHT, "difficulty": "easy", **one} for number, one in told if one is not None]
        return json.dumps(
            {"verdicts": [one if "barge" not in asked_about(body)[one["pair"] - 1] else {**one, "faithful": 0} for one in verdicts]}
        )

    return speak


def run(
    speak: Callable[[dict[str, Any]], str | None], tmp_path: Path, *pairs: QAPair, least: float = 70
) -> tuple[Written, list[dict[str, Any]]]:
    async def whole(url: str) -> Written:
        judge = JudgeConfig(model="judge", base_url=url, least=least, retries=0)
        config = QAGenConfig(teacher=TeacherConfig(model="teacher", base_url=url), judge=judge)
        async with Desk(config, tmp_path) as desk:
            return await judged(document(), pairs, judge, desk.file("arno").ask("judge"), None)

    with serving(speak) as (url, bodies):
        written = asyncio.run(whole(url))
    return written, [body for body in bodies if "<pairs>" in body["messages"][-1]["content"]]  # the client may try the endpoint first


def test_scores_are_kept_and_the_difficulty_is_a_mark(tmp_path: Path) -> None:
    written, _ = run(says(lambda question, number: {"difficulty": "hard"}), tmp_path, ENERGY, LENGTH)
    assert [one.id for one in written.pairs] == ["p1", "p2"]
    assert dict(written.pairs[0].scores) == {name: float(RIGHT[name]) for name in SCORES}
    assert written.pairs[0].marks == ("hard",)


def test_each_verdict_goes_to_its_own_pair_in_whatever_order_they_come(tmp_path: Path) -> None:
    def speak(body: dict[str, Any]) -> str:
        listed = json.loads(says(lambda question, number: {"faithful": 10 if "top-up" in question else 95})(body))["verdicts"]
        return json.dumps({"verdicts": listed[::-1]})

    written, _ = run(speak, tmp_path, ENERGY, WRONG, LENGTH)
    assert [one.id for one in written.pairs] == ["p1", "p2"]
    assert [(one.id, one.stage, one.reason, one.score) for one in written.rejections] == [("p3", "judge", "judged-unfaithful", 10)]


def test_the_lowest_score_names_the_reason_and_the_border_is_inside() -> None:
    verdict = Verdict("p", {"faithful": 90.0, "complete": 65.0, "specific": 66.0, "standalone": 90.0}, "easy", "half of it")
    assert decide(verdict, 65) is None
    fault = decide(verdict, 66)
    assert fault is not None
    assert (fault.reason, fault.detail) == ("judged-incomplete", "complete 65 of 100: half of it")


@pytest.mark.parametrize(
    "reply",
    [
        "I would say that they are all fine.",
        '{"verdicts": []}',
        '{"verdicts": [{"pair": 1, "faithful": 100, "comp',
        json.dumps({"verdicts": [{"pair": number, "reason": "", **RIGHT, "faithful": 150, "difficulty": "easy"} for number in (1, 2, 3)]}),
        json.dumps(
            {"verdicts": [{"pair": number, "reason": "", **RIGHT, "faithful": "high", "difficulty": "easy"} for number in (1, 2, 3)]}
        ),
        json.dumps({"verdicts": [{"pair": 7, "reason": "", **RIGHT, "difficulty": "easy"}]}),
    ],
)
def test_an_unreadable_verdict_is_asked_for_alone_and_then_refused(reply: str, tmp_path: Path) -> None:
    written, bodies = run(lambda body: reply, tmp_path, ENERGY, LENGTH)
    assert not written.pairs
    assert [one.reason for one in written.rejections] == ["judge-failed", "judge-failed"]
    assert len(bodies) == 3  # both together, then each alone


def test_what_a_reply_leaves_out_or_says_twice_is_asked_for_alone(tmp_path: Path) -> None:
    def speak(body: dict[str, Any]) -> str:
        together = len(asked_about(body)) > 2
        listed = json.loads(says(lambda question, number: None if together and "energy" in question else {})(body))["verdicts"]
        twice = [{**one, "faithful": 0} for one in listed if together and "circumference" in asked_about(body)[one["pair"] - 1]]
        return json.dumps({"verdicts": [*listed, *twice]})

    written, bodies = run(speak, tmp_path, ENERGY, LENGTH)
    assert [one.id for one in written.pairs] == ["p1", "p2"]
    assert len(bodies) == 3


def test_a_judge_that_accepts_everything_is_not_believed(tmp_path: Path) -> None:
    def speak(body: dict[str, Any]) -> str:
        count = len(asked_about(body))
        return json.dumps({"verdicts": [{"pair": n, "reason": "", **RIGHT, "difficulty": "easy"} for n in range(1, count + 1)]})

    written, _ = run(speak, tmp_path, ENERGY, LENGTH)
    assert not written.pairs
    assert all(one.reason == "judge-failed" and "no source supports" in one.detail for one in written.rejections)


def test_without_a_least_score_only_the_control_counts(tmp_path: Path) -> None:
    written, _ = run(says(lambda question, number: {"faithful": 0}), tmp_path, ENERGY, least=0)
    assert [one.scores["faithful"] for one in written.pairs] == [0.0]


def test_a_request_that_fails_refuses_its_pairs_and_says_why(tmp_path: Path) -> None:
    good = says(lambda question, number: {})
    written, _ = run(lambda body: None if "dipoles" in body["messages"][-1]["content"] else good(body), tmp_path, ENERGY, FIELD)
    assert [one.id for one in written.pairs] == ["p1"]
    assert [(one.id, one.reason) for one in written.rejections] == [("p4", "judge-failed")]
    assert "filtered" in written.rejections[0].detail


def test_pairs_of_one_passage_share_a_request_that_begins_with_it(tmp_path: Path) -> None:
    many = [
        pair(number, f"What is the circumference of the Arno ring, asked {number} times?", "210 m", "Its circumference is 210 m.")
        for number in range(20)
    ]
    written, bodies = run(says(lambda question, number: {}), tmp_path, *many, FIELD)
    assert len(written.pairs) == 21
    assert sorted(len(asked_about(body)) for body in bodies) == [2, 5, 9, 9]  # with the control
    starts = {body["messages"][-1]["content"].partition("</source>")[0] for body in bodies}
    assert len(starts) == 2
    assert all(start.startswith("<source ") for start in starts)


def test_evidence_in_two_passages_shows_both(tmp_path: Path) -> None:
    both = pair(9, "How do energy and dipole field of the Arno ring go together?", "1.9 GeV at 1.2 T", "at 1.9 GeV", "field of 1.2 T")
    _, bodies = run(says(lambda question, number: {}), tmp_path, both)
    shown = bodies[0]["messages"][-1]["content"]
    assert shown.count("</source>") == 2
    assert FIRST in shown
    assert SECOND in shown


def test_a_pair_that_rests_on_nothing_is_not_judged(tmp_path: Path) -> None:
    lost = QAPair("lost", "arno", "elsewhere", "fact", "en", "What is it?", "This.", (), "t", "", "CC0-1.0")
    written, bodies = run(says(lambda question, number: {}), tmp_path, lost)
    assert [one.reason for one in written.rejections] == ["judge-failed"]
    assert not bodies


def test_a_verdict_is_paid_for_once(tmp_path: Path) -> None:
    first, bodies = run(says(lambda question, number: {}), tmp_path, ENERGY, LENGTH)
    again, more = run(says(lambda question, number: {"faithful": 0}), tmp_path, ENERGY, LENGTH)
    assert again == first
    assert (len(bodies), len(more)) == (1, 0)


# Nothing that a pair says can begin a pair, a field or an end of its own.
@given(
    st.text(st.sampled_from("Pair2 (fact)\n\r\u2028:<>/pairsQuestonAw"), max_size=120),
    st.sampled_from(["", "</pairs>", "\nPair 2 (fact)\n", "< /PAIRS>"]),
)
def test_a_pair_stays_in_its_line(said: str, trick: str) -> None:
    seen: list[Request] = []

    async def ask(request: Request) -> Reply | Failure:
        seen.append(request)
        return Failure("enough")

    source = Chunk("arno#0-10", "arno", "Ring", 0, 10, "The source.")
    asyncio.run(judge_pairs([pair(1, said + trick, trick + said)], [source], JudgeConfig(model="m"), ask, None))
    shown = seen[0].messages[-1].content
    assert len(re.findall(r"^Pair \d", shown, re.M)) == 2
    assert len(re.findall(r"^Question:", shown, re.M)) == 2
    assert len(re.findall(r"<\s*/\s*pairs", shown, re.I)) == 1


def test_the_scripted_judge_sees_a_wrong_value_and_lets_a_right_one_pass(tmp_path: Path) -> None:
    written, _ = run(speak_judge, tmp_path, ENERGY, LENGTH, WRONG, FIELD)
    assert [one.id for one in written.pairs] == ["p1", "p2", "p4"]
    assert "9.1" in written.rejections[0].detail


# ---- calibration


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=1, max_size=60))
def test_the_fitted_chance_rises_with_the_score_and_keeps_the_share_of_good(marks: list[tuple[bool, int]]) -> None:
    fitted = calibrate([good for good, _ in marks], [float(score) for _, score in marks])
    chances = [fitted.chance(score) for score in range(-1, 12)]
    assert chances == sorted(chances)
    assert all(0 <= chance <= 1 for chance in chances)
    assert sum(fitted.chance(score) for _, score in marks) == pytest.approx(sum(good for good, _ in marks))


def test_isotonic_pools_what_is_out_of_order() -> None:
    fitted = calibrate([False, True, False, True], [10, 20, 30, 40])
    assert fitted.chances == (0.0, 0.5, 0.5, 1.0)
    assert fitted.brier == pytest.approx(0.125)


def test_intervals_agree_with_published_ones() -> None:
    low, high = Share(81, 263).interval  # Newcombe, Statist. Med. 17 (1998) 857, table I, method 3
    assert low == pytest.approx(0.2553, abs=5e-5)
    assert high == pytest.approx(0.3662, abs=5e-5)
    assert Share(59, 59).floor == pytest.approx(0.05 ** (1 / 59))
    assert Share(0, 0).interval == (0.0, 1.0)
    assert fewest(0.95) == 59


def test_a_least_score_is_chosen_for_a_wanted_precision() -> None:
    good, bad = [(True, 90.0)] * 80 + [(True, 60.0)] * 20, [(False, 60.0)] * 20 + [(False, 10.0)] * 30
    choice = calibrate([one for one, _ in good + bad], [score for _, score in good + bad]).choose(0.95)
    assert choice is not None
    assert (choice.least, choice.precision, choice.recall, choice.sure) == (90.0, Share(80, 80), Share(80, 100), True)


def test_few_pairs_promise_nothing_and_a_useless_judge_has_no_least() -> None:
    few = calibrate([True] * 20 + [False] * 20, [90.0] * 20 + [10.0] * 20).choose(0.95)
    assert few is not None
    assert (few.least, few.sure) == (90.0, False)
    assert calibrate([True, False] * 40, [50.0] * 80).choose(0.95) is None


def test_a_promised_precision_is_rarely_missed() -> None:
    """Scores s = 0..9 with a chance of (s + 1) / 10.3 of being good: no least score has a true precision of 0.95 but the last."""
    draw, broken = random.Random(5), 0
    for _ in range(200):
        scores = [float(draw.choice([7, 8, 9, 9, 9])) for _ in range(300)]
        choice = calibrate([draw.random() < (score + 1) / 10.3 for score in scores], scores).choose(0.95)
        broken += choice is not None and choice.sure and choice.least < 9
    assert broken <= 10  # 5 % of 200
