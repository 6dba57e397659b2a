"""One document -> its question-answer pairs: ask the teacher, ground every answer in the text, keep what holds.

Files per document, under `run`: `replies/<id>.jsonl` (the ledger), `pairs/<id>.jsonl` (QAPair) and
`rejected/generate/<id>.jsonl` (Rejection), the last two written atomically, then the receipt of the pairs file.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from harvest.records import Document, Rejection
from harvest.store import FieldsmithError, fingerprint, is_done, load_lines, mark_done, safe_name, save_lines
from qagen.config import QAGenConfig
from qagen.methods import STAGE, Asked, plan, prompts_of
from qagen.records import QAPair
from qagen.teacher.budget import Budget
from qagen.teacher.client import Failure, Teacher
from qagen.teacher.ledger import Ledger, Reply, spent_in
from qagen.teacher.local import local_server, server_command

logger = logging.getLogger(__name__)

_RULES = 1  # raise it when rules, parsing or choice of answers change: documents are then made again from the ledger


@dataclass(frozen=True, slots=True)
class GenerationSummary:
    """What stands on disk after a run for the given documents, and what it took.

    `pairs` counts by kind, `rejections` by reason, over all given documents, those of earlier runs included.
    `unfinished` are the ids of documents of which a call failed after all retries: what came of the other calls is on
    disk, but without a receipt, so that the next run asks for the rest; a stage with unfinished documents should not
    be skipped next time. `calls_made` were made now, `calls_kept` answered from the ledger; tokens and cost are
    those of the whole life of the run (all of `replies/`).
    """

    documents: int
    unfinished: tuple[str, ...]
    pairs: Mapping[str, int]
    rejections: Mapping[str, int]
    calls_made: int
    calls_kept: int
    input_tokens: int
    output_tokens: int
    cost: float


def generate_pairs(config: QAGenConfig, documents: Iterable[Document], run: Path, *, seed: int) -> GenerationSummary:
    """Write the pairs of every document that has none yet for these settings and this text; synchronous.

    Skips documents whose receipt is valid (no need for the caller to filter). Documents and calls run concurrently,
    the files do not depend on the order. Raises `FieldsmithError` when the budget is reached or the teacher cannot be
    used (down, wrong key, unknown model); what was finished before stays, what was answered is never asked again.
    """
    return asyncio.run(_Generation(config, run, seed).over(documents))


def pairs_path(run: Path, document_id: str) -> Path:
    """Where a document's pairs lie."""
    return run / "pairs" / f"{safe_name(document_id)}.jsonl"


def rejected_path(run: Path, document_id: str) -> Path:
    """Where a document's refused pairs lie."""
    return run / "rejected" / STAGE / f"{safe_name(document_id)}.jsonl"


@dataclass(slots=True)
class _Tally:
    finished: int = 0
    unfinished: list[str] = field(default_factory=list)
    left: int = 0
    pairs: Counter[str] = field(default_factory=Counter)
    rejections: Counter[str] = field(default_factory=Counter)

    def add(self, pairs: Iterable[QAPair], rejections: Iterable[Rejection]) -> None:
        self.pairs.update(pair.kind for pair in pairs)
        self.rejections.update(rejection.reason for rejection in rejections)


