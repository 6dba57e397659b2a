"""Anyone's files: every layout says the same, what is wrong is named with its place, and each stage reads what it should."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from harvest.store import FieldsmithError, save_lines
from train.config import ReplayConfig, StageConfig
from train.data import IGNORED, Row, read_conversations, read_texts
from train.dataset import digests, has_validation, hold_back, prepare
from train.entries import read_entries
from train.layouts import Conversation, Text, conversation, headed

words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).map(str.strip).filter(bool)
said = st.one_of(words, st.sampled_from(["储存环的束流是多少？", '"quoted" \\ and {braces}', "two\nlines", "human", "<|im_end|>"]))
exchanges = st.lists(st.tuples(said, said), min_size=1, max_size=3)

# ---- the layouts, as others write them


def messages(pairs: list[tuple[str, str]], system: str | None) -> dict[str, Any]:
    head = [{"role": "system", "content": system}] if system else []
    return {"messages": [*head, *({"role": r, "content": s} for pair in pairs for r, s in zip(("user", "assistant"), pair, strict=True))]}


def sharegpt(pairs: list[tuple[str, str]], system: str | None) -> dict[str, Any]:
    turns = [{"from": who, "value": text} for pair in pairs for who, text in zip(("human", "gpt"), pair, strict=True)]
    return {"conversations": turns, "id": "identity_7"} | ({"system": system} if system else {})


def alpaca(pairs: list[tuple[str, str]], system: str | None) -> dict[str, Any]:
    *history, (question, answer) = pairs
    return {"instruction": question, "input": "", "output": answer, "system": system or "", "history": [list(pair) for pair in history]}


def parts(pairs: list[tuple[str, str]], system: str | None) -> dict[str, Any]:
    whole = messages(pairs, system)["messages"]
    whole[-1]["content"] = [{"type": "text", "text": whole[-1]["content"]}]
    return {"prompt": whole[:-1], "completion": whole[-1:]}


def said_by(one: Conversation) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in one.turns]


@settings(deadline=None)
@given(exchanges, st.none() | said, st.sampled_from([messages, sharegpt, alpaca, parts]))
def test_chats_come_back_as_they_were_said(pairs: list[tuple[str, str]], system: str | None, layout: Any) -> None:
    entry = json.loads(json.dumps(layout(pairs, system)))
    expected = [("system", system)] if system else []
    expected += [turn for question, answer in pairs for turn in (("user", question), ("assistant", answer))]
    assert said_by(conversation(entry, "name", "here")) == expected


CAMEL = {"role_1": "Physicist_RoleType.ASSISTANT", "topic;": "Quantum mechanics", "sub_topic": "Spin"}


@settings(deadline=None)
@given(said, said)
def test_pairs_come_back_as_they_were_said(question: str, answer: str) -> None:
    for asked, answered in [
        ("question", "answer"),
        ("question", "response"),
        ("prompt", "response"),
        ("prompt", "completion"),
        ("instruction", "output"),
        ("instruction", "response"),
        ("query", "response"),
        ("input", "output"),
        ("message_1", "message_2"),
    ]:
        one = conversation({asked: f" {question}\n", answered: answer, "language": "en", **CAMEL}, "name", "here")
        assert said_by(one) == [("user", question), ("assistant", answer)]


def test_what_goes_with_a_question_is_asked_with_it() -> None:
    assert said_by(conversation({"instruction": "Sum up.", "input": "A text.", "output": "a"}, "", ""))[0][1] == "Sum up.\n\nA text."
    assert said_by(conversation({"question": "Who?", "context": "He.", "answer": "a"}, "", ""))[0][1] == "He.\n\nWho?"


# ---- files


def test_all_kinds_of_files_and_a_mix_of_layouts_are_read(tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = [
        {"question": "q1", "answer": "答案"},
        {"instruction": "q2", "output": "a2"},
        {**CAMEL, "message_1": "q3", "message_2": "a3"},
        {"conversations": [{"from": "human", "value": "q4"}, {"from": "gpt", "value": "a4"}]},
    ]
    (tmp_path / "array.json").write_text(json.dumps(entries, indent=1), encoding="utf-8-sig")
    (tmp_path / "lines.jsonl").write_text("\n\n".join(json.dumps(one, ensure_ascii=False) for one in entries), encoding="utf-8")
    (tmp_path / "lines.json").write_text("\n".join(map(json.dumps, entries)))
    folder = tmp_path / "folder" / "deeper"
    folder.mkdir(parents=True)
    for number, one in enumerate(entries):
        (folder / f"{number:03}.json").write_text(json.dumps(one, indent=2))
    (folder / ".hidden.json").write_text("{")
    (folder / "LICENSE.txt").write_text("free")
    expected = [("q1", "答案"), ("q2", "a2"), ("q3", "a3"), ("q4", "a4")]
    for name in ("array.json", "lines.jsonl", "lines.json", "folder"):
        found = read_conversations(tmp_path / name)
        assert [(one.turns[0].content, one.turns[1].content) for one in found] == expected, name
    assert read_conversations(tmp_path / "array.json")[0].name == "array.json:1"
    assert read_conversations(tmp_path / "folder")[2].name == "deeper/002.json"


def test_an_id_of_a_pair_is_its_name(tmp_path: Path) -> None:
    save_lines(tmp_path / "pairs.jsonl", [{"question": "q", "answer": "a", "pair_id": "p1"}])
    assert read_conversations(tmp_path / "pairs.jsonl")[0].name == "p1"


BAD = [
    ("{", "is not JSON"),
    ("[]", "is not a JSON object but a list"),
    ('{"question": "q"}', "has question but no answer to go with it"),
    ('{"output": "q"}', "has output but no instruction to go with it"),
    ('{"frage": "q", "antwort": "a"}', "is neither a chat nor a pair: it has frage, antwort; known are messages, "),
    ("{}", "it has nothing"),
    ('{"question": "q", "answer": " "}', "answer, is empty"),
    ('{"question": "q", "answer": 3}', "answer, is not a text but a number"),
    ('{"question": "q", "answer": null}', "answer, is not a text but null"),
    ('{"question": "\\ud83d", "answer": "a"}', "question, holds half a character"),
    ('{"messages": [{"role": "user", "content": "q"}]}', "no message of the assistant"),
    ('{"messages": [{"role": "boss", "content": "q"}]}', "messages, message 1, has the role 'boss'"),
    ('{"messages": [{"role": "user"}]}', "messages, message 1, has no content"),
    ('{"messages": ["hello"]}', "messages, message 1, is not an object"),
    ('{"conversations": [{"value": "q"}]}', "conversations, message 1, has no role"),
    ('{"instruction": "q", "output": "a", "history": [["only one"]]}', "history 1, is not a question and its answer"),
    ('{"question": ' + "[" * 100_000 + "}", "is not JSON that can be read"),
    ('{"question": ' + "9" * 5000 + "}", "is not JSON that can be read"),
]


@pytest.mark.parametrize(("line", "what"), BAD, ids=[what[:30] for _, what in BAD])
def test_a_bad_entry_is_named_with_its_place(line: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"question": "q", "answer": "a"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(FieldsmithError) as caught:
        read_conversations(path)
    assert what in str(caught.value)
    assert str(caught.value).startswith(f"{path}, line 2,")
    assert "\n" not in str(caught.value)


def test_places_in_arrays_and_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "array.json").write_text('[{"question": "q", "answer": "a"}, {"question": "q"}]')
    with pytest.raises(FieldsmithError, match=r"array\.json, entry 2, has question but no answer"):
        read_conversations(tmp_path / "array.json")
    (tmp_path / "torn.json").write_text('[{"question": "q", "answer": "a"},\n {"question"')
    with pytest.raises(FieldsmithError, match=r"torn\.json, is not JSON \(.*line 2, column"):
        read_conversations(tmp_path / "torn.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FieldsmithError, match="holds no JSON or JSONL file"):
        read_conversations(tmp_path / "folder")
    (tmp_path / "folder" / "a.json").write_text('{"message_1": "q"}')
    with pytest.raises(FieldsmithError, match=r"folder/a\.json, has message_1 but no message_2"):
        read_conversations(tmp_path / "folder")
    (tmp_path / "latin.jsonl").write_bytes('{"question": "é", "answer": "a"}'.encode("latin-1"))
    with pytest.raises(FieldsmithError, match="is not UTF-8"):
        read_conversations(tmp_path / "latin.jsonl")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
@settings(deadline=None)
def test_no_value_whatever_brings_more_than_a_sentence(value: Any) -> None:
    for key, other in (("messages", "x"), ("question", "answer"), ("prompt", "completion"), ("history", "output"), ("text", "title")):
        problem = ""
        try:
            conversation({key: value, other: value, "instruction": "i"}, "name", "here")
        except FieldsmithError as error:
            problem = str(error)
        assert not problem or problem.startswith("here, ")


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match="no file"):
        read_texts(tmp_path / "corpus.jsonl")
    for nothing in ("\n", "", "[]"):
        (tmp_path / "corpus.jsonl").write_text(nothing)
        with pytest.raises(FieldsmithError, match="empty"):
            read_texts(tmp_path / "corpus.jsonl")
    (tmp_path / "corpus.jsonl").write_text('{"txet": "x"}\n')
    with pytest.raises(FieldsmithError, match="line 1, has no text"):
        read_texts(tmp_path / "corpus.jsonl")


# ---- texts and their headings

headings = st.lists(st.text("abc:# 光", min_size=1, max_size=8).map(str.strip).filter(lambda one: bool(one.strip("# :"))), max_size=2)


@settings(deadline=None)
@given(st.text("abc:#\n 光", max_size=30).map(str.strip), headings)
def test_headings_stand_once_however_often_they_are_put_there(body: str, some: list[str]) -> None:
    once = headed(body, some)
    assert headed(once, some) == once
    if some:
        assert once.startswith(": ".join(" ".join(one.split()) for one in some))


@pytest.mark.parametrize(
    "body",
    [
        "The ring stores 300 mA.",
        "Mere: RF system\nThe ring stores 300 mA.",
        "# Mere\n\n## RF  system\n\nThe ring stores 300 mA.",
        "RF system\nThe ring stores 300 mA.",
    ],
)
def test_title_and_section_stand_above_the_text_once(body: str, tmp_path: Path) -> None:
    save_lines(tmp_path / "corpus.jsonl", [{"text": body, "title": "Mere", "section": "RF system", "document_id": "d"}])
    assert read_texts(tmp_path / "corpus.jsonl") == [Text("corpus.jsonl:1", "d", "Mere: RF system\nThe ring stores 300 mA.")]


def test_a_sentence_that_begins_like_its_title_is_left_whole() -> None:
    assert headed("Mere is a ring.", ["Mere"]) == "Mere\nMere is a ring."


# ---- what a stage takes


@pytest.fixture(scope="module")
def tokenizer(base: str) -> Any:
    return AutoTokenizer.from_pretrained(base)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    save_lines(folder / "train.jsonl", [{"question": "train", "answer": "T"}])
    save_lines(folder / "validation.jsonl", [{"question": "validate", "answer": "V"}])
    save_lines(folder / "corpus.jsonl", [{"text": f"corpus {n}", "document_id": f"d{n // 2}"} for n in range(8)])
    save_lines(folder / "restatements.jsonl", [{"text": f"again {n}", "document_id": f"d{n}"} for n in range(4)])
    return folder


def told(tokenizer: Any, rows: tuple[Row, ...]) -> str:
    return "|".join(tokenizer.decode([token for token in row["labels"] if token != IGNORED], skip_special_tokens=True) for row in rows)


def sft(**settings: Any) -> StageConfig:
    return StageConfig(kind="sft", max_length=128, **settings)


def cpt(**settings: Any) -> StageConfig:
    return StageConfig(kind="cpt", max_length=2048, **settings)


def test_a_stages_own_data_stands_in_place_of_the_datasets(dataset: Path, tokenizer: Any, tmp_path: Path) -> None:
    own, held = tmp_path / "measured.json", tmp_path / "held"
    own.write_text(json.dumps([{"prompt": "own", "response": "O"}]))
    held.mkdir()
    (held / "one.json").write_text(json.dumps({"message_1": "held", "message_2": "H"}))
    plain = prepare(dataset, sft(), tokenizer, None, seed=0)
    assert (told(tokenizer, plain.learn.rows), told(tokenizer, plain.watch.rows)) == ("T", "V")
    measured = prepare(dataset, sft(data=own), tokenizer, None, seed=0)
    assert (told(tokenizer, measured.learn.rows), told(tokenizer, measured.watch.rows)) == ("O", "V")
    both = prepare(dataset, sft(data=own, validation=held), tokenizer, None, seed=0)
    assert (told(tokenizer, both.learn.rows), told(tokenizer, both.watch.rows)) == ("O", "H")
    one_file = prepare(dataset / "train.jsonl", sft(), tokenizer, None, seed=0)
    assert (told(tokenizer, one_file.learn.rows), one_file.watch.rows) == ("T", ())


def test_texts_and_restatements_are_learnt_and_held_out_ones_watched(dataset: Path, tokenizer: Any) -> None:
    plain = prepare(dataset, cpt(), tokenizer, None, seed=0)
    assert told(tokenizer, plain.learn.rows) == "".join(f"corpus {n}" for n in range(8))
    assert plain.watch.rows == ()
    more = prepare(dataset, cpt(restatements=True), tokenizer, None, seed=0)
    assert told(tokenizer, more.learn.rows) == "".join([*(f"corpus {n}" for n in range(8)), *(f"again {n}" for n in range(4))])
    save_lines(dataset / "validation_corpus.jsonl", [{"text": "kept away"}])
    assert told(tokenizer, prepare(dataset, cpt(early_stopping=2), tokenizer, None, seed=0).watch.rows) == "kept away"


def test_documents_are_held_back_where_cpt_is_watched_and_nothing_else_is_held_out(dataset: Path, tokenizer: Any) -> None:
    """Whole documents, with what restates them; and it is said."""
    material = prepare(dataset, cpt(early_stopping=2, restatements=True), tokenizer, None, seed=0)
    learnt, watched = told(tokenizer, material.learn.rows), told(tokenizer, material.watch.rows)
    [document] = [n for n in range(4) if f"again {n}" in watched]
    assert watched == f"corpus {2 * document}corpus {2 * document + 1}again {document}"
    assert not any(text in learnt for text in (f"corpus {2 * document}", f"corpus {2 * document + 1}", f"again {document}"))
    assert material.notes == ("1 document of the texts were held back to watch the loss of cpt on",)


texts_ = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 300)), min_size=1, max_size=30)


@given(texts_)
def test_what_is_held_back_is_whole_documents_and_little(some: list[tuple[int, int]]) -> None:
    texts = [Text(str(at), str(document), "x" * size) for at, (document, size) in enumerate(some)]
    learnt, held = hold_back(texts)
    assert sorted([*learnt, *held], key=lambda one: int(one.name)) == texts
    assert not {one.document for one in learnt} & {one.document for one in held}
    assert learnt
    assert bool(held) == (len({one.document for one in texts}) > 1)
    total = sum(len(one.text) for one in texts)
    sizes = [sum(len(one.text) for one in held if one.document == document) for document in {one.document for one in held}]
    assert not held or sum(sizes) - max(sizes) < 0.05 * total


def test_a_stage_that_cannot_be_fed_says_why(dataset: Path, tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match="a cpt stage needs a dataset folder"):
        prepare(dataset / "train.jsonl", cpt(), tokenizer, None, seed=0)
    with pytest.raises(FieldsmithError, match=r"no file .*measured\.jsonl"):
        prepare(dataset, sft(data=tmp_path / "measured.jsonl"), tokenizer, None, seed=0)
    with pytest.raises(FieldsmithError, match=r"no file .*held\.jsonl"):
        prepare(dataset, sft(validation=tmp_path / "held.jsonl"), tokenizer, None, seed=0)
    (dataset / "restatements.jsonl").unlink()
    with pytest.raises(FieldsmithError, match=r"restatements: true needs .*restatements\.jsonl"):
        prepare(dataset, cpt(restatements=True), tokenizer, None, seed=0)
    with pytest.raises(FieldsmithError, match="nothing to learn"):
        prepare(dataset, StageConfig(kind="sft", max_length=16), tokenizer, None, seed=0)


def test_a_change_of_any_file_that_a_stage_reads_is_seen(dataset: Path, tmp_path: Path) -> None:
    own, held, general = (tmp_path / f"{name}.jsonl" for name in ("own", "held", "general"))
    for path in (own, held, general, dataset / "validation_corpus.jsonl"):
        save_lines(path, [{"text": path.name}])
    replay = ReplayConfig(path=general)
    reads = [
        (sft(), {"train.jsonl", "validation.jsonl"}),
        (sft(data=own, validation=held, replay=replay), {"own.jsonl", "held.jsonl", "general.jsonl"}),
        (cpt(), {"corpus.jsonl", "validation_corpus.jsonl"}),
        (cpt(data=own, validation=held, restatements=True), {"own.jsonl", "held.jsonl", "restatements.jsonl"}),
    ]
    files = [own, held, general, *sorted(dataset.glob("*.jsonl"))]
    for stage, names in reads:
        seen = set()
        for path in files:
            before, whole = digests(dataset, stage), path.read_bytes()
            path.write_bytes(whole + b"\n")
            if digests(dataset, stage) != before:
                seen.add(path.name)
            path.write_bytes(whole)
        assert seen == names
    hub = [digests(dataset, sft(replay=ReplayConfig(hub="owner/chats", split=split))) for split in ("train", "test")]
    assert hub[0] != hub[1]


def test_whether_a_loss_can_be_watched_is_known_beforehand(dataset: Path, tmp_path: Path) -> None:
    assert has_validation(dataset, sft())
    assert not has_validation(dataset / "train.jsonl", sft())
    assert has_validation(dataset / "train.jsonl", sft(validation=tmp_path / "held.jsonl"))
    assert has_validation(dataset, cpt())


def test_entries_of_a_file_have_names_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_lines(tmp_path / f"{name}.jsonl", [{"text": "x"}, {"text": "y"}])
    assert [entry.name for entry in read_entries(tmp_path)] == ["a.jsonl:1", "a.jsonl:2", "b.jsonl:1", "b.jsonl:2"]
