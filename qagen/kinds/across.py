"""Questions across papers: what two passages of different papers say together, and neither says alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict

from harvest.records import PUBLISHABLE, UNKNOWN_LICENCE, Document, Rejection, may_publish
from harvest.store import FieldsmithError, fingerprint
from qagen.checks.ground import locate_quote, numbers
from qagen.checks.rules import Candidate, Fault, faults
from qagen.checks.words import content_words, language_of
from qagen.chunk import chunk_document
from qagen.config import QAGenConfig
from qagen.kinds.asking import LANGUAGES, STAGE, told
from qagen.kinds.partners import Partners
from qagen.kinds.shape import KEY, TEXT, TEXTS, listed
from qagen.kinds.together import together
from qagen.records import Chunk, QAPair, Span, Step, Written
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.parse import list_schema, parse_items
from qagen.teacher.prompt import load_prompt, shown
from qagen.teacher.protocol import Ask, Failure

logger = logging.getLogger(__name__)

KIND: Final = "across"
Read = Callable[[str], Document]
"""The document with an id."""

_PER_PAIRING = 1
_BATCHED_AT_ONCE = 2000  # pairings whose requests share a batch
_PAPERS_HELD = 32
_SCHEMA: dict[str, Any] = list_schema(
    KEY,
    {
        "first_thing": TEXT,
        "second_thing": TEXT,
        "question": TEXT,
        "steps": TEXTS,
        "answer": TEXT,
        "first_quotes": TEXTS,
        "second_quotes": TEXTS,
    },
)
_WORK = r"(?:papers?|articles?|documents?|stud(?:y|ies)|works?|passages?|texts?|sources?|reports?|publications?)"
_UNNAMED = re.compile(
    rf"\b{_WORK}\s+(?:[AB12]|I{{1,2}}|one|two)\b|\b(?:first|second|former|latter|other|both|two|either|each|another)\s+(?:of\s+the\s+)?(?:\w+\s+)?{_WORK}\b"
    r"|(?:第[一二]|两|另一|前一|后一|[这该])(?:篇|份|个)?(?:论文|文章|文献|文档|文件|报告|资料|段落)|(?:论文|文章|文献|文档)\s*[AB12一二甲乙]|[前后]者",
    re.I,
)


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    first_thing: str
    second_thing: str
    question: str
    answer: str
    first_quotes: Annotated[list[str], BeforeValidator(listed)]
    second_quotes: Annotated[list[str], BeforeValidator(listed)]
    steps: Annotated[list[str], BeforeValidator(listed)] = []


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two passages, without its document."""

    document_id: str
    title: str
    licence: str
    chunk: Chunk

    def quoted(self, quotes: Iterable[str]) -> list[Span] | Fault:
        """Where quotes stand in the document."""
        spans = set[Span]()
        for quote in filter(None, quotes):
            found = locate_quote(self.chunk.text, quote)
            if found is None:
                return Fault("quote-not-found", f"`{quote[:200]}` is not in {self.chunk.id}")
            spans.add(Span(self.chunk.start + found.start, self.chunk.start + found.end))
        return sorted(spans, key=lambda span: span.start) or Fault("quote-not-found", f"no quote from {self.chunk.id}")

    def words_of(self, spans: Iterable[Span]) -> str:
        """What stands there."""
        return "\n".join(self.chunk.text[span.start - self.chunk.start : span.end - self.chunk.start] for span in spans)