class _Generation:
    """One pass over the documents."""

    def __init__(self, config: QAGenConfig, run: Path, seed: int) -> None:
        self._config, self._run = config, run
        self._seed = seed if config.teacher.temperature > 0 else None  # greedy replies do not depend on a seed
        self._replies, self._tally = run / "replies", _Tally()

    async def over(self, documents: Iterable[Document]) -> GenerationSummary:
        budget = Budget(self._config.budget, self._config.teacher.price, spent_in(self._replies))
        queue = iter(documents)
        async with Teacher(self._config.teacher, budget, self._serve if self._config.teacher.serve else None) as teacher:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._config.teacher.concurrency):
                    workers.create_task(self._work(queue, teacher))
            if teacher.stopped:
                raise self._how_far(teacher.stopped)
            return self._summary(budget, teacher)

    def _serve(self) -> AbstractContextManager[str]:
        return local_server(server_command(self._config.teacher.model))

    async def _work(self, queue: Iterator[Document], teacher: Teacher) -> None:
        for document in queue:
            await self._document(document, teacher)

    async def _document(self, document: Document, teacher: Teacher) -> None:
        pairs_file, rejected_file = pairs_path(self._run, document.id), rejected_path(self._run, document.id)
        key = self._key(document)
        if is_done(pairs_file, key) and rejected_file.exists():
            self._tally.finished += 1
            self._tally.add(load_lines(pairs_file, QAPair), load_lines(rejected_file, Rejection))
            return
        asked = plan(document, self._config, self._seed)
        replies = await self._ask(asked, Ledger(self._replies, document.id), teacher)
        if any(isinstance(reply, Failure) and reply.stopped for reply in replies):
            self._tally.left += 1
            return
        pairs, rejections = _judged(asked, replies)
        save_lines(rejected_file, rejections)
        save_lines(pairs_file, pairs)
        self._tally.add(pairs, rejections)
        self._conclude(document, pairs_file, key, replies)
        logger.info("%s: %d pairs, %d rejected (%d documents done)", document.id, len(pairs), len(rejections), self._tally.finished)

    async def _ask(self, asked: list[Asked], ledger: Ledger, teacher: Teacher) -> list[Reply | Failure]:
        """A reply for each; what is the same request twice is asked once."""
        model = self._config.teacher.model
        unique = {one.request.key(model): one.request for one in asked}
        answers = await asyncio.gather(*(teacher.ask(request, ledger) for request in unique.values()))
        found = dict(zip(unique, answers, strict=True))
        return [found[one.request.key(model)] for one in asked]

    def _conclude(self, document: Document, pairs_file: Path, key: str, replies: Iterable[Reply | Failure]) -> None:
        """Give the receipt, unless a call failed: then the next run asks again for what is missing."""
        if any(isinstance(reply, Failure) for reply in replies):
            self._tally.unfinished.append(document.id)
            return
        mark_done(pairs_file, key)
        self._tally.finished += 1

    def _key(self, document: Document) -> str:
        """What pairs depend on: not on address, retries or budget."""
        config, teacher = self._config, self._config.teacher
        settings = (config.method, config.pairs_per_chunk, config.chunk, teacher.model, teacher.temperature, teacher.max_tokens, self._seed)
        return fingerprint(_RULES, prompts_of(config), settings, document.id, document.paper, document.sections, document.sha256)

    def _how_far(self, stopped: FieldsmithError) -> FieldsmithError:
        tally = self._tally
        return FieldsmithError(
            f"{stopped}; pairs of {tally.finished} documents are complete ({tally.pairs.total()} pairs), {tally.left} documents are not"
        )

    def _summary(self, budget: Budget, teacher: Teacher) -> GenerationSummary:
        tally, spent = self._tally, budget.spent
        return GenerationSummary(
            documents=tally.finished + len(tally.unfinished),
            unfinished=tuple(sorted(tally.unfinished)),
            pairs=dict(sorted(tally.pairs.items())),
            rejections=dict(sorted(tally.rejections.items())),
            calls_made=teacher.made,
            calls_kept=teacher.kept,
            input_tokens=spent.input_tokens,
            output_tokens=spent.output_tokens,
            cost=budget.cost(),
        )


def _judged(asked: Iterable[Asked], replies: Iterable[Reply | Failure]) -> tuple[list[QAPair], list[Rejection]]:
    """Pairs and rejections in the order of the document; a pair said twice is kept once."""
    pairs: dict[str, QAPair] = {}
    rejections: list[Rejection] = []
    for one, reply in zip(asked, replies, strict=True):
        if isinstance(reply, Failure):
            rejections.append(Rejection(one.id, STAGE, "teacher-failed", reply.detail))
            continue
        for outcome in one.judge(reply):
            if isinstance(outcome, Rejection):
                rejections.append(outcome)
            elif outcome.id in pairs:
                rejections.append(Rejection(outcome.id, STAGE, "said-twice", outcome.question))
            else:
                pairs[outcome.id] = outcome
    return list(pairs.values()), rejections
