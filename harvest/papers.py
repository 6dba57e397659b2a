"""One paper of a run: fetched, read, and remembered, so that it is never fetched or read again without need.

papers/<id>/paper.json        its record; its files lie beside it
papers/<id>/.read.json        the receipt of its reading: of which files and how, and what documents came of it
documents/<id>.json           a document; of a book one for each chapter
twins/<id>.json               a document that is the same work as another one, read but left out
rejected/harvest/<id>.jsonl   why there is none
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harvest.config import HarvestConfig
from harvest.likeness import Sketch, sketch
from harvest.read import to_document
from harvest.readers.extract import Extract, Reading, UnreadableDocument
from harvest.readers.versions import EXTRACTORS
from harvest.records import Document, Paper, Rejection
from harvest.sources.forms import TRUST
from harvest.sources.offer import Offer, Refused
from harvest.store import (
    fingerprint,
    is_done,
    load,
    load_lines,
    mark_done,
    safe_name,
    save,
    save_lines,
    sha256_file,
)

CONTENT = (*TRUST, "paper.pdf.gz", "source.bin")  # what a paper's files are called, best first
_CHANGES = 1  # of what a receipt means; part of its key

Read = Callable[[Path, Reading], Extract]


@dataclass(frozen=True, slots=True)
class Made:
    """A document that came of reading a paper, with what its twins are found by; `also` is what its file says now."""

    id: str
    sha256: str
    paper: Paper
    extractor: str
    sketch: Sketch
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was read: size in bytes, time of change in ns, hash."""

    size: int
    modified: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a paper was read: the key of all that its documents depend on, its files, its documents."""

    key: str
    files: Mapping[str, File]
    made: tuple[Made, ...]


Outcome = Receipt | Rejection


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the papers of one run are worked on, and how the lab wants them read."""

    run: Path
    config: HarvestConfig

    @property
    def reading(self) -> Reading:
        """The settings that a reader is given."""
        return Reading(min_quality=self.config.min_quality, ocr_language=self.config.ocr_language)

    def place(self, identifier: str) -> Path:
        """The folder of a paper."""
        return self.run / "papers" / safe_name(identifier)

    def refusal(self, identifier: str) -> Path:
        """Where it is written why there is no document."""
        return self.run / "rejected" / "harvest" / f"{safe_name(identifier)}.jsonl"

    def document(self, identifier: str) -> Path:
        """Where a document lies, among the documents or among the twins."""
        chosen = self.run / "documents" / f"{safe_name(identifier)}.json"
        return chosen if chosen.exists() else self.run / "twins" / chosen.name


# ---- fetching


def refused_for_good(offer: Offer, desk: Desk) -> Rejection | None:
    """Why the source can never give this paper, if it said so before."""
    path = desk.refusal(offer.paper.id)
    return next(load_lines(path, Rejection)) if is_done(path, fingerprint("source", offer.paper.id)) else None


def is_local(offer: Offer) -> bool:
    """Whether a paper is the lab's own: folders and functions look for changes themselves, which costs nobody a request."""
    return offer.paper.source == "folder" or offer.document is not None


def is_here(offer: Offer, desk: Desk) -> bool:
    """Whether a paper need not be fetched."""
    return not is_local(offer) and (desk.place(offer.paper.id) / "paper.json").exists()


def fetch(offer: Offer, desk: Desk) -> Paper | Rejection:
    """The paper with its files in place, or why the source does not give it, or its licence does not allow it."""
    place = desk.place(offer.paper.id)
    try:
        paper = _kept(offer, place) if is_here(offer, desk) else _fetched(offer, place)
    except Refused as error:
        key = fingerprint("source", offer.paper.id) if error.lasting else ""
        return reject(Rejection(offer.paper.id, "harvest", error.reason, error.detail), desk, key)
    return forbidden(paper, desk) or paper


def _fetched(offer: Offer, place: Path) -> Paper:
    paper = offer.fetch(place)
    if not is_local(offer):
        save(place / ".listed.json", offer.paper)
    return paper


def _kept(offer: Offer, place: Path) -> Paper:
    """The paper as it was fetched; a licence that came from the list, which may be the lab's own YAML, follows the list."""
    paper, before = load(place / "paper.json", Paper), place / ".listed.json"
    listed = load(before, Paper) if before.exists() else offer.paper
    if offer.paper.licence != listed.licence:
        if paper.licence == listed.licence:
            paper = replace(paper, licence=offer.paper.licence)
            save(place / "paper.json", paper)
        save(before, offer.paper)
    return paper


def forbidden(paper: Paper, desk: Desk) -> Rejection | None:
    """The rejection of a paper whose licence the lab does not want to train on."""
    if desk.config.licences.may_train(paper.licence):
        return None
    detail = f"its licence {paper.licence} is not among harvest.licences.train"
    return reject(Rejection(paper.id, "harvest", "licence", detail), desk)


# ---- reading