async def write_across(partners: Iterable[Partners], read: Read, config: QAGenConfig, ask: Ask, seed: int | None) -> Written:
    """Pairs of kind `across`, in the order of the partners; every pairing ends as a pair or a rejection.

    `document_id` and `chunk_id` are the first's; evidence in the second names its document. No document is held, only the
    passages of a few. The licence is that of both papers; where they differ, see `joint_licence`. Raises `Stopped`,
    and `FieldsmithError` where a passage is not in its document any more.
    """
    # Neighbours in the queue share a paper, which is then read and cut once; results come back in the order of the partners.
    queue = iter(sorted(enumerate(partners), key=lambda numbered: numbered[1].document_ids))
    outcomes, passages = dict[int, list[QAPair | Rejection]](), _Passages(read, config)

    async def work() -> None:
        for number, one in queue:
            first, second = (passages.side(document, chunk) for document, chunk in zip(one.document_ids, one.chunk_ids, strict=True))
            outcomes[number] = await _pairing(first, second, config, ask, seed)

    many = _BATCHED_AT_ONCE if config.teacher.mode == "batch" else config.teacher.concurrency
    await together(work() for _ in range(many))
    found = [outcome for number in sorted(outcomes) for outcome in outcomes[number]]
    pairs = tuple(one for one in found if isinstance(one, QAPair))
    logger.info("across papers: %d pairs of %d pairings", len(pairs), len(outcomes))
    return Written(pairs, tuple(one for one in found if isinstance(one, Rejection)))


def prompts_of_across(config: QAGenConfig) -> list[str]:
    """The hash of the prompt."""
    return [load_prompt("across", config.prompts, config.style).sha256]


def joint_licence(first: str, second: str) -> str:
    """The licence of what is made of two papers: theirs if it is one; of one that may be passed on and one that may not, the latter.

    Two that may be passed on stand together (SPDX `AND`); of two others nobody can say what both allow, so it is unknown.
    """
    if first.casefold() == second.casefold():
        return first
    closed = [licence for licence in (first, second) if not may_publish(licence, PUBLISHABLE)]
    if closed:
        return closed[0] if len(closed) == 1 else UNKNOWN_LICENCE
    return " AND ".join(sorted((first, second)))


class _Passages:
    """The passages of the few papers that were needed last."""

    def __init__(self, read: Read, config: QAGenConfig) -> None:
        self._read, self._config = read, config
        self._of = lru_cache(maxsize=_PAPERS_HELD)(self._cut)

    def side(self, document_id: str, chunk_id: str) -> _Side:
        """A passage by its id; `FieldsmithError` where its document has none of this name."""
        found = self._of(document_id).get(chunk_id)
        if found is None:
            raise FieldsmithError(
                f"{chunk_id} is not in {document_id} any more: the document or `chunk` was changed since papers were paired"
            )
        return found

    def _cut(self, document_id: str) -> dict[str, _Side]:
        document = self._read(document_id)
        paper, chunks = document.paper, chunk_document(document, self._config.chunk)
        return {chunk.id: _Side(document.id, paper.title, paper.licence, chunk) for chunk in chunks}


async def _pairing(first: _Side, second: _Side, config: QAGenConfig, ask: Ask, seed: int | None) -> list[QAPair | Rejection]:
    own = language_of(first.chunk.text)
    languages = config.languages or ((own,) if own in LANGUAGES else ("en",))
    found = await together(_asked(first, second, language, config, ask, seed) for language in languages)
    return [outcome for some in found for outcome in some]


async def _asked(first: _Side, second: _Side, language: str, config: QAGenConfig, ask: Ask, seed: int | None) -> list[QAPair | Rejection]:
    teacher, prompt = config.teacher, load_prompt("across", config.prompts, config.style)
    messages = prompt.messages(**shown(first.chunk), second=shown(second.chunk), count=_PER_PAIRING, language=LANGUAGES[language])
    reply = await ask(Request(messages, teacher.max_tokens, teacher.temperature, seed, _SCHEMA))
    identifier = f"{first.chunk.id}+{second.chunk.id}"
    if isinstance(reply, Failure):
        return [Rejection(identifier, STAGE, "teacher-failed", reply.detail)]
    return list(_outcomes(identifier, first, second, language, config, reply))


def _outcomes(
    identifier: str, first: _Side, second: _Side, language: str, config: QAGenConfig, reply: Reply
) -> Iterator[QAPair | Rejection]:
    said, unreadable = parse_items(reply.content, KEY, _Said)
    yield from (Rejection(identifier, STAGE, "unreadable-reply", f"{KIND}: {detail}") for detail in unreadable)
    if not said and not unreadable:
        yield Rejection(identifier, STAGE, "nothing-in-common", f"{KIND}: the teacher finds nothing that belongs together")
    for one in said[:_PER_PAIRING]:
        yield _pair(identifier, first, second, one, language, config)


