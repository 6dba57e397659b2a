r"""TeX input as a stack of sources: files that are cut into signs as they are read, and lists of signs put back.

Everything costs fuel, so that no input, however recursive its macros, runs for longer than a time linear in its length.
"""

from __future__ import annotations

import re

from harvest.readers.tex.tokens import BARRIER, MARKS, PAR, OutOfFuel, TextFile, next_in_file, tokens_of

_LENGTH = re.compile(
    r"\s*=?\s*[-+]?\s*(?:\d+\.?\d*|\.\d+)\s*(?:true)?\s*(?:pt|cm|mm|in|em|ex|pc|bp|sp|dd|cc|mu)?(?:\s*(?:plus|minus)\s*[\d.]+\s*(?:pt|cm|mm|in|em|ex|fil+)?)*\s?"
)
_LONGEST_OPTION = 1500  # tokens: more is an opening sign that never closes
_SPACE_AFTER_WORD = re.compile(r"[ \t]*(?:\n[ \t]*(?=\S))?")


class Input:
    """The stack from which the interpreter takes its next sign."""

    def __init__(self, text: str, path: str) -> None:
        self._stack: list[TextFile | list[str]] = []
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
        self._stack.append(TextFile(text.translate(MARKS), path))

    def push(self, tokens: list[str]) -> None:
        """Read these tokens next."""
        self.fuel -= len(tokens)
        self._stack.append(tokens[::-1])

    def back(self, sign: str) -> None:
        """Put one sign back."""
        top = self._stack[-1] if self._stack else None
        if isinstance(top, list):
            top.append(sign)
        elif isinstance(top, TextFile) and top.text.endswith(sign, 0, top.at):
            top.at -= len(sign)  # so that what reads characters (\verb, \url) finds them
        else:
            self._stack.append([sign])

    def control_name(self) -> str:
        r"""The name of the control sequence that comes next, braces or `\csname` around it; empty if none comes."""
        sign = self.next_solid()
        while sign == "\\expandafter":
            sign = self.next_solid()
        if sign == "{":
            inside = self.group()
            first = next((part for part in inside if part[0] == "\\" and part is not PAR), "")
            named = "".join(inside).partition("\\csname")[2].partition("\\endcsname")[0].strip()
            return named if first == "\\csname" else first[1:]
        if sign == "\\csname":
            return self.until_endcsname()
        if sign is None or sign[0] != "\\" or sign is PAR:
            if sign is not None:
                self.back(sign)
            return ""
        return sign[1:]

    def until_endcsname(self) -> str:
        r"""The name between `\csname` and `\endcsname`."""
        name = ""
        while (sign := self.next()) is not None and sign not in ("\\endcsname", BARRIER, PAR) and len(name) < 200:
            name += sign
        if sign is BARRIER or sign is PAR:
            self.back(sign)
        return name.strip()

    def skip_match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Skip what matches right here, when a file is being read."""
        while self._stack and self._stack[-1] == []:
            self._stack.pop()
        top = self._stack[-1] if self._stack else None
        match = pattern.match(top.text, top.at) if isinstance(top, TextFile) else None
        if match and isinstance(top, TextFile):
            top.at = match.end()
        return match

    def follows(self, sign: str) -> bool:
        """Whether this sign comes right here, without a space before it."""
        top = self._stack[-1] if self._stack else None
        if isinstance(top, TextFile):
            return top.text.startswith(sign, top.at)
        return bool(top) and top is not None and top[-1] == sign

    def follows_letter(self) -> bool:
        """Whether a letter comes right here."""
        top = self._stack[-1] if self._stack else None
        text = top.text[top.at : top.at + 1] if isinstance(top, TextFile) else top[-1] if top else ""
        return text[:1].isalpha()

    def skip_space(self) -> None:
        """Skip the space behind a control word, as TeX does (not in formulas, which are kept as they are written)."""
        top = self._stack[-1] if self._stack else None
        if isinstance(top, TextFile):
            match = _SPACE_AFTER_WORD.match(top.text, top.at)
            top.at = match.end() if match else top.at
        elif top and top[-1] == " ":
            top.pop()

    def peek(self) -> str | None:
        """The next sign, which stays; None at the end."""
        sign = self.next()
        if sign is not None:
            self.back(sign)
        return sign

    @property
    def open_files(self) -> list[str]:
        """The files that are being read, the main one first."""
        return [source.path for source in self._stack if isinstance(source, TextFile)]

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
            sign = (top.pop() if top else None) if isinstance(top, list) else next_in_file(top)
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
        """Forget all tokens that were put back."""
        self._stack = [source for source in self._stack if isinstance(source, TextFile)]

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
        sign = self.next()
        if sign == " ":
            sign = self.next_solid()
            if sign is not None and not sign.startswith(opening):
                self.back(sign)
                sign = " "
        if sign is None or not sign.startswith(opening):
            if sign is not None:
                self.back(sign)
            return None
        rest = sign[len(opening) :]
        if rest:
            self.back(rest)
        found: list[str] = []
        depth = 0
        while (sign := self.next()) is not None and sign is not BARRIER and sign is not PAR and len(found) < _LONGEST_OPTION:
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
        if isinstance(top, TextFile):  # nothing is put back, so that \verb finds its sign
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
            self.push(tokens_of(rest))

    # ---- raw text

    def raw_until(self, ending: str) -> str | None:
        """The raw text up to `ending`, which is consumed, when a file is being read; None otherwise or if it never ends."""
        while self._stack and self._stack[-1] == []:
            self._stack.pop()
        top = self._stack[-1] if self._stack else None
        if not isinstance(top, TextFile) or ending in top.unfinished:
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
        if isinstance(top, TextFile) and top.at < len(top.text):
            top.at += 1
            return top.text[top.at - 1]
        return ""