def remembered(offer: Offer, paper: Paper, desk: Desk) -> Outcome | None:
    """What came of reading these very files in this very way before; None where that is to be done."""
    place = desk.place(paper.id)
    receipt = load(place / ".read.json", Receipt) if (place / ".read.json").exists() else None
    files = _files(offer, place, receipt.files if receipt else {})
    key = _key(offer, paper, files, desk.reading)
    if receipt and receipt.key == key and all(desk.document(made.id).exists() for made in receipt.made):
        return receipt
    refusal = desk.refusal(paper.id)
    return next(load_lines(refusal, Rejection)) if is_done(refusal, key) else None


def read(offer: Offer, paper: Paper, desk: Desk, reader: Read) -> Outcome:
    """Read the best form that can be read and write its documents; a rejection is returned, and nothing is written."""
    place = desk.place(paper.id)
    found = offer.document() if offer.document else _first_readable(offer, paper, place, desk, reader)
    if isinstance(found, Rejection):
        return found
    if found.paper.title != paper.title and offer.document is None:
        save(place / "paper.json", found.paper)
    made = tuple(_write(document, desk) for document in _parts(offer, found))
    files = _files(offer, place, {})
    receipt = Receipt(_key(offer, paper, files, desk.reading), files, made)
    save(place / ".read.json", receipt)
    _remove(desk.refusal(paper.id))
    return receipt


def reject_reading(rejection: Rejection, offer: Offer, paper: Paper, desk: Desk) -> Rejection:
    """Remember that these files cannot be read, so that nobody tries again before they or the readers change."""
    place = desk.place(paper.id)
    (place / ".read.json").unlink(missing_ok=True)
    return reject(rejection, desk, _key(offer, paper, _files(offer, place, {}), desk.reading))


def reject(rejection: Rejection, desk: Desk, key: str = "") -> Rejection:
    """Write down why there is no document; with a key it holds until that changes."""
    path = desk.refusal(rejection.id)
    if not (path.exists() and next(load_lines(path, Rejection), None) == rejection and is_done(path, key)):
        save_lines(path, [rejection])
        mark_done(path, key)
    return rejection


# ---- inner


def _first_readable(offer: Offer, paper: Paper, place: Path, desk: Desk, reader: Read) -> Document | Rejection:
    failed: list[UnreadableDocument] = []
    for name in _names(offer, place):
        try:
            extract = reader(place / name, desk.reading)
        except UnreadableDocument as error:
            failed.append(error)
            continue
        notes = tuple(f"{error.name} was not used: {error.detail}" for error in failed)
        document = to_document(extract, paper)
        if document.quality is not None and document.quality < desk.config.min_quality:
            detail = f"{name}: its text is of quality {document.quality:.2f}, below harvest.min_quality {desk.config.min_quality:g}"
            return Rejection(paper.id, "harvest", "low-quality", detail, document.quality)
        return replace(document, warnings=(*notes, *document.warnings))
    if not failed:
        return Rejection(paper.id, "harvest", "missing", f"{place} holds no document")
    return Rejection(paper.id, "harvest", failed[-1].reason, "; ".join(f"{error.name}: {error.detail}" for error in failed))


def _names(offer: Offer, place: Path) -> list[str]:
    """The files of a paper, best form first: as its source says, else LaTeX, HTML, PDF, and then whatever else lies there."""
    here = {path.name for path in place.glob("[!.]*") if path.is_file() and path.suffix != ".json"} if place.is_dir() else set()
    order = [*(offer.names or CONTENT), *sorted(here - set(CONTENT))]
    return [name for name in dict.fromkeys(order) if name in here]


def _parts(offer: Offer, document: Document) -> tuple[Document, ...]:
    if not offer.book:
        return (document,)
    from harvest.books import chapters

    return chapters(document)


def _write(document: Document, desk: Desk) -> Made:
    name = f"{safe_name(document.id)}.json"
    save(desk.run / "documents" / name, document)
    (desk.run / "twins" / name).unlink(missing_ok=True)
    bare = replace(document.paper, id=document.id, abstract="", categories=())
    return Made(document.id, document.sha256, bare, document.extractor, sketch(document.text), document.also)


def _files(offer: Offer, place: Path, before: Mapping[str, File]) -> dict[str, File]:
    """The files of a paper with their hashes, which are taken anew only where size or time of change differ."""
    found = {}
    for name in _names(offer, place):
        status = (place / name).stat()
        old = before.get(name)
        same = old is not None and (old.size, old.modified) == (status.st_size, status.st_mtime_ns)
        found[name] = old if old and same else File(status.st_size, status.st_mtime_ns, sha256_file(place / name))
    return found


def _key(offer: Offer, paper: Paper, files: Mapping[str, File], reading: Reading) -> str:
    """What documents are made from: the files, the record but for its title (which reading may find), the readers, the settings."""
    if offer.document:
        return fingerprint(_CHANGES, offer.document())
    hashes = {name: file.sha256 for name, file in files.items()}
    return fingerprint(_CHANGES, list(hashes.items()), replace(paper, title=""), EXTRACTORS, reading, offer.book)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(f".{path.name}.done").unlink(missing_ok=True)
