"""`fieldsmith up`: wait for runs here, or deploy to a work pool whose workers do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.launch import load_flow
from flows.server import ensure_server
from harvest.store import UsageError

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import WorkPool

NAME = "build-domain-model"
SWITCH_ON = ("prefect", "config", "set", "PREFECT_PLUGINS_ENABLED=true")


def up(*, pool: str | None, root: Path, yes: bool = False) -> int:
    """Serve the deployment until Ctrl-C, or deploy it to the existing work pool `pool`, and return an exit code.

    Args:
        pool: name of a Prefect work pool, or None to run the runs in processes of this machine.
        root: folder that runs work in: fields are looked for in it and `runs/` lies in it.
        yes: switch Prefect's plug-ins on in the user's profile, where they are off, without asking.

    Raises:
        FieldsmithError: there is no Prefect server to be had.
        UsageError: there is no such work pool.
    """
    _offer_plugins(yes)
    url = ensure_server()
    os.environ["FIELDSMITH_HOME"] = str(root.resolve())
    flow = load_flow(NAME)
    if pool is not None:
        return _deploy(flow, pool, root.resolve())
    return _serve(flow, url)


def _serve(flow: Flow[..., Any], url: str) -> int:
    from prefect.types.entrypoint import EntrypointType

    print(f"Waiting for runs of {NAME} (server: {url}); Ctrl-C ends it.", flush=True)
    _say_how()
    # by default Prefect pauses the deployment when this ends, and schedules made in its UI would stay paused unseen
    flow.serve(name=NAME, entrypoint_type=EntrypointType.MODULE_PATH, print_starting_message=False, pause_on_shutdown=False)
    return 0


def _deploy(flow: Flow[..., Any], pool: str, root: Path) -> int:
    from prefect.client.orchestration import get_client
    from prefect.deployments.runner import RunnerDeployment
    from prefect.exceptions import ObjectNotFound
    from prefect.types.entrypoint import EntrypointType

    with get_client(sync_client=True) as client:
        try:
            known = client.read_work_pool(pool)
        except ObjectNotFound as error:
            names = ", ".join(found.name for found in client.read_work_pools()) or "none yet"
            raise UsageError(
                f"there is no work pool {pool!r} (there are: {names}); make one: prefect work-pool create {pool} --type process"
            ) from error
    RunnerDeployment.from_flow(
        flow, NAME, work_pool_name=pool, job_variables=_job_variables(known, root), entrypoint_type=EntrypointType.MODULE_PATH
    ).apply()
    print(f"Deployed {NAME} to work pool {pool!r}; runs work in {root}.")
    print(f"Start a worker where fieldsmith is installed and {root} can be reached: prefect worker start --pool {pool}")
    _say_how()
    return 0


def _job_variables(pool: WorkPool, root: Path) -> dict[str, Any]:
    """Absolute folders, because a worker runs in one of its own; only what this type of pool knows."""
    wanted = {"working_dir": str(root), "env": {"FIELDSMITH_HOME": str(root)}}
    known = pool.base_job_template.get("variables", {}).get("properties", {})
    return {name: value for name, value in wanted.items() if name in known}


def _say_how() -> None:
    print(f"Start a run: prefect deployment run {NAME} --field FIELD", flush=True)


def _offer_plugins(yes: bool) -> None:
    """The literal command needs Prefect's plug-ins: a checkout's prefect.toml has them on, any other folder the profile."""
    from prefect.settings import get_current_settings

    if get_current_settings().plugins.enabled:
        return
    why = f"`prefect deployment run {NAME} --field FIELD` works in this folder only with Prefect's plug-ins switched on"
    if yes or (sys.stdin.isatty() and input(f"{why}. Switch them on in your Prefect profile? [y/N] ").strip().lower() in ("y", "yes")):
        subprocess.run([sys.executable, "-P", "-m", *SWITCH_ON], check=True)
    else:
        print(f"{why}: {' '.join(SWITCH_ON)}", flush=True)
