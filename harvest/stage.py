"""harvest: sources -> papers/ -> documents/, stoppable at any instant.

What the sources have is listed; papers under licences that the lab does not want and papers that two sources have are
set aside; the rest is fetched and read (`harvest.gather`); what then turns out to be the same work twice is set aside
too, in twins/. Every paper that did not become a document has its reason in rejected/harvest/. The manifest's entry is
written last; its fingerprint changes when any document does.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harvest.choose import Copy, copies, left_out, place_documents, sweep, twins, works
from harvest.config import HarvestConfig, Source
from harvest.gather import Listed, gather
from harvest.papers import Desk, forbidden, is_local, reject
from harvest.readers.versions import EXTRACTORS
from harvest.records import UNKNOWN_LICENCE, Rejection
from harvest.sources.offer import Offer
from harvest.store import FieldsmithError, StageRecord, UsageError, fingerprint, hold, read_manifest, record_stage, versions
from harvest.web import Unreachable

_log = logging.getLogger(__name__)
_SERVERS = {"arxiv": ("arXiv", "FIELDSMITH_ARXIV_URL"), "inspire": ("INSPIRE", "FIELDSMITH_INSPIRE_URL")}


def harvest(config: HarvestConfig, run: Path, *, refresh: bool = False) -> StageRecord:
    """Gather every source of `config` into `run/papers` and read it into `run/documents`.

    `refresh` asks remote sources again for what they list now and for what they refused before. A source that cannot
    be reached does not stop the others, but then nothing is recorded: when the rest is done, a `FieldsmithError` names
    it. Raises one also where no document at all comes out, and `UsageError` where two sources give one id.
    """
    start = time.monotonic()
    with hold(run / "papers", f"the harvest of {run}"):
        desk = Desk(run, config)
        listed, failures = _listed(config, run, refresh=refresh)
        refused = [refusal for one in listed if (refusal := _unwanted(one.offer, desk))]
        unwanted = {refusal.id for refusal in refused}
        wanted = works([one for one in listed if one.offer.paper.id not in unwanted], desk)[: config.max_papers]
        got = gather(wanted, desk, failures, refresh=refresh)
        refused += [outcome for outcome in got.outcomes.values() if isinstance(outcome, Rejection)]
        tried = sorted((one for work in wanted for one in work), key=lambda one: one.place)
        read = copies(tried, got.outcomes)
        left = [*left_out(wanted, got.outcomes, desk), *twins(read, desk)]
        place_documents(read, left, desk)
        refused += [_said(reject(one.rejection, desk)) for one in left]
        if got.failures:
            raise FieldsmithError(_advice(got.failures, config, run))
        sweep(read, [refusal.id for refusal in refused], listed, desk)
        out = {refusal.id for refusal in refused}
        kept = [copy for copy in read if copy.made.id not in out]
        considered = [*(one for one in listed if one.offer.paper.id in unwanted), *tried]
        if not kept and config.sources:
            raise FieldsmithError(_nothing(config, considered, refused, run))
        return _recorded(config, run, kept, _counts(considered, read, kept, refused), start)


# ---- what there is


def _listed(config: HarvestConfig, run: Path, *, refresh: bool) -> tuple[list[Listed], dict[int, Unreachable]]:
    """The papers of all sources in their order, each id once, and the sources that cannot be listed."""
    found: dict[str, Listed] = {}
    failures = {}
    for number, source in enumerate(config.sources):
        try:
            for offer in _offers(source, run, refresh=refresh):
                first = found.setdefault(offer.paper.id, Listed(offer, number, len(found)))
                _check_ids(first.offer, offer)
        except Unreachable as error:
            failures[number] = error
    return list(found.values()), failures


def _offers(source: Source, run: Path, *, refresh: bool) -> Iterable[Offer]:
    """What one source has."""
    if source.arxiv:
        from harvest.sources import arxiv

        return arxiv.offers(source.arxiv, run, refresh=refresh)
    if source.folder:
        from harvest.sources import folder

        return folder.offers(source.folder, run)
    if source.inspire:
        from harvest.sources import inspire

        return inspire.offers(source.inspire, run, refresh=refresh)
    if source.urls:
        from harvest.sources import urls

        return urls.offers(source.urls, run, refresh=refresh)
    assert source.python is not None  # noqa: S101 (the settings have exactly one kind)
    from harvest.sources import callables

    return callables.offers(source.python, run, refresh=refresh)


def _check_ids(first: Offer, again: Offer) -> None:
    """Ids of files and functions are the lab's own; those of other sources mean one work, whoever lists it."""
    if first is not again and (is_local(first) or is_local(again)):
        raise UsageError(f"two sources give the paper {again.paper.id!r} ({first.origin} and {again.origin}); rename one of the files")


