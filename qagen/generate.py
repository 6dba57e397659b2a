"""One document -> its question-answer pairs: have them written, judged, asked without the source, put in other words.

Files per document, under `run`: `replies/<id>.jsonl` (the ledger), `pairs/<id>.jsonl` (QAPair), `rejected/generate/<id>.jsonl`
(Rejection) and `coverage/<id>.jsonl` (Coverage), the last three written atomically, then the receipt of the pairs file.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harvest.records import Document, Rejection
from harvest.store import FieldsmithError, fingerprint, is_done, load_lines, mark_done, safe_name, save_lines
from qagen.between import NAME, Across, is_wanted
from qagen.checks.judge import PROMPT as JUDGE_PROMPT
from qagen.checks.judge import judged
from qagen.checks.value import PROMPT as CLOSED_BOOK_PROMPT
from qagen.checks.value import marked_known
from qagen.config import QAGenConfig
from qagen.desk import Desk, File
from qagen.kinds.across import prompts_of_across
from qagen.kinds.derivation import prompts_of_derivations, write_derivations
from qagen.kinds.paraphrase import paraphrase, prompts_of_paraphrases
from qagen.methods import STAGE, askable_chunks, prompts_of, write
from qagen.records import Coverage, QAPair, SplitEntry, Written
from qagen.restate import restate_documents
from qagen.teacher.ledger import Spent
from qagen.teacher.prompt import load_prompt
from qagen.teacher.protocol import Stopped
from qagen.version import code_print

logger = logging.getLogger(__name__)

_BATCHED_AT_ONCE = 2000  # documents whose requests share a batch; more would be more memory


@dataclass(frozen=True, slots=True)
class GenerationSummary:
    """What stands on disk after a run for the given documents, and what it took.

    `pairs` counts by kind, `rejections` by reason, over all given documents, those of earlier runs included; `restatements` are the
    texts in which trained documents are said again.
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
    restatements: int = 0


def generate_pairs(
    config: QAGenConfig, documents: Iterable[Document], run: Path, *, seed: int, split: Sequence[SplitEntry] = ()
) -> GenerationSummary:
    """Write the pairs of every document that has none yet for these settings and this text; synchronous.

    With a `split` questions across its papers are asked at the end, and its trained documents restated, as the settings say (their
    documents are read from `run/documents`).
    Skips documents whose receipt is valid (no need for the caller to filter). Documents and calls run concurrently,
    the files do not depend on the order. Raises `FieldsmithError` when the budget is reached or the teacher cannot be
    used (down, wrong key, unknown model); what was finished before stays, what was answered is never asked again.
    """
    every_prompt(config)  # a prompt or style file that cannot be used is said before anything is asked
    return asyncio.run(_Generation(config, run, seed, split).over(documents))


def pairs_path(run: Path, document_id: str) -> Path:
    """Where a document's pairs lie."""
    return run / "pairs" / f"{safe_name(document_id)}.jsonl"


def rejected_path(run: Path, document_id: str) -> Path:
    """Where what was refused of a document lies."""
    return run / "rejected" / STAGE / f"{safe_name(document_id)}.jsonl"


def coverage_path(run: Path, document_id: str) -> Path:
    """Where it lies which of a document's chunks gave how many pairs."""
    return run / "coverage" / f"{safe_name(document_id)}.jsonl"


@dataclass(slots=True)
class _Tally:
    pairs: Counter[str] = field(default_factory=Counter)
    rejections: Counter[str] = field(default_factory=Counter)
    unfinished: list[str] = field(default_factory=list)
    finished: int = 0
    left: int = 0
    restatements: int = 0
    half_restated: list[str] = field(default_factory=list)

    def add(self, pairs: Iterable[QAPair], rejections: Iterable[Rejection]) -> None:
        self.pairs.update(pair.kind for pair in pairs)
        self.rejections.update(rejection.reason for rejection in rejections)


