"""The OpenAPI 3.1 document of the application, made from the msgspec types that its routes decode and encode."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from sluicegate.agents.http.errors import MEANINGS, ErrorAnswer
from sluicegate.agents.http.route import JsonRoute
from sluicegate.agents.telemetry.prometheus import CONTENT_TYPE

_REFERENCE: Final = "#/components/schemas/{name}"
_PROBES: Final = {
    "/livez": "Whether the process works; it should be restarted if not.",
    "/healthz": "The same as /livez.",
    "/readyz": "Whether requests are answered.",
}
_PARAMETER: Final = re.compile(r"{(\w+)(?::\w+)?}")
"""A part of a path, as Starlette writes it: `{name}`, or `{name:path}` if it may contain slashes."""
_NOT_OF_GET: Final = frozenset((HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE))


def openapi(doors: Iterable[Sequence[JsonRoute[Any]]]) -> dict[str, Any]:
    """The document that describes the routes of `doors`, the probes and the metrics."""
    routes = [route for door in doors for route in door]
    types = [kind for route in routes for kind in (route.body, route.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components(
        [ErrorAnswer, *types], schema_hook=_of_anything, ref_template=_REFERENCE
    )
    error, references = schemas[0], dict(zip(map(id, types), schemas[1:], strict=True))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sluicegate",
            "version": "1",
            "description": "Moderates, understands and rewrites raw queries. `sluice serve` serves it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{}, {"bearer": []}, {"api_key": []}],
        "paths": {
            _PARAMETER.sub(r"{\1}", route.path): {route.method.lower(): _operation(route, references, error)}
            for route in routes
        }
        | {path: _probe(path, summary) for path, summary in _PROBES.items()}
        | {
            "/metrics": _page(
                "metrics", "The metrics, for Prometheus.", {CONTENT_TYPE: {"schema": {"type": "string"}}}
            ),
            "/openapi.json": _page("openapi", "This document.", {"application/json": {"schema": {"type": "object"}}}),
        },
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of `sluice keys add`."},
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _of_anything(kind: type) -> dict[str, Any]:
    """The schema of a field that may have any value: our types call it `object`."""
    if kind is object:
        return {"description": "Any value."}
    raise NotImplementedError(f"no schema for {kind}")


def _operation(route: JsonRoute[Any], references: dict[int, Any], error: dict[str, Any]) -> dict[str, Any]:
    statuses = sorted({meaning.status for meaning in MEANINGS.values()} - (set() if route.body else _NOT_OF_GET))
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": _HEADERS,
                "content": {"application/json": {"schema": references[id(route.answer)]}},
            },
            **{
                str(status.value): {
                    "description": f"{status.phrase}.",
                    "content": {"application/json": {"schema": error}},
                }
                for status in statuses
            },
        },
    }
    if names := _PARAMETER.findall(route.path):
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if route.body is not None:
        body = references[id(route.body)]
        schema = {"allOf": [body, route.body_rule]} if route.body_rule else body
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


_HEADERS: Final = {
    "traceparent": {"schema": {"type": "string"}, "description": "W3C Trace Context of the request's span."},
    "server-timing": {"schema": {"type": "string"}, "description": "Milliseconds of each stage."},
}


def _probe(path: str, summary: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    page = _page(path.removeprefix("/"), summary, content)
    page["get"]["responses"]["503"] = {"description": "It does not.", "content": content}
    return page


def _page(name: str, summary: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "security": [{}],
            "responses": {"200": {"description": "The page.", "content": content}},
        }
    }
