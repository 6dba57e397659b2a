"""The cards of a dataset and of the part of it that may be passed on, from what was just written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harvest.records import Paper, may_publish
from harvest.store import write_text
from qagen.curate.card import Card, SourceLine, kinds_of, own_lines, write_card
from qagen.curate.making import Making
from qagen.curate.publish import PUBLISHED, View
from qagen.curate.seal import Seal
from qagen.own.ids import is_own
from qagen.records import Example, QAPair, SplitEntry


@dataclass(frozen=True)
class Cards:
    """What both cards tell of. `open` are the ids of documents that may be passed on, by the licences of `publish`."""

    folder: Path
    files: tuple[str, ...]
    settings: Mapping[str, Any]
    counts: Mapping[str, Any]
    split: Sequence[SplitEntry]
    pairs: Sequence[QAPair]
    papers: Mapping[str, Paper]
    making: Making
    open: Collection[str]
    publish: Sequence[str]

    def write(self, chats: Mapping[str, Sequence[Example]], seals: Mapping[str, Seal], view: View, view_seals: Mapping[str, Seal]) -> None:
        """Write README.md of the dataset, and of its published part where there is one."""
        documents = [entry for entry in self.split if not is_own(entry.document_id)]
        self._write(self.folder, self.counts, documents, self.pairs, chats, seals)
        if view.counts:
            open_documents = [entry for entry in documents if entry.document_id in self.open]
            written = [pair for pair in self.pairs if self._is_open(pair)]
            self._write(self.folder / PUBLISHED, {"published": view.counts}, open_documents, written, view.chats, view_seals)

    def _is_open(self, pair: QAPair) -> bool:
        return pair.document_id in self.open or (is_own(pair.document_id) and may_publish(pair.licence, self.publish))

    def _write(
        self,
        folder: Path,
        counts: Mapping[str, Any],
        documents: Sequence[SplitEntry],
        pairs: Sequence[QAPair],
        chats: Mapping[str, Sequence[Example]],
        seals: Mapping[str, Seal],
    ) -> None:
        own = own_lines(pairs)
        trained = (self._by_id[chat.pair_id] for held in chats.values() for chat in held)
        card = Card(
            settings=self.settings,
            counts=counts,
            documents=tuple(SourceLine(entry.document_id, self.papers[entry.document_id], entry.part) for entry in documents),
            closed=frozenset(entry.document_id for entry in documents) - frozenset(self.open),
            view=f"The rest is in `{PUBLISHED}/`, with a card of its own." if (folder / PUBLISHED).exists() else "There is nothing else.",
            languages=tuple(sorted({pair.language for pair in pairs})),
            exams=seals,
            files=tuple(name for name in self.files if (folder / name).exists()),
            own=own,
            closed_own=frozenset(line.name for line in own if not all(may_publish(licence, self.publish) for licence in line.licences)),
            kinds=kinds_of(trained, {entry.document_id: entry.part for entry in self.split}),
            making=self.making,
        )
        write_text(folder / "README.md", write_card(card))

    @cached_property
    def _by_id(self) -> dict[str, QAPair]:
        return {pair.id: pair for pair in self.pairs}
