r"""One way to write each sign: what LaTeX, a PDF and a person write differently and mean alike.

`pieces` walks through a text and says for each piece how it reads in plain letters and where it stands, so that a
comparison of plain texts can be walked back to the characters of the original; `plain` is the text so read.
`$10^{-6}$`, `10⁻⁶` and `10^-6` become `10^-6`; `\SI{7}{\tera\electronvolt}` becomes `7 TeV`; `$\alpha_c$`, `α_c` and
`α_{c}` become `α_c`; ligatures, accents, dashes, quotation marks and invisible characters have one form or none.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_TABLES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("signs.toml").read_text(encoding="utf-8"))
_COMMANDS: dict[str, str] = _TABLES["commands"] | {name: name for name in _TABLES["functions"]["names"].split()}
_SILENT = frozenset(_TABLES["silent"]["names"].split())
_SI: dict[str, str] = _TABLES["siunitx"]["prefixes"] | _TABLES["siunitx"]["units"]

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－"), "-")
_QUOTES = dict.fromkeys(map(ord, "‘’‚‛′`´＇"), "'") | dict.fromkeys(map(ord, "“”„‟″«»＂"), '"')
_ALIKE = dict.fromkeys(map(ord, "≃≅"), "≈") | {ord("∼"): "~", ord("∙"): "·", ord("⋅"): "·", ord("∗"): "*", ord("⟨"): "<", ord("⟩"): ">"}
_SIGNS = _DASHES | _QUOTES | _ALIKE
_KEPT_MARK = "\u0338"  # the stroke of ≠: without it, "is not" becomes "is"

_SPECIAL = re.compile(
    r"(?P<broken>(?<=[^\W\d_])(?:[-‐\u00ad]|-[ \t])[ \t]*\n\s*(?=[^\W\d_])|\u00ad)"
    r"|(?P<si>\\(?:SI|qty|SIrange|qtyrange|num|si|unit|ang)(?:\[[^\]]*\])?\{[^{}]*\}(?:\{[^{}]*\})?(?:\{[^{}]*\})?)"
    r"|(?P<degree>\^\s*\{?\\circ(?![a-zA-Z])\}?|\\degree(?![a-zA-Z]))"
    r"|(?P<environment>\\(?:begin|end)\{[a-zA-Z*]+\}(?:\{[lcr| ]+\})?)"
    r"|(?P<tag>\\(?:tag|label)\{[^{}]*\})"
    r"|(?P<command>\\[a-zA-Z]+\*?)"
    r"|(?P<accent>\\[\"'`^~=.](?=\{?[a-zA-Z]))"
    r"|(?P<escape>\\[\\,;:! %&_#${}()\[\]|-]?)"
    r"|(?P<latex_quotes>``|'')"
    r"|(?P<dashes>-{2,3})"
    r"|(?P<thousands>(?<=\d)(?:,|\{,\}|[\u2009\u202f])(?=\d{3}(?!\d)))"
    r"|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ]+)"
    r"|(?P<word>[A-Za-z0-9.;()/=<>?!]+)"
    r"|(?P<space>\s+)"
    r"|(?P<other>.)",
    re.S,
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{")
_LONGEST_NUMERATOR = 200
_THIN_THOUSANDS = re.compile(r"(?<=\d)(?:\\,|~|\\ )(?=\d{3}(?!\d))")


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `text[start:end]` and how they read; a `word` stands letter for letter."""

    start: int
    end: int
    plain: str
    word: bool = False


def pieces(text: str) -> Iterator[Piece]:
    """The text from left to right; what has no reading (invisible signs, `$`, braces, commands of style) is left out."""
    thin = {found.start(): found.end() for found in _THIN_THOUSANDS.finditer(text)}
    bars, done = _fraction_bars(text), 0
    for found in _SPECIAL.finditer(text):
        start, end = found.span()
        if start < done:
            continue
        if start in thin:
            done = thin[start]
            continue
        kind = found.lastgroup or "other"
        done = end
        if kind == "word":
            yield Piece(start, end, found[0], word=True)
        elif read := "/" if start in bars else _read(kind, found[0]):
            yield Piece(start, end, read)


