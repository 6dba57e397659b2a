"""qagen from top to bottom: decide the split, have the pairs written, make the dataset.

Each stage reads and writes files of a run, is skipped when nothing it depends on has changed and its outputs are as it
left them, and records itself in the manifest as its last act. Stopped anywhere and run again, it ends in the same bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

from harvest import store
from harvest.records import PUBLISHABLE, Document
from harvest.store import FieldsmithError, StageRecord
from qagen.between import across_path, is_wanted
from qagen.config import QAGenConfig
from qagen.curate.build import BESIDE, TRAINED_ON, build
from qagen.curate.decontaminate import find_leaks
from qagen.curate.expert import GENERAL
from qagen.curate.plan import Plan
from qagen.curate.publish import PUBLISHED
from qagen.curate.seal import verify_seal
from qagen.curate.split import split_documents
from qagen.generate import GenerationSummary, generate_pairs, pairs_path, settings_of
from qagen.own.ids import is_own
from qagen.own.stage import own_files, own_pairs, read_own_files
from qagen.records import PARTS, QAPair, SplitEntry
from qagen.restate import restated_documents, restated_path, settings_of_restating
from qagen.review import FILE as REVIEW
from qagen.version import code_print

_log = logging.getLogger(__name__)


def split(config: QAGenConfig, run: Path, *, seed: int) -> StageRecord:
    """Write `dataset/split.jsonl`: which documents, and which groups of the lab's own pairs, are trained on.

    Parts decided before stay while seed and settings do. The lab's own pairs are read first, into `pairs/own_<name>.jsonl`.
    """
    started, path = monotonic(), run / "dataset" / "split.jsonl"
    own = own_pairs(config, run, seed=seed)
    settings = {"seed": seed, "split": config.split.model_dump(mode="json")}
    print_ = store.fingerprint(code_print(), settings, _document_prints(run), _prints(own_files(config, run)))
    if done := _current(run, "split", print_, [path]):
        return done
    entries = split_documents(
        _documents(run), config.split, seed=seed, previous=_previous(run, settings, path), own=read_own_files(config, run)
    )
    if not entries:
        raise FieldsmithError(f"there are no documents in {run / 'documents'} to make questions from; run harvest first")
    store.save_lines(path, entries)
    counts: dict[str, Any] = {
        "documents": _parts([entry for entry in entries if not is_own(entry.document_id)]),
        **({"own groups": _parts([entry for entry in entries if is_own(entry.document_id)])} if config.own else {}),
        "clusters": len({entry.cluster for entry in entries}),
        **({"own pairs": dict(own.pairs), "rejections": dict(own.rejections)} if own.pairs else {}),
        "files": store.fingerprint(_prints([path])),
    }
    _log.info("split: %d documents in %d clusters: %s", len(entries), counts["clusters"], _say(_parts(entries)))
    return _record(run, "split", StageRecord(print_, settings, counts, _versions(), seconds=monotonic() - started))


def generate(config: QAGenConfig, run: Path, *, seed: int) -> StageRecord:
    """Have the teacher write the pairs of every document of the split, and restate the trained ones if that is wanted.

    What it has answered is never asked again.

    Raises `FieldsmithError` before a split exists, and where documents came or changed names after it.
    """
    started, entries = monotonic(), read_split(run)
    names = [entry.document_id for entry in entries if not is_own(entry.document_id)]
    settings = settings_of(config) | (settings_of_restating(config) if config.restatements else {})
    print_ = store.fingerprint(code_print(), seed, settings, _document_prints(run))
    restated = _restated_files(config, run, entries)
    files = [*(pairs_path(run, name) for name in names), *([across_path(run)] if is_wanted(config) else []), *restated]
    if done := _current(run, "generate", print_, files):
        return done
    summary = generate_pairs(config, (read_document(run, name) for name in names), run, seed=seed, split=entries)
    counts: dict[str, Any] = {
        "documents": summary.documents,
        "unfinished": list(summary.unfinished),
        "pairs": dict(summary.pairs),
        **({"restatements": {"texts": summary.restatements}} if config.restatements else {}),
        "rejections": dict(summary.rejections),
        # An unfinished document must be asked for again, so nothing is said to be there.
        "files": "" if summary.unfinished else store.fingerprint(_prints(files)),
    }
    _log.info("generate: %d pairs; rejected: %s", sum(summary.pairs.values()), _say(summary.rejections))
    if summary.unfinished:
        _log.warning("generate: %d documents are unfinished and will be asked for again: %s", *_first_names(summary.unfinished))
    return _record(run, "generate", StageRecord(print_, settings, counts, _versions(), _cost(summary), monotonic() - started))


def build_dataset(config: QAGenConfig, run: Path, *, seed: int, publish: Sequence[str] = PUBLISHABLE) -> StageRecord:
    """Make `dataset/` of the pairs: exams first, sealed, then what is trained on, then look for leaks in what was written.

    What stands under the licences of `publish` (SPDX ids or patterns) is written once more to `dataset/published`, to be
    passed on; an unknown licence is not among them whatever the patterns say.

    Raises `FieldsmithError` where a sealed exam was changed, nothing is left to train on, or a leak is found; then
    nothing to train on is left on disk.
    """
    started, folder = monotonic(), run / "dataset"
    entries = read_split(run)
    settings = _dataset_settings(config, seed) | {"publish": list(publish)}
    pair_files = _pair_files(config, run, entries)
    restated = [path for path in _restated_files(config, run, entries) if path.exists()]
    inputs = [folder / "split.jsonl", *pair_files, *restated, *([folder / REVIEW] if (folder / REVIEW).exists() else [])]
    print_ = store.fingerprint(code_print(), settings, _prints(inputs), _document_prints(run))
    if (folder / "exams" / "seal.json").exists():
        verify_seal(folder / "exams")
    if done := _current(run, "dataset", print_, list(_output_files(folder))):
        return done
    pairs = [pair for path in pair_files for pair in store.load_lines(path, QAPair)]
    counts = build(Plan(config, run, entries, _reader(run), seed), pairs, settings=settings, publish=publish)
    counts["files"] = store.fingerprint(_prints(list(_output_files(folder))))
    _log.info("dataset: %s; exams: %s", _say(counts["examples"]), _say(counts["exams"]))
    return _record(run, "dataset", StageRecord(print_, settings, counts, _versions(), seconds=monotonic() - started))


def count_leaks(config: QAGenConfig, run: Path) -> int:
    """How many lines of what is trained on leak into the exams, looked for anew in the files as they lie there (see `find_leaks`).

    Raises `FieldsmithError` where there is no dataset, or an exam was changed after it was sealed.
    """
    entries, read = read_split(run), _reader(run)
    held_out = (read(entry.document_id) for entry in entries if entry.part != "train" and not is_own(entry.document_id))
    return len(find_leaks(run / "dataset", held_out, threshold=config.near_duplicate, near_copy=config.split.near_copy))


# ---- files of a run


def read_split(run: Path) -> list[SplitEntry]:
    """The split of a run; `FieldsmithError` where there is none, or it does not fit the documents."""
    path = run / "dataset" / "split.jsonl"
    if not path.exists():
        raise FieldsmithError(f"{path} does not exist: which documents are held out is decided before any question; run the split first")
    entries = list(store.load_lines(path, SplitEntry))
    known = {f"{store.safe_name(entry.document_id)}.json" for entry in entries if not is_own(entry.document_id)}
    if odd := sorted(known ^ {file.name for file in _document_files(run)}):
        raise FieldsmithError(f"{path} does not fit the documents ({odd[0]} and {len(odd) - 1} others differ); run the split again")
    return entries


def read_document(run: Path, document: str) -> Document:
    """The document with this id."""
    return store.load(run / "documents" / f"{store.safe_name(document)}.json", Document)


def _pair_files(config: QAGenConfig, run: Path, entries: Sequence[SplitEntry]) -> list[Path]:
    """Where pairs lie: of each document, across documents, and the lab's own."""
    of_documents = (pairs_path(run, entry.document_id) for entry in entries if not is_own(entry.document_id))
    across = [across_path(run)] if is_wanted(config) else []
    return [path for path in (*of_documents, *across, *own_files(config, run)) if path.exists()]


