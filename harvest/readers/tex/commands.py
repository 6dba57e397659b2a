r"""What each command that the interpreter itself understands does: a table from name to function."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

from harvest.readers.extract import Block
from harvest.readers.tex import names
from harvest.readers.tex.environments import begin, end
from harvest.readers.tex.math import quantity
from harvest.readers.tex.tokens import BARRIER, PAR

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Interpreter

Command = Callable[["Interpreter"], None]
_LETTERS = {"i": "ı", "j": "ȷ"}


def _text_of(tokens: list[str]) -> str:
    return "".join(tokens).strip()


# ---- structure


def _section(level: int, name: str) -> Command:
    def run(reader: Interpreter) -> None:
        starred = reader.source.star()
        reader.source.option()
        title = reader.inline(reader.source.argument())
        if not starred and level < 4:
            reader.references.section(level)
        reader.heading(title, level)

    run.__name__ = name
    return run


def _title(reader: Interpreter) -> None:
    reader.source.option()
    title = reader.inline(reader.source.argument())
    reader.flow.waiting.clear()  # thanks and footnotes of a title are about its authors
    reader.title = reader.title or re.sub(r"\s*\[[\d, ]+\]$|[\s∗*†]+$", "", title)


def _abstract(reader: Interpreter) -> None:
    """\\abstract{...}: aastex and jhep give it as a command, often before the document begins."""
    text = reader.inline(reader.source.argument())
    if text:
        reader.front += [Block(reader.abstract, 3), Block(text)]


def _caption(reader: Interpreter) -> None:
    reader.source.star()
    reader.source.option()
    _captioned(reader, reader.float)


def _caption_of(reader: Interpreter) -> None:
    reader.source.star()
    kind = _text_of(reader.source.argument())
    reader.source.option()
    _captioned(reader, names.FLOATS.get(kind, "Figure"))


def _captioned(reader: Interpreter, kind: str) -> None:
    reader.references.count(kind.lower())
    text = reader.inline(reader.source.argument())
    if text and not reader.hidden:
        _aside(reader, f"{kind}: {text}")


def _footnote(reader: Interpreter) -> None:
    reader.source.option()
    reader.references.count("footnote")
    text = reader.inline(reader.source.argument())
    if text and not reader.hidden:
        _aside(reader, text)


def _aside(reader: Interpreter, text: str) -> None:
    """A paragraph of its own behind the current one (or the current table)."""
    reader.flow.waiting.append(Block(text))


def _item(reader: Interpreter) -> None:
    option = reader.source.option()
    label = reader.inline(option) if option else ""
    flow = reader.flow
    flow.paragraph()
    if not reader.counters:
        reader.counters.append(None)
    number = reader.counters[-1]
    if number is not None and not label:
        reader.counters[-1] = number + 1
        reader.references.count("item")
        flow.lead = f"{number + 1}. "
    else:
        flow.lead = f"- {label}{'' if not label or label[-1] in ':.)' else ':'} " if label else "- "


def _input(reader: Interpreter) -> None:
    sign = reader.source.next_solid()
    if sign == "{":
        name = _text_of(reader.source.group())
    else:  # TeX's own: the name ends at a space
        name = ""
        while sign is not None and sign not in (" ", PAR, BARRIER, "}") and sign[0] != "\\":
            name += sign
            sign = reader.source.next()
        if sign is not None:
            reader.source.back(sign)
    reader.include(name)


def _import(reader: Interpreter) -> None:
    folder = _text_of(reader.source.argument())
    reader.include(f"{folder.rstrip('/')}/{_text_of(reader.source.argument())}")


# ---- words


def _accent(mark: str) -> Command:
    def run(reader: Interpreter) -> None:
        letters = "".join(_LETTERS.get(t[1:], "") if t[0] == "\\" else t for t in reader.source.argument() if t not in "{}")
        base = {"ı": "i", "ȷ": "j"}.get(letters[:1], letters[:1])
        if base.strip():
            reader.write(unicodedata.normalize("NFC", base + mark) + letters[1:])

    return run


def _cite(reader: Interpreter) -> None:
    reader.source.star()
    first, second = reader.source.option(), reader.source.option()
    before = reader.inline(first) if first and second is not None else ""
    last = first if second is None else second
    after = reader.inline(last) if last else ""
    reader.write(reader.references.cite(_text_of(reader.source.argument()), before, after))


def _reference(style: str) -> Command:
    def run(reader: Interpreter) -> None:
        reader.source.star()
        reader.write(reader.references.reference(_text_of(reader.source.argument()), style))

    return run


def _label(reader: Interpreter) -> None:
    reader.references.label(_text_of(reader.source.argument()))


def _raised(table: dict[int, int], sign: str) -> Command:
    def run(reader: Interpreter) -> None:
        text = reader.inline(reader.source.argument())
        moved = text.translate(table)
        reader.write(
            moved
            if text and all(a != b for a, b in zip(text, moved, strict=True))
            else (f"{sign}{text}" if re.fullmatch(r"[-+−]?[\d.]+", text) else text)
        )

    return run


def _verb(reader: Interpreter) -> None:
    reader.source.star()
    sign = reader.source.raw_sign()
    text = reader.source.raw_until(sign) if sign else None
    if text is not None and "\n" not in text:
        reader.write(text)
    elif text:
        reader.source.push_file(text, reader.source.path)


def _listing(reader: Interpreter) -> None:
    reader.source.option()
    _verb(reader)


def _line_break(reader: Interpreter) -> None:
    reader.source.option()
    reader.write("\n")


def _quantity(name: str) -> Command:
    def run(reader: Interpreter) -> None:
        reader.write(quantity(name, reader.source))

    return run


def _url(reader: Interpreter) -> None:
    reader.source.option()
    reader.write("".join(reader.source.argument()).replace("\\", ""))


def _tex_or_pdf(reader: Interpreter) -> None:
    kept = reader.source.argument()
    reader.source.argument()
    reader.source.push(kept)


# ---- colour and size: what cannot be seen is not read


def _is_white(reader: Interpreter, model: list[str] | None, colour: list[str]) -> bool:
    text = _text_of(colour).lower()
    if not model:
        return text in reader.white or re.fullmatch(r"white!(?:9\d|100)(?:!.*)?", text) is not None
    kind = _text_of(model).lower()
    if kind in ("html",):
        return text.lstrip("#") == "ffffff"
    values = [float(v) for v in re.findall(r"\d*\.?\d+", text)]
    full = {"rgb": 1.0, "gray": 1.0, "cmyk": 0.0}.get(kind, 1.0)
    if _text_of(model) == "RGB":
        full = 255.0
    return bool(values) and all(abs(value - full) <= 0.04 * max(full, 1.0) for value in values)


def _text_colour(reader: Interpreter) -> None:
    model = reader.source.option()
    if not _is_white(reader, model, reader.source.argument()):
        return
    reader.open("{")
    reader.hide()
    reader.source.push(["{", *reader.source.argument(), "}", "}"])


def _colour(reader: Interpreter) -> None:
    model = reader.source.option()
    white = _is_white(reader, model, reader.source.argument())
    if white:
        reader.hide()
    elif reader.groups and reader.groups[-1].hidden:
        reader.groups[-1].hidden = False


def _define_colour(reader: Interpreter) -> None:
    name, model, value = (reader.source.argument() for _ in range(3))
    if _is_white(reader, model, value):
        reader.white.add(_text_of(name).lower())


def _font_size(reader: Interpreter) -> None:
    size = re.match(r"\s*(\d*\.?\d+)", _text_of(reader.source.argument()))
    reader.source.argument()
    if size and float(size[1]) < 3:
        reader.hide()


# ---- definitions and flow of control


def _theorem(reader: Interpreter) -> None:
    reader.source.star()
    name = _text_of(reader.source.argument())
    reader.source.option()
    reader.theorems[name] = reader.inline(reader.source.argument())
    reader.source.option()


def _if_then_else(reader: Interpreter) -> None:
    reader.source.argument()
    kept = reader.source.argument()
    reader.source.argument()
    reader.source.push(kept)


def _end_input(reader: Interpreter) -> None:
    reader.source.end_file()


def _package(reader: Interpreter) -> None:
    """The macros of a package that lies in the source tree."""
    reader.source.option()
    for name in _text_of(reader.source.argument()).split(","):
        path = reader.tree.find(f"{name.strip()}.sty", reader.main)
        if path:
            reader.package(path)


def _csname(reader: Interpreter) -> None:
    name = ""
    while (sign := reader.source.next()) is not None and sign not in ("\\endcsname", BARRIER, PAR):
        name += sign
    if sign in (BARRIER, PAR):
        reader.source.back(str(sign))
    if name.isalpha():
        reader.source.push(["\\" + name])


COMMANDS: dict[str, Command] = {
    "begin": begin,
    "end": end,
    "title": _title,
    "abstract": _abstract,
    "caption": _caption,
    "captionof": _caption_of,
    "figcaption": _caption,
    "tablecaption": _caption,
    "tabcaption": _caption,
    "footnote": _footnote,
    "footnotetext": _footnote,
    "tablenotetext": _footnote,
    "item": _item,
    "input": _input,
    "include": _input,
    "subfile": _input,
    "import": _import,
    "subimport": _import,
    "InputIfFileExists": _input,
    "endinput": _end_input,
    "usepackage": _package,
    "label": _label,
    "verb": _verb,
    "lstinline": _listing,
    "url": _url,
    "path": _url,
    "nolinkurl": _url,
    "texorpdfstring": _tex_or_pdf,
    "textsuperscript": _raised(names.SUPERSCRIPTS, "^"),
    "textsubscript": _raised(names.SUBSCRIPTS, "_"),
    "textcolor": _text_colour,
    "color": _colour,
    "definecolor": _define_colour,
    "fontsize": _font_size,
    "newtheorem": _theorem,
    "newcommand": lambda reader: reader.macros.newcommand(reader.source),
    "renewcommand": lambda reader: reader.macros.newcommand(reader.source),
    "DeclareRobustCommand": lambda reader: reader.macros.newcommand(reader.source),
    "providecommand": lambda reader: reader.macros.newcommand(reader.source, only_if_new=True),
    "NewDocumentCommand": lambda reader: reader.macros.xparse(reader.source),
    "RenewDocumentCommand": lambda reader: reader.macros.xparse(reader.source),
    "DeclareDocumentCommand": lambda reader: reader.macros.xparse(reader.source),
    "def": lambda reader: reader.macros.definition(reader.source),
    "gdef": lambda reader: reader.macros.definition(reader.source),
    "edef": lambda reader: reader.macros.definition(reader.source),
    "xdef": lambda reader: reader.macros.definition(reader.source),
    "let": lambda reader: reader.macros.let(reader.source),
    "DeclareMathOperator": lambda reader: reader.macros.operator(reader.source),
    "DeclarePairedDelimiter": lambda reader: reader.macros.paired(reader.source),
    "newenvironment": lambda reader: reader.macros.environment(reader.source),
    "renewenvironment": lambda reader: reader.macros.environment(reader.source),
    "newif": lambda reader: reader.macros.condition(reader.source),
    "ifthenelse": _if_then_else,
    "else": lambda reader: reader.skip_branch(),
    "fi": lambda reader: None,
    "csname": _csname,
    "\\": lambda reader: reader.next_row(),
    "tabularnewline": lambda reader: reader.next_row(),
    "cr": lambda reader: reader.next_row(),
    "par": lambda reader: reader.paragraph(),
    "newline": lambda reader: reader.write("\n"),
    "linebreak": _line_break,
    "(": lambda reader: reader.math("\\)"),
    "[": lambda reader: reader.math("\\]"),
    "ensuremath": lambda reader: reader.source.push(["$", *reader.source.argument(), "$"]),
    **{name: _section(level, name) for name, level in names.SECTIONS.items()},
    **dict.fromkeys(names.CITES, _cite),
    **{name: _reference(style) for name, style in names.REFS.items()},
    **{name: _accent(mark) for name, mark in names.ACCENTS.items()},
    **{name: _quantity(name) for name in ("SI", "qty", "num", "si", "unit", "SIrange")},
}
COMMANDS["ang"] = lambda reader: reader.write("".join(reader.source.argument()).rstrip(";") + "°")
