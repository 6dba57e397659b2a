"""The gate: what a model must have shown before anything of it leaves, every condition in words."""

from __future__ import annotations

from collections.abc import Container

from train.config import GateConfig
from train.prove.versions import VersionReport
from train.records import Check, Comparison, Estimate, ExamReport, Metrics, SeedGain, Seeds, Verdict

GENERAL = "general"
"""The exam that shows what the base could do and the tuned model should still."""

UNTRAINED = {"seen": "unseen", "expert_trained": "expert_held_out"}
"""Exam -> the same kind of questions about documents that were held out: what is gained there is manner, not these documents' facts."""


UNITS = {"margin": "nats (log-probability of the right option)", "nll": "nats per answer token", "accuracy": "of the choices"}


def judge(gate: GateConfig, metrics: Metrics, *, leaks: int, previous: VersionReport | None = None, seeds: Seeds | None = None) -> Verdict:
    """Whether a model may leave: every condition of `gate` is checked, whatever came of the others, and all must hold.

    `leaks` is the number of exam questions found in the training data, `previous` the comparison with the version released before
    (None: there is none), `seeds` the same gains over several trainings: then the pooled interval must be above the gate as well,
    as a gain that one training has is luck. What could not be found out does not hold.
    """
    name = deciding_exam(gate, metrics.exams)
    checks = [_exam(gate, name, metrics)]
    if name in metrics.exams:
        report = metrics.exams[name]
        checks += [*_gain(gate, name, metrics), *_pooled(gate, name, seeds), _retrieval(gate, name, report), _guessed(name, report)]
    checks += [_forgotten(gate, metrics), _leaks(gate, leaks), _regression(gate, name, previous)]
    return Verdict(all(check.passed for check in checks), tuple(checks))


def deciding_exam(gate: GateConfig, exams: Container[str]) -> str:
    """The exam on which a gain is asked for: the one that the gate names, else the expert exam's trained half, all of it, or seen."""
    return gate.exam or next((name for name in ("expert_trained", "expert") if name in exams), "seen")


def _exam(gate: GateConfig, name: str, metrics: Metrics) -> Check:
    if name in metrics.exams:
        why = "named by gate.exam" if gate.exam else "gate.exam names no other"
        report = metrics.exams[name]
        return Check("exam", True, f"the {name} exam decides ({report.n} questions, {report.choices} of them choices; {why})")
    sat = ", ".join(metrics.exams) or "none"
    return Check("exam", False, f"the {name} exam should decide, but the model did not sit it; it sat: {sat}")


def _gain(gate: GateConfig, name: str, metrics: Metrics) -> list[Check]:
    gain: Estimate | None = getattr(_tuned(metrics, name), gate.measure)
    asked = f"the gain on {name} must be above {gate.min_gain:g} {UNITS[gate.measure]}"
    if gain is None:
        other = "; set gate.measure: nll" if gate.measure != "nll" else ""
        return [Check("gain", False, f"{asked}; it was not measured, as the exam has too few questions of the kind{other}")]
    low = gain.ci95[0]
    return [
        Check("gain", gain.value > gate.min_gain, f"{asked}: {gain.value:.3f}{_beside(name, metrics)}"),
        Check("interval", low > gate.min_low, f"the lower end of its 95 % interval must be above {gate.min_low:g}: {low:.3f}"),
    ]


def _tuned(metrics: Metrics, name: str) -> Comparison:
    """What the tuned model gains on an exam; nothing where there is no such exam or arm."""
    report = metrics.exams.get(name)
    return report.gains.get("tuned", Comparison(None)) if report else Comparison(None)


def _beside(name: str, metrics: Metrics) -> str:
    """What a reader of the gain should know: whether choices show it too, and how much of it needs no knowledge of the documents."""
    tuned, other = _tuned(metrics, name), UNTRAINED.get(name, "")
    manner = _tuned(metrics, other).nll
    said = f"; right choices {tuned.accuracy.value:+.3f} {_interval(tuned.accuracy)}" if tuned.accuracy else ""
    if tuned.nll and manner:
        said += f"; nats per answer token {tuned.nll.value:+.3f}, and {manner.value:+.3f} on {other}, whose documents were not trained"
    return said


