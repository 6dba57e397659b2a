"""Harvesting arXiv, against the replay server as a process: faults, politeness, kill -9, no network."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harvest.config import HarvestConfig
from harvest.licence import spdx
from harvest.polite import Gate
from harvest.records import Document, Paper, Rejection
from harvest.stage import harvest
from harvest.store import FieldsmithError, StageRecord, UsageError, load, load_lines

ROOT = Path(__file__).parent.parent
SERVER = ROOT.parent / "shared" / "arxiv-replay" / "serve.py"
needs_server = pytest.mark.skipif(not SERVER.exists(), reason="the arXiv replay server is not here")
SMALL = ["9901.00002", "9901.00013", "9901.00014"]
VARIABLE = "FIELDSMITH_ARXIV_URL"


class Site:
    """A replay server: its address, its log, its faults."""

    def __init__(self, url: str) -> None:
        self.url = url

    def faults(self, **faults: Any) -> None:
        request = urllib.request.Request(f"{self.url}/_faults", data=json.dumps(faults).encode(), method="POST")  # noqa: S310
        urllib.request.urlopen(request).read()  # noqa: S310

    @property
    def log(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.load(urllib.request.urlopen(f"{self.url}/_log"))  # noqa: S310
        return found

    def paths(self) -> list[str]:
        return [item["path"] for item in self.log]

    def gaps(self) -> list[float]:
        """Seconds between the arrivals of any two requests that follow each other."""
        return [after["time"] - before["time"] for before, after in pairwise(self.log)]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    if not SERVER.exists():
        pytest.skip("the arXiv replay server is not here")
    command = [sys.executable, str(SERVER), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[1]
        monkeypatch.setenv(VARIABLE, url)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        try:
            yield Site(url)
        finally:
            server.terminate()


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
    assert {path.split("/")[1] for path in site.paths()[count:]} == {"api", "e-print", "pdf", "oai2"}
    assert all("00016" in path for path in site.paths()[count:] if path.startswith(("/e-print", "/pdf"))), "a whole paper came again"


def test_two_processes_keep_the_interval_between_them(site: Site, tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from harvest.config import HarvestConfig; from harvest.stage import harvest\n"
    code += "harvest(HarvestConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    asked = config(ids=SMALL[:2], interval=0.3).model_dump_json()
    running = [subprocess.Popen([sys.executable, "-c", code, asked, str(tmp_path / name)], env=env) for name in ("one", "two")]
    assert [process.wait(120) for process in running] == [0, 0]
    assert len(site.log) == 2 * (1 + 2 + 2)  # each: one search, two licences, two sources
    assert min(site.gaps()) > 0.29
    assert documents(tmp_path / "one") == documents(tmp_path / "two")


def test_the_gate_survives_a_killed_holder_and_a_torn_or_foreign_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = "import time\nfrom harvest.polite import Gate\ng = Gate('x', 0.4)\n"
    code += "with g.held():\n g.pace(); print('in', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        entered = time.monotonic()
        holder.send_signal(signal.SIGKILL)
    gate, stamp = Gate("x", 0.4), tmp_path / "fieldsmith" / "polite" / "x.last"
    with gate.held():
        gate.pace()
    assert 0.3 < time.monotonic() - entered < 3
    for text in ("", "nonsense", f"{time.monotonic() + 1e6} 0"):  # torn, broken, of an earlier boot
        stamp.write_text(text)
        start = time.monotonic()
        with gate.held():
            gate.pace()
        assert 0.39 <= time.monotonic() - start < 3


def test_busy_cut_and_wrong_answers_are_overcome(site: Site, tmp_path: Path) -> None:
    plain = harvest(config(ids=SMALL), tmp_path / "plain")
    for number, faults in enumerate(
        (
            {"429": {"prob": 1, "times": 1, "retry_after": 1}},
            {"503": {"prob": 1, "times": 2, "path": "^/e-print", "retry_after": 1}},
            {"truncated": {"prob": 1, "times": 3}},
            {"wrong-type": {"prob": 1}},
            {"hang": {"prob": 1, "times": 1, "seconds": 1}},
        )
    ):
        site.faults(**faults)
        assert harvest(config(ids=SMALL), tmp_path / str(number)).counts == plain.counts
        assert documents(tmp_path / str(number)) == documents(tmp_path / "plain")


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


@pytest.mark.parametrize("requests", [2, 5, 8])
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
