r"""Conditions of TeX: the operands of \if..., and what can be told of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from harvest.readers.tex.definitions import number_in
from harvest.readers.tex.tokens import BARRIER, PAR

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Interpreter

Test = Callable[["Interpreter"], bool | None]
_RELATION = re.compile(r"\s*(?P<left>[^<>=]{1,60}?)\s*(?P<relation>[<>=])\s*(?P<right>-?\d{1,9}|\\value\{\w+\}|\\\w+)\s*$")


# ---- the operands of \if...


def _same(reader: Interpreter) -> bool | None:
    r"""\ifx\a\b: whether two macros stand for the same, as far as the document says so itself."""
    first, second = reader.source.next_solid(), reader.source.next_solid()
    if first is None or second is None or first is BARRIER or second is BARRIER:
        if second is not None:
            reader.source.back(second)
        return None
    if first == second:
        return True
    bodies = [_body(reader, sign) for sign in (first, second)]
    if "\\undefined" in (first, second) or "\\@undefined" in (first, second):
        known = second if first.endswith("undefined") else first
        return known[1:] not in reader.macros.commands and known[1:] not in reader.commands
    if bodies[0] is not None and bodies[1] is not None:
        return bodies[0] == bodies[1]
    return False if None not in (first, second) and "\\relax" not in (first, second) and any(b is not None for b in bodies) else None


def _body(reader: Interpreter, sign: str) -> tuple[str, ...] | None:
    if sign in ("\\empty", "\\@empty"):
        return ()
    if sign[0] != "\\":
        return (sign,)
    macro = reader.macros.commands.get(sign[1:])
    return macro.body if macro and not macro.parameters else None


def _characters(reader: Interpreter) -> bool | None:
    r"""\if ab: two signs after expansion, which can only be told of plain ones."""
    run = reader.source.next_solid()
    if run is None or run is BARRIER or run[0] in "\\{}":
        if run is not None and run is not BARRIER and run != "}":
            reader.source.next_solid()
            return None
        if run is not None:
            reader.source.back(run)
        return None
    if len(run) >= 2:
        if run[2:]:
            reader.source.back(run[2:])
        return run[0] == run[1]
    second = reader.source.next_solid()
    return second == run if second is not None and second[0] not in "\\{}" else None


def _numbers(reader: Interpreter) -> bool | None:
    r"""\ifnum\value{x}>3."""
    taken = ""
    for _ in range(24):
        sign = reader.source.next()
        if sign is None or sign in (BARRIER, PAR, "$"):
            if sign is not None:
                reader.source.back(sign)
            break
        ready = _RELATION.match(taken)
        if ready and (sign == " " or sign[0] == "\\" or (sign[0] == "{" and not taken.endswith("\\value"))):
            if sign not in (" ", "\\relax"):
                reader.source.back(sign)
            break
        taken += sign
    match = re.match(r"(.*?)([<>=])\s*(-?\d{1,9}|\\value\{\w+\}|\\\w+)(.*)$", taken, re.DOTALL)
    if not match:
        return None
    if match[4]:
        reader.source.back(match[4])
    left, right = number_in(reader, [match[1]]), number_in(reader, [match[3]])
    if left is None or right is None:
        return None
    return left < right if match[2] == "<" else left > right if match[2] == ">" else left == right


def _odd(reader: Interpreter) -> bool | None:
    reader.source.skip_match(re.compile(r"\\(?:c@page|value\s*\{\w+\}|thepage)|\d+\s?"))
    return None


def _defined(reader: Interpreter) -> bool | None:
    name = reader.source.control_name()
    return name in reader.macros.commands or name in reader.commands


def _named(reader: Interpreter) -> bool | None:
    name = reader.source.until_endcsname()
    return name in reader.macros.commands or name in reader.commands


def _case(reader: Interpreter) -> bool | None:
    r"""\ifcase n a\or b\or c\else d\fi."""
    match = reader.source.skip_match(re.compile(r"\s*(?:\\value\s*\{(\w+)\}|\\c@(\w+)|(\d+))\s?"))
    if match is None:
        reader.source.next_solid()
    value = int(match[3]) if match and match[3] else reader.counters.values.get(match[1] or match[2], 0) if match else 0
    for _ in range(min(max(value, 0), 200)):
        if reader.skip_branch(to_or=True) != "or":
            return None  # the \else branch is being read, or all is over
    return None


def _dimensions(reader: Interpreter) -> bool | None:
    reader.source.skip_match(re.compile(r"[^<>=\n]{0,60}[<>=]\s*(?:-?[\d.]*\s*(?:pt|cm|mm|em|ex|in|\\[A-Za-z@]+))\s?"))
    return None


def _token(reader: Interpreter) -> bool | None:
    reader.source.skip_match(re.compile(r"\s*(?:\d+|\\[A-Za-z@]+)\s?"))
    return None


TESTS: dict[str, Test] = {
    "iftrue": lambda reader: True,
    "iffalse": lambda reader: False,
    "ifx": _same,
    "if": _characters,
    "ifcat": _characters,
    "ifnum": _numbers,
    "ifdim": _dimensions,
    "ifodd": _odd,
    "ifdefined": _defined,
    "ifcsname": _named,
    "ifcase": _case,
    "ifvoid": _token,
    "ifhbox": _token,
    "ifvbox": _token,
    "ifeof": _token,
    "ifmmode": lambda reader: reader.in_math,
    "ifpdf": lambda reader: True,
    "ifPDFTeX": lambda reader: True,
    **dict.fromkeys(("ifxetex", "ifluatex", "ifXeTeX", "ifLuaTeX", "iftutex", "ifTUTeX", "ifvtex"), lambda reader: False),
    **dict.fromkeys(("if@twocolumn", "if@tempswa", "if@restonecol", "if@compatibility"), lambda reader: False),
}
