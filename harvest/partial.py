"""A download under way: its bytes on disk, and beside them which version of the file they are of.

`<name>.part` grows as the bytes arrive and survives a killed process; `<name>.part.json` says of which address and of
which version (a strong ETag, else Last-Modified) they are. The rest is asked for with Range and If-Range (RFC 9110,
13.1.5 and 14.2), so that a file that changed meanwhile comes whole from its beginning.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from harvest.store import load, save

SLOWEST = 900.0  # seconds for one answer
LARGEST = 400_000_000  # bytes of one download
_PIECE = 1 << 16


class Cut(Exception):  # noqa: N818
    """An answer that ended early or dripped for too long; asking again may help."""


class TooLarge(Exception):  # noqa: N818
    """An answer of more bytes than are taken."""


@dataclass(frozen=True, slots=True)
class Version:
    """Which file the bytes are of: its address, its validator (empty: none) and its size in bytes if that was announced."""

    url: str
    validator: str
    total: int | None


class Part:
    """The file `path` while it is being downloaded."""

    def __init__(self, path: Path) -> None:
        self.path, self._note = path, path.with_name(f"{path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self, url: str) -> dict[str, str]:
        """What to send so that only the rest comes; empty where the beginning is not of `url` or cannot be told from another version."""
        if not self.size or not self._note.exists():
            return {}
        version = load(self._note, Version)
        if version.url != url or not version.validator:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": version.validator}

    def take(self, url: str, status: int, headers: Mapping[str, str], raw: Any, largest: int = LARGEST) -> None:
        """Add the body of an answer (200 whole, 206 the rest); on return the file is complete. Raises `Cut`, `TooLarge`."""
        total = self._continued(url, headers) if status == 206 else None
        if total is None:
            if status != 200:
                self.drop()
                raise Cut("the rest of it is not to be had")
            total = self._begun(url, headers)
        if max(total, self.size) > largest:
            raise TooLarge
        with self.path.open("ab", buffering=0) as file:
            for piece in pieces(raw):
                file.write(piece)
                if file.tell() > largest:
                    raise TooLarge
            os.fsync(file.fileno())
            if total >= 0 and file.tell() != total:
                raise Cut(f"{file.tell():,} of {total:,} bytes came")

    def drop(self) -> None:
        """Forget what came."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def keep(self, target: Path) -> None:
        """Give the complete file its name."""
        os.replace(self.path, target)
        self._note.unlink(missing_ok=True)

    def _begun(self, url: str, headers: Mapping[str, str]) -> int:
        announced = headers.get("Content-Length", "")
        total = int(announced) if announced.isdigit() else -1
        self.drop()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        save(self._note, Version(url, validator(headers), total if total >= 0 else None))
        return total

    def _continued(self, url: str, headers: Mapping[str, str]) -> int | None:
        """The size of the whole if the answer continues what is here, else None."""
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range", "").strip())
        if not span or not self._note.exists() or int(span[1]) != self.size:
            return None
        version = load(self._note, Version)
        same = version.url == url and validator(headers) in ("", version.validator) and version.total in (None, int(span[2]))
        return int(span[2]) if same else None


def validator(headers: Mapping[str, str]) -> str:
    """What tells one version of a file from another: a strong ETag, else Last-Modified, else nothing."""
    tag = headers.get("ETag", "").strip()
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "").strip()


def pieces(raw: Any, *, decode: bool = False, slowest: float = SLOWEST) -> Iterator[bytes]:
    """The bytes of a urllib3 answer as they arrive, at most `slowest` seconds long. Raises `Cut` where they end early."""
    end = time.monotonic() + slowest
    try:
        while piece := raw.read1(_PIECE, decode_content=decode):
            yield piece
            if time.monotonic() > end:
                raise Cut(f"it did not come whole within {slowest:.0f} s")
    except urllib3.exceptions.HTTPError as error:
        raise Cut(f"it was cut off ({type(error).__name__})") from error


def whole_body(raw: Any, largest: int, *, decode: bool = True, slowest: float = SLOWEST) -> bytes:
    """The body of a urllib3 answer in memory. Raises `Cut`, and `TooLarge` above `largest` bytes (counted after decompression)."""
    body = bytearray()
    for piece in pieces(raw, decode=decode, slowest=slowest):
        body += piece
        if len(body) > largest:
            raise TooLarge
    return bytes(body)
