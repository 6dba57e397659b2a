"""Files from anywhere on the Internet: http(s) only, public addresses only, bounded, polite, gone on with where they broke off.

One request at a time and one a second to each host, over all processes of the machine; Retry-After, 429 and 503 are
obeyed. Every hop of a redirect is judged like the first address (harvest.addresses). Proxies of the environment are
not used, since a proxy looks names up itself and connects to what we never see; neither are .netrc and cookies.
What a file is, its bytes say.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import certifi
import urllib3
from urllib3.exceptions import HTTPError, LocationParseError

from harvest.addresses import Forbidden, Guard
from harvest.links import masked, plain, problem, shown
from harvest.partial import Cut, Part, TooLarge
from harvest.polite import LONGEST_PAUSE, Gate
from harvest.readers.kind import Kind, kind_of
from harvest.sources.offer import Refused
from harvest.store import safe_name, sha256_file, sha256_text, versions
from harvest.web import asked_pause, cause, is_loopback
from harvest.webpage import web_page

_log = logging.getLogger(__name__)
AGENT = f"fieldsmith/{versions('fieldsmith').get('fieldsmith', '0')} (gathers documents, one request a second to a host)"
MEGABYTE = 1_000_000
HOPS = 5
_TRIES = 5
_TRIES_ABSENT = 3  # where nobody answers at all, five tries would only be slower
_TIMEOUT = urllib3.Timeout(connect=15.0, read=60.0)  # seconds to connect, seconds between two pieces of an answer
_WHOLE = 900.0  # seconds of one download, retries included, waiting for our turn not
_PIECE = 1 << 16
_PAUSE = 5.0  # seconds after a 429 that names none: INSPIRE counts refused requests in a window of five
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_CLOSED = {
    401: ("no-access", "asks for a password"),
    402: ("no-access", "asks for payment"),
    403: ("no-access", "denies access"),
    404: ("not-found", "does not have it"),
    407: ("no-access", "asks for a password"),
    410: ("not-found", "has it no more"),
    451: ("no-access", "may not give it for legal reasons"),
}


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that arrived whole: where from in the end (secrets masked), where it lies, SHA-256, bytes, what it is."""

    url: str
    path: Path
    sha256: str
    size: int
    kind: Kind


class _Again(Exception):  # noqa: N818
    """A request that may succeed later: why, and the host if nobody was there."""

    def __init__(self, why: str, absent: str = "") -> None:
        super().__init__(why)
        self.why, self.absent = why, absent


