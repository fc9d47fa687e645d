"""Builds the application: every door's routes, the probes, and errors that no route caused."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sluicegate.agents.http import format_routes, gate_routes, litellm_guardrail, review_routes
from sluicegate.agents.http.access import Access
from sluicegate.agents.http.endpoint import Endpoint
from sluicegate.agents.http.errors import refusal_of_status, response_to
from sluicegate.agents.http.observing import Page, observing_routes
from sluicegate.agents.http.openai import chat_completions, moderations, served_models
from sluicegate.agents.http.openapi import openapi
from sluicegate.agents.http.route import JsonRoute
from sluicegate.agents.http.service import HttpService
from sluicegate.agents.telemetry import PrometheusPage

DOORS: Final[Sequence[Sequence[JsonRoute[Any]]]] = (
    gate_routes.ROUTES,
    format_routes.ROUTES,
    moderations.ROUTES,
    chat_completions.ROUTES,
    served_models.ROUTES,
    litellm_guardrail.ROUTES,
    review_routes.ROUTES,
)
"""The routes of every door."""


def build_app(
    service: HttpService,
    access: Access,
    pages: Mapping[str, Page],
    metrics: PrometheusPage | None = None,
    more: Sequence[JsonRoute[Any]] = (),
    status: Sequence[BaseRoute] = (),
) -> Starlette:
    """The ASGI application of `service`, with `pages` by their paths, and `metrics` at /metrics.

    `more` are routes that a setting asks for, and `status` those of the status page. They are not in the OpenAPI
    document.
    """
    routes: list[BaseRoute] = [
        Route(route.path, Endpoint(route, service, access), methods=[route.method], name=route.name)
        for door in (*DOORS, more)
        for route in door
    ]
    routes += [*observing_routes(pages, metrics), *status]
    routes.append(Route("/openapi.json", _document_endpoint(msgspec.json.encode(document())), name="openapi"))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _no_route})
    app.router.redirect_slashes = False
    return app


def document() -> dict[str, Any]:
    """The OpenAPI document of the application."""
    return openapi(DOORS)


def _document_endpoint(body: bytes) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        return Response(body, media_type="application/json")

    return answer


async def _no_route(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    response = response_to(refusal_of_status(status))
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return Response(response.body, response.status, headers, "application/json")
