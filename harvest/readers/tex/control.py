r"""Choices with their branches as arguments (ifthen, etoolbox, xparse, LaTeX's kernel), and what only steers TeX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.readers.tex.definitions import number_in
from harvest.readers.tex.parameters import NO_VALUE

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter


def _choose(reader: Interpreter, holds: bool | None) -> None:
    yes, no = reader.source.argument(), reader.source.argument()
    reader.source.push(no if holds is False else yes)


def _if_then_else(reader: Interpreter) -> None:
    _choose(reader, _statement(reader, "".join(reader.source.argument())))


def _statement(reader: Interpreter, text: str) -> bool | None:
    r"""What \ifthenelse tests: \boolean{x}, \equal{a}{b}, numbers, \NOT, \AND, \OR."""
    text = text.strip()
    for joint, decide in (("\\OR", any), ("\\or", any), ("\\AND", all), ("\\and", all)):
        if joint in text:
            parts = [_statement(reader, part) for part in text.split(joint)[:20]]
            return None if None in parts else decide(bool(part) for part in parts)
    if negated := re.match(r"\\(?:NOT|not)\b\s*(.*)$", text, re.DOTALL):
        inner = _statement(reader, negated[1])
        return None if inner is None else not inner
    if match := re.fullmatch(r"\\boolean\s*\{(\w+)\}", text):
        return reader.macros.conditions.get("if" + match[1])
    if match := re.fullmatch(r"\\equal\s*\{([^{}]*)\}\s*\{([^{}]*)\}", text):
        return reader.inline_text(match[1]) == reader.inline_text(match[2])
    if match := re.fullmatch(r"([^<>=]*)([<>=])([^<>=]*)", text):
        left, right = number_in(reader, [match[1]]), number_in(reader, [match[3]])
        if left is not None and right is not None:
            return left < right if match[2] == "<" else left > right if match[2] == ">" else left == right
    return None


def _new_boolean(reader: Interpreter) -> None:
    reader.macros.conditions["if" + "".join(reader.source.argument()).strip()] = False


def _set_boolean(reader: Interpreter) -> None:
    name, value = ("".join(reader.source.argument()).strip() for _ in range(2))
    reader.macros.conditions["if" + name] = value.lower() == "true"


def _toggle(value: bool) -> Command:
    def run(reader: Interpreter) -> None:
        reader.macros.conditions["if" + "".join(reader.source.argument()).strip()] = value

    return run


def _if_toggle(reader: Interpreter) -> None:
    _choose(reader, reader.macros.conditions.get("if" + "".join(reader.source.argument()).strip()))


def _not_toggle(reader: Interpreter) -> None:
    holds = reader.macros.conditions.get("if" + "".join(reader.source.argument()).strip())
    _choose(reader, None if holds is None else not holds)


def _if_empty(reader: Interpreter) -> None:
    _choose(reader, not reader.inline(reader.source.argument()))


def _if_undefined(reader: Interpreter) -> None:
    name = "".join(reader.source.argument()).strip().lstrip("\\")
    _choose(reader, name not in reader.macros.commands and name not in reader.commands)


def _if_definition(reader: Interpreter) -> None:
    name = "".join(reader.source.argument()).strip().lstrip("\\")
    _choose(reader, name in reader.macros.commands or name in reader.commands)


def _if_star(reader: Interpreter) -> None:
    starred, plain = reader.source.argument(), reader.source.argument()
    reader.source.push(starred if reader.source.star() else plain)


def _if_next(reader: Interpreter) -> None:
    r"""\@ifnextchar[{yes}{no}."""
    wanted = "".join(reader.source.argument())
    yes, no = reader.source.argument(), reader.source.argument()
    follows = reader.source.next_solid()
    if follows is not None:
        reader.source.back(follows)
    reader.source.push(yes if follows is not None and wanted and follows.startswith(wanted) else no)


def _if_value(wanted: bool, branches: str) -> Command:
    r"""\IfValueTF and \IfNoValueTF of xparse: whether an optional argument was given."""

    def run(reader: Interpreter) -> None:
        given = reader.source.argument() != [NO_VALUE]
        yes = reader.source.argument() if "T" in branches else []
        no = reader.source.argument() if "F" in branches else []
        reader.source.push(yes if given is wanted else no)

    return run


def _if_star_given(branches: str) -> Command:
    def run(reader: Interpreter) -> None:
        given = bool(reader.source.argument())
        yes = reader.source.argument() if "T" in branches else []
        no = reader.source.argument() if "F" in branches else []
        reader.source.push(yes if given else no)

    return run


def _keep(place: int) -> Command:
    def run(reader: Interpreter) -> None:
        both = reader.source.argument(), reader.source.argument()
        reader.source.push(both[place])

    return run


def _else(reader: Interpreter) -> None:
    reader.skip_branch()


def _or(reader: Interpreter) -> None:
    r"""The end of the branch of an \ifcase that was read."""
    while reader.skip_branch() == "else":
        pass


def _nothing(reader: Interpreter) -> None:
    """A command that only changes how TeX reads or sets what follows."""


_SILENT = """fi expandafter noexpand global long outer protected unexpanded AtBeginDocument leavevmode ignorespaces
unskip ignorespacesafterend string number the romannumeral boldmath unboldmath sloppy fussy frenchspacing normalfont
raggedright immediate -NoValue-"""
COMMANDS: dict[str, Command] = {
    **dict.fromkeys(_SILENT.split(), _nothing),
    "bgroup": lambda reader: reader.open("{"),
    "egroup": lambda reader: reader.close("{"),
    "begingroup": lambda reader: reader.open("{"),
    "endgroup": lambda reader: reader.close("{"),
    "else": _else,
    "or": _or,
    "ifthenelse": _if_then_else,
    "newboolean": _new_boolean,
    "provideboolean": _new_boolean,
    "newbool": _new_boolean,
    "newtoggle": _new_boolean,
    "setboolean": _set_boolean,
    "setbool": _set_boolean,
    "booltrue": _toggle(True),
    "boolfalse": _toggle(False),
    "toggletrue": _toggle(True),
    "togglefalse": _toggle(False),
    **dict.fromkeys(("ifbool", "iftoggle"), _if_toggle),
    **dict.fromkeys(("notbool", "nottoggle"), _not_toggle),
    **dict.fromkeys(("ifblank", "ifstrempty", "ifdefempty", "ifdefvoid"), _if_empty),
    **dict.fromkeys(("@ifundefined", "ifundef", "ifcsundef"), _if_undefined),
    **dict.fromkeys(("ifdef", "ifcsdef"), _if_definition),
    **dict.fromkeys(("@ifstar", "ifstar"), _if_star),
    **dict.fromkeys(("@ifnextchar", "kernel@ifnextchar", "ifnextchar"), _if_next),
    "@ifpackageloaded": lambda reader: _choose(reader, reader.packages.has("".join(reader.source.argument()).strip())),
    **{f"IfValue{ends}": _if_value(True, ends) for ends in ("T", "F", "TF")},
    **{f"IfNoValue{ends}": _if_value(False, ends) for ends in ("T", "F", "TF")},
    **{f"IfBoolean{ends}": _if_star_given(ends) for ends in ("T", "F", "TF")},
    "@firstoftwo": _keep(0),
    "@secondoftwo": _keep(1),
    "@gobble": lambda reader: reader.skip("m"),
    "@gobbletwo": lambda reader: reader.skip("mm"),
}
