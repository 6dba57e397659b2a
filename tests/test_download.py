"""Downloads from hostile and broken servers: private addresses, redirects, sizes, time, kinds, politeness, kill -9."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import ipaddress
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_web import PDF, SmallWeb, in_turn, ranged, reply, small_web, to

from harvest.addresses import Guard, is_public
from harvest.download import HOPS, Downloader
from harvest.links import masked, problem, shown
from harvest.sources.kept import read_kept
from harvest.sources.landing import fetch_document
from harvest.sources.offer import Refused

ROOT = Path(__file__).parent.parent
HERE = ("127.0.0.1",)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallWeb]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    with small_web() as server:
        yield server


def refusal(net: Downloader, url: str, folder: Path, *, pages: bool = False) -> Refused:
    """The refusal of a document; nothing of it may be left under the name of a document."""
    with pytest.raises(Refused) as caught:
        fetch_document(net, url, folder, pages=pages)
    assert not [path for path in folder.glob("*") if not path.name.startswith(".")]
    return caught.value


# ---- where to


def test_every_way_to_write_this_machine_is_refused_without_a_connection(web: SmallWeb, tmp_path: Path) -> None:
    web.answers["/a.pdf"] = PDF
    net = Downloader()
    hosts = ["127.0.0.1", "localhost", "LOCALHOST", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "[::ffff:127.0.0.1]", "[::1]"]
    for host in [*hosts, "①②⑦.⓪.⓪.①", "127。0。0。1"]:
        assert refusal(net, f"http://{host}:{web.port}/a.pdf", tmp_path).reason in ("forbidden-address", "bad-address"), host
    assert refusal(net, "http://169.254.169.254/latest/meta-data", tmp_path).reason == "forbidden-address"
    assert refusal(net, "http://user:pass@127.0.0.1/a.pdf", tmp_path).reason == "bad-address"
    assert refusal(net, "file:///etc/passwd", tmp_path).reason == "bad-address"
    assert web.asked == []
    allowed = Downloader(allow_private=HERE)
    assert fetch_document(allowed, f"{web.url}/a.pdf", tmp_path / "in", pages=False).path.read_bytes() == PDF
    other_name = refusal(allowed, f"http://localhost:{web.port}/a.pdf", tmp_path / "no")
    assert other_name.reason == "forbidden-address"


SPECIAL = """
    10.0.0.1 172.31.255.255 192.168.1.1 100.64.0.1 0.0.0.0 255.255.255.255 224.0.0.1 240.0.0.1 192.0.0.8 198.18.0.1 192.88.99.1 ::1 ::
    ::ffff:10.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::808:808 2002:7f00:1:: 2001:0:7f00:1:: fe80::1%eth0 fec0::1 fc00::1 ff02::1 2001:db8::1
    ::127.0.0.1 100::1
"""


def test_special_addresses_are_not_public() -> None:
    assert [address for address in SPECIAL.split() if is_public(address)] == []
    assert all(is_public(address) for address in ("1.1.1.1", "188.184.1.1", "2001:1458:201::1", "2606:4700::1111"))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_all_its_ipv6_forms(address: ipaddress.IPv4Address) -> None:
    inside = int(address)
    forms = [ipaddress.IPv6Address((0xFFFF << 32) | inside), ipaddress.IPv6Address((0x64FF9B << 96) | inside)]
    assert {is_public(str(form)) for form in forms} == {is_public(str(address))}
    if address.is_private or address.is_multicast or address.is_reserved:
        assert not is_public(str(address))


def test_the_name_is_resolved_once_and_that_address_connected_to(web: SmallWeb, tmp_path: Path) -> None:
    """A name server that gives another answer the second time (rebinding) finds nobody asking."""
    code = """
import socket, sys
from pathlib import Path
from harvest.download import Downloader
from harvest.sources.offer import Refused
lookups, connections = [], []
true = socket.getaddrinfo
def answers(host, port, *rest, **settings):
    if host == "rebinding.example":
        lookups.append(host)
        host = "1.1.1.1" if len(lookups) == 1 else "127.0.0.1"
    return true(host, port, *rest, **settings)
