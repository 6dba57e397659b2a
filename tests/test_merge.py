"""The average of two models is the average of their weights, and a merge that was killed is made anew."""

from __future__ import annotations

import json
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
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from harvest.store import FieldsmithError
from train.config import MergeConfig
from train.merge import merge_models

ROOT = Path(__file__).parents[1]
TARGETS = ["q_proj", "down_proj"]


def other_model(base: str, folder: Path, *, seed: int = 1, **changes: Any) -> str:
    """A model of the base's shape with weights of its own."""
    model = AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.1)
    for name, value in changes.items():
        setattr(model.config, name, value)
    model.save_pretrained(folder, max_shard_size="60KB")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return str(folder)


def adapter(base: str, folder: Path, **settings: Any) -> Path:
    """An adapter whose weights are not those of the beginning."""
    kinds = {"target_modules": TARGETS, "r": 4, "lora_alpha": 12} | settings
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(task_type="CAUSAL_LM", **kinds))
    torch.manual_seed(2)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data.add_(torch.randn_like(parameter) * (0.5 if "lora" in name else 0.1))
    model.save_pretrained(str(folder))
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True},
        {"use_dora": True},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"layers.1.self_attn.q_proj": 5}},
        {"modules_to_save": ["lm_head"]},
        {"target_modules": "all-linear"},
    ],
    ids=["plain", "rank-stabilised", "weight-decomposed", "patterns", "whole head", "all linear"],
)
def test_the_weights_are_the_average_of_the_tuned_ones_and_the_others(settings: dict[str, Any], base: str, tmp_path: Path) -> None:
    """Against PEFT's own merge of the whole model."""
    folder, other = adapter(base, tmp_path / "adapter", **settings), other_model(base, tmp_path / "other")
    merged = merge_models(base, folder, MergeConfig(model=other, weight=0.75), tmp_path / "merged")
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(folder)).merge_and_unload().state_dict()
    theirs = AutoModelForCausalLM.from_pretrained(other).state_dict()
    got = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").state_dict()
    assert got.keys() == tuned.keys()
    for name, tensor in got.items():
        torch.testing.assert_close(tensor, 0.75 * tuned[name] + 0.25 * theirs[name], atol=1e-5, rtol=1e-5)
    changed = [
        name for name, tensor in tuned.items() if not torch.equal(tensor, AutoModelForCausalLM.from_pretrained(base).state_dict()[name])
    ]
    assert changed, "the adapter changes nothing, so nothing was tested"
    assert merged.tensors == len(weights(tmp_path / "merged"))
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").chat_template == AutoTokenizer.from_pretrained(base).chat_template


def test_a_merge_that_is_done_is_left_alone_and_another_weight_makes_another(base: str, tmp_path: Path) -> None:
    folder, other, out = adapter(base, tmp_path / "adapter"), other_model(base, tmp_path / "other"), tmp_path / "merged"
    first = merge_models(base, folder, MergeConfig(model=other, weight=0.75), out)
    written = (out / "merge.json").stat().st_mtime_ns
    assert merge_models(base, folder, MergeConfig(model=other, weight=0.75), out) == first
    assert (out / "merge.json").stat().st_mtime_ns == written
    second = merge_models(base, folder, MergeConfig(model=other, weight=0.5), out)
    assert second.fingerprint != first.fingerprint
    assert json.loads((out / "merge.json").read_text())["weight"] == 0.5


