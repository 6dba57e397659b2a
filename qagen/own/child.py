"""The process in which a lab's callable runs: a task as JSON on standard input, rows as JSON lines on standard output.

The last line says that it is done, or what went wrong. What the lab's code prints goes to standard error.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

_TAKEN = ("harvest", "qagen", "train", "flows", *sys.stdlib_module_names)


class _WrongError(Exception):
    """A sentence about the call that follows its name; `usage` if the settings are to be corrected, not the code."""

    def __init__(self, said: str, *, usage: bool = False) -> None:
        super().__init__(said)
        self.usage = usage


def main() -> None:
    """Run one task."""
    task = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w", encoding="ascii") as out:
        os.dup2(2, 1)  # what the lab's code prints, in Python or below it, is no row
        try:
            for row in _rows(task["call"], task["arguments"], task["folder"], task["seed"]):
                out.write(json.dumps({"row": row}) + "\n")
            out.write(json.dumps({"done": True}) + "\n")
        except _WrongError as wrong:
            out.write(json.dumps({"error": " ".join(str(wrong).split()), "usage": wrong.usage}) + "\n")
        except KeyboardInterrupt:
            sys.exit(130)


def _rows(call: str, arguments: dict[str, Any], folder: str, seed: int) -> Iterator[Any]:
    sys.path.insert(0, folder)
    function = _function(call, folder)
    given = arguments | ({"seed": seed} if _takes_seed(function) and "seed" not in arguments else {})
    try:
        inspect.signature(function).bind(**given)
    except TypeError as error:
        raise _WrongError(f"cannot be called with its arguments: {error}", usage=True) from error
    number = 0
    items: Iterator[object] = iter(())
    while True:
        number += 1
        try:
            if number == 1:
                items = iter(function(**given))
            item = next(items)
        except StopIteration:
            return
        except (Exception, SystemExit) as error:  # it is the lab's code, and may raise anything
            raise _WrongError(f"fails: {_last_line(error, folder)}") from error
        yield _plain_row(item, number)


def _function(call: str, folder: str) -> Callable[..., Any]:
    name, _, attribute = call.partition(":")
    top = name.partition(".")[0]
    if PathFinder.find_spec(top, [folder]) and top in _TAKEN:
        raise _WrongError(f"is in a module with the name of one that is in use already ({top!r}); rename it", usage=True)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise _WrongError(f"cannot be found: there is no module {name!r} in {folder} or installed", usage=True) from error
        raise _WrongError(f"cannot be imported: {_last_line(error, folder)}") from error
    except (Exception, SystemExit) as error:
        raise _WrongError(f"cannot be imported: {_last_line(error, folder)}") from error
    function: Callable[..., Any] | None = getattr(module, attribute, None)
    if not callable(function):
        raise _WrongError(f"cannot be found: the module {name!r} has no function {attribute!r}", usage=True)
    return function


def _takes_seed(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(one.name == "seed" or one.kind is one.VAR_KEYWORD for one in parameters)


def _plain_row(item: object, number: int) -> dict[str, Any]:
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        item = dataclasses.asdict(item)
    if not isinstance(item, Mapping):
        raise _WrongError(f"yields {type(item).__name__!r} as item {number}; it must yield mappings with question and answer, or QAPairs")
    try:
        row: dict[str, Any] = json.loads(json.dumps(dict(item), default=_plain))
    except (TypeError, ValueError) as error:
        raise _WrongError(f"yields as item {number} what JSON cannot say: {error}") from error
    return row


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a value of type {type(value).__name__}")


def _last_line(error: BaseException, folder: str) -> str:
    """What a traceback ends with, and the line of the lab's code that it came from."""
    said = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SyntaxError):
        return f"{said} ({Path(error.filename or '').name}, line {error.lineno})"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(folder) and frame.filename != __file__
    ]
    return f"{said} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else said


if __name__ == "__main__":
    main()
