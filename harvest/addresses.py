"""Which addresses may be connected to: public ones only, and the very address that was looked at.

A name is resolved once; the connection goes to one of the addresses that were judged, so that a second answer of the
name server (DNS rebinding) changes nothing. What a host is written like (decimal, octal, full-width digits, an IPv4
address inside an IPv6 one) does not matter either, since the resolved address is judged and not the text.
Ranges: https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry (RFC 6890).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

# Special ranges that the tables of Python 3.11 call global.
_SPECIAL = tuple(ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "2002::/16", "2001::/23", "2001:db8::/32", "3fff::/20"))
_UNICAST6 = ip_network("2000::/3")  # the only IPv6 range that is given out to anyone
_NAT64 = ip_network("64:ff9b::/96")  # an IPv4 address as an IPv6-only network writes it (RFC 6052)


class Forbidden(Exception):  # noqa: N818
    """A host that has no public address: its name and one of its addresses."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host} is at {address}, which is no public address")
        self.host, self.address = host, address


def is_public(address: str) -> bool:
    """Whether an IPv4 or IPv6 address (text, as a name server gives it) is one of the open Internet."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or (IPv4Address(found.packed[-4:]) if found in _NAT64 else None)
        if inner is not None:
            found = inner
        elif found not in _UNICAST6:
            return False
    special = found.is_multicast or found.is_reserved or any(found in net for net in _SPECIAL)
    return found.is_global and not special


def plain_host(host: str) -> str:
    """A host as it is compared: lower case, without brackets and final dot."""
    return host.strip().strip("[]").rstrip(".").lower()


class Guard:
    """What the connections of one download keep to: hosts that may be private, and `left` seconds over all of them."""

    def __init__(self, allowed: Collection[str], seconds: float) -> None:
        self.allowed = {plain_host(host) for host in allowed}
        self.left = seconds
        self.expired = False
        self._watched: list[socket.socket] = []

    def pool(self, scheme: str, host: str, port: int | None, **settings: Any) -> urllib3.HTTPConnectionPool:
        """A pool of connections to one host, each made by this guard; proxies of the environment play no part."""
        kind = _SecurePool if scheme == "https" else _PlainPool
        return kind(host, port, guard=self, **settings)

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Count the seconds spent inside; when none are left, whatever hangs on a connection is torn off.

        Time-outs of a socket bound the wait for the next byte only: a server that sends one byte a minute would
        never run into them.
        """
        start = time.monotonic()
        alarm = threading.Timer(max(0.0, self.left), self._cut)
        alarm.daemon = True
        alarm.start()
        try:
            yield
        finally:
            alarm.cancel()
            self.left -= time.monotonic() - start
            while self._watched:
                self._watched.pop().close()

    def connect(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """A connection to a host that may be connected to. Raises `Forbidden` and the errors of sockets."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
        open_ = [address for address in addresses if plain_host(host) in self.allowed or is_public(address)]
        if not open_:
            raise Forbidden(host, addresses[0])
        if self.expired:
            raise TimeoutError
        made = _first(open_, port, timeout)
        self._watched.append(made.dup())  # TLS takes the socket itself over
        return made

    def _cut(self) -> None:
        self.expired = True
        for connection in list(self._watched):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # closed by the other side meanwhile
                continue


def _first(addresses: list[str], port: int, timeout: float | None) -> socket.socket:
    """The first of the addresses that answers; the error of the last where none does."""
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), timeout)


class _Plain(HTTPConnection):
    def __init__(self, *arguments: Any, guard: Guard, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.guard = guard

    def _new_conn(self) -> socket.socket:
        """Where urllib3 makes its sockets; the errors are those that it raises itself."""
        wait = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            return self.guard.connect(self._dns_host, self.port, wait)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from error
        except (OSError, UnicodeError) as error:  # the latter for a name that no host can have
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error


class _Secure(_Plain, HTTPSConnection):
    """The same under TLS: certificate and SNI are those of the host's name, whatever address was connected to."""


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure
