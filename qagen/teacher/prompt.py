"""Prompts are files: one Jinja template each, whose blocks are the messages, and whose hash is in every pair.

Every prompt that shows source text begins with `system.j2` and then `source.j2`, so that all requests about one passage share
their first messages, which endpoints keep and charge less for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harvest.store import UsageError, sha256_text
from qagen.records import Chunk, Message

if TYPE_CHECKING:
    from jinja2 import Environment, Template

FOLDER = Path(__file__).parent.parent / "prompts"

Role = Literal["system", "user", "assistant"]

_BLOCK = re.compile(r"\{%-?\s*block\s+(\w+)")
_LONGEST_STYLE = 6000  # characters; it goes into every question


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template of `qagen/prompts`, or a lab's own in its place: blocks named after roles become messages, in the order of the file.

    A block is `system`, `user`, `assistant`, or one of these with a number behind it where a role speaks twice. `parts` are the
    files that it includes, by name; `style` is the lab's own voice, put in where the template says `{{ style }}`.
    """

    name: str
    text: str
    parts: Mapping[str, str] = field(default_factory=dict, hash=False)
    style: str = ""

    @property
    def sha256(self) -> str:
        """What a pair keeps of its prompt: a hash of the file, of what it includes, and of the style that it speaks in."""
        spoken = [self.style] if self.style and "style" in _variables(self.text, self.parts) else []
        return sha256_text("\0".join([self.text, *(self.parts[name] for name in sorted(self.parts)), *spoken]))

    def messages(self, **values: object) -> tuple[Message, ...]:
        """The messages for these values; a value that the template lacks or misses is an error."""
        template = _template(self.text, tuple(sorted(self.parts.items())))
        given = {"style": self.style, **values}
        return tuple(
            Message(_role(name), "".join(template.blocks[name](template.new_context(dict(given)))).strip())
            for name in _BLOCK.findall(self.text)
        )

    def examples(self) -> tuple[str, ...]:
        """The questions of the template's own examples, which a reply must not repeat."""
        return tuple(re.findall(r"^(?:Question: |问题：)?(.+[?？])\s*$", self.text, re.M))


@cache
def load_prompt(name: str, folder: Path | None = None, style: Path | None = None) -> Prompt:
    """The prompt of `qagen/prompts/<name>.j2`, or of the file of that name in `folder` where there is one; read once a process.

    `style` is a text file on how questions and answers should sound. Raises `UsageError` where a file of `folder` cannot be
    read, is no template, has other blocks than ours or asks for values that ours does not know.
    """
    ours = _read(name, None)
    if folder is None:
        return Prompt(name, *ours, _style(style))
    _must_be_prompts(folder)
    text, parts = _read(name, folder)
    if (text, parts) != ours:
        _must_fit(folder, name, ours, (text, parts))
    return Prompt(name, text, parts, _style(style))


def shown(chunk: Chunk) -> dict[str, object]:
    """The values of `source.j2` for a chunk."""
    return {
        "title": as_attribute(chunk.title),
        "section": as_attribute(chunk.section),
        "passage": as_source(chunk.text),
        "definitions": [(as_attribute(one.term), as_attribute(one.meaning)) for one in chunk.definitions],
    }


def as_source(text: str) -> str:
    """Text as it may stand between our tags: it cannot close its own quotation."""
    return re.sub(r"<(?=\s*/?\s*(?:source|terms|facts|questions)\b)", "< ", text, flags=re.I)


def as_line(text: str) -> str:
    """Text as it may stand between our tags in one line of a list."""
    return as_source(" ".join(text.split()))


def as_attribute(text: str) -> str:
    """Text of a document as it may stand in one line, in quotation marks."""
    return " ".join(text.split()).replace('"', "'").replace("<", "(").replace(">", "/")


# ---- files


def _read(name: str, folder: Path | None) -> tuple[str, dict[str, str]]:
    """A template and all that it includes by name, each from the folder if it is there, else ours."""
    text, parts = _text(f"{name}.j2", folder), dict[str, str]()
    waiting = _included(text)
    while waiting:
        part = waiting.pop()
        if part not in parts:
            parts[part] = _text(part, folder)
            waiting |= _included(parts[part])
    return text, parts


