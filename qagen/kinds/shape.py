"""What a teacher says of a question: the fields of a reply, as JSON Schema and as read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from qagen.teacher.parse import list_schema, parse_items

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
KEY = "pairs"


def listed(value: object) -> object:
    """A list of what small models give as one thing."""
    return value if isinstance(value, list) else [value]


class Said(BaseModel):
    """A question in a reply: the numbers of the facts that it rests on, and what its kind asks for besides the answer."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    facts: Annotated[list[int], BeforeValidator(listed)] = Field(validation_alias=AliasChoices("facts", "fact"), min_length=1)
    question: str
    answer: str
    steps: Annotated[list[str], BeforeValidator(listed)] = []
    distractors: Annotated[list[str], BeforeValidator(listed)] = []


def schema(extra: Iterable[str], *, several: bool) -> dict[str, Any]:
    """The JSON Schema of a reply with `question` and `answer`, the lists of texts `extra`, and one fact's number or several."""
    numbers: dict[str, Any] = {"facts": {"type": "array", "items": {"type": "integer"}}} if several else {"fact": {"type": "integer"}}
    lists = dict.fromkeys(extra, TEXTS)  # steps stand before the answer, so that a model works before it answers
    return list_schema(KEY, {**numbers, "question": TEXT, **lists, "answer": TEXT})


def read(content: str) -> tuple[list[Said], list[str]]:
    """The questions in a reply, and what in it is none (in words)."""
    return parse_items(content, KEY, Said)
