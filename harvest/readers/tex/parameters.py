r"""How the arguments of macros are declared and read: \newcommand's, \def's with their delimiters, xparse's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from harvest.readers.tex.input import Input
from harvest.readers.tex.tokens import BARRIER, PAR, tokens_of

NO_VALUE = "\\-NoValue-"  # stands for an optional argument that was not given; no text can spell it
_MAX_ARGUMENT = 5_000  # tokens of a delimited argument
_XPARSE = re.compile(
    r"(?P<plus>\+)|(?P<kind>[mosvbe])|(?P<default>[OE])|(?P<pair>[drt])(?P<signs>\S\S?)|(?P<pairdefault>[DR])(?P<both>\S\S)"
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """How one argument is read: mandatory, option, star, pair (between two signs), until (up to some tokens), literal (dropped)."""

    kind: str
    tokens: tuple[str, ...] = ()  # the default, or the tokens that end it
    signs: str = ""  # of a pair


def counted(source: Input) -> tuple[Parameter, ...]:
    r"""The parameters behind \newcommand{\name}: `[n]`, and `[default]` of the first."""
    number = source.option()
    count = int("".join(number)) if number and re.fullmatch(r"\s*[1-9]\s*", "".join(number)) else 0
    default = source.option() if number is not None else None
    parameters = [Parameter("mandatory")] * count
    if default is not None and count:
        parameters[0] = Parameter("option", tuple(default))
    return tuple(parameters)


def specified(spec: str) -> tuple[Parameter, ...]:
    """The parameters that a specification of xparse names: `s O{default} m d() +v`."""
    parameters: list[Parameter] = []
    at = 0
    while match := _XPARSE.search(spec, at):
        at = match.end()
        default: tuple[str, ...] = (NO_VALUE,)
        if (match["default"] or match["pairdefault"]) and (given := re.compile(r"\s*\{([^{}]*)\}").match(spec, at)):
            default, at = tuple(tokens_of(given[1])), given.end()
        if match["kind"] == "m" or match["kind"] == "v":
            parameters.append(Parameter("mandatory"))
        elif match["kind"] == "s" or match["pair"] == "t":
            parameters.append(Parameter("star"))
        elif match["kind"] == "o" or match["default"] == "O":
            parameters.append(Parameter("option", default))
        elif signs := (match["both"] or (match["pair"] and match["signs"])):
            parameters.append(Parameter("pair", default, signs))
    return tuple(parameters)


def delimited(pattern: list[str]) -> tuple[Parameter, ...]:
    r"""The parameters of a \def: what stands before the first, and for each the tokens that end it."""
    places = [place for place, sign in enumerate(pattern) if re.fullmatch(r"#[1-9]", sign)]
    first = places[0] if places else len(pattern)
    before = tuple(sign for sign in pattern[:first] if sign != " ")
    parameters = [Parameter("literal", before)] if before else []
    for place, after in pairwise([*places, len(pattern)]):
        ending = tuple(sign for sign in pattern[place + 1 : after] if sign != "#")
        parameters.append(Parameter("until", ending) if ending and ending != (" ",) else Parameter("mandatory"))
    return tuple(parameters)


def read_arguments(source: Input, parameters: tuple[Parameter, ...]) -> list[list[str]]:
    """The arguments of one use of a macro."""
    arguments: list[list[str]] = []
    for parameter in parameters:
        if parameter.kind == "literal":
            _skip_literal(source, parameter)
        else:
            arguments.append(_read(source, parameter))
    return arguments


def _skip_literal(source: Input, parameter: Parameter) -> None:
    """Skip the tokens that stand before the first argument, as far as they are there."""
    for token in parameter.tokens:
        sign = source.next_solid()
        if sign is not None and sign.startswith(token) and sign[0] != "\\":
            if sign[len(token) :]:
                source.back(sign[len(token) :])
        elif sign != token:
            if sign is not None:
                source.back(sign)
            return


def _read(source: Input, parameter: Parameter) -> list[str]:
    if parameter.kind == "option":
        given = source.option()
        return list(parameter.tokens) if given is None else given
    if parameter.kind == "pair":
        given = source.delimited(parameter.signs[0], parameter.signs[-1])
        return list(parameter.tokens) if given is None else given
    if parameter.kind == "star":
        return ["*"] if source.star() else []
    if parameter.kind == "until":
        return _until(source, parameter.tokens)
    return source.argument()


def _until(source: Input, ending: tuple[str, ...]) -> list[str]:
    """The tokens up to some tokens that end a delimited argument, braces respected; braces around all of it are taken off."""
    found: list[str] = []
    depth = 0
    while (sign := source.next()) is not None and sign is not BARRIER and sign is not PAR and len(found) < _MAX_ARGUMENT:
        if depth == 0 and _ends(source, sign, ending, found):
            return found[1:-1] if len(found) > 1 and found[0] == "{" and _closes_at_end(found) else found
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            break
        found.append(sign)
    if sign is not None:
        source.back(sign)
    return found


def _ends(source: Input, sign: str, ending: tuple[str, ...], found: list[str]) -> bool:
    """Whether the ending begins with this sign (or, if it is one sign, stands inside a run of letters); what follows it stays."""
    first = ending[0]
    if len(ending) == 1 and sign != first and sign[0] not in "\\{}" and first[0] != "\\" and first in sign:
        before, _, after = sign.partition(first)
        if after:
            source.back(after)
        found += [before] if before else []
        return True
    if sign != first:
        return False
    taken: list[str] = []
    for token in ending[1:]:
        if (follows := source.next()) is not None:
            taken.append(follows)
        if follows != token:
            source.push(taken)
            return False
    return True


def _closes_at_end(found: list[str]) -> bool:
    depth = 0
    for place, sign in enumerate(found):
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return place == len(found) - 1
    return False


def substituted(sign: str, arguments: list[list[str]]) -> list[str]:
    """What `#1`, `##1` in a replacement text stand for."""
    if sign.startswith("##"):
        return [sign[1:]]
    number = int(sign[1:] or 0)
    return arguments[number - 1] if 0 < number <= len(arguments) else []
