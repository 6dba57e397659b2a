"""Whether what is said to be left open really is: the teacher looks for an answer in the passages that come nearest."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from harvest.records import Rejection
from qagen.checks.ground import locate_quote
from qagen.checks.words import content_words
from qagen.kinds.asking import STAGE, Source
from qagen.records import Chunk, QAPair
from qagen.teacher.ledger import Request
from qagen.teacher.parse import list_schema, parse_items
from qagen.teacher.prompt import as_line
from qagen.teacher.protocol import Ask, Failure

_NEAREST = 2  # passages that are looked through besides the question's own
_SCHEMA: dict[str, Any] = list_schema("answers", {"question": {"type": "integer"}, "quote": {"type": "string"}})


class _Found(BaseModel):
    """What answers a question, if anything."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    question: int = 1
    quote: Annotated[str, BeforeValidator(lambda value: value or "")]


async def checked(source: Source, pair: QAPair, ask: Ask) -> QAPair | Rejection:
    """The pair if the document leaves its question open, else why it does not. Raises `Stopped`."""
    passage = _passages(source, pair)
    reply = await ask(request_about(source, pair.question, passage))
    if isinstance(reply, Failure):
        return Rejection(pair.id, STAGE, "teacher-failed", reply.detail)
    answers, unreadable = parse_items(reply.content, "answers", _Found)
    if unreadable or not answers:
        return Rejection(pair.id, STAGE, "unreadable-reply", f"unanswerable: {'; '.join(unreadable) or 'no answers'} | {pair.question}")
    if quote := next((answer.quote for answer in answers if answer.quote and locate_quote(passage.text, answer.quote)), None):
        return Rejection(pair.id, STAGE, "answered-by-source", f"`{quote[:200]}` | {pair.question}")
    return pair


def request_about(source: Source, question: str, passage: Chunk) -> Request:
    """The request that looks for an answer in a passage."""
    return source.request("kinds/answered", passage, _SCHEMA, questions=[as_line(question)])


def _passages(source: Source, pair: QAPair) -> Chunk:
    """The chunk of a question, and behind it those of the document that share most words with it."""
    own, words = source.chunks[pair.chunk_id], set(content_words(pair.question))
    others = [(len(words & set(content_words(chunk.text))), chunk) for chunk in source.chunks.values() if chunk.id != own.id]
    nearest = [chunk for shared, chunk in sorted(others, key=lambda entry: -entry[0])[:_NEAREST] if shared]
    return replace(own, text="\n\n".join(chunk.text for chunk in (own, *nearest)))
