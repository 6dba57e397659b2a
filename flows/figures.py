"""How figures read: gains with their intervals, shares, and the names of exams, arms and comparisons."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable

from train.records import ARMS, COMPARISONS, Arm, Comparison, Estimate

EXAM_TITLES = {
    "expert_trained": "expert, trained documents",
    "expert_held_out": "expert, held-out documents",
    "expert": "expert, all of it",
    "seen": "generated, trained documents",
    "unseen": "generated, held-out documents",
    "later": "later documents",
    "unanswerable": "unanswerable questions",
    "general": "general questions",
}
ARM_TITLES: dict[Arm, str] = {
    "base": "base",
    "base_retrieval": "base + retrieval",
    "tuned": "tuned",
    "tuned_retrieval": "tuned + retrieval",
}
MEASURES = {
    "margin": "right option among the options",
    "nll": "likelihood of true answers",
    "accuracy": "right choices",
    "match": "right free answers",
}
"""The fields of `Comparison` that are gains, in words."""

UNITS = {"margin": "nats", "nll": "nats per answer token", "accuracy": "percentage points", "match": "percentage points"}

_WIDE = 9.95  # from here on two decimals say less than they take up


def exam_title(name: str) -> str:
    """An exam as a person calls it; one that is not ours by the name of its file."""
    return EXAM_TITLES.get(name, name)


def arm_titles(comparison: str) -> tuple[str, str]:
    """Who is compared: the arm that gains, and the one it is compared with."""
    before, after = COMPARISONS[comparison]
    return ARM_TITLES[after], ARM_TITLES[before]


def comparison_title(comparison: str) -> str:
    """A comparison in words, such as `tuned over base`."""
    return " over ".join(arm_titles(comparison))


def verdict(gain: Estimate) -> str:
    """What the interval allows one to say."""
    low, high = gain.ci95
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"


def flipped(gain: Estimate) -> Estimate:
    """The same gain as the other side would put it."""
    low, high = gain.ci95
    return Estimate(-gain.value, (-high, -low))


def nats(gain: Estimate) -> str:
    """A gain in nats per answer token, `+0.70 [+0.50, +0.90]`."""
    low, high = gain.ci95
    return f"{_signed(gain.value)} [{_signed(low)}, {_signed(high)}]"


def points(gain: Estimate) -> str:
    """A gain of a share in percentage points, `+15 [+5, +25]`."""
    low, high = gain.ci95
    return f"{_whole(gain.value)} [{_whole(low)}, {_whole(high)}]"


def measured(gain: Comparison | None, measure: str) -> Estimate | None:
    """The gain in one of `MEASURES`; None where there is no such comparison, or too few questions of the kind."""
    found: Estimate | None = getattr(gain, measure) if gain else None
    return found


def said(gain: Estimate, measure: str) -> str:
    """A gain in the units of its measure."""
    return points(gain) if measure in ("accuracy", "match") else nats(gain)


def share(value: float | None) -> str:
    """A share, `40 %`; a dash where an exam has nothing of the kind."""
    return "–" if value is None else f"{100 * value:.0f} %"


def nll(value: float) -> str:
    """A mean negative log-likelihood."""
    return f"{value:.2f}"


def p_value(p: float) -> str:
    """A p-value with what digits mean something."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def in_order(names: Iterable[str]) -> list[str]:
    """Names of exams as they are shown: ours in the order of `EXAM_TITLES`, then all others by name."""
    known = {name: place for place, name in enumerate(EXAM_TITLES)}
    return sorted(names, key=lambda name: (known.get(name, len(known)), name))


def arms_in_order(arms: Container[str]) -> list[Arm]:
    """Those arms that there are, in the order of `ARMS`."""
    return [arm for arm in ARMS if arm in arms]


def _signed(value: float) -> str:
    if math.isinf(value):
        return "+∞" if value > 0 else "-∞"
    return f"{value:+.1f}" if abs(value) >= _WIDE else f"{value:+.2f}"


def _whole(value: float) -> str:
    return _signed(value) if math.isinf(value) else f"{100 * value:+.0f}"
