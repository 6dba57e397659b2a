"""Datasets of the Hugging Face hub by name, and folders that `datasets` can open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError, UsageError
from qagen.own.rows import Row, Rows


def read_hub(name: str, split: str) -> Rows:
    """The rows of a dataset of the hub: `owner/name`, or `owner/name/configuration` where it has several.

    It is downloaded once into the cache of `datasets`, whose files are mapped, not held; with HF_HUB_OFFLINE=1 the cache
    alone is asked. Raises `UsageError` for a dataset or split that does not exist, `FieldsmithError` without a network.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    owner_and_name, configuration = _parts(name)
    try:
        rows = load_dataset(owner_and_name, configuration, split=split)
    except DatasetNotFoundError as error:
        raise UsageError(f"there is no dataset {owner_and_name} on the hub, or it is not open to you; correct qagen.own.dataset") from error
    except ValueError as error:  # what `datasets` raises for a split or configuration that is not there, naming the valid ones
        raise UsageError(f"the dataset {name}: {_one_line(error)}") from error
    except (ConnectionError, OSError) as error:
        raise FieldsmithError(f"the dataset {name} cannot be had: {_one_line(error)}; run again when the hub can be reached") from error
    return _rows(rows)


def read_folder(path: Path, split: str) -> Rows:
    """The rows of a folder: one that `save_to_disk` wrote, or one of data files as the hub has them."""
    from datasets import DatasetDict, load_dataset, load_from_disk

    saved = any((path / name).exists() for name in ("state.json", "dataset_dict.json"))
    try:
        found = load_from_disk(str(path)) if saved else load_dataset(str(path), split=split)
    except (ValueError, OSError) as error:
        raise UsageError(f"{path} is no folder of a dataset: {_one_line(error)}") from error
    if isinstance(found, DatasetDict):
        if split not in found:
            raise UsageError(f"{path} has no split {split!r}; it has {', '.join(sorted(found))}")
        found = found[split]
    return _rows(found)


def _parts(name: str) -> tuple[str, str | None]:
    parts = name.split("/")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise UsageError(f"{name!r} is no dataset of the hub; write owner/name, or owner/name/configuration")
    return "/".join(parts[:2]), parts[2] if len(parts) == 3 else None


def _rows(found: Iterable[Mapping[str, Any]]) -> Rows:
    for number, data in enumerate(found, 1):
        yield Row(f"row {number}", data)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
