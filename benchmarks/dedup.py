"""How well `qagen.deduplicate` tells the same question from one that only looks it, on labelled/twins.jsonl.

168 pairs of questions with their answers, written and labelled by us: paraphrases in English, Chinese and across the two, and
near misses that change a number, plane, machine, negation, unit, side, particle, part or aspect. A line is
[kind, same, question, answer, question, answer]. False merges are counted apart: a lost question is worse than a double one.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from table import print_table

from qagen import deduplicate
from qagen.records import QAPair

LABELLED = Path(__file__).parent / "labelled" / "twins.jsonl"
THRESHOLDS = (0.9, 0.8, 0.65, 0.5, 0.4)


def figures(threshold: float) -> dict[str, object]:
    """Precision, recall and F1 of merging, and what kinds of different questions were merged."""
    counts: Counter[tuple[bool, bool]] = Counter()
    wrong: Counter[str] = Counter()
    for line in LABELLED.read_text(encoding="utf-8").splitlines():
        kind, same, *words = json.loads(line)
        pairs = [_pair(str(number), *words[2 * number : 2 * number + 2]) for number in range(2)]
        merged = bool(deduplicate(pairs, threshold=threshold).dropped)
        counts[same, merged] += 1
        wrong[kind] += merged and not same
    right, missed, false = counts[True, True], counts[True, False], counts[False, True]
    return {
        "threshold": threshold,
        "precision": right / max(right + false, 1),
        "recall": right / max(right + missed, 1),
        "F1": 2 * right / max(2 * right + missed + false, 1),
        "false merges": false,
        "of kind": ", ".join(f"{count} {kind}" for kind, count in (+wrong).items()),
    }


def _pair(name: str, question: str, answer: str) -> QAPair:
    return QAPair(name, name, name, "fact", "en", question, answer, (), "", "", "CC0-1.0")


def main() -> None:
    """Print one line for each threshold."""
    rows = [figures(threshold) for threshold in THRESHOLDS]
    print_table(list(rows[0]), [[_shown(value) for value in row.values()] for row in rows])


def _shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
