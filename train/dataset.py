"""A dataset on disk, and what each stage of a training takes from it.

A folder with `train.jsonl` (chats or pairs), `corpus.jsonl` (texts), and perhaps `validation.jsonl` (chats), `validation_corpus.jsonl`
and `restatements.jsonl` (texts); or one file of pairs, which is all that anyone needs who has only pairs. A stage's own `data` and
`validation` stand in place of these, in any of the layouts of `train.layouts`, as a file or as a folder of files.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError, sha256_text
from train.config import StageConfig
from train.data import Prepared, prepare_pairs, prepare_texts, read_conversations, read_texts
from train.entries import file_digests
from train.layouts import Text
from train.replay import called, with_replay

HELD_BACK = 0.05
"""Share of a cpt stage's text that is held back where its loss is to be watched and nobody gives held-out texts."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Material:
    """What one stage learns, on which rows its loss is watched (empty where there are none), and what was decided, in sentences."""

    learn: Prepared
    watch: Prepared
    notes: tuple[str, ...] = ()


def prepare(dataset: Path, stage: StageConfig, tokenizer: Any, system_prompt: str | None, *, seed: int) -> Material:
    """The rows of one stage; `seed` draws what is replayed.

    Errors: `FieldsmithError` for a file that is missing, bad, or leaves nothing to learn.
    """
    material = _texts(dataset, stage, tokenizer) if stage.kind == "cpt" else _pairs(dataset, stage, tokenizer, system_prompt)
    if stage.replay is None:
        return material
    learn = with_replay(material.learn, stage.replay, stage.kind, tokenizer, max_length=stage.max_length, seed=seed)
    note = f"{learn.replayed} of {len(learn.rows)} rows are replayed from {called(stage.replay)} against forgetting"
    return Material(learn, material.watch, (*material.notes, note))


def digests(dataset: Path, stage: StageConfig) -> list[str]:
    """A line for every file that a stage reads: what it is read as, and its SHA-256; data of the hub is told by its id."""
    found = [f"{role} {digest}" for role, path in _sources(dataset, stage) for digest in file_digests(path)]
    if stage.replay and stage.replay.hub:
        found.append(f"replay {stage.replay.hub} {stage.replay.split}")
    return found


def has_validation(dataset: Path, stage: StageConfig) -> bool:
    """Whether the loss of a stage can be watched on held-out data: a cpt stage can always hold some back."""
    return stage.kind == "cpt" or _validation(dataset, stage) is not None


def _sources(dataset: Path, stage: StageConfig) -> Iterator[tuple[str, Path]]:
    yield "learn", _learnt(dataset, stage)
    if validation := _validation(dataset, stage):
        yield "watch", validation
    if stage.restatements:
        yield "restatements", dataset / "restatements.jsonl"
    if stage.replay and stage.replay.path:
        yield "replay", stage.replay.path


def _learnt(dataset: Path, stage: StageConfig) -> Path:
    if stage.data:
        return stage.data
    if stage.kind == "sft":
        return dataset / "train.jsonl" if dataset.is_dir() else dataset
    if dataset.is_file():
        raise FieldsmithError(
            f"a cpt stage needs a dataset folder with a corpus.jsonl, or data of its own, and {dataset} is a file of pairs"
        )
    return dataset / "corpus.jsonl"


def _validation(dataset: Path, stage: StageConfig) -> Path | None:
    """The stage's own held-out data, which must be there, or the dataset's, which may be."""
    if stage.validation:
        return stage.validation
    path = dataset / ("validation_corpus.jsonl" if stage.kind == "cpt" else "validation.jsonl")
    return path if path.is_file() and path.stat().st_size else None


# ---- pairs


def _pairs(dataset: Path, stage: StageConfig, tokenizer: Any, system_prompt: str | None) -> Material:
    path, validation = _learnt(dataset, stage), _validation(dataset, stage)
    learn = _rows(path, stage, tokenizer, system_prompt)
    if not learn.rows:
        raise FieldsmithError(f"{path} gives an sft stage nothing to learn: no answer fits in max_length {stage.max_length}")
    return Material(learn, _rows(validation, stage, tokenizer, system_prompt) if validation else Prepared(()))


def _rows(path: Path, stage: StageConfig, tokenizer: Any, system_prompt: str | None) -> Prepared:
    rows = prepare_pairs(tokenizer, read_conversations(path), max_length=stage.max_length, system_prompt=system_prompt)
    if rows.truncated:
        log.info("%s: %d examples are longer than max_length %d and were cut at the end", path.name, rows.truncated, stage.max_length)
    if rows.dropped:
        names = ", ".join(rows.dropped[:5]) + (", ..." if len(rows.dropped) > 5 else "")
        log.info("%s: %d examples had no answer left after the cut and were left out (%s)", path.name, len(rows.dropped), names)
    return rows


# ---- texts


def _texts(dataset: Path, stage: StageConfig, tokenizer: Any) -> Material:
    texts, watched = read_texts(_learnt(dataset, stage)), _watched_texts(dataset, stage)
    notes: tuple[str, ...] = ()
    if stage.restatements:
        texts += _restatements(dataset)
    if not watched and (stage.early_stopping or stage.eval_steps):
        texts, watched = hold_back(texts)
        documents = len({one.document for one in watched})
        notes = (f"{documents} document{'s' * (documents > 1)} of the texts were held back to watch the loss of cpt on",) if watched else ()
    for note in notes:
        log.info("%s", note)
    rows = [prepare_texts(tokenizer, (one.text for one in some), max_length=stage.max_length) for some in (texts, watched)]
    if not rows[0].rows:
        raise FieldsmithError(f"{_learnt(dataset, stage)} gives a cpt stage nothing to learn")
    return Material(rows[0], rows[1], notes)


def _watched_texts(dataset: Path, stage: StageConfig) -> list[Text]:
    path = _validation(dataset, stage)
    return read_texts(path) if path else []


def _restatements(dataset: Path) -> list[Text]:
    path = dataset / "restatements.jsonl"
    if not path.is_file():
        raise FieldsmithError(f"restatements: true needs {path}, which is not there: set qagen.restatements, or leave it out of the stage")
    return read_texts(path)


def hold_back(texts: Sequence[Text]) -> tuple[list[Text], list[Text]]:
    """What is learnt, and whole documents with at least `HELD_BACK` of the characters; none where there is one document only.

    Which documents follows from the hashes of their names, so that it stays the same when texts are added or reordered.
    """
    size: dict[str, int] = defaultdict(int)
    for one in texts:
        size[one.document] += len(one.text)
    wanted, held = HELD_BACK * sum(size.values()), set[str]()
    for document in sorted(size, key=sha256_text)[:-1]:
        if sum(size[one] for one in held) >= wanted:
            break
        held.add(document)
    return [one for one in texts if one.document not in held], [one for one in texts if one.document in held]