def _text(file: str, folder: Path | None) -> str:
    path = _place(file, folder)
    try:
        text = path.read_text(encoding="utf-8")
        _tree(text)
    except FileNotFoundError:
        raise UsageError(f"a prompt includes {file}, which is neither in {folder} nor among the prompts of qagen") from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{path} is no prompt: {error}; mend the file or remove it, then qagen's own is used") from None
    return text


def _place(file: str, folder: Path | None) -> Path:
    """Where a prompt's file is; nothing outside the two folders is one."""
    if not re.fullmatch(r"[\w-]+(?:[./][\w-]+)*", file):
        raise UsageError(f"a prompt includes {file!r}, which is no name of a file in its folder")
    return folder / file if folder is not None and (folder / file).is_file() else FOLDER / file


@cache
def _must_be_prompts(folder: Path) -> None:
    """A misspelt file would be without effect, and without a word."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; `prompts` names a folder of files that stand in for those of qagen/prompts")
    own = {path.relative_to(folder).as_posix() for path in folder.rglob("*.j2")}
    known = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.j2")}
    used = {part for name in own for part in _included(_text(name, folder))}
    if odd := sorted(own - known - used):
        raise UsageError(f"{folder / odd[0]} stands in for no prompt of qagen; those are {', '.join(sorted(known))}")


def _must_fit(folder: Path, name: str, ours: tuple[str, dict[str, str]], theirs: tuple[str, dict[str, str]]) -> None:
    place = folder / f"{name}.j2"
    wanted, found = _BLOCK.findall(ours[0]), _BLOCK.findall(theirs[0])
    if missing := sorted(set(wanted) - set(found)):
        raise UsageError(f"{place} lacks the block {missing[0]}; a prompt has the same blocks as the one it stands in for")
    if more := sorted(set(found) - set(wanted)):
        raise UsageError(f"{place} has a block {more[0]} that the prompt it stands in for lacks; its blocks are {', '.join(wanted)}")
    known = _variables(*ours) | {"style"}
    if unknown := sorted(_variables(*theirs) - known):
        raise UsageError(f"{place} asks for {{{{ {unknown[0]} }}}}, which nobody gives it; there are {', '.join(sorted(known))}")


def _style(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the style file {path} cannot be read as text ({error}); mend the file or `style`") from None
    if len(text) > _LONGEST_STYLE:
        raise UsageError(f"the style file {path} has {len(text)} characters; at most {_LONGEST_STYLE} go into every question")
    return text


# ---- templates


@cache
def _environment(parts: tuple[tuple[str, str], ...]) -> Environment:
    from jinja2 import DictLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(  # plain text, so nothing is escaped for HTML
        loader=DictLoader(dict(parts)), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )


@cache
def _template(text: str, parts: tuple[tuple[str, str], ...]) -> Template:
    return _environment(parts).from_string(text)


def _tree(text: str) -> object:
    """The parsed template; ValueError with the line where it is none."""
    from jinja2 import TemplateSyntaxError

    try:
        return _environment(()).parse(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"line {error.lineno}: {error.message}") from None


def _included(text: str) -> set[str]:
    from jinja2 import meta

    return {name for name in meta.find_referenced_templates(_environment(()).parse(text)) if name}


@cache
def _variables_of(texts: tuple[str, ...]) -> frozenset[str]:
    from jinja2 import meta

    return frozenset(name for text in texts for name in meta.find_undeclared_variables(_environment(()).parse(text)))


def _variables(text: str, parts: Mapping[str, str]) -> frozenset[str]:
    return _variables_of((text, *(parts[name] for name in sorted(parts))))


def _role(block: str) -> Role:
    for role in ("system", "user", "assistant"):
        if block.rstrip("0123456789") == role:
            return role
    raise ValueError(f"a prompt's block must be named after a role, not {block}")
