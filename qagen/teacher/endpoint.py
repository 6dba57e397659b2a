"""Where a teacher is reached: address, key and connection, and how all this is spoken of without giving the key away."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from typing import Self
from urllib.parse import urlsplit

from harvest.store import FieldsmithError
from qagen.config import TeacherConfig
from qagen.teacher.transport import LOOPBACK, Wire

logger = logging.getLogger(__name__)

OPENAI = "https://api.openai.com/v1"
_SERVED_TIMEOUT = 3600.0  # our own server is slow but answers or dies; giving up on it would only make it work twice
_NEWS = 10.0  # seconds between two lines of log about tries that failed

Serve = Callable[[], AbstractContextManager[str]]


class Endpoint:
    """The endpoint of a teacher; an async context manager that ends the connection, and the server if it was started here."""

    def __init__(self, config: TeacherConfig, serve: Serve | None = None) -> None:
        self._config, self._serve = config, serve or (lambda: nullcontext(self.place))
        self.place = "served" if config.serve else config.base_url or OPENAI
        self._timeout = max(config.timeout, _SERVED_TIMEOUT) if config.serve else config.timeout
        self._key = "" if config.serve else os.environ.get(config.api_key_env, "").strip()
        self._stack, self._opening = AsyncExitStack(), asyncio.Lock()
        self._wire: Wire | None = None
        self._failed: FieldsmithError | None = None
        self._faults, self._told_at = Counter[str](), 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @property
    def name(self) -> str:
        """The teacher in a sentence."""
        parts = urlsplit(self.place)
        where = "served here" if self._config.serve else f"at {parts.scheme}://{parts.netloc}{parts.path}"
        return f"the teacher {self._config.model} {where}"

    async def wire(self) -> Wire:
        """The connection, made when it is first wanted. Raises `FieldsmithError`, always the same, where there can be none."""
        async with self._opening:
            if self._failed:
                raise self._failed
            if self._wire is None:
                try:
                    self._wire = await self._opened()
                except FieldsmithError as error:
                    self._failed = error
                    raise
        return self._wire

    async def _opened(self) -> Wire:
        served = self._serve()
        url = await asyncio.to_thread(served.__enter__)
        self._stack.push(served.__exit__)
        self._check_key(url)
        return await self._stack.enter_async_context(Wire(self._config, url, self._key, self._timeout))

    def _check_key(self, url: str) -> None:
        variable = self._config.api_key_env
        if not self._key and (urlsplit(url).hostname or "") not in LOOPBACK:
            raise FieldsmithError(f"{self.name} needs a key: put it into the environment variable {variable}")
        if self._key and not (self._key.isascii() and self._key.isprintable()):
            raise FieldsmithError(f"the environment variable {variable} holds characters that no key has; put the key into it again")

    def safe(self, text: object) -> str:
        """What may be shown and logged of a foreign text: one line, short, without the key."""
        line = " ".join(str(text).split())
        return (line.replace(self._key, "***") if self._key else line)[:300]

    def note(self, why: str, in_flight: int) -> None:
        """Say now and then, and not a thousand times, that tries fail."""
        self._faults[why] += 1
        if time.monotonic() - self._told_at >= _NEWS:
            most = "; ".join(f"{count} x {fault}" for fault, count in self._faults.most_common(3))
            logger.warning("%s: tries that failed and are repeated: %s; %d in flight", self.name, most, in_flight)
            self._faults, self._told_at = Counter(), time.monotonic()

    def advice(self, status: int) -> str:
        """What to look at after a refusal with this HTTP status."""
        if status in (401, 403):
            return f"check the key in the environment variable {self._config.api_key_env}"
        if status < 400:
            return "it sends requests elsewhere: give the address that it names as teacher.base_url"
        if status == 404:
            return "check teacher.model and teacher.base_url"
        return "check the teacher settings"
