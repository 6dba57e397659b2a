"""Deduplicate a JSONL file of any length: what is kept in memory of a pair is its hashes, what is embedded of it lies on the disk.

The file is read once for the features, then line by line where two pairs look alike, then once more to write what is kept.
The result is that of `deduplicate` on the same pairs.
"""

from __future__ import annotations

import json
import logging
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from harvest.embed import Embed
from harvest.store import FieldsmithError, UsageError, whole_file
from qagen.curate.dedup import THRESHOLD, are_wordings, as_text
from qagen.curate.features import Gathered
from qagen.curate.likeness import Pair, read_pair
from qagen.curate.links import find, resolve
from qagen.curate.semantic import Vectors

log = logging.getLogger(__name__)

_AT_ONCE = 8192  # pairs that are embedded together
_REMEMBERED = 1 << 13  # pairs that are kept as read while near ones are compared


@dataclass(frozen=True, slots=True)
class Written:
    """How many lines a file held and kept, how many went for which reason, and how many couples a reader might still find to be one."""

    pairs: int
    kept: int
    dropped: Mapping[str, int]
    borderline: int


@dataclass(frozen=True, slots=True)
class Line:
    """What is read of a line. The place is its id where it has none."""

    question: str
    answer: str
    id: str
    paraphrase_of: str
    quality: float

    def rank(self) -> tuple[bool, float, str, str, str]:
        """The order in which pairs are preferred, as in `qagen.curate.dedup.rank`."""
        return bool(self.paraphrase_of), -self.quality, self.id, self.question, self.answer


def deduplicate_file(
    path_in: Path,
    path_out: Path,
    *,
    threshold: float = THRESHOLD,
    embed: Embed | None = None,
    workdir: Path | None = None,
    dropped: Path | None = None,
    borderline: Path | None = None,
) -> Written:
    """Write the lines of `path_in` that `deduplicate` keeps to `path_out`, as they are and in order.

    A line is a JSON object with `question` and `answer`; `id`, `scores` and `paraphrase_of` are used where it has them. `dropped` and
    `borderline` are JSONL files to write (`{"id", "line", "twin", "twin_line", "score", "reason"}`, or `doubt`), none if not named.
    Embeddings lie in `workdir` (the system's temporary folder), 2 bytes a dimension, and go when done. Files appear whole or not at
    all. Errors: `UsageError` for a wrong threshold or no file; `FieldsmithError` naming the line that is no pair.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"the threshold must lie in (0, 1], not {threshold}")
    if not path_in.is_file():
        raise UsageError(f"{path_in} is no file; give a JSONL file of question-answer pairs")
    with path_in.open("rb") as file, tempfile.TemporaryDirectory(prefix="dedup-", dir=workdir) as folder:
        lines = _Lines(file, path_in)
        vectors = _Vectors(Path(folder) / "vectors", embed) if embed else None
        gathered = Gathered()
        for line in lines.all():
            gathered.add(read_pair(line.question, line.answer))
            if vectors:
                vectors.add(as_text(line.question, line.answer))
        log.info("%s: %d pairs read", path_in, len(lines))
        found = find(gathered.done(), lines.pair, threshold, vectors.done() if vectors else None)
        chosen = resolve(found, lines.rank, lines.related, threshold)
        log.info("%s: %d of %d pairs are copies", path_in, len(chosen), len(lines))
        gone = {choice.number for choice in chosen}
        doubts = [
            item
            for item in found.doubted
            if item.score >= threshold and not {item.a, item.b} & gone and not lines.related([item.a], [item.b])
        ]
        if dropped:
            _write(dropped, (lines.told(choice.number, choice.twin, choice.score, "reason", choice.reason) for choice in chosen))
        if borderline:
            _write(borderline, (lines.told(item.a, item.b, item.score, "doubt", item.doubt) for item in doubts))
        _write(path_out, lines.without(gone))
        return Written(len(lines), len(lines) - len(gone), dict(Counter(choice.reason for choice in chosen)), len(doubts))


class _Lines:
    """The pairs of a file by their number; where each stands is kept, not what it says."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._start = array("q")
        self._number = array("q")
        self.line = lru_cache(maxsize=_REMEMBERED)(self._line)
        self.pair = lru_cache(maxsize=_REMEMBERED)(self._pair)
        self.rank = lru_cache(maxsize=_REMEMBERED)(self._rank)

    def __len__(self) -> int:
        return len(self._start)

    def all(self) -> Iterator[Line]:
        """Read the file through, noting where each pair stands."""
        start = 0
        for number, raw in enumerate(self._file, 1):
            if raw.strip():
                self._start.append(start)
                self._number.append(number)
                yield _parse(raw, number, self._path)
            start += len(raw)

    def _raw(self, place: int) -> bytes:
        self._file.seek(self._start[place])
        return self._file.readline()

    def _line(self, place: int) -> Line:
        return _parse(self._raw(place), self._number[place], self._path)

    def _pair(self, place: int) -> Pair:
        line = self.line(place)
        return read_pair(line.question, line.answer)

    def _rank(self, place: int) -> tuple[bool, float, str, str, str]:
        return self.line(place).rank()

    def related(self, a: Sequence[int], b: Sequence[int]) -> bool:
        """Whether two groups hold wordings of one pair."""
        one, two = ([(line.id, line.paraphrase_of) for line in map(self.line, group)] for group in (a, b))
        return are_wordings(one, two)

    def told(self, a: int, b: int, score: float, what: str, why: str) -> bytes:
        """A line on two pairs."""
        one, two = self.line(a), self.line(b)
        record = {"id": one.id, "line": self._number[a], "twin": two.id, "twin_line": self._number[b], "score": round(score, 4), what: why}
        return json.dumps(record, ensure_ascii=False).encode() + b"\n"

    def without(self, gone: set[int]) -> Iterator[bytes]:
        """The lines but these, as they are."""
        self._file.seek(0)
        for place in range(len(self)):
            raw = self._raw(place)
            if place not in gone:
                yield raw if raw.endswith(b"\n") else raw + b"\n"


