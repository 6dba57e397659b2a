"""Globs below a folder, as pathlib and shells read them: `*` within a name, `**` over folders, `?`, `[…]`."""

from __future__ import annotations

import re
from functools import lru_cache


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a path below a folder (with /) or one of the folders on it matches a pattern."""
    return any(_compiled(pattern).match(path) for pattern in patterns)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression; a glob that names a folder stands for all that is in it."""
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    out = []
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        if part == "**":
            out.append(".*" if last else "(?:[^/]+/)*")
        else:
            out.append(_name(part) + ("" if last else "/"))
    return re.compile("".join(out) + r"(?:/.*)?\Z", re.DOTALL)


def _name(part: str) -> str:
    """One name of a glob."""
    out, at = "", 0
    while at < len(part):
        sign = part[at]
        end = part.find("]", at + 2) if sign == "[" else -1
        if end > 0:
            inner = part[at + 1 : end].replace("\\", r"\\")
            out += f"[^/{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]"
            at = end
        else:
            out += "[^/]*" if sign == "*" else "[^/]" if sign == "?" else re.escape(sign)
        at += 1
    return out
