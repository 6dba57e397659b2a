"""Documents -> question-answer pairs that each point at the sentence they rest on -> a dataset with exams.

Public: `chunk_document`, `locate_quote`, `deduplicate`, `load_pairs`, `QAGenConfig`, `QAPair`; the stages are in `qagen.stage`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qagen.checks.ground import locate_quote
    from qagen.chunk import chunk_document
    from qagen.config import QAGenConfig
    from qagen.curate.dedup import deduplicate
    from qagen.own.pairs import load_pairs
    from qagen.records import QAPair

__all__ = ["QAGenConfig", "QAPair", "chunk_document", "deduplicate", "load_pairs", "locate_quote"]

_HOME = {
    "QAGenConfig": "qagen.config",
    "QAPair": "qagen.records",
    "chunk_document": "qagen.chunk",
    "deduplicate": "qagen.curate.dedup",
    "load_pairs": "qagen.own.pairs",
    "locate_quote": "qagen.checks.ground",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import qagen` stays light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
