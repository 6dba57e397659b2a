"""Which documents are trained on, which choose the checkpoint, and which only the exam sees: decided before any question.

A cluster of near-copies is never divided. What a lab assigns by name wins, then the day on which documents appeared; otherwise
a seeded hash of the cluster decides, and what was once decided stays when documents are added.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Final

from rapidfuzz import process

from harvest.records import Document
from harvest.store import UsageError
from qagen.config import SplitConfig
from qagen.curate.groups import group_clusters
from qagen.curate.twins import clusters, sketch
from qagen.own.ids import source_of
from qagen.records import Part, QAPair, SplitEntry

_FEW: Final = 4  # from so many clusters on, a share above 0 gets at least one
_log = logging.getLogger(__name__)


def split_documents(
    documents: Iterable[Document],
    config: SplitConfig,
    *,
    seed: int,
    previous: Iterable[SplitEntry] = (),
    own: Iterable[QAPair] = (),
) -> list[SplitEntry]:
    """Cluster the documents and give every cluster a part; entries in the order of the ids.

    Groups of `own` pairs (`own:<name>/<group>`) are divided likewise, with the same shares of each source for itself, so that neither
    documents nor pairs of one source use up what is held out of another.

    `previous` is the split of an earlier run with the same settings: its parts are kept. Where a new document shows two
    decided clusters to be one, they go to the part that has seen most (train, validation, unseen), because what was
    once trained on can no longer be an exam. Raises `UsageError` where `assign` names nothing or contradicts itself.

    With `config.later` a cluster whose documents all appeared on that day or after it is of part `later`. One that holds an
    earlier document as well is no such exam, for a model may know that one, but nothing of it is trained on either: it is
    `unseen`, or, if it was trained on or watched before, `validation`, which neither trains nor examines.
    """
    appeared: dict[str, str | None] = {}
    sketches = sorted((sketch(document) for document in _noted(documents, appeared)), key=lambda item: item.id)
    cluster_of = {**clusters(sketches, config.near_copy), **group_clusters(own)}
    members = _members(cluster_of)
    before = {entry.document_id: entry.part for entry in previous}
    fixed = _kept(members, before) | _later(members, appeared, before, config.later) | _assigned(cluster_of, config)
    parts = fixed | _drawn_by_source(members.keys(), fixed, config, seed)
    return [SplitEntry(document, cluster, parts[cluster]) for document, cluster in sorted(cluster_of.items())]


def nearest(name: str, names: Iterable[str], count: int = 3) -> str:
    """The ids most like `name`, for a sentence that says what would have been right."""
    return ", ".join(str(match[0]) for match in process.extract(name, sorted(names), limit=count)) or "none, for there are no documents"


def draw(seed: int, *names: str) -> float:
    """A number in [0, 1) that depends on seed and names alone: the same on every machine, in every order."""
    digest = hashlib.sha256("\0".join((str(seed), *names)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _members(cluster_of: Mapping[str, str]) -> dict[str, list[str]]:
    members = defaultdict(list)
    for document, cluster in cluster_of.items():
        members[cluster].append(document)
    return dict(members)


def _kept(members: Mapping[str, list[str]], previous: Mapping[str, Part]) -> dict[str, Part]:
    kept: dict[str, Part] = {}
    for cluster, documents in members.items():
        before = {previous[document] for document in documents if document in previous}
        if before:
            kept[cluster] = next(part for part in _by_exposure() if part in before)
        if len(before) > 1:
            _log.warning("split: the copies of %s were in %s; all go to %s now", cluster, " and ".join(sorted(before)), kept[cluster])
    return kept


def _by_exposure() -> tuple[Part, ...]:
    return ("train", "validation", "unseen", "later")


# ---- by the day on which documents appeared


def _noted(documents: Iterable[Document], appeared: dict[str, str | None]) -> Iterator[Document]:
    """The documents as they stream by, and of each the day on which its paper appeared."""
    for document in documents:
        appeared[document.id] = document.paper.published
        yield document


def _later(
    members: Mapping[str, list[str]], appeared: Mapping[str, str | None], before: Mapping[str, Part], cutoff: date | None
) -> dict[str, Part]:
    """The parts of clusters that hold a document which appeared on the day or after it."""
    if cutoff is None:
        return {}
    if undated := sorted(name for name, day in appeared.items() if first_day(day) is None):
        _log.warning(
            "split: %d documents say no day on which they appeared and count as earlier than %s, first %s", len(undated), cutoff, undated[0]
        )
    found: dict[str, Part] = {}
    for cluster, documents in members.items():
        late = [is_later(appeared.get(document), cutoff) for document in documents]
        if not any(late):
            continue
        exposed = {before.get(document) for document in documents} & {"train", "validation"}
        found[cluster] = "validation" if exposed else "later" if all(late) else "unseen"
        if found[cluster] != "later":
            _log.warning("split: %s holds documents from before %s and from after; they go to %s", cluster, cutoff, found[cluster])
    return found


def is_later(published: str | None, cutoff: date) -> bool:
    """Whether something published then (ISO 8601; a year or a month counts as its first day) certainly appeared on the day or after it."""
    day = first_day(published)
    return day is not None and day >= cutoff


def first_day(published: str | None) -> date | None:
    """The earliest day that an ISO 8601 date, month or year can mean; None where there is none."""
    found = re.match(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?(?!\d)", published or "")
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return None


def _assigned(cluster_of: Mapping[str, str], config: SplitConfig) -> dict[str, Part]:
    chosen: dict[str, tuple[Part, str]] = {}
    for part, patterns in sorted(config.assign.items()):
        for document in sorted(document for pattern in patterns for document in _matching(pattern, part, cluster_of.keys())):
            other, by = chosen.setdefault(cluster_of[document], (part, document))
            if other != part:
                raise UsageError(
                    f"split.assign pulls copies of one work apart: {by} goes to {other}, {document} to {part}; assign both to one part"
                )
    return {cluster: part for cluster, (part, _) in chosen.items()}


def _matching(pattern: str, part: str, documents: Collection[str]) -> list[str]:
    found = [document for document in documents if document == pattern or fnmatchcase(document, pattern)]
    if not found:
        like = nearest(pattern, documents)
        raise UsageError(f"split.assign.{part} names {pattern!r}, which is no document of this run; the nearest are {like}")
    return found


def _drawn_by_source(every: Collection[str], fixed: Mapping[str, Part], config: SplitConfig, seed: int) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    for source in sorted({source_of(cluster) for cluster in every}):
        free = {cluster for cluster in every if source_of(cluster) == source and cluster not in fixed}
        parts |= _drawn(free, {cluster: part for cluster, part in fixed.items() if source_of(cluster) == source}, config, seed)
    if every and "train" not in (*parts.values(), *fixed.values()):
        raise UsageError(
            "every document is assigned to validation or unseen or appeared after split.later, so that none is left to train on; "
            "assign fewer, or choose a later day"
        )
    return parts


def _drawn(free: Collection[str], fixed: Mapping[str, Part], config: SplitConfig, seed: int) -> dict[str, Part]:
    shares: dict[Part, float] = {"unseen": config.unseen, "validation": config.validation}
    shares = {part: share for part, share in shares.items() if part not in config.assign}
    order = sorted(free, key=lambda cluster: (draw(seed, cluster), cluster))
    parts = {cluster: _part_at(draw(seed, cluster), shares) for cluster in order}
    if len(free) + len(fixed) >= _FEW:
        _fill_empty(parts, fixed, [part for part, share in shares.items() if share > 0])
    if parts and "train" not in (*parts.values(), *fixed.values()):
        parts[order[-1]] = "train"
    return parts


def _part_at(place: float, shares: Mapping[Part, float]) -> Part:
    edge = 0.0
    for part, share in shares.items():
        edge += share
        if place < edge:
            return part
    return "train"


def _fill_empty(parts: dict[str, Part], fixed: Mapping[str, Part], wanted: Iterable[Part]) -> None:
    for part in wanted:
        spare = [cluster for cluster in parts if parts[cluster] == "train"]
        trained = len(spare) + sum(other == "train" for other in fixed.values())
        if part not in (*parts.values(), *fixed.values()) and spare and trained > 1:
            parts[spare[0]] = part
