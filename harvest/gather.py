"""Fetching and reading at the same time: one request after the other here, documents read behind it on all cores.

Sources want to be asked slowly, so the time is theirs: while the next paper is fetched, those before it are read. What
comes of each paper does not depend on which was ready first.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import partial

from harvest.papers import Desk, Outcome, fetch, is_here, read, refused_for_good, reject_reading, remembered
from harvest.pool import Readers, readers
from harvest.records import Paper, Rejection
from harvest.sources.arxiv import content_address
from harvest.sources.offer import Offer
from harvest.web import Unreachable

_log = logging.getLogger(__name__)
_AHEAD = 4  # papers fetched and not yet read, for each reader
_DENIALS = 3  # of one source in a row, after which asking on would be rude
_SERVERS = 3  # of one source that cannot be reached, after which the source cannot


@dataclass(frozen=True, slots=True)
class Listed:
    """An offer with its place in the order of all offers and the number of its source in the settings."""

    offer: Offer
    source: int
    place: int


@dataclass(slots=True)
class Gathered:
    """What came of the papers by id, and why sources could not go on, by their numbers; what needed those has no outcome."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: dict[int, Unreachable] = field(default_factory=dict)


def gather(works: Sequence[Sequence[Listed]], desk: Desk, failures: dict[int, Unreachable], *, refresh: bool) -> Gathered:
    """Fetch and read one paper of each work: the first of its offers, or if that gives no document the next.

    `failures` are the sources that could not even be listed; of those only what is here already is read.
    """
    with readers(desk.config.workers) as pool:
        return _Gathering(works, desk, pool, Gathered(failures=dict(failures)), refresh).run()


class _Gathering:
    """What waits to be fetched, what is being read, and what has come of the rest."""

    def __init__(self, works: Sequence[Sequence[Listed]], desk: Desk, pool: Readers, got: Gathered, refresh: bool) -> None:
        self.desk, self.pool, self.got, self.refresh = desk, pool, got, refresh
        self.waiting = deque(list(work) for work in works)
        self.reading: dict[Future[Outcome], tuple[list[Listed], Paper]] = {}
        self.total, self.settled = len(works), 0
        self.denied: Counter[int] = Counter()
        self.broken = Counter(dict.fromkeys(got.failures, _SERVERS))

    def run(self) -> Gathered:
        """Until nothing waits and nothing is read."""
        while self.waiting or self.reading:
            if self.waiting and len(self.reading) < _AHEAD * self.pool.width:
                self._begin(self.waiting.popleft())
            else:
                for future in wait(self.reading, return_when=FIRST_COMPLETED).done:
                    self._end(*self.reading.pop(future), future.result())
        return self.got

    def _begin(self, work: list[Listed]) -> None:
        found = self._found(work[0])
        if isinstance(found, Paper):
            self._read(work, found)
        elif found is not None:
            self._settle(work, found)

    def _read(self, work: list[Listed], paper: Paper) -> None:
        self.reading[self.pool.submit(partial(read, work[0].offer, paper, self.desk))] = work, paper

    def _end(self, work: list[Listed], paper: Paper, outcome: Outcome) -> None:
        if isinstance(outcome, Rejection):
            another = self._another_form(work[0])
            if another:
                self._read(work, paper)
            if another or another is None:
                return
            reject_reading(outcome, work[0].offer, paper, self.desk)
        self._settle(work, outcome)

    def _found(self, listed: Listed) -> Paper | Outcome | None:
        """A paper that is to be read, or what came of it already; None where its source has failed."""
        offer, desk = listed.offer, self.desk
        if not self.refresh and (refusal := refused_for_good(offer, desk)):
            return refusal
        if self._is_down(listed) and not is_here(offer, desk):
            return None
        try:
            paper = fetch(offer, desk)
        except Unreachable as error:
            self._failed(listed, error)
            return None
        if isinstance(paper, Rejection):
            self._count_denials(listed, paper)
            return paper
        self.denied[listed.source] = 0
        return remembered(offer, paper, desk) or paper

    def _count_denials(self, listed: Listed, refused: Rejection) -> None:
        """arXiv counts asking on as an attack; other sources are many servers."""
        self.denied[listed.source] = self.denied[listed.source] + 1 if refused.reason == "denied" else 0
        if self.denied[listed.source] >= _DENIALS and self.desk.config.sources[listed.source].arxiv:
            why = f"it denied access {_DENIALS} times in a row: {refused.detail}"
            self._failed(listed, Unreachable(content_address(), why))

    def _another_form(self, listed: Listed) -> bool | None:
        """Whether the source gives other bytes for what could not be read; None where it cannot be asked."""
        if listed.offer.more is None:
            return False
        if self._is_down(listed):
            return None
        try:
            return listed.offer.more(self.desk.place(listed.offer.paper.id))
        except Unreachable as error:
            self._failed(listed, error)
            return None

    def _failed(self, listed: Listed, error: Unreachable) -> None:
        """arXiv is one server; the addresses of a list are many, of which one may be down."""
        self.got.failures.setdefault(listed.source, error)
        self.broken[listed.source] += _SERVERS if self.desk.config.sources[listed.source].arxiv else 1

    def _is_down(self, listed: Listed) -> bool:
        return self.broken[listed.source] >= _SERVERS

    def _settle(self, work: list[Listed], outcome: Outcome) -> None:
        """Note what came of the first offer of a work; where that was nothing, the next one has its turn."""
        listed, rest = work[0], work[1:]
        self.got.outcomes[listed.offer.paper.id] = outcome
        if isinstance(outcome, Rejection) and rest:
            _log.info("%s: %s: %s; trying %s", listed.offer.paper.id, outcome.reason, outcome.detail, rest[0].offer.paper.id)
            self.waiting.append(rest)
            return
        self.settled += 1
        said = f"{outcome.reason}: {outcome.detail}" if isinstance(outcome, Rejection) else "ready"
        _log.info("paper %d of %d, %s: %s", self.settled, self.total, listed.offer.paper.id, said)
