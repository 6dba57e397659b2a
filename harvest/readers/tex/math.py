r"""Formulas: the LaTeX between their signs as it stands, with the document's own macros expanded.

What is dropped shows nothing in print: labels, comments, \nonumber. Numbers are put behind the formula as one \tag, so
that a reference to it can be understood and the rows themselves stay as their author wrote them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvest.readers.tex.formulas import joined, quantity
from harvest.readers.tex.names import MATH_ENVIRONMENTS
from harvest.readers.tex.references import Label
from harvest.readers.tex.tokens import BARRIER, PAR
from harvest.readers.tex.wordlists import words

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Interpreter

_DROPPED = dict.fromkeys(("index", "noalign", "vspace"), 1)  # with how many arguments
_DROPPED |= dict.fromkeys(
    words("""
    nonumber notag ensuremath nobreak relax protect xspace centering newline noindent allowdisplaybreaks displaybreak leavevmode vskip par
    global long samepage nolinebreak pagebreak linebreak footnotemark
    """),
    0,
)
_AS_TEXT = words("SI qty num si unit SIrange numrange qtyrange ang SIlist numlist qtylist numprint")
_ACRONYMS = re.compile(r"(?:ac|Ac|gls|Gls|acr|GLS)(?:[sflp]|sp|lp|fp|short|long|full|pl|u|su|text|symbol|xtrshort)?$")
_CONTROL = words("""
def edef gdef xdef newcommand renewcommand providecommand let csname ifthenelse expandafter noexpand begingroup endgroup bgroup egroup
input fi else or @ifstar @ifnextchar @firstoftwo @secondoftwo @gobble hbox
""")
_HIDES_WORDS = re.compile(r"[A-Za-z]{4,}\W+[A-Za-z]{3,}")


@dataclass(slots=True)
class _Row:
    labels: list[str] = field(default_factory=list)
    tag: str = ""
    silent: bool = False


@dataclass(slots=True)
class Formula:
    """What was read: LaTeX (and, behind \\intertext, prose) in pieces, the numbers printed beside it, and whether it was closed."""

    pieces: list[tuple[str, str]]  # ("math" or "text", what it says)
    numbers: list[str]
    closed: bool

    @property
    def text(self) -> str:
        """The formula alone."""
        return " ".join(text for kind, text in self.pieces if kind == "math").strip()


class _Reading:
    """The reading of one formula up to its end."""

    def __init__(self, reader: Interpreter, numbering: str) -> None:
        self.reader, self.numbering = reader, numbering
        self.pieces: list[tuple[str, str]] = []
        self.out: list[str] = []
        self.numbers: list[str] = []
        self.row = _Row()
        self.nested: list[str] = []
        self.own: list[str] = []
        self.depth = 0

    def result(self, *, closed: bool) -> Formula:
        self._end_row(last=True)
        self._end_piece()
        return Formula(self.pieces, self.numbers, closed)

    def read(self, sign_at_end: str, environment: str) -> Formula:
        source = self.reader.source
        while (sign := source.next()) is not None and sign is not BARRIER:
            if sign is PAR:
                if sign_at_end:
                    source.back(sign)
                    return self.result(closed=False)
            elif sign == sign_at_end and self.depth <= 0:
                return self.result(closed=True)
            elif sign == "$$" and sign_at_end == "$" and self.depth <= 0:
                source.back("$")
                return self.result(closed=True)
            elif sign == "\\end":
                if (closed := self._end(environment)) is not None:
                    return self.result(closed=closed)
            elif sign[0] == "\\":
                self._command(sign)
            elif sign == "}" and self.depth <= 0 and not self.nested:
                if sign_at_end:
                    source.back(sign)
                    return self.result(closed=False)
            else:
                self.depth += (sign == "{") - (sign == "}")
                self.out.append(sign)
        if sign is not None:
            source.back(sign)
        return self.result(closed=False)

    # ---- environments inside

    def _begin(self) -> None:
        reader = self.reader
        name = _word(reader.source.argument())
        if name in reader.macros.environments:
            self.own.append(name)
            reader.macros.expand(reader.macros.environments[name][0], reader.source)
        elif name in ("comment", "tikzpicture"):
            reader.source.raw_until(f"\\end{{{name}}}")
        elif name == "subequations":
            reader.source.push(["\\begin", "{", name, "}"])
        else:
            self.nested.append(name)
            self.out.append(f"\\begin{{{name}}}")

    def _end(self, environment: str) -> bool | None:
        r"""Behind \end: None if the formula goes on, else whether this was its own end."""
        reader = self.reader
        name = _word(reader.source.argument())
        if self.own and name == self.own[-1]:
            self.own.pop()
            reader.source.push(list(reader.macros.environments[name][1]))
            return None
        if name in reader.macros.environments and any(group.name == "own " + name for group in reader.groups):
            reader.source.push([*reader.macros.environments[name][1], "\\end", "{", "own " + name, "}"])
            return None
        if self.nested:
            self.nested.pop()
            self.out.append(f"\\end{{{name}}}")
            return None
        if name != environment:
            reader.source.push(["\\end", "{", name, "}"])
        return name == environment

    # ---- rows, labels and numbers

    def _end_row(self, *, last: bool = False) -> None:
        if self.numbering != "rows" and not last:
            return
        row, counters = self.row, self.reader.counters
        numbered = bool(self.numbering) and not row.silent and not (last and self.numbering == "rows" and self._row_is_empty())
        if row.tag:
            number = row.tag
        elif numbered:
            counters.step("equation")
            number = self.reader.printed("equation")
        else:
            number = ""
        if number:
            self.numbers.append(number)
        for name in row.labels:
            self.reader.references.label(name, Label("equation", number) if number else None)
        self.row = _Row()

    def _row_is_empty(self) -> bool:
        """Whether nothing follows the last `\\\\`, where LaTeX numbers nothing that a reader would miss."""
        for part in reversed(self.out):
            if part == "\\\\":
                return True
            if part.strip():
                return False
        return False

    def _end_piece(self) -> None:
        if text := joined(self.out):
            self.pieces.append(("math", text))
        self.out.clear()

    # ---- commands

    def _command(self, sign: str) -> None:
        reader = self.reader
        name, builtin = reader.macros.meaning(sign[1:])
        if not builtin and name in reader.macros.commands:
            reader.macros.expand(reader.macros.commands[name], reader.source)
        elif name == "begin":
            self._begin()
        elif name == "\\":
            self.out.append("\\\\")
            if not self.nested and self.depth <= 0:
                self._end_row()
        elif name in ("label", "tag", "nonumber", "notag", "intertext", "shortintertext", "footnote", "footnotetext"):
            self._beside(name)
        elif name in _DROPPED:
            reader.source.star()
            for _ in range(_DROPPED[name]):
                reader.source.argument()
        elif name in _CONTROL or reader.is_condition(name):
            reader.command(name)
        else:
            self.out += self._kept(name)

    def _beside(self, name: str) -> None:
        """What stands beside a formula: labels, numbers, prose between its rows."""
        reader = self.reader
        if name in ("nonumber", "notag"):
            self.row.silent = True
        elif name == "tag":
            bare = reader.source.star()
            text = reader.inline(reader.source.argument()).replace("$", "")
            self.row.tag = text.strip("()") if bare else text
        elif name == "label":
            self.row.labels.append("".join(reader.source.argument()))
        elif name.endswith("intertext") and not self.nested:
            self._end_piece()
            self.pieces.append(("text", reader.inline(reader.source.argument())))
        else:
            reader.commands[name](reader) if name in reader.commands else reader.source.argument()

    def _kept(self, name: str) -> list[str]:
        """The LaTeX for a command that stays, or what print shows for one that renders text."""
        reader = self.reader
        if name in ("ref", "eqref", "cref", "Cref", "autoref", "subref"):
            return [reader.inline(["\\" + name, "{", *reader.source.argument(), "}"])]
        if name.startswith("cite"):
            option = reader.source.option()
            note = ["[", *option, "]"] if option else []
            return ["\\text{", reader.inline(["\\" + name, *note, "{", *reader.source.argument(), "}"]), "}"]
        if name in _AS_TEXT and not (name == "qty" and reader.source.peek() not in ("{", "[")):  # physics has a \qty of its own
            return quantity(reader.quantity(name))
        if name in reader.commands and _ACRONYMS.match(name):
            return ["\\text{", reader.inline(["\\" + name, "{", *reader.source.argument(), "}"]), "}"]
        if name in ("phantom", "hphantom", "vphantom"):
            inside = reader.source.argument()
            return [] if _HIDES_WORDS.search("".join(inside)) else ["\\" + name, "{", *inside, "}"]
        if name == "textcolor":
            return self._coloured()
        if name.startswith("the") and name[3:] in reader.counters.values:
            return [reader.printed(name[3:])]
        return ["\\" + name]

    def _coloured(self) -> list[str]:
        """Text on its ground: only what cannot be seen is gone."""
        reader = self.reader
        model, colour = reader.source.option(), reader.source.argument()
        if reader.is_white(model, colour):
            reader.conceal("".join(reader.source.argument()), "white")
            return []
        return ["\\textcolor", *(["[", *model, "]"] if model else []), "{", *colour, "}"]


def formula(reader: Interpreter, sign: str = "", environment: str = "") -> Formula:
    r"""Read a formula up to its closing sign (`$`, `$$`, `\)`, `\]`) or the \end of its environment.

    One that is not closed ends with its paragraph.
    """
    numbering = MATH_ENVIRONMENTS[environment][0] if environment else ""
    outer, reader.in_math = reader.in_math, True
    found = _Reading(reader, numbering).read(sign, environment)
    reader.in_math = outer
    return found


def _word(tokens: list[str]) -> str:
    return "".join(tokens).strip()[:60]
