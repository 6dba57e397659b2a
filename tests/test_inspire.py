"""INSPIRE, against a stand-in that answers as its API documentation says: paging, records, full texts, faults, kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from arxiv_replay import replay
from small_web import PDF, SmallWeb, in_turn, reply, small_web

from harvest.config import InspireSource
from harvest.records import Paper
from harvest.sources import arxiv, inspire
from harvest.sources.offer import Refused
from harvest.store import load, safe_name
from harvest.web import Unreachable

ROOT = Path(__file__).parent.parent
LITERATURE = "/api/literature"
CC_BY = {"license": "CC BY 4.0", "url": "https://creativecommons.org/licenses/by/4.0/"}


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallWeb]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    with small_web() as server:
        monkeypatch.setenv(inspire.VARIABLE, server.url)
        yield server


def record(number: int, **metadata: Any) -> dict[str, Any]:
    """A record as the API gives it."""
    known = {"control_number": number, "titles": [{"title": f"Paper {number}"}], "document_type": ["article"], "$schema": "hep.json"}
    return {"id": str(number), "created": "2023-05-01", "links": {"self": "x"}, "metadata": known | metadata}


def literature(records: list[dict[str, Any]], total: int | None = None) -> Any:
    """The search endpoint over these records: size, page, totals and the link to the next page."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}
        size, page = int(asked["size"]), int(asked["page"])
        if size > 1000:
            return reply(400, b'{"status": 400, "message": "Maximum search page size of `1000` results exceeded."}')(handler)
        hits = {"hits": records[(page - 1) * size : page * size], "total": len(records) if total is None else total}
        body = {"hits": hits, "links": {"next": f"http://evil.example/?page={page + 1}"}}
        return reply(200, json.dumps(body).encode(), Content_Type="application/json")(handler)

    return answer


def pages(web: SmallWeb) -> list[str]:
    return [parse_qs(urlsplit(path).query)["page"][0] for path in web.paths() if path.startswith(LITERATURE)]


def gather(run: Path, *, refresh: bool = False, **settings: Any) -> dict[str, Paper | Refused]:
    """Fetch all that the source offers, as far as it is not here."""
    outcome: dict[str, Paper | Refused] = {}
    for offer in inspire.offers(InspireSource(query="t beam", **settings), run, refresh=refresh):
        place = run / "papers" / safe_name(offer.paper.id)
        try:
            outcome[offer.paper.id] = load(place / "paper.json", Paper) if (place / "paper.json").exists() else offer.fetch(place)
        except Refused as error:
            outcome[offer.paper.id] = error
    return outcome


def test_a_record_becomes_a_paper_with_its_full_text(web: SmallWeb, tmp_path: Path) -> None:
    web.answers |= {
        LITERATURE: literature(
            [
                record(
                    451647,
                    titles=[{"title": "Beams of <i>H</i><sup>&minus;</sup> at $p < 3$", "source": "JACoW"}, {"title": "Other"}],
                    abstracts=[{"value": "<p>If a < b and c > d,\nwe say so.</p>"}],
                    authors=[
                        {"full_name": "Müller, Anna"},
                        {"full_name": "Wang, Li, Jr."},
                        {"full_name": "Boss, A.", "inspire_roles": ["supervisor"]},
                    ],
                    dois=[{"value": "10.1/erratum", "material": "erratum"}, {"value": "10.18429/JACoW-IPAC2023-MOPA001"}],
                    arxiv_eprints=[{"value": "2305.00001", "categories": ["physics.acc-ph"]}],
                    license=[{**CC_BY, "material": "publication"}, {"license": "arXiv nonexclusive-distrib 1.0", "imposing": "arXiv"}],
                    earliest_date="2023-05",
                    documents=[
                        {"key": "h", "filename": "secret.pdf", "url": "/files/hidden", "fulltext": True, "hidden": True},
                        {"key": "f", "filename": "fig.png", "url": "/files/figure"},
                        {"key": "k", "filename": "mopa001.pdf", "url": "/files/k", "fulltext": True, "source": "JACoW"},
                    ],
                )
            ]
        ),
        "/files/k": PDF,
    }
    found = gather(tmp_path)["inspire:451647"]
    assert found == load(tmp_path / "papers" / safe_name("inspire:451647") / "paper.json", Paper)
    assert found == Paper(
        id="inspire:451647",
        source="inspire",
        title="Beams of H − at $p < 3$",
        authors=("Anna Müller", "Li, Jr. Wang"),
        abstract="If a < b and c > d, we say so.",
        categories=("physics.acc-ph",),
        licence="CC-BY-4.0",
        published="2023-05",
        doi="10.18429/JACoW-IPAC2023-MOPA001",
        urls=("https://inspirehep.net/literature/451647", "https://arxiv.org/abs/2305.00001", f"{web.url}/files/k"),
    )
    assert (tmp_path / "papers" / safe_name("inspire:451647") / "paper.pdf").read_bytes() == PDF
    assert not {"/files/hidden", "/files/figure"} & set(web.paths())
    asked = parse_qs(urlsplit(web.paths()[0]).query)
    assert (asked["q"], asked["sort"]) == (["t beam"], ["mostrecent"])
    assert {"documents", "license", "arxiv_eprints", "dois"} <= set(asked["fields"][0].split(","))


