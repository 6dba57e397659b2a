"""The tokenizer inside a GGUF file, rebuilt exactly from its metadata.

transformers (5.17) reads byte-level BPE tokenizers out of GGUF with the wrong end token, padding and pre-tokenizer, which
changes the ids of any text with digits in it. The metadata itself is complete: vocabulary, merges, token types, special
ids, chat template, and the *name* of the pre-tokenizer, whose rule is looked up here as llama.cpp does (`llama-vocab.cpp`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError

CONTROL, USER_DEFINED = 3, 4
"""Token types of GGUF (`tokenizer.ggml.token_type`): never written by a tokenizer from text; added by the user."""

# The rule of each pre-tokenizer by which text is cut before merging; None is GPT-2's own, built into ByteLevel.
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_SPACES = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_RULES: dict[str, str | None] = {
    "gpt-2": None,
    "smollm": None,
    "qwen2": rf"{_LETTERS}|\p{{N}}|{_SPACES}",
    "llama-bpe": rf"{_LETTERS}|\p{{N}}{{1,3}}|{_SPACES}",
}
_SINGLE_DIGITS = {"smollm"}
_NFC = {"qwen2"}
_WHOLE_WORDS_FIRST = {"llama-bpe"}


def build_tokenizer(file: Path) -> tuple[Any, list[int]]:
    """(transformers tokenizer, ids that end a reply); `FieldsmithError` for a kind of tokenizer that is not known here."""
    from gguf import GGUFReader
    from transformers import PreTrainedTokenizerFast

    reader = GGUFReader(file)

    def get(key: str) -> Any:
        field = reader.get_field(key)
        return None if field is None else field.contents()

    tokens, types = get("tokenizer.ggml.tokens"), get("tokenizer.ggml.token_type")
    named = {name: get(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "eot", "unknown", "padding")}
    if get("tokenizer.ggml.model") != "gpt2" or tokens is None or types is None or named["eos"] is None:
        raise FieldsmithError(
            f"{file} holds a tokenizer of the kind {get('tokenizer.ggml.model')!r}, of which only gpt2 (byte-level BPE) can be "
            "rebuilt: give the model as a Hugging Face folder or hub id instead"
        )
    inner = _inner(file, get("tokenizer.ggml.pre"), tokens, get("tokenizer.ggml.merges"))
    inner.add_special_tokens(_added(tokens, types, CONTROL))
    inner.add_tokens(_added(tokens, types, USER_DEFINED))
    text = {name: None if number is None else tokens[number] for name, number in named.items()}
    if get("tokenizer.ggml.add_bos_token") and text["bos"]:
        inner.post_processor = _begins_with(text["bos"], named["bos"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=text["bos"],
        eos_token=text["eos"],
        unk_token=text["unknown"],
        pad_token=text["padding"] or text["eos"],
        clean_up_tokenization_spaces=False,
        model_max_length=get(f"{get('general.architecture')}.context_length"),
    )
    tokenizer.chat_template = get("tokenizer.chat_template")
    return tokenizer, sorted({number for name in ("eos", "eot") if (number := named[name]) is not None})


def _inner(file: Path, rule: str | None, tokens: list[str], merges: list[str]) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    if rule not in _RULES:
        raise FieldsmithError(
            f"{file} cuts text by the rule {rule!r}, which is not one of {', '.join(_RULES)}: give the model as a Hugging Face "
            "folder or hub id instead"
        )
    vocabulary = {token: number for number, token in enumerate(tokens)}
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=rule in _WHOLE_WORDS_FIRST))
    pattern = _RULES[rule]
    steps: list[Any] = [pre_tokenizers.Digits(individual_digits=True)] if rule in _SINGLE_DIGITS else []
    if pattern is not None:
        steps.append(pre_tokenizers.Split(Regex(pattern), behavior="isolated"))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None))
    inner.pre_tokenizer = pre_tokenizers.Sequence(steps)
    inner.decoder = decoders.ByteLevel()
    if rule in _NFC:
        inner.normalizer = normalizers.NFC()
    return inner


def _added(tokens: list[str], types: list[int], kind: int) -> list[Any]:
    from tokenizers import AddedToken

    return [AddedToken(token, special=kind == CONTROL, normalized=False) for token, its in zip(tokens, types, strict=True) if its == kind]


def _begins_with(token: str, number: int) -> Any:
    from tokenizers.processors import TemplateProcessing

    return TemplateProcessing(single=f"{token} $A", pair=f"{token} $A $B", special_tokens=[(token, number)])