def watch(event, arguments):
    if event == "socket.connect":
        connections.append(arguments[1][0])
        if arguments[1][0] != "127.0.0.1":
            raise ConnectionRefusedError("Connection refused")
socket.getaddrinfo = answers
sys.addaudithook(watch)
try:
    Downloader(interval=0).fetch(f"http://rebinding.example:{sys.argv[1]}/a.pdf", Path(sys.argv[2]))
except Refused as error:
    print(error.reason, len(lookups), *connections)
"""
    out = subprocess.run([sys.executable, "-c", code, str(web.port), str(tmp_path / "x")], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["forbidden-address", "2", "1.1.1.1"]  # the second try looked the name up anew and judged anew
    assert web.asked == []


def test_each_hop_of_a_redirect_is_judged(web: SmallWeb, tmp_path: Path) -> None:
    with small_web("127.0.0.1") as secret:
        secret.answers["/key"] = PDF
        web.answers |= {
            "/in": to(f"http://localhost:{secret.port}/key"),
            "/meta": to("http://169.254.169.254/"),
            "/file": to("file:///etc/passwd"),
            "/ftp": to("ftp://example.org/a.pdf"),
            "/loop": to("/loop"),
            "/relative": to("next/../a.pdf", 307),
            "/a.pdf": PDF,
        }
        net = Downloader(allow_private=HERE)
        found = {path: refusal(net, f"{web.url}{path}", tmp_path).reason for path in ("/in", "/meta", "/file", "/ftp", "/loop")}
        assert found == {
            "/in": "forbidden-address",
            "/meta": "forbidden-address",
            "/file": "bad-address",
            "/ftp": "bad-address",
            "/loop": "too-many-redirects",
        }
        assert secret.asked == []
        assert web.paths().count("/loop") == HOPS + 1
        assert fetch_document(net, f"{web.url}/relative", tmp_path / "in", pages=False).url == f"{web.url}/a.pdf"


def test_the_environments_proxy_is_not_asked(web: SmallWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.answers["/a.pdf"] = PDF
    with small_web() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        fetch_document(Downloader(allow_private=HERE), f"{web.url}/a.pdf", tmp_path, pages=False)
        assert (len(web.asked), len(proxy.asked)) == (1, 0)


def test_tls_goes_to_the_judged_address_under_the_hosts_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    names: list[str | None] = []
    with small_web("localhost", _certificate(tmp_path / "server.pem", "localhost"), names) as web:
        web.answers["/a.pdf"] = PDF
        untrusted = refusal(Downloader(allow_private=("localhost",)), f"{web.url}/a.pdf", tmp_path / "no")
        assert (untrusted.reason, "certificate" in untrusted.detail) == ("unreachable", True)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "server.pem"))
        names.clear()
        assert fetch_document(Downloader(allow_private=("localhost",)), f"{web.url}/a.pdf", tmp_path / "in", pages=False).kind == "pdf"
        assert names == ["localhost"]
        assert web.asked[-1].headers["host"] == f"localhost:{web.port}"
        other = Downloader(allow_private=HERE)  # the same server by a name that its certificate does not carry
        assert "certificate" in refusal(other, f"https://127.0.0.1:{web.port}/a.pdf", tmp_path / "no").detail


# ---- what comes


def test_a_file_is_what_its_bytes_say(web: SmallWeb, tmp_path: Path) -> None:
    web.answers |= {
        "/denied.pdf": "<!doctype html><title>Just a moment...</title><p>Checking your browser",
        "/login.pdf": "<html><head><title>Sign in to Elsevier</title></head><body>Password:</body></html>",
        "/landing.pdf": "<html><title>A paper</title><p>Abstract only",
        "/empty.pdf": b"\0\0",
        "/lfs.pdf": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "/note.pdf": "Rate limit reached, come back later",
        "/picture.pdf": b"\x89PNG\r\n\x1a\n" + bytes(99),
        "/gone.pdf": reply(404, b"<html><title>No such volume</title></html>"),
        "/closed.pdf": reply(403, b"<html><title>Access denied</title></html>"),
        "/br.pdf": reply(200, PDF, Content_Encoding="br"),
        "/bad-gzip.pdf": reply(200, PDF, Content_Encoding="gzip"),
    }
    net = Downloader(allow_private=HERE)
    found = {path: refusal(net, f"{web.url}{path}", tmp_path) for path in list(web.answers)}
    assert {path: error.reason for path, error in found.items()} == {
        "/denied.pdf": "no-access",
        "/login.pdf": "no-access",
        "/landing.pdf": "wrong-type",
        "/empty.pdf": "empty",
        "/lfs.pdf": "wrong-type",
        "/note.pdf": "wrong-type",
        "/picture.pdf": "wrong-type",
        "/gone.pdf": "not-found",
        "/closed.pdf": "no-access",
        "/br.pdf": "wrong-type",
        "/bad-gzip.pdf": "wrong-type",
    }
    assert "wants proof that a person is asking" in found["/denied.pdf"].detail
    assert "'No such volume'" in found["/gone.pdf"].detail
    assert found["/gone.pdf"].lasting
    assert "LFS" in found["/lfs.pdf"].detail


def test_files_are_kept_under_the_name_that_their_bytes_earn_with_their_checksum(web: SmallWeb, tmp_path: Path) -> None:
    tar = bytearray(1024)
    tar[257:262] = b"ustar"
    files = {
        "/1": (PDF, "paper.pdf"),
        "/2": (gzip.compress(bytes(tar)), "source.tar.gz"),
        "/3": (gzip.compress(rb"\documentclass{article}"), "source.gz"),
        "/4": (gzip.compress(PDF), "paper.pdf.gz"),
        "/5": (rb"\documentclass{article}\begin{document}", "source.tex"),
        "/6": (b"<html><title>A wiki page</title><p>" + b"Much text. " * 400, "paper.html"),
        "/7": (b"Plain words of a note.", "paper.txt"),
    }
    for path, (body, name) in files.items():
        web.answers[path] = body
        kept = fetch_document(Downloader(allow_private=HERE), web.url + path, tmp_path / path[1:], pages=True)
        assert kept.path.name == name
        assert read_kept(tmp_path / path[1:]).files[name].sha256 == kept.sha256 == hashlib.sha256(body).hexdigest()
    web.answers["/packed"] = reply(200, gzip.compress(PDF), Content_Encoding="gzip")
    assert fetch_document(Downloader(allow_private=HERE), f"{web.url}/packed", tmp_path / "p", pages=False).path.read_bytes() == PDF
    assert web.asked[-1].headers["accept-encoding"] == "identity"


def test_a_landing_page_stands_for_the_pdf_that_it_names_once(web: SmallWeb, tmp_path: Path) -> None:
    web.answers |= {
        "/paper": "<html><head><meta name='citation_pdf_url' content='files/a.pdf'><title>T</title></head></html>",
        "/files/a.pdf": PDF,
        "/chain": "<html><meta name='citation_pdf_url' content='/paper'></html>",
        "/trap": f"<html><meta content='http://localhost:{web.port}/files/a.pdf' name='citation_pdf_url'></html>",
    }
    net = Downloader(allow_private=HERE)
    assert fetch_document(net, f"{web.url}/paper", tmp_path / "in", pages=True).path.name == "paper.pdf"
    assert refusal(net, f"{web.url}/chain", tmp_path / "no", pages=True).reason == "wrong-type"
    assert refusal(net, f"{web.url}/trap", tmp_path / "no", pages=True).reason == "forbidden-address"


def test_what_is_too_large_is_refused_announced_or_not(web: SmallWeb, tmp_path: Path) -> None:
    sent = [0]

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            sent[0] += handler.wfile.write(PDF * 100)

    web.answers |= {
        "/endless.pdf": endless,
        "/announced.pdf": reply(200, PDF, Content_Length=str(10**12)),
        "/bomb.pdf": reply(200, gzip.compress(PDF + bytes(50_000_000)), Content_Encoding="gzip"),
    }
    net = Downloader(allow_private=HERE, max_bytes=3_000_000)
    for path in list(web.answers):
        error = refusal(net, web.url + path, tmp_path)
        assert (error.reason, error.lasting) == ("too-large", True), path
        assert "3 MB" in error.detail
    assert sent[0] < 40_000_000  # no more than buffers hold went over the line after the limit
    assert sum(path.stat().st_size for path in tmp_path.glob(".download*")) < 1000


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_server_that_drips_is_left_when_the_time_is_over(web: SmallWeb, tmp_path: Path, where: str) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        start = b"HTTP/1.1 200 OK\r\n" if where == "headers" else b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        handler.wfile.write(start)
        for _ in range(600):
            handler.wfile.write(b"X")
            time.sleep(0.05)

    web.answers["/slow.pdf"] = drip
    start = time.monotonic()
    error = refusal(Downloader(allow_private=HERE, seconds=0.6), f"{web.url}/slow.pdf", tmp_path)
    assert (error.reason, error.lasting) == ("timed-out", False)
    assert time.monotonic() - start < 10


# ---- politeness


def test_a_host_is_asked_at_its_pace_and_comes_back_when_told(web: SmallWeb, tmp_path: Path) -> None:
    web.answers |= {
        "/busy.pdf": in_turn(reply(429, Retry_After="1"), reply(503, Retry_After="0"), reply(200, PDF)),
        "/a.pdf": PDF,
        "/later.pdf": reply(429, Retry_After="100000"),
    }
    net = Downloader(allow_private=HERE, interval=0.3)
    for path in ("/a.pdf", "/a.pdf", "/busy.pdf"):
        fetch_document(net, web.url + path, tmp_path, pages=False)
    gaps = [after.at - before.at for before, after in pairwise(web.asked)]
    assert min(gaps) > 0.29
    assert gaps[2] > 0.99, "Retry-After was not obeyed"
    assert "fieldsmith/" in web.asked[0].headers["user-agent"]
    assert "100000" in refusal(net, f"{web.url}/later.pdf", tmp_path / "x").detail
    count = len(web.asked)
    assert refusal(net, f"{web.url}/a.pdf", tmp_path / "x").reason == "unreachable", "a host that asked for a day off was asked again"
    assert len(web.asked) == count


def test_two_processes_share_the_pace_of_a_host(web: SmallWeb, tmp_path: Path) -> None:
    web.answers["/a.pdf"] = PDF
    code = "import sys; from pathlib import Path; from harvest.download import Downloader\n"
    code += "for n in '123': Downloader(allow_private=['127.0.0.1'], interval=0.3).fetch(sys.argv[1], Path(sys.argv[2] + n))"
    running = [subprocess.Popen([sys.executable, "-c", code, f"{web.url}/a.pdf", str(tmp_path / name)], cwd=ROOT) for name in "xy"]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(web.asked) == 6
    assert min(after.at - before.at for before, after in pairwise(web.asked)) > 0.29


def test_a_host_where_nobody_is_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    with small_web() as web:
        port = web.port
    monkeypatch.setattr("harvest.download._TRIES_ABSENT", 1)
    net = Downloader(allow_private=HERE)
    first = refusal(net, f"http://127.0.0.1:{port}/a.pdf", tmp_path)
    assert (first.reason, first.lasting, "connection is refused" in first.detail) == ("unreachable", False, True)
    start = time.monotonic()
    assert refusal(net, f"http://127.0.0.1:{port}/b.pdf", tmp_path).reason == "unreachable"
    assert time.monotonic() - start < 0.5


# ---- going on


def test_a_download_that_breaks_off_is_gone_on_with(web: SmallWeb, tmp_path: Path) -> None:
    body = PDF + os.urandom(1_000_000)
    web.answers["/a.pdf"] = ranged(body, cut=300_000)
    got = fetch_document(Downloader(allow_private=HERE), f"{web.url}/a.pdf", tmp_path / "a", pages=False)
    assert got.path.read_bytes() == body
    assert [asked.headers.get("range") for asked in web.asked] == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]
    web.answers["/b.pdf"] = in_turn(ranged(body, '"one"', cut=300_000), ranged(body[::-1], '"two"'))
    web.answers["/c.pdf"] = in_turn(ranged(body, cut=10), reply(416), reply(200, body))
    for path, whole in (("/b.pdf", body[::-1]), ("/c.pdf", body)):
        got = Downloader(allow_private=HERE).fetch(web.url + path, tmp_path / "file")
        assert got.path.read_bytes() == whole, path
        assert got.sha256 == hashlib.sha256(whole).hexdigest()


def test_a_killed_download_goes_on_in_the_next_process(web: SmallWeb, tmp_path: Path) -> None:
    body = PDF + os.urandom(3_000_000)
    web.answers["/a.pdf"] = ranged(body, pause=0.05)
    code = "import sys; from pathlib import Path; from harvest.download import Downloader\n"
    code += "Downloader(allow_private=['127.0.0.1']).fetch(sys.argv[1], Path(sys.argv[2]))"
    part = tmp_path / "a.part"
    with subprocess.Popen([sys.executable, "-c", code, f"{web.url}/a.pdf?token=SECRET", str(tmp_path / "a")], cwd=ROOT) as process:
        while not part.exists() or part.stat().st_size < 500_000:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    have = part.stat().st_size
    assert b"SECRET" not in part.with_name("a.part.json").read_bytes()
    web.answers["/a.pdf"] = ranged(body)
    got = Downloader(allow_private=HERE).fetch(f"{web.url}/a.pdf?token=SECRET", tmp_path / "a")
    assert web.asked[-1].headers["range"] == f"bytes={have}-"
    assert got.path.read_bytes() == body
    assert sorted(path.name for path in tmp_path.glob("a*")) == ["a"]


# ---- secrets


def test_secrets_of_an_address_reach_no_message_and_no_file(web: SmallWeb, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    web.answers |= {"/a.pdf": in_turn(reply(503, Retry_After="0"), reply(200, PDF)), "/b.pdf": reply(404)}
    query = "id=17&X-Amz-Signature=SECRETONE&api_key=SECRETTWO&x=SECRETTHREE4567890123456789012345678901"
    net = Downloader(allow_private=HERE)
    fetch_document(net, f"{web.url}/a.pdf?{query}", tmp_path, pages=False)
    said = refusal(net, f"{web.url}/b.pdf?{query}", tmp_path / "x").detail
    assert web.paths()[0] == f"/a.pdf?{query}"
    assert "id=17" in said
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for text in (said, caplog.text, files.decode("latin-1")):
        assert "SECRET" not in text


@given(
    st.text(st.characters(codec="ascii", exclude_characters="/?#@"), min_size=3), st.sampled_from(["http://", "https://", "//", "HTTP://"])
)
def test_a_user_in_an_address_is_never_shown(secret: str, scheme: str) -> None:
    url = f"{scheme}u:{secret}@host.example/a.pdf"
    assert shown(url).strip().endswith("//host.example/a.pdf") or any(sign in secret for sign in "\t\r\n")
    assert problem(url)
    assert masked("https://host.example/a.pdf?id=17&page=2") == "https://host.example/a.pdf?id=17&page=2"


def test_the_clock_of_a_guard_runs_over_all_requests() -> None:
    guard = Guard((), 0.2)
    for _ in range(2):
        with guard.clock():
            time.sleep(0.15)
    assert guard.expired


def _certificate(path: Path, name: str) -> Path:
    """A certificate for one name that signs itself, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path
