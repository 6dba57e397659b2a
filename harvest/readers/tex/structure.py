r"""Commands that make the shape of a document: title, sections, abstract, captions, footnotes, files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.readers.extract import Block
from harvest.readers.source import SourceTree
from harvest.readers.tex import names
from harvest.readers.tex.counters import SECTIONS
from harvest.readers.tex.macros import Macro
from harvest.readers.tex.references import Label
from harvest.readers.tex.tokens import BARRIER, PAR

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

_ENGLISH_NAMES = {"lstlisting": "listing", "subfigure": "figure", "subtable": "table"}
_MARKED = re.compile(r"\s*\[[\d, ]+\]$|[\s∗*†‡]+$")
_LONGEST_NAME = 8  # letters of "Fig." or "Table" in another language
_PACKAGE_BYTES = 200_000  # of a style file that is read for its macros


def _section(level: int, name: str) -> Command:
    def run(reader: Interpreter) -> None:
        starred = reader.source.star()
        reader.source.option()
        tokens = reader.source.argument()
        if not starred and name in SECTIONS and level <= reader.counters.values["secnumdepth"]:
            top = "chapter" if reader.counters.chapters else "section"
            kind = "appendix" if reader.counters.appendix and name == top else name
            number = reader.number(name, kind)
        else:
            kind, number = reader.references.now.kind, reader.references.now.number
        title = reader.inline(tokens)
        reader.references.now = Label(kind, number, title)
        reader.heading(title, level)

    return run


def _title(reader: Interpreter) -> None:
    reader.source.option()
    title = reader.inline(reader.source.argument())
    reader.flow.waiting.clear()  # thanks and footnotes of a title are about its authors
    reader.title = reader.title or _MARKED.sub("", title)


def _abstract(reader: Interpreter) -> None:
    r"""\abstract{...}: aastex and jhep give it as a command, often before the document begins."""
    text = reader.inline(reader.source.argument())
    if text:
        reader.front += [Block(reader.word("abstract"), 3), Block(text)]


def _keywords(reader: Interpreter) -> None:
    text = reader.inline(reader.source.argument())
    if text and not reader.hidden:
        block = Block(f"{reader.word('keywords').capitalize()}: {text}")
        if any(group.name == "document" for group in reader.groups):
            reader.flow.waiting.append(block)
        else:
            reader.front.append(block)


def _appendix(reader: Interpreter) -> None:
    reader.counters.begin_appendix()


# ---- captions and footnotes


def caption_label(reader: Interpreter, counter: str) -> str:
    """What is printed before a caption: Figure 3, Table II, (a) below a part of a figure."""
    number = reader.number(counter)
    if counter in ("subfigure", "subtable"):
        whole = reader.counters.values[counter[3:]] + 1  # its own caption usually comes behind the parts
        reader.references.now = Label(counter, f"{_above(reader, counter[3:], whole)}{number}")
        return f"({number})"
    return f"{reader.word(_ENGLISH_NAMES.get(counter, counter))} {number}:"


def _above(reader: Interpreter, counter: str, value: int) -> str:
    """The number that a float will have (its parts are labelled before its caption is reached)."""
    before = reader.counters.values[counter]
    reader.counters.values[counter] = value if not reader.captioned else before
    number = reader.printed(counter)
    reader.counters.values[counter] = before
    return number


def captioned(reader: Interpreter, counter: str, tokens: list[str], *, numbered: bool = True) -> None:
    """A caption waits for the end of its paragraph; the label inside it names the float."""
    label = caption_label(reader, counter) if numbered else f"{reader.word(_ENGLISH_NAMES.get(counter, counter))}:"
    reader.captioned = reader.captioned or counter == reader.float
    text = reader.inline(tokens)
    now = reader.references.now
    reader.references.now = Label(now.kind, now.number, text)
    reader.aside(f"{label} {text}" if text else "")


def _caption(reader: Interpreter) -> None:
    numbered = not reader.source.star()
    reader.source.option()
    captioned(reader, reader.float, reader.source.argument(), numbered=numbered)


def _caption_of(reader: Interpreter) -> None:
    numbered = not reader.source.star()
    kind = "".join(reader.source.argument()).strip()
    reader.source.option()
    captioned(reader, names.FLOATS.get(kind, "figure"), reader.source.argument(), numbered=numbered)


def _caption_in_two_languages(reader: Interpreter) -> None:
    r"""\bicaption[..]{caption}{translation}; an older package has {caption}{Fig.}{translation}."""
    while reader.source.option() is not None:
        pass
    captioned(reader, reader.float, reader.source.argument())
    while reader.source.follows("{"):
        text = reader.inline(reader.source.argument())
        reader.aside(text if " " in text or len(text) > _LONGEST_NAME else "")


def _subcaption(reader: Interpreter) -> None:
    reader.source.star()
    part = "subtable" if reader.float == "table" else "subfigure"
    captioned(reader, part, reader.source.argument())


def _subfloat(reader: Interpreter) -> None:
    r"""\subfloat[caption]{...} and \subfigure[caption]{...}."""
    reader.source.star()
    first, second = reader.source.option(), reader.source.option()
    caption = second if second is not None else first
    part = "subtable" if reader.float == "table" else "subfigure"
    if caption is not None:
        captioned(reader, part, caption)
    else:
        caption_label(reader, part)


def _footnote(reader: Interpreter) -> None:
    number = reader.source.option()
    printed = "".join(number) if number else reader.number("footnote")
    outer = reader.references.now
    reader.references.now = Label("footnote", printed)
    text = reader.inline(reader.source.argument())
    reader.references.now = outer
    reader.aside(f"{reader.word('footnote')}: {text}" if text else "")


def _footnote_mark(reader: Interpreter) -> None:
    if reader.source.option() is None:
        reader.number("footnote")


def _footnote_text(reader: Interpreter) -> None:
    number = reader.source.option()
    printed = "".join(number) if number else reader.printed("footnote")
    outer, reader.references.now = reader.references.now, Label("footnote", printed)
    text = reader.inline(reader.source.argument())
    reader.references.now = outer
    reader.aside(f"{reader.word('footnote')}: {text}" if text else "")


# ---- files


def _input(reader: Interpreter) -> None:
    sign = reader.source.next_solid()
    if sign == "{":
        name = "".join(reader.source.group()).strip()
    else:  # TeX's own: the name ends at a space
        name = ""
        while sign is not None and sign not in (" ", PAR, BARRIER, "}") and sign[0] != "\\":
            name += sign
            sign = reader.source.next()
        if sign is not None:
            reader.source.back(sign)
    reader.include(name)


def _input_if_exists(reader: Interpreter) -> None:
    name = "".join(reader.source.argument()).strip()
    there, otherwise = reader.source.argument(), reader.source.argument()
    found = reader.tree.find(name, reader.main) is not None
    reader.source.push(there if found else otherwise)
    if found:
        reader.include(name)


def _import(reader: Interpreter) -> None:
    reader.source.star()
    folder = "".join(reader.source.argument()).strip()
    reader.include(f"{folder.rstrip('/')}/{''.join(reader.source.argument()).strip()}")


def _package(reader: Interpreter) -> None:
    """Note a package and its options, and take over the macros of one that lies in the source tree."""
    options = "".join(reader.source.option() or [])
    for name in "".join(reader.source.argument()).split(","):
        _load(reader, name.strip(), options, ".sty")
    reader.source.option()


def _class(reader: Interpreter) -> None:
    options = "".join(reader.source.option() or [])
    name = "".join(reader.source.argument()).strip()
    reader.citations.by_class(name.lower(), options.replace(" ", ""))
    _load(reader, name, options, ".cls")
    reader.source.option()


def _load(reader: Interpreter, name: str, options: str, ending: str) -> None:
    reader.packages.options[name] = f"{reader.packages.options.get(name, '')},{options}"
    if name == "natbib":
        reader.citations.author_year = not re.search(r"\b(?:numbers|super)\b", options) and reader.citations.author_year is not False
    elif name == "biblatex" and (style := re.search(r"(?:cite)?style\s*=\s*([\w-]+)", options)):
        reader.citations.author_year = re.match(r"author|apa|chicago|mla", style[1]) is not None
    elif name == "cleveref":
        reader.references.capitalise = "capitali" in options
        reader.references.in_full = "noabbrev" in options
    if (path := reader.tree.find(name + ending, reader.main)) and len(reader.tree.files[path]) <= _PACKAGE_BYTES:
        _take_macros(reader, path)


def _take_macros(reader: Interpreter, path: str) -> None:
    """The macros of a style file that users could have typed themselves (no internal @ names)."""
    if "ProvidesPackage" in reader.tree.files[path] and "ctan" in reader.tree.files[path].lower():
        return  # a copy of a public package, whose commands are known
    inner = type(reader)(SourceTree({path: reader.tree.files[path]}), path, reader.knowledge)
    inner.source.fuel = 20_000 + len(reader.tree.files[path])  # enough to read its definitions, not to run its loops
    inner.read()
    known = reader.commands.keys() | names.ARGUMENTS.keys() | reader.environments.keys()
    for name, macro in inner.macros.commands.items():
        internal = "@" in name or any("@" in sign and sign[0] == "\\" for sign in macro.body)
        if not internal and name not in known:
            reader.macros.commands[name] = macro
        elif "@" not in name and name not in known and not macro.parameters and macro.body[:1] == ("\\def",):
            reader.macros.commands[name] = Macro((), ())  # it only changes how something is set
    for name, (before, after) in inner.macros.environments.items():
        if name not in reader.environments and not any("@" in sign for sign in (*before.body, *after)):
            reader.macros.environments[name] = before, after
    reader.theorems.update(inner.theorems)
    reader.packages.options.update(inner.packages.options)
    if inner.citations.author_year is not None and reader.citations.author_year is None:
        reader.citations.author_year = inner.citations.author_year


COMMANDS: dict[str, Command] = {
    **{name: _section(level, name) for name, level in names.SECTIONS.items()},
    "title": _title,
    "abstract": _abstract,
    "keywords": _keywords,
    "keyword": _keywords,
    "kwd": _keywords,
    "appendix": _appendix,
    "appendices": _appendix,
    **dict.fromkeys(("caption", "figcaption", "tablecaption", "tabcaption", "topcaption", "bottomcaption", "tbl"), _caption),
    "captionof": _caption_of,
    "bicaption": _caption_in_two_languages,
    "subcaption": _subcaption,
    "subfloat": _subfloat,
    "subfigure": _subfloat,
    "subtable": _subfloat,
    "subcaptionbox": _caption,
    **dict.fromkeys(("footnote", "endnote", "sidenote", "tfootnote", "blfootnote"), _footnote),
    **dict.fromkeys(("footnotemark", "endnotemark"), _footnote_mark),
    **dict.fromkeys(("footnotetext", "endnotetext", "tablenotetext", "tnote"), _footnote_text),
    **dict.fromkeys(("input", "include", "subfile", "subfileinclude", "@input"), _input),
    "InputIfFileExists": _input_if_exists,
    "import": _import,
    "subimport": _import,
    "endinput": lambda reader: reader.end_input(),
    "usepackage": _package,
    "RequirePackage": _package,
    "documentclass": _class,
    "LoadClass": _class,
}
