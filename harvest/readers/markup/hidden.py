"""Text of a page that a person does not see: it is taken out and listed, for it is how pages talk to language models."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from harvest.readers.markup.parse import LINE_END, Element, remove, text_of
from harvest.readers.markup.style import Rules, Styles, colour
from harvest.records import HiddenText

_TINY = 3.0  # CSS pixels; below this nobody reads
_CONTRAST = 0.08  # of 1, in the channel that differs most
_AWAY = 900.0  # pixels to the left of or above the page
_MAX_LISTED = 200
_MAX_TEXT = 2000  # characters
_LENGTH = re.compile(r"(-?\d*\.?\d+)\s*(px|pt|em|rem|%|ex|vw|vh|cm|mm|in)?")
_PIXELS = {"px": 1.0, "pt": 4 / 3, "rem": 16.0, "cm": 37.8, "mm": 3.78, "in": 96.0, "vw": 12.0, "vh": 8.0, "": 1.0}
_NAMED_SIZES = {"xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0, "x-large": 24.0, "xx-large": 32.0}
_MONOSPACED = re.compile(r"monospace|courier|consolas|menlo|monaco", re.IGNORECASE)

Colour = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Look:
    """What an element takes over from the one around it: colours (None: a picture, so unknown), size in pixels, font."""

    front: Colour = (0.0, 0.0, 0.0, 1.0)
    back: Colour | None = (1.0, 1.0, 1.0, 1.0)
    size: float = 16.0
    mono: bool = False
    pre: bool = False  # ends of lines of the source are ends of lines


def take_out_hidden(root: Element) -> tuple[HiddenText, ...]:
    """Remove what cannot be seen and say why; mark the blocks that are set in a monospaced font with data-mono."""
    styles = Styles(root)
    found: list[HiddenText] = []
    body = next(root.iter("body"), root)
    stack = [(root, _Look())]
    while stack:
        element, outer = stack.pop()
        rules = styles.of(element)
        if reason := _why_gone(element, rules):
            _list(found, reason, text_of(element))
            remove(element)
            continue
        look = _look(outer, rules)
        if look.mono and element.tag in ("div", "p") and body is not element:
            element.set("data-mono", "1")
        if reason := _why_unseen(look):
            _take_own_text(element, reason, found)
        elif look.mono and look.pre:
            _keep_lines(element)
        look = replace(look, mono=False) if element is body else look  # a page that is monospaced throughout says nothing by it
        stack.extend((child, look) for child in element)
    return tuple(reversed(found))[:_MAX_LISTED]


def _list(found: list[HiddenText], reason: str, text: str) -> None:
    if text:
        found.append(HiddenText(0, reason, text[:_MAX_TEXT]))


def _take_own_text(element: Element, reason: str, found: list[HiddenText]) -> None:
    """The text of an element itself; its children are judged by their own looks."""
    pieces = [element.text or "", *(child.tail or "" for child in element)]
    if element.tag == "tex" or not any(piece.strip() for piece in pieces):
        return
    _list(found, reason, re.sub(r"\s+", " ", " ".join(pieces)).strip())
    element.text = " "
    for child in element:
        child.tail = " "


def _keep_lines(element: Element) -> None:
    """Ends of lines that are shown, as the sign that the walk over the page knows."""
    element.text = (element.text or "").replace("\n", LINE_END)
    for child in element:
        child.tail = (child.tail or "").replace("\n", LINE_END)


def _why_gone(element: Element, rules: Rules) -> str:
    """Why an element with all that is in it cannot be seen; empty if it can."""
    hidden = element.get("hidden")
    if (hidden is not None and hidden != "until-found") or element.tag == "template" or rules.get("display") == "none":
        return "not displayed"
    if element.tag == "dialog" and element.get("open") is None:
        return "not displayed"
    if element.get("aria-hidden") == "true":
        return "aria-hidden"
    if rules.get("visibility") in ("hidden", "collapse") or _number(rules.get("opacity", "1")) < 0.06:
        return "invisible"
    return "off-page" if _is_away(rules) else "clipped" if _is_clipped(rules) else ""


def _is_away(rules: Rules) -> bool:
    """Whether it is put beside the page, to the left or above, where nobody can scroll."""
    if _pixels(rules.get("text-indent", "0")) < -_AWAY:
        return True
    moved = re.search(r"translate[xy]?\(\s*(-\d+(?:\.\d+)?)(px|%|vw|em)", rules.get("transform", ""))
    if moved and _pixels(moved[1] + moved[2].replace("%", "em")) < -_AWAY:
        return True
    if rules.get("position") not in ("absolute", "fixed", "relative"):
        return False
    return any(_pixels(rules.get(side, "0")) < -_AWAY for side in ("left", "top", "right", "bottom"))


def _is_clipped(rules: Rules) -> bool:
    """Whether a box too small for a letter cuts it off."""
    if re.match(r"rect\(\s*(?:0|1px)[\s,]", rules.get("clip", "")) and rules.get("position") in ("absolute", "fixed"):
        return True
    if re.match(r"inset\(\s*(?:50|100)%", rules.get("clip-path", "")) or re.match(r"circle\(\s*0", rules.get("clip-path", "")):
        return True
    sizes = [rules[key] for key in ("height", "width", "max-height", "max-width") if key in rules]
    return rules.get("overflow") in ("hidden", "clip") and any(
        re.fullmatch(r"(?:0|0?\.\d+|1)(?:px)?|0+(?:%|em|pt|rem)", size) for size in sizes
    )


def _why_unseen(look: _Look) -> str:
    """Why the text directly in an element cannot be seen; empty if it can."""
    if look.size < _TINY:
        return "tiny"
    if look.front[3] < 0.06:
        return "invisible"
    if look.back is not None and max(abs(a - b) for a, b in zip(look.front[:3], look.back[:3], strict=True)) < _CONTRAST:
        return "in the colour of the background"
    return ""


def _look(outer: _Look, rules: Rules) -> _Look:
    if not rules:
        return outer
    front = colour(rules["color"]) if "color" in rules else None
    return _Look(
        front or outer.front,
        _background(outer.back, rules),
        _size(rules["font-size"], outer.size) if "font-size" in rules else outer.size,
        _MONOSPACED.search(rules["font-family"]) is not None if "font-family" in rules else outer.mono,
        rules["white-space"].startswith(("pre", "break")) if "white-space" in rules else outer.pre,
    )


def _background(outer: Colour | None, rules: Rules) -> Colour | None:
    value = f"{rules.get('background-color', '')} {rules.get('background', '')}"
    if "url(" in value or "gradient" in value or "var(" in value:
        return None
    found = colour(value) if value.strip() else None
    return found if found is not None and found[3] > 0.5 else outer


def _size(value: str, outer: float) -> float:
    if value in _NAMED_SIZES:
        return _NAMED_SIZES[value]
    match = _LENGTH.fullmatch(value)
    if not match:
        return outer
    unit = match[2] or ""
    relative = {"%": outer / 100, "em": outer, "ex": outer / 2}
    return float(match[1]) * (relative[unit] if unit in relative else _PIXELS[unit])


def _pixels(value: str) -> float:
    match = _LENGTH.match(value)
    if not match or match[2] == "%":
        return 0.0
    return float(match[1]) * _PIXELS.get(match[2] or "", 16.0)


def _number(value: str) -> float:
    match = re.fullmatch(r"(\d*\.?\d+)(%?)", value)
    return float(match[1]) / (100 if match[2] else 1) if match else 1.0
