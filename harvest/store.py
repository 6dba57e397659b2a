"""Files of a run: atomic writes, records as JSON and JSONL, receipts, the manifest, and the lock.

The unit of work is one document. Its file, written atomically (temporary file, fsync, rename), says that
it is done; the receipt beside it says *for which input*, so that a changed document or setting is redone
and nothing else is. Every package stands on this file and on nothing else of another package.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any, TypeVar

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

Record = TypeVar("Record")


class FieldsmithError(Exception):
    """What stops a run and a person can act on: its text is the one sentence that they are shown."""

    exit_code = 1


class UsageError(FieldsmithError):
    """A wrong argument or setting: the same, with the exit code of a usage error."""

    exit_code = 2


# ---- names and digests


def safe_name(identifier: str) -> str:
    """The file name of an id: readable, free of separators, different for different ids.

    The only way by which anything from outside reaches a path.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", identifier).lstrip(".")[:100]
    if plain and plain == identifier and not re.search(r"-[0-9a-f]{16}$", plain):  # such an ending is for the others
        return plain
    return f"{plain}-{hashlib.sha256(identifier.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def sha256_text(text: str) -> str:
    """Hex SHA-256 of the UTF-8 bytes of `text`."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*parts: object) -> str:
    """Hex SHA-256 of the parts as canonical JSON (records, pydantic models, paths and mappings included)."""
    return sha256_text(json.dumps(parts, default=_plain, sort_keys=True, ensure_ascii=False))


def versions(*distributions: str) -> dict[str, str]:
    """Installed versions of the named distributions; one that is not installed is left out."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


# ---- writing


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all."""
    with whole_file(path) as file:
        file.write(data)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write piece by piece that appears whole or not at all: temporary file beside it, fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def save(path: Path, record: object) -> None:
    """Write one record (or any JSON value made of records) as indented JSON."""
    write_text(path, json.dumps(record, default=_plain, ensure_ascii=False, indent=1) + "\n")


def save_lines(path: Path, records: Iterable[object]) -> int:
    """Write records as JSONL, atomically; returns how many."""
    lines = [_line(record) for record in records]
    write_text(path, "".join(lines))
    return len(lines)


def append_line(path: Path, record: object) -> None:
    """Append one record to a JSONL file and make it durable before returning.

    A line torn by an earlier crash is first cut off, so that one lost reply never spoils the next.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        _cut_torn_line(file)
        file.write(_line(record).encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())


# ---- reading


def load(path: Path, kind: type[Record]) -> Record:
    """Read one record; a file that does not hold one is a `FieldsmithError` naming the file."""
    try:
        record: Record = _adapter(kind).validate_json(path.read_bytes())
    except ValidationError as error:
        raise FieldsmithError(f"{path} does not hold a {kind.__name__}: {first_problem(error)}") from error
    return record


def load_lines(path: Path, kind: type[Record]) -> Iterator[Record]:
    """Read a JSONL file record by record; a bad line is a `FieldsmithError` naming file and line."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield _adapter(kind).validate_json(line)
                except ValidationError as error:
                    raise FieldsmithError(f"{path}, line {number}, does not hold a {kind.__name__}: {first_problem(error)}") from error


def whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The complete lines of an appended JSONL file; a torn last line (a crash while writing) is not one of them."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n") and line.strip():
                yield json.loads(line)


def first_problem(error: ValidationError) -> str:
    """The first thing that pydantic found wrong, as `where: what`, to be put into a sentence."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


# ---- receipts: which input a unit's file was made from


def is_done(path: Path, key: str) -> bool:
    """Whether `path` was completed for this `key` (a fingerprint of settings and input)."""
    receipt = _receipt(path)
    return path.exists() and receipt.exists() and receipt.read_text(encoding="utf-8") == key


def mark_done(path: Path, key: str) -> None:
    """Say that `path` is complete for `key`; call it after the file itself is written."""
    write_text(_receipt(path), key)


def _receipt(path: Path) -> Path:
    return path.with_name(f".{path.name}.done")


# ---- the manifest: one entry a stage, written last


@dataclasses.dataclass(frozen=True, slots=True)
class StageRecord:
    """What a stage did: settings, fingerprint of settings and inputs, counts, versions, cost and seconds."""

    fingerprint: str
    config: Mapping[str, Any]
    counts: Mapping[str, Any]
    versions: Mapping[str, str]
    cost: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0


def read_manifest(run: Path) -> dict[str, StageRecord]:
    """The stages recorded in `run/manifest.json`, in the order of their completion; empty before the first."""
    path = run / "manifest.json"
    return load(path, dict[str, StageRecord]) if path.exists() else {}


def record_stage(run: Path, stage: str, record: StageRecord) -> None:
    """Write a stage's entry, as the last act of that stage."""
    done = read_manifest(run)
    done.pop(stage, None)
    save(run / "manifest.json", {**done, stage: record})


def stage_is_current(run: Path, stage: str, print_: str) -> bool:
    """Whether the manifest says that `stage` was completed with this very fingerprint."""
    record = read_manifest(run).get(stage)
    return record is not None and record.fingerprint == print_


# ---- one run at a time


@contextmanager
def hold(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder for one process; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FieldsmithError(
            f"{what} is being worked on by another process (it holds {folder / '.lock'}); wait for it or stop it"
        ) from error
    try:
        yield
    finally:
        lock.release()


# ---- inner


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot be written as JSON: {type(value).__name__}")


def _line(record: object) -> str:
    return json.dumps(record, default=_plain, ensure_ascii=False) + "\n"


def _cut_torn_line(file: Any) -> None:
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        file.seek(end - 1)
        if file.read(1) == b"\n":
            break
        end -= 1
    file.truncate(end)
    file.seek(end)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
