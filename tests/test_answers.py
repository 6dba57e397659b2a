from __future__ import annotations

from pathlib import Path

import pytest

from harvest.store import FieldsmithError, save_lines
from train import LoraConfig, StageConfig, TrainConfig, train
from train.prove.answers import Answer, answer
from train.records import Passage

PAIRS = {f"What is the current of ring {name}?": f"{number} mA" for name, number in zip("ABCD", range(310, 390, 20), strict=True)}


@pytest.fixture(scope="module")
def trained(base: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainConfig, Path]:
    folder = tmp_path_factory.mktemp("trained")
    save_lines(folder / "train.jsonl", [{"question": question, "answer": said} for question, said in PAIRS.items()])
    stage = StageConfig(kind="sft", epochs=40, learning_rate=1e-2, batch_size=4, max_length=128, warmup_steps=2)
    config = TrainConfig(base=base, backend="peft", lora=LoraConfig(r=16, alpha=32), stages=(stage,))
    train(config, folder / "train.jsonl", folder / "out", seed=1)
    return config, folder / "out"


def test_base_and_tuned_answer_and_passages_are_found(trained: tuple[TrainConfig, Path], tmp_path: Path) -> None:
    config, out = trained
    rings = [Passage("a", "The ring A stores 310 mA."), Passage("q", "The quay is long.")]
    save_lines(tmp_path / "chunks.jsonl", rings)
    said = answer(config, out, [*PAIRS, "Who painted it?"], max_new_tokens=12, passages=tmp_path / "chunks.jsonl")
    assert [one.question for one in said] == [*PAIRS, "Who painted it?"]
    assert all(one.tuned.endswith("mA") for one in said[:4])
    assert all(one.base != one.tuned for one in said[:4])
    assert said[0].passages == (rings[0],)
    assert said[-1].passages == ()


def test_without_passages_none_are_found(trained: tuple[TrainConfig, Path]) -> None:
    config, out = trained
    [said] = answer(config, out, [next(iter(PAIRS))], max_new_tokens=12)
    assert isinstance(said, Answer)
    assert said.passages == ()
    assert answer(config, out, []) == []


def test_before_a_training_there_is_no_answer(trained: tuple[TrainConfig, Path], tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match="train first"):
        answer(trained[0], tmp_path, ["Why?"])
