"""The pairs that rest on two papers at once; they need the whole corpus, so they are written when its documents are done.

Files under `run`: `pairs/_across.jsonl`, `rejected/generate/_across.jsonl`, and the ledger `replies/_across.jsonl`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from harvest.embed import load_embedder
from harvest.records import Document, Rejection
from harvest.store import fingerprint, is_done, load, load_lines, mark_done, safe_name, save_lines
from qagen.checks.judge import Verdict, judge_pairs, settled
from qagen.chunk import chunk_document
from qagen.config import JudgeConfig, QAGenConfig
from qagen.desk import Desk, File
from qagen.kinds.across import KIND, write_across
from qagen.kinds.partners import choose_partners
from qagen.methods import STAGE, askable_chunks
from qagen.records import Chunk, QAPair, SplitEntry, Written
from qagen.teacher.protocol import Ask, Failure

NAME = "_across"


def is_wanted(config: QAGenConfig) -> bool:
    """Whether questions across papers are asked for; a teacher that is given the answers cannot compare."""
    return config.method == "open" and bool(config.kinds.get(KIND))


def across_path(run: Path) -> Path:
    """Where the pairs lie."""
    return run / "pairs" / f"{NAME}.jsonl"


class Across:
    """The questions across the papers of one run."""

    def __init__(self, config: QAGenConfig, run: Path, split: Sequence[SplitEntry], seed: int | None) -> None:
        self._config, self._run, self._split, self._seed = config, run, split, seed
        self._read = lru_cache(maxsize=64)(self._from_disk)

    async def written(self, desk: Desk, key: str) -> tuple[Written, bool]:
        """The pairs and what was refused, from disk if they stand for this `key`; and whether a call has failed. Raises `Stopped`."""
        pairs, rejected = across_path(self._run), self._run / "rejected" / STAGE / f"{NAME}.jsonl"
        key = fingerprint(key, self._split)
        if is_done(pairs, key) and rejected.exists():
            return Written(tuple(load_lines(pairs, QAPair)), tuple(load_lines(rejected, Rejection))), False
        file = desk.file(NAME)
        written = await self._asked(file)
        save_lines(rejected, written.rejections)
        save_lines(pairs, written.pairs)
        if not file.failed:
            mark_done(pairs, key)
        return written, file.failed

    async def _asked(self, file: File) -> Written:
        embed = load_embedder(self._config.embedder) if self._config.embedder else None
        partners = choose_partners(self._chunks(), self._split, self._config, embed)
        written = await write_across(partners, self._read, self._config, file.ask("teacher"), self._seed)
        judge = self._config.judge
        if judge is None or not written.pairs:
            return written
        verdicts = await asyncio.gather(*(self._verdict(pair, judge, file.ask("judge")) for pair in written.pairs))
        judged = settled(written.pairs, verdicts, judge.least)
        return Written(judged.pairs, (*written.rejections, *judged.rejections))

    async def _verdict(self, pair: QAPair, judge: JudgeConfig, ask: Ask) -> Verdict | Failure:
        sources = [chunk for chunk in self._both(pair) if _holds(chunk, pair)]
        [verdict] = await judge_pairs([pair], sources, judge, ask, self._seed, prompts=self._config.prompts)
        return verdict

    def _both(self, pair: QAPair) -> Iterator[Chunk]:
        for name in dict.fromkeys(span.document_id or pair.document_id for span in pair.evidence):
            yield from chunk_document(self._read(name), self._config.chunk)

    def _chunks(self) -> Iterator[Chunk]:
        for entry in sorted(self._split, key=lambda entry: entry.document_id):
            if (self._run / "documents" / f"{safe_name(entry.document_id)}.json").exists():
                yield from askable_chunks(self._from_disk(entry.document_id), self._config)

    def _from_disk(self, document: str) -> Document:
        return load(self._run / "documents" / f"{safe_name(document)}.json", Document)


def _holds(chunk: Chunk, pair: QAPair) -> bool:
    """Whether evidence of the pair stands in the chunk."""
    return any(
        (span.document_id or pair.document_id) == chunk.document_id and span.start < chunk.end and chunk.start < span.end
        for span in pair.evidence
    )
