r"""Program text as it stands, and pseudocode as lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.readers.tex.flow import DISPLAY, Flow
from harvest.readers.tex.structure import captioned
from harvest.readers.tex.tokens import tokens_of
from harvest.readers.tex.wordlists import lines

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

_CAPTION = re.compile(r"caption\s*=\s*(\{(?:[^{}]|\{[^{}]*\})*\}|[^,\]]*)")
_LABEL = re.compile(r"label\s*=\s*\{?([^,\]{}]*)")
_OPTIONS = re.compile(r"[ \t]*\[(?:[^\[\]]|\[[^\[\]]*\])*\]")
_ARGUMENT = re.compile(r"[ \t]*\{[^{}]*\}")
_MAX_LINES = 2000
# algorithmic, algorithmicx, algpseudocode (in small letters): what a line says, {} standing for the argument.
_LINES = lines("""
state | || statex | || require | Require:_ || ensure | Ensure:_ || input | Input:_ || output | Output:_ || return | return_
print | print_
if | if {} then || elsif | else if {} then || else | else || endif | end if || for | for {} do || forall | for all {} do || endfor | end for
foreach | for each {} do || while | while {} do || endwhile | end while || repeat | repeat || until | until {} || loop | loop
endloop | end loop || procedure | procedure {}({}) || function | function {}({}) || endprocedure | end procedure
endfunction | end function || body | || endbody | || globals | Globals:_
""")
# algorithm2e: the blocks are arguments, which are read as lines of their own, each with what stands behind it.
_BLOCKS = {
    "eIf": ("if {} then", "else", "end"),
    "uIf": ("if {} then", ""),
    "lIf": ("if {} then", ""),
    "uElseIf": ("else if {} then", ""),
    "uElse": ("else", ""),
    "lElse": ("else", ""),
    "lFor": ("for {} do", ""),
    "Repeat": ("repeat until {}", "end"),
    "Begin": ("begin", "end"),
}
_BLOCKS |= {
    name: (head, "end")
    for name, head in lines("""
