"""All pairs of sets that are alike, among a million, without comparing each with each.

A set similarity join with prefix filter (Bayardo, Ma, Srikant, "Scaling up all pairs similarity search", 2007) on two sets at
once: two pairs can only be one if their questions share one of their rarest words (a name, where they name something) *and* their
answers share a number or one of their rarest words, so only pairs that share such a couple are looked at. Exact up to collisions of
32-bit hashes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from qagen.curate.features import Features, Hashes, Ids, Sets
from qagen.curate.likeness import FULL, LONG_SHARE, SHORT, SHORT_SHARE

_ROWS = 4_000_000  # couples of words, or candidates, in memory at a time
_FEW = 12  # so many are compared each with each at once
_OF_WORDS = np.uint64(1 << 40)  # tells a word from a name
_SIGN = np.uint64(0x9E3779B97F4A7C15)

Couples = tuple[Ids, Ids, npt.NDArray[np.float64]]


def alike(features: Features, threshold: float) -> Couples:
    """(a, b, likeness) with a < b, in order: pairs whose questions' sets have at least the Dice coefficient `threshold`.

    Only those that name the same numbers and qualifiers and whose answers have something in common; what else makes two
    pairs differ is for who can read them.
    """
    join = _Join(features, threshold)
    found = [*join.within(features.frame), *join.across()]
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    a, b, score = (np.concatenate(part) for part in zip(*found, strict=True))
    _, first = np.unique(a << 32 | b, return_index=True)
    return a[first], b[first], score[first]


class _Join:
    def __init__(self, features: Features, threshold: float) -> None:
        self._features, self._threshold = features, threshold
        self._owner, self._handle = _handles(features, threshold)
        self._anchors, self._is_firm = _anchors(features)
        self._bits = _bits(features.question)

    def within(self, blocks: Hashes) -> Iterator[Couples]:
        """Alike pairs of one block."""
        yield from self._look(self._owner, _mix(blocks[self._owner], self._handle))

    def across(self) -> Iterator[Couples]:
        """Alike pairs that differ in the numbers of their questions and not in all their numbers."""
        order = np.lexsort((self._features.frame, self._features.whole))
        whole, frame = self._features.whole[order], self._features.frame[order]
        end = _ends(whole)
        count = np.diff(end, prepend=0)
        mixed = np.zeros(len(whole), dtype=bool)
        mixed[order] = np.repeat(frame[end - count] != frame[end - 1], count)
        here = mixed[self._owner]
        owner = self._owner[here]
        yield from self._look(owner, _mix(self._features.whole[owner], self._handle[here]))

    def _look(self, owner: Ids, key: Hashes) -> Iterator[Couples]:
        owner, key, size = _grouped(owner, key)
        few = size <= _FEW
        yield from self._candidates(owner[few], key[few], np.ones(int(few.sum()), dtype=bool))
        owner, key = owner[~few], key[~few]
        sizes = self._anchors.sizes()[owner]
        for start, end in _spans(sizes, _ROWS, _ends(key)):
            of = owner[start:end]
            anchors = self._anchors.take(of)
            place = anchors.owners()
            firm = Sets(self._anchors.start, self._is_firm).take(of).held.astype(bool)
            yield from self._candidates(of[place], _mix(key[start:end][place], anchors.held.astype(np.uint64)), firm)

    def _candidates(self, owner: Ids, key: Hashes, firm: npt.NDArray[np.bool_]) -> Iterator[Couples]:
        for a, b in _couples(owner, key, firm):
            yield self._checked(a, b)

    def _checked(self, a: Ids, b: Ids) -> Couples:
        """Of candidates those whose questions are alike enough, name what the other names, and whose answers may be the same."""
        features, sizes = self._features, self._features.question.sizes()
        a, b = np.minimum(a, b), np.maximum(a, b)
        least = self._threshold * (sizes[a] + sizes[b]) / 2 - 1e-9
        lacks_a, lacks_b = (np.bitwise_count(self._bits[x] & ~self._bits[y]) for x, y in ((a, b), (b, a)))
        near = np.flatnonzero((np.minimum(sizes[a] - lacks_a, sizes[b] - lacks_b) >= least) & (a != b))
        near = near[np.unique(a[near] << 32 | b[near], return_index=True)[1]]
        a, b = a[near], b[near]
        fit = names_fit(features, a, b)
        a, b = a[fit], b[fit]
        shared = _shared(features.question, a, features.question, b)
        score = 2 * shared / np.maximum(sizes[a] + sizes[b], 1)
        good = (score >= self._threshold - 1e-9) & self._may_answer(a, b, np.minimum(sizes[a], sizes[b]) > shared)
        return a[good], b[good], score[good]

    def _may_answer(self, a: Ids, b: Ids, each: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Whether two answers have enough in common; more is asked where `each` question has a word of its own."""
        words, firm = self._features.answer, self._features.firm
        smaller = np.minimum(words.sizes()[a], words.sizes()[b])
        share = np.where(each, FULL, np.where(smaller <= SHORT, SHORT_SHARE, LONG_SHARE))
        enough = (_shared(words, a, words, b) >= share * smaller - 1e-9) & (smaller > 0)
        return enough | (_shared(firm, a, firm, b) > 0)


