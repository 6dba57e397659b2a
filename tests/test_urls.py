"""Lists of addresses: text files and BibTeX, ids, duplicates, landing pages, what is malformed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from arxiv_replay import replay
from pydantic import ValidationError
from small_web import PDF, SmallWeb, small_web, to

from harvest.config import InspireSource, UrlsSource
from harvest.records import Paper
from harvest.sources import arxiv, urls
from harvest.sources.bibtex import entries
from harvest.sources.offer import Offer, Refused
from harvest.store import UsageError, fingerprint, load, safe_name

HERE = ("127.0.0.1",)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallWeb]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    with small_web() as server:
        monkeypatch.setattr(urls, "_RESOLVER", f"{server.url}/doi/")
        yield server


def listed(tmp_path: Path, name: str, text: str, **settings: Any) -> dict[str, Offer]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return {offer.paper.id: offer for offer in urls.offers(UrlsSource(file=path, **settings), tmp_path)}


def gather(offers: dict[str, Offer], tmp_path: Path) -> dict[str, Paper | Refused]:
    outcome: dict[str, Paper | Refused] = {}
    for identifier, offer in offers.items():
        try:
            outcome[identifier] = offer.fetch(tmp_path / "papers" / safe_name(identifier))
        except Refused as error:
            outcome[identifier] = error
    return outcome


def test_a_text_file_is_one_address_a_line_each_once(web: SmallWeb, tmp_path: Path) -> None:
    web.answers |= {"/ipac2023/papers/mopa001.pdf": PDF, quote("/wiki/中文"): "<html><title>笔记</title><p>" + "正文。" * 2000}
    offers = listed(
        tmp_path,
        "list.txt",
        f"""\ufeff# JACoW
{web.url}/ipac2023/papers/mopa001.pdf   # the first
{web.url}/ipac2023/papers/mopa001.pdf#page=2
{web.url.upper().replace("HTTP", "Http")}/ipac2023/papers/mopa001.pdf

{web.url}/wiki/中文
https://doi.org/10.1000/ABC.1
doi:10.1000/abc.1
""",
        licence="CC-BY-4.0",
        allow_private=HERE,
    )
    assert [name.rpartition("-")[2] for name in offers] == ["mopa001.pdf", "中文", "doi:10.1000/abc.1"]
    first, page = [paper for paper in gather(dict(list(offers.items())[:2]), tmp_path).values() if isinstance(paper, Paper)]
    assert (first.licence, first.source) == ("CC-BY-4.0", "urls")
    assert first.urls == (f"{web.url}/ipac2023/papers/mopa001.pdf",)
    assert (tmp_path / "papers" / safe_name(first.id) / "paper.pdf").read_bytes() == PDF
    assert (tmp_path / "papers" / safe_name(page.id) / "paper.html").exists()
    assert load(tmp_path / "papers" / safe_name(page.id) / "paper.json", Paper) == page
    assert list(listed(tmp_path, "https.txt", f"{web.url.replace('http', 'https')}/ipac2023/papers/mopa001.pdf")) == [first.id]


def test_bibtex_gives_titles_authors_and_addresses(web: SmallWeb, tmp_path: Path) -> None:
    web.answers |= {"/papers/mopa_001.pdf": PDF, "/~me/talk": "<html><title>T</title><p>" + "Words of a page. " * 300, "/2.pdf": PDF}
    offers = listed(
        tmp_path,
        "jacow.bib",
        rf"""