class Downloader:
    """Fetches files one by one; a host that does not answer is given up for the life of the downloader.

    `allow_private` are hosts that may have addresses of a private network; `interval` are the seconds between two
    requests to a host (None: 1, and 0 for this machine itself); `seconds` bound one download, retries included.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 200 * MEGABYTE,
        allow_private: Collection[str] = (),
        interval: float | None = None,
        seconds: float = _WHOLE,
    ) -> None:
        self.max_bytes, self.allow_private = max_bytes, tuple(allow_private)
        self.interval, self.seconds = interval, seconds
        self._absent: dict[str, str] = {}

    def fetch(self, url: str, path: Path) -> Downloaded:
        """Bring what lies behind an address into the file `path`, going on with what came of it before (`<path>.part`).

        Raises `Refused` with a reason of: bad-address, forbidden-address, not-found, no-access, too-large, empty,
        wrong-type, timed-out, too-many-redirects, unreachable.
        """
        guard, part = Guard(self.allow_private, self.seconds), Part(path.with_name(f"{path.name}.part"))
        url, tries = plain(url) if not problem(url) else url, 0
        while True:
            before = part.size
            try:
                final, encoding = self._once(url, part, guard, tries)
            except _Again as again:
                tries = 1 if part.size > before + _PIECE else tries + 1
                if tries >= (_TRIES_ABSENT if again.absent else _TRIES):
                    raise self._given_up(again, url) from again
                _log.info("%s: %s; trying again", shown(url), again.why)
            else:
                part.keep(path)
                try:
                    return self._whole(final, encoding, path)
                except Refused:
                    path.unlink(missing_ok=True)
                    raise

    def _given_up(self, again: _Again, url: str) -> Refused:
        if again.absent:
            self._absent[again.absent] = again.why
        proxies = any(os.environ.get(name) for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"))
        hint = " (downloads do not go through the proxy that the environment names)" if again.absent and proxies else ""
        return Refused("unreachable", f"{shown(url)} cannot be had: {again.why}{hint}", lasting=False)

    # ---- one try: all hops, then the body

    def _once(self, url: str, part: Part, guard: Guard, tries: int) -> tuple[str, str]:
        """The address in the end and the content encoding, once the whole body lies in `part`."""
        here, headers = url, part.headers(sha256_text(url))
        for _ in range(HOPS + 1):
            _check_address(here, url)
            with self._asked(here, headers, guard, tries) as reply:
                target = reply.get_redirect_location()
                if not target:
                    _judge(reply, here)
                    self._take(reply, url, part, guard)
                    return here, reply.headers.get("Content-Encoding", "").strip().lower()
                here = plain(urljoin(here, target))
        raise Refused("too-many-redirects", f"{shown(url)} leads through more than {HOPS} redirects", lasting=True)

    @contextmanager
    def _asked(self, url: str, headers: dict[str, str], guard: Guard, tries: int) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer to one request, in our turn; what goes wrong with the connection becomes `_Again` or `Refused`."""
        parts = urlsplit(url)
        if parts.netloc in self._absent:
            raise Refused("unreachable", f"{shown(url)} cannot be had: {self._absent[parts.netloc]}", lasting=False)
        gate, pause, arrived = _gate(url, self.interval), 0.0, False
        with gate.held():
            gate.pace()
            try:
                pool = guard.pool(parts.scheme, parts.hostname or "", parts.port, timeout=_TIMEOUT, **_certificates(parts.scheme))
                with pool, guard.clock():
                    reply = _get(pool, url, headers)
                    arrived = True
                    if reply.status in _BUSY:
                        pause = asked_pause(reply.headers.get("Retry-After", ""), tries, _PAUSE)
                        raise self._postponed(reply, url, pause)
                    yield reply
            except Forbidden as error:
                raise Refused("forbidden-address", _forbidden(error, url), lasting=False) from error
            except LocationParseError as error:
                raise Refused("bad-address", f"{shown(url)} names no host that can be asked", lasting=True) from error
            except HTTPError as error:
                _check_clock(guard, url, self.seconds)
                if "CERTIFICATE_VERIFY_FAILED" in str(error):
                    raise self._given_up(_Again(cause(error), parts.netloc), url) from error
                pause = 0.0 if arrived else 2.0 * (tries + 1)
                raise _Again(cause(error), "" if arrived else parts.netloc) from error
            finally:
                gate.note(pause)
            _check_clock(guard, url, self.seconds)

    def _postponed(self, reply: urllib3.BaseHTTPResponse, url: str, pause: float) -> Exception:
        """What a server that is busy comes to: another try, or none in this run if it asks for too long a wait."""
        why = f"it answers {reply.status} {reply.reason or ''}".rstrip()
        if pause <= LONGEST_PAUSE:
            return _Again(why)
        why = f"{why} and asks to come back in {pause:.0f} s"
        self._absent[urlsplit(url).netloc] = why
        return Refused("unreachable", f"{shown(url)} cannot be had: {why}", lasting=False)

    # ---- the body

    def _take(self, reply: urllib3.BaseHTTPResponse, url: str, part: Part, guard: Guard) -> None:
        """Add the body to what is there of it; the address is noted as its hash, since it may be secret."""
        try:
            part.take(sha256_text(url), reply.status, reply.headers, reply, self.max_bytes)
        except TooLarge as error:
            part.drop()
            raise self._too_large(url) from error
        except Cut as error:
            _check_clock(guard, url, self.seconds)
            raise _Again(f"its download does not come whole: {error}") from error

    def _too_large(self, url: str) -> Refused:
        return Refused("too-large", f"{shown(url)} is larger than {self.max_bytes // MEGABYTE} MB", lasting=True)

    def _whole(self, url: str, encoding: str, path: Path) -> Downloaded:
        """What arrived, unpacked if the server packed it unasked."""
        if encoding in ("gzip", "x-gzip"):
            self._unpack(url, path)
        elif encoding not in ("", "identity"):
            raise Refused("wrong-type", f"{shown(url)} comes in the encoding {encoding[:20]!r}, which was not asked for", lasting=True)
        with path.open("rb") as file:
            kind = kind_of(file.read(1 << 20))
        if kind == "empty":
            raise Refused("empty", f"{shown(url)} gives an empty file", lasting=False)
        return Downloaded(masked(url), path, sha256_file(path), path.stat().st_size, kind)

    def _unpack(self, url: str, path: Path) -> None:
        """Undo a gzip coding that the server chose by itself; the limit on the size holds for what comes out."""
        packed = path.with_name(f"{path.name}.packed")
        os.replace(path, packed)
        stream, size = zlib.decompressobj(wbits=31), 0
        try:
            with packed.open("rb") as source, path.open("wb") as file:
                while not stream.eof and (piece := stream.unconsumed_tail or source.read(_PIECE)):
                    size += file.write(stream.decompress(piece, _PIECE))
                    if size > self.max_bytes:
                        raise self._too_large(url)
            if not stream.eof:
                raise zlib.error("ends early")
        except zlib.error as error:
            raise Refused("wrong-type", f"{shown(url)} is said to be gzip, and its bytes are not: {error}", lasting=False) from error
        finally:
            packed.unlink()