def _restated_files(config: QAGenConfig, run: Path, entries: Sequence[SplitEntry]) -> list[Path]:
    return [restated_path(run, name) for name in restated_documents(run, entries)] if config.restatements else []


def _reader(run: Path) -> Callable[[str], Document]:
    return lru_cache(maxsize=64)(lambda document: read_document(run, document))


def _document_files(run: Path) -> list[Path]:
    return sorted(path for path in (run / "documents").glob("*.json") if not path.name.startswith("."))


def _documents(run: Path) -> Iterator[Document]:
    return (store.load(path, Document) for path in _document_files(run))


def _output_files(folder: Path) -> Iterator[Path]:
    names = (*TRAINED_ON, *BESIDE, "README.md", "exams/seal.json")
    for place in (folder, folder / PUBLISHED):
        yield from (place / name for name in names if (place / name).exists())
        yield from sorted((place / "exams").glob("*.jsonl"))


def _previous(run: Path, settings: Mapping[str, Any], path: Path) -> list[SplitEntry]:
    record = store.read_manifest(run).get("split")
    if record is None or store.fingerprint(record.config) != store.fingerprint(settings) or not path.exists():
        return []
    return list(store.load_lines(path, SplitEntry))


# ---- what makes a stage current


def _current(run: Path, stage: str, print_: str, outputs: Sequence[Path]) -> StageRecord | None:
    """The stage's record, if it was made from these inputs and settings and its outputs are, to the byte, what it wrote."""
    record = store.read_manifest(run).get(stage)
    if record is None or record.fingerprint != print_ or not all(path.exists() for path in outputs):
        return None
    if record.counts.get("files") != store.fingerprint(_prints(outputs)):
        return None
    _log.info("%s: nothing has changed", stage)
    return record


