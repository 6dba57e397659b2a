"""What arXiv gives: sources, HTML and PDFs, resumed byte for byte, judged by their bytes, verified later."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from pathlib import Path

import pytest
import urllib3
from arxiv_replay import VARIABLE, Site, gather, gathering, replay, scripted, send, source, wait_for

from harvest import web
from harvest.partial import Cut, Part, TooLarge, whole_body
from harvest.polite import Gate
from harvest.records import Paper
from harvest.sources import arxiv
from harvest.sources.arxiv_files import file_name, first_form, is_the_paper, next_form
from harvest.sources.arxiv_found import Found
from harvest.sources.arxiv_site import Site as ArxivSite
from harvest.sources.kept import read_kept
from harvest.sources.offer import Offer, Refused
from harvest.store import safe_name, sha256_file
from harvest.web import Broken, Forbidden, Missing, PoliteSession, Unreachable

LARGE = "9901.00003"  # a PDF of a megabyte
LATEXML = b"<!DOCTYPE html><html><head><title>On rings</title></head><body><div class='ltx_page_main'><p>robots</p></div></body></html>"
DENIAL = b"<html><head><title>Access Denied</title></head><body>because of automated downloading</body></html>"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: None) -> Iterator[Site]:
    with replay() as server:
        monkeypatch.setenv(VARIABLE, server.url)
        yield server


def session(interval: float = 0.01) -> PoliteSession:
    return PoliteSession(Gate("test", interval))


def offer(run: Path, identifier: str, **settings: object) -> tuple[Offer, Path]:
    found = next(arxiv.offers(source(ids=[identifier], **settings), run, refresh=False))
    return found, run / "papers" / safe_name(found.paper.id)


# ---- resuming


def test_kill_9_in_a_download_costs_only_the_bytes_that_did_not_come(site: Site, tmp_path: Path) -> None:
    gather(source(ids=[LARGE]), tmp_path / "calm")
    whole = next((tmp_path / "calm").glob("papers/*/paper.pdf"))
    site.faults(slow={"prob": 1, "path": "^/e-print", "seconds": 20})
    with gathering(tmp_path / "run", ids=[LARGE]) as process:
        wait_for(lambda: sum(part.stat().st_size for part in tmp_path.glob("run/papers/*/.source.part")) > 100_000, process)
    came = next(tmp_path.glob("run/papers/*/.source.part")).stat().st_size
    site.faults()
    before = len(site.log)
    gather(source(ids=[LARGE]), tmp_path / "run")
    asked = site.log[before:]
    assert [(item["path"], item["range"], item["status"]) for item in asked] == [(f"/e-print/{LARGE}v1", f"bytes={came}-", 206)]
    assert asked[0]["bytes"] == whole.stat().st_size - came
    place = next(tmp_path.glob("run/papers/arxiv*"))
    assert sha256_file(place / "paper.pdf") == sha256_file(whole) == read_kept(place).files["paper.pdf"].sha256
    assert sorted(path.name for path in place.iterdir()) == ["files.json", "paper.json", "paper.pdf"]


def test_a_cut_download_goes_on_where_it_was_cut(site: Site, tmp_path: Path) -> None:
    site.faults(truncated={"prob": 1, "times": 3, "path": "^/e-print"})
    gather(source(ids=[LARGE]), tmp_path)
    ranges = [item["range"] for item in site.log if item["path"].startswith("/e-print")]
    assert ranges[0] is None
    assert [int(text.removeprefix("bytes=").rstrip("-")) for text in ranges[1:]] == sorted(int(r[6:-1]) for r in ranges[1:])
    assert next(tmp_path.glob("papers/*/paper.pdf")).read_bytes() == site.get(f"/e-print/{LARGE}")


@pytest.mark.parametrize("honest", [True, False])
def test_a_file_that_changed_meanwhile_is_begun_again(tmp_path: Path, cache: None, honest: bool) -> None:
    """Also where the server ignores If-Range and gives the rest of the new file."""
    old, new = bytes(range(256)) * 1000, bytes(reversed(range(256))) * 1000
    asked: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["Range"])
        if len(asked) == 1:
            send(handler, old, cut=100_000, ETag='"old"')
        elif handler.headers["Range"] and not honest:
            at = int(handler.headers["Range"][6:-1])
            send(handler, new[at:], 206, ETag='"new"', Content_Range=f"bytes {at}-{len(new) - 1}/{len(new)}")
        else:
            send(handler, new, ETag='"new"')

    with scripted(answer) as url:
        assert session().download(f"{url}/x", Part(tmp_path / "x.part")) == '"new"'
    assert (tmp_path / "x.part").read_bytes() == new
    assert asked[:2] == [None, "bytes=100000-"]


@pytest.mark.parametrize("tag", [{}, {"ETag": 'W/"weak"'}])
def test_without_a_strong_validator_nothing_is_pieced_together(tmp_path: Path, cache: None, tag: dict[str, str]) -> None:
    body, asked = os.urandom(200_000), []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["Range"])
        send(handler, body, cut=None if len(asked) > 1 else 90_000, **tag)

    with scripted(answer) as url:
        session().download(url, Part(tmp_path / "x.part"))
    assert asked == [None, None]
    assert (tmp_path / "x.part").read_bytes() == body


def test_a_download_that_never_comes_whole_ends(tmp_path: Path, cache: None) -> None:
    count = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        count.append(1)
        send(handler, b"x" * 1000, cut=10, ETag='"a"')

    with scripted(answer) as url, pytest.raises(Broken, match="does not come whole"):
        session(0.001).download(url, Part(tmp_path / "x.part"))
    assert 3 < len(count) < 12


def test_a_drip_has_an_end_and_a_flood_too(cache: None) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.02 if handler.path == "/drip" else 0)

    with scripted(answer) as url:
        raw = urllib3.PoolManager().request("GET", f"{url}/drip", preload_content=False)
        with pytest.raises(Cut, match="within 0 s"):
            whole_body(raw, 1000, slowest=0.3)
        raw = urllib3.PoolManager().request("GET", f"{url}/flood", preload_content=False)
        with pytest.raises(TooLarge):
            whole_body(raw, 99)


def test_a_bomb_of_gzip_in_transfer_is_counted_unpacked(cache: None) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip")

    with scripted(answer) as url, pytest.raises(TooLarge):
        whole_body(urllib3.PoolManager().request("GET", url, preload_content=False), 1_000_000)


def test_a_server_that_hangs_is_given_up_on_and_asked_again(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "TIMEOUT", (5.0, 0.5))
    site.faults(hang={"prob": 1, "times": 3, "seconds": 30})
    outcome = gather(source(ids=["9901.00013"]), tmp_path)
    assert isinstance(outcome["arxiv:9901.00013v1"], Paper)


# ---- refusals


def test_one_paper_that_fails_is_named_and_three_in_a_row_are_the_server(site: Site, tmp_path: Path) -> None:
    ids = ["9901.00010", "9901.00012", "9901.00013", "9901.00014"]
    site.faults(**{"503": {"prob": 1, "path": "^/e-print/9901.0001[03]", "retry_after": 0}})
    outcome = gather(source(ids=ids, interval=0.002), tmp_path)
    refused = {name: made for name, made in outcome.items() if isinstance(made, Refused)}
    assert {name: (made.reason, made.lasting) for name, made in refused.items()} == {
        "arxiv:9901.00010v1": ("unreachable", False),
        "arxiv:9901.00013v1": ("unreachable", False),
    }
    assert "503" in refused["arxiv:9901.00010v1"].detail
    site.faults()
    assert all(isinstance(made, Paper) for made in gather(source(ids=ids, interval=0.002), tmp_path).values())
    site.faults(**{"503": {"prob": 1, "path": "^/e-print", "retry_after": 0}})
    with pytest.raises(Unreachable, match="503"):
        gather(source(ids=ids, interval=0.002), tmp_path / "other")


def test_a_denial_is_asked_again_then_named(site: Site, tmp_path: Path) -> None:
    site.faults(denial={"prob": 1, "times": 3})
    assert isinstance(gather(source(ids=["9901.00013"]), tmp_path / "some")["arxiv:9901.00013v1"], Paper)
    site.faults(denial=1)
    refused = gather(source(ids=["9901.00013"]), tmp_path / "all")["arxiv:9901.00013v1"]
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.lasting) == ("denied", False)
    assert "Access Denied" in refused.detail
    site.faults()
    before = len(site.log)
    assert isinstance(gather(source(ids=["9901.00013"]), tmp_path / "all")["arxiv:9901.00013v1"], Paper)
    assert [item["path"] for item in site.log[before:]] == ["/e-print/9901.00013v1"], "what was known was asked again"


def test_denied_access_ends_and_a_private_source_does_not(tmp_path: Path, cache: None) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        status, title = {"/a": (403, "Access denied"), "/b": (404, "Paper 2401.00001v2 withdrawn"), "/c": (500, "file unavailable")}[
            handler.path
        ]
        send(handler, f"<html><head><title>x</title></head><body><h1>{title}</h1></body></html>".encode(), status)

    with scripted(answer) as url:
        with pytest.raises(Forbidden, match="403 Forbidden: Access denied"):
            session().download(f"{url}/a", Part(tmp_path / "x"))
        with pytest.raises(Missing) as missing:
            session().download(f"{url}/b", Part(tmp_path / "x"))
        assert missing.value.said == "Paper 2401.00001v2 withdrawn"
        with pytest.raises(Broken, match="500"):
            session(0.001).download(f"{url}/c", Part(tmp_path / "x"))


def test_an_odd_status_says_when_to_come_back(tmp_path: Path, cache: None) -> None:
    times: list[float] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        times.append(time.monotonic())
        send(handler, b"Rate exceeded.", 429 if len(times) < 4 else 200, Retry_After="0.5" if len(times) < 2 else "")

    with scripted(answer) as url:
        assert session(0.1).get(url).status_code == 200
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps[0] >= 0.5
    assert gaps[1] >= 0.2
    assert gaps[2] >= 0.4, "the pause does not double"


# ---- forms


def test_forms_are_taken_best_first(site: Site, tmp_path: Path) -> None:
    _, place = offer(tmp_path, "9901.00015", forms=["html", "pdf"])
    gather(source(ids=["9901.00015"], forms=["html", "pdf"]), tmp_path)
    assert sorted(path.name for path in place.iterdir()) == ["files.json", "paper.html", "paper.json"]
    before = len(site.log)
    gather(source(ids=["9901.00015"], forms=["pdf"]), tmp_path)
    assert [path for path in site.paths()[before:] if not path.startswith("/api")] == ["/pdf/9901.00015v1"]
    found, place = offer(tmp_path, "1712.07959", forms=["html", "source"])
    found.fetch(place)
    assert found.names[:3] == ("paper.html", "source.tar.gz", "source.tar")
    assert read_kept(place).missing == ("html",)
    assert (place / "source.tar.gz").exists()


def test_an_unreadable_source_is_asked_for_once_more_then_the_next_form_comes(site: Site, tmp_path: Path) -> None:
    right = site.get("/e-print/1712.07959v1")
    site.faults(**{"garbage-tar": {"prob": 1, "times": 1}})
    found, place = offer(tmp_path / "once", "1712.07959")
    found.fetch(place)
    assert (place / "source.tar.gz").read_bytes() != right
    assert found.more is not None
    assert found.more(place)
    assert (place / "source.tar.gz").read_bytes() == right
    assert read_kept(place).files["source.tar.gz"].sha256 == hashlib.sha256(right).hexdigest()
    site.faults(**{"garbage-tar": 1})
    found, place = offer(tmp_path / "always", "1712.07959")
    found.fetch(place)
    assert found.more is not None
    assert found.more(place)
    assert (place / "paper.pdf").exists()
    assert not found.more(place), "there is no other form"
    assert not list(tmp_path.rglob("evil*"))


def test_a_form_that_was_denied_is_what_the_next_run_begins_with(site: Site, tmp_path: Path) -> None:
    site.faults(**{"garbage-tar": 1, "denial": {"prob": 1, "path": "^/pdf"}})
    found, place = offer(tmp_path, "1712.07959")
    found.fetch(place)
    assert found.more is not None
    assert not found.more(place)
    assert read_kept(place).pending == ("pdf",)
    site.faults()
    gather(source(ids=["1712.07959"]), tmp_path)
    assert (place / "paper.pdf").exists()
    assert read_kept(place).pending == ()
    before = len(site.log)
    gather(source(ids=["1712.07959"]), tmp_path)
    assert (place / "paper.json").exists()
    assert len(site.log) == before


def test_a_private_source_and_a_failed_conversion_give_way_to_the_next_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: None
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        kind = handler.path.split("/")[1]
        if kind == "e-print":
            send(handler, b"<html><h1>Source Not Public for 2401.00001</h1></html>", 403)
        elif kind == "html":
            send(handler, b"<html><h1>file unavailable</h1></html>", 500)
        else:
            send(handler, b"%PDF-1.7 a paper", ETag='"a"')

    with scripted(answer) as url:
        monkeypatch.setenv(VARIABLE, url)
        found = Found(Paper("arxiv:2401.00001v1", "arxiv", "T"), recorded=True)
        assert first_form(ArxivSite(0.001), found, ("source", "html", "pdf"), tmp_path) == ""
    kept = read_kept(tmp_path)
    assert (kept.missing, list(kept.files)) == (("source", "html"), ["paper.pdf"])


def test_a_file_that_the_server_says_is_the_same_does_not_come_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: None) -> None:
    asked: list[tuple[str, str | None]] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append((handler.path.split("/")[1], handler.headers["If-None-Match"]))
        if handler.headers["If-None-Match"] == '"a"':
            send(handler, b"", 304, ETag='"a"')
        else:
            send(handler, b"\x1f\x8bbroken" if handler.path.startswith("/e-print") else b"%PDF-1.7 a paper", ETag='"a"')

    with scripted(answer) as url:
        monkeypatch.setenv(VARIABLE, url)
        site, found = ArxivSite(0.001), Found(Paper("arxiv:2401.00001v1", "arxiv", "T"), recorded=True)
        first_form(site, found, ("source", "pdf"), tmp_path)
        assert next_form(site, found, ("source", "pdf"), tmp_path)
        assert not next_form(site, found, ("source", "pdf"), tmp_path)
    assert asked == [("e-print", None), ("e-print", '"a"'), ("pdf", None), ("pdf", '"a"')]


@pytest.mark.parametrize(
    ("page", "title", "paper"),
    [
        (LATEXML, "anything", True),
        (b"<html><body><article class='ltx_document ltx_authors_1line'>", "", True),
        (b"<html><head><title>x</title></head><body><h1>The <i>Orbit</i> in a Ring</h1>", "The orbit in a $ring$", True),
        (DENIAL, "On denied access to rings", False),
        (b"<html><title>arXiv reCAPTCHA</title>", "Captchas", False),
        (b"<html><h1>The following files are available for cs/0003064v1</h1>", "A paper", False),
    ],
)
def test_a_page_is_the_paper_or_it_is_not(page: bytes, title: str, paper: bool) -> None:
    assert is_the_paper(page, title) == paper


def test_a_file_is_named_after_its_bytes() -> None:
    assert file_name(b"%PDF-1.7 ...", "source") == "paper.pdf"
    assert file_name(gzip.compress(b"%PDF-1.7 ..."), "source") == "paper.pdf.gz"
    assert file_name(gzip.compress(b"\\documentclass{article}"), "source") == "source.gz"
    assert file_name(b"\x1f\x8bnonsense", "source") == "source.gz"
    assert file_name(b"\\documentclass{article}", "source") == "source.tex"
    assert file_name(b"\x00\x01\x02", "source") == "source.bin"


# ---- later runs


def test_files_are_verified_and_only_what_changed_comes_again(site: Site, tmp_path: Path) -> None:
    ids = ["9901.00012", "9901.00013", "1712.07959"]
    gather(source(ids=ids), tmp_path)
    before = len(site.log)
    touched, altered, removed = (offer(tmp_path, name)[1] for name in ids)
    os.utime(touched / "paper.pdf", (1e9, 1e9))
    body = bytearray((altered / "paper.pdf").read_bytes())
    body[100] ^= 1
    (altered / "paper.pdf").write_bytes(body)
    (removed / "source.tar.gz").unlink()
    before = len(site.log)
    for found in arxiv.offers(source(ids=ids), tmp_path, refresh=False):
        place = tmp_path / "papers" / safe_name(found.paper.id)
        assert (place / "paper.json").exists() == (place == touched)
        if place != touched:
            found.fetch(place)
    assert sorted(site.paths()[before:]) == sorted(f"/e-print/{name}v1" for name in ids[1:]), "something else was asked again"
    for place in (touched, altered, removed):
        for name, file in read_kept(place).files.items():
            assert sha256_file(place / name) == file.sha256
    assert json.loads((touched / "files.json").read_text())["files"]["paper.pdf"]["modified"] == 1_000_000_000 * 10**9
