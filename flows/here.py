"""A flow run executed in this process, where no runner of Prefect watches over it."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, cast
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Abort
from prefect.flow_engine import run_flow
from prefect.logging.configuration import setup_logging
from prefect.states import Cancelled

from flows.logs import show_packages

CANCEL_POLL_SECONDS = 5.0


def execute(client: SyncPrefectClient, flow: Flow[..., Any], run: FlowRun) -> State:
    """Execute a flow run in this process and return its final state.

    Ctrl-C and Prefect's own cancelling end as Cancelled, SIGTERM as Crashed; children of the flow end with it.
    """
    setup_logging()
    show_packages()
    done = threading.Event()
    # A signal of our own: in the background of a script SIGINT is ignored, and cancelling must work there too.
    signal.signal(signal.SIGUSR1, _interrupt)
    threading.Thread(target=_obey_cancel, args=(run.id, done), daemon=True).start()
    try:
        return cast("State", run_flow(flow, flow_run=run, return_type="state"))
    except KeyboardInterrupt:
        return cancel(client, run.id, "stopped by the user")
    except Abort:  # the server refused to let it run on, and has said why in the run's state
        return cast("State", client.read_flow_run(run.id).state)
    finally:
        done.set()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _obey_cancel(run: UUID, done: threading.Event) -> None:
    """Interrupt the run when somebody cancels it in Prefect; a runner would do this, and there is none here."""
    with get_client(sync_client=True) as client:
        while not done.wait(CANCEL_POLL_SECONDS):
            try:
                state = client.read_flow_run(run).state
            except httpx.HTTPError:  # asked again at the next turn; if the server stays away the run itself says so
                continue
            if state is not None and (state.is_cancelling() or state.is_cancelled()):
                # to the main thread itself: a signal raised in this one would not wake it from a blocking call
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                return


def cancel(client: SyncPrefectClient, run: UUID, why: str) -> State:
    """Set a run to Cancelled whatever its state is, and return that state."""
    client.set_flow_run_state(run, Cancelled(message=why), force=True)
    state: State = Cancelled(message=why)
    return state