def test_the_licence_is_that_of_the_version_whose_text_is_taken(web: SmallWeb, tmp_path: Path) -> None:
    printed, preprint = {**CC_BY, "material": "publication"}, {"license": "CC BY-NC-SA 4.0", "imposing": "arXiv", "material": "preprint"}
    own = {"key": "k", "filename": "k.pdf", "url": "/k", "fulltext": True}
    web.answers |= {
        LITERATURE: literature(
            [
                record(1, license=[printed, preprint], documents=[own]),
                record(2, license=[printed, preprint], documents=[own | {"source": "arxiv"}]),
                record(3, license=[printed], documents=[own | {"material": "preprint"}]),
                record(4, license=[preprint], documents=[own]),
                record(5, license=[{"material": "data", "license": "CC0-1.0"}, CC_BY], documents=[own]),
                record(6, license=[{"license": "Open Access"}], documents=[own]),
            ]
        ),
        "/k": PDF,
    }
    assert {name: paper.licence for name, paper in gather(tmp_path).items() if isinstance(paper, Paper)} == {
        "inspire:1": "CC-BY-4.0",
        "inspire:2": "CC-BY-NC-SA-4.0",
        "inspire:3": "LicenseRef-unknown",
        "inspire:4": "LicenseRef-unknown",
        "inspire:5": "CC-BY-4.0",
        "inspire:6": "LicenseRef-unknown",
    }


def test_texts_are_tried_in_turn_and_what_has_none_says_why(web: SmallWeb, tmp_path: Path) -> None:
    web.answers |= {
        LITERATURE: literature(
            [
                record(
                    1,
                    documents=[{"url": "/files/gone", "fulltext": True}],
                    urls=[{"value": f"{web.url}/page"}, {"value": f"{web.url}/a.pdf"}],
                ),
                record(2, urls=[{"value": f"{web.url}/login"}, {"value": "ftp://old.example/x.ps"}]),
                record(3),
                record(4, withdrawn=True, urls=[{"value": f"{web.url}/a.pdf"}]),
                record(5, deleted=True),
                record(6, titles="no list"),
                {"id": "x", "metadata": {}},
                record(7, urls=[{"value": "http://10.0.0.1/a.pdf"}]),
            ]
        ),
        "/a.pdf": PDF,
        "/login": "<html><title>Sign in</title></html>",
    }
    found = gather(tmp_path)
    assert isinstance(found["inspire:1"], Paper)
    assert web.paths()[1:3] == ["/files/gone", "/a.pdf"], "a link to a file comes before a link to a page"
    refused = {name: (error.reason, error.lasting) for name, error in found.items() if isinstance(error, Refused)}
    assert refused == {
        "inspire:2": ("no-full-text", True),
        "inspire:3": ("no-full-text", True),
        "inspire:4": ("withdrawn", True),
        "inspire:6": ("bad-record", True),
        "inspire:7": ("no-full-text", False),
    }
    assert "wants us to sign in" in str(found["inspire:2"])
    assert "10.0.0.1" in str(found["inspire:7"])


def test_all_pages_are_asked_once_and_kept(web: SmallWeb, tmp_path: Path) -> None:
    records = [record(number) for number in range(1, 251)]
    web.answers[LITERATURE] = literature(records)
    assert list(gather(tmp_path, max_papers=1000)) == [f"inspire:{number}" for number in range(1, 251)]
    assert pages(web) == ["1", "2", "3"]
    gather(tmp_path, max_papers=1000)
    assert len(web.asked) == 3, "a second run asked again"
    web.answers[LITERATURE] = literature([record(999), *records])
    assert len(gather(tmp_path, max_papers=1000, refresh=True)) == 251
    assert len(gather(tmp_path / "few", max_papers=7)) == 7


