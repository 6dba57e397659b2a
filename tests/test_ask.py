from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.ask import ask, shown
from flows.wrapping import harmless, width_of, wrapped
from harvest.store import StageRecord, UsageError, record_stage, save, save_lines
from train.prove.answers import Answer
from train.records import Passage, Training

CHINESE = "超导腔的工作温度是 2.0 K，由低温工厂的液氦维持；低温工厂每天消耗 1.6 MW 的电，（备用）压缩机因此很少停机。"
PASSAGES = (
    Passage("c1", CHINESE, "低温工厂", "运行", "t-cryo"),
    Passage("c2", "The dipoles spare 11 kW " * 12, "The Mere lattice", "", "t-mere"),
    Passage("c3", "No title."),
)


# ---- wrapping


@given(st.text(max_size=120), st.integers(8, 60))
def test_no_line_is_wider_than_the_terminal_and_no_sign_is_lost(text: str, width: int) -> None:
    lines = list(wrapped(text, width))
    assert all(width_of(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(harmless(text).split())


@given(st.lists(st.sampled_from(["束", "流，", "度。", "（强）", " ", "2.0 ", "K ", "word "]), max_size=40), st.integers(16, 40))
def test_chinese_is_broken_between_its_signs_but_not_before_what_closes_a_clause(units: list[str], width: int) -> None:
    lines = list(wrapped("".join(units), width, ""))
    assert not [line for line in lines if line.startswith(("，", "。", "）")) or line.endswith(("（", "2."))]
    for line, after in pairwise(lines):  # as much on a line as fits
        assert width_of(line) + 7 > width or after[0] in "2Kw"


def test_chinese_is_broken_by_its_width() -> None:
    assert list(wrapped("超导腔的工作温度是2.0 K，由液氦维持。", 20, "")) == ["超导腔的工作温度是", "2.0 K，由液氦维持。"]
    assert list(wrapped("束流强度，束流寿命。", 9, "")) == ["束流强", "度，束流", "寿命。"]


def test_what_commands_a_terminal_is_taken_out() -> None:
    said = "\x1b[31mred\x1b[0m \x1b]0;title\x07 a\u202eb\u200b\rc\x9b1m"
    assert "".join(wrapped(said, 80, "")) == "[31mred[0m ]0;title abc1m"


# ---- what is shown


def test_three_blocks_with_title_section_and_document_of_every_passage() -> None:
    text = shown(Answer("q", "A rambling answer. " * 8, "2.0 K", PASSAGES), 44)
    base, tuned, *found = text.split("\n\n")
    assert base.startswith("base\n  A rambling")
    assert tuned == "tuned\n  2.0 K"
    assert found[0].splitlines()[:2] == ["passages that retrieval finds", "  1. 低温工厂, 运行 [t-cryo]"]
    assert "  2. The Mere lattice [t-mere]" in found[1]
    assert all(width_of(line) <= 44 for line in text.splitlines())
    assert "".join(CHINESE.split()) in "".join(text.split())


def test_nothing_found_is_not_nothing_searched() -> None:
    answered = Answer("q", "", "x")
    assert shown(answered, 80).splitlines() == ["base", "  (nothing)", "", "tuned", "  x", "", "passages that retrieval finds", "  none"]
    assert "not searched" in shown(answered, 80, searched=False)


# ---- asked


@pytest.fixture
def field(base: str, tmp_path: Path) -> str:
    """A field whose model was trained: no adapter but whole weights, which are the base's own."""
    (tmp_path / "ring.yaml").write_text(
        "title: the ring\nharvest: {sources: [{folder: {path: papers}}]}\n"
        f"qagen: {{teacher: {{model: x, base_url: 'http://127.0.0.1:1/v1'}}}}\ntrain: {{base: {base}}}\n",
        encoding="utf-8",
    )
    run = tmp_path / "runs" / "ring"
    out = run / "models" / "abc"
    save(out / "training.json", Training(str(out / "adapter"), base, "peft", "", {}, {}, {}, merged="merged"))
    (out / "merged").symlink_to(base)
    save_lines(run / "dataset" / "chunks.jsonl", PASSAGES)
    record_stage(run, "train", StageRecord("f", {}, {"model": "abc"}, {}))
    return str(tmp_path / "ring.yaml")


def test_a_question_in_chinese_is_answered_with_its_passage(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    text = ask(field, "超导腔的工作温度是多少？")
    assert [line for line in text.splitlines() if line and not line.startswith(" ")] == ["base", "tuned", "passages that retrieval finds"]
    assert "1. 低温工厂, 运行 [t-cryo]" in text
    assert all(width_of(line) <= 50 for line in text.splitlines())
    answers = json.loads((Path(field).parent / "runs" / "ring" / "models" / "abc" / "answers.json").read_text(encoding="utf-8"))
    assert answers[0]["base"] == answers[0]["tuned"]


def test_an_empty_question_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="empty"):
        ask("none", " \u3000")
