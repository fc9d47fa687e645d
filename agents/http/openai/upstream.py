"""The chat API that this server stands in front of: what it is asked, how long, and what is counted."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from sluicegate.agents.http.openai.chat_types import ChatRequest
from sluicegate.agents.http.openai.upstream_answers import NAME, Answer, StreamedAnswer, WholeAnswer
from sluicegate.agents.http.openai.upstream_json import follow_schema
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import Telemetry
from sluicegate.agents.upstream.client import ChatClient
from sluicegate.agents.upstream.completion import Usage
from sluicegate.agents.upstream.config import UpstreamConfig
from sluicegate.agents.upstream.failures import CallFailed, Failure
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.chat_template import ChatMessage

_ATTEMPTS = 2


class Upstream:
    """One chat API. An async context manager; use it on one event loop."""

    def __init__(self, url: str, model: str, settings: Settings, telemetry: Telemetry) -> None:
        self.model = model
        self._telemetry = telemetry
        self._longest_s = (settings.upstream_connect_timeout_ms + settings.upstream_read_timeout_ms) / 1000
        config = UpstreamConfig(
            name=NAME,
            url=url,
            model=model,
            key=settings.read_upstream_key,
            connect_timeout_s=settings.upstream_connect_timeout_ms / 1000,
            read_timeout_s=settings.upstream_read_timeout_ms / 1000,
            attempts=_ATTEMPTS,
            concurrency=settings.http_max_requests,
        )
        self._client = ChatClient(config, self)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.__aexit__()

    async def answer(self, asked: ChatRequest, messages: Sequence[ChatMessage], schema: FormatSchema | None) -> Answer:
        """The answer to `messages`, with the options of `asked`: whole, or as a stream that has begun.

        An answer that must follow a schema is whole, because only then it can be checked.

        Raises:
            UpstreamFailed: there is none in time; or it does not follow the schema, and could not be repaired.
        """
        deadline = asyncio.get_running_loop().time() + self._longest_s
        body = self._body(asked, messages)
        if asked.stream and schema is None:
            return await StreamedAnswer.begun(self._client.stream(body, deadline=deadline), deadline)
        completion = await self._client.send(body, deadline=deadline)
        text = completion.text
        if schema is not None:
            followed = await asyncio.to_thread(follow_schema, text, schema)
            self._telemetry.requests.record_upstream_json(followed.outcome)
            if followed.outcome == "failed":
                raise CallFailed(Failure.UNREADABLE, NAME, "its JSON does not follow the schema")
            text = followed.text
        return WholeAnswer(text, completion.choices[0].finish_reason, completion.usage)

    def _body(self, asked: ChatRequest, messages: Sequence[ChatMessage]) -> Mapping[str, object]:
        options: dict[str, Any] = {
            "max_tokens": asked.max_tokens,
            "max_completion_tokens": asked.max_completion_tokens,
            "stop": asked.stop,
            "temperature": asked.temperature,
            "top_p": asked.top_p,
            "seed": asked.seed,
            "response_format": msgspec.to_builtins(asked.response_format),
        }
        return {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            **{name: value for name, value in options.items() if value is not None},
        }

    def attempted(self, failure: Failure | None, seconds: float) -> None:
        """Count one attempt."""
        self._telemetry.requests.record_upstream(failure.value if failure else "none", seconds)

    def paid(self, usage: Usage, cost: float) -> None:
        """No price is set, so nothing is counted."""
