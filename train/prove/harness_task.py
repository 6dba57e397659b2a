"""The questions of an exported exam, for lm-evaluation-harness: fieldsmith puts this file beside the tasks, where it stands alone.

Paths in a task's YAML would be taken from wherever the harness is started; this file looks beside itself, and takes nothing but the
very exam that was sealed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def load(file: str, sha256: str, kind: str, system: str = "", **_: object) -> dict[str, Any]:
    """The split `test`: the exam's choices (`kind` "choices"), or all its questions with their open answers ("answers").

    What else the harness passes (its metadata) is not needed. Errors: `ValueError` where the file is not the sealed one.
    """
    from datasets import Dataset

    data = Path(__file__).with_name(file).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(f"{file} was changed after it was exported: its SHA-256 is {found}, not {sha256}; export the exam again")
    items = [json.loads(line) for line in data.decode("utf-8").splitlines() if line.strip()]
    return {"test": Dataset.from_list([_row(item, kind, system) for item in items if kind == "answers" or item.get("options")])}


def _row(item: Mapping[str, Any], kind: str, system: str) -> dict[str, Any]:
    row = {"id": item["id"], "question": item["question"].strip(), "system": system}
    if kind == "answers":
        return row | {"answer": item["answer"].strip()}
    return row | {"options": [option.strip() for option in item["options"]], "correct": item["correct"]}


def score_answer(doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """One open answer: its negative log-likelihood in nats, and what bits per byte are made of."""
    likelihood, _ = results[0]
    return {"nll": -likelihood, "bits_per_byte": (likelihood, len(doc["answer"].encode("utf-8")))}
