"""A Python callable of the lab (`module:function`) that yields pairs, such as a simulator.

It runs in a process of its own: what it imports, changes, prints or breaks stays there, an edit is seen at the next run, and its
hash order is fixed, so that one seed gives one result. It yields mappings (`question`, `answer` and what else files may have) or QAPairs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

from harvest.store import FieldsmithError, UsageError, fingerprint, sha256_file
from qagen.own.files import as_row
from qagen.own.rows import Rows

_CALL: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def read_callable(call: str, arguments: Mapping[str, Any], folder: Path, seed: int) -> Rows:
    """What the function yields; `folder` is looked in for the module first, `seed` is given where the function takes it.

    Raises `UsageError` where there is no such function or it cannot be called so, `FieldsmithError` for whatever goes wrong in it, with the
    line of the lab's code.
    """
    if not _CALL.fullmatch(call):
        raise UsageError(f"{call!r} is no callable; write module:function")
    with _started(call, arguments, folder, seed) as process:
        for number, line in enumerate(cast(IO[str], process.stdout), 1):
            said = json.loads(line)
            if "error" in said:
                raise (UsageError if said["usage"] else FieldsmithError)(f"{call} {said['error']}")
            if "done" in said:
                return
            yield as_row(said["row"], f"item {number}")
        raise FieldsmithError(f"{call} ended its process with code {process.wait()} before it was done")


@contextmanager
def _started(call: str, arguments: Mapping[str, Any], folder: Path, seed: int) -> Iterator[subprocess.Popen[str]]:
    """The process of the function; it ends when the reader has enough."""
    try:
        task = json.dumps({"call": call, "arguments": dict(arguments), "folder": str(folder.resolve()), "seed": seed})
    except TypeError as error:
        raise UsageError(f"the arguments of {call} must be what JSON can say ({error})") from error
    command = [sys.executable, "-m", "qagen.own.child"]
    places = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(places)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment) as process:
        try:
            with cast(IO[str], process.stdin) as stdin:
                stdin.write(task)
            yield process
        finally:
            process.kill()


def code_of(call: str, folder: Path) -> str:
    """A digest of the code that a callable may stand on: the Python files beside the YAML, and those of its package there."""
    top = call.partition(":")[0].partition(".")[0]
    files = [*folder.glob("*.py"), *(folder / top).rglob("*.py")]
    return fingerprint({path.relative_to(folder).as_posix(): sha256_file(path) for path in sorted(set(files))})