class _Generation:
    """One pass over the documents."""

    def __init__(self, config: QAGenConfig, run: Path, seed: int, split: Sequence[SplitEntry]) -> None:
        self._config, self._run, self._split, self._tally = config, run, split, _Tally()
        self._prints: list[str] = []
        self._seed = seed if config.teacher.temperature > 0 else None  # greedy replies do not depend on a seed

    async def over(self, documents: Iterable[Document]) -> GenerationSummary:
        queue, teacher = iter(documents), self._config.teacher
        async with Desk(self._config, self._run) as desk:
            async with asyncio.TaskGroup() as workers:
                for _ in range(_BATCHED_AT_ONCE if teacher.mode == "batch" else teacher.concurrency):
                    workers.create_task(self._work(queue, desk))
            if self._split and is_wanted(self._config) and not self._tally.left:
                await self._across(desk)
            if self._split and self._config.restatements and not self._tally.left:
                await self._restate(desk)
            if desk.stopped and self._tally.left:
                raise self._how_far(desk.stopped)
            return self._summary(desk)

    async def _work(self, queue: Iterator[Document], desk: Desk) -> None:
        for document in queue:
            await self._document(document, desk)

    async def _document(self, document: Document, desk: Desk) -> None:
        pairs_file, rejected_file = pairs_path(self._run, document.id), rejected_path(self._run, document.id)
        key = self._key(document)
        self._prints.append(key)
        if is_done(pairs_file, key) and rejected_file.exists():
            self._tally.finished += 1
            self._tally.add(load_lines(pairs_file, QAPair), load_lines(rejected_file, Rejection))
            return
        file = desk.file(document.id)
        try:
            written = await self._written(document, file, desk)
        except Stopped:
            self._tally.left += 1
            return
        save_lines(coverage_path(self._run, document.id), written.coverage)
        save_lines(rejected_file, written.rejections)
        save_lines(pairs_file, written.pairs)
        self._tally.add(written.pairs, written.rejections)
        self._conclude(document, pairs_file, key, failed=file.failed)
        pairs, refused, done = len(written.pairs), len(written.rejections), self._tally.finished
        logger.info("%s: %d pairs, %d rejected (%d documents done)", document.id, pairs, refused, done)

    async def _across(self, desk: Desk) -> None:
        """What no single document gives; its print is that of all of them, for which passages belong together follows from all."""
        key = fingerprint(code_print(), settings_of(self._config), self._seed, sorted(self._prints))
        try:
            written, failed = await Across(self._config, self._run, self._split, self._seed).written(desk, key)
        except Stopped:
            self._tally.left += 1
            return
        self._tally.add(written.pairs, written.rejections)
        if failed:
            self._tally.unfinished.append(NAME)

    async def _restate(self, desk: Desk) -> None:
        """After the pairs, which matter more if the budget is short."""
        try:
            found = await restate_documents(self._config, self._run, self._split, desk, self._seed)
        except Stopped:
            self._tally.left += 1
            return
        self._tally.restatements = found.made
        self._tally.rejections.update(found.refused)
        self._tally.half_restated = found.unfinished

    async def _written(self, document: Document, file: File, desk: Desk) -> Written:
        """Each step takes what the one before has left."""
        ask, config, seed = file.ask("teacher"), self._config, self._seed
        judge = file.ask("judge") if config.judge else None
        written = _once(await write(document, config, ask, seed))
        if config.method == "open" and config.kinds.get("derivation"):
            derived = await write_derivations(document, askable_chunks(document, config), config, ask, judge, seed)
            written = _and(written, derived)
            written = Written(written.pairs, written.rejections, tuple(_with_more(one, derived) for one in written.coverage))
        if config.judge and judge and written.pairs:
            looked_at = await judged(document, written.pairs, config.judge, judge, seed, chunking=config.chunk, prompts=config.prompts)
            written = _then(written, looked_at)
        if config.base and written.pairs:
            written = _then(written, await marked_known(written.pairs, config.base, file.ask("base"), prompts=config.prompts))
        if config.paraphrases and written.pairs:
            written = _once(_and(written, await paraphrase(written.pairs, config, ask, seed)))
        return written

    def _conclude(self, document: Document, pairs_file: Path, key: str, *, failed: bool) -> None:
        """Give the receipt, unless a call failed: then the next run asks again for what is missing."""
        if failed:
            self._tally.unfinished.append(document.id)
            return
        mark_done(pairs_file, key)
        self._tally.finished += 1

    def _key(self, document: Document) -> str:
        """What pairs depend on: not on address, retries or budget."""
        return fingerprint(code_print(), settings_of(self._config), self._seed, _print_of(document))

    def _how_far(self, stopped: FieldsmithError) -> FieldsmithError:
        tally = self._tally
        return FieldsmithError(
            f"{stopped}; pairs of {tally.finished} documents are complete ({tally.pairs.total()} pairs), {tally.left} documents are not"
        )

    def _summary(self, desk: Desk) -> GenerationSummary:
        tally, spent = self._tally, sum_of(desk.budget.spent)
        return GenerationSummary(
            documents=tally.finished + len(tally.unfinished),
            unfinished=tuple(sorted({*tally.unfinished, *tally.half_restated})),
            pairs=dict(sorted(tally.pairs.items())),
            rejections=dict(sorted(tally.rejections.items())),
            calls_made=desk.made,
            calls_kept=desk.kept,
            input_tokens=spent.input_tokens,
            output_tokens=spent.output_tokens,
            cost=desk.budget.cost(),
            restatements=tally.restatements,
        )


