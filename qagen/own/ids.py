"""What stands in for a document's id where a pair has no document: `own:<name>/<group>`."""

from __future__ import annotations

from typing import Final

from harvest.store import fingerprint, safe_name

OWN: Final = "own:"
_LONGEST: Final = 120


def is_own(document_id: str) -> bool:
    """Whether this names a lab's own pairs, for which there is no document to read."""
    return document_id.startswith(OWN)


def source_of(document_id: str) -> str:
    """`own:ising` of `own:ising/17`; of a document nothing."""
    return document_id.partition("/")[0] if is_own(document_id) else ""


def document_of(name: str, group: str) -> str:
    """The id of a group of own pairs, which is never divided between training and exams."""
    plain = " ".join(group.split())
    return f"{OWN}{name}/{plain if plain and len(plain) <= _LONGEST else fingerprint(group)[:16]}"


def file_stem(document_id: str) -> str:
    """Of the file that holds what concerns a document; all groups of an own source share one, for there may be a million."""
    return f"own_{source_of(document_id).removeprefix(OWN)}" if is_own(document_id) else safe_name(document_id)
