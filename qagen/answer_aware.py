"""The answer-aware method: sentence and answer are chosen by rule, and only the question is asked for. It suits small teachers."""

from __future__ import annotations

import re
from collections import Counter

from harvest.records import Document, Rejection
from qagen.answers import Target, choose_targets
from qagen.checks.rules import Candidate, Fault, faults
from qagen.checks.words import content_words, language_of
from qagen.chunk import chunk_document
from qagen.config import QAGenConfig
from qagen.coverage import Outcome, coverage, reason_to_skip
from qagen.kinds.asking import STAGE, pair_id, told
from qagen.kinds.together import together
from qagen.records import Chunk, QAPair, Written
from qagen.teacher.ledger import Reply, Request
from qagen.teacher.parse import parse_question
from qagen.teacher.prompt import load_prompt
from qagen.teacher.protocol import Ask, Failure

FEWEST_LETTERS = 80  # a chunk with fewer holds nothing to ask about
_QUESTION_TOKENS = 96  # room for one question
_WHAT_IS = re.compile(r"What\s(?:is|are|was|were)\s([^,]*)\?$")
_COPULA = re.compile(r"\b(?:is|are|was|were|means?|denotes?|refers? to|consists? of)\b")
_MOST_OF_A_SIDE = 0.6


async def write_answer_aware(document: Document, config: QAGenConfig, ask: Ask, seed: int | None) -> Written:
    """The pairs of a document, what was refused, and what came of each chunk. Raises `Stopped`."""
    chunks = chunk_document(document, config.chunk)
    reasons = {chunk.id: reason for chunk in chunks if (reason := reason_to_skip(chunk, FEWEST_LETTERS))}
    targets = targets_of(chunks, config)
    replies = await _replies([question_request(target, config, seed) for _, target in targets], config.teacher.model, ask)
    made: list[Outcome] = []
    for (chunk, target), reply in zip(targets, replies, strict=True):
        made.append((chunk.id, _outcome(document, chunk, target, reply, config)))
    counts = Counter(chunk.id for chunk, _ in targets)
    reasons |= {chunk.id: "no-facts" for chunk in chunks if chunk.id not in reasons and not counts[chunk.id]}
    pairs = tuple(outcome for _, outcome in made if isinstance(outcome, QAPair))
    refused = tuple(outcome for _, outcome in made if isinstance(outcome, Rejection))
    return Written(pairs, refused, tuple(coverage(chunks, reasons, counts, made)))


def targets_of(chunks: list[Chunk], config: QAGenConfig) -> list[tuple[Chunk, Target]]:
    """What is asked about, in the order of the document."""
    askable = [chunk for chunk in chunks if not reason_to_skip(chunk, FEWEST_LETTERS)]
    return [(chunk, target) for chunk in askable for target in choose_targets(chunk, config.pairs_per_chunk)]


def question_request(target: Target, config: QAGenConfig, seed: int | None) -> Request:
    """The request for the question of a target."""
    messages = load_prompt(f"answer_aware.{target.language}", config.prompts).messages(statement=target.slotted)
    return Request(messages, min(config.teacher.max_tokens, _QUESTION_TOKENS), config.teacher.temperature, seed)


async def _replies(requests: list[Request], model: str, ask: Ask) -> list[Reply | Failure]:
    """A reply for each; what is the same request twice is asked once."""
    unique = {request.key(model): request for request in requests}
    found = dict(zip(unique, await together(ask(request) for request in unique.values()), strict=True))
    return [found[request.key(model)] for request in requests]


def _outcome(document: Document, chunk: Chunk, target: Target, reply: Reply | Failure, config: QAGenConfig) -> QAPair | Rejection:
    if isinstance(reply, Failure):
        return Rejection(f"{document.id}#{target.span.start}-{target.span.end}", STAGE, "teacher-failed", reply.detail)
    prompt = load_prompt(f"answer_aware.{target.language}", config.prompts)
    question = _as_spelt(parse_question(reply.content), chunk.text)
    identifier = pair_id(document, question, target.answer, (target.span,))
    candidate = Candidate(
        question, target.answer, target.sentence, target.sentence, prompt.examples(), target.slotted,
        kind=target.kind, language=target.language, title=document.paper.title,
    )  # fmt: skip
    found = faults(candidate)
    if not found and target.answer == target.sentence and not says_what_it_is(target.sentence, question):
        found = [Fault("not-what-is-said", "the sentence does not say what that is")]
    if found:
        return Rejection(identifier, STAGE, found[0].reason, told(found, question, target.answer))
    return QAPair(
        id=identifier,
        document_id=document.id,
        chunk_id=chunk.id,
        kind=target.kind,
        language=language_of(target.sentence),
        question=question,
        answer=target.answer,
        evidence=(target.span,),
        teacher=config.teacher.model,
        prompt=prompt.sha256,
        licence=document.paper.licence,
    )


def says_what_it_is(sentence: str, question: str) -> bool:
    """Whether `What is X?` is answered by this sentence: X is (almost) all of what stands on one side of its `is`.

    Small teachers turn `The fibre's delay changes with temperature.` into `What is the delay of the fibre?`. Other questions pass.
    """
    asked = _WHAT_IS.match(question)
    if not asked:
        return True
    thing = set(content_words(asked[1]))
    for copula in _COPULA.finditer(sentence):
        for side in (sentence[: copula.start()], sentence[copula.end() :]):
            words = set(content_words(side))
            if thing and thing <= words and len(thing) >= _MOST_OF_A_SIDE * len(words):
                return True
    return False


def _as_spelt(question: str, text: str) -> str:
    """The question with names written as in the text; small models lose capitals."""
    for name in sorted(set(re.findall(r"(?<=[a-z,] )[A-Z][\w-]+", text))):
        if re.search(rf"\b{re.escape(name.lower())}\b", text):
            continue  # an ordinary word too
        question = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", name, question, flags=re.I)
    return question
