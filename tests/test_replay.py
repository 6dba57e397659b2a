"""General data against forgetting: as much of it as was asked for, drawn by the seed, spread over the stage, and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from harvest.store import FieldsmithError, UsageError, save_lines
from train.config import ReplayConfig, StageConfig
from train.data import IGNORED, Prepared, Row, prepare_pairs, read_conversations
from train.dataset import prepare
from train.replay import with_replay
from train.tune.order import training_order


@pytest.fixture(scope="module")
def tokenizer(base: str) -> Any:
    return AutoTokenizer.from_pretrained(base)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    save_lines(folder / "train.jsonl", [{"question": f"What is the current of ring {n}?", "answer": f"OWN {n} mA"} for n in range(60)])
    save_lines(folder / "corpus.jsonl", [{"text": f"OWN ring {n} stores {n} mA."} for n in range(60)])
    chats = [{"messages": [{"role": role, "content": f"{role} {n}"} for role in ("system", "user", "assistant")]} for n in range(80)]
    save_lines(folder / "general.jsonl", chats)
    save_lines(folder / "general_texts.jsonl", [{"text": f"GENERAL {n} of many words about everything."} for n in range(80)])
    return folder


def learnt(tokenizer: Any, row: Row) -> str:
    return str(tokenizer.decode([token for token in row["labels"] if token != IGNORED], skip_special_tokens=True))


def stage(kind: Any, path: Path, fraction: float, **more: Any) -> StageConfig:
    return StageConfig(kind=kind, max_length=128, replay=ReplayConfig(path=path, fraction=fraction), **more)


@settings(deadline=None, max_examples=30)
@given(fraction=st.floats(0.02, 0.4), seed=st.integers(0, 99), kind=st.sampled_from(["cpt", "sft"]))
def test_the_share_of_the_tokens_is_as_asked_and_every_own_row_stays(
    fraction: float, seed: int, kind: Any, tokenizer: Any, folder: Path
) -> None:
    general = folder / ("general_texts.jsonl" if kind == "cpt" else "general.jsonl")
    plain = prepare(folder, StageConfig(kind=kind, max_length=128), tokenizer, None, seed=seed).learn
    mixed = prepare(folder, stage(kind, general, fraction), tokenizer, None, seed=seed).learn
    one = max(len(row["input_ids"]) for row in mixed.rows)
    assert fraction * mixed.tokens - one <= mixed.replayed_tokens <= fraction * mixed.tokens + one
    assert mixed.counts["replayed"] == mixed.replayed == len(mixed.rows) - len(plain.rows) > 0
    assert mixed.tokens == plain.tokens + mixed.replayed_tokens
    assert [row for row in mixed.rows if row in plain.rows] == list(plain.rows)
    assert mixed == prepare(folder, stage(kind, general, fraction), tokenizer, None, seed=seed).learn


def test_another_seed_draws_others(tokenizer: Any, folder: Path) -> None:
    drawn = [prepare(folder, stage("sft", folder / "general.jsonl", 0.2), tokenizer, None, seed=seed).learn for seed in (1, 2)]
    said = [{learnt(tokenizer, row) for row in one.rows if "OWN" not in learnt(tokenizer, row)} for one in drawn]
    assert said[0] != said[1]


def test_replayed_chats_keep_their_own_turns_and_only_answers_are_learnt(tokenizer: Any, folder: Path) -> None:
    mixed = prepare(folder, stage("sft", folder / "general.jsonl", 0.3), tokenizer, "OUR PROMPT", seed=0).learn
    general = [row for row in mixed.rows if "OWN" not in learnt(tokenizer, row)]
    assert len(general) == mixed.replayed
    for row in general:
        whole = tokenizer.decode(row["input_ids"], skip_special_tokens=False)
        assert "system\nsystem " in whole
        assert "OUR PROMPT" not in whole
        assert learnt(tokenizer, row).startswith("assistant ")
    own = [tokenizer.decode(row["input_ids"]) for row in mixed.rows if "OWN" in learnt(tokenizer, row)]
    assert all("OUR PROMPT" in whole for whole in own)


def test_general_rows_are_met_throughout_the_stage(tokenizer: Any, folder: Path) -> None:
    """In the rows as prepared, and in the order in which they are trained."""
    mixed = prepare(folder, stage("sft", folder / "general.jsonl", 0.3), tokenizer, None, seed=0).learn
    order = training_order([len(row["input_ids"]) for row in mixed.rows], epochs=3, batch=4, seed=0)
    for rows in (list(mixed.rows), [mixed.rows[at] for at in order]):
        general = ["OWN" not in learnt(tokenizer, row) for row in rows]
        quarter = len(general) // 4
        counts = [sum(general[at * quarter : (at + 1) * quarter]) for at in range(4)]
        assert min(counts) > 0.4 * max(counts)


def test_validation_rows_are_never_replayed(tokenizer: Any, folder: Path, tmp_path: Path) -> None:
    save_lines(tmp_path / "held.jsonl", [{"question": "held", "answer": "H"}])
    settings = stage("sft", folder / "general.jsonl", 0.3, validation=tmp_path / "held.jsonl")
    material = prepare(folder, settings, tokenizer, None, seed=0)
    assert [learnt(tokenizer, row) for row in material.watch.rows] == ["H"]
    assert "replayed from" in material.notes[0]


# ---- what cannot be replayed


def test_too_little_general_data_is_said_with_its_size(tokenizer: Any, folder: Path, tmp_path: Path) -> None:
    save_lines(tmp_path / "few.jsonl", [{"question": "q", "answer": "a"}])
    with pytest.raises(FieldsmithError, match=r"few\.jsonl holds \d+ tokens .* fraction of 0\.5 of this stage takes \d+: give more"):
        prepare(folder, stage("sft", tmp_path / "few.jsonl", 0.5), tokenizer, None, seed=0)


def test_bad_entries_of_others_are_passed_over_but_never_in_silence(tokenizer: Any, folder: Path, tmp_path: Path) -> None:
    good = [{"question": f"q{n}", "answer": f"a{n}"} for n in range(40)]
    save_lines(tmp_path / "mixed.jsonl", [*good, *({"question": "only", "answer": ""} for _ in range(10))])
    assert prepare(folder, stage("sft", tmp_path / "mixed.jsonl", 0.05), tokenizer, None, seed=0).learn.replayed > 0
    with pytest.raises(FieldsmithError, match=r"10 entries cannot be used; .*line \d+, answer, is empty"):
        prepare(folder, stage("sft", tmp_path / "mixed.jsonl", 0.9), tokenizer, None, seed=0)
    save_lines(tmp_path / "useless.jsonl", [{"a": 1}])
    with pytest.raises(FieldsmithError, match="holds nothing to replay"):
        prepare(folder, stage("cpt", tmp_path / "useless.jsonl", 0.1), tokenizer, None, seed=0)
    with pytest.raises(FieldsmithError, match="there is no file"):
        prepare(folder, stage("sft", tmp_path / "missing.jsonl", 0.1), tokenizer, None, seed=0)


def test_a_hub_that_cannot_be_reached_is_a_sentence(tokenizer: Any, folder: Path) -> None:
    own = prepare_pairs(tokenizer, read_conversations(folder / "train.jsonl"), max_length=128)
    with pytest.raises(FieldsmithError, match="owner/no-such-data-set") as caught:
        with_replay(own, ReplayConfig(hub="owner/no-such-data-set"), "sft", tokenizer, max_length=128, seed=0)
    assert "\n" not in str(caught.value)


def test_a_data_set_of_the_hubs_kind_is_replayed(tokenizer: Any, folder: Path, tmp_path: Path) -> None:
    """A folder of data files stands for one of the hub: `datasets` opens both in the same way."""
    (tmp_path / "chats").mkdir()
    (tmp_path / "chats" / "train.jsonl").write_bytes((folder / "general.jsonl").read_bytes())
    own = prepare_pairs(tokenizer, read_conversations(folder / "train.jsonl"), max_length=128)
    mixed = with_replay(own, ReplayConfig(hub=str(tmp_path / "chats"), fraction=0.2), "sft", tokenizer, max_length=128, seed=3)
    assert mixed.replayed > 0
    assert mixed == with_replay(own, ReplayConfig(hub=str(tmp_path / "chats"), fraction=0.2), "sft", tokenizer, max_length=128, seed=3)
    with pytest.raises(UsageError, match="no-such-split"):
        with_replay(own, ReplayConfig(hub=str(tmp_path / "chats"), split="no-such-split"), "sft", tokenizer, max_length=128, seed=3)


@settings(deadline=None, max_examples=20)
@given(tokens=st.integers(1, 400), fraction=st.floats(0.01, 0.5))
def test_small_stages_have_their_share_too(tokens: int, fraction: float, tokenizer: Any, folder: Path) -> None:
    assume(tokens * fraction / (1 - fraction) > 2)
    own = Prepared((Row(input_ids=[5] * tokens, labels=[5] * tokens),))
    replay = ReplayConfig(path=folder / "general_texts.jsonl", fraction=fraction)
    mixed = with_replay(own, replay, "cpt", tokenizer, max_length=16, seed=0)
    assert abs(mixed.replayed_tokens - fraction * mixed.tokens) <= 2
    assert all(len(row["input_ids"]) > 1 for row in mixed.rows[1:])
