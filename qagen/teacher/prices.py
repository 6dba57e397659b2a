"""What a model costs: the YAML's price, else a small table with dates (`prices.toml`), else nobody knows.

A run with a budget in money asks only models whose price is known: an unknown one would make the cap a wish.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from harvest.store import UsageError
from qagen.config import BudgetConfig, Price, TeacherConfig
from qagen.teacher.transport import LOOPBACK

_TABLE = Path(__file__).with_name("prices.toml")
_VARIANT = r"(?:-\d{4}-\d{2}-\d{2}|-\d{6,8}|-\d{4}|-latest)?"  # a model's dated snapshots cost what it costs


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """A line of the table: USD per million tokens, the share of it that batch mode costs, and where it was read when."""

    model: str
    input: float
    output: float
    batch: float
    source: str
    read: date


@cache
def price_table() -> tuple[ListedPrice, ...]:
    """Every price that fieldsmith knows by itself."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return tuple(
        ListedPrice(**line, source=provider["source"], read=provider["read"]) for provider in table.values() for line in provider["models"]
    )


def listed_price(model: str) -> ListedPrice | None:
    """The line for a model: of its own name, else of the model that it is a dated variant of (`gpt-5-mini-2025-08-07`).

    A provider before the name (`openai/gpt-5-mini`, as gateways write it) does not count.
    """
    plain = model.rsplit("/", 1)[-1]
    lines = {line.model: line for line in price_table()}
    if plain in lines:
        return lines[plain]
    return next((line for name, line in lines.items() if re.fullmatch(re.escape(name) + _VARIANT, plain)), None)


def price_of(config: TeacherConfig, caps: BudgetConfig | None = None) -> Price | None:
    """What a million tokens of this model cost, the way it is asked (live, or in batches at their discount).

    The YAML's price is taken as it is, for the mode that the YAML names; then the table; an endpoint on this machine costs
    nothing. None where nobody knows. Raises `UsageError` where `caps` hold a sum of money and nobody knows.
    """
    price = config.price or _from_table(config) or (Price() if is_local(config) else None)
    if price is None and caps is not None and caps.money is not None:
        raise UsageError(
            f"the budget is in money, but nobody knows what the model {config.model} costs: write `price: {{input: ..., output: ...}}` "
            "(of a million tokens) beside it, or give the budget in tokens or calls"
        )
    return price


def prices_of(configs: Iterable[TeacherConfig], caps: BudgetConfig | None = None) -> dict[str, Price]:
    """The price of each model by its name, as a `Budget` wants it; the dearer where two roles pay differently for one model."""
    prices: dict[str, Price] = {}
    for config in configs:
        price = price_of(config, caps)
        if price is not None:
            known = prices.get(config.model, Price())
            prices[config.model] = Price(input=max(price.input, known.input), output=max(price.output, known.output))
    return prices


def is_local(config: TeacherConfig) -> bool:
    """Whether the endpoint is served by the run itself or stands on this machine."""
    return config.serve or (urlsplit(config.base_url or "").hostname or "") in LOOPBACK


def _from_table(config: TeacherConfig) -> Price | None:
    line = None if config.serve else listed_price(config.model)
    if line is None:
        return None
    share = line.batch if config.mode == "batch" else 1.0
    return Price(input=line.input * share, output=line.output * share)
