"""What is examined is not trained on: exams, seals, decontamination, and the last look for leaks."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from harvest.records import Document, Paper, Section
from harvest.store import FieldsmithError, UsageError, append_line, save_lines
from qagen.curate.dataset import examples, passages, representatives
from qagen.curate.decontaminate import assert_no_leaks, decontaminate, held_out_grams, is_held_out_text
from qagen.curate.exams import draw_exam, halves, read_expert, verify_seal, write_exams
from qagen.records import Example, ExamQuestion, Message, Passage, QAPair, SplitEntry


def pair(name: str, question: str, answer: str, document: str = "a") -> QAPair:
    return QAPair(name, document, "c", "fact", "en", question, answer, (), "teacher", "prompt", "CC0-1.0")


def document(name: str, text: str, sections: tuple[Section, ...] = ()) -> Document:
    return Document(name, Paper(name, "folder", f"Title of {name}"), sections, text, hashlib.sha256(text.encode()).hexdigest(), "test 1")


def numbers(count: int) -> list[QAPair]:
    units = ["V", "A", "mm"]
    return [pair(f"p{n:03d}", f"How much has thing{n}?", f"{n + 2} {units[n % 3]}", f"d{n % 5}") for n in range(count)]


# ---- exams


def test_an_exam_is_spread_over_documents_and_its_right_answers_over_the_places() -> None:
    exam = draw_exam(numbers(90), 40, lambda held: "", seed=3)
    assert Counter(question.document_id for question in exam) == {f"d{n}": 8 for n in range(5)}
    assert Counter(question.correct for question in exam) == {0: 10, 1: 10, 2: 10, 3: 10}
    assert exam == draw_exam(list(reversed(numbers(90))), 40, lambda held: "", seed=3)
    assert exam != draw_exam(numbers(90), 40, lambda held: "", seed=4)


def test_wrong_options_have_the_form_of_the_right_one_and_are_wrong() -> None:
    for question in draw_exam(numbers(90), 40, lambda held: "", seed=3):
        assert question.correct is not None
        assert question.options[question.correct] == question.answer
        assert len({option.split()[0] for option in question.options}) == 4
        assert len({option.split()[1] for option in question.options}) == 1, "the unit gives nothing away"


def test_the_same_answer_in_other_words_is_no_wrong_option() -> None:
    pairs = [
        pair("1", "q1?", "24 V"),
        pair("2", "q2?", "24 volts"),
        pair("3", "q3?", "0.024 kV"),
        pair("4", "q4?", "5 V"),
        pair("5", "q5?", "6 V"),
    ]
    assert all(question.options == () and question.correct is None for question in draw_exam(pairs, 5, lambda held: "", seed=1))


def expert_file(folder: Path, *lines: object) -> Path:
    path = folder / "exam.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def test_an_expert_exam_and_its_halves(tmp_path: Path) -> None:
    lines = [
        {"question": "q1?", "answer": "x", "document": "a", "options": ["y", "x"]},
        {"question": "q2?", "answer": "x", "document": "u", "id": "mine", "evidence": "Because."},
        {"question": "能量是多少？", "answer": "3 GeV"},
    ]
    expert = read_expert(expert_file(tmp_path, *lines), {"a", "u"})
    assert [question.correct for question in expert] == [1, None, None]
    trained, held_out = halves(expert, {"a": "train", "u": "unseen"})
    assert ([question.question for question in trained], [question.id for question in held_out]) == (["q1?"], ["mine"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"question": "q?", "answer": "x", "document": "t-mere-vacum"}, "'t-mere-vacum' is not in this run; the nearest are t-mere-vacuum"),
        ({"question": "q?"}, "answer: Field required"),
        ({"question": "q?", "answer": "x", "optoins": ["x"]}, "there is no field 'optoins'; the nearest are options"),
        ({"question": "q?", "answer": "x", "options": ["y", "z"]}, "answer is not among the options"),
        ({"question": "q?", "answer": "x", "options": ["y", "x"], "correct": 0}, "correct points at 'y'"),
        ({"question": "q?", "answer": "x", "options": ["x", "x"]}, "all different"),
        ({"question": "q1?", "answer": "x", "id": "one"}, "twice"),
        ("text", "line 2"),
    ],
)
def test_a_fault_of_the_expert_exam_is_one_sentence_with_file_and_line(tmp_path: Path, line: object, words: str) -> None:
    path = expert_file(tmp_path, {"question": "q0?", "answer": "x", "id": "one"}, line)
    with pytest.raises(UsageError) as error:
        read_expert(path, {"t-mere-vacuum", "other"})
    assert f"{path}, line 2" in str(error.value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


QUESTION = ExamQuestion("e1", "a", "What is the beam energy of the Mere ring?", "3 GeV", evidence="The Mere ring stores beam at 3 GeV.")


def test_a_seal_notices_every_change(tmp_path: Path) -> None:
    write_exams(tmp_path, {"seen": [QUESTION], "unseen": []})
    assert {name: seal.n for name, seal in verify_seal(tmp_path).items()} == {"seen": 1}
    save_lines(tmp_path / "more.jsonl", [QUESTION])
    with pytest.raises(FieldsmithError, match="no sealed exam"):
        verify_seal(tmp_path)
    (tmp_path / "more.jsonl").unlink()
    with (tmp_path / "seen.jsonl").open("a") as file:
        file.write(" ")
    with pytest.raises(FieldsmithError, match="changed after it was sealed"):
        verify_seal(tmp_path)
    (tmp_path / "seen.jsonl").unlink()
    with pytest.raises(FieldsmithError, match="missing"):
        verify_seal(tmp_path)


# ---- decontamination


@pytest.mark.parametrize(
    ("question", "answer", "stays"),
    [
        ("What is the beam energy of the Mere ring?", "3 GeV", False),
        ("Which energy has the beam in the Mere ring?", "3 GeV", False),
        ("What is the energy of the beam of the Mere ring during user operation?", "3 GeV", False),
        ("What is the beam energy of the Mere ring?", "7 GeV", False),
        ("What is the beam current of the Mere ring?", "500 mA", True),
        ("What is the beam energy of the Heron booster?", "3 GeV", True),
        ("How many dipoles are there?", "96", True),
    ],
)
def test_what_is_near_an_exam_question_goes(question: str, answer: str, stays: bool) -> None:
    kept, rejected = decontaminate([pair("p", question, answer)], {"unseen": [QUESTION]}, lambda held: [], threshold=0.8)
    assert bool(kept) == stays
    assert [item.reason for item in rejected] == ([] if stays else ["exam-question"])


def test_the_fact_of_a_seen_question_is_not_asked_in_other_words() -> None:
    twin = pair("p", "At how many electronvolts do electrons circulate?", "3 GeV")
    other = pair("o", "Which machine stores beam?", "the Mere ring")
    kept, rejected = decontaminate([twin, other], {"seen": [QUESTION]}, lambda held: ["The Mere ring stores beam at 3 GeV."], threshold=0.8)
    assert kept == [other]
    assert [(item.id, item.stage, item.reason) for item in rejected] == [("p", "decontaminate", "exam-fact")]
    assert decontaminate([twin], {"unseen": [QUESTION]}, lambda held: [""], threshold=0.8)[0] == [twin]


# ---- files


def test_the_format_of_a_training_line_is_fixed(tmp_path: Path) -> None:
    save_lines(tmp_path / "train.jsonl", examples([pair("p1", "能量？", "3 GeV")]))
    assert (tmp_path / "train.jsonl").read_text(encoding="utf-8") == (
        '{"messages": [{"role": "user", "content": "能量？"}, {"role": "assistant", "content": "3 GeV"}], '
        '"pair_id": "p1", "document_id": "a", "licence": "CC0-1.0"}\n'
    )


def test_passages_hold_all_prose_once_below_its_title() -> None:
    abstract, body = "An abstract.\n\n", "\n\n".join(f"Paragraph {n} " + "says something. " * 20 for n in range(12)) + "\n\n"
    references = "[1] A. Author, A paper, 2020.\n"
    text = f"{abstract}Optics\n\n{body}References\n\n{references}"
    start, end = text.index("Paragraph 0"), text.index("References")
    made = list(passages(document("a", text, (Section("Optics", 1, start, end), Section("References", 1, end + 12, len(text))))))
    assert made.pop(0).text == "Title of a\nAn abstract.\n\nOptics", "what no section holds is text all the same"
    assert all(passage.text.startswith("Title of a: Optics\nParagraph") for passage in made)
    assert all(len(passage.text) <= 2000 + len("Title of a: Optics\n") for passage in made)
    assert " ".join(" ".join(passage.text.split("\n", 1)[1].split()) for passage in made) == " ".join(body.split())


def test_long_text_without_paragraphs_is_cut_at_sentences() -> None:
    made = list(passages(document("a", "储存环的束流很稳定。" * 500)))
    assert len(made) == 3
    assert all(passage.text.endswith("。") and len(passage.text) < 2100 for passage in made)


def test_of_copies_only_the_longest_is_read() -> None:
    split = [SplitEntry("a", "a", "train"), SplitEntry("b", "a", "train"), SplitEntry("c", "c", "train"), SplitEntry("u", "u", "unseen")]
    assert representatives(split, {"a": 5, "b": 9, "c": 1, "u": 99}) == ["b", "c"]


# ---- leaks, planted

HELD_OUT = document(
    "u", "The Osprey gun fires a short pulse into the buncher, and the operators of the shift check that the pulse is there."
)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    split = [SplitEntry("a", "a", "train"), SplitEntry("u", "u", "unseen"), SplitEntry("v", "v", "validation")]
    save_lines(tmp_path / "split.jsonl", split)
    write_exams(tmp_path / "exams", {"seen": [QUESTION]})
    for name, owner in (("train", "a"), ("validation", "v")):
        save_lines(tmp_path / f"{name}.jsonl", examples([pair("p", "How many dipoles are there?", "96", owner)]))
    save_lines(tmp_path / "corpus.jsonl", [Passage("a#0001", "a", "Title\nThe ring of the facility has many dipoles in it.", "CC0-1.0")])
    return tmp_path


def look(dataset: Path) -> None:
    assert_no_leaks(dataset, [HELD_OUT], threshold=0.8, near_copy=0.5)


def test_a_clean_dataset_passes(dataset: Path) -> None:
    look(dataset)


def chat(question: str, answer: str, owner: str) -> Example:
    return Example((Message("user", question), Message("assistant", answer)), "x", owner, "CC0-1.0")


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("train", chat("Who fires?", "the gun", "u"), "train.jsonl, line 2: the document u"),
        ("train", chat("Who fires?", "the gun", "v"), "in part validation"),
        ("train", chat("Who fires?", "the gun", "stranger"), "in no part of the split"),
        ("train", chat("Which energy has the beam of the Mere ring?", "3 GeV", "a"), "it asks the question e1"),
        ("validation", chat("What is the beam energy of the MERE ring", "3 GeV", "v"), "validation.jsonl, line 2: it asks the question e1"),
        ("validation", chat("Who fires?", "the gun", "a"), "in part train"),
        ("corpus", Passage("u#0001", "u", "Title\nText.", "CC0-1.0"), "corpus.jsonl, line 2: the document u"),
        ("corpus", Passage("a#0002", "a", f"Title\n{HELD_OUT.text}", "CC0-1.0"), "its text is that of a held-out document"),
    ],
)
def test_a_planted_leak_is_found(dataset: Path, file: str, line: object, words: str) -> None:
    append_line(dataset / f"{file}.jsonl", line)
    with pytest.raises(FieldsmithError) as error:
        look(dataset)
    assert words in str(error.value)


def test_a_copy_of_a_trained_document_in_the_exam_is_found(dataset: Path) -> None:
    append_line(dataset / "split.jsonl", SplitEntry("copy", "a", "unseen"))
    with pytest.raises(FieldsmithError, match="a copy of it is in part unseen"):
        look(dataset)


def test_an_unsealed_or_changed_exam_is_found(dataset: Path) -> None:
    append_line(dataset / "exams" / "seen.jsonl", QUESTION)
    with pytest.raises(FieldsmithError, match="changed after it was sealed"):
        look(dataset)
    (dataset / "exams" / "seal.json").unlink()
    with pytest.raises(FieldsmithError, match="not sealed"):
        look(dataset)


def test_held_out_text_is_known_by_its_words_not_by_its_title() -> None:
    held_out = held_out_grams([HELD_OUT])
    assert is_held_out_text(f"Any title\n{HELD_OUT.text.replace('short', 'long')}", held_out, 0.5)
    assert not is_held_out_text("Any title\n" + "The ring of the facility has many dipoles in it. " * 3, held_out, 0.5)
