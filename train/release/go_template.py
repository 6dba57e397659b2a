"""A chat template for Ollama: Go's text/template, derived from the model's own Jinja template by looking at what that writes.

Jinja cannot be translated in general, but what a chat template writes can be seen: it is rendered with contents that are told apart,
and the text between them is what it puts between turns. Where that text depends on nothing but the role before and the role after, the
template is "for each message: the text between the role before and this one, then the content; at the end: what opens the reply",
which is written in Go. Two known habits differ: a default system prompt (it is part of the text before a first question), and
a system prompt that is put before the last question (Mistral). Whether a template does anything else is found out by comparing
what both write for longer conversations: `agree`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import TemplateError

from harvest.store import FieldsmithError
from train.records import Check
from train.release.go_render import collated, render_go

Messages = Sequence[Mapping[str, str]]
Render = Callable[[Messages], str]
"""Messages -> prompt up to what opens the reply, or up to the end of a last message of the assistant; may raise `TemplateError`."""

START = ""
"""The role before the first message."""

_NEEDED = (("user",), ("user", "assistant", "user"))
_SYSTEM_FIRST = ("system", "user", "assistant", "user")
_OTHERS = (
    ("system",),
    ("assistant", "user"),
    ("system", "assistant", "user"),
    ("user", "assistant", "system", "user"),
    ("user", "system", "user"),
)


class NotExpressibleError(FieldsmithError):
    """A chat template that does what Ollama's templates cannot, or that this way of looking at it does not see."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """What a chat template writes besides contents.

    `between[before, role]` stands in front of a message, `ending[role]` after the last one. `system_last` is what stands between system
    prompt and last question where the system prompt is put there; None where it has a turn of its own or is refused.
    """

    between: Mapping[tuple[str, str], str]
    ending: Mapping[str, str]
    system_last: str | None = None


# ---- Jinja: what it writes


def gaps(render: Render, bos: str | None = None) -> Gaps:
    """What a chat template writes between contents; `bos` is the token that the runtime puts first by itself, and is left out.

    Errors: `NotExpressibleError` where contents are not simply put one after the other, and where a prompt does not begin with `bos`.
    """
    between: dict[tuple[str, str], str] = {}
    ending: dict[str, str] = {}
    for roles in (*_NEEDED, _SYSTEM_FIRST, *_OTHERS):
        pieces = _pieces(render, roles)
        if pieces is None and roles in _NEEDED:
            raise NotExpressibleError("the chat template does not put messages one after the other, so it cannot be written for Ollama")
        if pieces is None or (roles not in _NEEDED and bos and not pieces[0].startswith(bos)):
            continue
        pieces[0] = _without_bos(pieces[0], bos)
        for before, role, text in zip((START, *roles), roles, pieces, strict=False):
            between.setdefault((before, role), text)
        ending.setdefault(roles[-1], pieces[-1])
    last = None if ("system", "user") in between and _pieces(render, _SYSTEM_FIRST) is not None else _system_last(render, between)
    if last is not None:
        between = {pair: text for pair, text in between.items() if "system" not in pair}
    return Gaps(between, ending, last)


def _pieces(render: Render, roles: Sequence[str]) -> list[str] | None:
    """The texts before, between and after contents; None if they are not all there, once each and in order, or the roles are refused."""
    marks = _marks(roles)
    text = _rendered(render, roles, marks)
    if text is None or any(text.count(mark) != 1 for mark in marks):
        return None
    pieces = re.split("|".join(map(re.escape, marks)), text)
    return pieces if re.findall("|".join(map(re.escape, marks)), text) == marks else None


def _system_last(render: Render, between: Mapping[tuple[str, str], str]) -> str | None:
    """The text between system prompt and last question, if that is where the template puts the system prompt."""
    marks = _marks(_SYSTEM_FIRST)
    text = _rendered(render, _SYSTEM_FIRST, marks)
    if text is None:
        return None
    system, _, answer, question = marks
    opening = re.escape(between["assistant", "user"])
    found = re.search(f"{answer}{opening}{system}(.*){question}", text, re.DOTALL)
    return found[1] if found else None


def _marks(roles: Sequence[str]) -> list[str]:
    return [f"Zq{place}xZ" for place in range(len(roles))]


def _rendered(render: Render, roles: Sequence[str], contents: Sequence[str]) -> str | None:
    try:
        return render([{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)])
    except TemplateError:  # how templates refuse roles and orders
        return None


def _without_bos(text: str, bos: str | None) -> str:
    if not bos:
        return text
    if not text.startswith(bos):
        raise NotExpressibleError(
            f"the GGUF file puts {bos} before every prompt, which the chat template does not: its add_bos_token is wrong"
        )
    return text.removeprefix(bos)


# ---- Go: the same


def go_template(found: Gaps) -> str:
    """The template as Ollama takes it."""
    branches = [f'{{{{ if eq .Role "user" }}}}{_before(found, "user")}{_system(found)}{{{{ .Content }}}}{{{{ $before = .Role }}}}']
    branches.append(f'{{{{ else if eq .Role "assistant" }}}}{_before(found, "assistant")}{{{{ .Content }}}}{{{{ $before = .Role }}}}')
    if any(role == "system" for _, role in found.between):
        branches.append(f'{{{{ else if eq .Role "system" }}}}{_before(found, "system")}{{{{ .Content }}}}{{{{ $before = .Role }}}}')
    each = f"{{{{ range $i, $_ := .Messages }}}}{''.join(branches)}{{{{ end }}}}{{{{ end }}}}"
    return f'{{{{ $before := "" }}}}{each}{_ending(found)}'


def _before(found: Gaps, role: str) -> str:
    """The text in front of a message: one text if it is always the same, else one for each role before."""
    texts = {before: text for (before, after), text in found.between.items() if after == role}
    usual = {"user": "assistant", "assistant": "user", "system": START}[role]
    default = texts.pop(usual)
    others = [(before, text) for before, text in texts.items() if text != default]
    if not others:
        return literal(default)
    tests = "".join(
        f'{{{{ {"else " if place else ""}if eq $before "{before}" }}}}{literal(text)}' for place, (before, text) in enumerate(others)
    )
    return f"{tests}{{{{ else }}}}{literal(default)}{{{{ end }}}}"


def _system(found: Gaps) -> str:
    if found.system_last is None:
        return ""
    return f"{{{{ if and $.System (eq (len (slice $.Messages $i)) 1) }}}}{{{{ $.System }}}}{literal(found.system_last)}{{{{ end }}}}"


def _ending(found: Gaps) -> str:
    """What opens the reply; nothing where the last message is the assistant's, for then the reply goes on with it."""
    tests = [(role, text) for role, text in found.ending.items() if role != "assistant"]
    return "".join(f'{{{{ if eq $before "{role}" }}}}{literal(text)}{{{{ end }}}}' for role, text in tests)


