"""Which of several copies of one work is kept, and where the documents go for it.

The order of preference: the better form (LaTeX, HTML, other texts, PDF), a licence under which it may be published, the
later version, the source named first. A licence is never passed from one copy to another: that of the copy that is kept
counts, and where one that is left out has the freer licence, its rejection says so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harvest.gather import Listed
from harvest.papers import Desk, Made, Outcome, Receipt, is_local
from harvest.records import Document, Paper, Rejection, may_publish
from harvest.store import load, safe_name, save
from harvest.twins import identify, record_twins, same_record, text_twins

_FORMS = {"latex": 0, "html": 1, "pdf": 3}  # by the extractor's name; others stand between


@dataclass(frozen=True, slots=True)
class Copy:
    """A document and whence it came; `whole` is the id of the book that it is a chapter of, or empty."""

    listed: Listed
    made: Made
    whole: str


@dataclass(frozen=True, slots=True)
class Left:
    """A work that is left out, and the id of the document that is kept for it."""

    kept: str
    rejection: Rejection


# ---- before anything is downloaded


def works(listed: Sequence[Listed], desk: Desk) -> list[list[Listed]]:
    """The offers by the works that they are of, each work's in the order of preference, in the order of their first offers.

    Local files are works of their own: what they are is known when they have been read, which costs no request.
    """
    remote = sorted((one for one in listed if not is_local(one.offer)), key=lambda one: _hope(one, desk))
    work_of = {one.place: [one] for one in listed}
    for twin in record_twins([identify(one.offer.paper) for one in remote]):
        work_of[remote[twin.kept].place].append(remote[twin.place])
        del work_of[remote[twin.place].place]
    return sorted(work_of.values(), key=lambda work: min(one.place for one in work))


def _hope(listed: Listed, desk: Desk) -> tuple[object, ...]:
    """The order of preference as far as it is known before anything is here: arXiv may have the source."""
    paper = listed.offer.paper
    closed = not may_publish(paper.licence, desk.config.licences.publish)
    return paper.source != "arxiv", closed, -identify(paper).version, listed.source, listed.place


def left_out(works: Iterable[Sequence[Listed]], outcomes: Mapping[str, Outcome], desk: Desk) -> list[Left]:
    """Offers that were not fetched, because another one of the same work became a document."""
    left = []
    for work in works:
        kept = next((one.offer.paper for one in work if isinstance(outcomes.get(one.offer.paper.id), Receipt)), None)
        if kept is not None:
            others = (one.offer.paper for one in work if one.offer.paper.id not in outcomes)
            left += [_left(paper, kept, same_record(identify(kept), identify(paper))[1] or "by its record", desk) for paper in others]
    return left


# ---- when all is read


def copies(listed: Iterable[Listed], outcomes: Mapping[str, Outcome]) -> list[Copy]:
    """The documents of all papers that have any, in the order of the offers."""
    found = []
    for one in listed:
        outcome = outcomes.get(one.offer.paper.id)
        if isinstance(outcome, Receipt):
            found += [Copy(one, made, one.offer.paper.id if one.offer.book else "") for made in outcome.made]
    return found


def twins(read: Sequence[Copy], desk: Desk) -> list[Left]:
    """Documents that are another one again."""
    order = sorted(read, key=lambda copy: _preference(copy, desk))
    found = text_twins(
        [identify(copy.made.paper) for copy in order],
        [copy.made.sketch for copy in order],
        [copy.whole for copy in order],
        lambda at: load(desk.document(order[at].made.id), Document),
    )
    return [_left(order[twin.place].made.paper, order[twin.kept].made.paper, twin.why, desk) for twin in found]


def _preference(copy: Copy, desk: Desk) -> tuple[object, ...]:
    paper = copy.made.paper
    closed = not may_publish(paper.licence, desk.config.licences.publish)
    form = _FORMS.get(copy.made.extractor.partition("/")[0], 2)
    return form, closed, -identify(paper).version, copy.listed.source, copy.listed.place, paper.id


def _left(paper: Paper, kept: Paper, why: str, desk: Desk) -> Left:
    patterns = desk.config.licences.publish
    freer = may_publish(paper.licence, patterns) and not may_publish(kept.licence, patterns)
    note = f"; this copy is under {paper.licence}, the one that is kept under {kept.licence}" if freer else ""
    return Left(kept.id, Rejection(paper.id, "harvest", "twin", f"it is {kept.id} again ({why}), which is kept{note}"))


# ---- files


def place_documents(read: Iterable[Copy], left: Iterable[Left], desk: Desk) -> None:
    """Documents that are kept into documents/, naming in `also` what was left out for them; the others into twins/."""
    also: dict[str, list[str]] = {}
    for one in left:
        also.setdefault(one.kept, []).append(one.rejection.id)
    out = {one.rejection.id for one in left}
    for copy in read:
        made = copy.made
        folder = desk.run / ("twins" if made.id in out else "documents")
        path, now = folder / f"{safe_name(made.id)}.json", desk.document(made.id)
        if path != now:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(now, path)
        _name_others(copy, path, tuple(sorted(also.get(made.id, []))), desk)


def _name_others(copy: Copy, path: Path, also: tuple[str, ...], desk: Desk) -> None:
    """Write `also` into a document, then into the receipt, which says it of files that need not be opened for it."""
    if copy.made.also == also:
        return
    save(path, replace(load(path, Document), also=also))
    receipt_path = desk.place(copy.listed.offer.paper.id) / ".read.json"
    receipt = load(receipt_path, Receipt)
    made = tuple(replace(one, also=also) if one.id == copy.made.id else one for one in receipt.made)
    save(receipt_path, replace(receipt, made=made))


def sweep(read: Iterable[Copy], rejected: Iterable[str], listed: Iterable[Listed], desk: Desk) -> None:
    """Remove what no source gives any more; downloads stay, copies of local files go."""
    documents = {f"{safe_name(copy.made.id)}.json" for copy in read}
    refusals = {f"{safe_name(name)}.jsonl" for name in rejected}
    for folder, names in (("documents", documents), ("twins", documents), ("rejected/harvest", refusals)):
        for path in (desk.run / folder).glob("[!.]*.json*"):
            if path.name not in names:
                path.unlink()
                path.with_name(f".{path.name}.done").unlink(missing_ok=True)
    places = {safe_name(one.offer.paper.id) for one in listed}
    for place in (desk.run / "papers").iterdir():
        if place.name not in places and (place / ".origin.json").exists():
            shutil.rmtree(place)
