"""What the styles of a page say about an element: inline, in attributes of old, and in its own <style> sheets.

Only what decides whether text can be seen, and whether it is code, is looked at; sheets outside the page are never loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from harvest.readers.markup.parse import Element, words

Rules = dict[str, str]

_MAX_SELECTORS = 400
_MAX_SHEET = 400_000  # characters
PROPERTIES = words(
    "display visibility opacity font-size color background background-color position left top right bottom text-indent clip clip-path "
    "height width max-height max-width overflow transform font-family white-space"
)


class Styles:
    """The declarations that hold for each element of a page."""

    def __init__(self, root: Element) -> None:
        self._found: dict[Element, list[tuple[bool, tuple[int, int, int], int, Rules]]] = {}
        for order, (selector, specificity, rules) in enumerate(_selectors(root)):
            for element in selector(root):
                if isinstance(getattr(element, "tag", None), str):
                    self._found.setdefault(element, []).extend(
                        (bool(important), specificity, order, part) for important, part in enumerate(rules) if part
                    )

    def of(self, element: Element) -> Rules:
        """Property to value: attributes of old give way to sheets, sheets to the element's own style, all to !important."""
        plain, important = declarations(element.get("style") or "")
        found = self._found.get(element, ())
        rules = _from_attributes(element)
        for part in [*sorted((f for f in found if not f[0]), key=_rank), (0, 0, 0, plain), *sorted((f for f in found if f[0]), key=_rank)]:
            rules.update(part[3])
        rules.update(important)
        return rules


def _rank(found: tuple[bool, tuple[int, int, int], int, Rules]) -> tuple[tuple[int, int, int], int]:
    return found[1], found[2]


@lru_cache(maxsize=4096)
def declarations(text: str) -> tuple[Rules, Rules]:
    """The properties that matter in `a: b; c: d !important`: the plain ones and the important ones."""
    parts: tuple[Rules, Rules] = ({}, {})
    if ":" not in text:
        return parts
    import tinycss2

    for item in tinycss2.parse_blocks_contents(text, skip_comments=True, skip_whitespace=True):
        if item.type == "declaration" and item.lower_name in PROPERTIES:
            parts[item.important][item.lower_name] = tinycss2.serialize(item.value).strip().lower()
    return parts


@lru_cache(maxsize=4096)
def colour(text: str) -> tuple[float, float, float, float] | None:
    """Red, green, blue and opacity (0 to 1) of the first colour in a value; None where there is none."""
    import tinycss2
    from tinycss2 import color3

    for token in tinycss2.parse_component_value_list(text, skip_comments=True):
        if token.type in ("ident", "hash", "function") and (found := color3.parse_color(token)) is not None:
            return None if isinstance(found, str) else tuple(found)
    return None


def _from_attributes(element: Element) -> Rules:
    """bgcolor, text and <font color>, as pages had them before there were sheets."""
    rules: Rules = {}
    if element.get("bgcolor"):
        rules["background-color"] = element.get("bgcolor").lower()
    if element.tag == "font" and element.get("color"):
        rules["color"] = element.get("color").lower()
    if element.tag == "body" and element.get("text"):
        rules["color"] = element.get("text").lower()
    return rules


def _selectors(root: Element) -> Iterator[tuple[Any, tuple[int, int, int], tuple[Rules, Rules]]]:
    """Compiled selectors of the page's own sheets with their specificity and declarations."""
    import cssselect
    import tinycss2
    from lxml import etree

    count = 0
    for sheet in root.iter("style"):
        parsed = tinycss2.parse_stylesheet((sheet.text or "")[:_MAX_SHEET], skip_comments=True, skip_whitespace=True)
        for prelude, content in _rules(parsed):
            rules = declarations(content)
            if not any(rules) or count >= _MAX_SELECTORS:
                continue
            try:
                for selector in cssselect.parse(prelude):
                    if selector.pseudo_element:  # ::before and the like are no text of the page
                        continue
                    path = cssselect.HTMLTranslator().selector_to_xpath(selector)
                    count += 1
                    yield etree.XPath(path), selector.specificity(), rules
            except (cssselect.SelectorError, etree.XPathError):  # newer than this translator: it then says nothing
                continue


def _rules(nodes: list[Any], depth: int = 0) -> Iterator[tuple[str, str]]:
    """Selectors and contents of the rules that hold on any screen."""
    import tinycss2

    for node in nodes:
        if node.type == "qualified-rule":
            yield tinycss2.serialize(node.prelude), tinycss2.serialize(node.content)
        elif node.type == "at-rule" and node.lower_at_keyword == "media" and node.content and depth < 3 and _is_any_screen(node.prelude):
            yield from _rules(tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True), depth + 1)


def _is_any_screen(prelude: list[Any]) -> bool:
    import tinycss2

    return re.fullmatch(r"\s*(?:only\s+)?(?:all|screen)?\s*", tinycss2.serialize(prelude)) is not None
