"""Which encoding a text file is in, decided by its lines: one spoilt line does not change what all others say."""

from __future__ import annotations

import codecs
import re
from functools import partial
from itertools import islice
from pathlib import Path

from charset_normalizer import from_bytes

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_TELLING = 400  # lines beyond ASCII are enough to tell
_LONGEST = 2**18  # bytes of a line that are looked at in one piece
_GUESSES = ["gb18030", "big5", "cp932", "euc_jp", "cp949", "koi8_r", "cp1251", "cp1253", "cp1252"]
_HIGH = re.compile(rb"[\x80-\xff]+")


def encoding_of(path: Path) -> str:
    """The name of the codec: by byte order mark, UTF-8 if most lines beyond ASCII are, else what the bytes look like."""
    with path.open("rb") as file:
        start = file.read(4)
        for mark, name in _MARKS.items():
            if start.startswith(mark):
                return name
        file.seek(0)
        lines = iter(partial(file.readline, _LONGEST), b"")
        telling = list(islice((line for line in lines if not line.isascii()), _TELLING))
    if 2 * sum(map(_is_utf8, telling)) >= len(telling):
        return "utf-8"
    return _guessed(b"".join(telling))


def _is_utf8(line: bytes) -> bool:
    """Whether a line, or a piece that may begin and end within a character, is UTF-8."""
    piece = line.lstrip(bytes(range(0x80, 0xC0)))
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(line) == _LONGEST and error.start >= len(piece) - 3 and error.reason == "unexpected end of data"
    return True


def _guessed(data: bytes) -> str:
    """Bytes beyond ASCII stand alone in the languages of western Europe and side by side in the others."""
    runs = [len(run) for run in _HIGH.findall(data)]
    if 2 * runs.count(1) > sum(runs):
        return "cp1252"
    best = from_bytes(data[:200_000], cp_isolation=_GUESSES).best()
    return best.encoding if best else "gb18030"
