"""What an exam asks is not trained on, however it is dressed; what only looks like it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qagen.curate.contamination import ExamCheck, as_asked
from qagen.curate.decontaminate import decontaminate
from qagen.curate.dedup import THRESHOLD
from qagen.records import ExamQuestion, QAPair

LABELLED = Path(__file__).parent.parent / "benchmarks" / "labelled" / "contamination.jsonl"
EXAM = ExamQuestion("e1", "doc", "Which gas fills the drift chamber of the Heron detector?", "Helium")


def pair(name: str, question: str, answer: str) -> QAPair:
    return QAPair(name, "doc", "chunk", "fact", "en", question, answer, (), "teacher", "prompt", "CC0-1.0")


def asked(question: str, answer: str = "It is unknown") -> bool:
    return ExamCheck([EXAM], THRESHOLD)(question, answer) is not None


def test_labelled_cases() -> None:
    counts: Counter[tuple[bool, bool]] = Counter()
    for line in LABELLED.read_text(encoding="utf-8").splitlines():
        _, same, question, answer, other, given_ = json.loads(line)
        counts[same, ExamCheck([ExamQuestion("e", "d", question, answer)], THRESHOLD)(other, given_) is not None] += 1
    right, missed, false = counts[True, True], counts[True, False], counts[False, True]
    assert right / (right + false) >= 0.95, "precision"
    assert right / (right + missed) >= 0.9, "recall"


@pytest.mark.parametrize(
    "question",
    [
        EXAM.question,
        EXAM.question.upper(),
        f"Answer in one sentence. {EXAM.question}",
        f"The detector was built in 1998 and holds 12,000 wires.\n\nQuestion: {EXAM.question}",
        f"{EXAM.question}\nA) Argon\nB) Helium\nC) Neon",
        f"{EXAM.question} (1) argon (2) helium (3) neon (4) xenon",
        "In the Heron detector, the drift chamber is filled with which gas?",
    ],
)
def test_an_exam_question_is_known_in_every_dress(question: str) -> None:
    assert asked(question, "Helium")


@pytest.mark.parametrize(
    "question",
    [
        "Which gas fills the drift chamber of the Teal detector?",
        "Which gas cools the drift chamber of the Heron detector?",
        "How many wires has the drift chamber of the Heron detector?",
        "Which gas fills the Cherenkov counter of the Heron detector?",
        "Answer in one sentence. Which pump serves the drift chamber?",
    ],
)
def test_another_question_of_the_same_thing_is_clean(question: str) -> None:
    assert not asked(question, "Helium")


def test_the_letter_of_an_option_is_read_as_the_option() -> None:
    assert as_asked("Which one?\nA) argon\nB) helium\nC) neon", "B").pair.answer.words == ("helium",)
    assert as_asked("Which one? (a) argon (b) helium", "(b) helium").pair.answer.words == ("helium",)
    assert as_asked("At what voltage does cell A. of the row work?", "B").pair.answer.words == ("b",)


@settings(max_examples=60, deadline=None)
@given(
    before=st.sampled_from(["", "Read with care. ", "Context: the hall was built in 1990.\nQuestion: ", "请回答："]),
    after=st.sampled_from(["", "\nA) one\nB) two", " Explain briefly."]),
    answer=st.text(max_size=20),
)
def test_the_very_question_is_never_missed(before: str, after: str, answer: str) -> None:
    assert asked(f"{before}{EXAM.question}{after}", answer)


def test_files_that_the_lab_names_count_as_exams() -> None:
    files = {"bench.jsonl": [pair("b7", "What is the gap of the crystal?", "1.1 eV")]}
    pairs = [pair("p1", "How large is the crystal's gap?", "1.1 eV"), pair("p2", "What is the colour of the crystal?", "Violet")]
    kept, rejected = decontaminate(pairs, {"seen": [EXAM]}, lambda held: [], threshold=THRESHOLD, foreign=files)
    assert [held.id for held in kept] == ["p2"]
    assert [(item.id, item.reason, item.detail) for item in rejected] == [
        ("p1", "exam-question", "near question b7 of the file bench.jsonl")
    ]


def test_an_embedding_finds_a_question_in_other_words() -> None:
    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([[1, 0] if {"drift", "jaula"} & set(text.split()) else [0, 1] for text in texts], dtype=np.float32)

    foreign = pair("p", "que llena la jaula de hilos", "helio")
    assert decontaminate([foreign], {"seen": [EXAM]}, lambda held: [], threshold=THRESHOLD)[0]
    assert not decontaminate([foreign], {"seen": [EXAM]}, lambda held: [], threshold=THRESHOLD, embed=embed)[0]
