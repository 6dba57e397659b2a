r"""TeX input as a stack of sources: files that are cut into tokens as they are read, and lists of tokens put back.

A sign is a plain string: a control sequence (`\name`, `\,`), one of the special signs, a run of other
characters, one space, or one of the two constants below. Everything costs fuel, so that no input, however
recursive its macros, runs for longer than a time linear in its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

PAR = "\\par"
BARRIER = "\x00barrier"  # cannot come out of a text: NUL is taken out of every text

_TOKEN = re.compile(
    r"(?P<par>(?:%[^\n]*\n[ \t]*|[ \t]*\n[ \t]*)\n\s*)"
    r"|(?P<comment>%[^\n]*(?:\n[ \t]*|$))"
    r"|(?P<space>\s+)"
    r"|(?P<control>\\(?:[A-Za-z@]+|.|\Z))"
    r"|\$\$?|[{}&~^_\[\]]|\#+[0-9]?"
    r"|[^\\{}$&~^_\[\]%#\s]+",
    re.DOTALL,
)
_MARKS = str.maketrans("", "", "\x00\ue000\ue001")


class OutOfFuel(Exception):  # noqa: N818
    """The input asked for more work than its length can explain."""


@dataclass(slots=True)
class _File:
    text: str
    path: str
    at: int = 0
    unfinished: set[str] = field(default_factory=set)


class Input:
    """The stack from which the interpreter takes its next sign."""

    def __init__(self, text: str, path: str) -> None:
        self._stack: list[_File | list[str]] = []
        self._paid: set[str] = set()
        self.fuel = 1_000_000
        self.push_file(text, path)

    def push_file(self, text: str, path: str) -> None:
        """Read this text next, then go on where we were; its length is paid into the fuel, once for each path."""
        if path not in self._paid:
            self._paid.add(path)
            self.fuel += 8 * len(text)
        else:
            self.fuel -= 200 + len(text) // 10
        self._stack.append(_File(text.translate(_MARKS), path))

    def push(self, tokens: list[str]) -> None:
        """Read these tokens next."""
        self.fuel -= len(tokens)
        self._stack.append(tokens[::-1])

    def back(self, sign: str) -> None:
        """Put one sign back."""
        top = self._stack[-1] if self._stack else None
        if isinstance(top, list):
            top.append(sign)
        else:
            self._stack.append([sign])

    @property
    def open_files(self) -> list[str]:
        """The files that are being read, the main one first."""
        return [source.path for source in self._stack if isinstance(source, _File)]

    @property
    def path(self) -> str:
        """The file being read."""
        files = self.open_files
        return files[-1] if files else ""

    def next(self) -> str | None:
        """The next sign; None at the end of all input."""
        self.fuel -= 1
        if self.fuel < 0:
            raise OutOfFuel
        while self._stack:
            top = self._stack[-1]
            sign = (top.pop() if top else None) if isinstance(top, list) else _from_file(top)
            if sign is not None:
                return sign
            self._stack.pop()
        return None

    def next_solid(self) -> str | None:
        """The next sign that is no space."""
        sign = self.next()
        while sign == " ":
            sign = self.next()
        return sign

    def end_file(self) -> bool:
        r"""Leave the file being read (`\endinput`); False if it was the main one."""
        while self._stack and isinstance(self._stack[-1], list):
            self._stack.pop()
        if self._stack:
            self._stack.pop()
        return bool(self._stack)

    def drop_lists(self) -> None:
        """Forget all tokens that were put back, except barriers."""
        self._stack = [source for source in self._stack if isinstance(source, _File) or source == [BARRIER]]

    # ---- arguments

    def argument(self) -> list[str]:
        """The tokens of a mandatory argument without its braces: a group or one sign."""
        sign = self.next_solid()
        if sign == "{":
            return self.group()
        if sign is None or sign in (BARRIER, PAR, "}", "$", "$$"):
            if sign is not None:
                self.back(sign)
            return []
        if sign[0] != "\\" and len(sign) > 1:  # TeX takes one character
            self.back(sign[1:])
            sign = sign[0]
        return [sign]

    def group(self) -> list[str]:
        """The tokens up to the brace that closes the group just opened; a group that never closes ends with its paragraph."""
        found: list[str] = []
        depth = 1
        while (sign := self.next()) is not None and sign is not BARRIER:
            if sign == "{":
                depth += 1
            elif sign == "}":
                depth -= 1
                if not depth:
                    return found
            found.append(sign)
        if sign is not None:
            self.back(sign)
        end = found.index(PAR) if PAR in found else min(len(found), 200)
        self.push(found[end:])
        return found[:end]

    def option(self) -> list[str] | None:
        """The tokens of an optional argument `[...]`; None if there is none."""
        return self.delimited("[", "]")

    def delimited(self, opening: str, closing: str) -> list[str] | None:
        """The tokens between two signs, braces respected; None, with nothing consumed, if it does not open or close."""
        sign = self.next_solid()
        if sign is None or not sign.startswith(opening):
            if sign is not None:
                self.back(sign)
            return None
        rest = sign[len(opening) :]
        if rest:
            self.back(rest)
        found: list[str] = []
        depth = 0
        while (sign := self.next()) is not None and sign is not BARRIER and sign is not PAR and len(found) < 5000:
            depth += (sign == "{") - (sign == "}")
            if depth < 0:
                break
            if depth == 0 and closing in sign and sign[0] != "\\":
                before, _, after = sign.partition(closing)
                if after:
                    self.back(after)
                return [*found, before] if before else found
            found.append(sign)
        if sign is not None:
            self.back(sign)
        self.push([opening, *found])
        return None

    def star(self) -> bool:
        """Whether a star follows; it is consumed."""
        top = self._stack[-1] if self._stack else None
        if isinstance(top, _File):  # nothing is put back, so that \verb finds its sign
            found = top.text.startswith("*", top.at)
            top.at += found
            return found
        sign = self.next()
        if sign is None:
            return False
        if not sign.startswith("*"):
            self.back(sign)
            return False
        if len(sign) > 1:
            self.back(sign[1:])
        return True

    def assignment(self) -> None:
        r"""Consume what follows a length register in plain TeX: `=3pt plus 1pt`, `-2em`, `\textwidth`."""
        taken: list[str] = []
        while len(taken) < 12 and (sign := self.next()) is not None:
            if sign is BARRIER or sign[0] in "\\{}$&[]" or sign is PAR:
                self.back(sign)
                break
            taken.append(sign)
        text = "".join(taken)
        match = _LENGTH.match(text)
        rest = text[match.end() :] if match else text
        if rest:
            self.push(_TOKEN_LIST(rest))

    # ---- raw text

    def raw_until(self, ending: str) -> str | None:
        """The raw text up to `ending`, which is consumed, when a file is being read; None otherwise or if it never ends."""
        while self._stack and self._stack[-1] == []:
            self._stack.pop()
        top = self._stack[-1] if self._stack else None
        if not isinstance(top, _File) or ending in top.unfinished:
            return None
        end = top.text.find(ending, top.at)
        if end < 0:
            top.unfinished.add(ending)
            return None
        start, top.at = top.at, end + len(ending)
        return top.text[start:end]

    def raw_sign(self) -> str:
        r"""The next raw character (for `\verb`)."""
        top = self._stack[-1] if self._stack else None
        if isinstance(top, _File) and top.at < len(top.text):
            top.at += 1
            return top.text[top.at - 1]
        return ""


_LENGTH = re.compile(
    r"\s*=?\s*[-+]?\s*(?:\d+\.?\d*|\.\d+)\s*(?:true)?\s*(?:pt|cm|mm|in|em|ex|pc|bp|sp|dd|cc|mu)?(?:\s*(?:plus|minus)\s*[\d.]+\s*(?:pt|cm|mm|in|em|ex|fil+)?)*\s?"
)


def tokens_of(text: str) -> list[str]:
    """All tokens of a text."""
    return [sign for sign in map(_token, _TOKEN.finditer(text.translate(_MARKS))) if sign]


_TOKEN_LIST = tokens_of


def _from_file(file: _File) -> str | None:
    while match := _TOKEN.match(file.text, file.at):
        file.at = match.end()
        sign = _token(match)
        if sign:
            return sign
    return None


def _token(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind is None:
        return match[0]
    if kind == "par":
        return PAR
    if kind == "space":
        return PAR if match[0].count("\n") > 1 else " "
    if kind == "comment":
        return ""
    return "\\ " if match[0] in ("\\\n", "\\\t", "\\") else match[0]
