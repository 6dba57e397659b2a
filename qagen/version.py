"""The rules themselves are an input: what was made by other code, prompts or word lists is made again, from the ledger."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from harvest.store import fingerprint, sha256_file

_FOLDER = Path(__file__).parent


@cache
def code_print() -> str:
    """A fingerprint of every file of qagen that decides what comes out."""
    files = (path for path in _FOLDER.rglob("*") if path.suffix in (".py", ".j2", ".toml", ".yaml"))
    return fingerprint({path.relative_to(_FOLDER).as_posix(): sha256_file(path) for path in sorted(files)})
