"""What a forecast counts on: a sample of the documents, a typical paper where there is none, and what a run has learnt already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from harvest.records import Document, Paper, Section
from harvest.store import load_lines, safe_name, sha256_text, whole_lines
from qagen.chunk import sentences
from qagen.config import QAGenConfig
from qagen.forecast_plan import HIGH, LIKELY, LOW, SHORTEST, Suppositions, Text
from qagen.methods import askable_chunks
from qagen.records import Coverage

_MOST_DOCUMENTS = 10  # in a sample; planning one takes about half a second for each of three cases
_FEWEST_REPLIES = 20  # of a model, from which on its own figures count
_MOST_REPLIES = 2000  # that are looked at for that

# A typical paper: 26 papers and notes of ../shared/papers without manuals, templates and live scripts, read with this version
# (22 November 2026): chunks that are asked about, in the lower quartile, on average and in the upper quartile; the sentences of a
# chunk, and their length in characters.
_CHUNKS, _SENTENCES, _SENTENCE = (16, 28, 43), 9, 160

CASES = (LOW, LIKELY, HIGH)


def sample_of(documents: Iterable[Document]) -> tuple[list[Document], int]:
    """Some documents, evenly from all, and how many there are; no more than a few are held."""
    held: list[Document] = []
    step, count = 1, 0
    for document in documents:
        if count % step == 0:
            held.append(document)
        count += 1
        if len(held) > 2 * _MOST_DOCUMENTS:
            held, step = held[::2], step * 2
    keep = min(len(held), _MOST_DOCUMENTS)
    return [held[at * len(held) // keep] for at in range(keep)], count


def typical(case: int) -> Document:
    """A paper as papers are (0: a short one, 1: on average, 2: a long one), in words that say nothing."""
    sections, text = list[Section](), ""
    for number in range(_CHUNKS[case]):
        start, title = len(text), f"Part {number + 1}"
        said = " ".join(_sentence(number * _SENTENCES + at) for at in range(_SENTENCES))
        text += f"{title}\n\n{said}\n\n"
        sections.append(Section(title, 1, start, len(text)))
    paper = Paper("typical", "forecast", "A typical paper of the field")
    return Document(paper.id, paper, tuple(sections), text, sha256_text(text), "forecast")


def error_of(counts: Sequence[float]) -> float:
    """The standard error of a sample's mean, relative to it; a half where one document is all there is."""
    if len(counts) < 2 or not fmean(counts):
        return 0.5
    return min(0.5, stdev(counts) / sqrt(len(counts)) / fmean(counts))


def _sentence(number: int) -> str:
    words = " ".join(f"w{number * 31 + at:06d}" for at in range(_SENTENCE // 8 - 4))  # new ones, so that no fact is said twice
    return f"The quantity {words} is {number + 0.5} mm."


# ---- what a run has learnt already


def suppositions(sample: Sequence[Document], config: QAGenConfig, run: Path | None) -> tuple[tuple[Suppositions, ...], bool]:
    """The three cases, and whether the run itself says how many sentences are facts."""
    share = _share_of_facts(sample, config, run) if run else None
    if share is None:
        return CASES, False
    return tuple(replace(case, facts=min(1.0, times * share)) for case, times in zip(CASES, (0.9, 1.0, 1.1), strict=True)), True


def _share_of_facts(sample: Sequence[Document], config: QAGenConfig, run: Path) -> float | None:
    """How many facts the teacher found per sentence, in those documents of the sample that it has read."""
    facts = lines = 0
    for document in sample:
        path = run / "coverage" / f"{safe_name(document.id)}.jsonl"
        if config.method == "open" and path.exists():
            facts += sum(line.facts for line in load_lines(path, Coverage))
            texts = (chunk.text[span.start : span.end] for chunk in askable_chunks(document, config) for span in sentences(chunk.text))
            lines += sum(len(text.strip()) >= SHORTEST for text in texts)
    return min(1.0, facts / lines) if facts and lines else None


def factors(run: Path | None) -> dict[str, tuple[float, float]]:
    """By model, how many tokens it counts for one that we suppose, sent and said, from the replies that a run has."""
    seen: dict[str, list[tuple[float, float, float, float]]] = {}
    for line in islice(_replies(run / "replies"), _MOST_REPLIES) if run else ():
        sent, said = (Text.of(text).tokens[1] for text in ("".join(one["content"] for one in line["messages"]), line["content"]))
        seen.setdefault(line["model"], []).append((sent, line["usage"]["input_tokens"], said, line["usage"]["output_tokens"]))
    return {model: _ratios(some) for model, some in seen.items() if len(some) >= _FEWEST_REPLIES}


def _replies(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl")):
        yield from (line for line in whole_lines(path) if "content" in line and line["usage"]["input_tokens"])


def _ratios(seen: Sequence[tuple[float, float, float, float]]) -> tuple[float, float]:
    ours_sent, sent, ours_said, said = (sum(column) for column in zip(*seen, strict=True))
    return sent / max(1.0, ours_sent), said / max(1.0, ours_said)
