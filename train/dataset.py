"""A dataset on disk, and what each stage of a training takes from it.

A folder with `train.jsonl` (chats or pairs), `corpus.jsonl` (texts) and perhaps `validation.jsonl`; or one JSONL file
of pairs, which is all that anyone needs who has only pairs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError, sha256_file
from train.config import StageConfig
from train.data import Prepared, prepare_pairs, prepare_texts, read_conversations, read_texts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Material:
    """What one stage learns, and the pairs on which its loss is watched (empty where there are none)."""

    learn: Prepared
    watch: Prepared


def prepare(dataset: Path, stage: StageConfig, tokenizer: Any, system_prompt: str | None) -> Material:
    """The rows of one stage; errors: `FieldsmithError` for a file that is missing, bad, or leaves nothing to learn."""
    if stage.kind == "cpt":
        texts = _texts(dataset)
        return Material(prepare_texts(tokenizer, read_texts(texts), max_length=stage.max_length), Prepared(()))
    pairs, validation = _pairs(dataset), _validation(dataset)
    learn = _rows(pairs, stage, tokenizer, system_prompt)
    if not learn.rows:
        raise FieldsmithError(f"{pairs} gives an sft stage nothing to learn: no answer fits in max_length {stage.max_length}")
    return Material(learn, _rows(validation, stage, tokenizer, system_prompt) if validation else Prepared(()))


def digests(dataset: Path, stage: StageConfig) -> list[str]:
    """SHA-256 of every file that a stage reads."""
    files = [_texts(dataset)] if stage.kind == "cpt" else [_pairs(dataset), _validation(dataset)]
    return [sha256_file(path) if path and path.is_file() else "" for path in files]


def _rows(path: Path, stage: StageConfig, tokenizer: Any, system_prompt: str | None) -> Prepared:
    rows = prepare_pairs(tokenizer, read_conversations(path), max_length=stage.max_length, system_prompt=system_prompt)
    if rows.truncated:
        log.info("%s: %d examples are longer than max_length %d and were cut at the end", path.name, rows.truncated, stage.max_length)
    if rows.dropped:
        names = ", ".join(rows.dropped[:5]) + (", ..." if len(rows.dropped) > 5 else "")
        log.info("%s: %d examples had no answer left after the cut and were left out (%s)", path.name, len(rows.dropped), names)
    return rows


def _pairs(dataset: Path) -> Path:
    return dataset / "train.jsonl" if dataset.is_dir() else dataset


def _validation(dataset: Path) -> Path | None:
    path = dataset / "validation.jsonl"
    return path if path.is_file() and path.stat().st_size else None


def _texts(dataset: Path) -> Path:
    if dataset.is_file():
        raise FieldsmithError(f"a cpt stage needs a dataset folder with a corpus.jsonl, and {dataset} is a file of pairs")
    return dataset / "corpus.jsonl"
