"""A request about some facts of a chunk, and the pairs and rejections that its reply makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harvest.records import Document, Rejection
from harvest.store import fingerprint
from qagen.checks.rules import Candidate, Fault, faults
from qagen.checks.words import language_of
from qagen.config import QAGenConfig
from qagen.kinds.assign import Slot
from qagen.kinds.shape import Said, read
from qagen.kinds.specs import SPECS
from qagen.records import Chunk, Fact, QAPair, Span, Step
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.prompt import Prompt, as_line, load_prompt, shown

STAGE = "generate"
LANGUAGES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True, slots=True)
class Source:
    """A document, how it is asked about, and its chunks by id."""

    document: Document
    config: QAGenConfig
    seed: int | None
    chunks: dict[str, Chunk]

    def prompt(self, name: str) -> Prompt:
        """A prompt of ours, or the lab's in its place, in the lab's own voice."""
        return load_prompt(name, self.config.prompts, self.config.style)

    def request(self, name: str, chunk: Chunk, schema: dict[str, object], **values: object) -> Request:
        """A request about a chunk."""
        teacher = self.config.teacher
        messages = self.prompt(name).messages(**shown(chunk), **values)
        return Request(messages, teacher.max_tokens, teacher.temperature, self.seed, schema)


@dataclass(frozen=True, slots=True)
class Question:
    """A request for a slot in one language (`en`, `zh`, or empty for whatever the passage is in)."""

    slot: Slot
    language: str
    request: Request


def questions(source: Source, slot: Slot, passage: Chunk | None = None) -> list[Question]:
    """The requests of a slot, one for each language that is wanted; `passage` is shown in place of the slot's chunk."""
    chunk, spec = passage or source.chunks[slot.chunk_id], SPECS[slot.kind]
    own = language_of(chunk.text)
    wanted = source.config.languages or ((own if own in LANGUAGES else ""),)
    known = {"facts": [as_line(fact.text) for fact in slot.facts], "others": [as_line(fact.text) for fact in slot.others]}
    return [
        Question(
            slot,
            language,
            source.request(spec.prompt, chunk, spec.schema(), **known, language=LANGUAGES.get(language, "the language of the passage")),
        )
        for language in wanted
    ]


def outcomes(source: Source, question: Question, reply: Reply) -> Iterator[QAPair | Rejection]:
    """What a reply makes: each fact of the slot ends as a pair or as a rejection.

    A slot for an unanswerable question asks for one question about any of its facts.
    """
    slot, any_of_them = question.slot, question.slot.kind == "unanswerable"
    said, unreadable = read(reply.content)
    for detail in unreadable:
        yield Rejection(slot.chunk_id, STAGE, "unreadable-reply", f"{slot.kind}: {detail}")
    yield from cut_off(slot.chunk_id, slot.kind, reply)
    led, used = set[str](), set[str]()
    for one in said:
        facts = _named(slot, one)
        if not facts:
            detail = f"{slot.kind}: names facts {one.facts} of {len(slot.facts)} | {one.question[:200]}"
            yield Rejection(slot.chunk_id, STAGE, "unreadable-reply", detail)
        elif facts[0].id in led or (any_of_them and led):
            yield Rejection(facts[0].id, STAGE, "said-twice", f"{slot.kind}: {one.question} | {one.answer}")
        else:
            yield _pair(source, question, one, facts)
            led.add(facts[0].id)
            used |= {fact.id for fact in facts}
    where = f"{slot.kind}{question.language and ', ' + question.language}"
    if any_of_them:
        yield from () if used else [Rejection(slot.chunk_id, STAGE, "no-question", where)]
        return
    yield from (Rejection(fact.id, STAGE, "no-question", f"{where}: {fact.text}") for fact in slot.facts if fact.id not in used)


def cut_off(chunk_id: str, what: str, reply: Reply) -> list[Rejection]:
    """That a reply was cut off, if it was: what it holds whole is used, what came after is lost."""
    if reply.finish_reason != "length":
        return []
    return [Rejection(chunk_id, STAGE, "cut-off", f"{what}: the reply ends at {reply.output_tokens} tokens; raise max_tokens")]


def _named(slot: Slot, said: Said) -> list[Fact]:
    """The facts that a question rests on, the one that it was asked for first; empty where it names others than it was given."""
    known = (*slot.facts, *slot.others)
    if not all(0 < number <= len(known) for number in said.facts):
        return []
    named = [known[number - 1] for number in dict.fromkeys(said.facts)]
    lead = next((fact for fact in named if fact in slot.facts), None)
    if lead is None:
        return []
    return [lead, *(fact for fact in named if fact != lead)] if SPECS[slot.kind].several else [lead]


def _pair(source: Source, question: Question, said: Said, facts: Sequence[Fact]) -> QAPair | Rejection:
    document, slot = source.document, question.slot
    evidence = tuple(dict.fromkeys(span for fact in facts for span in fact.evidence))
    identifier = pair_id(document, said.question, said.answer, evidence)
    candidate = _candidate(source, question, said, evidence)
    found = [*faults(candidate), *SPECS[slot.kind].objections(said, candidate.evidence)]
    if found:
        return Rejection(identifier, STAGE, found[0].reason, told(found, said.question, said.answer))
    return QAPair(
        id=identifier,
        document_id=document.id,
        chunk_id=slot.chunk_id,
        kind=slot.kind,
        language=language_of(said.question),
        question=said.question,
        answer=said.answer,
        evidence=evidence,
        teacher=source.config.teacher.model,
        prompt=source.prompt(SPECS[slot.kind].prompt).sha256,
        licence=document.paper.licence,
        steps=tuple(Step(step) for step in said.steps) if "steps" in SPECS[slot.kind].extra else (),
        distractors=tuple(said.distractors) if "distractors" in SPECS[slot.kind].extra else (),
    )


def _candidate(source: Source, question: Question, said: Said, evidence: Sequence[Span]) -> Candidate:
    slot, chunk, text = question.slot, source.chunks[question.slot.chunk_id], source.document.text
    seen = [chunk.text, *(fact.text for fact in slot.others), *(f"{one.term}: {one.meaning}" for one in chunk.definitions)]
    return Candidate(
        question=said.question,
        answer=said.answer,
        evidence="\n".join(text[span.start : span.end] for span in evidence),
        context="\n".join(seen),
        kind=slot.kind,
        steps=tuple(said.steps),
        distractors=tuple(said.distractors),
        language=question.language,
        title=source.document.paper.title,
    )


def pair_id(document: Document, question: str, answer: str, evidence: tuple[Span, ...]) -> str:
    """The id of a pair: what it says, of which document, and where that stands."""
    return fingerprint(document.id, question, answer, evidence)[:16]


def told(found: Sequence[Fault], question: str, answer: str) -> str:
    """All that is wrong with a pair, in one line, with the pair."""
    return f"{'; '.join(f'{fault.reason}: {fault.detail}' for fault in found)} | {question} | {answer}"
