"""Files of data, whoever wrote them -> their entries, each with its place: a JSON array, JSONL, or a folder of either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harvest.store import FieldsmithError, sha256_file

SUFFIXES = (".json", ".jsonl", ".ndjson")


class Entry(NamedTuple):
    """An object of a file: `name` is short and unique in its source, `where` begins a sentence about it."""

    name: str
    where: str
    data: dict[str, Any]


def files_of(path: Path) -> list[Path]:
    """The file itself, or all JSON and JSONL files below a folder, in the order of their names."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FieldsmithError(f"there is no file {path} to train on")
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file())
    if not found:
        raise FieldsmithError(f"the folder {path} holds no JSON or JSONL file to train on")
    return found


def file_digests(path: Path) -> list[str]:
    """SHA-256 of every file that `read_entries` would read; nothing for a path that is not there."""
    return [sha256_file(file) for file in files_of(path)] if path.exists() else []


def read_entries(path: Path) -> Iterator[Entry]:
    """All objects of a file or folder; `FieldsmithError` for one that is missing, empty, or holds something else."""
    empty = True
    for file in files_of(path):
        name = file.name if file == path else str(file.relative_to(path))
        for entry in _entries(file, name):
            empty = False
            yield entry
    if empty:
        raise FieldsmithError(f"{path} is empty: there is nothing to train on")


def _entries(file: Path, name: str) -> Iterator[Entry]:
    try:
        start = _first_sign(file)
        if start == "[":
            yield from _array(file, name)
        elif file.suffix.lower() == ".json" and (single := _single(file)) is not None:
            yield Entry(name, str(file), single)
        else:
            yield from _lines(file, name)
    except UnicodeDecodeError as error:
        raise FieldsmithError(f"{file} is not UTF-8 (at byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise FieldsmithError(f"{file} cannot be read: {error.strerror}") from error


def _first_sign(file: Path) -> str:
    with file.open(encoding="utf-8-sig") as opened:
        return next((line.lstrip()[0] for line in opened if line.strip()), "")


def _array(file: Path, name: str) -> Iterator[Entry]:
    value = _parsed(file.read_text(encoding="utf-8-sig"), str(file), lines=True)
    for number, data in enumerate(value, 1):
        where = f"{file}, entry {number}"
        yield Entry(f"{name}:{number}", where, _object(data, where))


def _single(file: Path) -> dict[str, Any] | None:
    """The object that is the whole file; None where it holds more than one, a line each."""
    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _lines(file: Path, name: str) -> Iterator[Entry]:
    with file.open(encoding="utf-8-sig") as opened:
        for number, line in enumerate(opened, 1):
            if line.strip():
                where = f"{file}, line {number}"
                yield Entry(f"{name}:{number}", where, _object(_parsed(line, where), where))


def _parsed(text: str, where: str, *, lines: bool = False) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if lines else f"column {error.colno}"
        raise FieldsmithError(f"{where}, is not JSON ({error.msg}, {place})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        raise FieldsmithError(f"{where}, is not JSON that can be read ({str(error).splitlines()[0]})") from error


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FieldsmithError(f"{where}, is not a JSON object but a {type(value).__name__}")
    return value
