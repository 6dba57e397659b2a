"""Waiting for many replies at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

Made = TypeVar("Made")


async def together(waiting: Iterable[Awaitable[Made]]) -> list[Made]:
    """The results of all, in order. What stops one is raised when all are done, so that no reply on its way is lost."""
    done = await asyncio.gather(*waiting, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return [one for one in done if not isinstance(one, BaseException)]
