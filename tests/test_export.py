"""Releases: whole or not there, only what was examined, and again after every kind of death."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_chat import NEEDS_LLAMA, NEEDS_TOKENIZER, make_adapter, small_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from harvest.store import FieldsmithError, load, save, save_lines, write_text
from train.config import ReleaseConfig, TrainConfig
from train.models import load as load_model
from train.records import Check, ExamItem, Metrics, Parity, Release, Training, Verdict
from train.release.card import About
from train.release.export import Candidate, digests_hold, export, release_model
from train.release.merged import merge
from train.release.template import check_folder, generation_ends

pytestmark = NEEDS_TOKENIZER

ITEMS = (
    ExamItem("energy", "What is the design energy of the ring?", "2.84 GeV", ("2.84 GeV", "3.00 GeV", "1.72 GeV"), 0),
    ExamItem("环", "储存环的周长是多少？", "521.26 米", ("486.40 米", "521.26 米"), 1),
    ExamItem("open", "Why was the gun run below its design voltage?", "the alumina insulator punctured"),
)
LOOSE = ReleaseConfig(parity=0.5, parity_quantised=2.0)
"""Random weights bear rounding badly."""
BARE = ReleaseConfig(gguf=(), parity=0.5)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(small_model(), tmp_path_factory.mktemp("tuned") / "adapter")


@pytest.fixture
def candidate(adapter: Path, tmp_path: Path) -> Candidate:
    save_lines(tmp_path / "seen.jsonl", ITEMS)
    write_text(tmp_path / "card.md", "# What was learnt")
    return Candidate("small field", str(small_model()), adapter, tmp_path / "seen.jsonl", dataset_card=tmp_path / "card.md")


def _logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=torch.tensor([[1, 5, 99, 4000, 7]])).logits.float()
    return found


def _files(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


# ---- merging


def test_merged_weights_compute_what_base_and_adapter_do(adapter: Path, tmp_path: Path) -> None:
    folder = merge(str(small_model()), adapter, tmp_path / "merged", key="one")
    tuned, tokenizer = load_model(str(small_model()), adapter=adapter)
    base, _ = load_model(str(small_model()))
    whole, _ = load_model(str(folder))
    changed = (_logits(tuned) - _logits(base)).abs().max()
    assert (_logits(whole) - _logits(tuned)).abs().max() < changed / 50
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float16"
    assert generation_ends(folder) == [tokenizer.convert_tokens_to_ids("<|im_end|>")]
    assert all(check.passed for check in check_folder(folder, tokenizer, "merged"))


@pytest.mark.parametrize(
    ("stored", "largest", "kept"), [("bfloat16", 1.0, "bfloat16"), ("float16", 1.0, "float16"), ("float32", 1e6, "bfloat16")]
)
def test_a_base_keeps_its_16_bit_type_and_one_of_32_bits_gets_the_finest_that_holds_it(
    tmp_path: Path, stored: str, largest: float, kept: str
) -> None:
    model = AutoModelForCausalLM.from_pretrained(small_model(), dtype=getattr(torch, stored))
    model.model.norm.weight.data[0] = largest
    model.save_pretrained(tmp_path / "model")
    AutoTokenizer.from_pretrained(small_model()).save_pretrained(tmp_path / "model")
    folder = merge("unused", tmp_path / "model", tmp_path / "merged", key="one")
    assert json.loads((folder / "config.json").read_text())["dtype"] == kept


def test_an_end_mark_that_only_the_template_knows_becomes_an_end_of_the_release(tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(small_model()).save_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(small_model())
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_end|>", "<repo_name>")
    tokenizer.save_pretrained(tmp_path / "model")
    folder = merge("unused", tmp_path / "model", tmp_path / "merged", key="one")
    assert tokenizer.convert_tokens_to_ids("<repo_name>") in generation_ends(folder)
    assert all(check.passed for check in check_folder(folder, tokenizer, "merged"))


def test_an_adapter_of_another_model_is_a_sentence(base: str, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match="does not fit"):
        merge(base, adapter, tmp_path / "merged", key="one")
    assert not (tmp_path / "merged").exists()


def test_a_folder_that_is_no_model_is_a_sentence(candidate: Candidate, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FieldsmithError, match="holds"):
        release_model(replace(candidate, tuned=tmp_path / "empty"), tmp_path / "out", BARE)


# ---- what leaves


def _card(parity: Parity, files: Any) -> str:
    return "\n".join([f"{parity.n} questions", *files])


def test_what_drifts_leaves_only_its_figures(candidate: Candidate, tmp_path: Path) -> None:
    out = tmp_path / "out"
    release_model(candidate, out, BARE)
    with pytest.raises(FieldsmithError, match="nothing of small field is released: merged drifts by"):
        release_model(candidate, out, ReleaseConfig(gguf=(), parity=1e-12))
    assert not (out / "release").exists()
    assert not (out / ".release.partial").exists()
    figures = load(out / "parity.json", Parity)
    assert not figures.passed
    assert figures.rows[1].drift > 1e-12


def test_a_model_whose_gate_said_no_does_not_leave(candidate: Candidate, tmp_path: Path) -> None:
    save(tmp_path / "training.json", Training(str(candidate.tuned), candidate.base, "peft", "", {}, {}, {}))
    save(tmp_path / "gate.json", Verdict(False, (Check("gain", False, "the gain is too small"),)))
    with pytest.raises(FieldsmithError, match="did not pass its gate"):
        export(TrainConfig(base=candidate.base), tmp_path, BARE, exam=candidate.exam, seed=0, about=About("small", "small"))
    assert not (tmp_path / "release").exists()


def test_a_trained_and_examined_model_leaves_with_its_card(candidate: Candidate, tmp_path: Path) -> None:
    shutil.copytree(candidate.tuned, tmp_path / "adapter")
    config, about = TrainConfig(base=candidate.base), About("small", "Small things", licence="CC-BY-4.0")
    save(tmp_path / "training.json", Training(str(tmp_path / "adapter"), candidate.base, "peft", "", {}, {}, {}))
    with pytest.raises(FieldsmithError, match="has not been examined"):
        export(config, tmp_path, BARE, exam=candidate.exam, seed=0, about=about)
    save(tmp_path / "metrics.json", Metrics(candidate.base, "", 0, {}))
    release = export(config, tmp_path, BARE, exam=candidate.exam, seed=0, about=about)
    assert "# Small things" in (tmp_path / "release" / "README.md").read_text()
    assert "README.md" in release.files
    assert export(config, tmp_path, BARE, exam=candidate.exam, seed=0, about=about) == release


def test_a_push_that_fails_leaves_the_release_here_and_is_tried_again(
    candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    pushed = BARE.model_copy(update={"push_to": "owner/name"})
    for _ in range(2):
        with pytest.raises(FieldsmithError, match="HF_TOKEN"):
            release_model(candidate, tmp_path / "out", pushed)
        before = _files(tmp_path / "out" / "release")
    assert _files(tmp_path / "out" / "release") == before
    assert load(tmp_path / "out" / "release" / "release.json", Release).pushed_to is None
    (tmp_path / "out" / "release" / "merged" / "config.json").write_text("{}")
    with pytest.raises(FieldsmithError, match="not what was examined"):
        release_model(candidate, tmp_path / "out", pushed)


def test_a_whole_model_trained_elsewhere_is_released_too(candidate: Candidate, tmp_path: Path) -> None:
    release = release_model(replace(candidate, tuned=small_model()), tmp_path / "out", BARE)
    assert [row.form for row in release.parity.rows] == ["tuned", "merged"]
    assert not [name for name in release.files if name.startswith("adapter/")]


def test_an_exam_without_questions_is_refused(candidate: Candidate, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(FieldsmithError, match="has no questions"):
        release_model(replace(candidate, exam=tmp_path / "none.jsonl"), tmp_path / "out", BARE)
    assert not (tmp_path / "out" / "release").exists()


# ---- kill -9


@NEEDS_LLAMA
def test_kill_9_at_any_moment_and_again_ends_with_a_whole_release_that_is_done_once(candidate: Candidate, tmp_path: Path) -> None:
    out = tmp_path / "out"
    partial = out / ".release.partial"
    for moment, when in {"while the converter writes": "gguf/.*f16.gguf*", "in the middle of the exam": ".parity/*"}.items():
        merged = _files(partial / "merged")
        _killed(candidate, out, partial, when)
        assert not (out / "release").exists(), moment
        assert not merged or _files(partial / "merged") == merged, "the weights were made twice"
    made = _files(partial / "gguf")
    release = release_model(candidate, out, LOOSE, card=_card)
    assert {name: when for name, when in _files(out / "release" / "gguf").items() if name in made} == made
    _is_whole(release, out)
    undisturbed = release_model(candidate, tmp_path / "calm", BARE)
    assert release.files["merged/model.safetensors"] == undisturbed.files["merged/model.safetensors"]
    assert release.parity.rows[1].drift == undisturbed.parity.rows[1].drift
    before = _files(out)
    assert release_model(candidate, out, LOOSE, card=_card) == release
    assert _files(out) == before
    _other_settings_keep_what_was_made(candidate, out)


def _killed(candidate: Candidate, out: Path, partial: Path, when: str) -> None:
    """A release in a process of its own, killed as soon as a file of this kind is there."""
    context = multiprocessing.get_context("forkserver")  # the libraries are imported once for all children
    context.set_forkserver_preload(["small_chat", "train.release.export", "peft"])
    process = context.Process(target=release_model, args=(candidate, out, LOOSE))
    process.start()
    while not list(partial.glob(when)):
        assert process.is_alive(), "it ended before"
        time.sleep(0.005)
    process.kill()
    process.join()


def _is_whole(release: Release, out: Path) -> None:
    folder = out / "release"
    assert [row.form for row in release.parity.rows] == ["adapter", "merged", "f16", "Q8_0", "Q4_K_M"]
    assert release.parity.passed
    assert load(out / "parity.json", Parity) == release.parity
    assert digests_hold(folder)
    wanted = {
        "adapter/adapter_model.safetensors",
        "merged/model.safetensors",
        "merged/chat_template.jinja",
        "Modelfile",
        "README.md",
        "DATASET_CARD.md",
    }
    assert {*wanted, "parity.json"} <= release.files.keys()
    held = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")}
    assert {name for name in held if not name.startswith(".parity/")} == {*release.files, "release.json"}
    modelfile = (folder / "Modelfile").read_text()
    assert (folder / modelfile.splitlines()[0].removeprefix("FROM ")).is_file()
    assert not (out / ".release.partial").exists()
    assert not list(out.rglob("*.partial"))


def _other_settings_keep_what_was_made(candidate: Candidate, out: Path) -> None:
    """Fewer forms: what is still wanted is not made again, the rest goes."""
    before = _files(out / "release")
    fewer = LOOSE.model_copy(update={"gguf": ("Q8_0",), "merged": False})
    release = release_model(replace(candidate, dataset_card=None), out, fewer)
    names = {name.split("/")[0] for name in release.files}
    assert names == {"adapter", "gguf", "Modelfile", "parity.json"}
    after = _files(out / "release")
    (kept,) = [name for name in release.files if name.endswith(".gguf")]
    assert after[kept] == before[kept]
    assert sorted(path.suffix for path in (out / "release").rglob("*.safetensors")) == [".safetensors"]  # the adapter's
