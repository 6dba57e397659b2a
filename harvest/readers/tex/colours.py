r"""Colour and size: what cannot be seen on the page is not read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

_SMALLEST = 3.0  # points: below, nobody reads

_STEPS = (12.0, 14.0, 17.0, 20.0, 25.0)  # points of \large, \Large, \LARGE, \huge, \Huge


def _text_colour(reader: Interpreter) -> None:
    model = reader.source.option()
    if reader.is_white(model, reader.source.argument()):
        reader.open("{")
        reader.hide("white")
        reader.source.push([*reader.source.argument(), "}"])


def _colour(reader: Interpreter) -> None:
    model = reader.source.option()
    if reader.is_white(model, reader.source.argument()):
        reader.hide("white")
    elif reader.hidden == "white":
        reader.groups[-1].hidden = ""


def _define_colour(reader: Interpreter) -> None:
    name, model, value = (reader.source.argument() for _ in range(3))
    if reader.is_white(model, value):
        reader.white.add("".join(name).strip().lower())


def _alias_colour(reader: Interpreter) -> None:
    name, value = reader.source.argument(), reader.source.argument()
    if reader.is_white(None, value):
        reader.white.add("".join(name).strip().lower())


def _font_size(reader: Interpreter) -> None:
    size = re.match(r"\s*(\d*\.?\d+)", "".join(reader.source.argument()))
    reader.source.argument()
    if size and float(size[1]) < _SMALLEST:
        reader.hide("tiny")
    elif size and reader.groups:
        reader.groups[-1].size = sum(float(size[1]) >= step for step in _STEPS)


def _scale(reader: Interpreter) -> None:
    r"""\scalebox{0.01}{...}."""
    factor = re.match(r"\s*(\d*\.?\d+)\s*$", "".join(reader.source.argument()))
    reader.source.option()
    if factor and float(factor[1]) * 10 < _SMALLEST:
        reader.open("{")
        reader.hide("tiny")
        reader.source.push([*reader.source.argument(), "}"])


def _transparent(reader: Interpreter) -> None:
    value = re.match(r"\s*(\d*\.?\d+)", "".join(reader.source.argument()))
    if value and float(value[1]) < 0.05:
        reader.hide("transparent")


COMMANDS: dict[str, Command] = {
    "textcolor": _text_colour,
    "color": _colour,
    "definecolor": _define_colour,
    "colorlet": _alias_colour,
    "fontsize": _font_size,
    "scalebox": _scale,
    "transparent": _transparent,
}
