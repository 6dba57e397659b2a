"""What stands between those who have questions for a teacher and whoever brings the replies: live, from a batch, from the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from qagen.teacher.ledger import Reply, Request


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request has no reply; `stopped` if no request will have one any more in this run of the process."""

    detail: str
    stopped: bool = False


class Stopped(Exception):  # noqa: N818 - not an error of the document that meets it
    """The teacher answers nothing any more in this run (budget, key, endpoint); raised through whoever waits for a reply."""


Ask = Callable[[Request], Awaitable[Reply | Failure]]
"""The reply to a request, or why there is none. Raises `Stopped`."""
