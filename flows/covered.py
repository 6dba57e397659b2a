"""How much of the documents was asked about, and why the rest was not: the coverage ledgers, added up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harvest.records import Document
from harvest.store import load, load_lines
from qagen.records import Coverage

MOST_SHOWN = 30
"""Documents of which the sections are shown; of a large field, those with the largest gaps."""


@dataclass(frozen=True, slots=True)
class Part:
    """A section (or more) of documents: its chunks, those asked about, what they state, what was kept, why others were left out."""

    name: str
    chunks: int
    asked: int
    facts: int
    pairs: int
    reasons: Mapping[str, int]

    @property
    def share(self) -> float:
        """The share of chunks that something was asked about."""
        return self.asked / self.chunks if self.chunks else 0.0


@dataclass(frozen=True, slots=True)
class CoveredDocument:
    """A document: the whole of it (`whole.name` is its title), and its sections in order."""

    id: str
    whole: Part
    sections: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Covered:
    """All documents together, those shown (largest gap first), how many more there are, and how many nothing was written about yet."""

    whole: Part
    documents: tuple[CoveredDocument, ...]
    more: int
    unwritten: int


def covered(run: Path) -> Covered | None:
    """The ledgers of `run/coverage`, added up; None where there are none (pairs of the lab's own, no documents)."""
    files = {path.stem for path in (run / "documents").glob("*.json") if not path.name.startswith(".")}
    ledgers = {path: list(load_lines(path, Coverage)) for path in sorted((run / "coverage").glob("*.jsonl")) if path.stem in files}
    if not ledgers:
        return None
    gaps = sorted(ledgers, key=lambda path: (_part("", ledgers[path]).share, path.name))
    shown = tuple(_document(run, path.stem, ledgers[path]) for path in gaps[:MOST_SHOWN])
    whole = _part("all documents", [line for lines in ledgers.values() for line in lines])
    return Covered(whole, shown, len(gaps) - len(shown), len(files) - len(ledgers))


def _document(run: Path, stem: str, lines: list[Coverage]) -> CoveredDocument:
    document = load(run / "documents" / f"{stem}.json", Document)
    sections: dict[str, list[Coverage]] = defaultdict(list)
    for line in lines:
        sections[line.section].append(line)
    parts = tuple(_part(section or "(no heading)", some) for section, some in sections.items())
    return CoveredDocument(document.id, _part(document.paper.title or document.id, lines), parts)


def _part(name: str, lines: Iterable[Coverage]) -> Part:
    lines = list(lines)
    return Part(
        name=name,
        chunks=len(lines),
        asked=sum(not line.reason for line in lines),
        facts=sum(line.facts for line in lines),
        pairs=sum(sum(line.pairs.values()) for line in lines),
        reasons=dict(Counter(line.reason for line in lines if line.reason).most_common()),
    )
