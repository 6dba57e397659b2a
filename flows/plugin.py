"""Prefect start-up hook: `prefect deployment run` takes our flows by their bare names, and their parameters as options.

Prefect's own command line rejects `--field` while it parses, so the only place early enough is a plug-in
(https://docs.prefect.io/v3/concepts/plugins), which every `import prefect` loads while `plugins.enabled` is on. It
therefore imports nothing but the standard library and Prefect's marker, and hands over to `flows.launch` in the same
process (same pid, terminal, signals and exit code). Every other command is left alone, also `deployment run FLOW/NAME`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

from prefect.plugins import register_hook

PREFECT_PLUGIN_API_REQUIRES = ">=0.1,<1"

FLOWS = {"build-domain-model": "flows.build:build_domain_model"}
"""What may be named on the command line, and the flow that it means."""

STOCK_OPTIONS = {
    "--param": True,
    "-p": True,
    "--params": True,
    "--tag": True,
    "--flow-run-name": True,
    "--job-variable": True,
    "-jv": True,
    "--start-in": True,
    "--start-at": True,
    "--watch": False,
    "--watch-timeout": True,
    "--watch-interval": True,
}
"""Options of the stock `deployment run`, and whether each takes a value."""

_GLOBAL_OPTIONS = {"--profile": True, "-p": True, "--prompt": False, "--no-prompt": False}
_INTERPRETER_OPTIONS = {"-X": True, "-W": True, "--check-hash-based-pycs": True}


@register_hook
def setup_environment(*, ctx: object) -> None:
    """Hand over to the launcher if this process is the user's command; otherwise do nothing."""
    found = match(_prefect_arguments(sys.orig_argv))
    if found is not None:
        become([sys.executable, "-P", "-m", "flows.launch", *found])


def match(arguments: Sequence[str]) -> list[str] | None:
    """What the launcher is given: `[PROFILE OPTIONS...] NAME [OPTIONS...]`, or None if the command is not ours."""
    start = _skip(arguments, _GLOBAL_OPTIONS)
    command = arguments[start : start + 2]
    if len(command) < 2 or command[0] not in ("deployment", "deployments") or command[1] != "run":
        return None
    rest = list(arguments[start + 2 :])
    at = _position_of_name(rest)
    if at is None:
        return None
    return [*arguments[:start], rest.pop(at), *rest]


def become(command: list[str]) -> NoReturn:
    """Replace this process by `command`; its end is our end."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606  (no shell is meant)
    raise SystemExit(subprocess.call(command))


def _prefect_arguments(argv: Sequence[str]) -> Sequence[str]:
    """Arguments of the Prefect command line, given `sys.orig_argv`; empty in any other program.

    `sys.argv` will not do: under `python -m prefect` it is not set yet when `prefect` is imported.
    """
    rest = argv[1 + _skip(argv[1:], _INTERPRETER_OPTIONS, last="-m") :]
    if rest[:2] == ["-m", "prefect"]:
        return rest[2:]
    if rest and os.path.basename(rest[0]).lower() in ("prefect", "prefect.exe", "prefect-script.py"):
        return rest[1:]
    return []


def _skip(arguments: Sequence[str], with_value: dict[str, bool], last: str = "") -> int:
    """How many leading arguments are options and their values, not going past the option `last`."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] not in (last, "-c"):
        at += 2 if with_value.get(arguments[at], False) else 1
    return at


def _position_of_name(rest: Sequence[str]) -> int | None:
    """Where one of our flows is named, which may be after stock options and must not be the value of one."""
    for at, argument in enumerate(rest):
        if argument in FLOWS and not (at and STOCK_OPTIONS.get(rest[at - 1], False)):
            return at
    return None
