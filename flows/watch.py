"""Who takes the runs of a deployment, and how a run that was handed over is followed to its end."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import get_current_settings

from harvest.store import FieldsmithError

BEATS = 3  # Prefect's own measure of a live worker is a heartbeat within three intervals; a serve process is held to the same
SERVE_FRESH_AT_LEAST = timedelta(seconds=10)
LOST_AFTER = timedelta(minutes=3)  # neither taker nor run has been heard of
OUTAGE_SECONDS = 60.0
PAGE = 200


@dataclass(frozen=True, slots=True)
class Taker:
    """What waits for a deployment's runs: a `flow.serve` process, or the workers of `pool`."""

    pool: str | None
    seen: datetime | None
    fresh: timedelta

    def is_alive(self, now: datetime) -> bool:
        """Whether it was heard of recently; `now` by the server's clock."""
        return self.seen is not None and now - self.seen < self.fresh

    def __str__(self) -> str:
        return f"a worker of work pool {self.pool!r}" if self.pool else "the process of `fieldsmith up`"


class NobodyTookItError(Exception):
    """The run still waits in the queue and whoever was to take it has gone."""


def find_taker(client: SyncPrefectClient, deployment: DeploymentResponse) -> Taker:
    """Who would take a run. A work pool counts by its workers' heartbeats: the pool alone runs nothing."""
    if not deployment.work_pool_name:
        polls = timedelta(seconds=BEATS * get_current_settings().runner.poll_frequency)
        return Taker(None, deployment.last_polled, max(polls, SERVE_FRESH_AT_LEAST))
    beats = [
        (worker.last_heartbeat_time, timedelta(seconds=BEATS * (worker.heartbeat_interval_seconds or 30)))
        for worker in client.read_workers_for_work_pool(deployment.work_pool_name)
        if worker.last_heartbeat_time
    ]
    seen, fresh = max(beats, default=(None, timedelta()), key=lambda beat: beat[0] + beat[1])
    return Taker(deployment.work_pool_name, seen, fresh)


def server_time(client: SyncPrefectClient) -> datetime:
    """The server's clock, by which `seen` is told: it may be another machine's."""
    return parsedate_to_datetime(client.hello().headers["date"])


def follow(client: SyncPrefectClient, run: FlowRun, timeout: float | None) -> State:
    """Print what the run says until it ends; returns its final state.

    Raises `NobodyTookItError` as soon as it is clear that it will stay in the queue, `FieldsmithError` if the run was taken
    and then lost, the server is gone, or `timeout` seconds have passed.
    """
    log, deadline = _Log(client, run.id), time.monotonic() + (timeout or float("inf"))
    answered, started = time.monotonic(), server_time(client)
    while True:
        try:
            run = client.read_flow_run(run.id)
            heard = log.show()
            if run.state and run.state.is_final():
                log.show_rest()
                return run.state
            _check_taker(client, run, max(heard or started, started))
            answered = time.monotonic()
        except httpx.HTTPError as error:  # a pause, or an SQLite lock that outlasted the client's own retries
            if time.monotonic() - answered > OUTAGE_SECONDS:
                raise FieldsmithError(f"the Prefect server no longer answers ({error}); run {run.name} may still go on") from error
        if time.monotonic() > deadline:
            state = run.state.name if run.state else "unknown"
            raise FieldsmithError(f"run {run.name} is still in state {state} after {timeout:g} s; it goes on unwatched")
        time.sleep(1)


def _check_taker(client: SyncPrefectClient, run: FlowRun, heard: datetime) -> None:
    if run.deployment_id is None or run.state is None:
        return
    taker = find_taker(client, client.read_deployment(run.deployment_id))
    now = server_time(client)
    if taker.is_alive(now):
        return
    if run.state.is_scheduled():
        raise NobodyTookItError(str(taker))
    if not run.state.is_paused() and now - max(heard, taker.seen or heard) > LOST_AFTER:
        raise FieldsmithError(
            f"{taker} that took run {run.name} is gone, and the run has said nothing for {LOST_AFTER.seconds // 60} minutes: "
            "it is probably dead; run the same command again to go on from what is done"
        )


class _Log:
    """The run's messages on the server, each shown once."""

    def __init__(self, client: SyncPrefectClient, run: UUID) -> None:
        self.client = client
        self.filter = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))
        self.shown: set[UUID] = set()
        self.heard: datetime | None = None

    def show(self) -> datetime | None:
        """Print what is new; returns the time of the newest message so far."""
        while page := self.client.read_logs(self.filter, limit=PAGE, offset=max(0, len(self.shown) - PAGE // 2)):
            new = [log for log in page if log.id not in self.shown]
            for log in new:
                level = logging.getLevelName(log.level)
                said, trace, _ = log.message.partition("\nTraceback (most recent call last)")
                more = " (traceback on the run's page)" if trace else ""
                print(f"{log.timestamp.astimezone():%H:%M:%S} | {level:<7} | {said}{more}", flush=True)
                self.shown.add(log.id)
                self.heard = log.timestamp
            if not new or len(page) < PAGE:
                break
        return self.heard

    def show_rest(self) -> None:
        """Messages are sent in bundles, the last of which may arrive after the final state."""
        for _ in range(3):
            time.sleep(1)
            self.show()
