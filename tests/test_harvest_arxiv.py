"""Harvesting arXiv, against the replay server as a process: faults, politeness, kill -9, no network."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arxiv_replay import ROOT, VARIABLE, Site, replay

from harvest.config import HarvestConfig
from harvest.licence import spdx
from harvest.records import Document, Paper, Rejection
from harvest.stage import harvest
from harvest.store import FieldsmithError, StageRecord, UsageError, load, load_lines

SMALL = ["9901.00002", "9901.00013", "9901.00014"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with replay() as server:
        monkeypatch.setenv(VARIABLE, server.url)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield server


def config(*, interval: float = 0.01, max_papers: int | None = None, **source: Any) -> HarvestConfig:
    return HarvestConfig.model_validate({"sources": [{"arxiv": {"interval": interval, **source}}], "max_papers": max_papers})


def documents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((run / "documents").glob("*.json"))}


def test_a_query_becomes_documents_with_licences_and_nothing_is_asked_twice(site: Site, tmp_path: Path) -> None:
    asked = config(query="cat:physics.acc-ph AND ti:replay-only", ids=SMALL)
    record = harvest(asked, tmp_path)
    assert record.counts["papers"] == record.counts["documents"] + sum(record.counts["rejected"].values())
    assert record.counts["rejected"] == {"withdrawn": 1}
    papers = {paper.id: paper for path in (tmp_path / "papers").glob("*/paper.json") for paper in [load(path, Paper)]}
    assert papers["arxiv:9901.00015v1"].licence == "LicenseRef-arXiv-nonexclusive-distrib"
    assert papers["arxiv:9901.00002v1"].licence == "CC-BY-4.0"
    first = load(next((tmp_path / "documents").glob("arxiv_9901.00002v1*.json")), Document)
    source = load(next((tmp_path / "documents").glob("arxiv_9901.00014v1*.json")), Document)
    assert (first.extractor[:3], source.extractor[:5]) == ("pdf", "latex")
    assert first.paper == papers["arxiv:9901.00002v1"]
    assert first.text
    refused = [next(load_lines(path, Rejection)) for path in (tmp_path / "rejected" / "harvest").glob("*.jsonl")]
    assert [(item.id, item.reason) for item in refused] == [("arxiv:9901.00016v2", "withdrawn")]
    count = len(site.log)
    assert harvest(asked, tmp_path) == record
    assert len(site.log) == count, "a second run asked arXiv again"
    harvest(asked, tmp_path, refresh=True)
    assert site.paths()[count:] == ["/api/query", "/api/query", "/oai2"], "more than the lists and the withdrawn paper was asked again"


def test_with_every_fault_the_same_documents_come_or_the_missing_are_named(site: Site, tmp_path: Path) -> None:
    harvest(config(ids=SMALL), tmp_path / "calm")
    names = ("429", "503", "empty-page", "truncated", "denial", "slow", "hang", "garbage-tar", "wrong-type")
    site.faults(**{name: {"prob": 0.08, "retry_after": 0, "seconds": 0.2} for name in names}, seed=3)
    record = harvest(config(ids=SMALL), tmp_path / "run")
    calm, got = documents(tmp_path / "calm"), documents(tmp_path / "run")
    assert got.items() <= calm.items()
    assert len(calm) - len(got) == sum(record.counts["rejected"].values())
    assert {item["fault"] for item in site.log} - {""}, "no fault fired"


def test_retry_after_is_obeyed_and_a_long_one_ends_the_run(site: Site, tmp_path: Path) -> None:
    site.faults(**{"429": {"prob": 1, "times": 1, "retry_after": 2}})
    harvest(config(ids=SMALL[:1]), tmp_path)
    assert site.gaps()[0] >= 2
    site.faults(**{"429": {"prob": 1, "retry_after": 3600}})
    with pytest.raises(FieldsmithError, match=r"429 .*asks to come back in 3600 s"):
        harvest(config(ids=SMALL), tmp_path)


def test_a_denial_page_is_called_one_and_asked_again_next_time(site: Site, tmp_path: Path) -> None:
    site.faults(denial={"prob": 1, "path": "00002"})
    record = harvest(config(ids=SMALL), tmp_path)
    assert record.counts["rejected"] == {"denied": 1}
    detail = next(load_lines(next((tmp_path / "rejected" / "harvest").glob("*.jsonl")), Rejection)).detail
    assert "Access Denied" in detail
    site.faults()
    assert harvest(config(ids=SMALL), tmp_path).counts["documents"] == 3
    site.faults(denial={"prob": 1})
    with pytest.raises(FieldsmithError, match="denied access 3 times"):
        harvest(config(ids=SMALL), tmp_path / "other")


def test_a_hostile_archive_costs_one_paper_its_source(site: Site, tmp_path: Path) -> None:
    site.faults(**{"garbage-tar": {"prob": 1, "path": "00013"}})
    record = harvest(config(ids=SMALL), tmp_path / "run")
    assert record.counts["documents"] == 3
    document = load(next((tmp_path / "run" / "documents").glob("arxiv_9901.00013v1*.json")), Document)
    assert document.extractor.startswith("pdf")
    assert "source" in document.warnings[0]
    assert not list(tmp_path.rglob("evil*"))


KILLED = """
import sys
from pathlib import Path
from harvest.config import HarvestConfig
from harvest.stage import harvest
harvest(HarvestConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("requests", [5])
def test_kill_9_loses_nothing_that_was_whole(site: Site, tmp_path: Path, requests: int) -> None:
    ids = [*SMALL, "9901.00015"]
    harvest(config(ids=ids), tmp_path / "calm")
    before = len(site.log)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    asked = config(ids=ids, interval=0.15)
    with subprocess.Popen([sys.executable, "-c", KILLED, asked.model_dump_json(), str(tmp_path / "run")], env=env) as process:
        while len(site.log) < before + requests:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    whole = {load(path, Paper).id.removeprefix("arxiv:") for path in (tmp_path / "run" / "papers").glob("*/paper.json")}
    after = len(site.log)
    harvest(config(ids=ids), tmp_path / "run")
    again = {path.rpartition("/")[2] for path in site.paths()[after:] if path.startswith(("/e-print", "/pdf"))}
    assert not again & whole
    assert documents(tmp_path / "run") == documents(tmp_path / "calm")


def test_unreachable_is_one_sentence_that_says_what_was_kept(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harvest(config(ids=SMALL[:2]), tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv(VARIABLE, nobody)
    with pytest.raises(FieldsmithError) as error:
        harvest(config(ids=SMALL), tmp_path)
    said = str(error.value)
    assert said.startswith(
        f"arXiv cannot be reached at {nobody} (the connection is refused); the 2 papers already downloaded stay in {tmp_path}"
    )
    assert VARIABLE in said
    assert "\n" not in said
    assert error.value.exit_code == 1


def test_a_wrong_query_and_an_empty_answer_are_sentences(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"arXiv refuses the search .*unbalanced"):
        harvest(config(query='ti:"ring'), tmp_path)
    with pytest.raises(FieldsmithError, match="arXiv finds nothing for 'ti:zzzzzz'"):
        harvest(config(query="ti:zzzzzz"), tmp_path)
    with pytest.raises(FieldsmithError, match="1 not-found"):
        harvest(config(ids=["9999.99999"]), tmp_path)


def test_pages_are_followed_and_a_limit_is_kept(site: Site, tmp_path: Path) -> None:
    record = harvest(config(query="cat:physics.acc-ph", max_papers=2), tmp_path)
    assert record.counts["papers"] == 2
    assert len(documents(tmp_path)) == 1 + (record.counts["documents"] - 1)
    fewer = harvest(config(query="cat:physics.acc-ph", max_papers=1), tmp_path)
    assert fewer.counts["papers"] == 1
    assert isinstance(fewer, StageRecord)


def test_only_this_machine_may_be_asked_faster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UsageError, match="arXiv asks for 3 s"):
        harvest(config(ids=SMALL, interval=1), tmp_path)
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1.example.org")
    with pytest.raises(UsageError, match="not this machine"):
        harvest(config(ids=SMALL, interval=1), tmp_path)
    monkeypatch.setenv(VARIABLE, "example.org")
    with pytest.raises(UsageError, match="must be an address"):
        harvest(config(ids=SMALL, interval=1), tmp_path)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/", "CC-BY-NC-SA-3.0"),
        ("http://creativecommons.org/licenses/by-nc-nd/4.0", "CC-BY-NC-ND-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "LicenseRef-arXiv-nonexclusive-distrib"),
        ("http://example.org/creativecommons", "LicenseRef-unknown"),
        (None, "LicenseRef-unknown"),
    ],
)
def test_licences_become_spdx(address: str | None, name: str) -> None:
    assert spdx(address) == name


def test_a_wrong_id_is_named_before_anything_is_asked() -> None:
    with pytest.raises(ValueError, match=r"'\.\./etc' is not an arXiv id"):
        config(ids=["../etc"])
