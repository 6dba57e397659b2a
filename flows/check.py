"""`fieldsmith check`: what a field's run will ask and cost, as a table, before anything is spent or asked over the network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from flows.config import FieldFile
from harvest.config import HarvestConfig
from harvest.records import Document
from harvest.store import FieldsmithError, load, read_manifest
from qagen.forecast import Cost, Forecast, forecast
from qagen.forecast_ranges import Range

_READ_HERE = 4  # local files that are read for a sample where a run has no documents yet


def check_field(field: FieldFile) -> str:
    """The forecast of a field, as text. Reads documents and files of this machine only."""
    documents, whole = _documents(field)
    expected = None if whole else papers_expected(field.config.harvest, field.run)
    return shown(forecast(field.config.qagen, documents, expected, field.run), exact=whole)


def papers_expected(config: HarvestConfig, run: Path) -> int:
    """How many papers the sources name or allow at most; what a callable yields is not known and not counted."""
    from harvest.sources import folder

    count = 0
    for source in config.sources:
        if source.arxiv:
            count += min(source.arxiv.max_papers, len(source.arxiv.ids)) if source.arxiv.ids else source.arxiv.max_papers
        elif source.inspire:
            count += source.inspire.max_papers
        elif source.urls:
            count += len(source.urls.urls) + (_lines(source.urls.file) if source.urls.file else 0)
        elif source.folder:
            count += sum(1 for _ in folder.offers(source.folder, run))
    return count if config.max_papers is None else min(count, config.max_papers)


def shown(found: Forecast, *, exact: bool) -> str:
    """A forecast as a table for a terminal; `exact` if the number of papers is known and not the most there may be."""
    return "\n".join([*_head(found, exact), "", *_table(found), "", *_money(found), *_verdict(found), *_batches(found)])


# ---- what is here


def _documents(field: FieldFile) -> tuple[Iterator[Document], bool]:
    """The documents of the run, and whether those are all; else some files of the sources that lie on this machine."""
    files = sorted(path for path in (field.run / "documents").glob("*.json") if not path.name.startswith("."))
    if files:
        return (load(path, Document) for path in files), "harvest" in read_manifest(field.run)
    return _sample(field.config.harvest), False


def _sample(config: HarvestConfig) -> Iterator[Document]:
    """Some local files, read."""
    from harvest.read import UnreadableDocument, read_document
    from harvest.sources.forms import form_of
    from harvest.sources.globs import matches

    for source in config.sources:
        if source.folder and source.folder.path.is_dir():
            root = source.folder.path
            files = [path for path in sorted(root.rglob("*")) if path.is_file() and form_of(path.name)]
            wanted = [path for path in files if matches(path.relative_to(root).as_posix(), source.folder.include)]
            for path in islice(wanted, 0, None, max(1, len(wanted) // _READ_HERE)):
                try:
                    yield read_document(path)
                except UnreadableDocument:  # the harvest will say so
                    continue


def _lines(path: Path) -> int:
    if not path.is_file():
        raise FieldsmithError(f"the file {path} does not exist; correct harvest.sources.urls.file")
    return sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#"))


# ---- text


def _head(found: Forecast, exact: bool) -> Iterator[str]:
    papers = f"{_number(found.papers.likely)} papers" if exact else f"at most {_number(found.papers.likely)} papers"
    yield f"{papers}, {_range(found.chunks)} passages to ask about, {_range(found.pairs)} pairs"
    yield found.basis
    if found.calibrated:
        yield f"tokens as counted in this run's own replies of {', '.join(found.calibrated)}"
    else:
        yield "no replies to learn from yet: a model that thinks before it answers is billed for that too, which is not counted here"


def _table(found: Forecast) -> Iterator[str]:
    yield f"{'':<10}{'asked for':<26}{'calls':>24}{'tokens in':>28}{'tokens out':>28}"
    for line in found.lines:
        yield _row(line.role, line.what, line.calls, line.sent, line.said)
    sent, said = Range.sum(line.sent for line in found.lines), Range.sum(line.said for line in found.lines)
    yield _row("all", "", found.calls, sent, said)


def _row(role: str, what: str, calls: Range, sent: Range, said: Range) -> str:
    return f"{role:<10}{what:<26}{_range(calls):>24}{_range(sent):>28}{_range(said):>28}"


def _money(found: Forecast) -> Iterator[str]:
    for cost in found.costs:
        yield f"{cost.role:<10}{_cost(cost)}"
    if found.money is not None and len(found.costs) > 1:
        yield f"{'all':<10}{_sum(found.money)}"
    if found.spent.calls:
        yield f"{'spent':<10}{found.spent_money:.2f} already, for {_number(found.spent.calls)} calls; that is part of the figures above"


def _cost(cost: Cost) -> str:
    how = f"{cost.model}, in batches" if cost.mode == "batch" else cost.model
    if cost.price is None or cost.money is None:
        return f"{how}: nobody knows the price; write `price: {{input: ..., output: ...}}` (of a million tokens) beside the model"
    if not cost.price.input and not cost.price.output:
        return f"{how}: costs nothing"
    return f"{_sum(cost.money)} for {how} ({cost.price.input:g} a million tokens in, {cost.price.output:g} out)"


def _verdict(found: Forecast) -> Iterator[str]:
    caps = {"calls": found.budget.calls, "tokens": found.budget.tokens, "money": found.budget.money}
    named = ", ".join(f"{cap:,g} {'in money' if name == 'money' else name}" for name, cap in caps.items() if cap is not None)
    if not named:
        yield "budget    none: nothing stops the run but its end"
        return
    share = found.within_budget()
    if share.low >= 1:
        yield f"budget    {named}: enough"
    elif share.likely >= 1:
        yield f"budget    {named}: likely enough; at the dearest it ends after about {_papers(found, share.low)}"
    else:
        far, worst = _papers(found, share.likely), _papers(found, share.low)
        yield f"budget    {named}: likely not enough; it ends after about {far} ({worst} at the dearest)"


def _batches(found: Forecast) -> Iterator[str]:
    """A budget holds the worst case of a whole batch: a small one makes many batches, each of which may take a day."""
    left = (found.budget.money or 0.0) - found.spent_money
    for cost in found.costs:
        if cost.mode == "batch" and found.budget.money is not None and cost.reserved > 0:
            fit = max(0.0, left) / cost.reserved
            calls = sum(line.calls.likely for line in found.lines if line.role == cost.role)
            if fit < calls:
                some = f"about {_number(fit)} of the {cost.role}'s {_number(calls)} requests"
                yield f"batches   the budget holds the worst case of {some} at a time: more of it, or less max_tokens, makes fewer batches"


def _papers(found: Forecast, share: float) -> str:
    return f"{found.papers.likely * share:,.0f} of {found.papers.likely:,.0f} papers"


def _sum(money: Range) -> str:
    return f"{money.low:,.2f} .. {money.likely:,.2f} .. {money.high:,.2f}"


def _range(of: Range) -> str:
    low, likely, high = _number(of.low), _number(of.likely), _number(of.high)
    return likely if low == likely == high else f"{low} .. {likely} .. {high}"


def _number(value: float) -> str:
    """Two or three digits that mean something."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 9.995 * size or (value >= size and unit != "k"):
            return f"{value / size:.3g} {unit}"
    return f"{value:,.0f}"
