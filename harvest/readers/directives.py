"""Directives of MyST, the Markdown of Jupyter books (https://mystmd.org/guide/directives): fences that hold prose, not code."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

_DIRECTIVE = re.compile(r"^\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)$")
_OPTIONS = re.compile(r"\A\s*(?:---\n.*?^---[ \t]*(?:\n|\Z)|(?:[ \t]*:[\w-]+:[^\n]*(?:\n|\Z))+)", re.DOTALL | re.MULTILINE)
_CODE = frozenset(("code", "code-block", "code-cell", "sourcecode", "eval-rst", "literalinclude", "parsed-literal"))
_PICTURES = frozenset(("figure", "figure-md", "image"))
_EMPTY = frozenset(("toctree", "contents", "bibliography", "raw", "include", "index", "tableofcontents", "mermaid", "only"))


def page_of(info: str, content: str, render: Callable[[str], str]) -> str | None:
    """The HTML of a fence with this info and content; None where it is code. `render` makes HTML of Markdown."""
    match = _DIRECTIVE.match(info.strip())
    name = match["name"].lower() if match else info.strip().lower()
    inner = _OPTIONS.sub("", content, count=1).strip() if match else content
    argument = match["argument"].strip() if match else ""
    if name == "math":
        return f'<div class="math block">{escape(f"{argument} {inner}".strip())}</div>\n'
    if match is None or name in _CODE:
        return None
    if name in _EMPTY:
        return ""
    if name in _PICTURES:
        return f"<figure><figcaption>{render(inner)}</figcaption></figure>\n" if inner else ""
    title = escape(argument)
    shown = f"<figcaption>{title}</figcaption>" if "table" in name else f"<lead>{title}</lead>"
    return f"<div>{shown if title else ''}{render(inner)}</div>\n"
