"""Addresses as they are asked and as they are shown: http(s), without a password, secrets of the query masked."""

from __future__ import annotations

import re
from urllib.parse import urldefrag, urlsplit, urlunsplit

# Words in the name of a query's field whose value opens a door, as in signed addresses of cloud storage.
_SECRET = re.compile(
    r"(?i)([?&;][^=&;#]{0,60}?(?:token|key|secret|sig|pass|pwd|auth|session|sid|credential|ticket|code|jwt|expires|policy)[^=&;#]{0,60}=)[^&;#]+"
)
_OPAQUE = re.compile(r"=(?=[^&;#]{32,}(?:[&;]|$))[\w.~%+/-]+(?=[&;]|$)")
_LONGEST = 4000


def problem(url: str) -> str:
    """What keeps an address from being asked, as words after its name; empty where nothing does."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not an http or https address"
    if parts.scheme.lower() not in ("http", "https") or not host or re.search(r"[\x00-\x20\x7f]", url) or len(url) > _LONGEST:
        return "is not an http or https address"
    if parts.username is not None or parts.password is not None:
        return "carries a user name or password, which would end up in files; leave it out"
    return ""


def plain(url: str) -> str:
    """The address without its fragment, scheme and host in lower case: what is the same for a server."""
    parts = urlsplit(urldefrag(url.strip()).url)
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", parts.query, ""))


def masked(url: str) -> str:
    """The address as it may stand in files: no user, no password, no tokens and signatures."""
    text = re.sub(r"^([A-Za-z][\w+.-]*:)?//[^/?#]*@", lambda match: f"{match[1] or ''}//", urldefrag(url.strip()).url)
    return _OPAQUE.sub("=***", _SECRET.sub(r"\1***", text))


def shown(url: str) -> str:
    """The address as it may stand in a sentence: masked, and no longer than a person would read."""
    text = masked(url[:_LONGEST])
    return text if len(text) <= 300 else f"{text[:300]}…"
