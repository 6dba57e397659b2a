r"""One pass over a LaTeX document: text goes out as paragraphs, commands do what they mean for a reader.

Not TeX: nothing is measured or typeset, catcodes are fixed, and whatever is unknown keeps its arguments. Made to
be indestructible instead: any input ends, in a time linear in its length, with whatever could be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from harvest.readers.extract import Block
from harvest.readers.tex import names
from harvest.readers.tex.flow import DISPLAY, Flow, Table
from harvest.readers.tex.formulas import displayed, tag
from harvest.readers.tex.math import formula
from harvest.readers.tex.quantities import printed_quantity
from harvest.readers.tex.signs import SIGNS, SUBSCRIPTS, SUPERSCRIPTS, SYMBOLS, raised, typed
from harvest.readers.tex.tokens import BARRIER, PAR, OutOfFuel, tokens_of
from harvest.readers.tex.writing import Writer

Command = Callable[["Interpreter"], None]
_MAX_NESTING = 30  # of texts inside texts: a footnote in a caption in a cell
# Environments that macros open by their inner names: \def\be{\equation}.
_AS_COMMANDS = frozenset(names.MATH_ENVIRONMENTS) | names.LISTS | frozenset(("tabular", "acknowledgments", "acknowledgements"))
_WORDS_ONLY = re.compile(r"^(?:\\(?:underline|boxed|fbox)\s*\{\s*)*\\(?:mbox|text|hbox|textrm|textbf|textit|textsf)\s*\{([^$^_&]*?)\}+$")
_RAISED = re.compile(r"^(?:\{\})?([\^_])\s*(?:\{\s*|(?=.$))([-+−\d.]+)\s*\}?$")
_DIMENSION = re.compile(
    r"\{\s*[-+]?\s*(?:\d+\.?\d*|\.\d+)\s*(?:cm|mm|pt|in|em|ex|pc|bp|sp|\\(?:text|line|column|paper)(?:width|height))\s*\}"
)
_SETTINGS = re.compile(r"\s*[\w-]+\s*=|\s*[-\d.]+\s*(?:cm|mm|pt|em|ex|in)?\s*$|\s*[htbpH!lrc,]*\s*$")


class Interpreter(Writer):
    """The reading of one document; `read` gives its blocks. `commands` and `environments` say what each name does."""

    def read(self) -> list[Block]:
        """Read to the end; returns headings and paragraphs in the order of the document, marks still in them."""
        try:
            self.run()
        except OutOfFuel:
            self._without_macros()
        while len(self.flows) > 1:
            self.close_flow()
        self.flow.paragraph()
        if self.hidden_letters:
            self.warnings.append(f"{self.hidden_letters} characters of invisible text were dropped")
        return self.front + self.flow.blocks

    def _without_macros(self) -> None:
        """Macros that never end: forget them all and read on, once."""
        self.warnings.append("the macros of this document seem to expand without end; from there on they were ignored")
        self.macros.clear()
        self.source.drop_lists()
        while len(self.flows) > 1:
            self.close_flow()
        self.nesting, self.in_math = 0, False
        self.source.fuel = 1_000_000
        try:
            self.run()
        except OutOfFuel:
            self.warnings.append("the reading was given up before the end of the document")

    def run(self) -> None:
        """Read up to the next barrier or the end."""
        while (sign := self.source.next()) is not None and sign is not BARRIER:
            if sign is PAR:
                self.paragraph()
            elif sign[0] == "\\":
                self.command(sign[1:])
            elif sign == "{":
                self.open("{")
            elif sign == "}":
                self.close("{")
            elif sign[0] == "$":
                self.math(sign)
            elif sign == "&":
                self.next_cell()
            elif sign == "~":
                self.write(" ")
            elif sign[0] != "#":
                self.write(sign if self.typewriter else typed(sign))

    # ---- texts inside texts

    def inline(self, tokens: list[str]) -> str:
        """The text of some tokens as one line; footnotes and floats in it wait for the paragraph around."""
        if self.nesting >= _MAX_NESTING or not tokens:
            return ""
        self.nesting += 1
        flow = Flow()
        depth, around = len(self.groups), self.flow
        self.flows.append(flow)
        height = len(self.flows)
        self.source.push([BARRIER])
        self.source.push(tokens)
        self.run()
        while len(self.flows) > height:
            self.close_flow()
        del self.groups[depth:]
        del self.flows[height - 1 :]
        self.nesting -= 1
        around.waiting += flow.waiting
        flow.waiting.clear()
        return flow.line()

    def inline_text(self, text: str) -> str:
        """The text of some LaTeX as one line."""
        return self.inline(tokens_of(text))

    def quantity(self, name: str) -> str:
        """What a command for a number with its unit prints."""
        return printed_quantity(self, name)

    def end_input(self) -> None:
        r"""\endinput: leave the file being read."""
        self.source.end_file()

    # ---- commands

    def command(self, name: str) -> None:
        """Do what a command says."""
        if name[:1].isalpha() and not self.in_math:
            self.source.skip_space()
        name, builtin = self.macros.meaning(name)
        macros = self.macros
        if not builtin and name in macros.commands:
            macros.expand(macros.commands[name], self.source)
        elif name in self.commands:
            self.commands[name](self)
        elif name in SYMBOLS:
            self.write(SYMBOLS[name])
        elif name in names.ARGUMENTS:
            self.skip(names.ARGUMENTS[name])
        elif name in names.LENGTHS or name in self.lengths:
            self.source.assignment()
        elif self.is_condition(name):
            self.condition(name)
        elif not self.set_condition(name):
            self._unknown(name)

    def skip(self, pattern: str) -> None:
        """Read past arguments, by a pattern of names.ARGUMENTS."""
        for sign in pattern:
            if sign == "*":
                self.source.star()
            elif sign == "o":
                self.source.option()
            elif sign == "p":
                self.source.delimited("(", ")")
            else:
                self.source.argument()

    def _unknown(self, name: str) -> None:
        """Its arguments are text; an option right behind it is not, if it holds settings or an argument follows."""
        if name.startswith("the") and name[3:] in self.counters.values:
            self.write(self.printed(name[3:]))
            return
        if name.removeprefix("end") in _AS_COMMANDS:
            ends = name not in _AS_COMMANDS
            self.source.push(["\\end" if ends else "\\begin", "{", name.removeprefix("end") if ends else name, "}"])
            return
        if name.isalpha():
            self.skip_settings()
        self.argument_follows = self.source.follows("{")

    def skip_settings(self) -> None:
        """Read past options that hold settings or are followed by an argument, and arguments that are lengths."""
        option = self.source.option() if self.source.follows("[") else None
        while option is not None and self.source.follows("[") and self.source.option() is not None:
            pass
        while self.source.skip_match(_DIMENSION):
            pass
        if option is not None and not self.source.follows("{") and not _SETTINGS.match("".join(option)):
            self.source.push(["[", *option, "]"])

    # ---- conditions

    def condition(self, name: str) -> None:
        r"""\if...: what is known to be false is skipped, everything else is read."""
        if self.holds(name) is False:
            self.skip_branch()

    def holds(self, name: str) -> bool | None:
        """Whether a condition holds, as far as can be told; its operands are consumed."""
        test = self.tests.get(name)
        return test(self) if test else self.macros.conditions.get(name)

    def set_condition(self, name: str) -> bool:
        r"""\footrue and \foofalse of a condition \iffoo; False if it is no such command."""
        for ending in ("true", "false"):
            if name.endswith(ending) and "if" + name.removesuffix(ending) in self.macros.conditions:
                self.macros.conditions["if" + name.removesuffix(ending)] = ending == "true"
                return True
        return False

    def skip_branch(self, *, to_or: bool = False) -> str:
        r"""Read past everything up to the \else or \fi (or \or) of this condition; returns which it was."""
        depth = 0
        while (sign := self.source.next()) is not None:
            if sign is BARRIER:
                self.source.back(sign)
                return "fi"
            word = sign[1:] if sign[0] == "\\" else ""
            if word and self.is_condition(word):
                depth += 1
            elif word == "fi":
                if not depth:
                    return word
                depth -= 1
            elif not depth and (word == "else" or (word == "or" and to_or)):
                return word
        return "fi"

    # ---- formulas

    def math(self, sign: str) -> None:
        r"""A formula that ends with `$`, `$$`, `\)`, `\]`."""
        found = formula(self, sign)
        if not found.text:
            return
        if not found.closed:  # a stray dollar sign: what follows is text
            self.write(("\\$" if sign[0] == "$" else "") + re.sub(r"\\[A-Za-z]+|[{}]", " ", found.text))
        elif sign in ("$", "\\)"):
            self.write(self._small(found.text))
        else:
            self.display(found.pieces, found.numbers)

    def _small(self, text: str) -> str:
        """A formula inside a line; one that is only a raised number, a sign or words is written as such."""
        if words := _WORDS_ONLY.match(text):
            return self.inline_text(words[1])
        if raised_text := _RAISED.match(text):
            return raised(raised_text[2], SUPERSCRIPTS if raised_text[1] == "^" else SUBSCRIPTS, raised_text[1])
        if text == "\\mu" and self.source.follows_letter():
            return "µ"
        return SIGNS.get(text, f"${text}$")

    def display(self, pieces: list[tuple[str, str]], numbers: list[str], environment: str = "") -> None:
        """A displayed formula, on a line of its own inside its paragraph; prose between its rows stays prose."""
        last = max((place for place, (kind, _) in enumerate(pieces) if kind == "math"), default=-1)
        for place, (kind, text) in enumerate(pieces):
            if kind == "text" or isinstance(self.flows[-1], Table) or self.nesting:
                self.write(text if kind == "text" else f"${text}$")
            else:
                self.write(f"{DISPLAY}$$ {displayed(text, environment)}{tag(numbers) if place == last else ''} $${DISPLAY}")


def commands_of(*tables: Mapping[str, Command]) -> dict[str, Command]:
    """One table out of several; no name may stand in two of them."""
    whole: dict[str, Command] = {}
    for table in tables:
        if twice := whole.keys() & table.keys():
            raise AssertionError(f"defined twice: {sorted(twice)}")
        whole.update(table)
    return whole
