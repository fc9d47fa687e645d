"""What every route works with: the models in service, the settings, telemetry, and how many requests are open."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from sluicegate.agents.deciding.live_models import LiveModels
from sluicegate.agents.formatting.batch_observer import format_batch_observer
from sluicegate.agents.formatting.formatting import Formatting, LoadedFormatting
from sluicegate.agents.http.ledgers import ledger_of
from sluicegate.agents.http.openai.chat_queue import ChatQueue
from sluicegate.agents.http.openai.upstream import Upstream
from sluicegate.agents.http.trials import Trials
from sluicegate.agents.ledger.recording import Recorder
from sluicegate.agents.review_queue import ReviewQueue
from sluicegate.agents.settings import Settings
from sluicegate.agents.telemetry import EventSpan, Telemetry
from sluicegate.schemas.errors import RequestRefused


class HttpService:
    """One application's resources. Used on one event loop."""

    def __init__(
        self, settings: Settings, telemetry: Telemetry, models: Callable[[], LiveModels[EventSpan] | None]
    ) -> None:
        """`models` are those in service; None while there are none."""
        self.settings = settings
        self.telemetry = telemetry
        self.chats = ChatQueue(settings)
        url, model = settings.upstream, settings.upstream_model
        self.upstream = Upstream(url, model, settings, telemetry) if url and model else None
        """The chat API that chats are passed on to, inside `running`."""
        self.recorder: Recorder | None = None
        """Keeps the audit record of each decision, inside `running`; None: no records are kept."""
        self.trials: Trials | None = None
        """Decides some texts once more, inside `running`, for the ledger and the metrics only."""
        self.reviews: ReviewQueue | None = None
        """What waits for people; None in a process that is no review worker."""
        self._models = models
        self._formatting: Formatting[EventSpan] | None = None
        self._open_requests = 0
        self._stopping = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def models(self) -> LiveModels[EventSpan]:
        """The models in service.

        Raises:
            RequestRefused: there are none.
        """
        models = self._models()
        if models is None:
            raise RequestRefused("unavailable", "no model is in service: try again later")
        return models

    @property
    def formatting(self) -> Formatting[EventSpan]:
        """The formatter in service.

        Raises:
            RequestRefused: there is none.
        """
        if self._formatting is None:
            raise RequestRefused("unavailable", "no formatter is in service: try again later")
        return self._formatting

    @asynccontextmanager
    async def formatting_with(self, loaded: LoadedFormatting) -> AsyncIterator[None]:
        """Format with `loaded` until the end of the block."""
        observe = format_batch_observer(self.telemetry, loaded.formatter.model_version)
        async with Formatting[EventSpan].running(loaded, self.settings, observe) as self._formatting:
            yield

    @property
    def open_requests(self) -> int:
        """Requests that were begun and are not answered yet."""
        return self._open_requests

    @property
    def stopping(self) -> bool:
        """Whether new requests are refused, because the process is about to end."""
        return self._stopping

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold what requests need until the end of the block: the upstream's client, and the ledger, which is flushed.

        Raises:
            ConfigurationError: the ledger cannot be opened.
            SpoolFailed: the ledger is a spool that cannot be opened, or that another process has open.
        """
        ledger = ledger_of(self.settings, self.telemetry.meter)
        async with AsyncExitStack() as stack:
            if self.upstream:
                await stack.enter_async_context(self.upstream)
            if ledger:
                recording = Recorder.running(ledger, self.settings, door="http")
                self.recorder = await stack.enter_async_context(recording)
            trials = Trials.running(self.settings, self.telemetry, self.recorder)
            self.trials = await stack.enter_async_context(trials)
            yield

    @contextmanager
    def request(self) -> Iterator[None]:
        """One request, from its head to its answer.

        Raises:
            RequestRefused: the service stops, or too many requests are open.
        """
        if self._stopping:
            raise RequestRefused("unavailable", "the service is stopping: try again, it reaches another process")
        if self._open_requests >= self.settings.http_max_requests:
            raise RequestRefused("overloaded", "too many requests are open (SLUICE_HTTP_MAX_REQUESTS): try again later")
        self._open_requests += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._open_requests -= 1
            if not self._open_requests:
                self._idle.set()

    async def drain(self, limit_s: float) -> None:
        """Refuse new requests, and wait until the open ones are answered, for at most `limit_s`.

        Chats that last longer end with an error then.
        """
        self._stopping = True
        try:
            async with asyncio.timeout(limit_s):
                await self._idle.wait()
        except TimeoutError:
            self.chats.stop()
