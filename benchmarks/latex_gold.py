"""What a source says, found without our reader: displayed formulas with the document's macros expanded, author blocks, leaked commands."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*?(?:\n[ \t]*|\Z)")
_VERBATIM = re.compile(
    r"\\begin\{(verbatim|lstlisting|comment|minted|Verbatim|filecontents\*?)\}.*?\\end\{\1\}|\\verb\*?(\W).*?\2", re.DOTALL
)
_UNREAD = re.compile(r"\\iffalse\b.*?\\fi\b", re.DOTALL)
_INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{\s*([^{}]+?)\s*\}")
_ENVIRONMENTS = "equation align gather multline eqnarray displaymath flalign alignat"
_DISPLAY = re.compile(
    r"\\begin\{(?P<name>(?:" + "|".join(_ENVIRONMENTS.split()) + r")\*?)\}(?P<body>.*?)\\end\{(?P=name)\}"
    r"|\\\[(?P<bracket>.*?)\\\]|(?<!\\)\$\$(?P<dollars>.*?)\$\$",
    re.DOTALL,
)
_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand|providecommand|renewcommand|DeclareRobustCommand)\*?\s*"
    r"(?:\{\s*\\([A-Za-z]+)\s*\}|\\([A-Za-z]+))\s*(?:\[(\d)\])?\s*(?:\[([^\]]*)\])?\s*(?=\{)"
)
_DEF = re.compile(r"\\def\s*\\([A-Za-z]+)\s*((?:#\d)*)\s*(?=\{)")
_OPERATOR = re.compile(r"\\DeclareMathOperator(\*?)\s*\{?\s*\\([A-Za-z]+)\s*\}?\s*(?=\{)")
_IGNORED = re.compile(
    r"\\label\s*\{[^{}]*\}|\\(?:nonumber|notag|ensuremath|protect|xspace|relax|allowdisplaybreaks|centering)(?![A-Za-z])"
    r"|\\tag\*?\s*\{[^{}]*\}|\\index\s*\{[^{}]*\}"
)
_AUTHORS = re.compile(
    r"\\(?:author|authors|affiliation|affil|institute|institution|address|email|emailAdd|altaffiliation|altaffiltext|thanks|orcid)\s*"
    r"(?:\[[^\]]*\])?\s*(?=\{)"
)
_FORMULA = re.compile(r"\$\$.*?\$\$|(?<![\\$])\$(?:[^$\\]|\\.)*\$", re.DOTALL)
_CODE = re.compile(r"```.*?```", re.DOTALL)
_MAX_STEPS = 400


def whole_source(files: dict[str, bytes], main: str) -> str:
    """The text of a main file with what it includes in place, without comments."""
    texts = {path: data.decode("utf-8", "replace") for path, data in files.items() if not path.endswith((".pdf", ".png", ".jpg"))}

    def read(path: str, depth: int) -> str:
        text = _COMMENT.sub(r"\1", texts[path])

        def included(match: re.Match[str]) -> str:
            for folder in (posixpath.dirname(main), posixpath.dirname(path)):
                for name in (match[1], match[1] + ".tex"):
                    found = posixpath.normpath(posixpath.join(folder, name))
                    if found in texts and depth < 8:
                        return read(found, depth + 1)
            return ""

        return _INPUT.sub(included, text)

    return read(main, 0)


def styles_of(files: dict[str, bytes]) -> str:
    """The text of all style files of a source, without comments."""
    return "\n".join(_COMMENT.sub(r"\1", data.decode("utf-8", "replace")) for path, data in files.items() if path.endswith(".sty"))


def displayed(source: str, styles: str = "") -> list[str]:
    """The displayed formulas of a source, its macros (and those of style files beside it) expanded, normalised to compare."""
    source = _UNREAD.sub(" ", _VERBATIM.sub(" ", source))
    macros = _macros(styles) | _macros(source)
    body = source.partition("\\begin{document}")[2] or source
    body = _expand(body, {name: macro for name, macro in macros.items() if "\\begin" in macro[2] or "\\end" in macro[2]})
    found = (next(part for part in (m["body"], m["bracket"], m["dollars"]) if part is not None) for m in _DISPLAY.finditer(body))
    return [text for part in found if (text := normal(_expand(part, macros)))]


def shown(text: str) -> str:
    """All displayed formulas of a reader's text, normalised, one a line."""
    return "\n".join(normal(match[1]) for match in re.finditer(r"(?<!\\)\$\$(.*?)\$\$", text, re.DOTALL))


