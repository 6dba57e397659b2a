"""A lab's own pairs: every common layout is recognised, and what cannot be used is told with its line."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.records import Rejection
from harvest.store import FieldsmithError, UsageError, load_lines, save_lines
from qagen.config import OwnConfig, QAGenConfig
from qagen.own.pairs import load_pairs
from qagen.own.stage import own_pairs
from qagen.records import QAPair, Span


def written(folder: Path, name: str, records: list[Any]) -> Path:
    path = folder / name
    lines = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(source: Any, **settings: Any) -> tuple[list[QAPair], list[Rejection]]:
    refused: list[Rejection] = []
    return list(load_pairs(source, refuse=refused.append, **settings)), refused


def only(source: Any, **settings: Any) -> QAPair:
    (pair,), refused = read(source, **settings)
    assert refused == []
    return pair


LAYOUTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "plain": ({"question": "Why?", "answer": "So."}, "Why?", "So."),
    "camel": ({"role_1": "P", "topic": "Optics", "sub_topic": "Lenses", "message_1": "Why?", "message_2": "So."}, "Why?", "So."),
    "prompt": ({"prompt": "Why?", "completion": "So."}, "Why?", "So."),
    "alpaca": ({"instruction": "Solve.", "input": "x = 1 + 1", "output": "2"}, "Solve.\n\nx = 1 + 1", "2"),
    "alpaca without input": ({"instruction": "Why?", "input": "", "output": "So."}, "Why?", "So."),
    "sharegpt": (
        {"conversations": [{"from": "system", "value": "Be kind."}, {"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]},
        "Why?",
        "So.",
    ),
    "openai": ({"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}, "Why?", "So."),
    "openai parts": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}, {"role": "assistant", "content": "So."}]},
        "Why?",
        "So.",
    ),
    "chinese": ({"问题": "为什么？", "答案": "因为。"}, "为什么？", "因为。"),
    "capitals": ({"Question Text": "Why?", "Correct Answer": "So."}, "Why?", "So."),
    "number": ({"question": "How many?", "answer": 3}, "How many?", "3"),
    "squad": ({"context": "The ring has 3 GeV.", "question": "Energy?", "answers": {"text": ["3 GeV"], "answer_start": [13]}},
              "The ring has 3 GeV.\n\nEnergy?", "3 GeV"),
    "trivia": ({"question": "Who?", "answer": {"value": "Onsager", "aliases": ["L. Onsager"]}}, "Who?", "Onsager"),
    "math": ({"problem": "1 + 1?", "solution": "Add them.", "answer": "2"}, "1 + 1?", "2"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_known_layout_is_recognised(tmp_path: Path, name: str) -> None:
    record, question, answer = LAYOUTS[name]
    pair = only(written(tmp_path, "pairs.jsonl", [record]))
    assert (pair.question, pair.answer) == (question, answer)
    assert pair.document_id.startswith("own:pairs/")
    assert pair.language == ("zh" if name == "chinese" else "en")


CHOICES: dict[str, list[dict[str, Any]]] = {
    "mmlu": [{"question": f"q{n}", "choices": ["a", "b", "c", "right"], "answer": 3} for n in range(3)]
    + [{"question": "q", "choices": ["right", "x"], "answer": 0}],
    "ceval": [{"question": "q", "A": "x", "B": "y", "C": "right", "D": "z", "answer": "C"}],
    "arc": [{"question": "q", "choices": {"text": ["x", "right"], "label": ["A", "B"]}, "answerKey": "B"}],
    "medmcqa": [{"question": "q", "opa": "x", "opb": "y", "opc": "z", "opd": "right", "cop": 4}],
    "sciq": [{"question": "q", "distractor1": "x", "distractor2": "y", "distractor3": "z", "correct_answer": "right"}],
    "gpqa": [{"Question": "q", "Correct Answer": "right", "Incorrect Answer 1": "x", "Incorrect Answer 2": "y"}],
    "lists": [{"question": "q", "answer": "right", "distractors": ["x", "y"]}],
    "by text": [{"question": "q", "options": ["x", "right"], "answer": "right"}],
    "one string": [{"Problem": "q", "options": "a ) x , b ) right , c ) z", "correct": "b"}],
    "labels": [{"题目": "问", "选项": ["A. x", "B. right"], "正确答案": "B"}],
    "medqa": [{"question": "q", "options": {"A": "x", "B": "right"}, "answer": "right", "answer_idx": "B"}],
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_right_option_is_the_answer_and_the_others_are_distractors(tmp_path: Path, name: str) -> None:
    pairs, refused = read(written(tmp_path, "choice.jsonl", CHOICES[name]))
    assert refused == []
    assert len(pairs) == len(CHOICES[name])
    assert all(pair.answer == "right" and pair.kind == "choice" and "right" not in pair.distractors for pair in pairs)
    assert all(len(pair.distractors) >= 1 for pair in pairs)


def test_an_option_that_is_not_there_is_refused(tmp_path: Path) -> None:
    records = [{"question": "q", "choices": ["a", "b"], "answer": place} for place in (0, 1, 7)]
    pairs, refused = read(written(tmp_path, "choice.jsonl", records))
    assert [pair.answer for pair in pairs] == ["a", "b"]
    assert [(item.reason, "line 3" in item.detail) for item in refused] == [("no-such-option", True)]


def test_later_turns_of_a_chat_are_counted_not_guessed_at(tmp_path: Path) -> None:
    turns = [("user", "Why?"), ("assistant", "So."), ("user", "And then?"), ("assistant", "Nothing."), ("user", "Sure?")]
    path = written(tmp_path, "chat.jsonl", [{"messages": [{"role": role, "content": text} for role, text in turns]}])
    pairs, refused = read(path)
    assert [(pair.question, pair.answer) for pair in pairs] == [("Why?", "So.")]
    assert [item.reason for item in refused] == ["later-turns"]
    assert "2 later questions" in refused[0].detail


def test_squads_own_nested_file_groups_by_article(tmp_path: Path) -> None:
    paragraph = {
        "context": "Text.",
        "qas": [
            {"id": "1", "question": "a?", "answers": [{"text": "x", "answer_start": 0}]},
            {"id": "2", "question": "b?", "answers": [], "is_impossible": True},
        ],
    }
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "2.0", "data": [{"title": "Rings", "paragraphs": [paragraph]}]}))
    pairs, refused = read(path)
    assert [(pair.question, pair.document_id) for pair in pairs] == [("Text.\n\na?", "own:squad/Rings")]
    assert [item.reason for item in refused] == ["no-answer"]


def test_an_unknown_layout_is_one_sentence_with_the_columns_and_the_way_out(tmp_path: Path) -> None:
    path = written(tmp_path, "x.jsonl", [{"Frage": "Warum?", "Antwort": "Darum."}])
    with pytest.raises(UsageError) as error:
        read(path)
    assert str(error.value).startswith(f"{path} is in no layout that is known (its columns: 'Frage', 'Antwort'); say which")
    assert "columns: {question: COLUMN, answer: COLUMN}" in str(error.value)
    assert only(path, columns={"question": "Frage", "answer": "Antwort"}).answer == "Darum."
    with pytest.raises(UsageError, match=r"has no column 'Frge', which columns.question names; it has 'Frage', 'Antwort'"):
        read(path, columns={"question": "Frge", "answer": "Antwort"})


def test_columns_say_group_kind_language_licence_and_steps(tmp_path: Path) -> None:
    record = {"q": "Why?", "a": "So.", "run": 7, "what": "Derivation", "lang": "Chinese", "license": "CC-BY-4.0", "steps": ["one", "two"]}
    pair = only(written(tmp_path, "x.jsonl", [record]), columns={"group": "run", "kind": "what"}, licence="MIT")
    assert (pair.document_id, pair.kind, pair.language, pair.licence) == ("own:x/7", "derivation", "zh", "CC-BY-4.0")
    assert [step.text for step in pair.steps] == ["one", "two"]
    free_words = only(written(tmp_path, "y.jsonl", [{**record, "license": "free for all of us"}]))
    assert free_words.licence == "LicenseRef-unknown"


def test_every_bad_line_is_told_with_its_number(tmp_path: Path) -> None:
    good = {"question": "Why?", "answer": "So."}
    lines = [
        good,
        "{broken",
        "[1, 2]",
        {"question": " ", "answer": "x"},
        "",
        {"question": "Why not?", "answer": None},
        good | {"question": "Q?"},
    ]
    pairs, refused = read(written(tmp_path, "x.jsonl", lines))
    assert [pair.question for pair in pairs] == ["Why?", "Q?"]
    places = [(item.reason, item.detail.split(":")[0]) for item in refused]
    assert places == [
        ("not-json", "x.jsonl, line 2"),
        ("not-an-object", "x.jsonl, line 3"),
        ("no-question", "x.jsonl, line 4"),
        ("no-answer", "x.jsonl, line 6"),
    ]


def test_without_a_listener_bad_lines_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    list(load_pairs(written(tmp_path, "x.jsonl", [{"question": "Why?", "answer": "So."}, "{"])))
    assert "line 2" in caplog.text


# ---- encodings and formats

ROWS = [("束流能量是多少？", "3 GeV"), ("What, then?", 'He said "so"\nand left.'), ("Wie groß?", "5 µm")]


def table(rows: list[tuple[str, str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([("question", "answer"), *rows])
    return text.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_are_read_in_any_encoding(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(table(ROWS, delimiter).encode(encoding))
    pairs, refused = read(path)
    assert refused == []
    assert [(pair.question, pair.answer.replace("\r", "")) for pair in pairs] == ROWS


def test_a_western_table_without_utf8_is_not_taken_for_chinese(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(table([("Où est le faisceau dégradé ?", "Près du réseau"), ("Größe?", "5 m")]).encode("cp1252"))
    assert [pair.answer for pair in read(path)[0]] == ["Près du réseau", "5 m"]


def test_a_spoilt_line_does_not_change_how_the_others_are_read(tmp_path: Path) -> None:
    lines = [json.dumps({"question": f"问题 {n} 是什么？", "answer": "答案"}, ensure_ascii=False).encode() for n in range(20)]
    lines[4] = lines[4].replace("什".encode(), b"\xff\xfe")
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n".join(lines))
    pairs, refused = read(path)
    assert len(pairs) == 19
    assert [(item.reason, item.id) for item in refused] == [("bad-encoding", "own:x#line-5")]


def test_a_ragged_row_is_refused_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('question,answer\nWhy?,So.\nAlone\n"Two\nlines?",Yes.\nWhy not?,No.,More\n')
    pairs, refused = read(path)
    assert [pair.answer for pair in pairs] == ["So.", "Yes."]
    assert [item.detail.split(":")[0] for item in refused] == ["x.csv, line 3", "x.csv, line 6"]


@pytest.mark.parametrize(
    "text",
    [
        '[{"question": "Why?", "answer": "So."}]',
        '{"meta": {"tags": ["x"]}, "data": [{"question": "Why?", "answer": "So."}]}',
        '\ufeff{"question": "Why?", "answer": "So."}',
        '{"question": "Why?", "answer": "So."}\n{"question": "Why?", "answer": "So."}\n',
        '{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}\n' * 2,
    ],
)
def test_json_in_all_its_shapes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    pairs, refused = read(path)
    assert {(pair.question, pair.answer) for pair in pairs} == {("Why?", "So.")}
    assert refused == []


@pytest.mark.parametrize("text", ["", "[1, 2", "3", '[{"question": "Why?", "answer": "So."}, {"question": ', '{"question": ["a", "b"]}'])
def test_json_that_holds_no_pairs_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(FieldsmithError) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_parquet_and_saved_datasets(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    data = Dataset.from_list([{"question": f"q{n}?", "answer": str(n)} for n in range(5)])
    data.to_parquet(tmp_path / "x.parquet")
    data.save_to_disk(tmp_path / "one")
    DatasetDict({"train": data, "test": data.select([0])}).save_to_disk(tmp_path / "two")
    for source in ("x.parquet", "one", "two"):
        assert [pair.answer for pair in read(source, folder=tmp_path)[0]] == list("01234")
    assert len(read(tmp_path / "two", split="test")[0]) == 1
    with pytest.raises(UsageError, match="has no split 'dev'; it has test, train"):
        read(tmp_path / "two", split="dev")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(FieldsmithError, match=r"bad.parquet is no readable Parquet file"):
        read(tmp_path / "bad.parquet")


@pytest.mark.parametrize("source", ["none.csv", "./none", "camel.xyz"])
def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path, source: str) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read(source, folder=tmp_path)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1)] * 2), min_size=1, max_size=6),
    form=st.sampled_from(["jsonl", "json", "csv"]),
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], form: str) -> None:
    """Text comes back as it was but for the blanks around it; what is blank is refused, and nothing is lost."""
    path = tmp_path_factory.mktemp("law") / f"x.{form}"
    if form == "csv":
        path.write_text(table(rows), encoding="utf-8", newline="")
    else:
        records = [json.dumps({"question": question, "answer": answer}, ensure_ascii=False) for question, answer in rows]
        path.write_text("\n".join(records) if form == "jsonl" else f"[{', '.join(records)}]", encoding="utf-8")
    pairs, refused = read(path)
    whole = [(question.strip(), answer.strip()) for question, answer in rows if question.strip() and answer.strip()]
    assert [(pair.question, pair.answer) for pair in pairs] == whole
    assert len(refused) == len(rows) - len(whole)


def test_a_large_file_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with path.open("w") as file:
        file.write("[" + ",".join(json.dumps({"question": f"{n}?" + "x" * 1000, "answer": "y"}) for n in range(6_000)) + "]")
    tracemalloc.start()
    assert sum(1 for _ in load_pairs(path)) == 6_000
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()


def test_ids_hang_on_what_is_said_and_not_on_its_place(tmp_path: Path) -> None:
    records = [{"question": f"q{n}?", "answer": str(n)} for n in range(9)]
    one, _ = read(written(tmp_path, "x.jsonl", records))
    (tmp_path / "other").mkdir()
    other, _ = read(written(tmp_path / "other", "x.jsonl", records[::-1]))
    assert {pair.id: pair.answer for pair in one} == {pair.id: pair.answer for pair in other}
    assert len({pair.document_id for pair in one}) == 9, "a pair without a group is a group of its own"


# ---- callables


def lab(folder: Path, code: str) -> Path:
    (folder / "simulator.py").write_text(textwrap.dedent(code))
    return folder


NUMBERS = """
    import numpy as np

    def pairs(seed, most=3):
        print("a word of the lab's own")
        generator = np.random.default_rng(seed)
        for number in range(most):
            yield {"question": f"What is measured in run {number}?", "answer": generator.normal(), "group": number // 2}
"""


def test_a_simulator_is_seeded_and_what_it_prints_is_no_pair(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = lab(tmp_path, NUMBERS)
    first, second, third = (read("simulator:pairs", folder=folder, seed=seed)[0] for seed in (1, 1, 2))
    assert first == second != third
    assert [pair.document_id for pair in first] == ["own:simulator/0", "own:simulator/0", "own:simulator/1"]
    assert "simulator" not in sys.modules
    assert capfd.readouterr().out == ""
    assert len(read("simulator:pairs", folder=folder, arguments={"most": 10**9}, most=5)[0]) == 5, "an endless simulator is stopped"


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (
            "def pairs():\n    yield {'question': 'q?', 'answer': 1}\n    1 / 0",
            FieldsmithError,
            r"fails: ZeroDivisionError: .* \(simulator.py, line 3\)",
        ),
        ("def pairs():\n    import os; os._exit(3); yield", FieldsmithError, "ended its process with code 3 before it was done"),
        ("def pairs(:\n    pass", FieldsmithError, r"cannot be imported: SyntaxError: .*\(simulator.py, line 1\)"),
        ("import nowhere_to_be_found", FieldsmithError, "cannot be imported: ModuleNotFoundError: .*nowhere_to_be_found"),
        ("def pairs():\n    yield 'text'", FieldsmithError, "yields 'str' as item 1; it must yield mappings with question and answer"),
        ("def pairs():\n    yield {'question': object(), 'answer': 1}", FieldsmithError, "yields as item 1 what JSON cannot say"),
        ("def pears(): pass", UsageError, "has no function 'pairs'"),
        ("def pairs(size): pass", UsageError, "cannot be called with its arguments: missing a required argument: 'size'"),
    ],
)
def test_what_goes_wrong_in_the_labs_code_is_one_sentence(tmp_path: Path, code: str, error: type[FieldsmithError], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        read("simulator:pairs", folder=lab(tmp_path, code))
    assert str(caught.value).startswith("simulator:pairs ")
    assert "\n" not in str(caught.value)


# ---- in a run


def field(folder: Path, *own: dict[str, Any]) -> QAGenConfig:
    config = QAGenConfig.model_validate({"teacher": {"model": "none"}, "own": own})
    return config.absolute(folder)


def test_a_run_reads_a_source_once_and_again_when_it_changes(tmp_path: Path) -> None:
    written(tmp_path, "x.jsonl", [{"question": "Why?", "answer": "So."}, {"question": "Why?", "answer": "So."}, "{"])
    config, run = (
        field(lab(tmp_path, NUMBERS), {"name": "file", "path": "x.jsonl"}, {"name": "sim", "callable": "simulator:pairs"}),
        tmp_path / "run",
    )
    done = own_pairs(config, run, seed=1)
    assert (done.pairs, done.rejections, done.read) == ({"file": 1, "sim": 3}, {"not-json": 1, "said-twice": 1}, ("file", "sim"))
    assert own_pairs(config, run, seed=1).read == ()
    assert own_pairs(config, run, seed=2).read == ("sim",), "a file does not hang on the seed"
    (tmp_path / "simulator.py").write_text((tmp_path / "simulator.py").read_text() + "\n# edited\n")
    assert own_pairs(config, run, seed=2).read == ("sim",)
    written(tmp_path, "x.jsonl", [{"question": "Why not?", "answer": "So."}])
    assert own_pairs(config, run, seed=2).read == ("file",)
    (run / "pairs" / "own_file.jsonl").unlink()
    assert own_pairs(config, run, seed=2).read == ("file",)
    without = config.model_copy(update={"own": config.own[1:]})
    assert own_pairs(without, run, seed=2).pairs == {"sim": 3}
    assert [path.name for path in (run / "pairs").glob("*.jsonl")] == ["own_sim.jsonl"]


def test_pairs_of_another_run_leave_their_documents_behind(tmp_path: Path) -> None:
    first = QAPair("a", "arxiv:1", "c", "fact", "en", "Why?", "So.", (Span(0, 3),), "gpt", "f00d", "CC0-1.0", {"faithful": 90.0})
    again = QAPair("b", "arxiv:1", "c", "fact", "en", "Why so?", "So.", (Span(0, 3),), "gpt", "f00d", "CC0-1.0", paraphrase_of="a")
    save_lines(tmp_path / "theirs.jsonl", [first, again])
    assert list(load_pairs(tmp_path / "theirs.jsonl")) == [first, again]
    own_pairs(field(tmp_path, {"name": "theirs", "path": "theirs.jsonl"}), tmp_path / "run", seed=1)
    one, two = load_lines(tmp_path / "run" / "pairs" / "own_theirs.jsonl", QAPair)
    assert {one.document_id, two.document_id} == {"own:theirs/arxiv:1"}
    assert one.evidence == ()
    assert two.paraphrase_of == one.id
    assert (one.teacher, one.scores) == ("gpt", {"faithful": 90.0})


def test_a_killed_run_leaves_whole_files_only_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    lab(tmp_path, NUMBERS.replace("yield", "import time; time.sleep(0.02); yield"))
    settings = {"name": "sim", "callable": "simulator:pairs", "arguments": {"most": 60}, "folder": str(tmp_path)}
    code = (
        "import json, sys; from pathlib import Path; from qagen.config import QAGenConfig; from qagen.own.stage import own_pairs\n"
        f"own_pairs(QAGenConfig.model_validate({{'teacher': {{'model': 'x'}}, 'own': [json.loads({json.dumps(json.dumps(settings))})]}}), "
        "Path(sys.argv[1]), seed=1)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "run")], start_new_session=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("run/pairs/.*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(tmp_path.glob("run/pairs/*.jsonl")) == []
    for run in ("run", "undisturbed"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / run)], check=True)
    files = [(tmp_path / run / "pairs" / "own_sim.jsonl").read_bytes() for run in ("run", "undisturbed")]
    assert files[0] == files[1]
    assert files[0].count(b"\n") == 60


def test_a_name_that_a_document_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run" / "documents").mkdir(parents=True)
    (tmp_path / "run" / "documents" / "own_x.json").write_text("{}")
    with pytest.raises(UsageError, match="a document of the run is called own_x"):
        own_pairs(field(tmp_path, {"name": "x", "path": "x.jsonl"}), tmp_path / "run", seed=1)


def test_own_config_names_one_place() -> None:
    with pytest.raises(ValueError, match="give one of path, dataset and callable"):
        OwnConfig.model_validate({"name": "x"})


# ---- the hub, by a server that speaks its protocol


class _Hub(BaseHTTPRequestHandler):
    """As much of the hub as `datasets` asks of it for one dataset of one file."""

    lines = json.dumps({"role_1": "P", "topic": "Optics", "message_1": "Why?", "message_2": "So."}).encode() + b"\n"
    commit = "0123456789abcdef0123456789abcdef01234567"

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._send(200, b"[]", "application/json", body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        entry = {"type": "file", "path": "train.jsonl", "size": len(self.lines), "oid": "a" * 40}
        if "camel-ai/physics" not in path:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
        elif path.endswith("/train.jsonl"):
            self._send(200, self.lines, "text/plain", body=body)
        elif "/resolve/" in path:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
        elif "/tree/" in path:
            self._send(200, json.dumps([entry] if path.endswith(self.commit) else []).encode(), "application/json", body=body)
        else:
            info = {"_id": "1", "id": "camel-ai/physics", "sha": self.commit, "private": False, "siblings": [{"rfilename": "train.jsonl"}]}
            self._send(200, json.dumps({**info, "tags": [], "downloads": 0, "likes": 0}).encode(), "application/json", body=body)

    def _send(self, code: int, data: bytes, kind: str, *, body: bool) -> None:
        self.send_response(code)
        headers = {"Content-Type": kind, "Content-Length": str(len(data)), "ETag": f'"{"a" * 40}"', "X-Repo-Commit": self.commit}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def from_hub(endpoint: str, cache: Path, *names: str) -> list[str]:
    """What comes of each `name:split`; without an endpoint the cache alone is there."""
    code = (
        "import sys\nfrom harvest.store import FieldsmithError\nfrom qagen.own.pairs import load_pairs\n"
        "for one in sys.argv[1:]:\n    name, _, split = one.partition(':')\n"
        "    try:\n        print([(pair.question, pair.answer) for pair in load_pairs(name, split=split)])\n"
        "    except FieldsmithError as error:\n        print(type(error).__name__, error)"
    )
    offline = "0" if endpoint else "1"
    environment = {**os.environ, "HF_ENDPOINT": endpoint or "http://127.0.0.1:9", "HF_HOME": str(cache), "HF_HUB_OFFLINE": offline}
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, env=environment, check=True)
    return done.stdout.splitlines()


def test_a_dataset_of_the_hub_is_read_by_name_and_from_the_cache_without_a_network(hub: str, tmp_path: Path) -> None:
    found, unknown, no_split = from_hub(hub, tmp_path, "camel-ai/physics:train", "camel-ai/chess:train", "camel-ai/physics:test")
    assert found == "[('Why?', 'So.')]"
    assert unknown.startswith("UsageError there is no dataset camel-ai/chess on the hub")
    assert no_split.startswith("UsageError the dataset camel-ai/physics: ")
    cached, missing = from_hub("", tmp_path, "camel-ai/physics:train", "camel-ai/biology:train")
    assert cached == found
    assert missing.startswith("FieldsmithError the dataset camel-ai/biology cannot be had")
