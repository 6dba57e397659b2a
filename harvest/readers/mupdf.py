"""PyMuPDF without its layout model, which it would load on import: 0.8 s and 90 MB for what this reader does not ask."""

from __future__ import annotations

import sys
from typing import Any

_UNWANTED = ("pymupdf.layout", "pymupdf4llm")


def load_pymupdf() -> Any:
    """The module `pymupdf`; where it is imported for the first time, without the packages that it takes along if they are there.

    Those can still be imported afterwards, by whoever wants them.
    """
    if "pymupdf" in sys.modules:
        return sys.modules["pymupdf"]
    kept_out = [name for name in _UNWANTED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(kept_out))  # type: ignore[arg-type]  # None: Python's way to say that there is no such module
    try:
        import pymupdf
    finally:
        for name in kept_out:
            sys.modules.pop(name, None)
    return pymupdf
