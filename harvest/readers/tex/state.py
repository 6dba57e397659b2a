"""What the interpreter knows while it reads: files, macros, counters, where text goes, what has been seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvest.readers.extract import Block
from harvest.readers.source import SourceTree
from harvest.readers.tex import names
from harvest.readers.tex.acronyms import Acronyms
from harvest.readers.tex.citations import Citations
from harvest.readers.tex.counters import Counters
from harvest.readers.tex.flow import Flow, Table
from harvest.readers.tex.input import Input
from harvest.readers.tex.languages import NAMES, language_of
from harvest.readers.tex.macros import Macros
from harvest.readers.tex.marks import Marks
from harvest.readers.tex.references import Label, References

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Interpreter

_MAX_FILES = 60  # open at once
_MAX_HIDDEN = 50  # texts that are kept for the list of what was hidden


@dataclass(slots=True)
class Group:
    """An open brace or environment: why its text cannot be seen (empty: it can), its font, and what to do at its end."""

    name: str
    hidden: str
    typewriter: bool
    size: int = 0  # of its letters, above that of the text
    argument: bool = False  # of a command that is not known: a second one is a word of its own
    end: Callable[[], None] | None = None


@dataclass(slots=True)
class List:
    """An open list: how its items are marked (None: by a dash), its counter, and whether it runs on in the line."""

    template: str | None = None
    counter: str = "item"
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Language:
    """What commands, environments and conditions do, by name: the knowledge that every reading shares."""

    commands: Mapping[str, Callable[[Interpreter], None]]
    environments: Mapping[str, Callable[[Interpreter, str], None]]
    tests: Mapping[str, Callable[[Interpreter], bool | None]]


@dataclass(slots=True)
class _Packages:
    """The packages a document loads, with their options."""

    options: dict[str, str] = field(default_factory=dict)

    def has(self, *wanted: str) -> bool:
        return any(name in self.options for name in wanted)


class State:
    """The state of the reading of one document."""

    def __init__(self, tree: SourceTree, main: str, language: Language) -> None:
        self.tree, self.main = tree, main
        self.commands, self.environments, self.tests = language.commands, language.environments, language.tests
        self.knowledge = language
        text = tree.files[main]
        self.source: Input = Input(text, main)
        self.marks = Marks()
        self.macros = Macros()
        self.references = References(self.marks)
        self.citations = Citations(self.marks)
        self.acronyms = Acronyms(self.marks)
        self.words = NAMES[language_of(text.partition("\\begin{document}")[0], text)]
        self.counters = Counters(chapters=_has_chapters(tree, main), joint=_joint(text))
        self.packages = _Packages()
        self.flows: list[Flow | Table] = [Flow()]
        self.groups: list[Group] = []
        self.lists: list[List] = []
        self.float = "figure"
        self.captioned = False  # whether the float being read has had its caption
        self.in_math = False
        self.table_head: list[str] = []  # of a deluxetable, until its data begin
        self.cite_aliases: dict[str, str] = {}
        self.title = ""
        self.front: list[Block] = []  # an abstract or keywords given before \begin{document}
        self.bibliographies: list[str] = []  # databases still to be read
        self.lengths: set[str] = set()
        self.units: dict[str, str] = {}  # declared by the document
        self.code_environments: set[str] = set(names.CODE)
        self.list_types: dict[str, str] = {}  # of \newlist: the environment that a list of this name is like
        self.list_labels: dict[str, str] = {}  # of \setlist
        self.ended_lists: dict[str, int] = {}  # the last number of lists, for those that resume them
        self.theorems: dict[str, tuple[str, str]] = {}  # environment to its title and its counter (empty: no number)
        self.pseudocode = ""  # the dialect of the algorithm being read
        self.headed = False  # whether there was a heading
        self.argument_follows = False
        self.large: dict[int, list[str]] = {}  # what is set in large letters before the first heading, by size: a title
        self.white: set[str] = {"white"}
        self.hidden_letters = 0
        self.concealed: list[tuple[str, str]] = []  # reason and text
        self.nesting = 0
        self.warnings: list[str] = []
        self.missing: dict[str, None] = {}

    # ---- where text goes

    @property
    def flow(self) -> Flow:
        """Where text goes now."""
        top = self.flows[-1]
        return top.cell if isinstance(top, Table) else top

    @property
    def hidden(self) -> str:
        """Why the text here cannot be seen in print; empty where it can."""
        return self.groups[-1].hidden if self.groups else ""

    @property
    def typewriter(self) -> bool:
        """Whether the font here has no ligatures for dashes and quotation marks."""
        return bool(self.groups) and self.groups[-1].typewriter

    def is_condition(self, name: str) -> bool:
        r"""Whether this is the name of an \if."""
        return name in names.CONDITIONS or name in self.macros.conditions

    def hide(self, reason: str) -> None:
        """From here to the end of the group nothing can be seen."""
        if not self.groups:
            self.groups.append(Group("", "", typewriter=False))
        self.groups[-1].hidden = reason

    def conceal(self, text: str, reason: str) -> None:
        """Note text that print does not show."""
        self.hidden_letters += len(text.strip())
        if text.strip() and len(self.concealed) < _MAX_HIDDEN:
            if self.concealed and self.concealed[-1][0] == reason and len(self.concealed[-1][1]) < 500:
                self.concealed[-1] = (reason, self.concealed[-1][1] + text)
            else:
                self.concealed.append((reason, text[:500]))

    def is_white(self, model: list[str] | None, colour: list[str]) -> bool:
        """Whether a colour is that of the paper."""
        text = "".join(colour).strip().lower()
        if not model:
            return text in self.white or re.fullmatch(r"white!(?:9\d|100)(?:!.*)?", text) is not None
        kind = "".join(model).strip()
        if kind.lower() == "html":
            return text.lstrip("#") == "ffffff"
        values = [float(v) for v in re.findall(r"\d*\.?\d+", text)]
        full = 255.0 if kind == "RGB" else {"cmyk": 0.0}.get(kind.lower(), 1.0)
        return bool(values) and all(abs(value - full) <= 0.04 * max(full, 1.0) for value in values)

    # ---- numbers

    def printed(self, counter: str) -> str:
        """The number of a counter as the document prints it."""
        macro = self.macros.commands.get("the" + counter)
        if macro is not None and self.nesting < 8:
            return self.inline(list(macro.body))
        own, above = self.counters.own(counter), self.counters.above(counter)
        if counter == "equation" and self.counters.parents:
            return self.counters.parents[-1][0] + own
        before = self.printed(above) if above and self.counters.values.get(above) else ""
        joint = self.counters.joint if counter in ("subsection", "subsubsection") else "."
        return f"{before}{joint}{own}" if before else own

    def number(self, counter: str, kind: str = "", title: str = "") -> str:
        """One more of a counter, which the next label names; returns the number printed."""
        self.counters.step(counter)
        number = self.printed(counter)
        self.references.now = Label(kind or counter, number, title)
        return number

    def inline(self, tokens: list[str]) -> str:
        """The text of some tokens as one line."""
        raise NotImplementedError

    def word(self, name: str) -> str:
        r"""A word that LaTeX prints by itself (figure, abstract, ...), as the document's language or its own \figurename has it."""
        macro = self.macros.commands.get({"keywords": "keywordsname", "references": "refname"}.get(name, name + "name"))
        own = self.inline(list(macro.body)).rstrip(" :" if name in ("figure", "table") else " .:") if macro and not macro.parameters else ""
        return (own.capitalize() if own.isupper() and len(own) > 3 else own) or self.words.get(name, name.capitalize())

    # ---- files

    def include(self, name: str) -> bool:
        """Read another file of the source tree here; False if the tree has none of this name."""
        self.source.fuel -= 100
        path = self.tree.find(name, self.main) or self.tree.find(name, self.source.path)
        if path is None:
            if "." not in name or name.endswith(".tex"):
                self.missing.setdefault(name[:80])
            return False
        if path not in self.source.open_files and len(self.source.open_files) < _MAX_FILES:
            self.source.push_file(self.tree.files[path], path)
        return True


_WITHOUT_CHAPTERS = re.compile(
    r"\\documentclass\s*(?:\[[^\]]*\])?\s*\{(?:article|scrartcl|revtex\S*|ctexart|amsart|jacow|IEEEtran|elsarticle|aastex\S*)\}"
)
_INCLUDED = re.compile(r"\\(?:input|include|subfile)\s*\{\s*([^{}]+?)\s*\}")


def _joint(text: str) -> str:
    """What a class with Roman section numbers puts between them and those of subsections: II A, II-A; empty for the others."""
    match = re.search(r"\\documentclass\s*(?:\[[^\]]*\])?\s*\{(revtex|IEEEtran)", text)
    return "" if match is None else " " if match[1] == "revtex" else "-"


def _has_chapters(tree: SourceTree, main: str) -> bool:
    """Whether the document is divided into chapters, so that figures and formulas are numbered by them."""
    text = tree.files[main]
    if _WITHOUT_CHAPTERS.search(text):
        return False
    texts = [text, *(tree.files[path] for name in _INCLUDED.findall(text) if (path := tree.find(name, main)))]
    return any(re.search(r"^[^%\n]*\\chapter\s*[\[{]", text, re.MULTILINE) for text in texts)