def test_a_listing_that_changes_on_the_way_is_begun_again(web: SmallWeb, tmp_path: Path) -> None:
    before, after = [record(number) for number in range(1, 151)], [record(number) for number in range(151)]
    web.answers[LITERATURE] = in_turn(literature(before), literature(after))
    assert list(gather(tmp_path, max_papers=1000)) == [f"inspire:{number}" for number in range(151)]


def test_busy_cut_and_wrong_answers_are_overcome_or_told(web: SmallWeb, tmp_path: Path) -> None:
    good = literature([record(number) for number in range(3)])

    def cut(handler: BaseHTTPRequestHandler) -> None:
        reply(200, b'{"hits": {"hits": [', Content_Length="5000")(handler)

    web.answers[LITERATURE] = in_turn(
        reply(429, b"Rate exceeded", Retry_After="0"), reply(503, Retry_After="0"), cut, reply(200, b"<html>Maintenance</html>"), good
    )
    assert len(gather(tmp_path)) == 3
    web.answers[LITERATURE] = literature([], total=40)
    with pytest.raises(Unreachable, match="announces 40 records on page 1 and gives 0"):
        gather(tmp_path / "empty")
    web.answers[LITERATURE] = reply(200, b'{"hits": ' + b"[" * 100_000)
    with pytest.raises(Unreachable, match="no list of records"):
        gather(tmp_path / "deep")
    web.answers[LITERATURE] = literature([])
    assert gather(tmp_path / "nothing") == {}


def test_a_killed_harvest_asks_for_the_missing_pages_and_bytes_only(web: SmallWeb, tmp_path: Path) -> None:
    records = [record(number) for number in range(1, 301)]

    def slow_second(handler: BaseHTTPRequestHandler) -> None:
        if "page=3" in handler.path:
            time.sleep(20)
        literature(records)(handler)

    web.answers[LITERATURE] = slow_second
    code = "import sys; from pathlib import Path; from harvest.config import InspireSource; from harvest.sources.inspire import offers\n"
    code += "list(offers(InspireSource(query='t beam', max_papers=300), Path(sys.argv[1])))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=env) as process:
        while len(web.asked) < 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    web.answers[LITERATURE] = literature(records)
    assert len(gather(tmp_path, max_papers=300)) == 300
    assert pages(web) == ["1", "2", "3", "3"]


def test_a_file_that_is_not_what_came_any_more_is_fetched_again(web: SmallWeb, tmp_path: Path) -> None:
    web.answers |= {LITERATURE: literature([record(1, documents=[{"url": "/k", "fulltext": True}])]), "/k": PDF}
    gather(tmp_path)
    file = tmp_path / "papers" / safe_name("inspire:1") / "paper.pdf"
    file.write_bytes(PDF[:-1] + b"!")
    gather(tmp_path)
    assert file.read_bytes() == PDF
    assert web.paths().count("/k") == 2


def test_what_only_arxiv_has_comes_through_arxivs_gate_with_its_licence(
    web: SmallWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = {**CC_BY, "material": "publication"}
    with replay() as site:
        monkeypatch.setenv(arxiv.VARIABLE, site.url)
        eprint = {"arxiv_eprints": [{"value": "9901.00015", "categories": ["hep-ex"]}]}
        gone = {"arxiv_eprints": [{"value": "9901.99999", "categories": ["hep-ex"]}]}
        direct = {"urls": [{"value": "https://arxiv.org/pdf/9901.00015"}]}  # never past the gate
        web.answers[LITERATURE] = literature([record(1, **eprint, **direct, license=[printed]), record(2, **gone)])
        found = gather(tmp_path)
        paper, refused = found["inspire:1"], found["inspire:2"]
        assert isinstance(paper, Paper)
        assert (paper.id, paper.title, paper.licence) == ("inspire:1", "Paper 1", "LicenseRef-arXiv-nonexclusive-distrib")
        place = tmp_path / "papers" / safe_name("inspire:1")
        assert load(place / "paper.json", Paper) == paper
        assert [path.name for path in place.glob("[!.]*") if path.suffix != ".json"]
        assert isinstance(refused, Refused)
        assert "arXiv has no paper of this id" in refused.detail
        count = len(site.log)
        gather(tmp_path)
        assert not [path for path in site.paths()[count:] if "00015" in path]