def _pair(identifier: str, first: _Side, second: _Side, said: _Said, language: str, config: QAGenConfig) -> QAPair | Rejection:
    here, there = first.quoted(said.first_quotes), second.quoted(said.second_quotes)
    if isinstance(here, Fault) or isinstance(there, Fault):
        lost = [one for one in (here, there) if isinstance(one, Fault)]
        return Rejection(identifier, STAGE, lost[0].reason, told(lost, said.question, said.answer))
    evidence = (*here, *(Span(span.start, span.end, second.document_id) for span in there))
    name = fingerprint(first.document_id, said.question, said.answer, evidence)[:16]
    proofs = (first.words_of(here), second.words_of(there))
    if found := [*_objections(said, first, second, proofs), *faults(_candidate(first, second, said, language, proofs))]:
        return Rejection(name, STAGE, found[0].reason, told(found, said.question, said.answer))
    return QAPair(
        id=name,
        document_id=first.document_id,
        chunk_id=first.chunk.id,
        kind=KIND,
        language=language,
        question=said.question,
        answer=said.answer,
        evidence=evidence,
        teacher=config.teacher.model,
        prompt=load_prompt("across", config.prompts, config.style).sha256,
        licence=joint_licence(first.licence, second.licence),
        steps=tuple(Step(step) for step in said.steps),
    )


def _candidate(first: _Side, second: _Side, said: _Said, language: str, proofs: Iterable[str]) -> Candidate:
    return Candidate(
        question=said.question,
        answer=said.answer,
        evidence="\n".join(proofs),
        context="\n".join(text for side in (first, second) for text in (side.title, side.chunk.text)),
        kind=KIND,
        steps=tuple(said.steps),
        language=language,
        title=first.title,
    )


# ---- what is checked of this kind alone


def _objections(said: _Said, first: _Side, second: _Side, proofs: Sequence[str]) -> Iterator[Fault]:
    if words := _UNNAMED.search(said.question):
        yield Fault("not-self-contained", f"the question says `{words[0]}` and not what it is")
    yield from _names_both(said, first, second)
    yield from _needs_both(said, *proofs)


def _names_both(said: _Said, first: _Side, second: _Side) -> Iterator[Fault]:
    """Whether the question says which two things it is about, by names that their papers have for them."""
    question = _bare(said.question)
    for thing, side in ((said.first_thing, first), (said.second_thing, second)):
        if not content_words(thing) or _bare(thing) not in question:
            yield Fault("thing-not-named", f"the question does not name `{thing[:80]}`")
        elif language_of(thing) == language_of(side.chunk.text) and not set(content_words(thing)) & set(
            content_words(f"{side.title}\n{side.chunk.section}\n{side.chunk.text}")
        ):
            yield Fault("thing-not-named", f"{side.document_id} does not speak of `{thing[:80]}`")
    if set(content_words(said.first_thing)) == set(content_words(said.second_thing)):
        yield Fault("thing-not-named", f"both things are called `{said.first_thing[:80]}`")


def _needs_both(said: _Said, first: str, second: str) -> Iterator[Fault]:
    """Whether the answer takes something from either side, beside what the question says already.

    What both sides say alike is common to both things and counts for both.
    """
    answer = _particulars(said.answer) - (
        set(content_words(f"{said.first_thing} {said.second_thing} {said.question}")) - set(numbers(said.answer))
    )
    here, there = answer & _particulars(first), answer & _particulars(second)
    if not here or not there or here < there or there < here:
        idle = "second" if len(there) <= len(here) else "first"
        yield Fault("one-paper-enough", f"the answer takes nothing from the quotes of the {idle} paper that the other's do not say")


def _particulars(text: str) -> set[str]:
    return {*content_words(text), *numbers(text)}


def _bare(text: str) -> str:
    return re.sub(r"[\s$~{}\\]+", " ", text.casefold()).strip(" .?!。？！,，;；:：\"'“”")