def test_large_models_are_written_in_shards(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.merge.SHARD", 50_000)
    other = other_model(base, tmp_path / "other")
    merge_models(base, None, MergeConfig(model=other, weight=0.5), tmp_path / "merged")
    files = sorted(path.name for path in (tmp_path / "merged").glob("*.safetensors"))
    assert len(files) > 2
    assert files[0] == f"model-00001-of-{len(files):05d}.safetensors"
    got, ours, theirs = (AutoModelForCausalLM.from_pretrained(where).state_dict() for where in (tmp_path / "merged", base, other))
    for name, tensor in got.items():
        torch.testing.assert_close(tensor, (ours[name] + theirs[name]) / 2)


def test_weights_that_lie_there_in_another_layout_too_are_not_read(base: str, tmp_path: Path) -> None:
    """As some publishers add a `consolidated.safetensors` to the files that the index names."""
    other = other_model(base, tmp_path / "other")
    whole = weights(Path(other))
    save_file({f"original.{name}": tensor + 1 for name, tensor in whole.items()}, Path(other) / "consolidated.safetensors")
    merge_models(base, None, MergeConfig(model=other, weight=0.5), tmp_path / "merged")
    assert weights(tmp_path / "merged").keys() == whole.keys()


def test_half_precision_stays_half_precision(base: str, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", other_model(base, tmp_path / "other")
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(ours)
    AutoTokenizer.from_pretrained(base).save_pretrained(ours)
    merge_models(str(ours), None, MergeConfig(model=theirs, weight=0.5), tmp_path / "merged")
    assert {tensor.dtype for tensor in weights(tmp_path / "merged").values()} == {torch.bfloat16}


# ---- what does not fit


def test_a_model_of_another_build_is_refused(base: str, tmp_path: Path) -> None:
    other = other_model(base, tmp_path / "other", hidden_act="gelu")
    with pytest.raises(FieldsmithError, match="hidden_act is 'silu' and 'gelu'"):
        merge_models(base, None, MergeConfig(model=other), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_another_vocabulary_is_refused_and_the_token_named(base: str, tmp_path: Path) -> None:
    other = other_model(base, tmp_path / "other")
    path = Path(other) / "tokenizer.json"
    vocabulary = json.loads(path.read_text())
    vocabulary["model"]["vocab"]["a"], vocabulary["model"]["vocab"]["b"] = (vocabulary["model"]["vocab"][sign] for sign in "ba")
    path.write_text(json.dumps(vocabulary))
    with pytest.raises(FieldsmithError, match=r"vocabularies of the base model and of .* differ .*'[ab]' is number \d+ and number \d+"):
        merge_models(base, None, MergeConfig(model=other), tmp_path / "merged")


def test_an_adapter_of_another_model_is_refused(base: str, tmp_path: Path) -> None:
    folder = adapter(base, tmp_path / "adapter")
    state = load_file(folder / "adapter_model.safetensors")
    save_file({name.replace("layers.1", "layers.7"): tensor for name, tensor in state.items()}, folder / "adapter_model.safetensors")
    with pytest.raises(FieldsmithError, match=r"layers\.7.*which its base model does not have"):
        merge_models(base, folder, MergeConfig(model=other_model(base, tmp_path / "other")), tmp_path / "merged")


@pytest.mark.parametrize("damage", ["cut", "none"])
def test_weights_that_cannot_be_read_are_named(damage: str, base: str, tmp_path: Path) -> None:
    other = Path(other_model(base, tmp_path / "other"))
    for file in other.glob("*.safetensors"):
        file.unlink() if damage == "none" else file.write_bytes(file.read_bytes()[:100])
    if damage == "none":
        (other / "model.safetensors.index.json").unlink()
    with pytest.raises(FieldsmithError, match=r"safetensors.*other|other.*safetensors"):
        merge_models(base, None, MergeConfig(model=str(other)), tmp_path / "merged")


def test_a_base_without_a_chat_template_speaks_by_the_others(base: str, tmp_path: Path) -> None:
    other = other_model(base, tmp_path / "other")
    plain = shutil.copytree(base, tmp_path / "plain")
    (plain / "chat_template.jinja").unlink()
    merged = merge_models(str(plain), None, MergeConfig(model=other), tmp_path / "merged")
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").chat_template == AutoTokenizer.from_pretrained(base).chat_template
    assert "no chat template" in merged.notes[0]


# ---- kill -9


def test_a_killed_merge_leaves_nothing_half_done(base: str, tmp_path: Path) -> None:
    """Killed while it writes shard after shard; run again it gives what an undisturbed one gives."""
    folder, other, out = adapter(base, tmp_path / "adapter"), other_model(base, tmp_path / "other"), tmp_path / "merged"
    script = (
        "import sys, time; from pathlib import Path; import train.merge as merge; from train.config import MergeConfig\n"
        "merge.SHARD, write = 10_000, merge._write_shard\n"
        "def slowly(*arguments):\n    time.sleep(0.1); return write(*arguments)\n"
        "merge._write_shard = slowly\n"
        f"merge.merge_models({base!r}, Path({str(folder)!r}), MergeConfig(model={other!r}), Path({str(out)!r}))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    deadline = time.monotonic() + 100
    while not (tmp_path / ".merged.partial" / "shard-2").exists():
        assert process.poll() is None, "the merge ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    merge_models(base, folder, MergeConfig(model=other), out)
    merge_models(base, folder, MergeConfig(model=other), tmp_path / "undisturbed")
    one, two = weights(out), weights(tmp_path / "undisturbed")
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not (tmp_path / ".merged.partial").exists()
    assert not list(out.glob("shard-*"))
