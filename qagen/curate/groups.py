"""Groups of a lab's own pairs that must stay together: those that hold the same pair, or a paraphrase of the other's."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from qagen.curate.words import words
from qagen.records import QAPair

_COMMON: Final = 10  # what more groups than this say alike is a set phrase (dedup keeps one), and no sign that they are one


def group_clusters(pairs: Iterable[QAPair]) -> dict[str, str]:
    """Group (`document_id`) -> cluster, the smallest id among the groups that belong together.

    Holds an id and an eight-byte digest of each pair, so the pairs may stream.
    """
    holders: dict[bytes, list[str]] = defaultdict(list)
    home: dict[str, str] = {}
    originals: list[tuple[str, str]] = []
    parent: dict[str, str] = {}
    for pair in pairs:
        group = parent.setdefault(pair.document_id, pair.document_id)
        home[pair.id] = group
        if pair.paraphrase_of:
            originals.append((group, pair.paraphrase_of))
        held = holders[_digest(pair)]
        if group not in held[-1:] and len(held) <= _COMMON:
            held.append(group)
    alike = (group for held in holders.values() if len(held) <= _COMMON for group in pairwise(held))
    for one, other in [*alike, *((group, home[name]) for group, name in originals if name in home)]:
        _join(parent, one, other)
    return {group: _root(parent, group) for group in sorted(parent)}


def _digest(pair: QAPair) -> bytes:
    text = " ".join([*words(pair.question), "\0", *words(pair.answer)])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]


def _root(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        parent[name] = name = parent[parent[name]]
    return name


def _join(parent: dict[str, str], a: str, b: str) -> None:
    first, second = sorted((_root(parent, a), _root(parent, b)))
    parent[second] = first
