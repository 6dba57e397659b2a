"""What is examined is not trained on: exams, seals, decontamination, and the last look for leaks."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harvest.records import Document, Paper, Section
from harvest.store import FieldsmithError, UsageError, append_line, save_lines
from qagen.curate.card import Card, kinds_of, own_lines, write_card
from qagen.curate.chats import asked, for_part
from qagen.curate.dataset import examples, passages, representatives
from qagen.curate.decontaminate import assert_no_leaks, decontaminate, held_out_grams, is_held_out_text
from qagen.curate.exams import draw_exam, question_of, untouched
from qagen.curate.expert import halves, read_expert
from qagen.curate.making import Making
from qagen.curate.parquet import write_parquet
from qagen.curate.publish import published
from qagen.curate.seal import verify_seal, write_exams
from qagen.records import Example, ExamQuestion, Message, Passage, QAPair, Restatement, Span, SplitEntry, Step


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
    places = Counter(question.correct for question in exam if question.options)
    assert set(places) == {0, 1, 2, 3}
    assert max(places.values()) - min(places.values()) <= 1
    assert exam == draw_exam(list(reversed(numbers(90))), 40, lambda held: "", seed=3)
    assert exam != draw_exam(numbers(90), 40, lambda held: "", seed=4)


def test_wrong_options_have_the_form_of_the_right_one_and_are_wrong() -> None:
    exam = [question for question in draw_exam(numbers(90), 40, lambda held: "", seed=3) if question.options]
    assert len(exam) >= 30
    for question in exam:
        assert question.correct is not None
        assert question.options[question.correct] == question.answer
        assert len({option.split()[0] for option in question.options}) == 4
        assert len({option.split()[1] for option in question.options}) == 1, "the unit gives nothing away"


def test_the_same_answer_in_other_words_is_no_wrong_option() -> None:
    pairs = [pair("1", "q1?", "24 V"), pair("2", "q2?", "24 volts"), pair("3", "q3?", "0.024 kV"), pair("4", "q4?", "5 V")]
    for question in draw_exam([*pairs, pair("5", "q5?", "6 V")], 5, lambda held: "", seed=1, learnt=False):
        same = [option for option in question.options if option in ("24 V", "24 volts", "0.024 kV")]
        assert len(same) <= 1


def choice(number: int) -> QAPair:
    made = pair(f"c{number}", f"Which setting has device {number}?", f"right {number}", f"d{number % 3}")
    return replace(made, kind="choice", distractors=(f"x {number}", f"y {number}", f"z {number}"))


def fair(number: int) -> QAPair:
    colours = random.Random(number).sample(["amber", "beige", "coral", "ebony", "ivory", "mauve", "olive", "lilac"], 4)
    made = pair(f"c{number}", f"Which colour has device {number}?", colours[0], f"d{number % 3}")
    return replace(made, kind="choice", distractors=tuple(colours[1:]))


def test_a_choice_is_examined_with_its_own_wrong_options() -> None:
    pairs = {held.id: held for held in map(fair, range(40))}
    exam = [question for question in draw_exam(list(pairs.values()), 40, lambda held: "", seed=1) if question.options]
    assert len(exam) > 30
    places = Counter(question.correct for question in exam)
    assert max(places.values()) - min(places.values()) <= 1
    own = [set(question.options) == {question.answer, *pairs[question.id].distractors} for question in exam]
    assert sum(own) > 0.8 * len(own), "another question's answer stands in only where the teacher's options give theirs away"


def test_a_choice_whose_own_options_give_it_away_is_asked_openly() -> None:
    exam = draw_exam([choice(n) for n in range(40)], 40, lambda held: "", seed=1)
    assert sum(max(question.options, key=len) == question.answer for question in exam if question.options) <= 2


def test_an_exam_has_the_mix_of_kinds_of_its_pairs() -> None:
    facts = [replace(held, kind="fact") for held in numbers(60)]
    own = [replace(choice(n), document_id=f"own:sim/{n}", kind="own") for n in range(30)]
    exam = draw_exam([*facts, *own, *(choice(n) for n in range(50, 60))], 20, lambda held: "", seed=2)
    kinds = {held.id: held.kind for held in [*facts, *own]} | {f"c{n}": "choice" for n in range(50, 60)}
    assert Counter(kinds[question.id] for question in exam) == {"fact": 12, "own": 6, "choice": 2}


def test_paraphrases_and_unanswerable_questions_are_not_examined() -> None:
    again = [replace(held, id=f"{held.id}b", paraphrase_of=held.id) for held in numbers(10)]
    silent = [replace(held, id=f"{held.id}u", kind="unanswerable") for held in numbers(10)]
    exam = draw_exam([*numbers(10), *again, *silent], 30, lambda held: "", seed=2)
    assert {question.id for question in exam} == {held.id for held in numbers(10)}
    left = untouched([*numbers(10), *again], exam[:3])
    assert {question.id for question in exam[:3]} & {name for held in left for name in (held.id, held.paraphrase_of)} == set()
    assert len(left) == 14


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
        ({"question": "q?", "answer": "x", "options": ["y", "x"], "correct": "C"}, "correct is 'C'"),
        ({"question": "q?", "answer": "x", "answerable": "perhaps"}, "answerable: Input should be a valid boolean"),
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


def test_steps_stand_before_the_answer_and_options_are_lettered() -> None:
    worked = replace(pair("w", "How far?", "6 m"), steps=(Step("v = 2 m/s"), Step("2 m/s · 3 s = 6 m")))
    said = [chat.messages[1].content for chat in examples([worked, replace(worked, id="z", language="zh")])]
    assert said == ["1. v = 2 m/s\n2. 2 m/s · 3 s = 6 m\n\nAnswer: 6 m", "1. v = 2 m/s\n2. 2 m/s · 3 s = 6 m\n\n答案：6 m"]
    numbered = replace(worked, steps=(Step("Step 1: think"), Step("Step 2: answer")))
    assert examples([numbered])[0].messages[1].content.startswith("Step 1: think\nStep 2")
    chats = examples([choice(n) for n in range(40)])
    assert Counter(chat.messages[1].content[0] for chat in chats) == {"A": 10, "B": 10, "C": 10, "D": 10}
    assert all(f"\n{chat.messages[1].content}" in chat.messages[0].content for chat in chats)
    assert chats == examples([choice(n) for n in reversed(range(40))])


def test_what_a_chat_asks_is_the_pairs_question_and_answer_again() -> None:
    steps = (Step("first"), Step("then"))
    pairs = [
        pair("p", "Why?", "So."),
        choice(1),
        replace(choice(2), steps=steps),
        replace(pair("z", "为何？", "因此"), steps=steps, language="zh"),
    ]
    found = {chat.pair_id: asked(chat.messages) for chat in examples(pairs)}
    assert found == {held.id: (held.question, held.answer) for held in pairs}


def test_paraphrases_are_for_training_only() -> None:
    pairs = [pair("p", "q?", "x"), replace(pair("q", "r?", "x"), paraphrase_of="p"), pair("v", "s?", "x", "b")]
    pairs.append(replace(pair("w", "t?", "x", "b"), paraphrase_of="v"))
    part_of = {"a": "train", "b": "validation"}
    assert [held.id for part in ("train", "validation") for held in for_part(pairs, part_of, part)] == ["p", "q", "v"]  # type: ignore[arg-type]


def test_parquet_holds_the_same_examples_with_all_that_is_known(tmp_path: Path) -> None:
    from datasets import load_dataset

    proved = replace(pair("p", "能量？", "3 GeV"), evidence=(Span(4, 9), Span(0, 3, "other")), scores={"faithful": 90.0}, marks=("known",))
    pairs = {held.id: held for held in (proved, replace(choice(1), document_id="own:sim/1"))}
    chats = examples(pairs.values())

    def title(name: str) -> str:
        return "" if name.startswith("own:") else f"Title of {name}"

    for _ in range(2):
        write_parquet(tmp_path / "parquet" / "train.parquet", chats, pairs, title, lambda held: ["It is."] * bool(held.evidence))
    rows = {row["pair_id"]: row for row in load_dataset(str(tmp_path / "parquet"), cache_dir=str(tmp_path / "cache"))["train"]}
    assert rows["p"]["messages"][0]["content"] == "能量？"
    spans = [{"document_id": "a", "start": 4, "end": 9}, {"document_id": "other", "start": 0, "end": 3}]
    assert (rows["p"]["document_title"], rows["p"]["evidence"], rows["p"]["spans"]) == ("Title of a", ["It is."], spans)
    assert rows["p"]["scores"] == [{"name": "faithful", "score": 90.0}]
    assert (rows["c1"]["document_title"], rows["c1"]["distractors"]) == ("", ["x 1", "y 1", "z 1"])
    assert [path.name for path in (tmp_path / "parquet").iterdir()] == ["train.parquet"]


def test_own_pairs_are_published_by_their_own_licence() -> None:
    open_, closed = (
        replace(choice(n), document_id=f"own:sim/{n}", licence=licence) for n, licence in ((1, "CC0-1.0"), (2, "LicenseRef-unknown"))
    )
    exams = {"unseen": [question_of(held, "", (held.answer, *held.distractors), 0) for held in (open_, closed)]}
    view = published({"train": examples([open_, closed])}, {}, exams, [open_, closed], [], ["CC0-1.0"])
    assert [chat.pair_id for chat in view.chats["train"]] == ["c1"]
    assert [(question.id, len(question.options)) for question in view.exams["unseen"]] == [("c1", 4)]


def test_a_pair_across_papers_is_published_only_if_both_may_be() -> None:
    across = replace(pair("p", "Which is longer?", "the ring"), evidence=(Span(0, 3, "a"), Span(0, 3, "b")))
    for open_, ids in ((["a", "b"], ["p"]), (["a"], [])):
        view = published({"train": examples([across])}, {}, {}, [across], open_, ["CC0-1.0"])
        assert [chat.pair_id for chat in view.chats["train"]] == ids


def test_the_card_says_what_there_is_and_what_was_not_looked_at() -> None:
    pairs = [replace(choice(n), document_id=f"own:sim/{n}", licence="MIT") for n in range(3)]
    making = Making(("gpt",), "judge-1", "", {"f00d": "open"}, {"rules": {"evidence-missing": 4}}, 2, "19 of 20 good", {"money": 1.25})
    kinds = kinds_of(pairs, {f"own:sim/{n}": "train" for n in range(3)})
    card = Card({}, {}, (), frozenset(), "", ("en",), {}, ("train.jsonl",), own_lines(pairs), kinds=kinds, making=making)
    text = write_card(card)
    for words in (
        "| train | choice | en | 3 |",
        "| own:sim | 3 | 3 | MIT |",
        "Teacher: `gpt`",
        "Judge: `judge-1`",
        "open `f00d`",
        "| rules | evidence-missing | 4 |",
        "disagree on a value: 2.",
        "Read by a person: 19 of 20 good.",
        "money: 1.25",
        "license: mit",
    ):
        assert words in text
    silent = write_card(replace(card, making=Making()))
    assert "Read by a person: not reviewed." in silent
    assert "disagree on a value" not in silent


def test_passages_hold_all_prose_once_below_its_title() -> None:
    abstract, body = "An abstract.\n\n", "\n\n".join(f"Paragraph {n} " + "says something. " * 20 for n in range(12)) + "\n\n"
    references = "[1] A. Author, A paper, 2020.\n"
    text = f"{abstract}Optics\n\n{body}References\n\n{references}"
    start, end = text.index("Paragraph 0"), text.index("References")
    made = list(passages(document("a", text, (Section("Optics", 1, start, end), Section("References", 1, end + 12, len(text))))))
    assert made.pop(0).text == "Title of a\n\nAn abstract.\n\nOptics", "what no section holds is text all the same"
    assert all(passage.text.startswith("Title of a — Optics\n\nParagraph") for passage in made)
    assert {(passage.title, passage.section) for passage in made} == {("Title of a", "Optics")}
    assert all(len(passage.text) <= 2000 + len("Title of a — Optics\n\n") for passage in made)
    assert " ".join(" ".join(passage.text.split("\n", 2)[2].split()) for passage in made) == " ".join(body.split())


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


def again(owner: str, text: str) -> Restatement:
    return Restatement("r", f"{owner}#0-9", owner, "lecture", f"Title\n\n{text}", "CC0-1.0")


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
        ("validation_corpus", Passage("a#0002", "a", "Title\nText.", "CC0-1.0"), "in part train"),
        ("restatements", again("u", "It fires."), "restatements.jsonl, line 1: the document u"),
        ("restatements", again("a", HELD_OUT.text), "its text is that of a held-out document"),
        ("restatements", again("a", "What is the beam energy of the Mere ring? It is 3 GeV."), "it asks the question e1"),
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
