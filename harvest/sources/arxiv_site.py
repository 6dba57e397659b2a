"""Where arXiv is: its three servers or a stand-in for them, behind one gate, and answers in XML.

Programs are asked to use export.arxiv.org for search and contents (https://info.arxiv.org/help/bulk_data.html) and
oaipmh.arxiv.org for OAI-PMH (https://info.arxiv.org/help/oa/index.html). `FIELDSMITH_ARXIV_URL` names one server in
place of them.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from urllib.parse import urlencode, urlsplit

import requests
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from harvest.polite import Gate
from harvest.store import UsageError
from harvest.web import Improper, PoliteSession, Unreachable, is_loopback

VARIABLE = "FIELDSMITH_ARXIV_URL"
_EXPORT, _OAI = "https://export.arxiv.org", "https://oaipmh.arxiv.org/oai"


class Site:
    """One arXiv (or a stand-in for it): its addresses, its session, and how many papers in a row it failed to give."""

    def __init__(self, interval: float) -> None:
        base = _base()
        if base and urlsplit(base).scheme not in ("http", "https"):
            raise UsageError(f"{VARIABLE} is {base!r}; it must be an address such as http://127.0.0.1:8765")
        self.base = base or _EXPORT
        self.search, self.oai = f"{self.base}/api/query", f"{base}/oai2" if base else _OAI
        local = is_loopback(self.base)
        if interval < 3 and not local:
            raise UsageError(
                f"interval is {interval:g} s, but {self.base} is not this machine and arXiv asks for 3 s or more between requests"
            )
        self.session = PoliteSession(Gate(f"loopback-{urlsplit(base).port or 80}" if local else "arxiv", interval))
        self.failed = 0

    def ask_oai(self, **arguments: str) -> ET.Element:
        """The root of an OAI-PMH answer; what is no XML is asked for again. Raises `Unreachable`."""
        url = f"{self.oai}?{urlencode(arguments)}"

        def ask() -> ET.Element:
            reply = self.session.get(url)
            if reply.status_code != 200 and b"<OAI-PMH" not in reply.content[:1000]:
                raise Unreachable(url, f"its OAI-PMH service answers {reply.status_code} {reply.reason}")
            root = xml(reply, "its OAI-PMH service")
            if root.tag.rpartition("}")[2] != "OAI-PMH":
                raise Improper("its OAI-PMH service answers with something else")
            return root

        try:
            return self.session.patiently(ask)
        except Improper as error:
            raise Unreachable(url, str(error)) from error

    def page(self, kind: str, identifier: str) -> str:
        """A web page about a paper, such as its abstract page; empty where arXiv has none."""
        reply = self.session.get(f"{self.base}/{kind}/{identifier}")
        return reply.text if reply.status_code == 200 else ""


def content_address() -> str:
    """The address of the server that gives sources and PDFs."""
    return _base() or _EXPORT


def xml(reply: requests.Response, what: str) -> ET.Element:
    """The root of an answer in XML, without entities and DTD; anything else is `Improper`, said of `what`."""
    try:
        return fromstring(reply.content, forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException, ValueError) as error:
        start = re.sub(r"\s+", " ", reply.text[:60]).strip()
        raise Improper(f"{what} answers {reply.status_code} with something that is no proper XML: {start!r}") from error


def _base() -> str:
    return os.environ.get(VARIABLE, "").strip().rstrip("/")
