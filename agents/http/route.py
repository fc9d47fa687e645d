"""What a route is: plain data, from which the application and the OpenAPI document are made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct
from starlette.responses import Response

from sluicegate.agents.http.service import HttpService
from sluicegate.agents.telemetry import EventSpan

BodyT = TypeVar("BodyT")


@dataclass(slots=True)
class Call(Generic[BodyT]):
    """One request, read and checked. `client` is the name of its API key, or its address where no keys are used.

    `timings_ms` are for the header `Server-Timing`: a route may add to them. `path` has the values of the names in
    braces in the route's path. `gone` ends when the client has closed the connection.
    """

    body: BodyT
    span: EventSpan
    client: str
    timings_ms: dict[str, float]
    path: Mapping[str, str]
    gone: Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class JsonRoute(Generic[BodyT]):
    """A path that takes JSON and answers with JSON, or with a stream of its own.

    `path` may have names in braces, as Starlette's paths do: each stands for one part of a path.
    `body` is the type of the request's body; None for a GET route, which has none. `answer` is the type of the answer.
    `body_rule` is a JSON Schema that the body follows too, where its type cannot say it.
    `name` is unique: it is the operation in the OpenAPI document, and the function in its clients.
    """

    path: str
    name: str
    summary: str
    body: type[BodyT] | None
    answer: Any
    handle: Callable[[HttpService, Call[BodyT]], Awaitable[Struct | Response]]
    body_rule: Mapping[str, Any] | None = None

    @property
    def method(self) -> Literal["GET", "POST"]:
        """The HTTP method that the route takes."""
        return "GET" if self.body is None else "POST"
