"""Files of records, read one record at a time: JSON, JSONL, CSV, TSV, Parquet, and folders of a saved dataset."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from harvest.store import FieldsmithError, UsageError
from qagen.own.encoding import encoding_of
from qagen.own.rows import Fault, Row, Rows

_LONGEST = 2**24  # characters of one field of a CSV file
_LINE = 2**20  # bytes; a .json file with a longer first line is no JSONL
_IN_A_RECORD = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "paragraphs", "qas", "options", "choices")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_UTF8 = "its bytes are not in the encoding of the rest of the file"


def read_file(path: Path) -> Rows:
    """The records of a file, by its ending. Raises `UsageError` for what is no such file, `FieldsmithError` for a broken one."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    read = _READERS.get(path.suffix.casefold())
    if read is None:
        raise UsageError(f"{path} ends in {path.suffix or 'nothing'}, which is not known; give {_ENDINGS}")
    return read(path)


# ---- JSONL


def _json_lines(path: Path) -> Rows:
    with _text(path) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _json_row(line.rstrip("\r\n"), f"line {number}")


def _json_row(line: str, place: str) -> Row | Fault:
    if _SURROGATE.search(line):
        return Fault(place, "bad-encoding", _NO_UTF8)
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        return Fault(place, "not-json", f"it is not JSON ({error.msg}, column {error.colno})")
    except RecursionError:
        return Fault(place, "not-json", "it is nested too deeply")
    return as_row(data, place, line)


def as_row(data: object, place: str, line: str = "") -> Row | Fault:
    """A record as a row; what is no object is a fault."""
    if not isinstance(data, dict):
        return Fault(place, "not-an-object", f"it is a {type(data).__name__}, not an object with named values")
    return Row(place, data, line)


# ---- JSON


def _json(path: Path) -> Rows:
    """An array of objects, an object that holds one (`{"data": [...]}`), one object, or JSONL under the wrong name."""
    if _is_lines(path):
        yield from _json_lines(path)
        return
    with path.open("rb") as file:
        prefix = _where_the_records_are(file, path)
        file.seek(0)
        yield from _items(file, prefix, path)


def _items(file: BinaryIO, prefix: str, path: Path) -> Rows:
    import ijson

    number = 0
    try:
        for number, data in enumerate(ijson.items(_bare(file), prefix, use_float=True), 1):
            yield as_row(data, f"item {number}")
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise FieldsmithError(f"{path} is not JSON after item {number} ({_first_line(error)}); correct it or cut it there") from error


def _where_the_records_are(file: BinaryIO, path: Path) -> str:
    """In ijson's notation: the first array of objects that is no part of a record; else the object itself."""
    import ijson

    array: str | None = None
    try:
        for prefix, event, _ in ijson.parse(_bare(file), use_float=True):
            if event == "start_map" and array is not None:
                return f"{array}.item" if array else "item"
            if event not in ("start_array", "map_key"):
                array = None
            if event == "start_array" and (not prefix or ("." not in prefix and prefix not in _IN_A_RECORD)):
                array = prefix
            if event == "end_map" and not prefix:
                return ""
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise FieldsmithError(f"{path} is not JSON ({_first_line(error)})") from error
    raise FieldsmithError(f"{path} holds no records: it is neither an array of objects nor JSONL")


def _is_lines(path: Path) -> bool:
    """Whether the first line is an object of its own and more follow."""
    with _text(path) as lines:
        telling = [line for line in islice(lines, 2) if line.strip()] if _short_lines(path) else []
    return len(telling) == 2 and isinstance(_json_row(telling[0].lstrip("\ufeff"), ""), Row)


def _short_lines(path: Path) -> bool:
    """A first line of many megabytes is a whole file on one line, which is not read at once."""
    with path.open("rb") as file:
        return len(file.readline(_LINE)) < _LINE


def _bare(file: BinaryIO) -> BinaryIO:
    """Past the byte order mark, which JSON does not know."""
    if file.read(3) != b"\xef\xbb\xbf":
        file.seek(0)
    return file


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split("\n", 1)[0].split())


# ---- CSV and TSV


def _comma(path: Path) -> Rows:
    return _table(path, ",;\t|")


def _tab(path: Path) -> Rows:
    return _table(path, "\t")


def _table(path: Path, delimiters: str) -> Rows:
    csv.field_size_limit(_LONGEST)
    with _text(path) as lines:
        start = next((line for line in lines if line.strip()), "")
        delimiter = max(delimiters, key=start.count)
        head = [name.strip() for name in next(csv.reader([start], delimiter=delimiter), [])]
        if len(set(head)) < len(head):
            raise UsageError(f"{path} has two columns of one name; its first line must name each column once: {', '.join(head)}")
        yield from _records(csv.reader(lines, delimiter=delimiter, strict=True), head)


def _records(reader: Any, head: list[str]) -> Rows:
    while True:
        place = f"line {reader.line_num + 2}"  # where it begins; the names are line 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Fault(place, "not-csv", f"it is not CSV ({error})")
            continue
        if not cells:
            continue
        if len(cells) != len(head):
            yield Fault(place, "ragged-row", f"it has {len(cells)} cells where the first line names {len(head)} columns")
        elif any(map(_SURROGATE.search, cells)):
            yield Fault(place, "bad-encoding", _NO_UTF8)
        else:
            yield Row(place, dict(zip(head, cells, strict=True)))


@contextmanager
def _text(path: Path) -> Iterator[Iterator[str]]:
    """The lines; bytes that are not in the file's encoding become lone surrogates, by which their line is known."""
    with path.open(encoding=encoding_of(path), errors="surrogateescape", newline="") as file:
        yield iter(file)


# ---- Parquet


def _parquet(path: Path) -> Rows:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=1000):
                for data in batch.to_pylist():
                    number += 1
                    yield Row(f"row {number}", data)
    except ArrowInvalid as error:
        raise FieldsmithError(f"{path} is no readable Parquet file ({_first_line(error)})") from error


_READERS: dict[str, Callable[[Path], Rows]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _comma,
    ".tsv": _tab,
    ".parquet": _parquet,
}
_ENDINGS = "a .json, .jsonl, .csv, .tsv or .parquet file"
