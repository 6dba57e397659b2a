"""The two ways to make pairs of a document: what to ask the teacher, and what to make of its reply.

`open`: the teacher reads a chunk and writes question, answer and quote. `answer-aware`: the answer and its sentence
are chosen by rule and the teacher writes the question only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from harvest.records import Document, Rejection
from harvest.store import fingerprint
from qagen.answers import Target, choose_targets
from qagen.checks.ground import locate_quote
from qagen.checks.rules import Candidate, faults
from qagen.checks.words import language_of
from qagen.chunk import chunk_document
from qagen.config import QAGenConfig, TeacherConfig
from qagen.records import Chunk, QAPair, Span
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.parse import OPEN_SCHEMA, OpenPair, parse_pairs, parse_question
from qagen.teacher.prompt import Prompt, load_prompt

STAGE = "generate"
_QUESTION_TOKENS = 96  # room for one question
_FEWEST_LETTERS = 80  # a chunk with fewer holds nothing to ask about
_LANGUAGES = {"en": "English", "zh": "Chinese"}
_NO_SOURCE = re.compile(
    r"^(?:references?|bibliography|acknowledge?ments?|authors?.{0,20}|.*contributions?|funding|licen[cs]e|(?:table of )?contents"
    r"|参考文献|致谢|目录|作者.*)$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, the id of what it is about, and what makes pairs and rejections of its reply."""

    id: str
    request: Request
    judge: Callable[[Reply], list[QAPair | Rejection]]


def plan(document: Document, config: QAGenConfig, seed: int | None) -> list[Asked]:
    """Everything that the teacher is to be asked about a document, in its order."""
    chunks = [chunk for chunk in chunk_document(document, config.chunk) if _worth_asking(chunk)]
    if config.method == "open":
        return [_open(document, chunk, config, seed) for chunk in chunks]
    targets = [(chunk, target) for chunk in chunks for target in choose_targets(chunk, config.pairs_per_chunk)]
    return [_answer_aware(document, chunk, target, config.teacher, seed) for chunk, target in targets]


def prompts_of(config: QAGenConfig) -> list[str]:
    """Hashes of the prompts that a method uses."""
    names = ["open"] if config.method == "open" else ["answer_aware.en", "answer_aware.zh"]
    return [load_prompt(name).sha256 for name in names]


def _worth_asking(chunk: Chunk) -> bool:
    letters = sum(2 if "\u3400" <= character <= "\u9fff" else character.isalpha() for character in chunk.text)
    return letters >= _FEWEST_LETTERS and not _NO_SOURCE.match(chunk.section.rsplit(" > ", 1)[-1].strip())


# ---- open


def _open(document: Document, chunk: Chunk, config: QAGenConfig, seed: int | None) -> Asked:
    prompt, teacher = load_prompt("open"), config.teacher
    messages = prompt.messages(
        title=_attribute(document.paper.title),
        section=_attribute(chunk.section),
        passage=chunk.text.replace("</source", "< /source"),  # the text cannot close its own quotation
        count=config.pairs_per_chunk,
        language=_LANGUAGES.get(language_of(chunk.text), "the language of the passage"),
    )
    request = Request(messages, teacher.max_tokens, teacher.temperature, seed, OPEN_SCHEMA)

    def judge(reply: Reply) -> list[QAPair | Rejection]:
        pairs, unreadable = parse_pairs(reply.content)
        made = [_from_open(document, chunk, pair, teacher, prompt) for pair in pairs[: config.pairs_per_chunk]]
        return [*made, *(Rejection(chunk.id, STAGE, "unreadable-reply", detail) for detail in unreadable)]

    return Asked(chunk.id, request, judge)


def _from_open(document: Document, chunk: Chunk, said: OpenPair, teacher: TeacherConfig, prompt: Prompt) -> QAPair | Rejection:
    found = locate_quote(chunk.text, said.quote)
    if found is None:
        detail = f"`{said.quote[:200]}` is not in the text; asked: {said.question}"
        return Rejection(_id(document, said.question, said.answer, ()), STAGE, "quote-not-found", detail)
    evidence = Span(chunk.start + found.start, chunk.start + found.end)
    candidate = Candidate(said.question, said.answer, chunk.text[found.start : found.end], chunk.text)
    return _pair(document, chunk, candidate, evidence, said.kind, teacher, prompt)


# ---- answer-aware


def _answer_aware(document: Document, chunk: Chunk, target: Target, teacher: TeacherConfig, seed: int | None) -> Asked:
    prompt = load_prompt(f"answer_aware.{target.language}")
    messages = prompt.messages(statement=target.slotted)
    request = Request(messages, min(teacher.max_tokens, _QUESTION_TOKENS), teacher.temperature, seed)

    def judge(reply: Reply) -> list[QAPair | Rejection]:
        question = _as_spelt(parse_question(reply.content), chunk.text)
        candidate = Candidate(question, target.answer, target.sentence, target.sentence, prompt.examples(), target.slotted)
        return [_pair(document, chunk, candidate, target.span, target.kind, teacher, prompt)]

    return Asked(f"{document.id}#{target.span.start}-{target.span.end}", request, judge)


def _as_spelt(question: str, text: str) -> str:
    """The question with names written as in the text; small models lose capitals."""
    for name in sorted(set(re.findall(r"(?<=[a-z,] )[A-Z][\w-]+", text))):
        if re.search(rf"\b{re.escape(name.lower())}\b", text):
            continue  # an ordinary word too
        question = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", name, question, flags=re.I)
    return question


# ---- both


def _pair(
    document: Document, chunk: Chunk, candidate: Candidate, evidence: Span, kind: str, teacher: TeacherConfig, prompt: Prompt
) -> QAPair | Rejection:
    identifier = _id(document, candidate.question, candidate.answer, (evidence,))
    found = faults(candidate)
    if found:
        all_of_it = "; ".join(f"{fault.reason}: {fault.detail}" for fault in found)
        return Rejection(identifier, STAGE, found[0].reason, f"{all_of_it} | {candidate.question} | {candidate.answer}")
    return QAPair(
        id=identifier,
        document_id=document.id,
        chunk_id=chunk.id,
        kind=kind,
        language=language_of(candidate.evidence),
        question=candidate.question,
        answer=candidate.answer,
        evidence=(evidence,),
        teacher=teacher.model,
        prompt=prompt.sha256,
        licence=document.paper.licence,
    )


def _id(document: Document, question: str, answer: str, evidence: tuple[Span, ...]) -> str:
    return fingerprint(document.id, question, answer, evidence)[:16]


def _attribute(text: str) -> str:
    return " ".join(text.split()).replace('"', "'").replace("<", "(").replace(">", "/")
