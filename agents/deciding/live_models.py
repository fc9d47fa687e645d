"""The models in service: the one in use and, in a trial, a candidate. Both can be exchanged while events are in flight.

    deployment.json ──► loaded in a thread ──► exchanged ──► the old one ends what it began, then it is let go

A model that cannot be loaded changes nothing: the one in use goes on, and the log says why.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Self

from sluicegate.agents.deciding.decider import BatchObserver, Decider, OwnerT, load_engine
from sluicegate.agents.settings import Settings
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import DEPLOYMENT_FILE, ServedModels, is_registry, served_from
from sluicegate.models.artifacts.sampling import falls_within
from sluicegate.models.inference.judge import Judge
from sluicegate.schemas.errors import CompiledModelError

logger = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 1.0


@dataclass(frozen=True)
class LoadedModels:
    """What is to be served, and the engine of each of its folders."""

    served: ServedModels
    engines: dict[Path, Judge]


def load_models(settings: Settings) -> LoadedModels:
    """Load what is served from `settings.model`, a compiled model or a registry.

    Raises:
        CompiledModelError: a folder cannot be served.
    """
    served = served_from(settings.model)
    return LoadedModels(served, {folder: load_engine(settings, folder) for folder in _folders(served)})


@dataclass(frozen=True)
class _Running(Generic[OwnerT]):
    decider: Decider[OwnerT]
    stack: AsyncExitStack


class LiveModels(Generic[OwnerT]):
    """Chooses the decider of each event. Used on one event loop."""

    def __init__(
        self, settings: Settings, served: ServedModels, observe_batch: Callable[[str], BatchObserver[OwnerT]] | None
    ) -> None:
        self._settings = settings
        self._served = served
        self._observe_batch = observe_batch
        self._running: dict[Path, _Running[OwnerT]] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        loaded: LoadedModels,
        settings: Settings,
        observe_batch: Callable[[str], BatchObserver[OwnerT]] | None = None,
    ) -> AsyncIterator[Self]:
        """Serve `loaded`, then what the registry says; `observe_batch(model_version)` observes a model's batches."""
        live_models = cls(settings, loaded.served, observe_batch)
        for folder, engine in loaded.engines.items():
            await live_models._start(folder, engine)
        follower = asyncio.create_task(live_models._follow(), name="models") if is_registry(settings.model) else None
        try:
            yield live_models
        finally:
            if follower:
                follower.cancel()
            for task in live_models._retiring:
                task.cancel()
            await asyncio.gather(*filter(None, [follower]), *live_models._retiring, return_exceptions=True)
            for running in live_models._running.values():
                await running.stack.aclose()

    @property
    def queue_depth(self) -> int:
        """Queries that wait for an engine."""
        return sum(running.decider.queue_depth for running in self._running.values())

    def warnings(self) -> list[str]:
        """What has failed in the models in service and will be restarted, one sentence each."""
        return [warning for running in self._running.values() for warning in running.decider.warnings()]

    @property
    def in_use(self) -> Decider[OwnerT]:
        """The decider of the model in use."""
        return self._running[self._served.model].decider

    def choose(self, event_id: str) -> Decider[OwnerT]:
        """The decider of this event; ask it before anything is awaited, or it may be let go."""
        return self._candidate("canary", event_id) or self.in_use

    def shadow(self, event_id: str) -> Decider[OwnerT] | None:
        """The decider that should decide this event too, for the ledger only."""
        return self._candidate("shadow", event_id)

    def _candidate(self, mode: str, event_id: str) -> Decider[OwnerT] | None:
        served = self._served
        if served.candidate and served.mode == mode and falls_within(event_id, served.share):
            return self._running[served.candidate].decider
        return None

    async def _follow(self) -> None:
        file = self._settings.model / DEPLOYMENT_FILE
        seen: object = None
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                found = file.stat()
                if seen == (seen := (found.st_ino, found.st_mtime_ns)):
                    continue
                await self._serve(await asyncio.to_thread(served_from, self._settings.model))
            except (CompiledModelError, OSError) as error:
                logger.error("serving %s as before: %s", self.in_use.engine.manifest.model_version, error)

    async def _serve(self, served: ServedModels) -> None:
        before = {folder: running.decider for folder, running in self._running.items()}
        for folder in _folders(served):
            manifest = await asyncio.to_thread(read_manifest, folder)
            if folder not in self._running or self._running[folder].decider.engine.manifest != manifest:
                await self._start(folder, await asyncio.to_thread(load_engine, self._settings, folder))
        changed = served != self._served
        self._served = served
        for folder in set(self._running) - set(_folders(served)):
            self._retire(folder)
        if changed or before != {folder: running.decider for folder, running in self._running.items()}:
            logger.info("serving %s", self.description)

    @property
    def description(self) -> str:
        """The versions in service, in a few words."""
        served = self._served
        version = self.in_use.engine.manifest.model_version
        return f"{version}, {served.mode} {served.candidate.name} {served.share:g}" if served.candidate else version

    async def _start(self, folder: Path, engine: Judge) -> None:
        stack = AsyncExitStack()
        observe = self._observe_batch(engine.manifest.model_version) if self._observe_batch else None
        decider = await stack.enter_async_context(Decider.running(engine, self._settings, observe))
        self._retire(folder)
        self._running[folder] = _Running(decider, stack)

    def _retire(self, folder: Path) -> None:
        running = self._running.pop(folder, None)
        if running is None:
            return

        async def end() -> None:
            await running.decider.idle()
            await running.stack.aclose()

        task = asyncio.create_task(end(), name="retiring model")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


def _folders(served: ServedModels) -> list[Path]:
    return [served.model, *([served.candidate] if served.candidate else [])]
