"""harvest: sources -> papers/ -> documents/, one paper at a time, stoppable at any instant.

A paper whose folder has a paper.json is whole and is never downloaded again; a document whose receipt names its
files' hashes and the readers' versions is never read again. What was refused lies in rejected/harvest/ with its
reason. The manifest's entry is written last; its fingerprint changes when any document does.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harvest.config import HarvestConfig, Source
from harvest.read import read_extract, to_document
from harvest.readers.extract import UnreadableDocument
from harvest.readers.versions import EXTRACTORS
from harvest.records import Document, Paper, Rejection
from harvest.sources import arxiv, folder
from harvest.sources.offer import Offer, Refused
from harvest.store import (
    FieldsmithError,
    StageRecord,
    UsageError,
    fingerprint,
    hold,
    is_done,
    load,
    load_lines,
    mark_done,
    read_manifest,
    record_stage,
    safe_name,
    save,
    save_lines,
    sha256_file,
    versions,
)
from harvest.web import Unreachable

_log = logging.getLogger(__name__)
_CONTENT = ("source.tar.gz", "source.tar", "source.tex", "source.gz", "paper.pdf", "paper.pdf.gz", "source.bin")  # in the order of trust
_DENIALS = 3  # in a row, after which asking on would be rude


def harvest(config: HarvestConfig, run: Path, *, refresh: bool = False) -> StageRecord:
    """Gather every source of `config` into `run/papers` and read it into `run/documents`.

    `refresh` asks arXiv again for what it lists now and for what it refused before. Raises `FieldsmithError`
    where a source fails or no document at all comes out, `UsageError` where two sources give one id.
    """
    start = time.monotonic()
    with hold(run / "papers", f"the harvest of {run}"):
        try:
            offers = _offers(config, run, refresh=refresh)
            outcomes = list(_outcomes(offers, run, refresh=refresh))
        except Unreachable as error:
            raise _with_advice(error, run) from error
        _remove_others(run, [offer.paper.id for offer in offers])
        documents = {offer.paper.id: made for offer, made in outcomes if isinstance(made, str)}
        if not documents:
            raise FieldsmithError(_nothing(config, outcomes, run))
        print_ = fingerprint(config, EXTRACTORS, documents)
        counts = _counts(outcomes)
        before = read_manifest(run).get("harvest")
        if before and before.fingerprint == print_ and before.counts == counts:
            return before
        record = StageRecord(print_, config.model_dump(mode="json"), counts, versions("arxiv", "pymupdf"), seconds=time.monotonic() - start)
        record_stage(run, "harvest", record)
        return record


# ---- what there is


def _offers(config: HarvestConfig, run: Path, *, refresh: bool) -> list[Offer]:
    """The papers of all sources in their order, each once, at most `max_papers`."""
    found: dict[str, Offer] = {}
    for source in config.sources:
        listed = (
            arxiv.offers(source.arxiv, run, refresh=refresh) if source.arxiv else folder.offers(source.folder, run) if source.folder else ()
        )
        for offer in listed:
            same = found.setdefault(offer.paper.id, offer)
            if same is not offer and "folder" in (same.paper.source, offer.paper.source):
                raise UsageError(
                    f"two sources give the paper {offer.paper.id!r} ({same.origin} and {offer.origin}); rename one of the files"
                )
    return list(found.values())[: config.max_papers]


def _outcomes(offers: list[Offer], run: Path, *, refresh: bool) -> Iterator[tuple[Offer, str | Rejection]]:
    """For each paper the hash of its document's text, or why there is none."""
    denied = 0
    for number, offer in enumerate(offers, 1):
        made = _one(offer, run, refresh=refresh)
        denied = denied + 1 if isinstance(made, Rejection) and made.reason == "denied" else 0
        if denied >= _DENIALS:
            raise Unreachable(
                arxiv.content_address(), f"it denied access {denied} times in a row: {made.detail if isinstance(made, Rejection) else ''}"
            )
        said = f"{made.reason}: {made.detail}" if isinstance(made, Rejection) else "ready"
        _log.info("paper %d of %d, %s: %s", number, len(offers), offer.paper.id, said)
        yield offer, made


# ---- one paper


def _one(offer: Offer, run: Path, *, refresh: bool) -> str | Rejection:
    """Fetch and read one paper, as far as that is not done already."""
    name = safe_name(offer.paper.id)
    place, refusal = run / "papers" / name, run / "rejected" / "harvest" / f"{name}.jsonl"
    asked = fingerprint("source", offer.paper.id)
    if is_done(refusal, asked) and not refresh:
        return next(load_lines(refusal, Rejection))
    try:
        paper = _fetched(offer, place)
    except Refused as error:
        return _reject(run, Rejection(offer.paper.id, "harvest", error.reason, error.detail), asked if error.lasting else "")
    key = _key(place, paper)
    document = run / "documents" / f"{name}.json"
    if is_done(document, key):
        return load(document, Document).sha256
    if is_done(refusal, key):
        return next(load_lines(refusal, Rejection))
    return _read(offer, paper, place, run)