def _fraction_bars(text: str) -> frozenset[int]:
    r"""Where the `}` stands that ends the numerator of a `\frac`."""
    return frozenset(
        end for found in _FRACTION.finditer(text) if (end := _closing(text, found.end())) is not None and text[end + 1 : end + 2] == "{"
    )


def _closing(text: str, start: int) -> int | None:
    """The brace that closes what was opened before `start`, if it is near."""
    depth = 1
    for at in range(start, min(len(text), start + _LONGEST_NUMERATOR)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return None


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """The text as it reads: words and spaces stay, typography and LaTeX are gone."""
    read = re.sub(r"[ \t\n]+", " ", "".join(piece.plain for piece in pieces(text)))
    return re.sub(r"(?:(?<=\d)\s)?\^\s?(?:\(([-+]?\d+)\)|(?=[-+]?\d))", r"^\1", read).strip()


def _read(kind: str, written: str) -> str:
    if kind in ("broken", "thousands", "environment", "tag", "accent"):
        return ""
    if kind == "si":
        return _siunitx(written)
    if kind == "degree":
        return "°"
    if kind == "command":
        return _command(written[1:].rstrip("*"))
    if kind == "escape":
        return _escape(written[1:])
    if kind == "raised":
        return "^" + unicodedata.normalize("NFKC", written).translate(_DASHES)
    return {"latex_quotes": '"', "dashes": "-", "space": " "}.get(kind) or _letter(written)


def _command(name: str) -> str:
    return "" if name in _SILENT else _COMMANDS.get(name, name)


def _escape(sign: str) -> str:
    return sign if sign in "%&_#$" else " " if sign in (",", ";", ":", " ", "\\") else ""


@lru_cache(maxsize=65536)
def _letter(letter: str) -> str:
    if letter in "${}":
        return ""
    if letter == "~":
        return " "
    if letter in "Å\u212b":
        return "Å"  # the unit; without its ring it is an ampere
    if "①" <= letter <= "⑳":
        return f"({ord(letter) - ord('①') + 1}) "  # the marker of a list, no digit
    read = unicodedata.normalize("NFKD", letter.translate(_SIGNS)).translate(_SIGNS)
    return "".join(c for c in read if c == _KEPT_MARK or unicodedata.category(c) not in ("Cf", "Cc", "Mn", "Co"))


# ---- siunitx


def _siunitx(written: str) -> str:
    r"""`\SI{7}{\tera\electronvolt}` as `7 TeV`."""
    name = re.match(r"\\([a-zA-Z]+)", written)
    arguments = re.findall(r"\{([^{}]*)\}", written)
    if not name or not arguments:
        return ""
    if name[1] in ("si", "unit"):
        return _si_unit(arguments[0])
    if name[1] == "ang":
        return f"{arguments[0]}°"
    numbers = "-".join(map(_si_number, arguments[:-1] if name[1] != "num" else arguments[:1]))
    return f"{numbers} {_si_unit(arguments[-1])}" if name[1] != "num" else numbers


def _si_number(number: str) -> str:
    number = number.replace("+-", "±").replace(r"\pm", "±")
    return re.sub(r"^([-+]?[\d.,]*\d)?\s*[eE]\s*([-+]?\d+)$", lambda m: f"{m[1]} × 10^{m[2]}" if m[1] else f"10^{m[2]}", number.strip())


def _si_unit(unit: str) -> str:
    if "\\" not in unit:
        return unit.replace(".", " ").replace("~", " ")
    read, over = "", False
    for name in re.findall(r"\\([a-zA-Z]+)", unit):
        if name == "per":
            over = True
        elif name in ("squared", "cubed"):
            read = read.rstrip() + ("^2 " if name == "squared" else "^3 ")
        else:
            sign = _SI.get(name, name)
            prefix = name in _TABLES["siunitx"]["prefixes"]
            read = (read.rstrip() + "/" if over else read) + sign + ("" if prefix else " ")
            over = False
    return read.strip()
