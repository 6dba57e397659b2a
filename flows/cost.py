"""What a run cost, as report, artifacts and terminal say it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harvest.store import StageRecord, whole_lines


def run_cost(run: Path, stages: Mapping[str, StageRecord]) -> dict[str, float]:
    """Tokens and money of a run's whole life, the replies in its ledgers, and the pairs that were accepted for them."""
    total = {"replies": float(sum("content" in line for path in (run / "replies").glob("*.jsonl") for line in whole_lines(path)))}
    for record in stages.values():
        for name, value in record.cost.items():
            total[name] = total.get(name, 0.0) + value
    if "generate" in stages:
        total["pairs"] = float(sum(stages["generate"].counts.get("pairs", {}).values()))
    return total


def cost_line(cost: Mapping[str, float]) -> str:
    """Cost as a person reads it: in all, and per pair that passed every check."""
    made, replies, money = cost.get("calls_made", 0), cost.get("replies", 0), cost.get("money", 0)
    tokens, pairs = cost.get("input_tokens", 0) + cost.get("output_tokens", 0), cost.get("pairs", 0)
    said = f"{money:.2f} at the teacher's price; {replies:,.0f} replies, {made:,.0f} of them new in the last run; {tokens:,.0f} tokens"
    if not pairs:
        return said
    each = f"{_few_digits(money / pairs)} and {tokens / pairs:,.0f} tokens" if money else f"{tokens / pairs:,.0f} tokens"
    return f"{said}; {each} for each of {pairs:,.0f} accepted pairs"


def _few_digits(money: float) -> str:
    """A small sum with two digits that mean something."""
    return f"{money:.2f}" if money >= 1 else f"{money:.2g}"
