"""HTTP as arXiv wants it: paced, one connection, patient with 429 and 503, complete answers or none.

arXiv's terms (https://info.arxiv.org/help/api/tou.html) allow one connection and one request in three seconds; 429 and
503 say when to come back; a 403 means that access is denied, and asking on counts as an attack
(https://info.arxiv.org/help/robots.html), so it ends the run.
"""

from __future__ import annotations

import email.utils
import html
import io
import ipaddress
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from harvest.partial import Cut, Part, TooLarge, validator, whole_body
from harvest.polite import LONGEST_PAUSE, Gate
from harvest.store import FieldsmithError, versions

_log = logging.getLogger(__name__)
TIMEOUT = (15.0, 60.0)  # seconds to connect, seconds between two pieces of an answer
_TRIES = 8  # of a server that is busy, hangs or cuts its answers: with doubled pauses some five minutes
_NOBODY = 3  # tries where there is no server at all
_ODD = 4  # tries of a server whose answers are whole but not what they should be
_BUSY = (429, 500, 502, 503, 504)
_LARGEST_ANSWER = 64_000_000  # bytes of an answer that is not a download
_PROGRESS = 1 << 16  # bytes that make a cut download worth going on with
_MOST_PIECES = 60  # answers that one download may be made of
AGENT = f"fieldsmith/{versions('fieldsmith').get('fieldsmith', '0')} (harvests one paper per three seconds)"
Value = TypeVar("Value")


class Unreachable(FieldsmithError):  # noqa: N818
    """A server that does not answer as it should: its address and why, in words."""

    def __init__(self, url: str, why: str) -> None:
        parts = urlsplit(url)
        self.address, self.why = f"{parts.scheme}://{parts.netloc}", why
        super().__init__(f"{self.address} cannot be reached ({why})")


class Broken(Unreachable):
    """The server is there, but this one address fails time and again; others may do."""


class Forbidden(Unreachable):
    """The server refuses access (401, 403); `said` is the heading of its page."""

    def __init__(self, url: str, why: str, said: str) -> None:
        super().__init__(url, f"{why}: {said}" if said else why)
        self.said = said


class Missing(Exception):  # noqa: N818
    """The server says that it does not have it (404, 410); `said` is the heading of its page."""

    def __init__(self, url: str, said: str = "") -> None:
        super().__init__(f"{url} is not there")
        self.said = said


class Improper(Exception):  # noqa: N818
    """An answer that is whole but not what was asked for; asking again may help."""


