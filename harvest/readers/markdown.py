"""Markdown to text: CommonMark with tables, footnotes, formulas between dollars and front matter, by way of the HTML it stands for.

HTML inside a Markdown file is read as on any page, so what is hidden there is found as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harvest.readers.directives import page_of
from harvest.readers.encoding import decode_text
from harvest.readers.extract import Extract, UnreadableDocument
from harvest.readers.finish import finished
from harvest.readers.html import page_flow, take_title
from harvest.readers.markup.parse import html_tree
from harvest.readers.versions import MARKDOWN

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_MAX_FRONT = 20_000  # characters of front matter
_ROLE = re.compile(r"\{[a-z:]+\}(?=`[^`])")  # of MyST, before what it is about
_MAX_DEPTH = 4  # of directives in directives
_DISPLAY = re.compile(
    r"^(?P<code>[ \t]*(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t]*(?P=fence)|\Z))"
    r"|(?<!\\)\$\$(?!\$)(?:[^\n$]|\n(?![ \t]*\n)){1,20000}?\$\$",
    re.MULTILINE | re.DOTALL,
)
_LOOSE = re.compile(r"(?<![\\$\w])\$ +([^$\n]*[\\^_{}=][^$\n]*?) +\$(?![\d$])")  # as notebooks have it; prices have no such signs
_MAX = 24_000_000  # bytes


def read_markdown(data: bytes, name: str) -> Extract:
    """Read the bytes of a Markdown file; raises `UnreadableDocument` where it holds no text."""
    if len(data) > _MAX:
        raise UnreadableDocument(name, "too-large", f"it is a Markdown file of more than {_MAX // 1_000_000} MB")
    source = decode_text(data)
    page, title = _as_html(source)
    if not page.strip():
        raise UnreadableDocument(name, "no-text", "it holds no text")
    flow, hidden, main = page_flow(html_tree(f"<html><body>{page}</body></html>".encode(), name))
    title = take_title(flow, main, said=title) or title
    return finished(flow.blocks, tuple(flow.references), hidden, title, name, MARKDOWN)


def _as_html(source: str) -> tuple[str, str]:
    """The HTML of a Markdown text and the title of its front matter."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.amsmath import amsmath_plugin
    from mdit_py_plugins.deflist import deflist_plugin
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from mdit_py_plugins.footnote import footnote_plugin
    from mdit_py_plugins.front_matter import front_matter_plugin

    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    parser.use(front_matter_plugin).use(footnote_plugin).use(deflist_plugin).use(amsmath_plugin)
    parser.use(dollarmath_plugin, allow_digits=False, allow_space=False, double_inline=True)
    parser.options["maxNesting"] = 60
    return _rendered(parser, _on_one_line(source), 0)


def _rendered(parser: MarkdownIt, source: str, depth: int) -> tuple[str, str]:
    """The HTML of a source whose formulas stand on one line, the directives in it read as well."""
    tokens = parser.parse(source)
    for token in tokens:
        if token.type == "fence" and depth < _MAX_DEPTH:
            shown = page_of(token.info, token.content, lambda inner: _rendered(parser, inner, depth + 1)[0])
            if shown is not None:
                token.type, token.content = "html_block", shown
    front = next((token.content for token in tokens if token.type == "front_matter"), "")
    return parser.renderer.render(tokens, parser.options, {}), _title(front)


def _on_one_line(source: str) -> str:
    """Displayed formulas, each on one line: otherwise their own lines may be read as Markdown."""

    def joined(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        return re.sub(r"(?<!\\)%[^\n]*\n\s*|\s*\n\s*", " ", match[0])

    return _ROLE.sub("", _LOOSE.sub(r"$\1$", _DISPLAY.sub(joined, source)))


def _title(front: str) -> str:
    """The title in front matter (YAML)."""
    if "title" not in front or len(front) > _MAX_FRONT or re.search(r"(?:^|\s)[&*]\w", front):  # aliases can multiply without end
        return ""
    import yaml

    try:
        said: Any = yaml.safe_load(front)
    except yaml.YAMLError:
        return ""
    title = said.get("title") if isinstance(said, dict) else None
    return str(title).strip() if isinstance(title, str | int | float) else ""
