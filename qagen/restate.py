"""What trained documents say, said again by the teacher in other styles: more words for the same facts, for continued pre-training.

A model that meets a fact in one wording only learns the wording; met in several, the fact can be asked for (arXiv 2309.14316). A
restatement may say nothing that its chunk does not: a number, unit or name that the chunk lacks throws it out, as do orders to a model,
another language, and sentences taken over as they are. Rules cannot see a fact turned round in the same words; nobody else looks.

Files per document, under `run`: `restatements/<id>.jsonl` (Restatement) and `rejected/restate/<id>.jsonl` (Rejection), written atomically,
then the receipt of the first.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from harvest.records import Document, Rejection
from harvest.store import fingerprint, is_done, load, load_lines, mark_done, safe_name, save_lines
from qagen.checks.candidate import Fault
from qagen.checks.figures import unknown_in_chinese, unknown_names, unproven
from qagen.checks.injection import addresses_a_model
from qagen.checks.words import language_of, length_in_words
from qagen.config import QAGenConfig
from qagen.curate.dataset import heading, representatives
from qagen.curate.words import containment, grams, words
from qagen.desk import Desk, File
from qagen.kinds.asking import LANGUAGES
from qagen.kinds.together import together
from qagen.methods import askable_chunks
from qagen.records import Chunk, Restatement, SplitEntry
from qagen.teacher.ledger import Request
from qagen.teacher.parse import list_schema, parse_items
from qagen.teacher.prompt import load_prompt, shown
from qagen.teacher.protocol import Ask, Failure
from qagen.version import code_print

STAGE: Final = "restate"
PROMPT: Final = "restate"
MANNERS: Final = {
    "lecture": "as a passage of a lecture to advanced students of the field, in whole sentences",
    "summary": "as a dense summary that keeps every number",
    "questions": "as questions that a specialist would ask about it, each followed by its answer in a whole sentence, as running text",
    "handbook": "as an entry of a handbook, from the general to the particular",
    "colleague": "as somebody explains it to a colleague of a neighbouring field, step by step",
}
"""The styles in the order in which they are used, each as the prompt puts it."""
_KEY: Final = "restatements"
_SCHEMA: dict[str, Any] = list_schema(_KEY, {"text": {"type": "string"}})
_SHORTEST, _LONGEST = 0.3, 3.0  # times the length of the chunk, in words
_COPIED: Final = 0.6  # of its word 5-grams that a restatement may have in common with its chunk
_RUN, _LOOP = 8, 3  # words in a row, and how much more often than in the source they come up in a loop
_logger = logging.getLogger(__name__)


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    text: str


@dataclass(slots=True)
class Restated:
    """What stands on disk: how many restatements, what was refused by reason, the ids of documents of which a call failed."""

    made: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unfinished: list[str] = field(default_factory=list)


def restated_path(run: Path, document_id: str) -> Path:
    """Where a document's restatements lie."""
    return run / "restatements" / f"{safe_name(document_id)}.jsonl"


def restated_documents(run: Path, split: Sequence[SplitEntry]) -> list[str]:
    """The documents that are restated: the trained ones whose text is read, of copies only the longest."""
    entries = [entry for entry in split if (run / "documents" / f"{safe_name(entry.document_id)}.json").exists()]
    return representatives(entries, {entry.document_id: len(_document(run, entry.document_id).text) for entry in entries})


def settings_of_restating(config: QAGenConfig) -> dict[str, object]:
    """What of the settings decides the restatements of a document."""
    teacher = config.teacher.model_dump(mode="json", include={"model", "temperature", "max_tokens"})
    return {"restatements": config.restatements, "teacher": teacher, "prompt": load_prompt(PROMPT, config.prompts).sha256,
            **config.model_dump(mode="json", include={"chunk", "method"})}  # fmt: skip


async def restate_documents(config: QAGenConfig, run: Path, split: Sequence[SplitEntry], desk: Desk, seed: int | None) -> Restated:
    """Have every trained document restated that is not yet for these settings and this text. Raises `Stopped`."""
    waiting, found = iter(restated_documents(run, split)), Restated()

    async def work() -> None:
        for name in waiting:
            await _restated(_document(run, name), config, run, desk, seed, found)

    await together(work() for _ in range(config.teacher.concurrency))
    _logger.info("restated: %d texts; refused: %d", found.made, found.refused.total())
    return found


