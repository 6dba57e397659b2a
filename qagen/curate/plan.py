"""What a dataset is made of, as all who make a part of it see it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harvest.embed import Embed, load_embedder
from harvest.records import Document, Paper
from qagen.config import QAGenConfig
from qagen.own.ids import is_own
from qagen.records import EXAMINED, PARTS, Part, QAPair, SplitEntry

Read = Callable[[str], Document]


@dataclass(frozen=True)
class Plan:
    """What a dataset is made of: settings, run, the split of documents and own groups, and how a document is read."""

    config: QAGenConfig
    run: Path
    split: Sequence[SplitEntry]
    read: Read
    seed: int

    @property
    def folder(self) -> Path:
        """Where it goes."""
        return self.run / "dataset"

    @cached_property
    def part_of(self) -> dict[str, Part]:
        """The part of each document and own group."""
        return {entry.document_id: entry.part for entry in self.split}

    @cached_property
    def documents(self) -> list[SplitEntry]:
        """The entries that are documents."""
        return [entry for entry in self.split if not is_own(entry.document_id)]

    @cached_property
    def papers(self) -> dict[str, Paper]:
        """The papers of the documents."""
        return {entry.document_id: self.read(entry.document_id).paper for entry in self.documents}

    @cached_property
    def embed(self) -> Embed | None:
        """The sentence embeddings of the settings."""
        return load_embedder(self.config.embedder) if self.config.embedder else None

    def held_out(self) -> Iterator[Document]:
        """The documents that are not trained on."""
        return self.of(("validation", *EXAMINED))

    def of(self, parts: Collection[Part]) -> Iterator[Document]:
        """The documents of some parts."""
        return (self.read(entry.document_id) for entry in self.documents if entry.part in parts)

    def texts(self, parts: Collection[Part] = PARTS) -> Iterator[str]:
        """Their texts, of all parts unless some are named."""
        return (document.text for document in self.of(parts))

    def sentences(self, pair: QAPair) -> list[str]:
        """The evidence of a pair in words; own pairs have none."""
        texts = ((self.read(span.document_id or pair.document_id).text, span) for span in pair.evidence)
        return [" ".join(text[span.start : span.end].split()) for text, span in texts]

    def evidence(self, pair: QAPair) -> str:
        """The same as one text."""
        return " … ".join(self.sentences(pair))

    def title(self, document: str) -> str:
        """Of a document; own pairs have none."""
        return "" if is_own(document) else self.papers[document].title
