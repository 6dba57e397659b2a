"""A run's findings as plain text: what `fieldsmith status` and the end of `make demo` print."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence

from flows.cost import cost_line
from flows.figures import nats, nll, points, share
from flows.findings import Exam, Findings
from flows.headline import AGAINST_RETRIEVAL
from train.records import ARMS, Comparison, Estimate, Score

WIDTH = 100
_TITLE, _COUNT, _ARM, _GAIN = 25, 5, 6, 23  # columns: together WIDTH
_UNITS = {"nll": "nats per answer token", "accuracy": "right choices", "match": "right free answers"}
_ARM_HEADS = ("base", "b+r", "tuned", "t+r")
_LONGEST = 240  # characters of an answer

Table = tuple[str, Callable[[Score], str], Callable[[Comparison], str]]


def summary(found: Findings) -> str:
    """The whole result on one screen: what was shown, the gate, what every arm scored, where things are, three answers."""
    return "\n".join([*_head(found), "", *tables(found.exams), *_places(found), "", *_samples(found)])


def _head(found: Findings) -> Iterator[str]:
    said = found.headline
    yield f"{found.run.name}: {said.first}"
    yield said.gate
    yield from said.beside


def _places(found: Findings) -> Iterator[str]:
    for name, path in found.places.items():
        yield f"{name:<9}{path}"
    yield f"{'cost':<9}{cost_line(found.cost)}"
    yield f"{'backend':<9}{found.training.backend} ({plain(found.training.backend_reason)})"


# ---- tables


def tables(exams: Sequence[Exam]) -> Iterator[str]:
    """What every arm scored on every exam, a table for each measure that some exam has; each is `WIDTH` columns wide at most."""
    measures: list[Table] = [
        ("nll", lambda score: nll(score.nll), lambda gain: _said(gain.nll, nats)),
        ("accuracy", lambda score: share(score.accuracy), lambda gain: _said(gain.accuracy, points)),
        ("match", lambda score: share(score.match), lambda gain: _said(gain.match, points)),
    ]
    for name, scored, gained in measures:
        rows = [exam for exam in exams if any(getattr(score, name) is not None for _, score in exam.arms)]
        if rows:
            yield _line(_UNITS[name], "n", _ARM_HEADS, "t over b", "t over b+r")
            yield from (_row(exam, scored, gained) for exam in rows)
            yield ""
    yield "b base, t tuned, r with retrieval; gains (positive is better) with 95 % intervals, shares in points"
    yield ""


def _row(exam: Exam, scored: Callable[[Score], str], gained: Callable[[Comparison], str]) -> str:
    arms = [scored(exam.report.arms[arm]) if arm in exam.report.arms else "" for arm in ARMS]
    gains = [gained(exam.report.gains[name]) if name in exam.report.gains else "" for name in ("tuned", AGAINST_RETRIEVAL)]
    title = exam.title.removesuffix(" documents").removesuffix(" questions")
    return _line(title, str(exam.report.n), arms, *gains)


def _line(title: str, count: str, arms: Sequence[str], gain: str, over_retrieval: str) -> str:
    cells = "".join(f"{arm:>{_ARM}}" for arm in arms)
    return f"{fitted(title, _TITLE)}{count:>{_COUNT}}{cells}{gain:>{_GAIN}}{over_retrieval:>{_GAIN}}".rstrip()


def _said(gain: Estimate | None, how: Callable[[Estimate], str]) -> str:
    return how(gain) if gain else "–"


def fitted(text: str, width: int) -> str:
    """Text cut or filled to so many columns of a terminal, of which a Chinese character takes two."""
    shown, used = "", 0
    for sign in plain(text):
        wide = 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        if used + wide > width:
            break
        shown, used = shown + sign, used + wide
    return shown + " " * (width - used)


# ---- samples


def _samples(found: Findings) -> Iterator[str]:
    for sample in found.samples:
        yield f"Q       {plain(sample.question)}"
        yield f"  base  {plain(sample.base)}"
        yield f"  tuned {plain(sample.tuned)}"
        yield f"  truth {plain(sample.truth)}"
        yield f"  source ({plain(sample.document_id)}) {plain(sample.evidence)}"
        for passage in sample.passages[:1]:
            yield f"  found ({plain(passage.title or passage.id)}) {plain(passage.text)}"


def plain(text: str) -> str:
    """Foreign text on one line, without what a terminal would obey: no control characters, none that turn the direction of writing."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
