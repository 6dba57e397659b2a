r"""The macros that a document defines: \newcommand and its kin, \def, xparse, paired delimiters, operators."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harvest.readers.tex.names import CITES, REFS, SECTIONS, STRUCTURAL
from harvest.readers.tex.tokens import BARRIER, PAR, Input

_PROTECTED = STRUCTURAL | CITES | frozenset(REFS) | frozenset(SECTIONS)
_MAX_BODY = 20_000


@dataclass(frozen=True, slots=True)
class Macro:
    """A replacement text: `parameters` holds for each argument its default, "" for mandatory, "*" for a star or its delimiter."""

    parameters: tuple[tuple[str, tuple[str, ...]], ...]
    body: tuple[str, ...]


class Macros:
    """The macros and environments that a document has defined so far."""

    def __init__(self) -> None:
        self.commands: dict[str, Macro] = {}
        self.environments: dict[str, tuple[Macro, tuple[str, ...]]] = {}
        self.aliases: dict[str, str] = {}
        self.operators: dict[str, str] = {}
        self.conditions: dict[str, bool] = {}

    def clear(self) -> None:
        """Forget everything (after macros that never end)."""
        self.__init__()  # type: ignore[misc]

    # ---- definitions, each called after its command was read

    def newcommand(self, source: Input, *, only_if_new: bool = False) -> None:
        r"""\newcommand*{\name}[n][default]{body} and \renewcommand, \providecommand, \DeclareRobustCommand."""
        source.star()
        name = _name(source.argument())
        parameters = _counted(source)
        body = source.argument()
        if only_if_new and name in self.commands:
            return
        self._set(name, parameters, body)

    def xparse(self, source: Input) -> None:
        r"""\NewDocumentCommand{\name}{m O{default} s}{body} and its kin."""
        name = _name(source.argument())
        parameters = _specified("".join(source.argument()))
        self._set(name, parameters, source.argument())

    def definition(self, source: Input) -> None:
        r"""\def\name#1...#n{body}, with the signs that end each argument."""
        name = _name([source.next_solid() or ""])
        pattern: list[str] = []
        while (sign := source.next()) is not None and sign not in ("{", BARRIER, PAR) and len(pattern) < 40:
            pattern.append(sign)
        if sign != "{":
            if sign is not None:
                source.back(sign)
            return
        self._set(name, _delimited(pattern), source.group())

    def let(self, source: Input) -> None:
        r"""\let\new=\old."""
        name = _name([source.next_solid() or ""])
        sign = source.next_solid()
        if sign == "=":
            sign = source.next_solid()
        if sign is None or sign is BARRIER or sign[0] != "\\" or name in _PROTECTED:
            return
        if sign[1:] in self.commands:
            self.commands[name] = self.commands[sign[1:]]
        elif name != sign[1:]:
            self.commands.pop(name, None)
            self.aliases[name] = sign[1:]

    def operator(self, source: Input) -> None:
        r"""\DeclareMathOperator*{\name}{text}."""
        starred = "*" if source.star() else ""
        name = _name(source.argument())
        self._set(name, (), ["\\operatorname", *([starred] if starred else []), "{", *source.argument(), "}"])

    def paired(self, source: Input) -> None:
        r"""\DeclarePairedDelimiter{\name}{left}{right}."""
        name, left, right = _name(source.argument()), source.argument(), source.argument()
        self._set(name, (("*", ()), ("[", ()), ("", ())), ["\\left", *left, "#3", "\\right", *right])

    def environment(self, source: Input) -> None:
        r"""\newenvironment{name}[n][default]{before}{after}."""
        source.star()
        name = "".join(source.argument())
        parameters = _counted(source)
        before, after = source.argument(), source.argument()
        if len(before) + len(after) < _MAX_BODY:
            self.environments[name] = Macro(parameters, tuple(before)), tuple(after)

    def condition(self, source: Input) -> None:
        r"""\newif\ifname."""
        name = _name([source.next_solid() or ""])
        if name.startswith("if"):
            self.conditions[name] = False

    # ---- use

    def expand(self, macro: Macro, source: Input) -> None:
        """Read the arguments of a macro and put its replacement text back on the input."""
        arguments = [_read(source, default, delimiter) for default, delimiter in macro.parameters]
        replaced: list[str] = []
        for sign in macro.body:
            if sign[0] == "#":
                replaced += _parameter(sign, arguments)
            else:
                replaced.append(sign)
        source.fuel -= 4
        source.push(replaced)

    def _set(self, name: str, parameters: tuple[tuple[str, tuple[str, ...]], ...], body: list[str]) -> None:
        if name and name not in _PROTECTED and len(body) <= _MAX_BODY:
            self.commands[name] = Macro(parameters, tuple(body))


def _name(tokens: list[str]) -> str:
    control = next((sign for sign in tokens if sign[:1] == "\\" and sign is not PAR), "")
    return control[1:]


def _counted(source: Input) -> tuple[tuple[str, tuple[str, ...]], ...]:
    number = source.option()
    count = int("".join(number)) if number and re.fullmatch(r"[1-9]", "".join(number)) else 0
    default = source.option() if number is not None else None
    parameters: list[tuple[str, tuple[str, ...]]] = [("", ())] * count
    if default is not None and count:
        parameters[0] = ("[", tuple(default))
    return tuple(parameters)


def _specified(spec: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    from harvest.readers.tex.tokens import tokens_of

    kinds: list[tuple[str, tuple[str, ...]]] = []
    for match in re.finditer(r"O\{([^{}]*)\}|[mos+]", spec):
        if match[0] == "m":
            kinds.append(("", ()))
        elif match[0] == "s":
            kinds.append(("*", ()))
        elif match[0] != "+":
            kinds.append(("[", tuple(tokens_of(match[1] or ""))))
    return tuple(kinds)


def _delimited(pattern: list[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The parameters of a \\def: for each, the one sign that ends it, if there is one."""
    parameters: list[tuple[str, tuple[str, ...]]] = []
    for place, sign in enumerate(pattern):
        if re.fullmatch(r"#[1-9]", sign):
            after = pattern[place + 1] if place + 1 < len(pattern) else "#"
            parameters.append(("", ()) if after[0] == "#" or after == " " else ("until", (after,)))
    return tuple(parameters)


def _read(source: Input, kind: str, extra: tuple[str, ...]) -> list[str]:
    if kind == "[":
        given = source.option()
        return list(extra) if given is None else given
    if kind == "*":
        return ["*"] if source.star() else []
    if kind == "until":
        return _until(source, extra[0])
    return source.argument()


def _until(source: Input, delimiter: str) -> list[str]:
    found: list[str] = []
    while (sign := source.next()) is not None and sign is not BARRIER and sign is not PAR and len(found) < 2000:
        if sign == delimiter:
            return found
        if sign[0] not in "\\{}" and delimiter in sign:
            before, _, after = sign.partition(delimiter)
            if after:
                source.back(after)
            return [*found, before] if before else found
        found.append(sign)
    if sign is not None:
        source.back(sign)
    return found


def _parameter(sign: str, arguments: list[list[str]]) -> list[str]:
    if sign.startswith("##"):
        return [sign[1:]]
    number = int(sign[1:] or 0)
    return arguments[number - 1] if 0 < number <= len(arguments) else []