async def _restated(document: Document, config: QAGenConfig, run: Path, desk: Desk, seed: int | None, found: Restated) -> None:
    path, rejected = restated_path(run, document.id), run / "rejected" / STAGE / f"{safe_name(document.id)}.jsonl"
    key = fingerprint(code_print(), settings_of_restating(config), seed, document.id, document.sha256, document.paper, document.sections)
    if not (is_done(path, key) and rejected.exists()):
        file: File = desk.file(document.id)
        outcomes = await restate(document, config, file.ask("teacher"), seed)
        save_lines(rejected, [one for one in outcomes if isinstance(one, Rejection)])
        save_lines(path, [one for one in outcomes if isinstance(one, Restatement)])
        if file.failed:
            found.unfinished.append(document.id)
        else:
            mark_done(path, key)
    found.made += sum(1 for _ in load_lines(path, Restatement))
    found.refused.update(one.reason for one in load_lines(rejected, Rejection))


async def restate(document: Document, config: QAGenConfig, ask: Ask, seed: int | None) -> list[Restatement | Rejection]:
    """The restatements of a document's chunks in the order of the text, and what was refused. Raises `Stopped`."""
    manners = list(MANNERS)[: config.restatements]
    return await together(
        _said(document, chunk, manner, config, ask, seed) for chunk in askable_chunks(document, config) for manner in manners
    )


async def _said(document: Document, chunk: Chunk, manner: str, config: QAGenConfig, ask: Ask, seed: int | None) -> Restatement | Rejection:
    teacher, prompt = config.teacher, load_prompt(PROMPT, config.prompts)
    language = LANGUAGES.get(language_of(chunk.text), "the language of the passage")
    messages = prompt.messages(**shown(chunk), manner=MANNERS[manner], language=language)
    name = fingerprint(STAGE, chunk.id, manner)[:16]
    reply = await ask(Request(messages, teacher.max_tokens, teacher.temperature, seed, _SCHEMA))
    if isinstance(reply, Failure):
        return Rejection(name, STAGE, "teacher-failed", f"{manner} of {chunk.id}: {reply.detail}")
    said, unreadable = parse_items(reply.content, _KEY, _Said)
    if reply.finish_reason == "length" or len(said) != 1:
        why = "it was cut off" if reply.finish_reason == "length" else "; ".join(unreadable) or f"{len(said)} texts"
        return Rejection(name, STAGE, "unreadable-reply", f"{manner} of {chunk.id}: {why}")
    if wrong := next(objections(said[0].text, chunk), None):
        return Rejection(name, STAGE, wrong.reason, f"{manner} of {chunk.id}: {wrong.detail} | {said[0].text[:200]}")
    text = f"{heading(chunk.title, chunk.section)}\n\n{said[0].text}"
    return Restatement(name, chunk.id, document.id, manner, text, document.paper.licence)


# ---- what a restatement may not do


def objections(text: str, chunk: Chunk) -> Iterator[Fault]:
    """What is wrong with a restatement of a chunk, as far as rules can tell."""
    known = "\n".join([chunk.text, chunk.title, chunk.section, *(f"{one.term}: {one.meaning}" for one in chunk.definitions)])
    length = length_in_words(text) / max(1, length_in_words(chunk.text))
    if not _SHORTEST <= length <= _LONGEST:
        yield Fault("too-short" if length < 1 else "too-long", f"{length:.1f} times the length of the chunk")
    if order := addresses_a_model(text):
        yield Fault("injection", f"it speaks to a language model: {order}")
    if language_of(text) != language_of(chunk.text):
        yield Fault("wrong-language", f"in {language_of(text)}, the chunk in {language_of(chunk.text)}")
    for reason, what in unproven(text, known, known):
        yield Fault(reason, f"the chunk has no {what}")
    if names := unknown_names(text, [known]):
        yield Fault("name-not-in-evidence", f"the chunk does not name {', '.join(names)}")
    if name := unknown_in_chinese("", text, known):
        yield Fault("name-not-in-evidence", f"the chunk does not name {name}")
    if (share := containment(grams(text), grams(chunk.text))) > _COPIED:
        yield Fault("copied", f"{share:.0%} of it are the words of the chunk")
    if loop := _loop(text, chunk.text):
        yield Fault("repeats-itself", loop)


def _loop(text: str, source: str) -> str:
    """Words in a row that come up again and again, and do not in the source."""
    runs, there = (Counter(" ".join(said[at : at + _RUN]) for at in range(len(said) - _RUN + 1)) for said in (words(text), words(source)))
    return next((run for run, count in runs.items() if count - there[run] >= _LOOP), "")


def _document(run: Path, name: str) -> Document:
    return load(run / "documents" / f"{safe_name(name)}.json", Document)
