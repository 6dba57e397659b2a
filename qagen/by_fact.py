"""The open method: the teacher lists what each chunk states, then asks about each fact in the way that suits it.

How many questions there are follows the content. Requests about one chunk begin with the same text, so that endpoints keep it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harvest.records import Document, Rejection
from qagen.chunk import chunk_document
from qagen.config import QAGenConfig
from qagen.coverage import Outcome, coverage, reason_to_skip
from qagen.facts import SCHEMA, facts_in, joined
from qagen.kinds.asking import STAGE, Question, Source, cut_off, outcomes, questions
from qagen.kinds.assign import Assignment, assign
from qagen.kinds.left_open import checked
from qagen.kinds.specs import SPECS, TOLD
from qagen.kinds.summary import summary_slot
from qagen.kinds.together import together
from qagen.records import Chunk, Fact, QAPair, Written
from qagen.teacher.ledger import Request
from qagen.teacher.protocol import Ask, Failure

FEWEST_LETTERS = 40  # a chunk with fewer holds nothing to ask about


async def write_by_facts(document: Document, config: QAGenConfig, ask: Ask, seed: int | None) -> Written:
    """The pairs of a document, what was refused, and what came of each chunk. Raises `Stopped`."""
    source, skipped = source_of(document, config, seed)
    listed = await together(_list(source, chunk, ask) for chunk in source.chunks.values() if chunk.id not in skipped)
    stated = [fact for facts, _ in listed for fact in facts]
    facts, repeated = joined(stated)
    plan = plan_of(source, facts)
    left = [(fact.chunk_id, Rejection(fact.id, STAGE, reason, detail)) for fact, reason, detail in plan.left]
    asked = await together(_ask(source, question, ask) for question in asked_about(source, plan))
    made = [*(outcome for _, refused in listed for outcome in refused), *repeated, *left, *(one for some in asked for one in some)]
    return _written(source, made, skipped, Counter(fact.chunk_id for fact in stated))


def source_of(document: Document, config: QAGenConfig, seed: int | None) -> tuple[Source, dict[str, str]]:
    """A document in chunks, and of the chunks that hold nothing to ask about the reason, by id."""
    chunks = chunk_document(document, config.chunk)
    skipped = {chunk.id: reason for chunk in chunks if (reason := reason_to_skip(chunk, FEWEST_LETTERS))}
    return Source(document, config, seed, {chunk.id: chunk for chunk in chunks}), skipped


def plan_of(source: Source, facts: Sequence[Fact]) -> Assignment:
    """What is asked about the facts of a document, by the weights and the limit of its settings."""
    config = source.config
    return assign(source.document.id, list(source.chunks.values()), facts, weights_of(config), config.pairs_per_chunk)


def weights_of(config: QAGenConfig) -> dict[str, float]:
    """The weights of the kinds that are asked about the facts of one document."""
    return {kind: weight for kind, weight in config.kinds.items() if kind in SPECS}


def asked_about(source: Source, plan: Assignment) -> list[Question]:
    """All questions of a document: about its facts, and the one about its abstract."""
    asked = [question for slot in plan.slots for question in questions(source, slot)]
    wanted = source.config.kinds.get("summary") and summary_slot(source.document, source.chunks)
    return [*asked, *questions(source, *wanted)] if wanted else asked


def facts_request(source: Source, chunk: Chunk) -> Request:
    """The request that asks for the facts of a chunk."""
    kinds = [f"{kind} ({good_for})" for kind, good_for in TOLD.items()]
    return source.request("facts", chunk, SCHEMA, most=source.config.pairs_per_chunk, kinds=kinds)


async def _list(source: Source, chunk: Chunk, ask: Ask) -> tuple[list[Fact], list[Outcome]]:
    """The facts of a chunk, and what was refused of them; a chunk of which nothing came is refused as a whole."""
    reply = await ask(facts_request(source, chunk))
    if isinstance(reply, Failure):
        return [], [(chunk.id, Rejection(chunk.id, STAGE, "teacher-failed", reply.detail))]
    facts, refused = facts_in(chunk, reply.content)
    refused += cut_off(chunk.id, "facts", reply)
    if not facts and not refused:
        refused = [Rejection(chunk.id, STAGE, "no-facts", f"the teacher finds nothing to ask about in `{chunk.section}`")]
    return facts, [(chunk.id, rejection) for rejection in refused]


async def _ask(source: Source, question: Question, ask: Ask) -> list[Outcome]:
    slot, reply = question.slot, await ask(question.request)
    if isinstance(reply, Failure):
        about = [fact.id for fact in slot.facts] if slot.kind != "unanswerable" else [slot.chunk_id]
        return [(slot.chunk_id, Rejection(one, STAGE, "teacher-failed", f"{slot.kind}: {reply.detail}")) for one in about]
    made = list(outcomes(source, question, reply))
    if slot.kind == "unanswerable":
        made = [await checked(source, one, ask) if isinstance(one, QAPair) else one for one in made]
    return [(slot.chunk_id, outcome) for outcome in made]


def _written(source: Source, made: Sequence[Outcome], skipped: Mapping[str, str], facts: Mapping[str, int]) -> Written:
    """Everything in the order of the document."""
    chunks = list(source.chunks.values())
    order, kinds = ({one: place for place, one in enumerate(some)} for some in (source.chunks, SPECS))
    pairs = [outcome for _, outcome in made if isinstance(outcome, QAPair)]
    pairs.sort(key=lambda pair: (order[pair.chunk_id], pair.evidence[0].start, kinds[pair.kind], pair.language))
    refused = [(order[chunk_id], outcome) for chunk_id, outcome in made if isinstance(outcome, Rejection)]
    refused.sort(key=lambda entry: entry[0])
    empty = {chunk_id: "no-facts" for chunk_id, outcome in made if isinstance(outcome, Rejection) and outcome.reason == "no-facts"}
    return Written(tuple(pairs), tuple(one for _, one in refused), tuple(coverage(chunks, {**skipped, **empty}, facts, made)))
