"""Making something of a reply: JSON where it was asked for, whatever stands around it; one question of plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Item = TypeVar("Item", bound=BaseModel)


def parse_items(content: str, key: str, kind: type[Item]) -> tuple[list[Item], list[str]]:
    """The items of the list `key` in a reply, and what in it is not one (in words).

    Takes JSON with prose or a code fence around it, a bare list, and the whole objects of a reply that was cut off.
    """
    spoken = _spoken(content)
    found = list(_objects(spoken, key))
    if not found and not re.search(rf"\{{\s*\"{key}\"\s*:\s*\[\s*\]\s*\}}|^\s*\[\s*\]\s*$", spoken):
        return [], [f"no {key} in the reply: {_short(content)}"]
    items, bad = [], []
    for value in found:
        try:
            items.append(kind.model_validate(value))
        except ValidationError as error:
            first = error.errors()[0]
            bad.append(f"{'.'.join(map(str, first['loc']))}: {first['msg']} in {_short(json.dumps(value, ensure_ascii=False))}")
    return items, bad


def list_schema(key: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a reply that is one list of objects; strict endpoints want every key required and nothing else."""
    item = {"type": "object", "properties": dict(properties), "required": list(properties), "additionalProperties": False}
    return {
        "type": "object",
        "properties": {key: {"type": "array", "items": item}},
        "required": [key],
        "additionalProperties": False,
    }


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


def _objects(content: str, key: str) -> Iterator[Any]:
    """The JSON objects of a text, in order; of one that holds the list `key`, what is in the list."""
    text = re.sub(r"\\(u[0-9a-fA-F]{4}|.|$)", _meant, content, flags=re.S)
    decoder, at = json.JSONDecoder(strict=False), 0
    while (at := text.find("{", at)) >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):  # the latter from thousands of brackets, which nobody means
            at += 1
            continue
        if isinstance(value, dict) and isinstance(value.get(key), list):
            yield from value[key]
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