def normal(formula: str) -> str:
    """A formula without white space, labels, numbers and empty groups."""
    formula = re.sub(r"\\begin\{(?:array)\}\{rcl\}|\\(?:begin|end)\{(?:aligned|gathered)\}", "", _IGNORED.sub("", formula))
    formula = re.sub(r"\\end\{array\}", "", formula)
    previous = ""
    while previous != formula:
        previous, formula = formula, re.sub(r"\{\}", "", formula)
    return re.sub(r"\s+", "", formula)


def author_words(source: str) -> str:
    """What the author blocks of a source say."""
    return " ".join(_balanced(source, match.end())[0] for match in _AUTHORS.finditer(source))


def prose(text: str) -> str:
    """A text without its formulas and program code."""
    return _FORMULA.sub(" ", _CODE.sub(" ", text))


def leaked(text: str, printed: str) -> list[str]:
    """The control words in the prose of a text that are not printed on its pages."""
    on_pages = re.findall(r"\\[A-Za-z@]+", printed)
    return [word for word in re.findall(r"\\[A-Za-z@]+", prose(text)) if word not in on_pages]


def _macros(source: str) -> dict[str, tuple[int, str | None, str]]:
    found: dict[str, tuple[int, str | None, str]] = {}
    for match in _DEFINITION.finditer(source):
        found[match[1] or match[2]] = int(match[3] or 0), match[4], _balanced(source, match.end())[0]
    for match in _DEF.finditer(source):
        found[match[1]] = len(match[2]) // 2, None, _balanced(source, match.end())[0]
    for match in _OPERATOR.finditer(source):
        found[match[2]] = 0, None, f"\\operatorname{match[1]}{{{_balanced(source, match.end())[0]}}}"
    return found


def _expand(text: str, macros: dict[str, tuple[int, str | None, str]]) -> str:
    """The text with macros replaced, again and again, up to a limit."""
    if not macros:
        return text
    use = re.compile(r"\\(" + "|".join(sorted(map(re.escape, macros), key=len, reverse=True)) + r")(?![A-Za-z])")
    at = steps = 0
    while (match := use.search(text, at)) and steps < _MAX_STEPS + len(text) // 4:
        count, default, body = macros[match[1]]
        end, itself = match.end(), f"\\{match[1]}" in body
        arguments = list(_arguments(text, end, count, default))
        end = arguments[-1][1] if arguments else end
        for place, (argument, _) in enumerate(arguments, 1):
            body = body.replace(f"#{place}", argument)
        joint = " " if body[-1:].isalpha() and "\\" in body and text[end : end + 1].isalpha() else ""
        text = text[: match.start()] + body + joint + text[end:]
        at = match.start() + len(body) if itself else match.start()
        steps += 1
    return text


def _arguments(text: str, at: int, count: int, default: str | None) -> Iterator[tuple[str, int]]:
    for place in range(count):
        while text[at : at + 1].isspace():
            at += 1
        if place == 0 and default is not None:
            if text[at : at + 1] == "[":
                end = text.find("]", at)
                yield text[at + 1 : end], (at := end + 1)
            else:
                yield default, at
        elif text[at : at + 1] == "{":
            argument, at = _balanced(text, at)
            yield argument, at
        else:
            control = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL).match(text, at)
            at = control.end() if control else at
            yield (control[0] if control else ""), at


def _balanced(text: str, at: int) -> tuple[str, int]:
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, at):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return text[at + 1 : match.start()], match.end()
    return text[at + 1 :], len(text)
