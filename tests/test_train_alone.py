"""`python -m train` on anyone's files and anyone's models, without harvest or qagen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.store import FieldsmithError, UsageError, save_lines, sha256_file
from train.__main__ import main
from train.alone import parser
from train.config import TrainConfig
from train.flags import read_settings
from train.given import given_model
from train.hold_out import asked, check_apart, hold_out, plain
from train.layouts import Conversation, Turn
from train.own_exam import exam_folder
from train.plan import Plan, read_plan

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "OMP_WAIT_POLICY": "PASSIVE"}
QUESTIONS = {f"What is the current of ring {name}?": f"{310 + 7 * number} mA" for number, name in enumerate("ABCDEFGHIJKLMNOPQRST")}


def write_camel(folder: Path) -> Path:
    """A folder as camel-ai publishes it: one object a file, in its own layout."""
    folder.mkdir()
    for number, (question, answer) in enumerate(QUESTIONS.items()):
        entry = {
            "role_1": "Physicist_RoleType.ASSISTANT",
            "topic;": "Rings",
            "sub_topic": "Current",
            "message_1": question,
            "message_2": answer,
        }
        (folder / f"{number:03}.json").write_text(json.dumps(entry))
    return folder


def options(*arguments: str) -> Namespace:
    return parser().parse_args(["pairs.jsonl", *arguments])


def config(*arguments: str) -> TrainConfig:
    return read_settings(options(*arguments))[0]


def words_of(line: str) -> list[str]:
    return line.split()


# ---- flags


def test_every_hyperparameter_that_users_know_is_a_flag() -> None:
    given_flags = {
        "--epochs 2": "epochs",
        "--max-steps 7": "max_steps",
        "--learning-rate 1e-3": "learning_rate",
        "--batch-size 16": "batch_size",
        "--micro-batch 4": "micro_batch",
        "--warmup-steps 3": "warmup_steps",
        "--scheduler linear": "scheduler",
        "--weight-decay 0.1": "weight_decay",
        "--neftune-alpha 5": "neftune_alpha",
        "--max-length 99": "max_length",
        "--no-packing": "packing",
        "--checkpoint-steps 9": "checkpoint_steps",
        "--eval-steps 11": "eval_steps",
        "--early-stopping 2": "early_stopping",
        "--validation held.jsonl": "validation",
    }
    plain_stage = config("--base", "x").stages[0]
    for flag, name in given_flags.items():
        changed = config("--base", "x", *flag.split()).stages[0]
        assert {key for key in type(changed).model_fields if getattr(changed, key) != getattr(plain_stage, key)} == {name}
    whole = config(
        *words_of("--base x --rank 8 --dropout 0.1 --target-modules q_proj,v_proj --rslora --dora --backend peft --load-in-4bit")
    )
    assert whole.lora.model_dump() == {
        "r": 8,
        "alpha": 16,
        "dropout": 0.1,
        "target_modules": ("q_proj", "v_proj"),
        "rslora": True,
        "dora": True,
    }
    assert (whole.backend, whole.load_in_4bit) == ("peft", True)
    more = config(
        *words_of("--base x --target-modules all-linear --report-to none --seeds 3 --merge other --merge-weight 0.6 --replay owner/chats")
    )
    assert (more.lora.target_modules, more.report_to, more.seeds) == ("all-linear", (), 3)
    assert more.merge is not None
    assert (more.merge.model, more.merge.weight) == ("other", 0.6)
    assert more.stages[0].replay is not None
    assert (more.stages[0].replay.hub, more.stages[0].replay.fraction) == ("owner/chats", 0.1)


def test_flags_stand_above_the_yaml_and_its_paths_are_meant_from_it(tmp_path: Path) -> None:
    (tmp_path / "field.yaml").write_text(
        "title: a whole field\nqagen: {teacher: {model: x}}\nprove: {answers: false}\n"
        "train:\n  base: from-yaml\n  lora: {r: 4, alpha: 4}\n  stages:\n"
        "    - {kind: sft, epochs: 1}\n    - {kind: sft, data: measured.jsonl, epochs: 5, replay: {path: general.jsonl}}\n"
    )
    read, prove = read_settings(
        options("--config", str(tmp_path / "field.yaml"), "--epochs", "9", "--rank", "8", "--replay-fraction", "0.3")
    )
    assert (read.base, read.lora.r, read.lora.alpha, prove.answers) == ("from-yaml", 8, 8, False)
    assert [stage.epochs for stage in read.stages] == [1, 9]
    last = read.stages[1]
    assert last.data == tmp_path / "measured.jsonl"
    assert last.replay is not None
    assert (last.replay.path, last.replay.fraction) == (tmp_path / "general.jsonl", 0.3)
    assert config("--config", str(tmp_path / "field.yaml"), "--base", "mine").base == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--base", "x", "--learning-rate", "fast"], "learning_rate"),
        (["--base", "x", "--batch-size", "12", "--micro-batch", "5"], "not a multiple"),
        (["--base", "x", "--replay-fraction", "0.2"], "--replay"),
        (["--base", "x", "--merge-weight", "0.2"], "--merge"),
        (["--base", "x", "--scheduler", "stairs"], "stairs"),
        (["--base", "x", "--rank", "zero"], "lora.r"),
        (["--epochs", "1"], "--base"),
        (["--config", "missing.yaml"], "missing.yaml"),
    ],
)
def test_wrong_settings_are_a_sentence(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        config(*arguments)
    assert "\n" not in str(caught.value)


def test_a_wrong_key_of_the_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("train:\n  base: x\n  lora:\n    rnak: 3\n")
    with pytest.raises(UsageError, match=r"t\.yaml, line 4, train\.lora\.rnak: there is no such key"):
        config("--config", str(tmp_path / "t.yaml"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required"),
        (["--base", "x"], "required"),
        (["evaluate", "x"], "--exam"),
        (["evaluate", "no/such/folder/at/all", "--exam", "e.jsonl"], "no/such/folder/at/all"),
        (["export", "x", "--exam", "e.jsonl", "--gguf", "Q1"], "gguf"),
        (["serve"], "model"),
        (["run"], "PLAN.json"),
        (["none.jsonl", "--base", "x", "--hold-out", "0.1"], "none.jsonl"),
        ([__file__, "--base", "x", "--hold-out", "7"], "--hold-out"),
    ],
)
def test_wrong_usage_is_a_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) in (1, 2)
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error


# ---- pairs that are held out

words = st.text("abcXYZ 光 ？?!.,", min_size=1, max_size=6).map(str.strip).filter(bool)
chats_ = st.lists(st.lists(st.tuples(words, words), min_size=1, max_size=2), min_size=6, max_size=40)


@settings(deadline=None, max_examples=60)
@given(chats=chats_, share=st.floats(0.05, 0.6), seed=st.integers(0, 3))
def test_nothing_that_is_asked_in_the_exam_is_asked_in_training(
    chats: Any, share: float, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("held")
    turns = [[turn for q, a in chat for turn in ({"role": "user", "content": q}, {"role": "assistant", "content": a})] for chat in chats]
    save_lines(folder / "pairs.jsonl", [{"messages": one} for one in turns])
    try:
        held = hold_out(folder / "pairs.jsonl", folder / "out", share=share, seed=seed)
    except FieldsmithError:
        single = {plain(chat[0][0]) for chat in chats if len(chat) == 1}
        assert len(single) <= max(2, round(share * len(single))) or all({plain(q) for q, _ in chat} & single for chat in chats)
        return
    exam = [json.loads(line) for line in (held.exams / "held_out.jsonl").read_text().splitlines()]
    learnt = [json.loads(line)["messages"] for line in held.train.read_text().splitlines()]
    questions = {plain(item["question"]) for item in exam}
    assert len(questions) == len(exam) == held.questions >= 2
    assert not questions & {plain(turn["content"]) for chat in learnt for turn in chat if turn["role"] == "user"}
    assert len(learnt) + held.questions + held.kept_out == len(chats)
    seal = json.loads((held.exams / "seal.json").read_text())
    assert seal["held_out"]["sha256"] == sha256_file(held.exams / "held_out.jsonl")
    again = hold_out(folder / "pairs.jsonl", folder / "again", share=share, seed=seed)
    assert again.train.read_bytes() == held.train.read_bytes()
    assert sha256_file(again.exams / "held_out.jsonl") == seal["held_out"]["sha256"]


def test_equal_questions_are_equal_however_they_are_typed() -> None:
    assert plain("What is  the “Current” of ring E?") == plain("what is the current of ring Ｅ")
    assert plain("束流是多少？") == plain("束流是多少")
    assert plain("Is x < 3?") != plain("Is x > 3?")
    assert plain("?!") == "?!"
    assert asked(Conversation("", (Turn(role="user", content="A?"), Turn(role="assistant", content="b")))) == {"a"}


def test_another_stage_that_asks_what_is_held_out_is_refused(tmp_path: Path) -> None:
    save_lines(tmp_path / "pairs.jsonl", [{"question": q, "answer": a} for q, a in QUESTIONS.items()])
    held = hold_out(tmp_path / "pairs.jsonl", tmp_path / "out", share=0.2, seed=0)
    check_apart(held.exams, held.train)
    with pytest.raises(FieldsmithError, match=r"asks what is held out .*pairs\.jsonl:\d+"):
        check_apart(held.exams, tmp_path / "pairs.jsonl")


# ---- exams of anyone


def test_pairs_in_any_layout_become_an_exam(tmp_path: Path) -> None:
    folder = exam_folder(write_camel(tmp_path / "physics"), tmp_path / "exams")
    assert len(list(folder.glob("*.jsonl"))) == len(json.loads((folder / "seal.json").read_text())) == len(QUESTIONS)
    choices = [{"question": "2 + 2?", "options": ["3", "4"], "answer": "4"}, {"id": "mine", "question": "q", "answer": "a"}]
    (tmp_path / "mine.json").write_text(json.dumps(choices))
    exam_folder(tmp_path / "mine.json", tmp_path / "exams")
    [path] = (tmp_path / "exams").glob("*.jsonl")
    items = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(item["id"], item.get("correct")) for item in items] == [("mine.json:1", 1), ("mine", None)]
    assert exam_folder(tmp_path / "exams", tmp_path / "other") == tmp_path / "exams"


def test_a_bad_exam_is_named(tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match=r"no exam .*none\.jsonl"):
        exam_folder(tmp_path / "none.jsonl", tmp_path / "exams")
    save_lines(tmp_path / "bad.jsonl", [{"question": "q"}])
    with pytest.raises(FieldsmithError, match=r"bad\.jsonl, line 1, has question but no answer"):
        exam_folder(tmp_path / "bad.jsonl", tmp_path / "exams")


# ---- plans


def test_a_plan_comes_back_as_it_was_told(tmp_path: Path) -> None:
    from harvest.store import save

    plan = Plan(
        task="export",
        config=config("--base", "x"),
        dataset=tmp_path,
        out=tmp_path,
        seed=3,
        exam=tmp_path / "e.jsonl",
        about={"name": "n", "title": "t"},
    )
    save(tmp_path / "plan.json", plan)
    assert read_plan(tmp_path / "plan.json") == plan
    (tmp_path / "plan.json").write_text('{"task": "fly"}')
    with pytest.raises(UsageError, match="is none: task"):
        read_plan(tmp_path / "plan.json")


# ---- with a model


@pytest.fixture(scope="module")
def tuned(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`python -m train` on a folder of camel-ai's kind, from a folder of its own, with some pairs held out."""
    folder = tmp_path_factory.mktemp("alone")
    write_camel(folder / "physics")
    flags = f"physics --base {base} --backend peft --epochs 40 --learning-rate 1e-2 --batch-size 4 --max-length 128 --warmup-steps 0"
    flags += " --hold-out 0.2 --report-to none"
    run = subprocess.run(
        [sys.executable, "-m", "train", *flags.split()],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    (folder / "said.json").write_text(run.stdout)
    (folder / "stderr").write_text(run.stderr)
    return folder


def test_training_on_anyones_folder_ends_with_a_proof_on_what_was_held_out(tuned: Path) -> None:
    said = json.loads((tuned / "said.json").read_text())
    assert said["counts"]["1-sft rows"] == 16
    exam = said["exams"]["held_out"]
    assert exam["n"] == 4
    gain = exam["gains"]["tuned"]["nll"]
    assert gain["ci95"][0] <= gain["value"] <= gain["ci95"][1]
    assert gain["value"] > 0, "sixteen answers of one form did not even teach the form"
    assert "exam held_out, 4 questions: the tuned model gains +" in (tuned / "stderr").read_text()
    assert exam["sha256"] == sha256_file(tuned / "model" / "data" / "exams" / "held_out.jsonl")


def test_a_model_trained_elsewhere_is_examined(base: str, tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but the adapter's own files, in another place, and the pairs as an exam."""
    adapter = shutil.copytree(tuned / "model" / "adapter", tmp_path / "adapter")
    exam = tmp_path / "exam.json"
    exam.write_text(json.dumps([{"prompt": q, "response": a} for q, a in QUESTIONS.items()]))
    passages = tmp_path / "passages.jsonl"
    save_lines(passages, [{"id": "p", "text": "Ring A stores 310 mA."}])
    out = tmp_path / "out"
    command = ["evaluate", str(adapter), "--exam", str(exam), "--output", str(out), "--no-answers", "--passages", str(passages)]
    assert main(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["exams"]["exam"]["n"] == len(QUESTIONS)
    assert set(said["exams"]["exam"]["arms"]) == {"base", "base_retrieval", "tuned", "tuned_retrieval"}
    assert said["exams"]["exam"]["gains"]["tuned"]["nll"]["value"] > 0
    assert json.loads((out / "metrics.json").read_text())["base"] == base


def test_a_model_trained_elsewhere_is_exported(tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adapter = shutil.copytree(tuned / "model" / "adapter", tmp_path / "adapter")
    exam = tmp_path / "exam.jsonl"
    save_lines(exam, [{"instruction": q, "output": a} for q, a in list(QUESTIONS.items())[:6]])
    out = tmp_path / "out"
    assert main(["export", str(adapter), "--exam", str(exam), "--gguf", "none", "--name", "rings", "--output", str(out)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {row["form"] for row in said["parity"]["rows"]} == {"adapter", "merged"}
    assert all(row["passed"] for row in said["parity"]["rows"])
    assert (Path(said["release"]) / "merged" / "config.json").is_file()


def test_a_training_may_end_in_a_merge(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = shutil.copytree(base, tmp_path / "other")
    save_lines(tmp_path / "pairs.jsonl", [{"question": q, "answer": a} for q, a in QUESTIONS.items()])
    out = tmp_path / "model"
    flags = (
        f"--base {base} --backend peft --max-steps 1 --max-length 128 --report-to none --merge {other} --merge-weight 0.6 --output {out}"
    )
    assert main([str(tmp_path / "pairs.jsonl"), *words_of(flags)]) == 0
    assert json.loads(capsys.readouterr().out)["merged"] == str(out / "merged")
    assert json.loads((out / "merged" / "merge.json").read_text())["weight"] == 0.6
    assert given_model(str(out)).tuned == out / "merged"


def test_every_way_to_name_a_model_means_the_same(base: str, tuned: Path, tmp_path: Path) -> None:
    adapter = tuned / "model" / "adapter"
    whole = given_model(str(tuned / "model"))
    assert (whole.base, whole.tuned, whole.out) == (base, adapter, tuned / "model")
    assert whole.config is not None
    assert (given_model(str(adapter)).base, given_model(str(adapter)).tuned) == (base, adapter)
    assert given_model(base, adapter=adapter) == given_model(str(adapter))
    assert given_model(str(adapter), base="other").base == "other"
    assert given_model(base, base=base).tuned == Path(base)
    with pytest.raises(UsageError, match="whole model: name the one that it was trained from"):
        given_model(base)
    with pytest.raises(UsageError, match="holds no adapter"):
        given_model(base, adapter=tmp_path)


def test_a_sweep_chooses_before_the_training(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # trials are processes of their own
    save_lines(tmp_path / "train.jsonl", [{"question": q, "answer": a} for q, a in QUESTIONS.items()])
    save_lines(tmp_path / "validation.jsonl", [{"question": q, "answer": a} for q, a in list(QUESTIONS.items())[:4]])
    (tmp_path / "t.yaml").write_text(
        f"train:\n  base: {base}\n  backend: peft\n  report_to: []\n  sweep: {{learning_rate: [1.0e-7, 1.0e-2], first_steps: 8}}\n"
        "  stages: [{kind: sft, max_length: 128, batch_size: 4, warmup_steps: 0, max_steps: 3}]\n"
    )
    out = tmp_path / "model"
    assert main([str(tmp_path), "--config", str(tmp_path / "t.yaml"), "--output", str(out)]) == 0
    assert read_plan(out / "train.plan.json").config.stages[0].learning_rate == 1e-2
    [result] = (out / "sweep").glob("*/sweep.json")
    assert json.loads(result.read_text())["chosen"] == {"learning_rate": 0.01}