def settings_of(config: QAGenConfig) -> dict[str, object]:
    """What of the settings decides the pairs of a document: models and how they are asked, not where and how fast."""
    asked = {"model", "temperature", "max_tokens", "least", "drop"}
    roles = {"teacher": config.teacher, "judge": config.judge, "base": config.base}
    shown = {name: one.model_dump(mode="json", include=asked) for name, one in roles.items() if one}
    ways = config.model_dump(mode="json", include={"method", "pairs_per_chunk", "chunk", "kinds", "languages", "paraphrases"})
    return {**shown, **ways, "prompts": every_prompt(config)}


def every_prompt(config: QAGenConfig) -> list[str]:
    """Hashes of all prompts that a run with these settings uses."""
    names = [(JUDGE_PROMPT, config.judge), (CLOSED_BOOK_PROMPT, config.base)]
    found = [*prompts_of(config), *(load_prompt(name, config.prompts).sha256 for name, wanted in names if wanted)]
    if config.method == "open" and config.kinds.get("derivation"):
        found += prompts_of_derivations(config)
    if is_wanted(config):
        found += prompts_of_across(config)
    return found + (prompts_of_paraphrases(config) if config.paraphrases else [])


def sum_of(spent: Mapping[str, Spent]) -> Spent:
    """What was spent on all models."""
    total = Spent()
    for one in spent.values():
        total = total.plus(one)
    return total


def _print_of(document: Document) -> Sequence[object]:
    return (document.id, document.paper, document.sections, document.sha256)


def _then(before: Written, after: Written) -> Written:
    """What a further step has made of the pairs, with all that was refused so far."""
    return Written(after.pairs, (*before.rejections, *after.rejections), before.coverage)


def _and(one: Written, other: Written) -> Written:
    """Both together."""
    return Written((*one.pairs, *other.pairs), (*one.rejections, *other.rejections), (*one.coverage, *other.coverage))


def _with_more(coverage: Coverage, more: Written) -> Coverage:
    """The line of a chunk with what came of it later."""
    pairs = Counter(coverage.pairs) + Counter(pair.kind for pair in more.pairs if pair.chunk_id == coverage.chunk_id)
    refused = [one.reason for one in more.rejections if one.id.split("/")[0] == coverage.chunk_id]
    return replace(coverage, pairs=dict(pairs), rejections=dict(Counter(coverage.rejections) + Counter(refused)))


def _once(written: Written) -> Written:
    """A pair said twice is kept once."""
    pairs: dict[str, QAPair] = {}
    again: list[Rejection] = []
    for pair in written.pairs:
        if pair.id in pairs:
            again.append(Rejection(pair.id, STAGE, "said-twice", pair.question))
        else:
            pairs[pair.id] = pair
    return Written(tuple(pairs.values()), (*written.rejections, *again), written.coverage)
