"""`prefect deployment run NAME --field X` ends up here (see `flows.plugin`), in the process that the user started.

Whoever waits for the deployment's runs gets this one and it is followed to its end; if nobody waits it runs here.
Exit codes: 0 the run completed; 1 it failed, crashed or was stopped; 2 the command line was wrong.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flows.options import Request, read_options, usage
from flows.plugin import FLOWS, become
from harvest.store import FieldsmithError, UsageError

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.client.schemas.responses import DeploymentResponse


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line that `flows.plugin.match` made: `[PROFILE OPTIONS...] NAME [OPTIONS...]`."""
    before, name, after = _split(list(sys.argv[1:] if argv is None else argv))
    try:
        _use_profile(before)
        return _launch(name, after)
    except FieldsmithError as error:
        print(f"prefect deployment run {name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"prefect deployment run {name}: stopped", file=sys.stderr)
        return 1


def _split(argv: list[str]) -> tuple[list[str], str, list[str]]:
    at = next(place for place, argument in enumerate(argv) if argument in FLOWS)
    return argv[:at], argv[at], argv[at + 1 :]


def _use_profile(options: Sequence[str]) -> None:
    """Prefect's global `--profile`, which wins over the environment as in the stock command."""
    words = " ".join(options).replace("=", " ").split()
    if not {"-p", "--profile"} & set(words):
        return
    from prefect.context import refresh_global_settings_context
    from prefect.settings import load_profiles

    profile = words[next(at for at, word in enumerate(words) if word in ("-p", "--profile")) + 1]
    profiles = load_profiles()
    if profile not in profiles:
        raise FieldsmithError(f"unknown profile {profile!r}; valid profiles: {', '.join(profiles)}")
    os.environ.update(profiles[profile].to_environment_variables(), PREFECT_PROFILE=profile)
    refresh_global_settings_context()


def _launch(name: str, arguments: Sequence[str]) -> int:
    flow = load_flow(name)
    schema = flow.parameters.model_dump()
    if {"--help", "-h"} & set(arguments):
        print(usage(name, schema, flow.description or ""))
        return 0
    request = read_options(arguments, schema)
    check_parameters(flow, request.parameters)

    import httpx
    from prefect.client.orchestration import get_client

    from flows.server import ensure_server

    url = ensure_server()
    try:
        with get_client(sync_client=True) as client:
            return _dispatch(client, flow, name, request)
    except httpx.HTTPError as error:
        raise FieldsmithError(f"the Prefect server {url} did not do what it was asked to: {str(error).partition(chr(10))[0]}") from error


def load_flow(name: str) -> Flow[..., Any]:
    """The flow behind a name of `flows.plugin.FLOWS`."""
    module, _, attribute = FLOWS[name].partition(":")
    flow: Flow[..., Any] = getattr(import_module(module), attribute)
    return flow


def check_parameters(flow: Flow[..., Any], parameters: dict[str, Any]) -> None:
    """Refuse, before anything starts, what the flow itself would; the field's YAML is found and checked too.

    A path to a field is made absolute in place: the run may happen in another folder. Raises `UsageError`.
    """
    from prefect.exceptions import ParameterTypeError

    from flows.config import SUFFIXES, known_fields, load_field

    missing = [key for key in flow.parameters.required or () if key not in parameters]
    if missing:
        fields = f"; valid fields: {', '.join(known_fields()) or 'none found in fields/ or examples/ here'}" if "field" in missing else ""
        raise UsageError(f"--{missing[0].replace('_', '-')} is missing{fields}")
    logging.disable(logging.ERROR)  # Prefect logs what it raises, in six lines
    try:
        flow.validate_parameters(parameters)
    except ParameterTypeError as error:
        raise UsageError(_one_sentence(error)) from error
    finally:
        logging.disable(logging.NOTSET)
    if "field" in parameters:
        field = load_field(parameters["field"])
        if parameters["field"].endswith(SUFFIXES):
            parameters["field"] = str(field.path)


def _one_sentence(error: Exception) -> str:
    """Prefect's "Flow run received invalid parameters:\\n - max_papers: Input should be ..." in the words of the command line."""
    lines = [line.strip().removeprefix("- ") for line in str(error).splitlines()[1:] if line.strip()]
    pairs = (line.partition(": ") for line in lines)
    return "; ".join(f"--{key.partition('.')[0].replace('_', '-')}: {reason}" for key, _, reason in pairs) or str(error)


# ---- where the run goes


def _dispatch(client: SyncPrefectClient, flow: Flow[..., Any], name: str, request: Request) -> int:
    from flows.watch import find_taker, server_time

    deployment = _deployment(client, flow, name)
    taker = find_taker(client, deployment)
    alive = taker.is_alive(server_time(client))
    if request.later:
        return _schedule(f"{flow.name}/{name}", request, waiting=alive or taker.pool is not None)
    if alive:
        return _hand_over(client, flow, deployment, request, str(taker))
    if taker.pool:
        raise FieldsmithError(
            f"{name} is deployed to work pool {taker.pool!r}, which has no live worker: start one "
            f"(prefect worker start --pool {taker.pool}) and run this command again, or leave the pool by `fieldsmith up`"
        )
    return _run_here(client, flow, deployment, request)


def _deployment(client: SyncPrefectClient, flow: Flow[..., Any], name: str) -> DeploymentResponse:
    """The deployment on the server, made or brought up to date if this version's parameters are not there yet."""
    from prefect.deployments.runner import RunnerDeployment
    from prefect.exceptions import ObjectNotFound
    from prefect.types.entrypoint import EntrypointType

    wanted = RunnerDeployment.from_flow(flow, name, entrypoint_type=EntrypointType.MODULE_PATH)
    try:
        deployment = client.read_deployment_by_name(wanted.full_name)
        known = (deployment.parameter_openapi_schema or {}).get("properties")
        if deployment.work_pool_name or (known, deployment.entrypoint) == (flow.parameters.model_dump()["properties"], wanted.entrypoint):
            return deployment
    except ObjectNotFound:
        pass
    wanted.apply()
    return client.read_deployment_by_name(wanted.full_name)


def _schedule(full_name: str, request: Request, *, waiting: bool) -> int:
    """A run for later is the stock command's business, if there is somebody to run it then."""
    if not waiting:
        raise FieldsmithError("--start-in and --start-at need somebody who runs it then: start `fieldsmith up` first, and leave it running")
    import json

    parameters = json.dumps(request.parameters)
    become([sys.executable, "-P", "-m", "prefect", "deployment", "run", full_name, "--params", parameters, *request.stock])


def _create(client: SyncPrefectClient, deployment: DeploymentResponse, request: Request, state: State | None = None) -> FlowRun:
    try:
        run_name = request.run_name.format(**{**deployment.parameters, **request.parameters}) if request.run_name else None
    except (KeyError, IndexError, ValueError) as error:
        raise UsageError(f"--flow-run-name {request.run_name!r} names a parameter that is not given: {error}") from error
    return client.create_flow_run_from_deployment(
        deployment.id, parameters=request.parameters, state=state, name=run_name, tags=request.tags, job_variables=request.job_variables
    )


def _hand_over(client: SyncPrefectClient, flow: Flow[..., Any], deployment: DeploymentResponse, request: Request, taker: str) -> int:
    from flows.here import cancel, execute
    from flows.watch import NobodyTookItError, follow

    run = _create(client, deployment, request)
    _say_created(run, f"handed to {taker}; Ctrl-C stops watching, not the run")
    while True:
        try:
            return _verdict(run, follow(client, run, request.watch_timeout))
        except NobodyTookItError as gone:
            if deployment.work_pool_name:
                cancel(client, run.id, "no live worker")
                raise FieldsmithError(f"{gone} did not take run {run.name}, and none is alive any more: it was cancelled") from gone
            if _claim(client, run.id):
                print(f"{str(gone).capitalize()} has gone without taking the run: running it here.", flush=True)
                return _verdict(run, execute(client, flow, client.read_flow_run(run.id)))
        except KeyboardInterrupt:
            raise FieldsmithError(f"stopped watching; run {run.name} goes on (end it: prefect flow-run cancel {run.id})") from None


def _claim(client: SyncPrefectClient, run: UUID) -> bool:
    """Take a waiting run for this process; False if somebody was quicker, for the server lets only one make it pending."""
    from prefect.client.schemas.responses import SetStateStatus
    from prefect.states import Pending

    return client.set_flow_run_state(run, Pending()).status == SetStateStatus.ACCEPT


def _run_here(client: SyncPrefectClient, flow: Flow[..., Any], deployment: DeploymentResponse, request: Request) -> int:
    from prefect.states import Pending

    from flows.here import execute

    unused = [option for option in ("--job-variable", "-jv", "--watch-timeout") if option in request.stock]
    if unused:
        print(f"Nobody else waits for runs, so it runs here, where {unused[0]} has no effect.", file=sys.stderr, flush=True)
    run = _create(client, deployment, request, Pending())  # pending: nobody else is to take it from the queue
    _say_created(run, "running here")
    return _verdict(run, execute(client, flow, run))


# ---- what is said


def _say_created(run: FlowRun, where: str) -> None:
    from prefect.utilities.urls import url_for

    link = url_for(run) or str(run.id)
    print(f"Created run {run.name} ({link}), {where}.", flush=True)


def _verdict(run: FlowRun, state: State) -> int:
    message = f": {state.message}" if state.message else ""
    if state.is_completed():
        print(f"Run {run.name} completed{message}", flush=True)
        return 0
    print(f"Run {run.name} ended as {state.name}{message}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
