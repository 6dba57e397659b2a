from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig as Lora
from peft import get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from harvest.store import FieldsmithError, load, save_lines
from train.config import ProveConfig, RetrievalConfig
from train.prove.evaluation import examine_models
from train.records import ARMS, COMPARISONS, EvalResult, ExamItem, Metrics, Passage

ROOT = Path(__file__).parents[1]
RINGS = {name: f"{number} mA" for name, number in zip("ABCDEFGH", range(310, 470, 20), strict=True)}
PROVE = ProveConfig(max_new_tokens=6)


def questions() -> list[ExamItem]:
    return [
        ExamItem(name, f"What is the current of ring {name}?", current, (current, "7 nm"), 0, document_id=name)
        for name, current in RINGS.items()
    ]


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exams")
    save_lines(folder / "expert.jsonl", questions())
    save_lines(folder / "expert_trained.jsonl", questions()[:3])
    save_lines(folder / "unanswerable.jsonl", [ExamItem("u", "Who painted ring A?", "It is not known.", answerable=False)])
    return folder


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("passages") / "chunks.jsonl"
    save_lines(path, [Passage(name, f"The ring {name} stores {current}.", "Rings") for name, current in RINGS.items()])
    return path


@pytest.fixture(scope="module")
def adapter(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that says something else than the base does."""
    folder = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(5)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), Lora(r=4, target_modules=["q_proj", "down_proj"]))
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.3)
    model.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def whole(base: str, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a model of its own, as anyone may bring it."""
    from peft import PeftModel

    folder = tmp_path_factory.mktemp("whole")
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter)).merge_and_unload().save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def results(out: Path) -> dict[str, list[EvalResult]]:
    from harvest.store import load_lines

    return {path.stem: list(load_lines(path, EvalResult)) for path in sorted((out / "results").glob("*.jsonl"))}


def same(one: EvalResult, other: EvalResult) -> bool:
    return (one.item_id, one.choice, one.said, one.passages) == (other.item_id, other.choice, other.said, other.passages) and abs(
        one.nll - other.nll
    ) < 1e-4


def test_four_arms_sit_every_exam(base: str, adapter: Path, exams: Path, passages: Path, tmp_path: Path) -> None:
    out = tmp_path / "models" / "one"
    metrics = examine_models(base, adapter, exams, out, seed=3, prove=PROVE, passages=passages)
    assert load(out / "metrics.json", Metrics) == metrics
    assert set(metrics.exams) == {"expert", "expert_trained", "unanswerable"}
    for report in metrics.exams.values():
        assert tuple(report.arms) == ARMS
        assert set(report.gains) == set(COMPARISONS)
    assert metrics.retrieval is not None
    assert (metrics.retrieval.how, metrics.retrieval.n, metrics.retrieval.shown) == ("bm25", 8, 3)
    found = results(out)
    assert set(found) == {f"{exam}.{arm}" for exam in metrics.exams for arm in ARMS}
    for item, plain, helped in zip(questions(), found["expert.base"], found["expert.base_retrieval"], strict=True):
        assert plain.passages == ()
        assert item.id in helped.passages
        assert plain.nll != helped.nll
        assert plain.said is not None
    assert [one.nll for one in found["expert.base"]] != [one.nll for one in found["expert.tuned"]]
    # One exam is a part of another: the same questions have the very same results.
    for arm in ARMS:
        assert found[f"expert_trained.{arm}"] == found[f"expert.{arm}"][:3]
    assert metrics.exams["unanswerable"].arms["base"].abstained is not None
    assert not (out / "results" / "unfinished").exists() or not list((out / "results" / "unfinished").iterdir())


def test_a_whole_model_is_examined_as_its_adapter_is(
    base: str, adapter: Path, whole: Path, exams: Path, passages: Path, tmp_path: Path
) -> None:
    examine_models(base, adapter, exams, tmp_path / "a" / "one", seed=3, prove=PROVE, passages=passages)
    examine_models(base, whole, exams, tmp_path / "b" / "one", seed=3, prove=PROVE, passages=passages)
    one, other = results(tmp_path / "a" / "one"), results(tmp_path / "b" / "one")
    for name in one:
        assert all(same(a, b) for a, b in zip(one[name], other[name], strict=True)), name


def test_what_was_scored_is_not_scored_again(base: str, adapter: Path, exams: Path, passages: Path, tmp_path: Path) -> None:
    folder = tmp_path / "exams"
    shutil.copytree(exams, folder)
    out, next_out = tmp_path / "models" / "one", tmp_path / "models" / "two"

    def scored(out: Path, **changes: Any) -> list[str]:
        """What is asked of which arm."""
        said: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("train.prove.evaluation")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            examine_models(base, adapter, folder, out, **({"seed": 3, "prove": PROVE, "passages": passages} | changes))
        finally:
            logger.removeHandler(handler)
        return [line for line in said if " questions of " in line]

    assert len(scored(out)) == 4
    assert scored(out) == []
    assert len(scored(next_out)) == 2, "the base model's results serve the next training"
    assert scored(out, prove=PROVE.model_copy(update={"tolerance": 0.2})) == [], "a tolerance is a matter of marking"
    save_lines(folder / "expert_trained.jsonl", questions()[:4])  # another exam, of questions that were asked before
    assert scored(out) == []
    save_lines(folder / "expert_trained.jsonl", [*questions()[:2], ExamItem("n", "Is it new?", "yes")])
    assert [line.split(" of ")[0] for line in scored(out)] == [f"{arm}: 1 questions" for arm in ARMS]
    save_lines(tmp_path / "fewer.jsonl", [Passage("A", "The ring A is new.")])
    again = scored(out, passages=tmp_path / "fewer.jsonl")
    assert [line.partition(":")[0] for line in again] == ["base_retrieval", "tuned_retrieval"]
    assert len(scored(out, system_prompt="You know rings.")) == 4
    assert len(scored(out, seed=4)) == 4


