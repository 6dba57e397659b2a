"""A person reads drawn pairs with their evidence and says which are good: the only precision that nobody computed.

Verdicts are appended to `dataset/review.jsonl` as they are given. Which pairs are drawn depends on the pairs and the seed
alone, so that one cannot go on drawing until the figure pleases.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harvest.records import Document
from harvest.store import append_line, fingerprint, load, load_lines, safe_name
from qagen.checks.calibrate import Share
from qagen.generate import pairs_path
from qagen.records import Example, QAPair

FILE = "review.jsonl"
_AROUND = 160  # characters of the document shown on either side of a span


@dataclass(frozen=True, slots=True)
class Proof:
    """A span of a document as a person reads it: the words of it, and those on either side."""

    document_id: str
    title: str
    start: int
    end: int
    before: str
    words: str
    after: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said of a pair."""

    pair_id: str
    good: bool
    remark: str = ""


def drawn(run: Path, seed: int, most: int) -> list[QAPair]:
    """Pairs that are trained on, at most `most`, drawn by hash: the first ten of twenty are the ten."""
    train = run / "dataset" / "train.jsonl"
    examples = sorted(load_lines(train, Example), key=lambda example: fingerprint(seed, example.pair_id))[:most]
    wanted = {example.pair_id for example in examples}
    found: dict[str, QAPair] = {}
    for path in sorted(_pair_files(run, examples)):
        found |= {pair.id: pair for pair in load_lines(path, QAPair) if pair.id in wanted}
    return [found[example.pair_id] for example in examples]


def _pair_files(run: Path, examples: Iterable[Example]) -> set[Path]:
    own = {path for path in (run / "pairs").glob("*.jsonl") if path.name.startswith(("own_", "_"))}
    return own | {path for example in examples if (path := pairs_path(run, example.document_id)).exists()}


def proofs(pair: QAPair, run: Path, around: int = _AROUND) -> Iterator[Proof]:
    """Each span of a pair's evidence in its place; a pair of the lab's own has none."""
    for span in pair.evidence:
        name = span.document_id or pair.document_id
        document = load(run / "documents" / f"{safe_name(name)}.json", Document)
        before, after = document.text[max(0, span.start - around) : span.start], document.text[span.end : span.end + around]
        yield Proof(name, document.paper.title, span.start, span.end, before, document.text[span.start : span.end], after)


def shown(pair: QAPair, run: Path) -> str:
    """A pair as a person reads it: question, answer, steps, and each span in its place in the document."""
    lines = [f"[{pair.kind}, {pair.language}] {pair.question}", f"  -> {pair.answer}"]
    lines += [f"     {number}. {step.text}" for number, step in enumerate(pair.steps, 1)]
    lines += [f"     not: {option}" for option in pair.distractors]
    for proof in proofs(pair, run):
        passage = " ".join(f"…{proof.before}»{proof.words}«{proof.after}…".split())
        lines.append(f"  {proof.document_id} {proof.start}-{proof.end}:")
        lines.append(textwrap.fill(passage, 116, initial_indent="    ", subsequent_indent="    "))
    return "\n".join(lines)


def reviewed(run: Path) -> dict[str, Verdict]:
    """What was said, the last word on each pair."""
    path = run / "dataset" / FILE
    return {verdict.pair_id: verdict for verdict in load_lines(path, Verdict)} if path.exists() else {}


def precision(run: Path, pairs: Mapping[str, object]) -> Share:
    """The share of good ones among what was looked at, of these pairs (by id)."""
    said = [verdict for name, verdict in reviewed(run).items() if name in pairs]
    return Share(sum(verdict.good for verdict in said), len(said))


def precision_line(share: Share) -> str:
    """The share as a sentence's end; where nobody looked, just that."""
    low, high = share.interval
    return f"{share.good} of {share.n} good, {share.value:.0%} [{low:.0%}, {high:.0%}]" if share.n else "not reviewed"


def review(run: Path, pairs: Sequence[QAPair], ask: Callable[[str], str]) -> Iterator[Verdict]:
    """Show each pair that nobody judged yet and keep what is said: `g` good, `b` bad (a remark may follow), `q` to stop."""
    done = reviewed(run)
    for number, pair in enumerate(pairs, 1):
        if pair.id in done:
            continue
        said = ask(f"\n{number} of {len(pairs)}\n{shown(pair, run)}\ngood (g), bad (b) or stop (q)? ").strip()
        while said[:1].lower() not in ("g", "b", "q"):
            said = ask("g, b or q? ").strip()
        if said[:1].lower() == "q":
            return
        verdict = Verdict(pair.id, said[:1].lower() == "g", said[1:].strip())
        append_line(run / "dataset" / FILE, verdict)
        yield verdict
