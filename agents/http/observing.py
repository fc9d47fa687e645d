"""What every process serves on its port: the probes, and the metrics. None of it asks for a key."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sluicegate.agents.http.errors import response_to
from sluicegate.agents.telemetry import PrometheusPage
from sluicegate.schemas.errors import RequestRefused

Page = Callable[[], tuple[int, bytes]]
"""Returns a status code and a JSON document: a probe."""

_WITHOUT_API: Final = {
    HTTPStatus.NOT_FOUND: RequestRefused(
        "not_found", "this port serves /, /livez, /readyz and /metrics; with SLUICE_HTTP_API=true the HTTP API too"
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: RequestRefused("method_not_allowed", "this path takes GET and HEAD only"),
}


def observing_routes(pages: Mapping[str, Page], metrics: PrometheusPage | None) -> list[BaseRoute]:
    """The routes of `pages`, by their paths, and of `metrics`."""
    routes: list[BaseRoute] = [Route(path, _probe(page), name=path) for path, page in pages.items()]
    if metrics:
        routes.append(Route("/metrics", _metrics_endpoint(metrics), name="metrics"))
    return routes


def build_observing_app(
    pages: Mapping[str, Page], metrics: PrometheusPage, status: Sequence[BaseRoute] = ()
) -> Starlette:
    """The ASGI application of a worker without the HTTP API. `status` are the routes of its status page."""
    app = Starlette(routes=[*observing_routes(pages, metrics), *status], exception_handlers={HTTPException: _no_route})
    app.router.redirect_slashes = False
    return app


def _probe(page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        status, body = page()
        return Response(body, status, {"cache-control": "no-store"}, "application/json")

    return answer


def _metrics_endpoint(metrics: PrometheusPage) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        content_type, body = await asyncio.to_thread(metrics.render, request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    return answer


async def _no_route(_: Request, error: Exception) -> Response:
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    response = response_to(_WITHOUT_API.get(status, RequestRefused("invalid_request", "the request is not valid HTTP")))
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return Response(response.body, response.status, headers, "application/json")