def is_loopback(url: str) -> bool:
    """Whether an address is this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class PoliteSession(requests.Session):
    """A session whose every request, redirects included, passes the gate, and that tries again where that helps."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate
        self.headers["User-Agent"] = AGENT

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        """Send one request; 429, 5xx, lost connections and cut answers are tried again, then `Unreachable` or `Broken` is raised.

        With `stream` the body is left to the caller; else it is read here, up to 64 MB.
        """
        stream = settings.pop("stream", False)
        settings["timeout"] = settings.get("timeout") or TIMEOUT
        url = request.url or ""
        failure: type[Unreachable] = Unreachable
        for attempt in range(_TRIES):
            with self.gate.held():
                self.gate.pace()
                pause = self.backoff(attempt)
                try:
                    reply = super().send(request, stream=True, **settings)
                    self.gate.note()
                    if reply.status_code not in _BUSY:
                        return reply if stream else _read(reply)
                    why = f"it answers {reply.status_code} {reply.reason}"
                    asked = asked_pause(reply.headers.get("Retry-After", ""), attempt, 0.0)
                    reply.close()
                    if asked > LONGEST_PAUSE:
                        raise Unreachable(url, f"{why} and asks to come back in {asked:.0f} s")
                    pause, failure = max(pause, asked), Unreachable if reply.status_code == 429 else Broken
                except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, Cut) as error:
                    why, failure = cause(error), Unreachable if _nobody(error) else Broken
                    if failure is Unreachable and attempt + 1 >= _NOBODY:
                        break
                if attempt + 1 < _TRIES:
                    self.gate.note(pause)
            _log.info("%s: %s; trying again", urlsplit(url).netloc, why)
        raise failure(url, why)

    def backoff(self, attempt: int) -> float:
        """Seconds before the next try: the interval, doubled with every attempt, at most `LONGEST_PAUSE`."""
        return float(min(self.gate.interval * 2**attempt, LONGEST_PAUSE))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Follow redirects within the same host and within arxiv.org only."""
        target = super().get_redirect_target(resp)
        if target is None:
            return None
        here, there = urlsplit(resp.url).hostname or "", urlsplit(urljoin(resp.url, target)).hostname or ""
        if there != here and not there.endswith(".arxiv.org") and there != "arxiv.org":
            raise Unreachable(resp.url, f"it sends us to {there}, which is not arXiv")
        return target

    def patiently(self, ask: Callable[[], Value]) -> Value:
        """What `ask` returns; where it raises `Improper` it is called again after a pause, at the fourth time the error goes on."""
        for attempt in range(_ODD - 1):
            try:
                return ask()
            except Improper as error:
                _log.info("%s; trying again", error)
                self.gate.rest(self.backoff(attempt))
        return ask()

    def download(self, url: str, part: Part, unless: str = "") -> str | None:
        """Complete `part` with the bytes behind an address, going on where an earlier try or process stopped.

        Returns the ETag or Last-Modified that the server gives (perhaps empty), or None where it says that the file is still
        that of the ETag `unless`. Raises `Missing`, `Forbidden`, `Broken`, `Unreachable`, and `TooLarge` above 400 MB.
        """
        barren, why = 0, ""
        for _ in range(_MOST_PIECES):
            before = part.size
            with self.gate.held():
                try:
                    return self._rest(url, part, unless)
                except Cut as error:
                    why = f"its download does not come whole: {error}"
                barren = 0 if part.size - before >= _PROGRESS else barren + 1
                if barren >= _TRIES:
                    break
                self.gate.note(self.backoff(barren) if barren else 0.0)
            _log.info("%s: %s; going on", urlsplit(url).netloc, why)
        raise Broken(url, why)

    def _rest(self, url: str, part: Part, unless: str) -> str | None:
        wanted = part.headers(url) or ({"If-None-Match": unless} if unless else {})
        with self.get(url, stream=True, headers={"Accept-Encoding": "identity", **wanted}) as reply:
            if reply.status_code == 304 and unless:
                return None
            if reply.status_code in (404, 410):
                raise Missing(url, heading(reply))
            if reply.status_code in (401, 403):
                raise Forbidden(url, f"it answers {reply.status_code} {reply.reason}", heading(reply))
            if reply.status_code not in (200, 206, 416):
                raise Broken(url, f"it answers {reply.status_code} {reply.reason}")
            part.take(url, reply.status_code, reply.headers, reply.raw)
            return validator(reply.headers)


def heading(reply: requests.Response) -> str:
    """What a web page calls itself: its h1, else its title; empty where there is none."""
    try:
        body = whole_body(reply.raw, _LARGEST_ANSWER).decode("utf-8", "replace")
    except (Cut, TooLarge):
        return ""
    return page_heading(body)


def page_heading(page: str) -> str:
    """The h1 of a page of HTML, else its title, as one line of at most 100 characters."""
    found = re.search(r"<h1\b[^>]*>(.*?)</h1>", page, re.IGNORECASE | re.DOTALL) or re.search(
        r"<title\b[^>]*>(.*?)</title>", page, re.IGNORECASE | re.DOTALL
    )
    said = html.unescape(re.sub(r"<[^>]*>", " ", found[1])) if found else ""
    return re.sub(r"\s+", " ", said).strip()[:100]


def _read(reply: requests.Response) -> requests.Response:
    """The answer with its body in memory, so that whoever asks for `content` cannot be kept waiting or flooded."""
    try:
        reply.raw = io.BytesIO(whole_body(reply.raw, _LARGEST_ANSWER))
    except TooLarge as error:
        raise Unreachable(reply.url, f"its answer is larger than {_LARGEST_ANSWER // 1_000_000} MB") from error
    return reply


def asked_pause(asked: str, attempt: int, first: float = 3.0) -> float:
    """Seconds that a Retry-After header names (as a number or a date), else `first`, doubled with every attempt (from 0)."""
    asked = asked.strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", asked):
        return float(asked)
    if asked:
        try:
            date = email.utils.parsedate_to_datetime(asked)
        except ValueError:
            date = None
        if date is not None:
            return max(0.0, (date - datetime.now(UTC)).total_seconds())
    return first * float(2**attempt)


def _nobody(error: Exception) -> bool:
    """Whether a connection failed because there is no server to be had, so that more tries would only be slower."""
    signs = ("NameResolution", "Connection refused", "Network is unreachable", "certificate", "ProxyError")
    return any(sign in str(error) for sign in signs)


def cause(error: Exception) -> str:
    """Why a connection failed, in a few words."""
    if isinstance(error, Cut):
        return str(error)
    text = f"{type(error).__name__}: {error}"
    for sign, words in (
        ("NameResolution", "its name is not known here, there is no network"),
        ("Connection refused", "the connection is refused"),
        ("Network is unreachable", "there is no network"),
        ("timed out", "it does not answer in time"),
        ("IncompleteRead", "its answer was cut off"),
        ("certificate", "its certificate is not accepted"),
        ("Remote end closed", "it closes the connection without an answer"),
        ("ProxyError", "the proxy does not let us through"),
    ):
        if sign in text:
            return words
    return f"the connection fails: {type(error).__name__}"
