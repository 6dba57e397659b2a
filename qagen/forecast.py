"""What a run is going to ask and to cost, before anything is spent: nobody is asked, nothing leaves the machine.

Counted is on documents that were read already (all of them, or a sample spread evenly), else on a typical paper; see
`forecast_plan` for how. Everything is a range: low, likely, high. What a run has spent already makes it narrower: its replies
tell how many tokens this model makes of a text, and its coverage how many facts a passage states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import fmean

from harvest.records import Document
from qagen.config import BudgetConfig, Price, QAGenConfig
from qagen.desk import Role, roles
from qagen.forecast_plan import Asked, Planned, Text, plan_document
from qagen.forecast_ranges import Range
from qagen.forecast_sample import error_of, factors, sample_of, suppositions, typical
from qagen.kinds.partners import PAIRINGS_PER_WEIGHT
from qagen.teacher.ledger import Spent, spent_in
from qagen.teacher.prices import price_of, prices_of

_WORDINESS = Range(0.8, 1.0, 1.4)  # of replies against what we suppose of them
_OWN_INPUT, _OWN_WORDINESS = Range(0.95, 1.0, 1.05), Range(0.8, 1.0, 1.25)  # where the model has shown it
_PAIRINGS = Range(0.1, 0.5, 1.0)  # of those across papers that the weight allows; how many papers share things is not known before
_BYTES = 3.8  # of a token, about; what is reserved counts every byte as a token
_ACROSS = Text(700)  # characters of a reply about two papers


@dataclass(frozen=True, slots=True)
class Line:
    """What one role is asked for one purpose: calls, and tokens in and out."""

    role: Role
    what: str
    calls: Range
    sent: Range
    said: Range


@dataclass(frozen=True, slots=True)
class Cost:
    """What one role costs; `price` and `money` are None where nobody knows the price of its model.

    `reserved` is what its requests have set aside on average before they leave: the worst case, of which little is used.
    """

    role: Role
    model: str
    mode: str
    reserved: float
    price: Price | None
    money: Range | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run comes to. `basis` says in words what it was counted on; `spent` and `spent_money` what the run has cost already;
    `calibrated` are the models of which the run's own replies were looked at.
    """

    papers: Range
    chunks: Range
    pairs: Range
    lines: tuple[Line, ...]
    costs: tuple[Cost, ...]
    budget: BudgetConfig
    spent: Spent
    spent_money: float
    basis: str
    calibrated: tuple[str, ...]

    @property
    def calls(self) -> Range:
        """All calls."""
        return Range.sum(line.calls for line in self.lines)

    @property
    def tokens(self) -> Range:
        """All tokens, in and out."""
        return Range.sum(one for line in self.lines for one in (line.sent, line.said))

    @property
    def money(self) -> Range | None:
        """The whole cost; None where the price of a model is not known."""
        known = [cost.money for cost in self.costs if cost.money is not None]
        return Range.sum(known) if len(known) == len(self.costs) else None

    def within_budget(self) -> Range:
        """The share of the run that the budget pays for, from 0 to 1: `low` if it is at its dearest, `high` if at its cheapest."""
        caps = ((self.budget.calls, self.calls), (self.budget.tokens, self.tokens), (self.budget.money, self.money))
        shares = [_affordable(cap, need) for cap, need in caps if cap is not None and need is not None]
        return Range(*(min((getattr(one, name) for one in shares), default=1.0) for name in ("low", "likely", "high")))


def forecast(config: QAGenConfig, documents: Iterable[Document], papers_expected: int | None, run: Path | None = None) -> Forecast:
    """Count what `papers_expected` papers will be asked (None: as many as there are documents), from a sample of `documents`.

    `run` is the folder of a run, whose replies and coverage make the count better. Not within a running event loop.
    """
    sample, there = sample_of(documents)
    papers = there if papers_expected is None else papers_expected
    supposed, covered = suppositions(sample, config, run)
    cases = [[plan_document(one, config, case) for one in sample or [typical(at)]] for at, case in enumerate(supposed)]
    error = error_of([planned.chunks for planned in cases[1]]) if sample and there < papers else 0.0
    lines = tuple(_lines(cases, config, papers, error, factors(run)))
    spent = spent_in(run / "replies") if run else {}
    return Forecast(
        papers=Range.exactly(papers),
        chunks=_each([fmean(planned.chunks for planned in case) for case in cases], papers, error),
        pairs=_each([fmean(planned.pairs for planned in case) for case in cases], papers, error),
        lines=lines,
        costs=tuple(_costs(config, lines)),
        budget=config.budget,
        spent=_sum(spent),
        spent_money=_money_of(spent, prices_of(roles(config).values())),
        basis=_basis(len(sample), there, covered),
        calibrated=tuple(sorted({one.model for one in roles(config).values()} & factors(run).keys())),
    )


# ---- counting


