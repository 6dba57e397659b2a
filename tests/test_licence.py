"""Licences: read from whatever sources write, checked in YAML, and two views of one dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_qagen_stage import make_run, settings

from harvest.config import FolderSource, HarvestConfig, Licences
from harvest.field_settings import load_harvest
from harvest.licence import licence_id, spdx
from harvest.records import PUBLISHABLE, UNKNOWN_LICENCE, may_publish
from harvest.stage import harvest
from harvest.store import UsageError, load_lines, read_manifest
from qagen.records import Example, ExamQuestion, Passage
from qagen.stage import build_dataset, split

NONEXCLUSIVE = "LicenseRef-arXiv-nonexclusive-distrib"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/", "CC-BY-NC-SA-3.0"),
        ("http://creativecommons.org/licenses/by/3.0/us", "CC-BY-3.0-US"),
        ("https://creativecommons.org/licenses/by/2.0/uk/", "CC-BY-2.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://arxiv.org/licenses/nonexclusive-distrib/1.0/", NONEXCLUSIVE),
        ("https://www.gnu.org/licenses/fdl-1.2.html", "GFDL-1.2-or-later"),
        ("https://opensource.org/license/bsd-3-clause", "BSD-3-Clause"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("cc-by-nc-nd-4.0", "CC-BY-NC-ND-4.0"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International License", "CC-BY-NC-SA-4.0"),
        ("Creative Commons Attribution 3.0 Unported", "CC-BY-3.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("Public Domain", "LicenseRef-public-domain"),
        ("GNU Free Documentation License, version 1.3 or later", "GFDL-1.3-or-later"),
        ("GFDL 1.3", "GFDL-1.3-only"),
        ("arXiv nonexclusive-distrib 1.0", NONEXCLUSIVE),
        ("mit", "MIT"),
        ("LicenseRef-Our-Lab", "LicenseRef-Our-Lab"),
        ({"license": "CC BY 4.0", "url": "http://creativecommons.org/licenses/by/4.0/"}, "CC-BY-4.0"),
        ({"license": "CC-BY-3.0", "imposing": "Elsevier"}, "CC-BY-3.0"),
        ({"URL": "https://www.elsevier.com/tdm/userlicense/1.0/"}, UNKNOWN_LICENCE),
        ({}, UNKNOWN_LICENCE),
        ("CC-BY", UNKNOWN_LICENCE),
        ("CC BY 9.0", UNKNOWN_LICENCE),
        ("not CC BY 4.0", UNKNOWN_LICENCE),
        ("© 2020 The Authors", UNKNOWN_LICENCE),
        ("http://example.org/creativecommons", UNKNOWN_LICENCE),
        ("", UNKNOWN_LICENCE),
        (None, UNKNOWN_LICENCE),
    ],
)
def test_what_sources_write_becomes_spdx(said: str | dict[str, object] | None, name: str) -> None:
    assert spdx(said) == name


@given(st.text(max_size=40))
def test_anything_becomes_an_id_that_is_valid_and_stays_itself(text: str) -> None:
    name = spdx(text)
    assert licence_id(name) == name == spdx(name)


@given(st.text(max_size=30), st.lists(st.sampled_from(["*", "LicenseRef-*", "[L]*", UNKNOWN_LICENCE, "?*"])))
def test_unknown_is_never_published(written: str, patterns: list[str]) -> None:
    assert not may_publish(UNKNOWN_LICENCE, patterns)
    assert not may_publish(spdx(f"?{written}"), patterns) or spdx(f"?{written}") != UNKNOWN_LICENCE


def test_the_usual_licences_are_publishable_and_closed_ones_are_not() -> None:
    free = ("CC0-1.0", "CC-BY-4.0", "CC-BY-3.0", "CC-BY-SA-4.0", "LicenseRef-public-domain", "MIT")
    closed = (NONEXCLUSIVE, "CC-BY-NC-4.0", "CC-BY-ND-4.0", "CC-BY-NC-ND-4.0", "GPL-3.0-or-later", UNKNOWN_LICENCE)
    assert [name for name in (*free, *closed) if may_publish(name, PUBLISHABLE)] == list(free)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("CC-BY4", "CC-BY-4.0"), ("CC BY 4.0", "CC-BY-4.0"), ("CC-BY-4", "CC-BY-4.0"), ("public domain", "LicenseRef-public-domain")],
)
def test_a_mistyped_licence_is_told_with_its_line_and_the_nearest_valid_one(tmp_path: Path, written: str, meant: str) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(f"harvest:\n  sources:\n    - folder:\n        path: .\n        licence: {written}\n")
    with pytest.raises(UsageError) as error:
        load_harvest(str(path))
    assert str(error.value).startswith(f"{path}, line 5, harvest.sources.0.folder.licence: {written!r} is no SPDX id")
    assert f"did you mean {meant}?" in str(error.value)
    path.write_text("harvest:\n  sources: [{folder: {path: .}}]\n  licences: {publish: [CC-BY4]}\n")
    with pytest.raises(UsageError, match=r"line 3, harvest\.licences\.publish\.0: .*did you mean CC-BY-4\.0"):
        load_harvest(str(path))


def test_ids_in_any_case_are_one(tmp_path: Path) -> None:
    assert FolderSource(path=tmp_path, licence="cc-by-4.0").licence == "CC-BY-4.0"
    assert Licences(train=("cc-by-*",)).may_train("CC-BY-4.0")


def test_what_may_not_be_trained_on_is_left_out_with_its_reason(tmp_path: Path) -> None:
    for name, words in (("open", "beam"), ("closed", "magnet")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").write_text(f"The {words} of the ring is described in enough words for a reader. " * 3)
    sources = [
        {"folder": {"path": tmp_path / "open", "licence": "CC-BY-4.0"}},
        {"folder": {"path": tmp_path / "closed", "licence": "CC-BY-NC-4.0"}},
    ]
    config = HarvestConfig.model_validate({"sources": sources, "licences": {"train": ["CC-BY-4.0", "CC0-*"]}})
    record = harvest(config, tmp_path / "run")
    assert record.counts["rejected"] == {"licence": 1}
    assert record.counts["sources"]["folder closed"] == {"papers": 1, "documents": 0, "rejected": {"licence": 1}}
    assert not (tmp_path / "run" / "papers" / "closed").exists(), "it was fetched all the same"
    everything = config.model_copy(update={"licences": Licences()})
    assert harvest(everything, tmp_path / "run").counts["documents"] == 2
    assert harvest(config, tmp_path / "run").counts == record.counts
    assert not (tmp_path / "run" / "documents" / "closed.json").exists()


# ---- two views


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of documents of which every second one is under no known licence."""
    make_run(tmp_path / "run", range(12))
    split(settings(), tmp_path / "run", seed=1)
    return tmp_path / "run"


