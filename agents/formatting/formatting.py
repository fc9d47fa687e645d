"""Formats texts for whoever asks, the agent or HTTP: many at a time, in batches, each within its deadline.

text, schema ──► schema in service, or compiled ──► micro-batcher ──► formatter ──► JSON, or why there is none
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar

from sluicegate.agents.deciding.micro_batcher import Batched, MicroBatcher
from sluicegate.agents.formatting.inline_schemas import InlineSchemas
from sluicegate.agents.formatting.live_schemas import LiveSchemas
from sluicegate.agents.settings import Settings
from sluicegate.models.artifacts.registry import served_from
from sluicegate.models.formatting.extractive import ExtractiveFormatter
from sluicegate.models.formatting.formatter import FormatFailure, FormatRequest, Formatted, Formatter
from sluicegate.models.formatting.guided import GuidedFormatter
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.models.inference.device import Placement
from sluicegate.schemas.errors import DeadlineExceeded, EngineFailed, EventFailed, FormatFailed

OwnerT = TypeVar("OwnerT")
Result: TypeAlias = Formatted | FormatFailure
BatchObserver: TypeAlias = Callable[[Sequence[OwnerT], Sequence[Result], int, int], None]
"""Called for every batch: the owners of its texts, the results, when it started and ended (`time.time_ns`)."""

_COST: Final = BatchCost(call=1, token=0, step=0, member=1, answer=1)
"""Only its proportions matter: all texts share a lane, because the formatter orders its batch itself."""
_LEAST_S: Final = 0.001


@dataclass(frozen=True)
class LoadedFormatting:
    """A formatter in memory, and the schemas that it can be asked for by name."""

    formatter: Formatter
    schemas: LiveSchemas

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """Load what `settings` name. Blocks.

        Raises:
            ConfigurationError: the model cannot be served, or a schema is refused.
        """
        schemas = LiveSchemas(settings.format_schemas)
        return cls(load_formatter(settings), schemas)

    @property
    def description(self) -> str:
        """What was loaded, in a few words."""
        return f"formatter {self.formatter.model_version}, {self.schemas.description}"


def load_formatter(settings: Settings) -> Formatter:
    """The model of SLUICE_FORMAT_MODEL, or the formatter that needs none. Blocks.

    Raises:
        CompiledModelError: the model cannot be served.
    """
    if settings.format_model is None:
        return ExtractiveFormatter()
    placement = Placement(settings.device, settings.compute_type, settings.threads, replicas=1)
    return GuidedFormatter(served_from(settings.format_model).model, placement)


@dataclass(frozen=True, slots=True)
class _Item(Generic[OwnerT]):
    text: str
    schema: FormatSchema
    until: float
    """Its deadline (`time.monotonic`)."""
    owner: OwnerT

    def request(self) -> FormatRequest:
        """What the formatter is asked now."""
        seconds = max(_LEAST_S, self.until - time.monotonic())
        return FormatRequest(self.text, self.schema, seconds=seconds, null_ungrounded=True)


class Formatting(Generic[OwnerT]):
    """Formats texts on behalf of owners, whose spans a batch is linked to. Used on one event loop."""

    def __init__(
        self, loaded: LoadedFormatting, inline: InlineSchemas, batcher: MicroBatcher[_Item[OwnerT], Result]
    ) -> None:
        self.formatter = loaded.formatter
        self.schemas = loaded.schemas
        self._inline = inline
        self._batcher = batcher

    @classmethod
    @asynccontextmanager
    async def running(
        cls, loaded: LoadedFormatting, settings: Settings, observe: BatchObserver[OwnerT] | None = None
    ) -> AsyncIterator[Self]:
        """Format with `loaded` until the end of the block. `observe` is called in the thread of the formatter."""
        inline = InlineSchemas()
        batcher = MicroBatcher[_Item[OwnerT], Result](
            partial(_run, loaded.formatter, observe),
            length=lambda _: 1,
            cost=_COST,
            batch_size=settings.format_batch_size,
            capacity=settings.format_window,
        )
        try:
            async with loaded.schemas.following(), batcher:
                yield cls(loaded, inline, batcher)
        finally:
            inline.close()

    @property
    def queue_depth(self) -> int:
        """Texts that wait for the formatter."""
        return self._batcher.depth

    @property
    def description(self) -> str:
        """The formatter in service, in a few words."""
        return f"{self.formatter.model_version}; {self.schemas.description}"

    @property
    def busy_s(self) -> float:
        """For how long the formatter's present call has run; 0 without one."""
        return self._batcher.busy_s

    def warnings(self) -> list[str]:
        """What has failed and will be restarted, one sentence each."""
        return self._batcher.warnings()

    async def schema_of(
        self, document: Mapping[str, Any] | None, schema_id: str | None, version: str | None, *, deadline: float
    ) -> FormatSchema:
        """The schema in `document`, or else the one called `schema_id`. `deadline` is of the event loop's clock.

        Raises:
            SchemaRefused: the schema in `document` cannot be followed.
            SchemaUnknown: there is no schema of that name, or not in that version.
            DeadlineExceeded: it was not compiled in time.
        """
        if document is None:
            return self.schemas.find(schema_id or "", version)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._inline.compile(document)
        except TimeoutError:
            raise DeadlineExceeded("the schema was not compiled before the event's deadline") from None

    async def format(
        self, text: str, schema: FormatSchema, owner: OwnerT, *, deadline: float, wait: bool = True
    ) -> Batched[Result]:
        """What became of `text`. `deadline` is a time of the event loop's clock. Unless `wait`, a full queue refuses.

        Raises:
            Overloaded: the deadline cannot be met, with what waits already; or the queue is full.
            DeadlineExceeded: it passed before the result was there.
            EngineFailed: the formatter raised.
        """
        until = time.monotonic() + deadline - asyncio.get_running_loop().time()
        return await self._batcher.submit(_Item(text, schema, until, owner), deadline=deadline, wait=wait)


def failure_of(failure: FormatFailure) -> EventFailed:
    """`failure` as an error."""
    if failure.code == "engine_failed":
        return EngineFailed(failure.message)
    return FormatFailed(failure.code, failure.message, path=failure.pointer, keyword=failure.keyword)


def _run(
    formatter: Formatter, observe: BatchObserver[OwnerT] | None, batch: Sequence[_Item[OwnerT]]
) -> Sequence[Result]:
    started_ns = time.time_ns()
    results = formatter.format([item.request() for item in batch])
    if observe:
        observe([item.owner for item in batch], results, started_ns, time.time_ns())
    return results