def _unwanted(offer: Offer, desk: Desk) -> Rejection | None:
    """The rejection of a paper whose licence is known before anything is downloaded, and not wanted."""
    refused = None if offer.paper.licence == UNKNOWN_LICENCE else forbidden(offer.paper, desk)
    return refused and _said(refused)


def _said(refused: Rejection) -> Rejection:
    _log.info("%s: %s: %s", refused.id, refused.reason, refused.detail)
    return refused


# ---- what came of it


def _recorded(config: HarvestConfig, run: Path, kept: Sequence[Copy], counts: dict[str, Any], start: float) -> StageRecord:
    """The stage's entry in the manifest; an entry that says the same already stays as it is."""
    print_ = fingerprint(config, EXTRACTORS, {copy.made.id: copy.made.sha256 for copy in kept})
    before = read_manifest(run).get("harvest")
    if before and before.fingerprint == print_ and before.counts == counts:
        return before
    record = StageRecord(print_, config.model_dump(mode="json"), counts, versions("arxiv", "pymupdf"), seconds=time.monotonic() - start)
    record_stage(run, "harvest", record)
    return record


def _counts(considered: Sequence[Listed], read: Sequence[Copy], kept: Sequence[Copy], refused: Sequence[Rejection]) -> dict[str, Any]:
    """Papers, documents and reasons, together and by source."""
    origin = {copy.made.id: copy.listed.offer.origin for copy in read}
    origin |= {one.offer.paper.id: one.offer.origin for one in considered}
    sources = {}
    for name in dict.fromkeys(one.offer.origin for one in considered):
        reasons = Counter(refusal.reason for refusal in refused if origin[refusal.id] == name)
        counts: dict[str, Any] = {
            "papers": sum(one.offer.origin == name for one in considered),
            "documents": sum(copy.listed.offer.origin == name for copy in kept),
        }
        sources[name] = counts | ({"rejected": dict(sorted(reasons.items()))} if reasons else {})
    reasons = Counter(refusal.reason for refusal in refused)
    return {"papers": len(considered), "documents": len(kept), "rejected": dict(sorted(reasons.items())), "sources": sources}


# ---- what went wrong


def _advice(failures: Mapping[int, Unreachable], config: HarvestConfig, run: Path) -> str:
    """Which sources cannot be reached, what stays, and what to do."""
    servers = [_SERVERS.get(_kind(config.sources[number]), ("the server of an address", "")) for number in failures]
    said = "; ".join(
        f"{name} cannot be reached at {why.address} ({why.why})" for (name, _), why in zip(servers, failures.values(), strict=True)
    )
    kept = sum(1 for _ in (run / "papers").glob("*/paper.json"))
    stay = f"the {kept} papers already downloaded stay in {run / 'papers'}" if kept else "nothing was downloaded yet"
    variables = " or ".join(dict.fromkeys(variable for _, variable in servers if variable))
    other = f", or set {variables} to the address of another server" if variables else ""
    return f"{said}; {stay}; run the same command again when it can be reached{other}"


def _kind(source: Source) -> str:
    """The name of a source's kind, as it is written in YAML."""
    return next(iter(source.model_dump(exclude_none=True)))


def _nothing(config: HarvestConfig, considered: Sequence[Listed], refused: Sequence[Rejection], run: Path) -> str:
    """Why there is no document at all."""
    if not considered:
        return f"there is nothing to harvest: {'; '.join(_empty(source) for source in config.sources)}; correct harvest.sources"
    listed = ", ".join(f"{count} {reason}" for reason, count in Counter(refusal.reason for refusal in refused).most_common())
    return f"none of {len(considered)} papers became a document ({listed}); see {run / 'rejected' / 'harvest'} for the reasons"


def _empty(source: Source) -> str:
    if source.arxiv:
        return f"arXiv finds nothing for {source.arxiv.query or ', '.join(source.arxiv.ids or source.arxiv.categories)!r}"
    if source.inspire:
        return f"INSPIRE finds nothing for {source.inspire.query!r}"
    if source.folder:
        return f"{source.folder.path} holds no .tex, .tar.gz, .gz, .pdf, .html, .md, .txt, .epub or .docx"
    if source.urls:
        return f"{source.urls.file or 'urls'} names no address"
    return f"{source.python.call if source.python else ''} yields no document"