def _lines(
    cases: Sequence[Sequence[Planned]], config: QAGenConfig, papers: int, error: float, learnt: Mapping[str, tuple[float, float]]
) -> Iterator[Line]:
    """A line for each role and purpose, in the order in which they come up."""
    by_purpose = [_by_purpose(case) for case in cases]
    purposes = dict.fromkeys(purpose for case in by_purpose for purpose in case)
    for role, what in purposes:
        each = [case.get((role, what)) or Asked(role, what, 0, Text(), Text()) for case in by_purpose]
        yield _line(each, papers, error, roles(config)[role].model, learnt)
    if config.method == "open" and config.kinds.get("across") and papers > 1:
        yield from _across(by_purpose, config, papers, learnt)


def _by_purpose(case: Sequence[Planned]) -> dict[tuple[Role, str], Asked]:
    """What a document is asked on average."""
    found: dict[tuple[Role, str], Asked] = {}
    for asked in (one for planned in case for one in planned.asked):
        before = found.get((asked.role, asked.what)) or Asked(asked.role, asked.what, 0, Text(), Text())
        share = 1 / len(case)
        found[asked.role, asked.what] = Asked(
            asked.role,
            asked.what,
            before.calls + share * asked.calls,
            before.sent.plus(asked.sent, share),
            before.said.plus(asked.said, share),
        )
    return found


def _line(each: Sequence[Asked], papers: int, error: float, model: str, learnt: Mapping[str, tuple[float, float]]) -> Line:
    own = learnt.get(model)
    if own:  # this model's own way of counting and talking, in place of what tokenisers do at worst and at best
        sent = [one.sent.tokens[1] * own[0] * spread for one, spread in zip(each, _values(_OWN_INPUT), strict=True)]
        said = [one.said.tokens[1] * own[1] * spread for one, spread in zip(each, _values(_OWN_WORDINESS), strict=True)]
    else:
        sent = [one.sent.tokens[case] for case, one in enumerate(each)]
        said = [one.said.tokens[case] * spread for case, (one, spread) in enumerate(zip(each, _values(_WORDINESS), strict=True))]
    calls = _each([one.calls for one in each], papers, error)
    return Line(each[0].role, each[0].what, calls, _each(sent, papers, error), _each(said, papers, error))


def _across(
    by_purpose: Sequence[Mapping[tuple[Role, str], Asked]], config: QAGenConfig, papers: int, learnt: Mapping[str, tuple[float, float]]
) -> Iterator[Line]:
    """Questions about two passages of different papers: a request is as long as two of those for facts."""
    most = ceil(config.kinds["across"] * PAIRINGS_PER_WEIGHT) / 2 * max(1, len(config.languages))
    for role in ("teacher", "judge") if config.judge else ("teacher",):
        each = []
        for case, share in zip(by_purpose, _values(_PAIRINGS), strict=True):
            facts = case.get(("teacher", "facts")) or Asked("teacher", "facts", 1, Text(), Text())
            calls = most * share
            each.append(Asked(role, "across papers", calls, Text().plus(facts.sent, 2 * calls / facts.calls), Text().plus(_ACROSS, calls)))
        yield _line(each, papers, 0.0, roles(config)[role].model, learnt)


def _each(values: Sequence[float], papers: int, error: float) -> Range:
    """What comes to so much a paper, low, likely and high, over all papers and with the error of the sample."""
    low, likely, high = values
    return Range(low * papers * (1 - error), likely * papers, high * papers * (1 + error))


def _values(span: Range) -> tuple[float, float, float]:
    return span.low, span.likely, span.high


def _basis(sample: int, there: int, covered: bool) -> str:
    if not sample:
        return "no document is here yet: counted on a typical paper, not on one of this field"
    what = f"{sample} of {there} documents" if sample < there else f"{there} document{'s' * (there > 1)}"
    return f"counted on {what}{', with the facts that this run has found in them' * covered}"


# ---- money


def _costs(config: QAGenConfig, lines: Sequence[Line]) -> Iterator[Cost]:
    for role, endpoint in roles(config).items():
        price = price_of(endpoint)
        own = [line for line in lines if line.role == role]
        sent, said = Range.sum(line.sent for line in own), Range.sum(line.said for line in own)
        money, reserved = None, 0.0
        calls = max(1.0, sum(line.calls.likely for line in own))
        if price is not None:
            reserved = (sent.likely / calls * _BYTES * price.input + endpoint.max_tokens * price.output) / 1e6
            money = Range.sum([sent.times(Range.exactly(price.input / 1e6)), said.times(Range.exactly(price.output / 1e6))])
        yield Cost(role, endpoint.model, endpoint.mode, reserved, price, money)


def _money_of(spent: Mapping[str, Spent], prices: Mapping[str, Price]) -> float:
    known = [(used, prices[model]) for model, used in spent.items() if model in prices]
    return sum(used.input_tokens * price.input + used.output_tokens * price.output for used, price in known) / 1e6


def _sum(spent: Mapping[str, Spent]) -> Spent:
    total = Spent()
    for used in spent.values():
        total = total.plus(used)
    return total


def _affordable(cap: float, need: Range) -> Range:
    return Range(*(min(1.0, cap / one) if one else 1.0 for one in (need.high, need.likely, need.low)))
