"""Who may ask: on this machine everybody, from elsewhere only those with the key."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import socket

from harvest.store import FieldsmithError, UsageError

KEY_VARIABLE = "FIELDSMITH_API_KEY"
"""Name of the environment variable that is looked into where none is named."""


def key_for(host: str, variable: str = KEY_VARIABLE) -> str | None:
    """The API key from the environment; None only on localhost, where none is needed.

    Errors: `UsageError` where it is needed and not set, and for a key that no header could carry or that a server would read as several.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        if is_local(host):
            return None
        raise UsageError(f"{host} can be reached from other machines, so an API key is required: set {variable}, or serve on 127.0.0.1")
    # llama.cpp's server takes a comma for the end of one key; spaces and other alphabets do not survive an Authorization header.
    if not re.fullmatch(r"[!-+\--~]{8,}", key):
        raise UsageError(f"the API key in {variable} must be at least 8 letters, digits or signs of ASCII, without spaces and commas")
    return key


def is_local(host: str) -> bool:
    """Whether only this machine can reach the host: every address of the name is a loopback one."""
    return all(ipaddress.ip_address(address).is_loopback for address in addresses(host))


def addresses(host: str) -> list[str]:
    """The numeric addresses of a host's name; `UsageError` for a name that nobody knows."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError(
            f"--host {host!r} is no address and no name of this machine: give 127.0.0.1, or 0.0.0.0 for all its addresses"
        ) from error
    return [str(entry[4][0]).partition("%")[0] for entry in found]


def same_key(given: str, key: str) -> bool:
    """Whether the keys are equal, in a time that says nothing about either, not even the length."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, key)]
    return hmac.compare_digest(*digests)


def free_port(host: str, port: int) -> int:
    """The port if it is free on that host, any free one for 0; `FieldsmithError` if it is taken or not ours to take."""
    family = socket.AF_INET6 if ":" in addresses(host)[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was closed a moment ago is free
        try:
            trial.bind((host, port))
        except OSError as error:
            raise FieldsmithError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port, or 0 for any free one"
            ) from error
        return int(trial.getsockname()[1])
