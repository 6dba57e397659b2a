r"""Commands that write words and signs: accents, quotations, raised text, addresses, struck and boxed text."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from harvest.readers.tex.signs import ACCENTS, DOTLESS, GREEK, SUBSCRIPTS, SUPERSCRIPTS, raised

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

_CODE_OF_CHARACTER = re.compile(r"\s*(?:`\\?(.)|\"([0-9A-F]{1,5})|'([0-7]{1,6})|(\d{1,6})|\{\s*(\d{1,6})\s*\})\s?", re.DOTALL)
_NO_SPACE_BEFORE = frozenset(".,;:!?)]}'/-~")


def _accent(mark: str) -> Command:
    def run(reader: Interpreter) -> None:
        letters = "".join(DOTLESS.get(t[1:], "") if t[0] == "\\" else t for t in reader.source.argument() if t not in "{}")
        base = letters[:1].strip() or "\u00a0"
        base = {"ı": "i", "ȷ": "j"}.get(base, base)
        if letters.strip():
            reader.write(unicodedata.normalize("NFC", base + mark) + letters[1:])

    return run


def _raised(table: dict[int, int], sign: str) -> Command:
    def run(reader: Interpreter) -> None:
        text = reader.inline(reader.source.argument())
        reader.write(text if "\ue000" in text else raised(text, table, sign))

    return run


def _quoted(reader: Interpreter) -> None:
    r"""\enquote{...} of csquotes, inner ones in single signs."""
    reader.source.star()
    text = reader.inline(reader.source.argument())
    reader.write(_in_quotes(text))


def _in_quotes(text: str) -> str:
    return "“" + text.replace("“", "‘").replace("”", "’") + "”"


def _foreign_quoted(reader: Interpreter) -> None:
    reader.source.star()
    reader.source.argument()
    _quoted(reader)


def _text_quote(reader: Interpreter) -> None:
    r"""\textquote[citation][punctuation]{text}[punctuation][citation]."""
    reader.source.star()
    before = [reader.source.option() for _ in range(2)]
    text = reader.inline(reader.source.argument())
    source = reader.inline(before[0]) if before[0] else ""
    reader.write(_in_quotes(text + (reader.inline(before[1]) if before[1] else "")) + (f" ({source})" if source else ""))


def _xspace(reader: Interpreter) -> None:
    """A space, unless punctuation follows."""
    follows = reader.source.peek()
    if (
        follows is None
        or (follows[0] not in _NO_SPACE_BEFORE and follows[0] not in " \\}\x00")
        or (follows[0] == "\\" and follows[1:2].isalpha() and follows not in ("\\xspace", "\\par", "\\footnote", "\\fi", "\\else", "\\/"))
    ):
        reader.write(" ")


def _url(reader: Interpreter) -> None:
    reader.source.option()
    reader.write("".join(reader.source.argument()).replace("\\", "").replace("\x00", ""))


def _url_raw(reader: Interpreter) -> None:
    r"""\url{...} and \url|...|: the address as it stands, % and # included."""
    match = reader.source.skip_match(re.compile(r"\s*\{((?:[^{}\\]|\\.|\{[^{}]*\})*)\}|\s*([|!+])([^\n]*?)\2"))
    if match is None:
        _url(reader)
    else:
        text = re.sub(r"\\([A-Za-z]+) ?", lambda m: _plain(reader, m), match[1] if match[1] is not None else match[3])
        reader.write(re.sub(r"\\([%#&_~{}\\])", r"\1", text).strip())


def _plain(reader: Interpreter, match: re.Match[str]) -> str:
    """A macro inside an address, where it stands for plain text."""
    macro = reader.macros.commands.get(match[1])
    return "".join(macro.body) if macro and not macro.parameters and not any(sign[0] == "\\" for sign in macro.body) else match[0]


def _href(reader: Interpreter) -> None:
    reader.source.option()
    if reader.source.skip_match(re.compile(r"\s*\{(?:[^{}\\]|\\.|\{[^{}]*\})*\}")) is None:
        reader.source.argument()


def _tex_or_pdf(reader: Interpreter) -> None:
    kept = reader.source.argument()
    reader.source.argument()
    reader.source.push(kept)


def _typewriter(reader: Interpreter) -> None:
    """A font without ligatures, to the end of the group."""
    if reader.groups:
        reader.groups[-1].typewriter = True


def _in_typewriter(reader: Interpreter) -> None:
    reader.source.push(["{", "\\ttfamily", *reader.source.argument(), "}"])


def _sized(size: int) -> Command:
    def run(reader: Interpreter) -> None:
        if reader.groups:
            reader.groups[-1].size = size

    return run


