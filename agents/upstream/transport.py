"""One request to a chat API and its answer: bounded in size and in time, every failure classed."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import orjson

from sluicegate.agents.upstream.config import UpstreamConfig
from sluicegate.agents.upstream.failures import CallFailed, Failure, failure_of_exception, failure_of_status
from sluicegate.agents.upstream.retry_after import retry_after_s
from sluicegate.schemas.version import VERSION

logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log each request

_PATH: Final = "/chat/completions"
_MAX_ERROR_BYTES: Final = 64 * 1024


class Transport:
    """Sends request bodies to one API, until `close`. Use it on one event loop.

    It follows no redirect, uses no proxy of the environment, and asks for answers that are not compressed, so that
    their size is what is counted.
    """

    def __init__(self, config: UpstreamConfig) -> None:
        self._config = config
        self._client = httpx.AsyncClient(
            base_url=config.url.rstrip("/"),
            timeout=httpx.Timeout(config.read_timeout_s, connect=config.connect_timeout_s, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=config.concurrency),
            headers={"user-agent": f"sluicegate/{VERSION}", "accept-encoding": "identity"},
            verify=ssl.create_default_context() if config.url.startswith("https:") else False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def post(self, request: bytes) -> dict[str, Any]:
        """The answer to `request`, a JSON object. It is there within the read time-out, however slowly it drips in.

        Raises:
            CallFailed: there is none.
        """
        config = self._config
        try:
            async with (
                asyncio.timeout(config.connect_timeout_s + config.read_timeout_s),
                self.open(request) as response,
            ):
                content = await self._read(response, config.max_answer_bytes)
        except TimeoutError:
            raise self._failed(Failure.TIMED_OUT) from None
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise self._failed(Failure.UNREADABLE, "not JSON") from None
        if not isinstance(answer, dict):
            raise self._failed(Failure.UNREADABLE, "not a JSON object")
        return answer

    @asynccontextmanager
    async def open(self, request: bytes) -> AsyncIterator[httpx.Response]:
        """The response to `request`, whose status is 200, with its content still to be read.

        Raises:
            CallFailed: there is none, or reading it in the block failed.
        """
        key = self._config.key()
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
        try:
            async with self._client.stream("POST", _PATH, content=request, headers=headers) as response:
                if response.status_code != 200:
                    await self._refuse(response)
                yield response
        except httpx.HTTPError as error:
            raise self._failed(failure_of_exception(error), type(error).__name__) from None

    async def _refuse(self, response: httpx.Response) -> None:
        content = b""
        with suppress(httpx.HTTPError, CallFailed):  # the status says enough
            content = await self._read(response, _MAX_ERROR_BYTES)
        status = response.status_code
        raise self._failed(
            failure_of_status(status, content),
            f"status {status}",
            retry_after_s(response.headers.get("retry-after"), datetime.now(UTC)),
        )

    async def _read(self, response: httpx.Response, most: int) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self._failed(Failure.UNREADABLE, "compressed, although that was not asked for")
        content = bytearray()
        async for part in response.aiter_raw():
            content += part
            if len(content) > most:
                raise self._failed(Failure.UNREADABLE, f"more than {most} bytes")
        return bytes(content)

    def _failed(self, failure: Failure, detail: str = "", retry_after: float | None = None) -> CallFailed:
        return CallFailed(failure, self._config.name, detail, retry_after)
