"""Drop pairs that ask the same twice; keep the better one, and say which went for which.

Two pairs are one when their questions are alike in the words that carry the sense, or in their embedding, name the same
numbers, units, names and sides (`guards`), and their answers can be the same. Same question, different answer is a
conflict, not a copy: both stay. A paraphrase is a wanted wording of its original: only its exact copy goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from harvest.embed import Embed
from qagen.curate.features import Gathered
from qagen.curate.likeness import Pair, read_pair
from qagen.curate.links import Choice, Found, Link, Reason, find, resolve
from qagen.records import QAPair

THRESHOLD = 0.5
"""Measured (benchmarks/dedup.py): no false merge in the three labelled sets. 0.4 finds one or two couples more in each, but in large
corpora merges more questions whose answers agree by chance."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A pair that was left out for its twin, which was kept; `score` is their likeness."""

    pair: QAPair
    twin: QAPair
    score: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class Doubt:
    """Two pairs that are kept and may be one: `doubt` is what speaks against it.

    `exchanged`: something stands for something else, which may be a synonym; `asks`: they begin differently (why, how, when);
    `answer`: their answers have no words in common.
    """

    a: QAPair
    b: QAPair
    score: float
    doubt: str


@dataclass(frozen=True, slots=True)
class DedupResult:
    """What was kept, in the order given, what was dropped for which twin, and what a reader might still find to be one."""

    kept: tuple[QAPair, ...]
    dropped: tuple[Dropped, ...]
    borderline: tuple[Doubt, ...]
    threshold: float
    pairs: tuple[QAPair, ...] = field(repr=False)
    found: Found = field(repr=False)

    def at(self, threshold: float) -> DedupResult:
        """The result for a higher threshold, without comparing anything again; `ValueError` for a lower one."""
        if threshold < self.threshold:
            raise ValueError(f"pairs were compared down to {self.threshold}; {threshold} needs deduplicate() again")
        return _result(self.pairs, self.found, threshold)

    def merged(self, same: Iterable[Doubt]) -> DedupResult:
        """The result where these of `borderline` are one."""
        number = {id(pair): place for place, pair in enumerate(self.pairs)}
        settled = {(number[id(doubt.a)], number[id(doubt.b)]) for doubt in same}
        links = [Link(item.a, item.b, item.score) for item in self.found.doubted if (item.a, item.b) in settled]
        doubted = tuple(item for item in self.found.doubted if (item.a, item.b) not in settled)
        return _result(self.pairs, replace(self.found, links=(*self.found.links, *links), doubted=doubted), self.threshold)


def deduplicate(pairs: Iterable[QAPair], *, threshold: float = THRESHOLD, embed: Embed | None = None) -> DedupResult:
    """Keep one of the pairs that ask the same.

    `threshold` is the likeness of two pairs, in (0, 1]: the Dice coefficient of the content words of their questions, or, with
    `embed` (see `harvest.embed.load_embedder`), the cosine of question and answer on a scale on which 0.5 is as good as
    0.5 in words. Which are kept does not depend on the order of the pairs: an original before a paraphrase, then the higher
    mean score, then the smaller id.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must lie in (0, 1], not {threshold}")
    every = tuple(pairs)
    gathered = Gathered()
    for pair in every:
        gathered.add(read_pair(pair.question, pair.answer))

    def read(number: int) -> Pair:
        return read_pair(every[number].question, every[number].answer)

    vectors = embed([as_text(pair.question, pair.answer) for pair in every]) if embed and every else None
    return _result(every, find(gathered.done(), read, threshold, vectors), threshold)


def as_text(question: str, answer: str) -> str:
    """What is embedded of a pair: question and answer together tell more than either."""
    return f"{question}\n{answer}"


def rank(pair: QAPair) -> tuple[bool, float, str, str, str]:
    """The order in which pairs are preferred, best first; total, so that ties do not depend on where they stood."""
    quality = sum(pair.scores.values()) / len(pair.scores) if pair.scores else 0.0
    return bool(pair.paraphrase_of), -quality, pair.id, pair.question, pair.answer


def are_wordings(a: Sequence[tuple[str, str]], b: Sequence[tuple[str, str]]) -> bool:
    """Whether of two groups of (id, paraphrase_of) one holds a paraphrase of what is in the other, or both of one original."""
    originals = {original for _, original in a if original}
    known = originals | {name for name, _ in a}
    return any(name in originals or (original and original in known) for name, original in b)


def _result(pairs: tuple[QAPair, ...], found: Found, threshold: float) -> DedupResult:
    def related(a: Sequence[int], b: Sequence[int]) -> bool:
        return are_wordings(*([(pairs[number].id, pairs[number].paraphrase_of) for number in group] for group in (a, b)))

    chosen = resolve(found, lambda number: rank(pairs[number]), related, threshold)
    gone = {choice.number for choice in chosen}
    kept = tuple(pair for number, pair in enumerate(pairs) if number not in gone)
    doubts = tuple(
        Doubt(pairs[item.a], pairs[item.b], item.score, item.doubt)
        for item in found.doubted
        if item.score >= threshold and not {item.a, item.b} & gone and not related([item.a], [item.b])
    )
    return DedupResult(kept, tuple(_dropped(pairs, choice) for choice in chosen), doubts, threshold, pairs, found)


def _dropped(pairs: tuple[QAPair, ...], choice: Choice) -> Dropped:
    return Dropped(pairs[choice.number], pairs[choice.twin], choice.score, choice.reason)