def _rule(reader: Interpreter) -> None:
    r"""\vrule height 3pt depth 1pt width 0pt: a line, or nothing."""
    reader.source.skip_match(re.compile(r"(?:\s*(?:height|depth|width)\s*(?:[-+]?[\d.]+\s*[a-z]{2}|[-\d.]*\s*\\[A-Za-z@]+))+\s?"))
    while reader.source.peek() in ("height", "depth", "width"):
        for _ in range(4):
            if (sign := reader.source.next()) is None or re.fullmatch(r"[-+]?[\d.]+[a-z]{2}|\\[A-Za-z@]+", sign):
                break
        if reader.source.peek() == " ":
            reader.source.next()


def _upper(reader: Interpreter) -> None:
    text = reader.inline(reader.source.argument())
    reader.write("".join(part if part.startswith("$") else part.upper() for part in re.split(r"(\$[^$]*\$)", text)))


def _lower(reader: Interpreter) -> None:
    reader.write(reader.inline(reader.source.argument()).lower())


def _character(reader: Interpreter) -> None:
    r"""\char"41, \char`\%, \symbol{37}: a character by its number."""
    match = reader.source.skip_match(_CODE_OF_CHARACTER)
    if match:
        sign, hexadecimal, octal, *decimal = match.groups()
        code = ord(sign) if sign else int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal[0] or decimal[1])
        reader.write(chr(code) if 32 <= code < 0x110000 and chr(code).isprintable() else "")


def _line_break(reader: Interpreter) -> None:
    reader.source.option()
    reader.write("\n")


def _ensure_math(reader: Interpreter) -> None:
    body = reader.source.argument()
    plain = "".join(body).strip()
    if plain[:1] == "\\" and plain[1:] in GREEK:
        reader.write(GREEK[plain[1:]])
    else:
        reader.source.push(["$", *body, "$"])


def _replaced(reader: Interpreter) -> None:
    r"""\replaced{new}{old} of package changes."""
    reader.source.option()
    new = reader.source.argument()
    reader.source.argument()
    reader.source.push(new)


def _tikz(reader: Interpreter) -> None:
    r"""\tikz[...]{...} and \tikz ... ;: a picture."""
    reader.source.option()
    if reader.source.peek() == "{":
        reader.source.argument()
        return
    for _ in range(400):
        sign = reader.source.next()
        if sign is None or sign == "\\par" or sign[0] == "\x00" or ";" in sign:
            if sign is not None and sign[0] in "\\\x00":
                reader.source.back(sign)
            return


def _date(reader: Interpreter) -> None:
    """The day of typesetting: nobody's knowledge."""


COMMANDS: dict[str, Command] = {
    **{name: _accent(mark) for name, mark in ACCENTS.items()},
    "textsuperscript": _raised(SUPERSCRIPTS, "^"),
    "up": _raised(SUPERSCRIPTS, ""),
    "textsubscript": _raised(SUBSCRIPTS, "_"),
    **dict.fromkeys(("enquote", "mkbibquote", "textquotes", "qq"), _quoted),
    **dict.fromkeys(("foreignquote", "hyphenquote", "foreigntextquote"), _foreign_quoted),
    **dict.fromkeys(("textquote", "blockquote", "blockcquote", "textcquote"), _text_quote),
    "xspace": _xspace,
    **dict.fromkeys(("url", "path", "nolinkurl"), _url_raw),
    "href": _href,
    "texorpdfstring": _tex_or_pdf,
    **dict.fromkeys(("ttfamily", "tt"), _typewriter),
    "texttt": _in_typewriter,
    **dict.fromkeys(("MakeUppercase", "uppercase", "MakeTextUppercase"), _upper),
    **dict.fromkeys(("MakeLowercase", "lowercase", "MakeTextLowercase"), _lower),
    **dict.fromkeys(("char", "symbol"), _character),
    **dict.fromkeys(("linebreak", "nolinebreak"), _line_break),
    "newline": lambda reader: reader.write("\n"),
    "par": lambda reader: reader.paragraph(),
    "endgraf": lambda reader: reader.paragraph(),
    "ensuremath": _ensure_math,
    "(": lambda reader: reader.math("\\)"),
    "[": lambda reader: reader.math("\\]"),
    **{name: _sized(size) for size, name in enumerate(("normalsize", "large", "Large", "LARGE", "huge", "Huge"))},
    **dict.fromkeys(("small", "footnotesize", "scriptsize", "tiny"), _sized(0)),
    **dict.fromkeys(("vrule", "hrule"), _rule),
    "replaced": _replaced,
    "og": lambda reader: reader.write("« "),
    "fg": lambda reader: reader.write(" »"),
    "tikz": _tikz,
    "today": _date,
}
