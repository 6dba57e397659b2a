r"""Arithmetic as people write it: `3.2 × 5`, `2\pi \times 500 MHz`, `\frac{1}{2} m`, `sqrt(2 * 9.8 * 5)`, `1.5e-3 / 4`.

A recursive-descent parser over a few tokens: numbers with units, + - × · / ^, parentheses, roots and common functions.
Nothing is ever given to an interpreter. A symbol without a value ends an expression.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from qagen.checks.typography import plain
from qagen.checks.units import NO_UNIT, Unit, unit_at

_LARGEST_POWER, _DEEPEST = 400.0, 40

_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt, "√": math.sqrt, "sin": math.sin, "cos": math.cos, "tan": math.tan, "arcsin": math.asin, "arccos": math.acos,
    "arctan": math.atan, "asin": math.asin, "acos": math.acos, "atan": math.atan, "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh,
    "ln": math.log, "log10": math.log10, "log": math.log10, "exp": math.exp, "abs": abs,
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3}(?![\w]))?)"
    r"|(?P<function>sqrt|√|arcsin|arccos|arctan|asin|acos|atan|sinh|cosh|tanh|sin|cos|tan|ln|log10|log|exp|abs)(?![a-z])"
    r"|(?P<pi>π|pi(?![a-z]))|(?P<op>\*\*|[-+*/^()×·÷])|(?P<x>x(?=\s*\d))"
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_RAISED = re.compile(r"\^\s*\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Value:
    """A number as written, with a unit (`NO_UNIT` if it has none), what one in its last digit is worth, and whether it is whole."""

    number: float
    unit: Unit = NO_UNIT
    place: float = 0.0
    whole: bool = False
    parts: int = 1  # operands that went into it
    mixed: bool = False  # a sum of different dimensions: the unit says nothing

    @property
    def base(self) -> float:
        """The value in base units."""
        return self.number * self.unit.scale


class NoExpressionError(ValueError):
    """What stands here is no arithmetic, or none that has a value."""


def as_arithmetic(text: str) -> str:
    r"""A text in plain signs, with parentheses where LaTeX has braces: `\frac{a+b}{c}` is `((a+b)/(c))`."""
    for _ in range(_DEEPEST):
        before = text
        text = _RAISED.sub(r"^(\1)", _ROOT.sub(r" sqrt(\1)", _FRACTION.sub(r"((\1)/(\2))", text)))
        if text == before:
            break
    text = re.sub(r"(?<![\d.])(?<!\d )\d{1,3}(?: \d{3})+(?![\d.]\d?|\s\d)", lambda found: found[0].replace(" ", ""), text)
    return plain(text.replace(r"\left", "").replace(r"\right", "").replace("[", "(").replace("]", ")"))


def longest_value(text: str, start: int = 0) -> tuple[Value, int]:
    """The value of the longest expression that begins at `start`, and where it ends. Raises `NoExpressionError`."""
    parser = _Parser(text, start)
    try:
        value = parser.sum()
    except (OverflowError, ZeroDivisionError, ValueError, RecursionError) as error:
        raise NoExpressionError(str(error)) from error
    return value, parser.at


class _Parser:
    def __init__(self, text: str, start: int) -> None:
        self.text, self.at, self.depth = text, start, 0

    def sum(self) -> Value:
        value = self.product()
        while sign := self._take("+-"):
            value = _plus(value, self.product(), 1 if sign == "+" else -1)
        return value

    def product(self) -> Value:
        value = self.power()
        while True:
            if sign := self._take("×·*÷/x"):
                value = _times(value, self.power(), -1 if sign in "÷/" else 1)
            elif self._follows_closely():
                value = _times(value, self.power(), 1)
            else:
                return value

    def power(self) -> Value:
        base = self.atom()
        if self._take("^"):
            exponent = self.atom(signed=True)
            if exponent.unit.dimension or abs(exponent.number) > _LARGEST_POWER:
                raise NoExpressionError("a power that is none")
            base = _raised(base, exponent)
        return base

    def atom(self, signed: bool = False) -> Value:
        self.depth += 1
        if self.depth > 400:
            raise NoExpressionError("too long")
        if sign := self._take("+-"):
            value = self.atom() if signed else self.power()
            return Value(-value.number if sign == "-" else value.number, value.unit, value.place, value.whole, value.parts)
        found = self._peek()
        if found is None:
            raise NoExpressionError(f"no number at {self.at}")
        self.at = found.end()
        if found["number"]:
            return self._number(found["number"], bare=signed)
        if found["pi"]:
            return Value(math.pi)
        if found["function"]:
            return self._function(found["function"])
        if found["op"] != "(":
            raise NoExpressionError(f"{found[0]} out of place")
        value = self.sum()
        if not self._take(")"):
            raise NoExpressionError("a parenthesis stays open")
        return self._with_unit(value)

    def _number(self, digits: str, bare: bool) -> Value:
        place = 10.0 ** -len(digits.lower().partition("e")[0].partition(".")[2]) * 10.0 ** int(digits.lower().partition("e")[2] or 0)
        value = Value(float(digits), place=place, whole="." not in digits and "e" not in digits.lower())
        if not bare and (power := re.compile(r"\s?[×x·*]\s?10\s?\^\s?\(?([-+]?\d{1,3})\)?").match(self.text, self.at)):
            self.at, factor = power.end(), 10.0 ** int(power[1])
            value = Value(value.number * factor, place=place * factor)
        return value if bare else self._with_unit(value)

    def _with_unit(self, value: Value) -> Value:
        """The value with the unit behind it, unless that may be a symbol: a single `c` or `t` is no unit here."""
        start = self.at + (self.text[self.at : self.at + 1] == " ")
        found = unit_at(self.text, start)
        if found is None or value.unit.dimension or re.match(r"[catu](?![A-Za-z])", self.text[start:]):
            return value
        self.at = found[0]
        return Value(value.number, value.unit.times(found[1]), value.place, value.whole, value.parts)

    def _function(self, name: str) -> Value:
        self._skip()
        argument = self.atom() if name == "√" or self.text[self.at : self.at + 1] == "(" else self.power()
        if name in ("sqrt", "√"):
            return _raised(argument, Value(0.5))
        return Value(_FUNCTIONS[name](argument.base if not argument.mixed else argument.number), parts=argument.parts + 1)

    def _follows_closely(self) -> bool:
        """A product without a sign: `2π`, `2(3 + 4)`, `(1 + 2)(3 + 4)`."""
        found = self._peek()
        return found is not None and bool(found["pi"] or found["function"] or found[0] == "(")

    def _peek(self) -> re.Match[str] | None:
        self._skip()
        return _TOKEN.match(self.text, self.at)

    def _take(self, signs: str) -> str | None:
        found = self._peek()
        if found is None or not (found["op"] or found["x"]):
            return None
        sign = {"**": "^"}.get(found[0], found[0])
        if sign not in signs:
            return None
        self.at = found.end()
        return sign

    def _skip(self) -> None:
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1


def _plus(a: Value, b: Value, sign: int) -> Value:
    parts, whole = a.parts + b.parts, a.whole and b.whole
    if a.unit.dimension == b.unit.dimension:
        unit = a.unit
        return Value(a.number + sign * b.base / unit.scale, unit, whole=whole, parts=parts, mixed=a.mixed or b.mixed)
    unit = a.unit if a.unit != NO_UNIT else b.unit
    return Value(a.number + sign * b.number, unit, whole=whole, parts=parts, mixed=True)


def _times(a: Value, b: Value, power: int) -> Value:
    number = a.number * b.number if power == 1 else a.number / b.number
    return Value(
        number,
        a.unit.times(b.unit.power(power)),
        whole=a.whole and b.whole and power == 1,
        parts=a.parts + b.parts,
        mixed=a.mixed or b.mixed,
    )


def _raised(base: Value, exponent: Value) -> Value:
    number = base.number**exponent.number
    if isinstance(number, complex):
        raise NoExpressionError("a root of a negative number")
    doubled = round(exponent.number * 2)
    if exponent.number == round(exponent.number):
        unit, mixed = base.unit.power(round(exponent.number)), base.mixed
    elif exponent.number * 2 == doubled and all(count * doubled % 2 == 0 for _, count in base.unit.dimension):
        unit = Unit(base.unit.scale**exponent.number, tuple((name, count * doubled // 2) for name, count in base.unit.dimension))
        mixed = base.mixed
    else:
        unit, mixed = NO_UNIT, True
    return Value(number, unit, whole=base.whole and exponent.whole and exponent.number >= 0, parts=base.parts + 1, mixed=mixed)
