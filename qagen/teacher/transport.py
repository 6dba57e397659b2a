"""Bytes to an endpoint and bytes back: the only place that opens a connection to a language model.

The `openai` package decides where a request goes and with which header fields (OpenAI, Azure, anybody's base URL): its
client writes one request into a recorder, and what it would have sent is the mould for all of ours. The requests themselves
go through aiohttp (Apache-2.0), the engine of the package's own `DefaultAioHttpClient`: per 1,000 requests the package's
client costs 1.4 to 2.9 CPU seconds and aiohttp alone about 0.5, and one process has to keep hundreds in flight. Retries,
timeouts and what a refusal means are ours (`client`), the types of the answers the package's again (`answer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from harvest.store import FieldsmithError
from qagen.config import TeacherConfig
from qagen.teacher.answer import Answer

if TYPE_CHECKING:
    import httpx2
    from aiohttp import ClientResponse, ClientSession

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LONGEST_BODY = 32 * 2**20  # bytes; an endless answer must not fill the memory
_CONNECT_SECONDS = 30.0
_IDLE_SECONDS = 4.0  # uvicorn, under vLLM and others, closes an idle connection after 5: do not send into that
_NOT_OURS = frozenset(  # what aiohttp writes itself, and what would be true of the mould only
    {"host", "connection", "content-length", "accept-encoding", "x-stainless-read-timeout", "x-stainless-retry-count"}
)


class Unsent(Exception):  # noqa: N818 - an outcome of a try
    """No connection came about, so that nothing can have been billed."""


class Lost(Exception):  # noqa: N818 - an outcome of a try
    """The request left and no whole answer came: the endpoint may have done, and billed, the work."""


class Hung(Lost):
    """The same, because the time was up."""


class Wire:
    """Connections to one endpoint for one model; an async context manager.

    `timeout` seconds is all that a request may take, from connecting to the last byte. Raises `FieldsmithError` for an
    address that is none.
    """

    def __init__(self, config: TeacherConfig, url: str, key: str, timeout: float) -> None:
        self._config, self._base, self._key, self._timeout = config, url, key, timeout

    async def __aenter__(self) -> Self:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
        from httpx2 import create_ssl_context
        from yarl import URL

        mould = await _mould(self._config, self._base, self._key)
        try:
            self._url = URL(str(mould.url), encoded=True)
        except ValueError as error:
            raise FieldsmithError(f"base_url {self._base} is not an address: {error}") from error
        self._proxy = _proxy(str(mould.url))
        headers = {name: value for name, value in mould.headers.items() if name.lower() not in _NOT_OURS}
        secure = mould.url.scheme == "https"
        self._session: ClientSession = ClientSession(
            connector=TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS, ssl=create_ssl_context() if secure else True),
            timeout=ClientTimeout(total=self._timeout, sock_connect=min(_CONNECT_SECONDS, self._timeout)),
            headers=headers,
            cookie_jar=DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()

    async def post(self, body: bytes) -> Answer:
        """The answer to a request, whatever its status. Raises `Unsent` or `Lost`."""
        from aiohttp import ClientConnectorError, ClientError, ConnectionTimeoutError

        try:
            # A redirect would carry the key to wherever it points; it comes back as an answer and is shown as one.
            async with self._session.post(self._url, data=body, proxy=self._proxy, allow_redirects=False) as response:
                return Answer(response.status, response.headers, await _whole(response))
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise Unsent(_words(error)) from error
        except TimeoutError as error:
            raise Hung(f"no answer within {self._timeout:g} s") from error
        except (ClientError, OSError, ValueError) as error:
            raise Lost(_words(error)) from error


async def _whole(response: ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _LONGEST_BODY:
            raise Lost(f"an answer of more than {_LONGEST_BODY >> 20} MiB")
    return b"".join(parts)


def _words(error: BaseException) -> str:
    from aiohttp import ClientPayloadError, ServerDisconnectedError

    if isinstance(error, ClientPayloadError):
        return "the connection broke in the middle of the answer"
    if isinstance(error, ServerDisconnectedError):
        return "the connection was closed without an answer"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for an address; none for this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return None if host in LOOPBACK or proxy_bypass(host) else getproxies().get(parts.scheme)


async def _mould(config: TeacherConfig, url: str, key: str) -> httpx2.Request:
    """The request that the `openai` package would send."""
    import httpx2
    from openai import APIConnectionError, AsyncAzureOpenAI, AsyncOpenAI

    class Nowhere(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            raise httpx2.ConnectError("this request is a mould", request=request)

    nowhere, key = httpx2.AsyncClient(transport=Nowhere()), key or "none"
    try:
        client: AsyncOpenAI = AsyncOpenAI(base_url=url, api_key=key, max_retries=0, http_client=nowhere)
        if config.azure_api_version:
            client = AsyncAzureOpenAI(
                azure_endpoint=url, api_version=config.azure_api_version, api_key=key, max_retries=0, http_client=nowhere
            )
        async with client:
            await client.chat.completions.create(model=config.model, messages=[])
    except httpx2.InvalidURL as error:
        raise FieldsmithError(f"base_url {url} is not an address: {error}") from error
    except APIConnectionError as error:
        return error.request
    raise AssertionError("a request that goes nowhere was answered")
