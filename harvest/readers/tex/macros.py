r"""The macros that a document defines: \newcommand and its kin, \def, \let, xparse, operators, environments, conditions."""

from __future__ import annotations

from dataclasses import dataclass

from harvest.readers.tex.input import Input
from harvest.readers.tex.names import PROTECTED_ENVIRONMENTS, SECTIONS, STRUCTURAL
from harvest.readers.tex.parameters import Parameter, counted, delimited, read_arguments, specified, substituted
from harvest.readers.tex.tokens import BARRIER, PAR

_PROTECTED = STRUCTURAL | frozenset(SECTIONS) | frozenset(f"ps@{name}" for name in ("plain", "empty", "headings"))
_MAX_BODY = 20_000


@dataclass(frozen=True, slots=True)
class Macro:
    """A replacement text and how its arguments are read."""

    parameters: tuple[Parameter, ...]
    body: tuple[str, ...]


class Macros:
    """The macros, environments and conditions that a document has defined so far."""

    def __init__(self) -> None:
        self.commands: dict[str, Macro] = {}
        self.environments: dict[str, tuple[Macro, tuple[str, ...]]] = {}
        self.conditions: dict[str, bool] = {}
        self._aliases: dict[str, str] = {}

    def clear(self) -> None:
        """Forget everything (after macros that never end)."""
        for table in (self.commands, self.environments, self.conditions, self._aliases):
            table.clear()

    def meaning(self, name: str) -> tuple[str, bool]:
        r"""What a name stands for, and whether \let has bound it to what LaTeX itself means by that."""
        return (self._aliases[name], True) if name in self._aliases and name not in self.commands else (name, False)

    # ---- definitions, each called after its command was read

    def newcommand(self, source: Input, *, only_if_new: bool = False) -> None:
        r"""\newcommand*{\name}[n][default]{body} and \renewcommand, \providecommand, \DeclareRobustCommand."""
        source.star()
        name = source.control_name()
        parameters = counted(source)
        body = source.argument()
        if not (only_if_new and name in self.commands):
            self.define(name, parameters, body)

    def xparse(self, source: Input) -> None:
        r"""\NewDocumentCommand{\name}{m O{default} s}{body} and its kin."""
        name = source.control_name()
        parameters = specified("".join(source.argument()))
        self.define(name, parameters, source.argument())

    def xparse_environment(self, source: Input) -> None:
        r"""\NewDocumentEnvironment{name}{m O{default}}{before}{after}."""
        name = "".join(source.argument()).strip()
        parameters = specified("".join(source.argument()))
        self._define_environment(name, parameters, source.argument(), source.argument())

    def definition(self, source: Input) -> None:
        r"""\def\name#1...#n{body}, with the signs that end each argument."""
        name = source.control_name()
        pattern: list[str] = []
        while (sign := source.next()) is not None and sign not in ("{", BARRIER, PAR) and len(pattern) < 40:
            pattern.append(sign)
        if sign != "{":
            if sign is not None:
                source.back(sign)
            return
        self.define(name, delimited(pattern), source.group())

    def let(self, source: Input) -> None:
        r"""\let\new=\old, also of signs (`\let\bar=|`)."""
        name = source.control_name()
        sign = source.next_solid()
        if sign is not None and sign[0] == "=":
            sign = sign[1:] or source.next_solid()
        while sign == "\\expandafter":
            sign = source.next()
        if sign == "\\csname":
            sign = "\\" + source.until_endcsname()
        if sign is None or sign is BARRIER or not name or name in _PROTECTED:
            return
        old = sign[1:] if sign[0] == "\\" else ""
        if not old:
            self.define(name, (), [sign])
        elif old in self.commands:
            self.commands[name] = self.commands[old]
        elif name != old:
            self.commands.pop(name, None)
            self._aliases[name] = self._aliases.get(old, old)

    def operator(self, source: Input) -> None:
        r"""\DeclareMathOperator*{\name}{text}."""
        starred = ["*"] if source.star() else []
        name = source.control_name()
        self.define(name, (), ["\\operatorname", *starred, "{", *source.argument(), "}"])

    def paired(self, source: Input) -> None:
        r"""\DeclarePairedDelimiter{\name}{left}{right}."""
        name, left, right = source.control_name(), source.argument(), source.argument()
        parameters = (Parameter("star"), Parameter("option"), Parameter("mandatory"))
        self.define(name, parameters, ["\\left", *left, "#3", "\\right", *right])

    def environment(self, source: Input) -> None:
        r"""\newenvironment{name}[n][default]{before}{after}."""
        source.star()
        name = "".join(source.argument()).strip()
        self._define_environment(name, counted(source), source.argument(), source.argument())

    def condition(self, source: Input) -> None:
        r"""\newif\ifname."""
        name = source.control_name()
        if name.startswith("if"):
            self.conditions[name] = False

    def define(self, name: str, parameters: tuple[Parameter, ...], body: list[str]) -> None:
        """A macro of this name from here on, unless the name is one of the reader's own."""
        if name and name not in _PROTECTED and len(body) <= _MAX_BODY:
            self.commands[name] = Macro(parameters, tuple(body))

    def _define_environment(self, name: str, parameters: tuple[Parameter, ...], before: list[str], after: list[str]) -> None:
        if name not in PROTECTED_ENVIRONMENTS and len(before) + len(after) < _MAX_BODY:
            self.environments[name] = Macro(parameters, tuple(before)), tuple(after)

    # ---- use

    def expand(self, macro: Macro, source: Input) -> None:
        """Read the arguments of a macro and put its replacement text back on the input."""
        arguments = read_arguments(source, macro.parameters)
        replaced: list[str] = []
        for sign in macro.body:
            if sign[0] == "#":
                replaced += substituted(sign, arguments)
            else:
                replaced.append(sign)
            if len(replaced) > source.fuel:
                break
        source.fuel -= 4
        source.push(replaced)