# ---- which words stand for a set


def _handles(features: Features, threshold: float) -> tuple[Ids, Hashes]:
    """(owner, handle): what two questions must share one of. Of questions that name something all names among their words, since
    each must say the other's; of two that do not, of so many rarest words that likeness leaves no choice.
    """
    names, forms, words = features.names, features.forms, features.question
    named = np.isin(forms.held, names.held)
    sizes = words.sizes()
    left_out = np.maximum(np.ceil(threshold / (2 - threshold) * sizes - 1e-9), 1).astype(np.int64) - 1
    prefix = _rarest(words, np.where(names.sizes() == 0, sizes - left_out, 0))
    owner = np.concatenate([forms.owners()[named], prefix.owners()])
    return owner, np.concatenate([forms.held[named].astype(np.uint64), prefix.held.astype(np.uint64) | _OF_WORDS])


def _rarest(sets: Sets, count: Ids) -> Sets:
    """Of each set its `count` rarest elements."""
    owner = sets.owners()
    order = np.lexsort((sets.held, _frequency(sets.held), owner))
    rank = np.arange(len(owner)) - np.repeat(sets.start[:-1], sets.sizes())
    taken = rank < count[owner]
    return Sets(np.concatenate([[0], np.cumsum(np.minimum(count, sets.sizes()))]), sets.held[order][taken])


def _frequency(held: npt.NDArray[np.uint32]) -> Ids:
    _, place, count = np.unique(held, return_inverse=True, return_counts=True)
    return count[place]


def _anchors(features: Features) -> tuple[Sets, npt.NDArray[np.uint32]]:
    """What two answers must have in common: a firm part (a number, the whole), or of two sets of words a rare word of the smaller.

    Of a couple one at least must be rare in its answer, so each element says whether it is.
    """
    sizes = features.answer.sizes()
    enough = np.ceil(np.where(sizes <= SHORT, SHORT_SHARE, LONG_SHARE) * sizes - 1e-9).astype(np.int64)
    words = _ranked(features.answer)
    rare = words[1] < (sizes - np.maximum(enough, 1) + 1)[features.answer.owners()]
    owner = np.concatenate([features.answer.owners(), features.firm.owners()])
    held = np.concatenate([words[0], features.firm.held])
    firm = np.concatenate([rare, np.ones(len(features.firm.held), dtype=bool)])
    order = np.argsort(owner, kind="stable")
    start = features.answer.start + features.firm.start
    return Sets(start, held[order]), firm[order].astype(np.uint32)


def _ranked(sets: Sets) -> tuple[npt.NDArray[np.uint32], Ids]:
    owner = sets.owners()
    order = np.lexsort((sets.held, _frequency(sets.held), owner))
    return sets.held[order], np.arange(len(owner)) - np.repeat(sets.start[:-1], sets.sizes())


