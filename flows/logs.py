"""What our packages say while they work, shown in Prefect beside the flow's own messages."""

from __future__ import annotations

import logging

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler

PACKAGES = ("harvest", "qagen", "train", "flows")


def show_packages() -> None:
    """Send our packages' progress to the console and, inside a flow run, to Prefect's server; call it in the flow.

    Prefect's own setting for this (`PREFECT_LOGGING_EXTRA_LOGGERS`) leaves the level at the root's WARNING, so that no
    progress passes, and would have to be set on every worker.
    """
    for package in PACKAGES:
        logger = logging.getLogger(package)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
        if not any(isinstance(handler, APILogHandler) for handler in logger.handlers):
            handler = APILogHandler()
            handler.addFilter(_in_a_run)
            logger.addHandler(handler)


def _in_a_run(record: logging.LogRecord) -> bool:
    """Threads of our own carry no run context; what they say goes to the console only, without Prefect's warning."""
    return FlowRunContext.get() is not None or TaskRunContext.get() is not None
