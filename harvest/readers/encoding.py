"""Bytes of a text file or a web page to characters, whatever they were written with."""

from __future__ import annotations

import codecs
import re

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# Declarations that stand for more than they say, as browsers read them (https://encoding.spec.whatwg.org/#names-and-labels).
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252", "big5": "big5hkscs", "shift_jis": "cp932"}
_GUESSES = ["gb18030", "big5", "cp932", "euc_jp", "cp949", "koi8_r", "cp1251", "cp1253", "cp1252"]
_HIGH = re.compile(rb"[\x80-\xff]+")


def decode_text(data: bytes, declared: str = "") -> str:
    """The characters of `data`: by byte order mark, as UTF-8, as `declared` says, else by what the bytes look like.

    Lines end with a single newline. Bytes that no encoding explains become U+FFFD.
    """
    for mark, encoding in _MARKS.items():  # UTF-32 stands before UTF-16, whose mark is a part of its own
        if data.startswith(mark):
            return _lines(data[len(mark) :].decode(encoding, "replace"))
    try:
        return _lines(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3 and error.reason == "unexpected end of data":  # cut off within the last character
            return _lines(data[: error.start].decode("utf-8"))
    return _lines(data.decode(_known(declared) or _guessed(data), "replace"))


def _known(declared: str) -> str:
    """The codec that a declaration means; empty for none, an unknown one, and UTF-8, which the bytes are not."""
    try:
        name = codecs.lookup(declared.strip()).name if declared else ""
    except LookupError:
        return ""
    return "" if name.startswith("utf") else _WIDER.get(name, name)


def _guessed(data: bytes) -> str:
    """Bytes beyond ASCII stand alone in the languages of western Europe and side by side in the others."""
    from charset_normalizer import from_bytes

    runs = _HIGH.findall(data[:200_000])
    if sum(len(run) == 1 for run in runs) * 2 > len(runs):
        return "cp1252"
    best = from_bytes(data[:200_000], cp_isolation=_GUESSES).best()
    return best.encoding if best else "cp1252"


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