# ---- inner: what is asked


def _check_address(here: str, url: str) -> None:
    if wrong := problem(here):
        said = shown(here) if here == url else f"{shown(url)} leads to {shown(here)}, which"
        raise Refused("bad-address", f"{said} {wrong}", lasting=True)


def _forbidden(error: Forbidden, url: str) -> str:
    return (
        f"{shown(url)} is not asked: {error.host} is at {error.address}, which is not an address of the public Internet; "
        f"if that is meant, name {error.host} under allow_private"
    )


def _gate(url: str, interval: float | None) -> Gate:
    """The turnstile before a host: arXiv's own before arXiv, one of its own before any other."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == "arxiv.org" or host.endswith(".arxiv.org"):
        return Gate("arxiv", 3.0)
    local = is_loopback(url)
    name = f"{host}:{parts.port}" if local else host
    return Gate(f"host-{safe_name(name)}", interval if interval is not None else 0.0 if local else 1.0)


def _get(pool: urllib3.HTTPConnectionPool, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    sent = {"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity", **headers}
    return pool.urlopen("GET", target, headers=sent, retries=False, redirect=False, preload_content=False, decode_content=False)


def _certificates(scheme: str) -> dict[str, Any]:
    """Where trusted certificates lie: where requests looks too."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return {"ca_certs": named or certifi.where(), "cert_reqs": "CERT_REQUIRED"} if scheme == "https" else {}


def _check_clock(guard: Guard, url: str, seconds: float) -> None:
    if guard.expired:
        raise Refused("timed-out", f"{shown(url)} did not arrive whole within {seconds:.0f} s", lasting=False)


# ---- inner: what is answered


def _judge(reply: urllib3.BaseHTTPResponse, url: str) -> None:
    """Let documents through (200, 206) and what says that a part fits no more (416)."""
    if reply.status in (200, 206, 416):
        return
    reason, words = _CLOSED.get(reply.status, ("unreachable", "does not give it"))
    page = web_page(reply.read1(_PIECE, decode_content=True))
    said = f", saying {page.title!r}" if page.title else ""
    raise Refused(reason, f"{shown(url)}: the server {words} ({reply.status}{said})", lasting=400 <= reply.status < 500)
