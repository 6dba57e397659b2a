"""`pkg:PACKAGE/PATH`: a file or folder inside an installed package, found without importing it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

from harvest.store import UsageError

PREFIX = "pkg:"


def in_package(reference: str, kind: Literal["file", "folder"]) -> tuple[Path, Path]:
    """(the package's folder, the path inside it, which may not exist) of a reference to a file or folder.

    Errors: `UsageError` for one that is written otherwise, a package that is not installed, and a path that leads out of it.
    """
    package, _, inside = reference.removeprefix(PREFIX).partition("/")
    # A dotted name would import its parent, so only a top-level package can be named.
    if not package.isidentifier() or not inside:
        raise UsageError(f"{reference} is no {kind} in a package: write pkg:PACKAGE/{kind.upper()}, with the name that Python imports")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"{reference} needs a package that is not installed: run `pip install {package.replace('_', '-')}`")
    home = Path(spec.submodule_search_locations[0]).resolve()
    path = (home / inside).resolve()
    if not path.is_relative_to(home):
        raise UsageError(f"{reference} is no {kind} in the package {package}, as it leads out of the package: name one inside it")
    return home, path