def _fetched(offer: Offer, place: Path) -> Paper:
    """The paper with its files in place; one from arXiv is whole if it has a paper.json, a folder looks itself."""
    if offer.paper.source != "folder" and (place / "paper.json").exists():
        return load(place / "paper.json", Paper)
    return offer.fetch(place)


def _read(offer: Offer, paper: Paper, place: Path, run: Path) -> str | Rejection:
    """Read the best form that can be read, and write the document or the rejection."""
    name = safe_name(paper.id)
    made = _first_readable(paper, place)
    if isinstance(made, Rejection) and offer.more and offer.more(place):
        made = _first_readable(paper, place)
    key = _key(place, paper)
    if isinstance(made, Rejection):
        _remove(run / "documents" / f"{name}.json")
        return _reject(run, made, key)
    if made.paper.title != paper.title:
        save(place / "paper.json", made.paper)
    save(run / "documents" / f"{name}.json", made)
    mark_done(run / "documents" / f"{name}.json", key)
    _remove(run / "rejected" / "harvest" / f"{name}.jsonl")
    return made.sha256


def _first_readable(paper: Paper, place: Path) -> Document | Rejection:
    failed: list[UnreadableDocument] = []
    for name in _CONTENT:
        if not (place / name).exists():
            continue
        try:
            document = to_document(read_extract(place / name), paper)
        except UnreadableDocument as error:
            failed.append(error)
            continue
        notes = tuple(f"{error.name} was not used: {error.detail}" for error in failed)
        return replace(document, warnings=(*notes, *document.warnings))
    if not failed:
        return Rejection(paper.id, "harvest", "missing", f"{place} holds no document")
    return Rejection(paper.id, "harvest", failed[-1].reason, "; ".join(f"{error.name}: {error.detail}" for error in failed))


def _key(place: Path, paper: Paper) -> str:
    """What a document is made from: the files, the record but for its title (which reading may find), the readers."""
    files = {name: sha256_file(place / name) for name in _CONTENT if (place / name).exists()}
    return fingerprint(files, replace(paper, title=""), EXTRACTORS)


def _reject(run: Path, rejection: Rejection, key: str) -> Rejection:
    path = run / "rejected" / "harvest" / f"{safe_name(rejection.id)}.jsonl"
    save_lines(path, [rejection])
    mark_done(path, key)
    return rejection


# ---- the whole


def _remove_others(run: Path, ids: list[str]) -> None:
    """Documents of papers that no source gives any more; downloads stay, copies of local files go."""
    names = {safe_name(identifier) for identifier in ids}
    for path in [*(run / "documents").glob("*.json"), *(run / "rejected" / "harvest").glob("*.jsonl")]:
        if path.stem not in names:
            _remove(path)
    for place in (run / "papers").iterdir():
        if place.name not in names and (place / ".origin.json").exists():
            shutil.rmtree(place)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(f".{path.name}.done").unlink(missing_ok=True)


def _counts(outcomes: list[tuple[Offer, str | Rejection]]) -> dict[str, Any]:
    sources: dict[str, Counter[str]] = {}
    for offer, made in outcomes:
        sources.setdefault(offer.origin, Counter()).update(["papers", "rejected" if isinstance(made, Rejection) else "documents"])
    rejected = Counter(made.reason for _, made in outcomes if isinstance(made, Rejection))
    return {
        "papers": len(outcomes),
        "documents": len(outcomes) - rejected.total(),
        "rejected": dict(sorted(rejected.items())),
        "sources": {name: dict(sorted(counts.items())) for name, counts in sources.items()},
    }


def _with_advice(error: Unreachable, run: Path) -> FieldsmithError:
    kept = sum(1 for _ in (run / "papers").glob("*/paper.json"))
    stay = f"the {kept} papers already downloaded stay in {run / 'papers'}" if kept else "nothing was downloaded yet"
    return FieldsmithError(
        f"arXiv cannot be reached at {error.address} ({error.why}); {stay}; "
        f"run the same command again when it can be reached, or set {arxiv.VARIABLE} to the address of another server"
    )


def _nothing(config: HarvestConfig, outcomes: list[tuple[Offer, str | Rejection]], run: Path) -> str:
    """Why there is no document at all."""
    if not outcomes:
        asked = "; ".join(_empty(source) for source in config.sources)
        return f"there is nothing to harvest: {asked}; correct harvest.sources"
    reasons = Counter(made.reason for _, made in outcomes if isinstance(made, Rejection))
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"none of {len(outcomes)} papers became a document ({listed}); see {run / 'rejected' / 'harvest'} for the reasons"


def _empty(source: Source) -> str:
    if source.arxiv:
        return f"arXiv finds nothing for {source.arxiv.query or ', '.join(source.arxiv.ids)!r}"
    return f"{source.folder.path if source.folder else ''} holds no .tex, .tar.gz, .gz or .pdf"
