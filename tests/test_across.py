"""Questions across papers: who is paired with whom, and what of a reply becomes a pair."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_more import speak_more
from scripted_teacher import ScriptedTeacher

from harvest.records import PUBLISHABLE, UNKNOWN_LICENCE, Document, Paper, may_publish
from harvest.store import FieldsmithError, load_lines, save, sha256_text
from qagen.chunk import chunk_document
from qagen.config import QAGenConfig, TeacherConfig
from qagen.generate import generate_pairs
from qagen.kinds.across import joint_licence, write_across
from qagen.kinds.entities import entities
from qagen.kinds.partners import Partners, choose_partners
from qagen.records import Chunk, Part, QAPair, SplitEntry, Written
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.protocol import Failure

MERE = (
    "The Bittern cavities of the Mere ring run at 499 MHz. Each Bittern cavity is made of copper and has a shunt impedance of 3.4 MOhm.\n"
)
HERON = (
    "The Heron booster has two Bittern cavities that run at 100 MHz. They are made of niobium and are cooled by helium from Frostmill.\n"
)
CUCKOO = "The timing system called Cuckoo sends its events over 320 km of fibre. A receiver locks within 12 ms.\n"
DERIVES = r"""The power that is lost in a cavity of the Mere ring follows from its accelerating voltage:
$$ P = \frac{V^2}{2 R} $$
Here $P$ is the dissipated power, $V$ is the accelerating voltage, and $R$ is the shunt impedance. The cavity is made of copper.
"""
TEXTS = {
    "mere": ("The cavities of the Mere ring", MERE),
    "heron": ("The Heron booster", HERON),
    "cuckoo": ("The Cuckoo timing system", CUCKOO),
}


def document(name: str, title: str, text: str, licence: str = "CC-BY-4.0") -> Document:
    return Document(name, Paper(name, "folder", title, licence=licence), (), text, sha256_text(text), "test")


DOCUMENTS = {name: document(name, *said) for name, said in TEXTS.items()}


def config(weight: float = 1, **more: Any) -> QAGenConfig:
    return QAGenConfig(teacher=TeacherConfig(model="t", concurrency=4), kinds={"fact": 1, "across": weight}, **more)


def entries(names: Sequence[str], parts: dict[str, Part] | None = None, clusters: dict[str, str] | None = None) -> list[SplitEntry]:
    return [SplitEntry(name, (clusters or {}).get(name, name), (parts or {}).get(name, "train")) for name in names]


def chunks_of(documents: Sequence[Document]) -> list[Chunk]:
    return [chunk for one in documents for chunk in chunk_document(one, config().chunk)]


# ---- entities


def test_what_a_text_names() -> None:
    text = (
        "The Large Hadron Collider (LHC) feeds the HL-LHC at 14 TeV. The beam size of the LHC is $\\beta^*$ and $\\sigma_{x}$. "
        "Nb3Sn magnets reach 11 T. "
        "In Run 2 the HERA 27 GeV beam was used. The beam size grows, says Smith et al. However, Monte Carlo methods differ."
    )
    found = entities(text)
    assert {"large hadron collider", "lhc", "hl-lhc", "nb3sn", "monte carlo", "1.4e+13 eV", "\\beta^*", "\\sigma_x", "beam size"} <= found
    assert {"run 2", "hera"} <= found
    assert not found & {"hera 27", "the", "however", "smith", "tev", "the lhc"}


def test_chinese_names_are_known_by_their_end() -> None:
    one, two = (
        entities("位于储存环的光束位置探测器测得轨道。LHC 的能量为 7 TeV。"),
        entities("每台储存环都装有新的探测器，代号“云雀”，能量 7 TeV。"),
    )
    assert {"储存环", "探测器", "7e+12 eV"} <= one & two
    assert "云雀" in two
    assert "lhc" in one


# ---- partners


def test_papers_that_name_the_same_rare_thing_are_paired() -> None:
    found = choose_partners(chunks_of(list(DOCUMENTS.values())), entries(list(DOCUMENTS)), config())
    assert [one.document_ids for one in found] == [("heron", "mere")]


@pytest.mark.parametrize(
    ("parts", "clusters", "weight"),
    [({"mere": "unseen"}, {}, 1), ({}, {"mere": "heron"}, 1), ({}, {}, 0)],
    ids=["parts of the split", "near copies", "weight 0"],
)
def test_papers_that_are_not_paired(parts: dict[str, Part], clusters: dict[str, str], weight: float) -> None:
    assert choose_partners(chunks_of(list(DOCUMENTS.values())), entries(list(DOCUMENTS), parts, clusters), config(weight)) == []


def test_documents_outside_the_split_are_passed_over() -> None:
    assert choose_partners(chunks_of(list(DOCUMENTS.values())), entries(["mere", "cuckoo"]), config()) == []


def test_by_sense_where_nothing_is_named_alike() -> None:
    """An embedder that puts two of three papers side by side."""
    meant = {"mere": (1.0, 0.0), "cuckoo": (0.8, 0.6), "heron": (0.0, -1.0)}

    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        rows = [next(meant[name] for name, (_, own) in TEXTS.items() if text.strip() in own) for text in texts]
        return np.array(rows, dtype=np.float32)

    plain = {name: document(name, title, text.replace("Bittern", name.title())) for name, (title, text) in TEXTS.items()}
    own = [Chunk(f"{name}#0", name, "", 0, 9, one.text) for name, one in plain.items()]

    def meanwhile(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return embed([next(said for name, (_, said) in TEXTS.items() if plain[name].text == text) for text in texts])

    assert choose_partners(own, entries(list(TEXTS)), config()) == []
    assert [one.document_ids for one in choose_partners(own, entries(list(TEXTS)), config(), meanwhile)] == [("cuckoo", "mere")]


def corpus(seed: int, papers: int) -> list[Chunk]:
    draw = random.Random(seed)
    names = [f"{a}{b}{n}" for a in ("Qu", "Zo", "Ve") for b in ("ark", "ndol") for n in range(8)]
    return [
        Chunk(
            f"p{paper:02}#{at}",
            f"p{paper:02}",
            "",
            at,
            at + 1,
            f"In it {' and '.join(draw.sample(names, 4))} are at {draw.randint(1, 99)} GeV.",
        )
        for paper in range(papers)
        for at in range(draw.randint(1, 4))
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 14), st.sampled_from([0.3, 1, 2]))
def test_pairings_are_bounded_and_do_not_depend_on_the_order(seed: int, papers: int, weight: float) -> None:
    chunks = corpus(seed, papers)
    split = entries(sorted({chunk.document_id for chunk in chunks}), {"p00": "unseen", "p03": "unseen", "p05": "validation"})
    found = choose_partners(chunks, split, config(weight))
    parts = {entry.document_id: entry.part for entry in split}
    assert all(parts[a] == parts[b] == one.part and a < b for one in found for a, b in [one.document_ids])
    assert max(Counter(paper for one in found for paper in one.document_ids).values(), default=0) <= -(-3 * weight // 1)
    assert len({name for one in found for name in one.chunk_ids}) == 2 * len(found)
    assert len({one.document_ids for one in found}) == len(found)
    turned = [
        chunk for paper in sorted({chunk.document_id for chunk in chunks}, reverse=True) for chunk in chunks if chunk.document_id == paper
    ]
    assert choose_partners(iter(turned), reversed(split), config(weight)) == found


# ---- what becomes of a reply


SAID: dict[str, Any] = {
    "first_thing": "the Heron booster",
    "second_thing": "the Mere ring",
    "question": "At which frequencies do the Bittern cavities of the Heron booster and those of the Mere ring run, and which is higher?",
    "steps": [],
    "answer": "In the booster it is 100 MHz, in the ring 499 MHz, so that of the ring is higher.",
    "first_quotes": ["The Heron booster has two Bittern cavities that run at 100 MHz."],
    "second_quotes": ["The Bittern cavities of the Mere ring run at 499 MHz."],
}


def pairing(first: str = "heron", second: str = "mere") -> Partners:
    ids = [chunk_document(DOCUMENTS[name], config().chunk)[0].id for name in (first, second)]
    return Partners((first, second), (ids[0], ids[1]), "train", 0.5)


def written(
    reply: str | None = None, partners: Sequence[Partners] = (), read: Callable[[str], Document] = DOCUMENTS.__getitem__, **more: Any
) -> Written:
    async def ask(request: Request) -> Reply | Failure:
        said = speak_more({"messages": [{"role": one.role, "content": one.content} for one in request.messages]})
        return Reply(reply if reply is not None else said or "", "stop", 1, 1)

    return asyncio.run(write_across(iter(partners or [pairing()]), read, config(**more), ask, None))


def reply(**changed: Any) -> str:
    return json.dumps({"pairs": [{**SAID, **changed}]}, ensure_ascii=False)


def test_a_pair_rests_on_both_papers() -> None:
    found = written(reply())
    assert found.rejections == ()
    (pair,) = found.pairs
    assert (pair.kind, pair.document_id, pair.language) == ("across", "heron", "en")
    proof = [DOCUMENTS[span.document_id or "heron"].text[span.start : span.end] for span in pair.evidence]
    assert proof == [SAID["first_quotes"][0], SAID["second_quotes"][0]]
    assert [span.document_id for span in pair.evidence] == ["", "mere"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"second_quotes": ["The Mere ring runs at 500 MHz."]}, "quote-not-found"),
        ({"second_quotes": []}, "quote-not-found"),
        ({"second_quotes": SAID["first_quotes"]}, "quote-not-found"),
        ({"question": "At which frequencies do the cavities of the two papers run, and which is higher?"}, "not-self-contained"),
        ({"question": "Do the Bittern cavities of the Heron booster run at a higher frequency than others?"}, "thing-not-named"),
        ({"second_thing": "the Heron booster"}, "thing-not-named"),
        (
            {"second_thing": "the Tevatron", "question": "Do the cavities of the Heron booster or of the Tevatron run faster?"},
            "thing-not-named",
        ),
        ({"answer": "It is 100 MHz, which is lower."}, "one-paper-enough"),
        ({"answer": "The latter is higher."}, "one-paper-enough"),
        ({"second_quotes": ["Each Bittern cavity is made of copper"], "answer": "They run at 100 MHz."}, "one-paper-enough"),
    ],
)
def test_what_one_paper_tells_or_nobody_names_is_refused(changed: dict[str, Any], reason: str) -> None:
    found = written(reply(**changed))
    assert found.pairs == ()
    assert [rejection.reason for rejection in found.rejections] == [reason]


def test_what_both_papers_say_alike_counts_for_both() -> None:
    """A question for what two things have in common takes the same word from either side."""
    changed = {
        "question": "Which kind of cavities do the Heron booster and the Mere ring have in common?",
        "answer": "Both have cavities called Bittern.",
    }
    assert len(written(reply(**changed)).pairs) == 1


@pytest.mark.parametrize(
    ("said", "reason"), [("{}", "unreadable-reply"), ('{"pairs": []}', "nothing-in-common"), ("none", "unreadable-reply")]
)
def test_every_pairing_ends_somewhere(said: str, reason: str) -> None:
    assert [one.reason for one in written(said).rejections] == [reason]


def test_in_chinese_from_english_papers() -> None:
    changed = {
        "first_thing": "Heron 增强器",
        "second_thing": "Mere 储存环",
        "question": "Heron 增强器与 Mere 储存环中 Bittern 腔的频率各是多少，哪个更高？",
        "answer": "前一装置中为 100 MHz，另一装置中为 499 MHz，储存环的更高。",
    }
    found = written(reply(**changed), languages=("zh",))
    assert [(one.reason, one.detail) for one in found.rejections] == []
    assert [pair.language for pair in found.pairs] == ["zh"]


def test_few_documents_are_held_at_once() -> None:
    """A reader is asked pairing by pairing, and nothing keeps what it gave."""
    import weakref

    class Held(str):
        __slots__ = ("__weakref__",)

    alive: list[weakref.ref[Held]] = []
    most = 0

    def read(name: str) -> Document:
        nonlocal most
        most = max(most, sum(one() is not None for one in alive))
        text = Held(TEXTS[name.split("-")[0]][1])
        alive.append(weakref.ref(text))
        return document(name, TEXTS[name.split("-")[0]][0], text)

    many = [
        Partners((f"heron-{at}", f"mere-{at}"), (f"heron-{at}#0-{len(HERON) - 1}", f"mere-{at}#0-{len(MERE) - 1}"), "train", 0.5)
        for at in range(60)
    ]
    found = written(None, many, read)
    assert len(found.pairs) + len(found.rejections) == 60
    assert most <= 2, "documents are read one after the other and let go"


def test_a_document_that_was_changed_since_is_named() -> None:
    with pytest.raises(FieldsmithError, match="heron#5-6"):
        written(reply(), [Partners(("heron", "mere"), ("heron#5-6", "mere#0-1"), "train", 0.5)])


def test_a_run_over_http_holds_what_only_two_papers_tell(tmp_path: Path) -> None:
    """A derivation, a question across papers and paraphrases of one run; the second time nobody is asked."""
    derives = document("rf", "The radio-frequency cavities of the Mere ring", DERIVES)
    documents = [derives, *DOCUMENTS.values()]
    for one in documents:
        save(tmp_path / "documents" / f"{one.id}.json", one)
    with ScriptedTeacher() as server:
        settings = {"teacher": {"model": "t", "base_url": server.url}, "paraphrases": 1, "kinds": {"fact": 1, "derivation": 1, "across": 1}}
        for _ in range(2):
            split = entries([one.id for one in documents])
            summary = generate_pairs(QAGenConfig.model_validate(settings), documents, tmp_path, seed=1, split=split)
    assert summary.calls_made == 0
    assert {"derivation", "across"} <= set(summary.pairs)
    found = [pair for path in sorted((tmp_path / "pairs").glob("*.jsonl")) for pair in load_lines(path, QAPair)]
    ids = {pair.id for pair in found}
    assert any(pair.paraphrase_of and pair.kind == "derivation" for pair in found)
    assert all(pair.paraphrase_of in ids for pair in found if pair.paraphrase_of)
    texts = {one.id: one.text for one in documents}
    assert all(texts[span.document_id or pair.document_id][span.start : span.end].strip() for pair in found for span in pair.evidence)


# ---- licences


@given(
    st.sampled_from([*PUBLISHABLE, UNKNOWN_LICENCE, "CC-BY-NC-4.0", "LicenseRef-arxiv"]),
    st.sampled_from([*PUBLISHABLE, UNKNOWN_LICENCE, "CC-BY-NC-4.0"]),
)
def test_what_one_paper_forbids_the_pair_forbids(first: str, second: str) -> None:
    joint = joint_licence(first, second)
    assert joint == joint_licence(second, first)
    if not (may_publish(first, PUBLISHABLE) and may_publish(second, PUBLISHABLE)):
        assert not may_publish(joint, PUBLISHABLE)
    assert first != second or joint == first
