"""Flow parameters as options of `prefect deployment run`, beside the stock ones."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.options import Request, read_options, usage
from flows.plugin import STOCK_OPTIONS
from harvest.store import UsageError

SCHEMA: dict[str, Any] = {
    "properties": {
        "field": {"type": "string", "description": "which one"},
        "max_papers": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "publish": {"type": "boolean", "default": True},
        "mode": {"$ref": "#/definitions/Mode", "default": "fast"},
    },
    "required": ["field"],
    "definitions": {"Mode": {"type": "string", "enum": ["fast", "good"]}},
}


def read(*arguments: str) -> Request:
    return read_options(arguments, SCHEMA)


@given(st.text())
def test_text_is_taken_as_it_is_written(value: str) -> None:
    assert read(f"--field={value}").parameters == {"field": value}


@given(st.integers())
def test_numbers_are_numbers_by_every_spelling(value: int) -> None:
    for spelling in (["--max-papers", str(value)], [f"--max-papers={value}"], [f"--max_papers={value}"], ["-p", f"max_papers={value}"]):
        assert read(*spelling).parameters == {"max_papers": value}


def test_flags_have_a_negative_and_what_is_not_given_is_left_to_the_flow() -> None:
    assert read("--no-publish").parameters == {"publish": False}
    assert read("--publish").parameters == {"publish": True}
    assert read("--publish=false", "--mode", "7").parameters == {"publish": False, "mode": "7"}
    assert read().parameters == {}


def test_an_own_option_wins_over_param_and_param_over_params() -> None:
    request = read("--max-papers", "3", "--param", "max_papers=2", "--params", '{"max_papers": 1, "field": "a"}')
    assert request.parameters == {"field": "a", "max_papers": 3}


def test_stock_options_are_understood_and_kept() -> None:
    request = read("--tag", "a", "--tag=b", "--flow-run-name", "n", "-jv", "k=1", "--watch", "--watch-timeout", "9", "--start-in", "1h")
    assert (request.tags, request.run_name, request.job_variables, request.watch_timeout, request.later) == (
        ["a", "b"],
        "n",
        {"k": 1},
        9.0,
        True,
    )
    assert request.stock[:4] == ["--tag", "a", "--tag", "b"]
    assert request.stock[-2:] == ["--start-in", "1h"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--feild demo", "did you mean --field"),
        ("--colour red", "--field, --max-papers, --publish, --mode"),
        ("--no-field", "unknown option '--no-field'"),
        ("demo", "unknown argument 'demo'"),
        ("--field", "--field needs a value"),
        ("--field --publish", "--field needs a value"),
        ("--param field", "NAME=VALUE"),
        ("--param colour=red", "valid parameters: field, max_papers"),
        ("--params [1]", "JSON object"),
        ("--params {field}", "not JSON"),
        ("--watch-timeout soon", "seconds"),
    ],
)
def test_a_wrong_option_is_named_with_the_valid_ones(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        read(*line.split())


def test_help_lists_every_option_with_default_and_description() -> None:
    text = usage("build-domain-model", SCHEMA, "About it.\n\nMore.")
    assert "--field TEXT" in text
    assert "which one [required]" in text
    assert "--max-papers N" in text
    assert "[default: null]" in text
    assert "--publish / --no-publish" in text
    assert "--mode fast|good" in text
    assert all(option in text for option in STOCK_OPTIONS if option.startswith("--"))
