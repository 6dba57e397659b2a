"""Members of a zip archive, read in memory only, with every size counted while it streams: headers lie.

Nothing is ever written to a disk, so no name in an archive can lead anywhere.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from dataclasses import dataclass, field

from harvest.readers.extract import UnreadableDocument

MAX_MEMBERS = 20_000
MAX_MEMBER = 48_000_000  # bytes of one part
MAX_READ = 160_000_000  # bytes of all parts that are read


@dataclass(slots=True)
class Archive:
    """An open zip archive: its members by normal path, and how many bytes may still be read."""

    name: str
    file: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo] = field(default_factory=dict)
    left: int = MAX_READ

    def read(self, path: str) -> bytes | None:
        """The bytes of a member; None where there is none. Raises `UnreadableDocument` for bombs, damage and passwords."""
        member = self.members.get(posixpath.normpath(path))
        if member is None:
            return None
        if member.flag_bits & 1:
            raise UnreadableDocument(self.name, "encrypted", "it is protected by a password")
        try:
            with self.file.open(member) as stream:
                data = stream.read(min(MAX_MEMBER, self.left) + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise UnreadableDocument(self.name, "damaged", f"its part {path[:80]} cannot be unpacked ({error})") from error
        self.left -= len(data)
        if len(data) > MAX_MEMBER or self.left < 0:
            raise UnreadableDocument(self.name, "too-large", f"its parts unpack to more than {MAX_MEMBER // 1_000_000} MB")
        return data

    def need(self, path: str) -> bytes:
        """The bytes of a member without which there is no document."""
        data = self.read(path)
        if data is None:
            raise UnreadableDocument(self.name, "damaged", f"it lacks its part {path[:80]}")
        return data


def open_zip(data: bytes, name: str) -> Archive:
    """Open the bytes of a zip archive; raises `UnreadableDocument`. Members with a path outside the archive do not exist."""
    try:
        archive = Archive(name, zipfile.ZipFile(io.BytesIO(data)))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        cut = b"PK\x05\x06" not in data[-70_000:]
        said = "it is cut off" if cut else f"its zip archive is damaged ({error})"
        raise UnreadableDocument(name, "truncated" if cut else "damaged", said) from error
    if len(archive.file.infolist()) > MAX_MEMBERS:
        raise UnreadableDocument(name, "too-large", f"its archive has more than {MAX_MEMBERS} members")
    for member in archive.file.infolist():
        path = posixpath.normpath(member.filename.replace("\\", "/"))
        if not member.is_dir() and not path.startswith(("/", "../")) and ":" not in path[:2]:
            archive.members.setdefault(path, member)
    return archive
