"""One route as an ASGI application: limits, key, body, the route's function, and the answer as JSON.

Every error ends here, as an answer of `errors.py`. Only a client that has gone gets none.
"""

import time
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sluicegate.agents.http.access import Access
from sluicegate.agents.http.body import ClientGone, read_body
from sluicegate.agents.http.errors import refusal_of, response_to
from sluicegate.agents.http.json_body import BodyDecoder
from sluicegate.agents.http.route import Call, JsonRoute
from sluicegate.agents.http.service import HttpService
from sluicegate.agents.telemetry import EventSpan
from sluicegate.schemas.errors import RequestRefused

BodyT = TypeVar("BodyT")

_JSON: Final = (b"content-type", b"application/json")
_TRACE_HEADERS: Final = {b"traceparent": "traceparent", b"tracestate": "tracestate"}
_OK: Final = 200
_CLIENT_GONE: Final = 499
"""What nginx logs for such a request. Nobody receives it."""

_encode: Final = msgspec.json.Encoder().encode


class Endpoint(Generic[BodyT]):
    """Serves one `JsonRoute`."""

    def __init__(self, route: JsonRoute[BodyT], service: HttpService, access: Access) -> None:
        self._route = route
        self._service = service
        self._access = access
        self._decoder = None if route.body is None else BodyDecoder(route.body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route, telemetry, started_ns = self._route, self._service.telemetry, time.perf_counter_ns()
        headers = [(_TRACE_HEADERS[name], value) for name, value in scope["headers"] if name in _TRACE_HEADERS]
        status, error = _CLIENT_GONE, "client_gone"
        with telemetry.requests.span(telemetry.extract(headers), method=route.method, route=route.path) as span:
            try:
                with self._service.request():
                    status, error = await self._serve(scope, receive, send, span, started_ns)
            except RequestRefused as refusal:
                status, error = await _refuse(send, refusal, span)
            finally:
                duration_s = (time.perf_counter_ns() - started_ns) / 1e9
                telemetry.requests.record(
                    span, method=route.method, status=status, duration_s=duration_s, error=error or None
                )

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, span: EventSpan, started_ns: int
    ) -> tuple[int, str]:
        """Answer, and return the status and the code of an error; the code is empty for an answer that is none."""
        timings_ms: dict[str, float] = {}
        try:
            answer = await self._answer(scope, receive, span, timings_ms)
            body = b"" if isinstance(answer, Response) else _encode(answer)
        except ClientGone:
            return _CLIENT_GONE, "client_gone"
        except Exception as error:  # noqa: BLE001 - the request's boundary: any error becomes an answer
            return await _refuse(send, refusal_of(error), span)
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return answer.status_code, ""
        timings_ms["total"] = (time.perf_counter_ns() - started_ns) / 1e6
        timing = ", ".join([f"{stage};dur={ms:.3f}" for stage, ms in timings_ms.items()])
        await _send(send, _OK, body, span, [(b"server-timing", timing.encode())])
        return _OK, ""

    async def _answer(
        self, scope: Scope, receive: Receive, span: EventSpan, timings_ms: dict[str, float]
    ) -> msgspec.Struct | Response:
        client = await self._access.client_of(scope)
        body: BodyT = None  # type: ignore[assignment]  # a GET route has no body
        if self._decoder is not None:
            content = await read_body(scope, receive, self._service.settings.http_max_body_bytes)
            body = self._decoder.decode(content)

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        return await self._route.handle(self._service, Call(body, span, client, timings_ms, scope["path_params"], gone))


async def _refuse(send: Send, refusal: RequestRefused, span: EventSpan) -> tuple[int, str]:
    response = response_to(refusal)
    await _send(send, response.status, response.body, span, response.headers)
    return response.status, refusal.code


async def _send(send: Send, status: int, body: bytes, span: EventSpan, headers: Iterable[tuple[bytes, bytes]]) -> None:
    head = [_JSON, (b"content-length", b"%d" % len(body)), (b"traceparent", span.traceparent), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
