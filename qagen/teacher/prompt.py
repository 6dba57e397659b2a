"""Prompts are files: one Jinja template each, whose blocks are the messages, and whose hash is in every pair."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harvest.store import sha256_text
from qagen.records import Message

if TYPE_CHECKING:
    from jinja2 import Template

FOLDER = Path(__file__).parent.parent / "prompts"

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template of `qagen/prompts`: blocks named after roles become messages, in the order of the file.

    A block is `system`, `user`, `assistant`, or one of these with a number behind it where a role speaks twice.
    """

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """What a pair keeps of its prompt."""
        return sha256_text(self.text)

    def messages(self, **values: object) -> tuple[Message, ...]:
        """The messages for these values; a value that the template lacks or misses is an error."""
        template = _template(self.text)
        return tuple(
            Message(_role(name), "".join(template.blocks[name](template.new_context(dict(values)))).strip())
            for name in re.findall(r"\{%-? block (\w+)", self.text)
        )

    def examples(self) -> tuple[str, ...]:
        """The questions of the template's own examples, which a reply must not repeat."""
        return tuple(re.findall(r"^(?:Question: |问题：)?(.+[?？])\s*$", self.text, re.M))


@cache
def load_prompt(name: str) -> Prompt:
    """The prompt of `qagen/prompts/<name>.j2`."""
    return Prompt(name, (FOLDER / f"{name}.j2").read_text(encoding="utf-8"))


@cache
def _template(text: str) -> Template:
    from jinja2 import Environment, StrictUndefined

    return Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False).from_string(text)  # noqa: S701 - plain text


def _role(block: str) -> Role:
    for role in ("system", "user", "assistant"):
        if block.rstrip("0123456789") == role:
            return role
    raise ValueError(f"a prompt's block must be named after a role, not {block}")