def literal(text: str) -> str:
    """Text that Go's template, and the Modelfile around it, hand on as it is.

    A Modelfile drops signs that cannot be printed and ends at three quotation marks, and a brace may open an action: these are
    written as Go strings.
    """
    return "".join(_sign(sign, '"""' in text) for sign in text)


def _sign(sign: str, quoted: bool) -> str:
    if sign == "{" or (sign == '"' and quoted):
        return '{{ "{" }}' if sign == "{" else '{{ "\\"" }}'
    if sign.isprintable() or sign == "\n":
        return sign
    return f'{{{{ "\\u{ord(sign):04x}" }}}}' if ord(sign) < 0x10000 else f'{{{{ "\\U{ord(sign):08x}" }}}}'


# ---- do both write the same?


def conversations() -> Iterator[list[dict[str, str]]]:
    """Conversations on which templates are compared: short and long, with a system prompt and without, with signs that templates use."""
    said = [
        "What is 2 K in °C?",
        "{{ .Role }} {% if x %} <b>&amp;</b>",
        "束流流强是多少？\n\n“300 mA”",
        "a \"b\" \\n 'c' `d` $e",
        "Why?",
        "-5",
    ]
    for turns in (1, 3, 5):
        talk = [{"role": ("user", "assistant")[place % 2], "content": said[place % len(said)]} for place in range(turns)]
        yield talk
        yield [{"role": "system", "content": "Answer briefly. 简短回答。"}, *talk]


def agree(template: str, render: Render, bos: str | None = None, name: str = "Ollama template") -> Check:
    """Whether a Go template writes what the Jinja template writes, on `conversations`; those that Jinja refuses are left out."""
    compared = 0
    for talk in conversations():
        try:
            wanted = _without_bos(render(talk), bos)
        except TemplateError:
            continue
        compared += 1
        written = render_go(template, *collated(talk))
        if written != wanted:
            return Check(name, False, f"it writes another prompt than the model was trained on: {_difference(written, wanted)}")
    return Check(name, compared > 0, f"it writes the same prompt as the chat template in {compared} conversations")


def _difference(written: str, wanted: str) -> str:
    at = next(
        (place for place, (one, other) in enumerate(zip(written, wanted, strict=False)) if one != other), min(len(written), len(wanted))
    )
    return f"{written[at : at + 40]!r} in place of {wanted[at : at + 40]!r}"
