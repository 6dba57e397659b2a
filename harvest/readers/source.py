"""A LaTeX source tree in memory, from what arXiv and people hand out: .tex, .tex.gz, .tar, .tar.gz.

Nothing is ever unpacked to a disk, so no name in an archive can lead anywhere; only texts are kept, links and
devices are passed over, and every size is counted while it streams because headers lie.
"""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harvest.readers.extract import UnreadableDocument
from harvest.readers.kind import DESCRIPTIONS, kind_of

MAX_UNPACKED = 400_000_000  # bytes of a decompressed stream: figures of real papers reach 100 MB
MAX_TEXT = 16_000_000  # bytes of one text file
MAX_TEXTS = 48_000_000  # bytes of all text files
MAX_MEMBERS = 20_000
_TEXTS = (".tex", ".ltx", ".latex", ".sty", ".cls", ".cfg", ".bbl", ".bib", ".inc", ".tikz", ".def", ".txt", "")


@dataclass(slots=True)
class SourceTree:
    """Text files by their path inside the tree, and what was passed over."""

    files: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def find(self, name: str, beside: str = "") -> str | None:
        r"""The path that `\input{name}` means, from the folder of the main file or of the file `beside`; None if absent."""
        for folder in dict.fromkeys((posixpath.dirname(beside), "")):
            path = posixpath.normpath(posixpath.join(folder, name.strip().strip('"')))
            for candidate in (path, f"{path}.tex"):
                if candidate in self.files:
                    return candidate
        return None


def read_tree(data: bytes, name: str) -> SourceTree:
    """The source tree in the bytes of a file; `name` is for messages. Raises `UnreadableDocument`."""
    kind = kind_of(data)
    if kind == "gzip":
        data = _gunzip(data, name)
        kind = kind_of(data)
    if kind == "tar":
        return _untar(data, name)
    if kind == "latex":
        return SourceTree({"main.tex": decode(data)})
    raise UnreadableDocument(name, "not-a-document", DESCRIPTIONS[kind])


def tree_of_files(files: Mapping[str, bytes]) -> SourceTree:
    """The source tree of files that are already at hand, by their path inside it: what is no text is left out."""
    tree = SourceTree()
    for path, data in files.items():
        if posixpath.splitext(path)[1].lower() in _TEXTS and len(data) <= MAX_TEXT and b"\x00" not in data[:4096]:
            tree.files[posixpath.normpath(path)] = decode(data)
    return tree


def inner_bytes(data: bytes, name: str) -> bytes:
    """The bytes behind a gzip stream, or the bytes themselves."""
    return _gunzip(data, name) if kind_of(data) == "gzip" else data


def decode(data: bytes) -> str:
    """Text of a LaTeX file: UTF-8, UTF-16 with a mark, GB18030 for Chinese, else Latin-1 as old papers have it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _lines(data.decode("utf-16", "replace"))
    try:
        return _lines(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _lines(_decode_legacy(data))


def _decode_legacy(data: bytes) -> str:
    if re.search(rb"\{(?:GBK|GB|gbk)\}|ctex|CJK|xeCJK", data[:20_000]):
        return data.decode("gb18030", "replace")
    encoding = "cp1252" if re.search(rb"cp1252|ansinew", data[:20_000]) else "latin-1"
    return data.decode(encoding, "replace")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _gunzip(data: bytes, name: str) -> bytes:
    """Decompress one gzip stream, counting as it comes; a stream that stops early is said to be truncated."""
    engine = zlib.decompressobj(wbits=31)
    out = bytearray()
    try:
        for at in range(0, len(data), 1 << 16):
            rest = data[at : at + (1 << 16)]
            while rest and not engine.eof:
                out += engine.decompress(rest, 1 << 20)
                rest = engine.unconsumed_tail
                if len(out) > MAX_UNPACKED:
                    raise UnreadableDocument(name, "too-large", f"its gzip stream unpacks to more than {MAX_UNPACKED // 1_000_000} MB")
            if engine.eof:
                break
    except zlib.error as error:
        raise UnreadableDocument(name, "damaged", f"its gzip stream is damaged ({error})") from error
    if not engine.eof:
        raise UnreadableDocument(name, "truncated", "its gzip stream is cut off")
    return bytes(out)


def _untar(data: bytes, name: str) -> SourceTree:
    tree = SourceTree()
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for path, member in _members(archive, tree, name):
                text = _member_text(archive, member, tree)
                total += len(text)
                if total > MAX_TEXTS:
                    raise UnreadableDocument(name, "too-large", f"its text files exceed {MAX_TEXTS // 1_000_000} MB")
                if text:
                    tree.files[path] = decode(text)
    except (tarfile.TarError, EOFError, OverflowError, ValueError) as error:
        if not tree.files:
            raise UnreadableDocument(name, "damaged", f"its tar archive is damaged ({error})") from error
        tree.warnings.append(f"the tar archive is damaged after {len(tree.files)} text files")
    return tree


def _members(archive: tarfile.TarFile, tree: SourceTree, name: str) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Plain text members with a path inside the tree."""
    outside = links = 0
    for count, member in enumerate(archive):
        if count >= MAX_MEMBERS:
            raise UnreadableDocument(name, "too-large", f"its archive has more than {MAX_MEMBERS} members")
        path = posixpath.normpath(member.name.replace("\\", "/"))
        if path.startswith(("/", "../")) or path == ".." or re.match(r"[A-Za-z]:", path):
            outside += 1
        elif member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
            links += 1
        elif not member.isdir() and posixpath.splitext(path)[1].lower() in _TEXTS:
            yield path, member
    if outside:
        tree.warnings.append(f"{outside} archive members with a path outside the archive were ignored")
    if links:
        tree.warnings.append(f"{links} links, devices or sparse files in the archive were ignored")


def _member_text(archive: tarfile.TarFile, member: tarfile.TarInfo, tree: SourceTree) -> bytes:
    """The bytes of a member; empty for what is too large or no text."""
    if member.size > MAX_TEXT:  # says the header; a stream longer than its header is cut by tarfile itself
        tree.warnings.append(f"{member.name[:80]} was ignored: it is larger than {MAX_TEXT // 1_000_000} MB")
        return b""
    file = archive.extractfile(member)
    data = file.read(MAX_TEXT) if file else b""
    return b"" if b"\x00" in data[:4096] else data
