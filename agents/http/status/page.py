"""The status page: HTML that is complete without JavaScript, two static files, and the stream of `viewers`."""

from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluicegate.agents.background import BackgroundTasks
from sluicegate.agents.http.keys import KeyFile
from sluicegate.agents.http.status.access import REALM, may_read
from sluicegate.agents.http.status.viewers import MOST_VIEWERS, Viewers
from sluicegate.agents.settings import Settings
from sluicegate.agents.settings.describe import describe_settings
from sluicegate.agents.status.reporter import Reporter
from sluicegate.agents.visible_text import visible_text

_FOLDER: Final = files(__package__)
_TYPES: Final = {
    "status.css": "text/css",
    "status.js": "text/javascript",
    "status.svg": "image/svg+xml",
}
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'"
)
_SECURITY: Final = [
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_LONGEST_VALUE: Final = 500


class StatusPage:
    """The page of one process. Used on one event loop, from `start` to `stop`."""

    def __init__(self, settings: Settings, reporter: Reporter, keys: KeyFile | None) -> None:
        """With `keys` a reader needs one of them; without, it must be on this machine."""
        self._keys = keys
        self._viewers = Viewers(reporter.snapshot)
        self._background = BackgroundTasks()
        self._template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(
            _FOLDER.joinpath("status.html").read_text("utf-8")
        )
        self._settings = _settings_table(settings)

    @property
    def routes(self) -> list[BaseRoute]:
        """The page at /, and what it loads."""
        static = [
            Route(f"/{name}", self._guarded(_static(name, kind)), methods=["GET"]) for name, kind in _TYPES.items()
        ]
        return [
            Route("/", self._guarded(self._show), methods=["GET"], name="status"),
            Route("/status/events", self._guarded(self._watch), methods=["GET"], name="status_events"),
            *static,
        ]

    def start(self) -> None:
        """Begin to make snapshots, and follow the keys."""
        if self._keys:
            self._background.start("reader of the status page's keys", self._keys.follow)
        self._background.start("status page", self._viewers.run)

    async def stop(self) -> None:
        """End every stream."""
        self._viewers.stop()
        await self._background.stop()

    def _guarded(self, app: ASGIApp) -> ASGIApp:
        return _Guarded(app, self._keys)

    async def _show(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = self._template.render(now=await self._viewers.latest(), settings=self._settings)
        await Response(page, headers={"cache-control": "no-store"}, media_type="text/html")(scope, receive, send)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await Response(media_type="text/event-stream")(scope, receive, send)
            return
        if self._viewers.is_full:
            refusal = f"{MOST_VIEWERS} viewers watch this page already. Reload it later; the page itself is up to date."
            await PlainTextResponse(refusal, 503, {"retry-after": "10"})(scope, receive, send)
            return
        await self._viewers.watch(scope, receive, send)


class _Guarded:
    """Lets in whoever may read the page, and adds the headers that protect it. A class, so that it is an ASGI app."""

    def __init__(self, app: ASGIApp, keys: KeyFile | None) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_SECURITY]}
            await send(message)

        if may_read(scope, self._keys):
            await self._app(scope, receive, protected)
            return
        if self._keys:
            refusal = PlainTextResponse("Send an API key of `sluice keys add`, as the password.\n", 401)
            refusal.raw_headers.append((b"www-authenticate", REALM))
        else:
            refusal = PlainTextResponse(
                "Without API keys (SLUICE_HTTP_KEYS) the status page is shown on this machine only, at "
                "http://127.0.0.1 and http://localhost: for example through `ssh -L` or `kubectl port-forward`.\n",
                403,
            )
        await refusal(scope, receive, protected)


def _static(name: str, kind: str) -> ASGIApp:
    body = _FOLDER.joinpath(name).read_bytes()
    return Response(body, headers={"cache-control": "no-cache"}, media_type=kind)


def _settings_table(settings: Settings) -> list[dict[str, object]]:
    return [
        {
            "section": setting.section,
            "variable": setting.variable,
            "value": None if setting.value is None else visible_text(setting.value, _LONGEST_VALUE),
            "changed": setting.changed,
            "meaning": setting.meaning,
        }
        for setting in describe_settings(settings)
    ]