def _pooled(gate: GateConfig, name: str, seeds: Seeds | None) -> list[Check]:
    if seeds is None or len(seeds.seeds) < 2:
        return []
    found: SeedGain | None = seeds.exams.get(name, {}).get("tuned", {}).get(gate.measure)
    if found is None:
        return [Check("seeds", False, f"the gain on {name} over {len(seeds.seeds)} trainings is asked; it was not measured")]
    low = found.pooled.ci95[0]
    each = ", ".join(f"{value:.3f}" for value in found.per_seed)
    said = f"over {len(seeds.seeds)} trainings ({each}) the lower end must be above {gate.min_low:g} too: {low:.3f}"
    return [Check("seeds", low > gate.min_low, said)]


def _retrieval(gate: GateConfig, name: str, report: ExamReport) -> Check:
    found: Estimate | None = getattr(report.gains.get("tuned_over_retrieval", Comparison(None)), gate.measure)
    if found is None:
        said = f"the base with retrieval did not sit {name}"
        return Check("retrieval", not gate.beat_retrieval, said + (", but must not be better" if gate.beat_retrieval else "; not asked"))
    kept_up = found.ci95[1] >= 0
    figures = f"{found.value:+.3f} {UNITS[gate.measure]} {_interval(found)}"
    if not gate.beat_retrieval:
        return Check("retrieval", True, f"tuned over the base with retrieval on {name}: {figures}; not asked to be no worse")
    return Check("retrieval", kept_up, f"the tuned model must not be worse than the base with retrieval on {name}: {figures}")


def _guessed(name: str, report: ExamReport) -> Check:
    """A suspect exam is said and does not block: rules that guess help base and tuned model alike, and a lab's exam is its own."""
    fair = report.fairness
    if fair is None:
        return Check("guessing", True, f"{name} has no choices that could be guessed")
    if not fair.suspect:
        return Check("guessing", True, f"no rule guesses the choices of {name} without reading better than chance ({fair.chance:.2f})")
    shares = ", ".join(f"{rule} {getattr(fair, rule):.2f}" for rule in fair.suspect)
    return Check(
        "guessing",
        True,
        f"the choices of {name} can be guessed without reading ({shares}; chance {fair.chance:.2f}, up to {fair.band[1]:.2f}): "
        "do not read its right choices as knowledge, only what the tuned model has more of than its base",
    )


def _forgotten(gate: GateConfig, metrics: Metrics) -> Check:
    asked = f"at most {gate.max_general_loss:g} of right choices may be lost on the {GENERAL} exam (upper end of the 95 % interval)"
    free = gate.max_general_loss >= 1
    kept = _tuned(metrics, GENERAL).accuracy
    if kept is None:
        why = f"the {GENERAL} exam has too few choices" if GENERAL in metrics.exams else f"the model sat no {GENERAL} exam"
        return Check("forgetting", free, f"{asked}: {why}{', which the limit of 1 allows' if free else ''}")
    lost, free_answers = max(-kept.ci95[0], 0.0), _tuned(metrics, GENERAL).match
    said = f"; right free answers {free_answers.value:+.3f} {_interval(free_answers)}" if free_answers else ""
    return Check(
        "forgetting", lost <= gate.max_general_loss, f"{asked}: {lost:.3f} (right choices {kept.value:+.3f} {_interval(kept)}{said})"
    )


def _leaks(gate: GateConfig, leaks: int) -> Check:
    return Check("leaks", leaks <= gate.max_leaks, f"at most {gate.max_leaks} exam questions may be in the training data: {leaks}")


def _regression(gate: GateConfig, name: str, previous: VersionReport | None) -> Check:
    """On the exam that decides and on the general one: of many exams one is worse by chance too often."""
    if previous is None:
        return Check("regression", True, "there is no version released before that sat the same exams")
    compared = [exam for exam in (name, GENERAL) if exam in previous.exams]
    worse = [exam for exam in compared if exam in previous.regressions]
    where = " or ".join(compared) or "an exam that both sat"
    asked = f"the version released before ({previous.old[:12]}) must not be better on {where}"
    found = f"it is on {', '.join(worse)}" if worse else "it is not"
    if not gate.no_regression:
        return Check("regression", True, f"{asked}, if this were asked: {found}")
    return Check("regression", not worse, f"{asked}: {found}")


def _interval(estimate: Estimate) -> str:
    return f"[{estimate.ci95[0]:+.3f}, {estimate.ci95[1]:+.3f}]"