@string{{ipac = "IPAC'23"}}
@comment{{jabref-meta: x}}
@inproceedings{{a, author = {{Schr{{\"o}}dinger, Erwin and \'{{E}}. Du\v{{s}}ek and {{CMS Collaboration}} and others}},
  title = "{{Study of $e^+e^-$ {{IP}} at 50\% \& more}}", booktitle = ipac, year = 2023,
  url = {{\url{{{web.url}/papers/mopa\_001.pdf}}}} }}
@misc{{b, title = {{Lab notes 中文}}, howpublished = "\url{{{web.url}/\~{{}}me/talk}}", date = {{2021-04-01}} }}
@article{{c, title = {{Twice}}, doi = {{10.1103/Phys\_Rev.1}}, url = {{{web.url}/2.pdf}} }}
@article{{c, title = {{Twice again}}, doi = {{https://doi.org/10.1103/PHYS_Rev.1}}, author = {{Li Wang}} }}
@book{{d, title = {{No address}} }}
@misc{{e, title = {{Bad}}, url = {{http://user:secret@host.example/x.pdf}} }}
""",
        allow_private=HERE,
    )
    found = gather(offers, tmp_path)
    by_title = {paper.title: paper for paper in found.values() if isinstance(paper, Paper)}
    first = by_title["Study of $e^+e^-$ IP at 50% & more"]
    assert (first.authors, first.published) == (("Erwin Schrödinger", "É. Dušek", "CMS Collaboration"), "2023")
    assert first.urls == (f"{web.url}/papers/mopa_001.pdf",)
    assert by_title["Lab notes 中文"].published == "2021"
    assert "/~me/talk" in web.paths()
    twice = by_title["Twice"]
    assert (twice.id, twice.doi, twice.authors) == ("doi:10.1103/phys_rev.1", "10.1103/Phys_Rev.1", ("Li Wang",))
    refused = {name: error for name, error in found.items() if isinstance(error, Refused)}
    assert {name: error.reason for name, error in refused.items()} == {"bib:d": "no-address", "bib:e": "no-address"}
    assert "jacow.bib, line 10: the entry 'd'" in str(refused["bib:d"])
    assert "password" in str(refused["bib:e"])
    assert "secret" not in str(refused["bib:e"])


def test_a_page_about_a_paper_is_not_the_paper(web: SmallWeb, tmp_path: Path) -> None:
    abstract = "<html><title>An article</title>{}<p>" + "Abstract and highlights. " * 300
    web.answers |= {
        "/article/1": abstract.format("<meta name='citation_pdf_url' content='/1.pdf'>"),
        "/article/2": abstract.format(""),
        "/1.pdf": PDF,
    }
    entry = "@article{{k{0}, title={{T{0}}}, doi={{10.9999/{0}}}, url={{{1}/article/{0}}}}}\n"
    offers = listed(tmp_path, "x.bib", "".join(entry.format(number, web.url) for number in (1, 2)), allow_private=HERE)
    web.answers["/doi/10.9999/2"] = to("/article/2")
    web.answers["/doi/10.9999/3%3C4%3E"] = to("/article/1")
    offers |= listed(tmp_path, "y.txt", "10.9999/3<4>", allow_private=HERE)
    found = gather(offers, tmp_path)
    assert {name for name, paper in found.items() if isinstance(paper, Paper)} == {"doi:10.9999/1", "doi:10.9999/3<4>"}
    refused = found["doi:10.9999/2"]
    assert isinstance(refused, Refused)
    assert refused.detail.count("a web page ('An article') that names no PDF, not a document") == 2


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "https://a.example/x.pdf\nnot an address\n", r"a.txt, line 2: 'not an address' is not an http or https address"),
        ("a.txt", "\n\nftp://a.example/x.pdf", r"a.txt, line 3: "),
        ("a.txt", "https://u:SECRET@a.example/x.pdf", r"a.txt, line 1: 'https://a.example/x.pdf' carries a user name or password"),
        ("a.bib", "@misc{a, title={x}}\n@misc{b, title = {open\n@misc{c, title={y}}", r"a.bib, line 2: this entry is not BibTeX"),
    ],
)
def test_what_is_malformed_is_told_with_file_and_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        listed(tmp_path, name, text)
    assert "SECRET" not in str(caught.value)


def test_a_list_in_another_encoding_or_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"https://a.example/x.pdf\n\xff\xfeh")
    with pytest.raises(UsageError, match=r"a.txt, line 2: these bytes are not UTF-8"):
        list(urls.offers(UrlsSource(file=tmp_path / "a.txt"), tmp_path))
    with pytest.raises(UsageError, match="does not exist"):
        list(urls.offers(UrlsSource(file=tmp_path / "none.bib"), tmp_path))


def test_a_large_or_hostile_bibliography_is_read_or_told_quickly(tmp_path: Path) -> None:
    path = tmp_path / "x.bib"
    path.write_text("@" * 100_000)
    assert list(entries(path)) == []
    for text in ("@article{" * 10_000, "@misc{a, title={" + "{" * 50_000, '@misc{a, title="' + "\\" * 50_000):
        path.write_text(text)
        with pytest.raises(UsageError, match="line 1"):
            list(entries(path))
    path.write_text("@misc{a, title={" + "{" * 3000 + "x" + "}" * 3000 + "}}")
    assert [entry.title for entry in entries(path)] == ["x"]


def test_what_arxiv_has_comes_from_arxiv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    with replay() as site:
        monkeypatch.setenv(arxiv.VARIABLE, site.url)
        text = "https://arxiv.org/pdf/9901.00015v1.pdf\narXiv:9901.00002\nhttps://doi.org/10.48550/arXiv.9901.99999\nhttp://arxiv.org/abs/9901.00002"
        offers = listed(tmp_path, "list.txt", text)
        assert sorted(offers) == ["arxiv:9901.00002v1", "arxiv:9901.00015v1", "arxiv:9901.99999"]
        assert len([path for path in site.paths() if path.startswith("/api")]) == 1, "ids are asked in one request"
        assert {offer.origin for offer in offers.values()} == {"urls list.txt"}
        paper = offers["arxiv:9901.00002v1"].fetch(tmp_path / "papers" / safe_name("arxiv:9901.00002v1"))
        assert (paper.licence, bool(paper.title)) == ("CC-BY-4.0", True)
        bib = "@article{x, doi={10.1103/x.1}, eprint={9901.00015}, archivePrefix={arXiv}, title={As printed}}"
        (offer,) = listed(tmp_path, "y.bib", bib).values()
        printed = offer.fetch(tmp_path / "papers" / safe_name(offer.paper.id))
        assert (printed.id, printed.title, printed.licence) == ("doi:10.1103/x.1", "As printed", "LicenseRef-arXiv-nonexclusive-distrib")


def test_settings_refuse_what_cannot_be_meant_and_show_no_secret() -> None:
    with pytest.raises(ValidationError) as caught:
        UrlsSource(urls=("https://u:SECRET@a.example/x.pdf",))
    assert "SECRET" not in caught.value.errors()[0]["msg"]
    for host in ("http://wiki.lab", "wiki.lab:8080", "wiki.lab/x", ""):
        with pytest.raises(ValidationError):
            UrlsSource(urls=("https://a.example/x.pdf",), allow_private=(host,))
    assert UrlsSource(urls=("https://a.example/x",), allow_private=("[::1]", "10.0.0.7", "wiki.lab")).allow_private
    with pytest.raises(ValidationError):
        InspireSource(query="t beam", max_papers=10_001)
    kept = UrlsSource(urls=("https://a.example/x?id=3&token=SECRET",))
    assert kept.model_dump(mode="json")["urls"] == ["https://a.example/x?id=3&token=***"]
    assert fingerprint(kept) == fingerprint(UrlsSource(urls=("https://a.example/x?id=3&token=NEW",)))
