"""The endpoint's side of a batch: OpenAI's Files and Batches, through the SDK.

What a person can act on is a `FieldsmithError`; what may pass by itself (no network, 5xx) is an `UnreachableError`, so that a wait
of a day survives a bad hour. The key is in no message.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harvest.store import FieldsmithError
from qagen.config import TeacherConfig
from qagen.teacher.answer import Answer
from qagen.teacher.endpoint import OPENAI, Endpoint
from qagen.teacher.prices import is_local

if TYPE_CHECKING:
    from openai import APIError, AsyncOpenAI

_TAG = "fieldsmith"  # of our batches' metadata
_CLOCKS = 3600.0  # seconds by which two clocks may differ
_LONGEST_WAIT = 30.0
_LEAST_TIMEOUT = 300.0  # seconds; a file of 200 MB is longer under way than a question
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class UnreachableError(FieldsmithError):
    """The endpoint did not answer, or not with sense; it may later."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How a batch stands at the endpoint; `why` says what is wrong with it as a whole."""

    status: str
    done: int
    lines: int
    output_file: str
    error_file: str
    why: str

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _ENDED


class BatchEndpoint:
    """Files and Batches of one endpoint; an async context manager. Nothing is asked before the first call."""

    def __init__(self, config: TeacherConfig) -> None:
        self._config, self._about, self._stack = config, Endpoint(config), AsyncExitStack()
        self._key = os.environ.get(config.api_key_env, "").strip()
        self._made: AsyncOpenAI | None = None
        self.url = "/chat/completions" if config.azure_api_version else "/v1/chat/completions"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @property
    def name(self) -> str:
        """The endpoint, in words."""
        return self._about.name

    async def takes_batches(self) -> bool:
        """Whether there is somebody who knows the Files API; False if nobody listens there or it is not known."""
        from openai import APIConnectionError, APIError, NotFoundError

        try:
            await (await self._client()).files.list(purpose="batch", limit=1)
        except (APIConnectionError, NotFoundError):
            return False
        except APIError as error:
            if getattr(error, "status_code", 0) in (405, 501):
                return False
            raise self._sentence(error) from error
        return True

    async def complete(self, body: dict[str, Any]) -> Answer:
        """One request asked live: what the endpoint answers to it, be it a refusal of what it asks for."""
        from openai import APIError, APIStatusError

        try:
            said = await (await self._client()).chat.completions.with_raw_response.create(**body)
        except APIStatusError as error:
            if error.status_code in (400, 422):
                return Answer(error.status_code, {}, error.response.content)
            raise self._sentence(error) from error
        except APIError as error:
            raise self._sentence(error) from error
        return Answer(said.status_code, {}, said.http_response.content)

    async def upload(self, path: Path, name: str) -> str:
        """Send a file of requests; its id."""
        from openai import APIError

        try:
            with path.open("rb") as file:
                sent = await (await self._client()).files.create(file=(f"{name}.jsonl", file), purpose="batch")
        except APIError as error:
            raise self._sentence(error) from error
        return sent.id

    async def find_file(self, name: str, written: float) -> str:
        """The id of a file sent under this name, if there is one; looks as far back as it was written."""
        from openai import APIError

        try:
            async for file in (await self._client()).files.list(purpose="batch", order="desc", limit=100):
                if file.filename == f"{name}.jsonl":
                    return file.id
                if file.created_at < written - _CLOCKS:
                    break
        except APIError as error:
            raise self._sentence(error) from error
        return ""

    async def create(self, name: str, file_id: str, written: float) -> str:
        """Have a file answered; the id of the batch. An answer that is lost on its way back makes no second batch."""
        from openai import APIConnectionError, APIError, InternalServerError, RateLimitError

        client = (await self._client()).with_options(max_retries=0)
        for attempt in range(self._config.retries + 1):
            try:
                made = await client.batches.create(
                    input_file_id=file_id,
                    endpoint=self.url,  # type: ignore[arg-type]  # Azure's has no /v1
                    completion_window="24h",
                    metadata={_TAG: name},
                )
            except (APIConnectionError, InternalServerError, RateLimitError) as error:
                last = self._sentence(error)
                await asyncio.sleep(min(_LONGEST_WAIT, 0.5 * 2**attempt))
                if found := await self.find_batch(name, file_id, written):
                    return found
            except APIError as error:
                raise self._sentence(error) from error
            else:
                return made.id
        raise last

    async def find_batch(self, name: str, file_id: str, written: float) -> str:
        """The id of a batch that was made of this file, if there is one; looks as far back as the file was written."""
        from openai import APIError

        try:
            async for batch in (await self._client()).batches.list(limit=100):
                if (batch.metadata or {}).get(_TAG) == name or batch.input_file_id == file_id:
                    return batch.id
                if batch.created_at < written - _CLOCKS:
                    break
        except APIError as error:
            raise self._sentence(error) from error
        return ""

    async def progress(self, batch_id: str) -> Progress:
        """How a batch stands."""
        from openai import APIError

        try:
            batch = await (await self._client()).batches.retrieve(batch_id)
        except APIError as error:
            raise self._sentence(error) from error
        counts, wrong = batch.request_counts, (batch.errors.data if batch.errors else None) or []
        return Progress(
            batch.status,
            counts.completed + counts.failed if counts else 0,
            counts.total if counts else 0,
            batch.output_file_id or "",
            batch.error_file_id or "",
            self._about.safe("; ".join(f"{error.code or 'error'}: {error.message or 'no reason'}" for error in wrong[:3])),
        )

    async def fetch(self, file_id: str, path: Path) -> None:
        """Bring a file here, as a stream; `path` exists only once it is whole."""
        import httpx2
        from openai import APIConnectionError, APIError, InternalServerError

        partial, client = path.with_name(f".{path.name}.part"), await self._client()
        for attempt in range(self._config.retries + 1):
            try:
                async with client.files.with_streaming_response.content(file_id) as body:
                    await body.stream_to_file(partial)
                break
            except (httpx2.HTTPError, APIConnectionError, InternalServerError) as error:
                if attempt == self._config.retries:
                    raise UnreachableError(f"{self.name} does not give out the file {file_id}: {self._about.safe(error)}") from error
                await asyncio.sleep(min(_LONGEST_WAIT, 0.5 * 2**attempt))
            except APIError as error:
                raise self._sentence(error) from error
        with partial.open("rb") as whole:
            os.fsync(whole.fileno())
        partial.replace(path)

    async def _client(self) -> AsyncOpenAI:
        if self._made is None:
            from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAsyncHttpxClient

            config, local = self._config, is_local(self._config)
            if not self._key and not local:
                raise FieldsmithError(f"{self.name} needs a key: put it into the environment variable {config.api_key_env}")
            timeout = max(config.timeout, _LEAST_TIMEOUT)
            transport = DefaultAsyncHttpxClient(trust_env=not local, timeout=timeout)
            shared: dict[str, Any] = {"max_retries": config.retries, "timeout": timeout, "http_client": transport}
            if config.azure_api_version:
                made: AsyncOpenAI = AsyncAzureOpenAI(
                    azure_endpoint=config.base_url or "", api_version=config.azure_api_version, api_key=self._key or "none", **shared
                )
            else:
                made = AsyncOpenAI(base_url=config.base_url or OPENAI, api_key=self._key or "none", **shared)
            self._made = await self._stack.enter_async_context(made)
        return self._made

    def _sentence(self, error: APIError) -> FieldsmithError:
        from openai import APIStatusError

        said = self._about.safe(_message(error))
        if not isinstance(error, APIStatusError):
            return UnreachableError(f"{self.name} does not answer: {said}; run this again later, nothing is lost")
        if error.status_code >= 500 or error.status_code == 429:
            return UnreachableError(f"{self.name} answers {error.status_code}: {said}; run this again later, nothing is lost")
        return FieldsmithError(f"{self.name} refuses the batch ({error.status_code}: {said}); {self._about.advice(error.status_code)}")


def _message(error: APIError) -> str:
    message = error.body.get("message") if isinstance(error.body, dict) else None
    return str(message or error.__cause__ or error.message)
