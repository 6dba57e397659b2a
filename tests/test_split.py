"""Near-copies stay together, and what was once decided stays decided."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.records import Document, Paper
from harvest.store import UsageError
from qagen.config import SplitConfig
from qagen.curate.split import split_documents
from qagen.records import QAPair, SplitEntry

CONFIG = SplitConfig()


def document(name: str, text: str, title: str = "", doi: str | None = None) -> Document:
    return Document(name, Paper(name, "folder", title, doi=doi), (), text, hashlib.sha256(text.encode()).hexdigest(), "test 1")


def prose(topic: int, sentences: int = 40) -> str:
    choice = random.Random(topic)
    nouns = [f"word{topic}x{n}" for n in range(60)]
    return " ".join(f"The {choice.choice(nouns)} of the {choice.choice(nouns)} is in a {choice.choice(nouns)}." for _ in range(sentences))


def clusters_of(*documents: Document, config: SplitConfig = CONFIG) -> dict[str, str]:
    return {entry.document_id: entry.cluster for entry in split_documents(documents, config, seed=1)}


def parts(entries: list[SplitEntry]) -> dict[str, str]:
    return {entry.document_id: entry.part for entry in entries}


@settings(max_examples=40, deadline=None)
@given(topics=st.lists(st.integers(0, 12), min_size=1, max_size=16), seed=st.integers(0, 99))
def test_a_cluster_is_never_divided_and_something_is_trained_on(topics: list[int], seed: int) -> None:
    documents = [document(f"d{number:02d}", prose(topic)) for number, topic in enumerate(topics)]
    entries = split_documents(documents, CONFIG, seed=seed)
    by_topic = {topic: {entry.part for entry, held in zip(entries, topics, strict=True) if held == topic} for topic in topics}
    assert all(len(found) == 1 for found in by_topic.values())
    assert len({entry.cluster for entry in entries}) == len(set(topics))
    assert "train" in parts(entries).values()
    if len(set(topics)) >= 4:
        assert set(parts(entries).values()) == {"train", "validation", "unseen"}


@settings(max_examples=40, deadline=None)
@given(first=st.sets(st.integers(0, 30), min_size=1, max_size=10), more=st.sets(st.integers(0, 30), max_size=10), seed=st.integers(0, 9))
def test_adding_documents_moves_none(first: set[int], more: set[int], seed: int) -> None:
    before = split_documents([document(f"d{topic}", prose(topic)) for topic in first], CONFIG, seed=seed)
    grown = [document(f"d{topic}", prose(topic)) for topic in first | more]
    after = split_documents(grown, CONFIG, seed=seed, previous=before)
    assert parts(before).items() <= parts(after).items()


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(8)))
def test_the_order_of_the_documents_does_not_matter(order: list[int]) -> None:
    documents = [document(f"d{topic}", prose(topic // 2)) for topic in range(8)]
    assert split_documents([documents[n] for n in order], CONFIG, seed=3) == split_documents(documents, CONFIG, seed=3)


def test_a_new_document_that_joins_two_clusters_brings_them_where_most_was_seen() -> None:
    one, two = prose(1), prose(2)
    before = [SplitEntry("a", "a", "unseen"), SplitEntry("b", "b", "train")]
    bridge = document("c", f"{one} {two}")
    after = split_documents([document("a", one), document("b", two), bridge], CONFIG, seed=1, previous=before)
    assert set(parts(after).values()) == {"train"}


# ruff: noqa: E501
REPORT = (
    "The storage ring operates at an energy of 3.2 GeV with a stored current of 412 mA. Each of the RF cavities gives 0.85 MV and is cooled by "
    "water of 31.5 °C. The vacuum chambers are baked at 180 °C for 36 h. The horizontal emittance is 145 pm and the coupling is 1.7 %. "
    "Sextupoles are powered with 118.4 A. The injection kickers fire for 2.6 μs. The lifetime at full current is 11.5 h."
)
REWORDED = (
    "Electrons circulate with 3.2 GeV, and 412 mA are kept in the machine. A voltage of 0.85 MV per resonator is reached while cooling water enters "
    "with 31.5 degrees Celsius... that is 31.5 °C. Before operation we heat all chambers to 180 °C during 36 hours. We measured 145 pm as natural "
    "emittance in the horizontal plane, with 1.7 % coupling. Our sextupole supplies deliver 118.4 A; kicker pulses last 2600 ns. Beam survives 11.5 h."
)
OTHER = (
    "The booster operates at an energy of 0.1 GeV with a stored current of 6 mA. Each of the RF cavities gives 0.25 MV and is cooled by "
    "water of 24.5 °C. The vacuum chambers are baked at 120 °C for 12 h. The horizontal emittance is 35 nm and the coupling is 9.1 %. "
    "Sextupoles are powered with 18.4 A. The extraction kickers fire for 0.6 μs. The lifetime at full current is 1.5 h."
)


def test_a_reworded_copy_is_found_by_its_values_and_a_report_of_the_same_form_is_not_one() -> None:
    found = clusters_of(document("preprint", REPORT), document("proceedings", REWORDED), document("booster", OTHER))
    assert found["proceedings"] == found["preprint"] == "preprint"
    assert found["booster"] == "booster"


def test_an_excerpt_belongs_to_its_whole() -> None:
    assert len(set(clusters_of(document("long", prose(5, 200)), document("short", prose(5, 20))).values())) == 1


def test_chinese_copies_are_found() -> None:
    text = "储存环的磁铁安装在花岗岩支架上，每个支架由三个可调支脚支撑。支架的固有频率必须高于四十赫兹，以减少地面振动的影响。对准小组在每次停机后重新测量支架的位置。"
    other = "低温系统用液氦冷却超导腔，压缩机放在单独的机房里，噪声较大。值班人员每小时记录一次液位，并在液位过低时通知控制室。冷却塔的水由两台水泵循环供应，互为备用。"
    found = clusters_of(document("a", text), document("b", text.replace("必须", "应当")), document("c", other))
    assert found == {"a": "a", "b": "a", "c": "c"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (document("arxiv:2101.00001v1", prose(1)), document("arxiv:2101.00001v3", prose(2))),
        (document("a", prose(1), doi="10.1000/ABC"), document("b", prose(2), doi="https://doi.org/10.1000/abc")),
        (document("a", prose(1), title="The RF system of the Mere ring"), document("b", prose(2), title="The RF System of the MERE Ring.")),
    ],
)
def test_one_work_under_two_ids_is_one(first: Document, second: Document) -> None:
    assert len(set(clusters_of(first, second).values())) == 1


def test_a_title_that_everyone_uses_makes_no_copy() -> None:
    assert (
        len(set(clusters_of(document("a", prose(1), title="Progress report"), document("b", prose(2), title="Progress report")).values()))
        == 2
    )


def test_an_author_list_of_a_collaboration_makes_no_copy() -> None:
    names = ", ".join(f"A. Surname{n}, B. Othername{n} University of Town{n}" for n in range(600))
    assert len(set(clusters_of(document("a", f"{prose(1)} {names}"), document("b", f"{prose(2)} {names}")).values())) == 2


def test_assigned_documents_take_their_copies_along_and_nobody_else_comes() -> None:
    documents = [document(f"d{n}", prose(n // 2)) for n in range(12)]
    config = SplitConfig(assign={"unseen": ("d2",), "validation": ("d8", "d9*")})
    found = parts(split_documents(documents, config, seed=7))
    assert {name for name in found if found[name] == "unseen"} == {"d2", "d3"}
    assert {name for name in found if found[name] == "validation"} == {"d8", "d9"}


def test_a_pattern_that_names_nothing_is_told_with_the_nearest_ids() -> None:
    with pytest.raises(UsageError, match=r"'t-mere-vacum'.*nearest are t-mere-vacuum"):
        split_documents(
            [document("t-mere-vacuum", prose(1)), document("x", prose(2))], SplitConfig(assign={"unseen": ("t-mere-vacum",)}), seed=1
        )


def test_copies_assigned_to_two_parts_are_an_error() -> None:
    config = SplitConfig(assign={"unseen": ("a",), "validation": ("b",)})
    with pytest.raises(UsageError, match="pulls copies of one work apart: a goes to unseen, b to validation"):
        split_documents([document("a", prose(1)), document("b", prose(1)), document("c", prose(2))], config, seed=1)


def test_assigning_everything_leaves_nothing_to_train_on() -> None:
    with pytest.raises(UsageError, match="none is left to train on"):
        split_documents([document("a", prose(1))], SplitConfig(assign={"unseen": ("*",)}), seed=1)


# ---- a lab's own pairs


def own(group: str, question: str, answer: str = "3", name: str = "sim", paraphrase_of: str = "") -> QAPair:
    home = f"own:{name}/{group}"
    return QAPair(f"{home}#{question}", home, "", "own", "en", question, answer, (), "", "", "CC0-1.0", paraphrase_of=paraphrase_of)


def many(count: int, name: str = "sim") -> list[QAPair]:
    return [own(f"g{n}", f"What is measured in run {name} {n}, number {part}?", name=name) for n in range(count) for part in range(3)]


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 60), seed=st.integers(0, 99))
def test_own_groups_get_the_same_shares_and_do_not_move_the_documents(count: int, seed: int) -> None:
    documents = [document(f"d{n}", prose(n)) for n in range(8)]
    alone = split_documents(documents, CONFIG, seed=seed)
    both = split_documents(documents, CONFIG, seed=seed, own=many(count))
    assert [entry for entry in both if not entry.document_id.startswith("own:")] == alone
    mine = [entry for entry in both if entry.document_id.startswith("own:sim/")]
    assert len(mine) == count
    assert "train" in {entry.part for entry in mine}
    if count >= 4:
        assert {entry.part for entry in mine} == {"train", "validation", "unseen"}


def test_each_own_source_holds_something_out() -> None:
    entries = split_documents([], CONFIG, seed=1, own=[*many(300, "a"), *many(6, "b")])
    for name in ("a", "b"):
        assert {entry.part for entry in entries if entry.document_id.startswith(f"own:{name}/")} == {"train", "validation", "unseen"}
    shares = [entry.part for entry in entries if entry.document_id.startswith("own:a/")]
    assert 0.09 < shares.count("unseen") / 300 < 0.21


def test_groups_with_the_same_pair_or_its_paraphrase_stay_together() -> None:
    pairs = [
        *many(40),
        own("g1", "How long is the ring?"),
        own("g7", "How long is the RING"),
        own("other", "How long is the ring?", name="file"),
    ]
    pairs.append(own("far", "In metres, what does the ring measure?", paraphrase_of=pairs[0].id))
    clusters = {entry.document_id: entry.cluster for entry in split_documents([], CONFIG, seed=1, own=pairs)}
    assert len({clusters[name] for name in ("own:sim/g1", "own:sim/g7", "own:file/other")}) == 1
    assert clusters["own:sim/far"] == clusters["own:sim/g0"]
    assert len(set(clusters.values())) == 39


def test_a_set_phrase_that_all_groups_share_does_not_make_them_one() -> None:
    pairs = [*many(40), *(own(f"g{n}", "What is the critical temperature?") for n in range(40))]
    assert len({entry.cluster for entry in split_documents([], CONFIG, seed=1, own=pairs)}) == 40


def test_own_groups_can_be_assigned_and_stay_where_they_were() -> None:
    config = SplitConfig(assign={"unseen": ("own:sim/g1*",)})
    entries = split_documents([], config, seed=1, own=many(20))
    assert {entry.document_id for entry in entries if entry.part == "unseen"} == {f"own:sim/g{n}" for n in (1, *range(10, 20))}
    before = split_documents([], CONFIG, seed=1, own=many(20))
    assert parts(before).items() <= parts(split_documents([], CONFIG, seed=1, own=many(60), previous=before)).items()