def _parse(raw: bytes, number: int, path: Path) -> Line:
    try:
        record = json.loads(raw)
    except ValueError as error:
        raise FieldsmithError(f"{path}, line {number}, is no JSON: {error}") from error
    if not isinstance(record, dict) or not all(isinstance(record.get(name), str) for name in ("question", "answer")):
        raise FieldsmithError(f"{path}, line {number}, holds no pair: it needs texts `question` and `answer`")
    return Line(
        record["question"],
        record["answer"],
        str(record.get("id") or f"line {number}"),
        str(record.get("paraphrase_of") or ""),
        _quality(record),
    )


def _quality(record: dict[str, Any]) -> float:
    scores = record.get("scores")
    values = [value for value in scores.values() if isinstance(value, int | float)] if isinstance(scores, dict) else []
    return sum(values) / len(values) if values else 0.0


class _Vectors:
    """Embeddings on the disk, as float16: a cosine of them is right to three digits."""

    def __init__(self, path: Path, embed: Embed) -> None:
        self._path, self._embed = path, embed
        self._file = path.open("wb")
        self._waiting: list[str] = []
        self._shape = (0, 0)

    def add(self, text: str) -> None:
        """Embed the next text, with others."""
        self._waiting.append(text)
        if len(self._waiting) == _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            rows = self._embed(self._waiting).astype(np.float16)
            rows.tofile(self._file)
            self._shape = self._shape[0] + len(rows), rows.shape[1]
            self._waiting.clear()

    def done(self) -> Vectors | None:
        """All rows, mapped."""
        self._flush()
        self._file.close()
        return np.memmap(self._path, dtype=np.float16, mode="r", shape=self._shape) if self._shape[0] else None


def _write(path: Path, lines: Iterator[bytes]) -> None:
    with whole_file(path) as file:
        file.writelines(lines)
