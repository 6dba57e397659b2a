r"""One pass over a LaTeX document: text goes out as paragraphs, commands do what they mean for a reader.

Not TeX: nothing is measured or typeset, catcodes are fixed, and whatever is unknown keeps its arguments. Made to
be indestructible instead: any input ends, in a time linear in its length, with whatever could be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harvest.readers.extract import Block
from harvest.readers.source import SourceTree
from harvest.readers.tex import names
from harvest.readers.tex.flow import DISPLAY, Flow, Table
from harvest.readers.tex.macros import Macros
from harvest.readers.tex.math import aligned, formula
from harvest.readers.tex.references import References
from harvest.readers.tex.tokens import BARRIER, PAR, Input, OutOfFuel

_MAX_NESTING = 30  # of texts inside texts: a footnote in a caption in a cell
_MAX_FILES = 60  # open at once


@dataclass(slots=True)
class Group:
    """An open brace or environment: whether its text can be seen, and what to do at its end."""

    name: str
    hidden: bool
    end: Callable[[], None] | None = None


class Interpreter:
    """The state of the reading of one document; `read` gives its blocks."""

    def __init__(self, tree: SourceTree, main: str, commands: Mapping[str, Callable[[Interpreter], None]]) -> None:
        self.tree, self.main, self.commands = tree, main, commands
        self.source: Input = Input(tree.files[main], main)
        self.macros: Macros = Macros()
        self.references: References = References()
        self.flows: list[Flow | Table] = [Flow()]
        self.groups: list[Group] = []
        self.counters: list[int | None] = []  # of the lists that are open; None where items have no number
        self.title = ""
        self.front: list[Block] = []  # an abstract given before \begin{document}
        self.float = "Figure"
        self.abstract = "摘要" if re.search(r"ctex|xeCJK|CJKutf8|\{CJK\}", tree.files[main][:5000]) else "Abstract"
        self.theorems: dict[str, str] = {}
        self.white: set[str] = {"white"}
        self.hidden_letters = 0
        self.nesting = 0
        self.warnings: list[str] = []
        self.missing: dict[str, None] = {}

    # ---- the pass

    def read(self) -> list[Block]:
        """Read to the end; returns headings and paragraphs in the order of the document."""
        try:
            self.run()
        except OutOfFuel:
            self._without_macros()
        while len(self.flows) > 1:
            self.close_flow()
        flow = self.flow
        flow.paragraph()
        if self.hidden_letters:
            self.warnings.append(f"{self.hidden_letters} characters of invisible text were dropped")
        return self.references.fill(self.front + flow.blocks)

    def _without_macros(self) -> None:
        """Macros that never end: forget them all and read on, once."""
        self.warnings.append("the macros of this document seem to expand without end; from there on they were ignored")
        self.macros.clear()
        self.source.drop_lists()
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
                self.write(_typed(sign))

    @property
    def flow(self) -> Flow:
        """Where text goes now."""
        top = self.flows[-1]
        return top.cell if isinstance(top, Table) else top

    @property
    def hidden(self) -> bool:
        """Whether the text here cannot be seen in print."""
        return bool(self.groups) and self.groups[-1].hidden

    def write(self, text: str) -> None:
        """Add text to the current paragraph, unless it is invisible."""
        if self.hidden:
            self.hidden_letters += len(text.strip())
        else:
            self.flow.write(text)

    def paragraph(self) -> None:
        """A blank line: ends the paragraph, except in a cell of a table."""
        if isinstance(self.flows[-1], Table):
            self.flow.write(" ")
        else:
            self.flow.paragraph()

    def heading(self, title: str, level: int) -> None:
        """A heading, which is one only in the main text."""
        if len(self.flows) == 1 and title:
            self.flow.heading(title, level + 2)
        else:
            self.write(f" {title} ")

    def inline(self, tokens: list[str]) -> str:
        """The text of some tokens as one line; footnotes and floats in it wait for the paragraph around."""
        if self.nesting >= _MAX_NESTING:
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
        self.flows.pop()
        self.nesting -= 1
        around.waiting += flow.waiting
        flow.waiting.clear()
        return flow.line()

    # ---- groups

    def open(self, name: str, end: Callable[[], None] | None = None) -> None:
        """A brace or an environment begins."""
        self.groups.append(Group(name, self.hidden, end))

    def close(self, name: str) -> None:
        """It ends, and with it whatever was left open inside; an end without a beginning is ignored."""
        if name == "{":
            if self.groups and self.groups[-1].name == "{":
                self.groups.pop()
            return
        if not any(group.name == name for group in self.groups[-200:]):
            return
        while (group := self.groups.pop()).name != name:
            if group.end:
                group.end()
        if group.end:
            group.end()

    def hide(self) -> None:
        """From here to the end of the group nothing can be seen."""
        if not self.groups:
            self.open("")
        self.groups[-1].hidden = True

    def open_flow(self, name: str, flow: Flow | Table) -> None:
        """An environment whose text goes elsewhere."""
        self.flows.append(flow)
        self.open(name, self.close_flow)

    def close_flow(self) -> None:
        """Its text goes behind the paragraph around it."""
        if len(self.flows) == 1:
            return
        done = self.flows.pop()
        if isinstance(done, Table):
            self._place_table(done)
            return
        done.paragraph()
        self.flow.waiting += done.blocks

    def _place_table(self, table: Table) -> None:
        table.end_row()
        if not table.rows:
            return
        if isinstance(self.flows[-1], Table) or self.nesting:
            self.flow.write(" " + "; ".join(", ".join(cell for cell in row if cell) for row in table.rows) + " ")
            return
        self.flow.paragraph()
        self.flow.blocks += [Block(table.text()), *table.notes]

    def next_cell(self) -> None:
        """The sign between two cells."""
        top = self.flows[-1]
        if isinstance(top, Table):
            top.end_cell()

    def next_row(self) -> None:
        r"""`\\`: the next row of a table, else a line break, which is a space."""
        self.source.star()
        if (option := self.source.option()) and not re.match(r"[-\d.\\]", "".join(option)):
            self.source.push(["[", *option, "]"])
        top = self.flows[-1]
        if isinstance(top, Table):
            top.end_row()
        else:
            self.write("\n")

    # ---- commands

    def command(self, name: str) -> None:
        """Do what a command says."""
        name = self.macros.aliases.get(name, name)
        macros = self.macros
        if name in macros.commands:
            macros.expand(macros.commands[name], self.source)
        elif name in self.commands:
            self.commands[name](self)
        elif name in names.SYMBOLS:
            self.write(names.SYMBOLS[name])
            self._after_word(name)
        elif name in names.ARGUMENTS:
            self.skip(names.ARGUMENTS[name])
        elif name in names.LENGTHS:
            self.source.assignment()
        elif name in macros.conditions or name in names.CONDITIONS:
            self._condition(name)
        elif not self._sets_condition(name):
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

    def _after_word(self, name: str) -> None:
        """TeX takes the space after a control word away."""
        if name.isalpha() and (sign := self.source.next()) is not None and sign != " ":
            self.source.back(sign)

    def _unknown(self, name: str) -> None:
        """Its arguments are text; an option right behind it is not, if an argument follows."""
        self._after_word(name)
        option = self.source.option()
        if option is not None:
            follows = self.source.next()
            if follows is not None:
                self.source.back(follows)
            if follows != "{":
                self.source.push(["[", *option, "]"])

    def _sets_condition(self, name: str) -> bool:
        for ending in ("true", "false"):
            if name.endswith(ending) and "if" + name.removesuffix(ending) in self.macros.conditions:
                self.macros.conditions["if" + name.removesuffix(ending)] = ending == "true"
                return True
        return False

    def _condition(self, name: str) -> None:
        r"""\if...: what is known to be false is skipped, everything else is read."""
        for _ in range({"ifx": 2, "if": 2, "ifcat": 2, "ifdefined": 1}.get(name, 0)):
            self.source.next_solid()
        if name == "iffalse" or not self.macros.conditions.get(name, True):
            self.skip_branch()

    def skip_branch(self) -> None:
        r"""Read past everything up to the \else or \fi of this condition."""
        depth = 0
        while (sign := self.source.next()) is not None:
            if sign is BARRIER:
                self.source.back(sign)
                return
            word = sign[1:] if sign[0] == "\\" else ""
            if word in names.CONDITIONS or word in self.macros.conditions:
                depth += 1
            elif word == "fi" or (word == "else" and not depth):
                if not depth:
                    return
                depth -= 1

    # ---- files

    def include(self, name: str) -> None:
        """Read another file of the source tree here."""
        self.source.fuel -= 100
        path = self.tree.find(name, self.main) or self.tree.find(name, self.source.path)
        if path is None:
            if "." not in name or name.endswith(".tex"):
                self.missing.setdefault(name[:80])
        elif path not in self.source.open_files and len(self.source.open_files) < _MAX_FILES:
            self.source.push_file(self.tree.files[path], path)

    def package(self, path: str) -> None:
        """Take over the macros of a package that users could have typed themselves (no internal @ names)."""
        reader = Interpreter(SourceTree({path: self.tree.files[path]}), path, self.commands)
        reader.read()
        public = {k: m for k, m in reader.macros.commands.items() if "@" not in k and not any("@" in t and t[0] == "\\" for t in m.body)}
        self.macros.commands.update({k: m for k, m in public.items() if k not in self.commands and k not in names.ARGUMENTS})

    # ---- formulas

    def math(self, ending: str) -> None:
        r"""A formula that ends with `$`, `$$`, `\)`, `\]`."""
        text, closed = formula(self.source, self.macros, self.references, ending)
        if not text:
            return
        if not closed:  # a stray dollar sign: what follows is text
            self.write(("$" if ending[0] == "$" else "") + re.sub(r"\\[A-Za-z]+|[{}]", " ", text))
        elif ending in ("$", "\\)"):
            self.write(f"${text}$")
        else:
            self.display(text)

    def display(self, text: str) -> None:
        """A displayed formula, on a line of its own inside its paragraph."""
        if isinstance(self.flows[-1], Table) or self.nesting:
            self.write(f"${text}$")
        elif text:
            self.write(f"{DISPLAY}$$ {aligned(text)} $${DISPLAY}")


def _typed(text: str) -> str:
    """The signs that TeX's fonts make of what is typed."""
    if "-" in text and "--" in text:
        text = text.replace("---", "—").replace("--", "–")
    if "`" in text:
        text = text.replace("``", "“").replace("`", "'")
    return text.replace("''", "”") if "''" in text else text
