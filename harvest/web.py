"""HTTP as arXiv wants it: paced, one connection, patient with 429 and 503, complete downloads or none."""

from __future__ import annotations

import email.utils
import ipaddress
import logging
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from harvest.polite import LONGEST_PAUSE, Gate
from harvest.store import FieldsmithError, versions

_log = logging.getLogger(__name__)
_TRIES = 5
_BUSY = (429, 500, 502, 503, 504)
_TIMEOUT = (15.0, 60.0)  # seconds to connect, seconds between two pieces of an answer
_WHOLE = 900.0  # seconds for one download
_LARGEST = 400_000_000  # bytes of one download
AGENT = f"fieldsmith/{versions('fieldsmith').get('fieldsmith', '0')} (harvests one paper per three seconds)"


class Unreachable(FieldsmithError):  # noqa: N818
    """A server that does not answer as it should: its address and why, in words."""

    def __init__(self, url: str, why: str) -> None:
        parts = urlsplit(url)
        self.address, self.why = f"{parts.scheme}://{parts.netloc}", why
        super().__init__(f"arXiv cannot be reached at {self.address} ({why})")


class Missing(Exception):  # noqa: N818
    """The server says that it does not have it (404, 410)."""


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
        """Send one request; 429, 503 and lost connections are tried again, then `Unreachable` is raised."""
        settings["timeout"] = settings.get("timeout") or _TIMEOUT
        url = request.url or ""
        why = ""
        for attempt in range(_TRIES):
            with self.gate.held():
                self.gate.pace()
                try:
                    reply = super().send(request, **settings)
                except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                    why, pause = _cause(error), 2.0 * attempt
                    if attempt >= 2 and not isinstance(error, requests.exceptions.ChunkedEncodingError):
                        break  # nobody there: five tries would only be slower
                else:
                    self.gate.note()
                    if reply.status_code not in _BUSY:
                        return reply
                    why, pause = f"it answers {reply.status_code} {reply.reason}", _asked_pause(reply, attempt)
                    reply.close()
                if pause > LONGEST_PAUSE:
                    raise Unreachable(url, f"{why} and asks to come back in {pause:.0f} s")
                self.gate.note(pause)
            _log.info("%s: %s; trying again", urlsplit(url).netloc, why)
        raise Unreachable(url, why)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Follow redirects within the same host and within arxiv.org only."""
        target = super().get_redirect_target(resp)
        if target is None:
            return None
        here, there = urlsplit(resp.url).hostname or "", urlsplit(urljoin(resp.url, target)).hostname or ""
        if there != here and not there.endswith(".arxiv.org") and there != "arxiv.org":
            raise Unreachable(resp.url, f"it sends us to {there}, which is not arXiv")
        return target

    def download(self, url: str) -> bytes:
        """The bytes behind an address, all of them. Raises `Missing`, `Unreachable`."""
        why = ""
        for _ in range(_TRIES):
            with self.gate.held():
                reply = self.get(url, stream=True, headers={"Accept-Encoding": "identity"})
                with reply:
                    if reply.status_code in (404, 410):
                        raise Missing(f"{url} answers {reply.status_code}")
                    if reply.status_code != 200:
                        raise Unreachable(url, f"it answers {reply.status_code} {reply.reason}")
                    try:
                        return _whole_body(reply)
                    except (urllib3.exceptions.HTTPError, EOFError) as error:
                        why = f"its download was cut off: {type(error).__name__}"
            _log.info("%s was cut off; trying again", url)
        raise Unreachable(url, why)


def _whole_body(reply: requests.Response) -> bytes:
    """Read the raw bytes; EOFError if fewer came than were announced or they come too slowly or are too many."""
    body = bytearray()
    end = time.monotonic() + _WHOLE
    for piece in reply.raw.stream(1 << 16, decode_content=False):
        body += piece
        if time.monotonic() > end or len(body) > _LARGEST:
            raise EOFError
    announced = reply.headers.get("Content-Length", "")
    if announced.isdigit() and len(body) != int(announced):
        raise EOFError
    return bytes(body)


def _asked_pause(reply: requests.Response, attempt: int) -> float:
    """Seconds that Retry-After names (as a number or a date), else 3, 6, 12, 24 seconds."""
    asked = reply.headers.get("Retry-After", "").strip()
    if asked.isdigit():
        return float(asked)
    if asked:
        try:
            date = email.utils.parsedate_to_datetime(asked)
        except ValueError:
            date = None
        if date is not None:
            return max(0.0, (date - datetime.now(UTC)).total_seconds())
    return 3.0 * float(2**attempt)


def _cause(error: requests.RequestException) -> str:
    """Why a connection failed, in a few words."""
    text = str(error)
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
