"""A run's findings as plain text: what `fieldsmith status` and the end of `make demo` print."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence

from flows.cost import cost_line
from flows.figures import measured, nll, said, share
from flows.findings import Exam, Findings
from flows.headline import AGAINST_RETRIEVAL
from train.records import ARMS, Comparison, Score

WIDTH = 100
_TITLE, _COUNT, _ARM, _GAIN = 25, 5, 6, 23  # columns: together WIDTH
_HEADS = {"margin": "right option, nats", "nll": "nats per answer token", "accuracy": "right choices", "match": "right free answers"}
_SCORES: dict[str, Callable[[Score], str]] = {
    "nll": lambda score: nll(score.nll),
    "accuracy": lambda score: share(score.accuracy),
    "match": lambda score: share(score.match),
}
_ARM_HEADS = ("base", "b+r", "tuned", "t+r")
_LONGEST = 240  # characters of an answer


def summary(found: Findings) -> str:
    """The whole result on one screen: what was shown, the gate, what every arm scored, where things are, three answers."""
    return "\n".join([*_head(found), "", *tables(found.exams), *_places(found), "", *_samples(found)])


def _head(found: Findings) -> Iterator[str]:
    headline = found.headline
    yield f"{found.run.name}: {headline.first}"
    yield headline.gate
    yield from headline.beside


def _places(found: Findings) -> Iterator[str]:
    for name, path in found.places.items():
        yield f"{name:<9}{path}"
    yield f"{'cost':<9}{cost_line(found.cost)}"
    yield f"{'backend':<9}{found.training.backend} ({plain(found.training.backend_reason)})"


# ---- tables


def tables(exams: Sequence[Exam]) -> Iterator[str]:
    """What every arm scored on every exam, a table for each measure that some exam has; each is `WIDTH` columns wide at most."""
    for measure, head in _HEADS.items():
        rows = [exam for exam in exams if any(measured(gain, measure) for _, gain in exam.gains)]
        if rows:
            yield _line(head, "n", _ARM_HEADS if measure in _SCORES else [""] * 4, "t over b", "t over b+r")
            yield from (_row(exam, measure) for exam in rows)
            yield ""
    yield "b base, t tuned, r with retrieval; gains (positive is better) with 95 % intervals, shares in points"
    yield ""


def _row(exam: Exam, measure: str) -> str:
    arms = [_scored(exam.report.arms.get(arm), measure) for arm in ARMS]
    gains = [_gained(exam.report.gains.get(name), measure) for name in ("tuned", AGAINST_RETRIEVAL)]
    title = exam.title.removesuffix(" documents").removesuffix(" questions")
    return _line(title, str(exam.report.n), arms, *gains)


def _scored(score: Score | None, measure: str) -> str:
    return _SCORES[measure](score) if score and measure in _SCORES else ""


def _gained(gain: Comparison | None, measure: str) -> str:
    value = measured(gain, measure)
    return said(value, measure) if value else ""


def _line(title: str, count: str, arms: Sequence[str], gain: str, over_retrieval: str) -> str:
    cells = "".join(f"{arm:>{_ARM}}" for arm in arms)
    return f"{fitted(title, _TITLE)}{count:>{_COUNT}}{cells}{gain:>{_GAIN}}{over_retrieval:>{_GAIN}}".rstrip()


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
