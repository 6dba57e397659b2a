"""What several test files share: a model small enough to be trained in a second."""

from __future__ import annotations

import signal

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # started in the background of a script: the processes under test would inherit deafness to Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of random weights with a token for each byte."""
    folder = tmp_path_factory.mktemp("base")
    inner = Tokenizer(models.BPE(vocab={token: at for at, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, merges=[]))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner)
    tokenizer.add_special_tokens({"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"})
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    # Weights far larger than usual: through a head of small ones, which LoRA leaves alone, nothing could be said clearly.
    sizes = {"initializer_range": 0.3, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **sizes)).save_pretrained(folder)
    return str(folder)