If | if {} then || ElseIf | else if {} then || Else | else || For | for {} do || ForEach | for each {} do || ForAll | for all {} do
While | while {} do || Fn | function {} || Function | function {}
""").items()
}
_WORDS = lines("""
KwIn | Input:_ || KwOut | Output:_ || KwData | Data:_ || KwResult | Result:_ || KwRet | return_ || Return | return_ || Input | Input:_
Output | Output:_
""")


def code(reader: Interpreter, name: str) -> None:
    r"""\begin{verbatim} and its kin: the lines between fences, their caption before them."""
    options = reader.source.skip_match(_OPTIONS) if name not in ("verbatim", "verbatim*") else None
    if name.startswith("minted"):
        reader.source.skip_match(_ARGUMENT)
    text = reader.source.raw_until(f"\\end{{{name}}}")
    if text is None:
        reader.open(name)
        return
    if options and (caption := _CAPTION.search(options[0])):
        captioned(reader, "lstlisting", tokens_of(caption[1].strip("{}")))
        if label := _LABEL.search(options[0]):
            reader.references.label(label[1])
    block(reader, text)


def block(reader: Interpreter, text: str) -> None:
    """Lines of program text as one paragraph between fences; blank lines would end it and are left out."""
    full = [line.rstrip().replace("```", "'''") for line in text.splitlines() if line.strip()]
    if full:
        reader.paragraph()
        reader.block("\n".join(["```", *full[:_MAX_LINES], "```"]) if not reader.nesting else " ".join(full))


def pseudocode(reader: Interpreter, name: str) -> None:
    r"""\begin{algorithmic}: one line for each statement."""
    reader.source.option()
    before = reader.pseudocode
    reader.paragraph()
    reader.pseudocode = "algorithmic"
    reader.open_flow(name, Flow())
    close = reader.groups[-1].end

    def closed() -> None:
        reader.pseudocode = before
        if close:
            close()

    reader.groups[-1].end = closed


def line(name: str) -> Command:
    """A command that begins a line of pseudocode; outside an algorithm it is no command at all."""

    def run(reader: Interpreter) -> None:
        if not reader.pseudocode:
            return
        if reader.pseudocode == "algorithm2e" and (name in _BLOCKS or name in _WORDS):
            _algorithm2e(reader, name)
            return
        text = _LINES.get(name.lower(), "")
        reader.write(DISPLAY + text.format(*(reader.inline(reader.source.argument()) for _ in range(text.count("{}")))))
        reader.write("" if text.endswith(" ") or not text else " ")

    return run


def _algorithm2e(reader: Interpreter, name: str) -> None:
    if name in _WORDS:
        reader.write(DISPLAY + _WORDS[name])
        if name.startswith("Kw") or reader.source.peek() == "{":
            reader.source.push([*reader.source.argument(), "\\;"])
        return
    head, *rest = _BLOCKS[name]
    condition = reader.inline(reader.source.argument()) if "{}" in head else ""
    reader.write(DISPLAY + head.format(condition))
    put: list[str] = []
    for word in rest:
        put += ["\\;", *reader.source.argument(), "\\;", *([word] if word else [])]
    reader.source.push([*put, "\\;"])


def _semicolon(reader: Interpreter) -> None:
    reader.write(DISPLAY if reader.pseudocode == "algorithm2e" else " ")


def _comment(reader: Interpreter) -> None:
    reader.source.star()
    text = reader.inline(reader.source.argument())
    reader.write(f" ▷ {text}" if text else "")


def _call(reader: Interpreter) -> None:
    if not reader.pseudocode:
        return
    name = reader.inline(reader.source.argument())
    reader.write(f"{name}({reader.inline(reader.source.argument())})")


# ---- program text inside a line


def _verb(reader: Interpreter) -> None:
    reader.source.star()
    sign = reader.source.raw_sign()
    if sign == "{":  # \lstinline{...}
        reader.write("".join(reader.source.group()).replace("$", "\\$"))
        return
    text = reader.source.raw_until(sign) if sign else None
    if text is not None and "\n" not in text:
        reader.write(text.replace("$", "\\$"))
    elif text:
        reader.source.push_file(text, reader.source.path)


def _listing(reader: Interpreter) -> None:
    reader.source.skip_match(_OPTIONS)
    _verb(reader)


def _mintinline(reader: Interpreter) -> None:
    reader.source.skip_match(_OPTIONS)
    reader.source.argument()
    _verb(reader)


def _new_environment(reader: Interpreter) -> None:
    r"""\lstnewenvironment{name}[n][default]{}{}, \DefineVerbatimEnvironment{name}{}{}, \newminted[name]{language}{}."""
    name = "".join(reader.source.argument()).strip()
    reader.skip("oomm")
    reader.code_environments.add(name)


def _listing_file(reader: Interpreter) -> None:
    options = reader.source.option()
    path = reader.tree.find("".join(reader.source.argument()).strip(), reader.main)
    if options and (caption := _CAPTION.search("".join(options))):
        captioned(reader, "lstlisting", tokens_of(caption[1].strip("{}")))
    if path:
        block(reader, reader.tree.files[path])


_NAMES = {spelt for name in _LINES for spelt in (name.upper(), name.capitalize())}
_NAMES |= {"EndIf", "ElsIf", "EndFor", "ForAll", "EndWhile", "EndLoop", "EndProcedure", "EndFunction", "ForEach", *_BLOCKS, *_WORDS}
COMMANDS: dict[str, Command] = {
    **{name: line(name) for name in sorted(_NAMES)},
    **dict.fromkeys(("Comment", "COMMENT", "tcp", "tcc", "tcp*"), _comment),
    "Call": _call,
    "CALL": _call,
    ";": _semicolon,
    **dict.fromkeys(("verb", "Verb", "spverb"), _verb),
    **dict.fromkeys(("lstinline", "mintinline*"), _listing),
    "mintinline": _mintinline,
    "lstnewenvironment": _new_environment,
    "DefineVerbatimEnvironment": _new_environment,
    "RecustomVerbatimEnvironment": _new_environment,
    "lstinputlisting": _listing_file,
    "verbatiminput": _listing_file,
    "VerbatimInput": _listing_file,
}
