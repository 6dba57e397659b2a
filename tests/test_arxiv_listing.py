"""What arXiv lists: search and OAI-PMH, page by page, killed and resumed, never mistaken for empty."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from arxiv_replay import SERVER, VARIABLE, Site, gather, gathering, replay, source, wait_for
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from harvest.records import Paper
from harvest.sources import arxiv, arxiv_search
from harvest.sources.arxiv_found import Found, earlier, withdrawn
from harvest.sources.arxiv_oai import authors, plain, read_record
from harvest.sources.arxiv_search import query_of
from harvest.sources.offer import Refused
from harvest.store import UsageError
from harvest.web import Unreachable

ACC = ["physics.acc-ph"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with replay("--oai-page", "3") as server:
        monkeypatch.setenv(VARIABLE, server.url)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr(arxiv_search, "PAGE", 3)
        yield server


def listed(run: Path, **settings: object) -> list[Paper]:
    return [offer.paper for offer in arxiv.offers(source(**settings), run, refresh=False)]


def catalogue(*categories: str, since: str = "", until: str = "9999") -> list[str]:
    """The ids that the catalogue has of some categories and days, newest first."""
    entries = json.loads(SERVER.with_name("catalogue.json").read_text())["entries"]
    asked = [e for e in entries if set(categories) & set(e["categories"]) and since <= e["versions"][0]["date"][:10] <= until]
    return [f"arxiv:{e['id']}v{e['versions'][-1]['v']}" for e in sorted(asked, key=lambda e: str(e["versions"][0]["date"]), reverse=True)]


@pytest.mark.parametrize("listing", ["search", "oai"])
def test_categories_and_days_list_the_same_papers_by_search_and_by_oai(site: Site, tmp_path: Path, listing: str) -> None:
    settings = {"categories": ["physics.acc-ph", "cs.DL"], "since": "2021-11-13", "until": "2025-01-15", "listing": listing}
    papers = listed(tmp_path, **settings)
    assert [paper.id for paper in papers] == catalogue("physics.acc-ph", "cs.DL", since="2021-11-13", until="2025-01-15")
    by_id = {paper.id: paper for paper in papers}
    assert by_id["arxiv:9901.00007v2"].earlier == ("arxiv:9901.00007v1",)
    assert by_id["arxiv:9901.00014v1"].published == "2024-01-03T09:00:00+00:00"
    if listing == "oai":
        assert by_id["arxiv:9901.00015v1"].licence == "LicenseRef-arXiv-nonexclusive-distrib"
        assert "verb=GetRecord" not in json.dumps(site.log)


def test_an_oai_listing_needs_no_further_request_for_a_licence(site: Site, tmp_path: Path) -> None:
    outcome = gather(source(categories=["cs.DL"], listing="oai"), tmp_path)
    papers = [paper for paper in outcome.values() if isinstance(paper, Paper)]
    assert [(paper.id, paper.licence) for paper in papers] == [("arxiv:9901.00014v1", "CC-BY-SA-4.0")]
    assert [item["query"].split("&")[0] for item in site.log] == ["verb=ListSets", "verb=ListRecords", ""]


def test_a_query_categories_and_days_are_all_asked_for() -> None:
    assert query_of(source(query="ti:ring OR ti:beam")) == "ti:ring OR ti:beam"
    assert query_of(source(categories=["hep-ex", "physics.acc-ph"])) == "cat:hep-ex OR cat:physics.acc-ph"
    asked = source(query="ti:ring OR ti:beam", categories=["hep-ex"], since="2024-02-01", until="2024-02-29")
    assert query_of(asked) == "(ti:ring OR ti:beam) AND cat:hep-ex AND submittedDate:[202402010000 TO 202402292359]"
    assert query_of(source(categories=["hep-ex"], until="2001-01-01")) == "cat:hep-ex AND submittedDate:[199101010000 TO 200101012359]"
    with pytest.raises(ValueError, match="ids are taken whatever their day"):
        source(ids=["2401.00001"], since="2024-02-01")


@pytest.mark.parametrize("listing", ["search", "oai"])
def test_a_killed_listing_goes_on_at_the_first_missing_page(site: Site, tmp_path: Path, listing: str) -> None:
    settings = {"categories": ACC, "listing": listing, "interval": 0.1}
    calm = [paper.id for paper in listed(tmp_path / "calm", **settings)]
    whole = len(site.log)
    with gathering(tmp_path / "run", **settings) as process:
        wait_for(lambda: len(list((tmp_path / "run").glob("papers/.search/*.part/*.json"))) >= 3, process)
    asked = {(item["path"], item["query"]) for item in site.log[whole:]}
    kept = len(list((tmp_path / "run").glob("papers/.search/*.part/*.json")))
    before = len(site.log)
    assert [paper.id for paper in listed(tmp_path / "run", **settings)] == calm
    again = [(item["path"], item["query"]) for item in site.log[before:]]
    assert len(again) == whole - kept
    assert len(asked & set(again)) <= 1, "more than the page that was under way came again"
    count = len(site.log)
    listed(tmp_path / "run", **settings)
    assert len(site.log) == count


def test_an_expired_resumption_token_begins_the_list_again(site: Site, tmp_path: Path) -> None:
    settings = {"categories": ACC, "listing": "oai", "interval": 0.1}
    with gathering(tmp_path, **settings) as process:
        wait_for(lambda: len(list(tmp_path.glob("papers/.search/*.part/*oai*.json"))) >= 2, process)
    last = sorted(tmp_path.glob("papers/.search/*.part/*oai*.json"))[-1]
    last.write_text(json.dumps({**json.loads(last.read_text()), "token": "of yesterday"}))
    before = len(site.log)
    assert [paper.id for paper in listed(tmp_path, **settings)] == catalogue(*ACC)
    queries = [item["query"] for item in site.log[before:]]
    assert queries[0].endswith("resumptionToken=of+yesterday")
    assert "metadataPrefix" in queries[1]


@pytest.mark.parametrize("listing", ["search", "oai"])
def test_half_a_listing_of_another_day_is_begun_again(site: Site, tmp_path: Path, listing: str) -> None:
    settings = {"categories": ACC, "listing": listing, "interval": 0.1}
    with gathering(tmp_path, **settings) as process:
        wait_for(lambda: len(list(tmp_path.glob("papers/.search/*.part/*.json"))) >= 2, process)
    for page in tmp_path.glob("papers/.search/*.part/*.json"):
        os.utime(page, (time.time() - 90_000,) * 2)
    before = len(site.log)
    listed(tmp_path, **settings)
    assert not {"start=0", "verb=ListSets"}.isdisjoint(site.log[before]["query"].split("&"))


def test_a_list_that_became_shorter_is_read_again(site: Site, tmp_path: Path) -> None:
    settings = {"categories": ACC, "interval": 0.1}
    with gathering(tmp_path, **settings) as process:
        wait_for(lambda: len(list(tmp_path.glob("papers/.search/*.part/*.json"))) >= 1, process)
    first = next(tmp_path.glob("papers/.search/*.part/*.json"))
    first.write_text(json.dumps({**json.loads(first.read_text()), "total": 1000}))
    assert [paper.id for paper in listed(tmp_path, **settings)] == catalogue(*ACC)


def test_an_empty_page_is_asked_for_again_and_never_ends_a_list(site: Site, tmp_path: Path) -> None:
    site.faults(**{"empty-page": {"prob": 1, "times": 3}})
    assert [paper.id for paper in listed(tmp_path / "some", categories=ACC)] == catalogue(*ACC)
    site.faults(**{"empty-page": 1})
    with pytest.raises(Unreachable, match="announces 15 papers and gives 0 of 3 from number 4 on"):
        listed(tmp_path / "always", categories=ACC)
    assert not list((tmp_path / "always").glob("papers/.search/*.json"))
    site.faults()
    assert [paper.id for paper in listed(tmp_path / "always", categories=ACC)] == catalogue(*ACC)


@pytest.mark.parametrize("listing", ["search", "oai"])
def test_truncated_denied_and_busy_listings_are_overcome(site: Site, tmp_path: Path, listing: str) -> None:
    for number, fault in enumerate(("truncated", "503", "hang")):
        site.faults(**{fault: {"prob": 0.4, "retry_after": 1, "seconds": 0.2, "times": 4}, "seed": number})
        papers = listed(tmp_path / str(number), categories=ACC, listing=listing)
        assert [paper.id for paper in papers] == catalogue(*ACC)


def test_an_empty_answer_is_not_kept(site: Site, tmp_path: Path) -> None:
    assert listed(tmp_path, query="ti:zzzzz") == []
    before = len(site.log)
    assert listed(tmp_path, query="ti:zzzzz") == []
    assert len(site.log) == before + 1
    assert listed(tmp_path, categories=ACC, listing="oai", since="2090-01-01") == []


def test_a_category_that_arxiv_does_not_have_is_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no category 'physics.acc-hp'; did you mean physics.acc-ph\?"):
        listed(tmp_path, categories=["physics.acc-hp"], listing="oai")


def test_a_version_asked_for_is_the_one_that_comes_with_its_own_licence(site: Site, tmp_path: Path) -> None:
    outcome = gather(source(ids=["arXiv:9901.00005v1", "9901.00005", "9901.00016v1", "9901.00016", "1804.02610v1", "9999.00001"]), tmp_path)
    said = {name: made.reason if isinstance(made, Refused) else made.licence for name, made in outcome.items()}
    assert said == {
        "arxiv:9901.00005v1": "GPL-3.0-or-later",
        "arxiv:9901.00005v2": "GPL-3.0-or-later",
        "arxiv:9901.00016v1": "CC-BY-4.0",
        "arxiv:9901.00016v2": "withdrawn",
        "arxiv:1804.02610v1": "not-found",
        "arxiv:9999.00001": "not-found",
    }
    assert site.paths().count("/abs/9901.00005v1") == 1, "the OAI record has the licence of the latest version only"
    assert "/abs/9901.00005v2" not in site.paths()
    assert "/e-print/9901.00016v2" not in site.paths()


# ---- records


RAW = """<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords><record><header>{header}</header><metadata>
<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>2401.00001</id><submitter>A</submitter>{versions}<title>{title}</title>
<authors>{authors}</authors><categories>hep-ex physics.acc-ph</categories><comments>{comments}</comments><doi>10.1/a, 10.1/b</doi>
<license>http://creativecommons.org/licenses/by/4.0/</license><abstract>  On
  rings.</abstract></arXivRaw></metadata></record></ListRecords></OAI-PMH>"""
VERSION = '<version version="v{}"><date>Mon, {:02} Jan 2024 09:00:00 GMT</date><size>{}kb</size><source_type>D</source_type></version>'


def raw(sizes: tuple[str, ...] = ("12", "58", "0"), **texts: str) -> Found:
    fields = {"title": "T", "authors": "A. One", "comments": "", "header": "", **texts}
    versions = "".join(VERSION.format(number, number, size) for number, size in reversed(list(enumerate(sizes, 1))))
    record = read_record(fromstring(RAW.format(versions=versions, **{key: escape(value) for key, value in fields.items()})))
    assert record
    return record.found


def test_a_raw_record_tells_versions_sizes_and_licence() -> None:
    found = raw(title=r"Stra\ss e and Poincar\'e: $\dot{x}=\'x$ in the H\'{e}non-Heiles \v{C}erenkov ring")
    assert found.paper.id == "arxiv:2401.00001v3"
    assert found.paper.earlier == ("arxiv:2401.00001v1", "arxiv:2401.00001v2")
    assert found.paper.title == r"Straße and Poincaré: $\dot{x}=\'x$ in the Hénon-Heiles Čerenkov ring"
    assert (found.paper.licence, found.paper.doi, found.paper.abstract) == ("CC-BY-4.0", "10.1/a", "On rings.")
    assert (found.paper.published, found.paper.updated) == ("2024-01-01T09:00:00+00:00", "2024-01-03T09:00:00+00:00")
    assert found.kilobytes == 0
    assert withdrawn(found)


def test_a_deleted_record_is_none() -> None:
    deleted = fromstring('<record><header status="deleted"><identifier>oai:arXiv.org:2401.00001</identifier></header></record>')
    assert read_record(deleted) is None


def test_authors_are_told_apart() -> None:
    text = r"P. M\"uller (CERN (Geneva), Switzerland), Zhao, Wei and S. {\O}dum, Jr., and the XYZ Collaboration"
    assert authors(text) == ("P. Müller", "Zhao", "Wei", "S. Ødum", "the XYZ Collaboration")


@given(st.lists(st.from_regex(r"[A-Z]\. [A-Z][a-zäöé]{3,9}", fullmatch=True), min_size=1, max_size=6))
def test_any_list_of_authors_is_taken_apart_again(names: list[str]) -> None:
    assert authors(", ".join(names)) == tuple(names)
    assert authors(" and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)) == tuple(names)


@given(st.text(alphabet=st.characters(exclude_characters="\\{}$", exclude_categories=["C", "Z", "M"]), max_size=40))
def test_text_without_tex_stays_as_it_is(text: str) -> None:
    import unicodedata

    assert plain(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("comment", "kilobytes", "is_withdrawn"),
    [
        ("withdrawn", None, True),
        ("This paper has been withdrawn by the author due to a crucial error in eq. 3", None, True),
        ("Withdrawn. The proof is wrong", 1.0, True),
        ("This submission has been withdrawn by arXiv administrators", 0.0, True),
        ("12 pages; paper withdrawn by the authors", None, True),
        ("", 0.0, True),
        ("This paper has been withdrawn and resubmitted; here is all of it", 900.0, False),
        ("replaces the withdrawn paper arXiv:0912.0001", None, False),
        ("the earlier version v1 was withdrawn; error corrected", None, False),
        ("on the withdrawal of beams from a ring, 10 pages", None, False),
        ("12 pages, 3 figures", None, False),
    ],
)
def test_what_counts_as_withdrawn(comment: str, kilobytes: float | None, is_withdrawn: bool) -> None:
    assert bool(withdrawn(Found(Paper("arxiv:2401.00001v2", "arxiv", "T"), comment, True, kilobytes))) == is_withdrawn


def test_the_versions_before_one_are_known() -> None:
    assert earlier("math/0601001v3") == ("arxiv:math/0601001v1", "arxiv:math/0601001v2")
    assert earlier("2401.00001v1") == ()
