"""The kinds of exam: later, written by people, general, unanswerable; and the files that lie beside them."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from test_qagen_stage import make_document, make_run, parts, settings
from test_split import document, prose

from harvest.records import Document, Rejection
from harvest.store import UsageError, load, load_lines, safe_name, save, save_lines
from qagen.config import ExamConfig, QAGenConfig, SplitConfig
from qagen.curate.contamination import ExamCheck
from qagen.curate.expert import read_expert, read_general
from qagen.curate.seal import MAKER, verify_seal
from qagen.curate.split import first_day, is_later, split_documents
from qagen.curate.unanswerable import draw_unanswerable
from qagen.records import ChunkLine, Example, ExamQuestion, Passage, QAPair, SplitEntry
from qagen.stage import build_dataset, count_leaks, split
from train.records import ExamItem
from train.records import Passage as Found

LATER = SplitConfig(later=date(2026, 3, 1))


def published(held: Document, day: str | None) -> Document:
    return replace(held, paper=replace(held.paper, published=day))


def dated(count: int, late: int, day: str = "2026-05-04T00:00:00Z") -> list[Document]:
    return [published(document(f"d{n:02d}", prose(n)), day if n < late else "2020-01-01") for n in range(count)]


def part_of(documents: list[Document], config: SplitConfig = LATER, previous: list[SplitEntry] | None = None) -> dict[str, str]:
    return {entry.document_id: entry.part for entry in split_documents(documents, config, seed=1, previous=previous or ())}


# ---- later


def test_what_appeared_on_the_day_or_after_it_is_a_part_of_its_own() -> None:
    found = part_of(dated(20, 5))
    assert {name for name, part in found.items() if part == "later"} == {f"d{n:02d}" for n in range(5)}
    assert {"train", "validation", "unseen"} <= set(found.values())
    assert "later" not in part_of(dated(20, 5), SplitConfig()).values()


@given(st.dates(date(1990, 1, 1), date(2035, 1, 1)), st.dates(date(1990, 1, 1), date(2035, 1, 1)))
def test_the_day_itself_is_later(day: date, cutoff: date) -> None:
    assert is_later(f"{day}T12:00:00Z", cutoff) == is_later(str(day), cutoff) == (day >= cutoff)


def test_a_year_or_a_month_counts_as_its_first_day_and_nonsense_as_none() -> None:
    assert [first_day(said) for said in ("2026", "2026-04", "2026-04-30")] == [date(2026, 1, 1), date(2026, 4, 1), date(2026, 4, 30)]
    assert [first_day(said) for said in (None, "", "in press", "2026-13-01", "20261")] == [None] * 5


def test_documents_without_a_day_count_as_earlier_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    documents = [*dated(8, 1), *(document(f"x{n}", prose(50 + n)) for n in range(3))]
    with caplog.at_level(logging.WARNING):
        found = part_of(documents)
    assert {found[f"x{n}"] for n in range(3)} <= {"train", "validation", "unseen"}
    assert "3 documents say no day" in caplog.text


def test_a_copy_from_before_keeps_a_later_document_out_of_the_later_exam_and_both_out_of_training() -> None:
    copies = [published(document("old", prose(90)), "2021-01-01"), published(document("new", prose(90)), "2026-09-01")]
    found = part_of([*dated(20, 3), *copies])
    assert (found["old"], found["new"]) == ("unseen", "unseen")
    before = [SplitEntry("old", "old", "train")]
    again = part_of([*dated(20, 3), *copies], previous=before)
    assert (again["old"], again["new"]) == ("validation", "validation"), "what was trained on is no exam, and is trained on no more"


def test_what_a_lab_assigns_by_name_wins_over_the_day() -> None:
    found = part_of(dated(12, 4), SplitConfig(later=date(2026, 3, 1), assign={"unseen": ("d01", "d09")}))
    assert (found["d01"], found["d09"], found["d00"]) == ("unseen", "unseen", "later")


def test_if_all_is_later_nothing_is_left_to_train_on() -> None:
    with pytest.raises(UsageError, match=r"appeared after split\.later"):
        part_of(dated(6, 6))


def late_run(run: Path) -> QAGenConfig:
    make_run(run, range(16))
    for number in range(4):
        held = make_document(number)[0]
        save(run / "documents" / f"{safe_name(held.id)}.json", published(held, "2026-06-01"))
    return settings(split={"later": "2026-03-01"})


def test_the_later_exam_asks_about_later_documents_and_no_file_that_is_trained_on_holds_them(tmp_path: Path) -> None:
    config = late_run(tmp_path)
    record = split(config, tmp_path, seed=1)
    assert record.counts["documents"]["later"] == 4
    record = build_dataset(config, tmp_path, seed=1)
    later = {name for name, part in parts(tmp_path).items() if part == "later"}
    folder = tmp_path / "dataset"
    exam = list(load_lines(folder / "exams" / "later.jsonl", ExamQuestion))
    assert {question.document_id for question in exam} == later
    assert record.counts["exams"]["later"] == len(exam) > 8
    for name in ("train", "validation", "corpus", "validation_corpus"):
        assert not any(held in (folder / f"{name}.jsonl").read_text() for held in later), name
    assert later <= {chunk.document_id for chunk in load_lines(folder / "chunks.jsonl", ChunkLine)}
    assert count_leaks(config, tmp_path) == 0
    assert (folder / "published" / "exams" / "later.jsonl").exists()


def test_a_line_of_a_later_document_in_the_training_data_is_a_leak(tmp_path: Path) -> None:
    config = late_run(tmp_path)
    split(config, tmp_path, seed=1)
    build_dataset(config, tmp_path, seed=1)
    path = tmp_path / "dataset" / "train.jsonl"
    lines = list(load_lines(path, Example))
    save_lines(path, [replace(lines[0], document_id="note:00"), *lines[1:]])
    assert parts(tmp_path)["note:00"] == "later"
    assert count_leaks(config, tmp_path) == 1


# ---- written by people


def table(folder: Path, text: str, name: str = "exam.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8-sig")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "question,A,B,C,D,correct\nWhat?,x,y,z,w,B\nWhy?,p,q,r,s,D\n",
        "question,A,B,C,D,correct\nWhat?,x,y,z,w,1\nWhy?,p,q,r,s,3\n",
        "question,option_a,option_b,option_c,option_d,answer\nWhat?,x,y,z,w,y\nWhy?,p,q,r,s,s\n",
        'Question;options;answer\nWhat?;"[""x"", ""y"", ""z"", ""w""]";y\nWhy?;"[""p"", ""q"", ""r"", ""s""]";s\n',
        "问题,选项A,选项B,选项C,选项D,正确选项\nWhat?,x,y,z,w,B\nWhy?,p,q,r,s,D\n",
    ],
)
def test_a_table_of_choices_is_read_however_the_right_option_is_named(tmp_path: Path, text: str) -> None:
    exam = read_expert(table(tmp_path, text), ())
    assert [(question.answer, question.correct, len(question.options)) for question in exam] == [("y", 1, 4), ("s", 3, 4)]


def test_a_plain_list_of_open_questions_is_enough(tmp_path: Path) -> None:
    text = 'question,answer\nWhat is a klystron?,An amplifier.\n"Why, then, is it tuned?","To, say, 3 GHz."\n什么是束流？,粒子流\n'
    exam = read_expert(table(tmp_path, text), ())
    assert [(question.question, question.answer, question.options) for question in exam][1:] == [
        ("Why, then, is it tuned?", "To, say, 3 GHz.", ()),
        ("什么是束流？", "粒子流", ()),
    ]
    assert len({question.id for question in exam}) == 3


def test_open_questions_and_choices_may_stand_in_one_table_with_all_that_is_known(tmp_path: Path) -> None:
    text = (
        "id,document,question,answer,A,B,correct,evidence,answerable,licence\n"
        "one,a,Which?,,x,y,A,It is x.,,CC0-1.0\n"
        "two,,Who?,It is not known.,,,,,no,\n"
    )
    exam = read_expert(table(tmp_path, text), {"a"})
    assert exam[0] == ExamQuestion("one", "a", "Which?", "x", ("x", "y"), 0, "It is x.", True, "CC0-1.0")
    assert (exam[1].options, exam[1].correct, exam[1].answerable) == ((), None, False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("question,answer\nWhat?,\n", "line 2: answer: String should have at least 1 character"),
        ("question,A,B,correct\nWhat?,x,y,A\nWhy?,x,y,E\n", "line 3: its right answer 'E' names none of its 2 options"),
        ("question,answer,document\nWhat?,x,b\n", "line 2: the document 'b' is not in this run"),
        ("question,answer\nWhat?,x,more\n", "line 2: it has 3 cells"),
        ("question,answer\n", "holds no question"),
        ("question,answer,answerable\nWhat?,x,perhaps\n", "line 2: answerable: Input should be a valid boolean"),
    ],
)
def test_a_fault_of_a_table_is_one_sentence_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        read_expert(table(tmp_path, text), {"a"})
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"exam\.xlsx; an exam is a \.jsonl, .*\.csv, \.tsv file"):
        read_expert(table(tmp_path, "x", "exam.xlsx"), ())


@pytest.mark.parametrize("correct", [1, "B", "b)", "y", "1"])
def test_in_jsonl_too_the_right_option_is_named_by_index_letter_or_text(tmp_path: Path, correct: int | str) -> None:
    line = {"question": "What?", "answer": "y, as everybody knows", "options": ["x", "y"], "correct": correct}
    path = table(tmp_path, json.dumps(line) + "\n", "exam.jsonl")
    [question] = read_expert(path, ())
    assert (question.correct, question.answer) == (1, "y"), "what is scored openly is the option, as an exam's file promises"
    assert question.evidence == "y, as everybody knows"


def test_an_expert_exam_that_can_be_guessed_is_sealed_as_it_is_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = tmp_path / "run"
    make_run(run, range(12))
    rows = [f"What is {n}?,{n},{n + 1},{n + 2},the longest by far {n},D" for n in range(40)]
    config = settings(table(tmp_path, "question,A,B,C,D,correct\n" + "\n".join(rows) + "\n"))
    split(config, run, seed=1)
    with caplog.at_level(logging.WARNING):
        build_dataset(config, run, seed=1)
    assert "the exam expert can be guessed without reading it: `place 4` is right for 40 of its choices, by chance 10" in caplog.text
    assert len(list(load_lines(run / "dataset" / "exams" / "expert.jsonl", ExamQuestion))) == 40


# ---- general


def test_the_general_exam_comes_with_qagen_and_a_lab_may_bring_its_own(tmp_path: Path) -> None:
    ours = read_general()
    assert len(ours) >= 100
    assert all(question.options[question.correct] == question.answer for question in ours if question.correct is not None)
    own = read_general(table(tmp_path, '{"question": "Who?", "answer": "I", "document": "of another run"}\n', "mine.jsonl"))
    assert [(question.question, question.document_id) for question in own] == [("Who?", "")]
    assert [ExamConfig.model_validate({"general": said}).general for said in (True, False, "mine.jsonl")] == [
        True,
        False,
        Path("mine.jsonl"),
    ]
    assert ExamConfig(general=Path("mine.jsonl")).absolute(tmp_path).general == tmp_path / "mine.jsonl"


def test_what_is_near_a_general_question_is_not_trained_on_and_counted(tmp_path: Path) -> None:
    run = tmp_path / "run"
    make_run(run, range(12))
    general = table(tmp_path, '{"question": "Which planet is the largest of the solar system?", "answer": "Jupiter"}\n', "mine.jsonl")
    config = settings(exams={"seen": 8, "unseen": 10, "unanswerable": 0, "general": general})
    split(config, run, seed=1)
    home = next(name for name, part in parts(run).items() if part == "train")
    path = run / "pairs" / f"{safe_name(home)}.jsonl"
    near = replace(next(load_lines(path, QAPair)), id="near", question="Which is the largest planet of the solar system?", answer="Jupiter")
    save_lines(path, [*load_lines(path, QAPair), near])
    record = build_dataset(config, run, seed=1)
    assert record.counts["rejections"]["general-question"] == 1
    assert record.counts["exams"]["general"] == 1
    [gone] = [one for held in (run / "rejected" / "decontaminate").glob("*") for one in load_lines(held, Rejection) if one.id == "near"]
    assert "the exam general" in gone.detail
    assert not (run / "dataset" / "published" / "exams" / "general.jsonl").exists()


# ---- unanswerable


def pair(name: str, question: str, answer: str, kind: str = "fact", language: str = "en", home: str = "a") -> QAPair:
    return QAPair(name, home, "c", kind, language, question, answer, (), "t", "p", "CC0-1.0")


def unanswerable(pairs: list[QAPair], n: int, *texts: str) -> list[ExamQuestion]:
    return draw_unanswerable(pairs, n, lambda held: "", seed=1, threshold=0.5, texts=texts)


def test_questions_that_sources_leave_open_come_first_but_for_those_that_another_source_answers() -> None:
    silent = [
        pair("u1", "What did the vacuum vessel of the Heron booster cost?", "The document does not say.", "unanswerable"),
        pair("u2", "What is the beam energy of the Mere ring?", "The document does not say.", "unanswerable"),
        replace(pair("u3", "What did the vessel of the booster Heron cost?", "It is not said.", "unanswerable"), paraphrase_of="u1"),
    ]
    exam = unanswerable([*silent, pair("e", "What is the beam energy of the Mere ring?", "3 GeV", home="b")], 1)
    assert [(question.id, question.answerable, question.licence) for question in exam] == [("u1", False, "CC0-1.0")]


def test_questions_about_things_that_do_not_exist_fill_up_and_leave_the_real_ones_to_be_trained_on() -> None:
    pairs = [
        pair("p1", "What is the diameter of the Bittern cavity?", "462 mm"),
        pair("p2", "What is the distance between Mere and Heron?", "90 m"),
        pair("p3", "How large is the cavity?", "large"),
        pair("p4", "In which month was the Bittern cavity installed at CERN?", "March"),
        pair("p5", "“鲫鱼”直线段有多长？", "12 米", language="zh"),
    ]
    exam = {question.id: question for question in unanswerable(pairs, 9)}
    assert set(exam) == {"p1-invented", "p5-invented"}, "another name, or none, leaves it open what is asked about"
    asked = exam["p1-invented"].question
    name = asked.removeprefix("What is the diameter of the ").removesuffix(" cavity?")
    assert name != "Bittern"
    assert name in exam["p1-invented"].answer
    assert not any(question.answerable or question.options for question in exam.values())
    check = ExamCheck(list(exam.values()), 0.5)
    assert [check(held.question, held.answer) for held in pairs] == [None] * 5
    again = unanswerable(pairs, 9, f"The {name} cavity is there.")
    assert name not in "".join(question.question for question in again), "a name that a document has is no invented one"


def test_the_unanswerable_exam_leaves_most_unanswerable_pairs_of_trained_documents_to_learn_from(tmp_path: Path) -> None:
    make_run(tmp_path, range(12))
    config = settings(exams={"seen": 4, "unseen": 4, "general": False, "unanswerable": 100})
    split(config, tmp_path, seed=1)
    things = ["hull", "pier", "quay", "mast"]
    for number in range(12):
        held = make_document(number)[0]
        path, machine = tmp_path / "pairs" / f"{safe_name(held.id)}.jsonl", held.paper.title.split()[-1]
        silent = [
            pair(
                f"{held.id}/u{n}",
                f"Who painted the {thing} of {machine}?",
                "It is not said.",
                "unanswerable",
                home=held.id,
            )
            for n, thing in enumerate(things)
        ]
        save_lines(path, [*load_lines(path, QAPair), *silent])
    build_dataset(config, tmp_path, seed=1)
    exam = list(load_lines(tmp_path / "dataset" / "exams" / "unanswerable.jsonl", ExamQuestion))
    trained = {name for name, part in parts(tmp_path).items() if part == "train"}
    asked = [question for question in exam if not question.id.endswith("-invented")]
    assert {question.document_id for question in asked} - trained, "held-out documents are asked about"
    taught = [line for line in load_lines(tmp_path / "dataset" / "train.jsonl", Example) if "painted" in line.messages[0].content]
    assert len(taught) > sum(question.document_id in trained for question in asked) > 0
    assert {line.pair_id for line in taught} & {question.id for question in exam} == set()


# ---- files beside


@pytest.fixture
def run(tmp_path: Path) -> Path:
    make_run(tmp_path, range(12))
    split(settings(), tmp_path, seed=1)
    build_dataset(settings(), tmp_path, seed=1)
    return tmp_path


def test_a_seal_says_by_what_and_with_which_seed_the_exam_was_made(run: Path) -> None:
    seals = verify_seal(run / "dataset" / "exams")
    assert {(seal.maker, seal.seed) for seal in seals.values()} == {(MAKER, 1)}
    old = {name: {"sha256": seal.sha256, "n": seal.n} for name, seal in seals.items()}
    save(run / "dataset" / "exams" / "seal.json", old)
    assert {name: seal.n for name, seal in verify_seal(run / "dataset" / "exams").items()} == {"seen": 8, "unseen": 10}


def test_every_exam_line_can_be_read_by_train(run: Path) -> None:
    for path in (run / "dataset" / "exams").glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            item = TypeAdapter(ExamItem).validate_json(line)
            assert item.correct is None or item.options[item.correct] == item.answer


def test_all_chunks_of_all_documents_lie_ready_for_retrieval(run: Path) -> None:
    lines = list(load_lines(run / "dataset" / "chunks.jsonl", ChunkLine))
    assert {line.document_id for line in lines} == set(parts(run))
    for line in lines:
        held = load(run / "documents" / f"{safe_name(line.document_id)}.json", Document)
        assert line.text in held.text
        assert (line.title, line.section, line.licence) == (held.paper.title, "Settings", held.paper.licence)
    found = list(load_lines(run / "dataset" / "chunks.jsonl", Found))
    assert [one.id for one in found] == [line.id for line in lines]


def test_validation_documents_have_texts_of_their_own_to_watch_by(run: Path) -> None:
    watched = list(load_lines(run / "dataset" / "validation_corpus.jsonl", Passage))
    assert {passage.document_id for passage in watched} == {name for name, part in parts(run).items() if part == "validation"}
    assert all(passage.text.startswith(f"{passage.title} — {passage.section}\n\n") for passage in watched)


def test_only_what_licences_allow_is_passed_on_of_the_texts(run: Path) -> None:
    for name in ("chunks", "corpus"):
        lines = (run / "dataset" / "published" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert {json.loads(line)["licence"] for line in lines} == {"CC-BY-4.0"}
    card = (run / "dataset" / "README.md").read_text(encoding="utf-8")
    assert "held-out ones too" in card
    assert "config_name: chunks" in card
    assert f"version {MAKER} of the exam maker, seed 1" in card
