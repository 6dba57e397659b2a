"""Go's text/template, as far as our Ollama templates use it, and what Ollama does with messages before.

Enough to read back what `train.release.go_template` wrote: text, `range`, `if` with `else if` and `else`, variables, strings, and the
functions eq, and, or, not, len, slice. Anything else is a `FieldsmithError`, never text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harvest.store import FieldsmithError

_ACTION = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+')


def collated(messages: Sequence[Mapping[str, str]]) -> tuple[str, list[dict[str, str]]]:
    """(system prompt, messages) as Ollama hands them to a template: messages of one role that follow each other are joined."""
    joined: list[dict[str, str]] = []
    for message in messages:
        if joined and joined[-1]["role"] == message["role"]:
            joined[-1]["content"] += "\n\n" + message["content"]
        else:
            joined.append(dict(message))
    return "\n\n".join(message["content"] for message in messages if message["role"] == "system"), joined


def render_go(template: str, system: str, messages: Sequence[Mapping[str, str]]) -> str:
    """What Ollama would send to the model."""
    root = {"System": system, "Messages": [{"Role": message["role"], "Content": message["content"]} for message in messages]}
    nodes, rest = _parse(_tokens(template))
    if rest != "":
        raise FieldsmithError(f"the Go template has a {{{{ {rest} }}}} that closes nothing")
    return "".join(_write(nodes, root, {"$": root}))


# ---- parsing


@dataclass(slots=True)
class _Node:
    """Text, an action, or a branch: `head` is the condition or the range, `inner` and `other` what is in it."""

    kind: str
    head: str
    inner: list[_Node] = field(default_factory=list)
    other: list[_Node] = field(default_factory=list)


def _tokens(template: str) -> Iterator[tuple[str, str]]:
    at = 0
    for found in _ACTION.finditer(template):
        if found.start() > at:
            yield "text", template[at : found.start()]
        yield "action", found[1]
        at = found.end()
    if at < len(template):
        yield "text", template[at:]


def _parse(tokens: Iterator[tuple[str, str]]) -> tuple[list[_Node], str]:
    """Nodes up to the `end` or `else...` that closes them, and that word (empty at the end of the template)."""
    nodes: list[_Node] = []
    for kind, text in tokens:
        if kind == "text":
            nodes.append(_Node("text", text))
        elif text == "end" or text.startswith("else"):
            return nodes, text
        elif text.startswith(("if ", "range ")):
            nodes.append(_branch(text, tokens))
        else:
            nodes.append(_Node("action", text))
    return nodes, ""


def _branch(text: str, tokens: Iterator[tuple[str, str]]) -> _Node:
    kind, head = text.split(" ", 1)
    inner, closed = _parse(tokens)
    if closed.startswith("else if "):
        return _Node(kind, head, inner, [_branch(closed.removeprefix("else "), tokens)])
    other: list[_Node] = []
    if closed == "else":
        other, closed = _parse(tokens)
    if closed != "end":
        raise FieldsmithError(f"the Go template does not close {{{{ {text} }}}}")
    return _Node(kind, head, inner, other)


# ---- writing


def _write(nodes: Sequence[_Node], dot: Any, names: dict[str, Any]) -> Iterator[str]:
    for node in nodes:
        if node.kind == "text":
            yield node.head
        elif node.kind == "if":
            yield from _write(node.inner if _value(node.head, dot, names) else node.other, dot, names)
        elif node.kind == "range":
            place, _, source = node.head.replace(":=", ",").split(",")
            for number, one in enumerate(_value(source.strip(), dot, names)):
                names[place.strip()] = number
                yield from _write(node.inner, one, names)
        elif found := re.fullmatch(r"(\$\w+) :?= (.+)", node.head):
            names[found[1]] = _value(found[2], dot, names)
        else:
            yield str(_value(node.head, dot, names))


def _value(text: str, dot: Any, names: Mapping[str, Any]) -> Any:
    words = _WORD.findall(text)
    value = _called(words, dot, names)
    if words:
        raise FieldsmithError(f"the Go template has a word too many in {{{{ {text} }}}}")
    return value


def _called(words: list[str], dot: Any, names: Mapping[str, Any]) -> Any:
    """The value of a function with its arguments, or of one term; takes the words that it reads."""
    if words[0] not in _FUNCTIONS:
        return _term(words, dot, names)
    function = _FUNCTIONS[words.pop(0)]
    arguments = []
    while words and words[0] != ")":
        arguments.append(_term(words, dot, names))
    return function(*arguments)


def _term(words: list[str], dot: Any, names: Mapping[str, Any]) -> Any:
    word = words.pop(0)
    if word == "(":
        value = _called(words, dot, names)
        if not words or words.pop(0) != ")":
            raise FieldsmithError("the Go template does not close a bracket")
        return value
    if word.startswith('"'):
        return json.loads(word)  # what we write of Go's strings is also JSON
    if word.isdecimal():
        return int(word)
    head, _, attribute = word.partition(".")
    if head and head not in names:
        raise FieldsmithError(f"the Go template uses {word}, which is not known here")
    value = names[head] if head else dot
    return value[attribute] if attribute else value


_FUNCTIONS: Mapping[str, Any] = {
    "eq": lambda one, *others: one in others,
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
    "not": lambda value: not value,
    "len": len,
    "slice": lambda values, start: values[start:],
}
