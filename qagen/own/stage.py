"""A lab's own pairs as files of a run.

pairs/own_<name>.jsonl            the pairs of one source, in its order
rejected/own/own_<name>.jsonl     what of it could not be used, with its line
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from harvest.records import Rejection
from harvest.store import UsageError, fingerprint, is_done, load_lines, mark_done, sha256_file, whole_file
from qagen.config import OwnConfig, QAGenConfig
from qagen.own.callables import code_of
from qagen.own.pairs import STAGE, at_home, read_own
from qagen.records import QAPair
from qagen.version import code_print

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OwnSummary:
    """What stands on disk of a lab's own pairs: how many by source, what was refused by reason, and the names of what was read now."""

    pairs: Mapping[str, int]
    rejections: Mapping[str, int]
    read: tuple[str, ...]


def own_pairs(config: QAGenConfig, run: Path, *, seed: int) -> OwnSummary:
    """Read every source of `config.own` that is new or changed, and write its pairs and what could not be used.

    A source is read again when its file, its settings, the callable's code (the Python files of its folder) or the seed change;
    a dataset of the hub when its settings do.
    Stopped anywhere, it leaves the files of whole sources only. Files of sources that are no longer named are removed.
    """
    names = {own_path(run, own.name) for own in config.own}
    for path in [*(run / "pairs").glob("own_*.jsonl"), *(run / "rejected" / STAGE).glob("own_*.jsonl")]:
        if run / "pairs" / path.name not in names:
            path.unlink()
    read = [own.name for own in config.own if _source(own, run, seed)]
    pairs = {own.name: sum(1 for _ in load_lines(own_path(run, own.name), QAPair)) for own in config.own}
    reasons = Counter(item.reason for own in config.own for item in load_lines(_rejected_path(run, own.name), Rejection))
    return OwnSummary(pairs, dict(sorted(reasons.items())), tuple(read))


def own_path(run: Path, name: str) -> Path:
    """Where the pairs of a source lie."""
    return run / "pairs" / f"own_{name}.jsonl"


def own_files(config: QAGenConfig, run: Path) -> list[Path]:
    """The files of all sources; those that were not read yet are left out."""
    return [path for own in config.own if (path := own_path(run, own.name)).exists()]


def read_own_files(config: QAGenConfig, run: Path) -> Iterator[QAPair]:
    """The pairs of all sources, one at a time."""
    return (pair for path in own_files(config, run) for pair in load_lines(path, QAPair))


def _rejected_path(run: Path, name: str) -> Path:
    return run / "rejected" / STAGE / f"own_{name}.jsonl"


def _source(own: OwnConfig, run: Path, seed: int) -> bool:
    """Read one source, unless its files are there for these very inputs; tells whether it was read."""
    path, refused = own_path(run, own.name), _rejected_path(run, own.name)
    if (run / "documents" / f"own_{own.name}.json").exists():
        raise UsageError(
            f"a document of the run is called own_{own.name}, as the own pairs {own.name!r} would be; rename them in qagen.own"
        )
    key = _key(own, seed)
    if is_done(path, key) and refused.exists():
        return False
    counts, said = Counter[str](), set[str]()
    with whole_file(refused) as bad, whole_file(path) as good:
        for outcome in read_own(own, seed):
            record = outcome if isinstance(outcome, Rejection) else _once(at_home(outcome.pair, own.name), said)
            if isinstance(record, Rejection):
                counts[record.reason] += 1
            _write(bad if isinstance(record, Rejection) else good, record)
    mark_done(path, key)
    _log.info("own pairs %s: %d; left out: %s", own.name, len(said), ", ".join(f"{n} {why}" for why, n in sorted(counts.items())) or "none")
    return True


def _once(pair: QAPair, said: set[str]) -> QAPair | Rejection:
    if pair.id in said:
        return Rejection(pair.id, STAGE, "said-twice", pair.question)
    said.add(pair.id)
    return pair


def _key(own: OwnConfig, seed: int) -> str:
    settings = own.model_dump(mode="json", exclude={"path", "folder"})
    if own.callable is not None:
        return fingerprint(code_print(), settings, seed, code_of(own.callable, own.folder))
    if own.dataset is not None:
        return fingerprint(code_print(), settings)
    path = own.path or Path()
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path] if path.is_file() else []
    return fingerprint(code_print(), settings, [sha256_file(one) for one in files])


def _write(file: IO[bytes], record: QAPair | Rejection) -> None:
    file.write(f"{json.dumps(asdict(record), ensure_ascii=False)}\n".encode())
