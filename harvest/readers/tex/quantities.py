r"""siunitx, numprint, units and mhchem as commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.readers.tex.chemistry import formula
from harvest.readers.tex.units import angle, number, quantity, unit

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

_MAX_UNITS = 200


def printed_quantity(reader: Interpreter, name: str) -> str:
    r"""What a command of siunitx prints: \SI, \qty, \num, \si, \unit, \ang, and their ranges and lists."""
    reader.source.option()
    first = reader.source.argument()
    if name in ("si", "unit"):
        return unit(_expanded(reader, first), reader.units)
    text = "".join(_expanded(reader, first))
    if name == "ang":
        return angle(text)
    if "list" in name:
        parts = [number(part) for part in text.split(";") if part.strip()]
        text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
    elif "range" in name:
        text = f"{number(text)} to {number(''.join(_expanded(reader, reader.source.argument())))}"
    else:
        text = " × ".join(number(part) for part in text.split("x")) if "product" in name else number(text)
    if name.startswith("num"):
        return text
    if name.startswith("SI"):
        reader.source.option()  # what stands before the number: a currency
    return quantity(text, unit(_expanded(reader, reader.source.argument()), reader.units))


def _expanded(reader: Interpreter, tokens: list[str], depth: int = 0) -> list[str]:
    """Tokens with the document's own abbreviations for units written out."""
    out: list[str] = []
    for sign in tokens[:_MAX_UNITS]:
        macro = reader.macros.commands.get(sign[1:]) if sign[0] == "\\" else None
        if macro and not macro.parameters and depth < 5:
            out += _expanded(reader, list(macro.body), depth + 1)
        elif sign not in ("\\ensuremath", "\\xspace", "$", " "):
            out.append(sign)
    return out[:_MAX_UNITS]


def _quantity(name: str) -> Command:
    def run(reader: Interpreter) -> None:
        reader.write(reader.quantity(name))

    return run


def _declare_unit(reader: Interpreter) -> None:
    r"""\DeclareSIUnit\name{symbol}."""
    reader.source.option()
    name = reader.source.control_name()
    symbol = reader.source.argument()
    reader.units[name] = unit(_expanded(reader, symbol), reader.units) or name


def _numprint(reader: Interpreter) -> None:
    option = reader.source.option()
    text = number(reader.inline(reader.source.argument()).replace("$", ""))
    reader.write(quantity(text, reader.inline(["$", *option, "$"]) if option and "^" in option else reader.inline(option or [])))


def _chemical(reader: Interpreter) -> None:
    text = "".join(reader.source.argument())
    reader.write(formula(text))


def _fraction(reader: Interpreter) -> None:
    r"""\nicefrac{a}{b} and \sfrac{a}{b} between words."""
    reader.source.option()
    first, second = reader.inline(reader.source.argument()), reader.inline(reader.source.argument())
    reader.write(f"{first}/{second}")


def _isotope(reader: Interpreter) -> None:
    r"""\isotope[14]{C}, \nuclide."""
    mass = reader.source.option()
    reader.source.option()
    reader.write(formula(f"^{{{''.join(mass or [])}}}{''.join(reader.source.argument())}" if mass else "".join(reader.source.argument())))


def _unit_fraction(reader: Interpreter) -> None:
    r"""\unitfrac[3]{m}{s} of package units."""
    value = reader.source.option()
    above, below = reader.inline(reader.source.argument()), reader.inline(reader.source.argument())
    reader.write(quantity(reader.inline(value) if value else "", re.sub(r"^/", "", f"{above}/{below}")))


def _units_package(reader: Interpreter) -> None:
    r"""\unit[3]{m} of package units, \unit{m} of siunitx."""
    if not reader.packages.has("units", "unitsdef"):
        reader.write(reader.quantity("unit"))
        return
    value = reader.source.option()
    reader.write(quantity(reader.inline(value) if value else "", unit(_expanded(reader, reader.source.argument()), reader.units)))


def _unit_free(reader: Interpreter) -> None:
    r"""\lenprint and \cntprint: lengths of the page."""
    reader.source.option()
    reader.source.argument()


_NAMES = ("SI", "qty", "num", "si", "SIrange", "qtyrange", "numrange", "SIlist", "qtylist", "numlist", "ang", "numproduct", "qtyproduct")
COMMANDS: dict[str, Command] = {
    **{name: _quantity(name) for name in _NAMES},
    "unit": _units_package,
    "unitfrac": _unit_fraction,
    **dict.fromkeys(("DeclareSIUnit", "DeclareSIPrefix"), _declare_unit),
    **dict.fromkeys(("numprint", "nprint", "np"), _numprint),
    **dict.fromkeys(("ce", "cee", "ch", "chemform"), _chemical),
    **dict.fromkeys(("nicefrac", "sfrac", "textfrac"), _fraction),
    **dict.fromkeys(("isotope", "nuclide"), _isotope),
    "npdefunit": lambda reader: reader.skip("mmm"),
    "lenprint": _unit_free,
    "cntprint": _unit_free,
}