def licences(run: Path) -> dict[str, str]:
    documents = (json.loads(path.read_text()) for path in (run / "documents").glob("*.json"))
    return {document["id"]: document["paper"]["licence"] for document in documents}


def test_what_is_published_rests_on_open_documents_only_and_is_all_that_does(run: Path) -> None:
    record = build_dataset(settings(), run, seed=1)
    licence_of, view = licences(run), run / "dataset" / "published"
    for name, kind in (("train", Example), ("validation", Example), ("corpus", Passage)):
        whole = list(load_lines(run / "dataset" / f"{name}.jsonl", kind))
        wanted = [line for line in whole if licence_of[line.document_id] == "CC-BY-4.0"]
        published = list(load_lines(view / f"{name}.jsonl", kind)) if (view / f"{name}.jsonl").exists() else []
        assert published == wanted
        assert record.counts["published"].get(name, 0) == len(wanted)
        assert len(wanted) < len(whole)
    exam = list(load_lines(view / "exams" / "unseen.jsonl", ExamQuestion)) if (view / "exams" / "unseen.jsonl").exists() else []
    asked = [q for q in load_lines(run / "dataset" / "exams" / "unseen.jsonl", ExamQuestion) if licence_of[q.document_id] == "CC-BY-4.0"]
    assert [question.id for question in exam] == [question.id for question in asked]
    card = (view / "README.md").read_text(encoding="utf-8")
    assert "every source may be passed on" in card
    assert UNKNOWN_LICENCE not in card
    assert "note:02" not in card
    whole_card = (run / "dataset" / "README.md").read_text(encoding="utf-8")
    assert "published/" in whole_card


def test_a_wrong_option_of_a_closed_document_is_not_published(run: Path) -> None:
    build_dataset(settings(), run, seed=1)
    licence_of = licences(run)
    closed = {
        pair["answer"]
        for path in (run / "pairs").glob("*.jsonl")
        for pair in map(json.loads, path.read_text().splitlines())
        if licence_of[pair["document_id"]] == UNKNOWN_LICENCE
    }
    open_ = {
        pair["answer"]
        for path in (run / "pairs").glob("*.jsonl")
        for pair in map(json.loads, path.read_text().splitlines())
        if licence_of[pair["document_id"]] != UNKNOWN_LICENCE
    }
    questions = [q for path in (run / "dataset" / "published" / "exams").glob("*.jsonl") for q in load_lines(path, ExamQuestion)]
    assert questions
    assert not [q for q in questions if set(q.options) & (closed - open_)]


def test_what_may_be_published_is_the_labs_to_say_and_a_change_is_followed(run: Path) -> None:
    first = build_dataset(settings(), run, seed=1)
    nothing = build_dataset(settings(), run, seed=1, publish=("CC0-1.0",))
    assert nothing.counts["published"] == {}
    assert not (run / "dataset" / "published").exists()
    assert "There is nothing else" in (run / "dataset" / "README.md").read_text()
    everything = build_dataset(settings(), run, seed=1, publish=("*",))
    assert everything.counts["published"] == first.counts["published"], "the unknown was published"
    assert build_dataset(settings(), run, seed=1, publish=("*",)) == everything == read_manifest(run)["dataset"]
    (run / "dataset" / "published" / "train.jsonl").unlink()
    build_dataset(settings(), run, seed=1, publish=("*",))
    assert (run / "dataset" / "published" / "train.jsonl").exists()