def _bits(sets: Sets) -> Hashes:
    """64 bits of each set: what one has and the other lacks, it cannot share."""
    bits = np.zeros(len(sets.start) - 1, dtype=np.uint64)
    np.bitwise_or.at(bits, sets.owners(), np.uint64(1) << (_mix(sets.held.astype(np.uint64), np.uint64(7)) >> np.uint64(58)))
    return bits


# ---- who shares a word


def _mix(a: Hashes, b: Hashes | np.uint64) -> Hashes:
    with np.errstate(over="ignore"):
        mixed = (a ^ (b + _SIGN + (a << np.uint64(6)) + (a >> np.uint64(2)))) * np.uint64(0xFF51AFD7ED558CCD)
        return mixed ^ (mixed >> np.uint64(33))


def _grouped(owner: Ids, key: Hashes) -> tuple[Ids, Hashes, Ids]:
    """Sorted by key, without keys that only one has; and of each the number that has its key."""
    order = np.argsort(key, kind="stable")
    owner, key = owner[order], key[order]
    count = np.diff(_ends(key), prepend=0)
    size = np.repeat(count, count)
    shared = size > 1
    return owner[shared], key[shared], size[shared]


def _spans(sizes: Ids, most: int, ends: Ids) -> Iterator[tuple[int, int]]:
    """Runs of whole groups (that end at `ends`) with at most so many rows together, if a group has not more itself."""
    total, start = np.concatenate([[0], np.cumsum(sizes)])[ends] if len(ends) else ends, 0
    done = 0
    while start < len(ends):
        stop = max(int(np.searchsorted(total, done + most, side="right")), start + 1)
        yield int(ends[start - 1]) if start else 0, int(ends[stop - 1])
        start, done = stop, int(total[stop - 1])


def _ends(key: Hashes) -> Ids:
    """Where each run of equal keys ends."""
    return np.append(np.flatnonzero(key[1:] != key[:-1]) + 1, len(key)) if len(key) else np.zeros(0, np.int64)


def _couples(owner: Ids, key: Hashes, firm: npt.NDArray[np.bool_]) -> Iterator[tuple[Ids, Ids]]:
    """Every two owners that share a key, where it is firm for one of them; a few million at a time."""
    order = np.lexsort((~firm, key))
    owner, key, firm = owner[order], key[order], firm[order]
    end = _ends(key)
    last = np.repeat(end, np.diff(end, prepend=0))
    partners = np.where(firm, last - np.arange(len(key)) - 1, 0)
    for start, stop in _spans(partners, _ROWS, np.arange(1, len(key) + 1)):
        count = partners[start:stop]
        one = np.repeat(np.arange(start, stop), count)
        two = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
        yield owner[one], owner[two]


def names_fit(features: Features, a: Ids, b: Ids) -> npt.NDArray[np.bool_]:
    """Whether each of two questions says all names of the other."""
    count = features.names.sizes()
    fit: npt.NDArray[np.bool_] = _shared(features.names, a, features.forms, b) == count[a]
    fit[fit] = _shared(features.names, b[fit], features.forms, a[fit]) == count[b[fit]]
    return fit


def _shared(ours: Sets, a: Ids, theirs: Sets, b: Ids) -> Ids:
    """How many elements the sets a[i] of ours and b[i] of theirs share."""
    counts = np.zeros(len(a), dtype=np.int64)
    for start in range(0, len(a), _ROWS // 16):
        rows = slice(start, start + _ROWS // 16)
        one, two = ours.take(a[rows]), theirs.take(b[rows])
        mine = one.owners().astype(np.uint64) << np.uint64(32) | one.held
        other = two.owners().astype(np.uint64) << np.uint64(32) | two.held
        both = np.intersect1d(mine, other, assume_unique=True)
        counts[rows] = np.bincount((both >> np.uint64(32)).astype(np.int64), minlength=len(one.start) - 1)
    return counts