def _prints(paths: Sequence[Path]) -> dict[str, str]:
    return {_short(path): store.sha256_file(path) for path in paths}


def _short(path: Path) -> str:
    """Enough of a path to tell the files of a run apart, wherever the run lies."""
    parts = path.parts
    return "/".join(parts[-3:] if parts[-3] == PUBLISHED else parts[-2:])


def _document_prints(run: Path) -> dict[str, str]:
    return _prints(_document_files(run))


def _dataset_settings(config: QAGenConfig, seed: int) -> dict[str, Any]:
    expert, general = config.exams.expert, config.exams.general
    general = GENERAL if general is True else general
    return {
        "seed": seed,
        "near_duplicate": config.near_duplicate,
        "split": config.split.model_dump(mode="json"),
        "exams": config.exams.model_dump(mode="json", exclude={"expert", "general"}),
        "expert_exam": store.sha256_file(expert) if expert and expert.is_file() else None,
        "general_exam": store.sha256_file(general) if general and general.is_file() else None,
        "chunk": config.chunk.model_dump(mode="json"),
        "restatements": config.restatements,
        "embedder": config.embedder,
        "borderline": config.borderline,
        "decontaminate": {path.name: store.sha256_file(path) for path in config.decontaminate.files if path.is_file()},
    }


def _record(run: Path, stage: str, record: StageRecord) -> StageRecord:
    store.record_stage(run, stage, record)
    return record


def _versions() -> dict[str, str]:
    return store.versions("fieldsmith", "numpy", "pydantic")


def _cost(summary: GenerationSummary) -> dict[str, float]:
    tokens = {"input_tokens": summary.input_tokens, "output_tokens": summary.output_tokens}
    return {"calls_made": summary.calls_made, "calls_kept": summary.calls_kept, **tokens, "money": summary.cost}


def _parts(entries: Sequence[SplitEntry]) -> dict[str, int]:
    """Counts by part; `later` only where there is such a part."""
    counts = {part: sum(entry.part == part for entry in entries) for part in PARTS}
    return {str(part): count for part, count in counts.items() if count or part != "later"}


def _say(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none"


def _first_names(names: Sequence[str]) -> tuple[int, str]:
    return len(names), ", ".join(names[:5])
