"""Prices: the YAML first, then the table, and no budget in money over what nobody knows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from harvest.store import UsageError
from qagen.config import BudgetConfig, Price, TeacherConfig
from qagen.teacher.prices import listed_price, price_of, price_table, prices_of


def teacher(**settings: Any) -> TeacherConfig:
    return TeacherConfig.model_validate({"model": "gpt-5-mini", **settings})


def test_every_line_of_the_table_says_when_and_where_it_was_read() -> None:
    assert len({line.model for line in price_table()}) == len(price_table())
    for line in price_table():
        assert line.source.startswith("https://")
        assert date(2026, 1, 1) < line.read <= date.today()
        assert 0 < line.input < line.output
        assert 0 < line.batch <= 1


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gpt-5-mini", "gpt-5-mini"),
        ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("openai/gpt-5-mini", "gpt-5-mini"),
        ("models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),  # this one cost more than its successors
        ("gpt-5-minimal", None),
        ("gpt-5-mini-high", None),
        ("my-gpt-5-mini", None),
        ("ft:gpt-4o-mini:lab", None),
        ("Qwen/Qwen3-8B", None),
        ("", None),
    ],
)
def test_a_dated_variant_costs_what_its_model_costs_and_another_model_does_not(name: str, line: str | None) -> None:
    found = listed_price(name)
    assert (found.model if found else None) == line


def test_batch_mode_costs_the_share_that_the_table_says() -> None:
    live, batch = price_of(teacher()), price_of(teacher(mode="batch"))
    assert live == Price(input=0.25, output=2.0)
    assert batch == Price(input=0.125, output=1.0)


def test_the_yaml_is_believed_as_it_stands() -> None:
    own = {"input": 3, "output": 4}
    assert price_of(teacher(price=own)) == price_of(teacher(price=own, mode="batch")) == Price(input=3, output=4)
    assert price_of(teacher(model="unheard-of", price=own, base_url="http://127.0.0.1:1/v1")) == Price(input=3, output=4)


@pytest.mark.parametrize("place", [{"serve": True}, {"base_url": "http://127.0.0.1:8000/v1"}, {"base_url": "http://localhost:8000/v1"}])
def test_what_runs_on_this_machine_costs_nothing(place: dict[str, Any]) -> None:
    assert price_of(teacher(model="unheard-of", **place), BudgetConfig(money=1)) == Price()


def test_a_known_model_behind_a_gateway_on_this_machine_costs_what_it_costs() -> None:
    assert price_of(teacher(base_url="http://localhost:4000/v1")) == Price(input=0.25, output=2.0)


def test_a_budget_in_money_wants_a_price_and_one_in_tokens_does_not() -> None:
    unknown = teacher(model="unheard-of", base_url="https://llm.lab.example/v1")
    with pytest.raises(UsageError, match=r"nobody knows what the model unheard-of costs: write `price:"):
        price_of(unknown, BudgetConfig(money=5))
    assert price_of(unknown, BudgetConfig(tokens=5)) is None
    with pytest.raises(UsageError, match="unheard-of"):
        prices_of([teacher(), unknown], BudgetConfig(money=5))


def test_one_model_in_two_roles_is_booked_at_the_dearer_price() -> None:
    assert prices_of([teacher(mode="batch"), teacher()]) == prices_of([teacher(), teacher(mode="batch")])
    assert prices_of([teacher(mode="batch"), teacher()])["gpt-5-mini"] == Price(input=0.25, output=2.0)