def test_without_passages_the_arms_that_read_are_left_out_and_this_is_said(
    base: str, adapter: Path, exams: Path, passages: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="train.prove")
    none = ProveConfig(retrieval=None, answers=False)
    (tmp_path / "empty.jsonl").write_text("")
    for number, (prove, path) in enumerate([(none, passages), (PROVE, None), (PROVE, tmp_path / "empty.jsonl")]):
        caplog.clear()
        metrics = examine_models(base, adapter, exams, tmp_path / "m" / str(number), seed=3, prove=prove, passages=path)
        assert metrics.retrieval is None
        assert set(metrics.exams["expert"].arms) == {"base", "tuned"}
        assert set(metrics.exams["expert"].gains) == {"tuned"}
        assert "arms with retrieval are left out" in caplog.text
    assert metrics.exams["expert"].arms["base"].match is not None
    assert results(tmp_path / "m" / "0")["expert.base"][0].said is None


def test_passages_are_cut_to_what_may_be_shown(base: str, adapter: Path, exams: Path, passages: Path, tmp_path: Path) -> None:
    short = ProveConfig(retrieval=RetrievalConfig(passages=3, max_tokens=40), answers=False)
    examine_models(base, adapter, exams, tmp_path / "m" / "one", seed=3, prove=short, passages=passages)
    assert {len(one.passages) for one in results(tmp_path / "m" / "one")["expert.base_retrieval"]} == {1}  # 27 bytes each


# ---- killed


SCRIPT = """
import sys, torch
from pathlib import Path
from train.config import ProveConfig
from train.prove import evaluation
torch.set_num_threads(1)
evaluation.TOGETHER = 2
base, tuned, exams, out, passages = sys.argv[1:]
evaluation.examine_models(base, Path(tuned), Path(exams), Path(out), seed=3, prove=ProveConfig(max_new_tokens=6), passages=Path(passages))
"""


def examining(base: str, adapter: Path, exams: Path, out: Path, passages: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, base, str(adapter), str(exams), str(out), str(passages)], env=environment)


@pytest.fixture(scope="module")
def undisturbed(base: str, adapter: Path, exams: Path, passages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "one"
    assert examining(base, adapter, exams, out, passages).wait(timeout=300) == 0
    return out


def whole_batches(folder: Path, arm: str) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob(f"{arm}-*.jsonl"))


@pytest.mark.parametrize("arm", ["base_retrieval", "tuned"])
def test_a_killed_examination_goes_on_where_it_was(
    arm: str, undisturbed: Path, base: str, adapter: Path, exams: Path, passages: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed" / "one"
    process = examining(base, adapter, exams, killed, passages)
    deadline = time.monotonic() + 300
    while not whole_batches(killed / "results" / "unfinished", arm):
        assert process.poll() is None, "the examination was over before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "metrics.json").exists()
    [unfinished] = (killed / "results" / "unfinished").glob("*.jsonl")
    with unfinished.open("ab") as file:
        file.write(b'{"batch": 99, "resu')  # torn by the kill
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed" / "base-results").glob("*.jsonl")}
    assert examining(base, adapter, exams, killed, passages).wait(timeout=300) == 0
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed" / "base-results").glob("*.jsonl")}
    assert before.items() <= after.items()
    assert results(killed) == results(undisturbed)
    assert json.loads((killed / "metrics.json").read_text()) == json.loads((undisturbed / "metrics.json").read_text())


# ---- what cannot be examined


def test_what_is_no_model_is_named(base: str, adapter: Path, exams: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(FieldsmithError, match="holds no model"):
        examine_models(base, tmp_path / "nothing", exams, tmp_path / "out", seed=1)
    with pytest.raises(FieldsmithError, match="there is no exam"):
        examine_models(base, adapter, tmp_path / "nothing", tmp_path / "out", seed=1)
    save_lines(tmp_path / "void" / "expert.jsonl", [])
    with pytest.raises(FieldsmithError, match="no questions"):
        examine_models(base, adapter, tmp_path / "void", tmp_path / "out", seed=1)


def test_a_model_with_other_tokens_is_not_compared(base: str, whole: Path, exams: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(whole, other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = [["3", "1"]]
    tokenizer["model"]["vocab"]["31"] = max(tokenizer["model"]["vocab"].values()) + 1
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(FieldsmithError, match="other tokens"):
        examine_models(base, other, exams, tmp_path / "m" / "out", seed=1)
