"""Making something of a reply: JSON where it was asked for, whatever stands around it; one question of plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError


class OpenPair(BaseModel):
    """What the open method asks for, per pair."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    question: str
    answer: str
    quote: str
    kind: Literal["fact", "concept"] = "fact"


# Written by hand and not taken from pydantic: strict endpoints want every key required and nothing else.
_TEXT = {"type": "string"}
OPEN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "pairs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"question": _TEXT, "answer": _TEXT, "quote": _TEXT, "kind": {"type": "string", "enum": ["fact", "concept"]}},
                "required": ["question", "answer", "quote", "kind"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["pairs"],
    "additionalProperties": False,
}


def parse_pairs(content: str) -> tuple[list[OpenPair], list[str]]:
    """The pairs in a reply, and what in it is not one (in words).

    Takes JSON with prose or a code fence around it, a bare list, and the whole objects of a reply that was cut off.
    """
    found = list(_objects(_spoken(content)))
    if not found and not re.search(r"\{\s*\"pairs\"\s*:\s*\[\s*\]\s*\}|^\s*\[\s*\]\s*$", content):
        return [], [f"no pairs in the reply: {_short(content)}"]
    pairs, bad = [], []
    for value in found:
        try:
            pairs.append(OpenPair.model_validate(value))
        except ValidationError as error:
            first = error.errors()[0]
            bad.append(f"{'.'.join(map(str, first['loc']))}: {first['msg']} in {_short(json.dumps(value, ensure_ascii=False))}")
    return pairs, bad


def parse_question(content: str) -> str:
    """The first question in plain text, without its label; empty if there is none."""
    for line in _spoken(content).splitlines():
        line = re.sub(r"^\W*(?:Q(?:uestion)?\s*\d*|问题?\s*\d*)\s*[:：.]\s*|^[\s\-*#\"“>]+", "", line, flags=re.I).strip()
        if line:
            found = re.match(r".*?[?？]", line)
            return (found[0] if found else line).strip().strip('"“”*').strip()
    return ""


def _spoken(content: str) -> str:
    """The reply without a reasoning model's thoughts."""
    return re.sub(r"<think>.*?(?:</think>|$)", "", content, flags=re.S).strip()


def _objects(content: str) -> Iterator[Any]:
    """The innermost JSON objects of a text, in order."""
    text = re.sub(r"\\(u[0-9a-fA-F]{4}|.|$)", _meant, content, flags=re.S)
    decoder, at = json.JSONDecoder(strict=False), 0
    while (at := text.find("{", at)) >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError:
            at += 1
            continue
        if isinstance(value, dict) and isinstance(value.get("pairs"), list):
            yield from value["pairs"]
        else:
            yield value
        at = end


def _meant(escape: re.Match[str]) -> str:
    """An escape as it was meant: LaTeX in JSON is often written with one backslash (`\alpha`, and `\theta`, which reads as a tab)."""
    after = escape.string[escape.end() : escape.end() + 1]
    latex = escape[1] in ("b", "f", "r", "t") and after.isalpha()
    return escape[0] if not latex and re.fullmatch(r'["\\/bfnrt]|u.{4}', escape[1]) else f"\\{escape[0]}"


def _short(text: str) -> str:
    return " ".join(text.split())[:160]
