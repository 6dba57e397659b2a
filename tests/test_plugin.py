"""The hook in every `import prefect`: it takes the user's own command, leaves all others alone, and costs next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.plugin import FLOWS, STOCK_OPTIONS, _prefect_arguments, match

NAME = "build-domain-model"
ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("line", "handed_over"),
    [
        (f"deployment run {NAME} --field demo", f"{NAME} --field demo"),
        (f"deployments run {NAME}", NAME),
        (f"deployment run --field demo --no-publish {NAME}", f"{NAME} --field demo --no-publish"),
        (f"deployment run --watch {NAME} --field demo", f"{NAME} --watch --field demo"),
        (f"--profile lab --no-prompt deployment run {NAME} --help", f"--profile lab --no-prompt {NAME} --help"),
        (f"-p lab deployment run {NAME} -p field=demo", f"-p lab {NAME} -p field=demo"),
    ],
)
def test_the_users_command_is_taken(line: str, handed_over: str) -> None:
    assert match(line.split()) == handed_over.split()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "deployment",
        "deployment run",
        "deployment run --help",
        f"deployment run {NAME}/{NAME} --param field=demo",
        f"deployment run other/flow --tag {NAME}",
        f"deployment run other/flow --flow-run-name {NAME}",
        f"deployment inspect {NAME}",
        f"deployment ls run {NAME}",
        f"flow-run run {NAME}",
        "server start --host 127.0.0.1",
        f"--profile deployment run {NAME}",
    ],
)
def test_every_other_command_is_left_alone(line: str) -> None:
    assert match(line.split()) is None


@pytest.mark.parametrize(
    ("argv", "arguments"),
    [
        (["python", "/usr/bin/prefect", "version"], ["version"]),
        (["python", "-X", "utf8", "-I", "-m", "prefect", "version"], ["version"]),
        (["python", "-m", "prefect.flow_engine", "deployment", "run", NAME], []),
        (["python", "-c", "import prefect", "deployment", "run", NAME], []),
        (["python", "-c", "prefect", "deployment", "run", NAME], []),
        (["python", "train.py", "prefect", "deployment", "run", NAME], []),
        (["python"], []),
    ],
)
def test_only_prefects_own_command_line_counts(argv: list[str], arguments: list[str]) -> None:
    assert list(_prefect_arguments(argv)) == arguments


def test_the_hook_imports_only_the_standard_library_and_prefects_marker() -> None:
    code = (
        "import sys, prefect, prefect.plugins; prefect.plugins.register_hook; before = set(sys.modules); import flows.plugin;"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_PLUGINS_ENABLED": "false"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["flows"]


def test_the_stock_options_are_those_of_this_prefect() -> None:
    """A new option of the stock command must be listed, or it would be refused as unknown."""
    from inspect import signature

    from cyclopts import Parameter
    from prefect.cli.deployment import run

    found: set[str] = set()
    for parameter in signature(run, eval_str=True).parameters.values():
        for mark in parameter.annotation.__metadata__:
            assert isinstance(mark, Parameter)
            found |= {*(mark.name or ()), *(mark.alias or ())}
    assert found - {"name", "--id"} == set(STOCK_OPTIONS) - {"-jv"}  # -jv is rewritten to --job-variable before it is parsed


def test_every_named_flow_exists_under_its_name() -> None:
    from flows.launch import load_flow

    assert all(load_flow(name).name == name for name in FLOWS)
