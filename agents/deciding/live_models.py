"""The models in service: the one in use and, in a trial, a candidate. Both are exchanged while events are in flight.

The second model, where there is one, has the same: a registry of its own, followed on its own.

    deployment.json ──► load in a thread ──► swap ──► the old model ends its decisions ──► free its memory

A model that cannot be loaded changes nothing: the one in use keeps deciding, and the log and the probes say why. The
model in use and the candidate do not depend on each other: a broken candidate does not affect the model in use.
"""

import asyncio
import logging
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Generic, Protocol, Self, TypeVar

from sluicegate.agents.background import BackgroundTasks
from sluicegate.agents.deciding.decider import BatchObserver, Decider, OwnerT
from sluicegate.agents.deciding.fingerprint import Fingerprint, fingerprint
from sluicegate.agents.deciding.live_policies import LivePolicies
from sluicegate.agents.deciding.model_loading import (
    ModelLoader,
    load_checked,
    release_memory,
    try_load,
)
from sluicegate.agents.deciding.second_model import SecondModel
from sluicegate.agents.settings import Settings
from sluicegate.models.artifacts.deployment import DEPLOYMENT_FILE, is_registry
from sluicegate.models.artifacts.registry import Registry, ServedModels, served_from
from sluicegate.models.artifacts.sampling import falls_within
from sluicegate.models.inference.judge import Judge
from sluicegate.schemas.errors import CompiledModelError

logger = logging.getLogger(__name__)

_OwnerT = TypeVar("_OwnerT", contravariant=True)


class BatchObservers(Protocol[_OwnerT]):
    """Makes the observer of a model's batches."""

    def __call__(self, model: str, *, second: bool = False) -> BatchObserver[_OwnerT]:
        """The observer for the version `model`, which serves as the `second` model or not."""


_LOOK_EVERY_S: Final = 1.0
_FREED_WITHIN_S: Final = 60


@dataclass(frozen=True)
class LoadedModels:
    """What is to be served, and the engine of each folder that could be loaded: of the model in use at least.

    `policies` are what the settings name, where that is None.
    """

    served: ServedModels
    engines: dict[Path, Judge]
    policies: LivePolicies | None = None
    second: "LoadedModels | None" = None
    """The second model, and a candidate for its place."""


def load_models(settings: Settings) -> LoadedModels:
    """Load what is served from `settings.model`, a compiled model or a registry, and the second model if there is one.

    A candidate that cannot be loaded is logged and left out. The policies are loaded first: that is quick.

    Raises:
        PolicyFileError: the policy file is missing or wrong.
        CompiledModelError: a model in use cannot be served.
    """
    policies = LivePolicies.load(settings)
    served = served_from(settings.model)
    engines = {served.model: load_checked(settings, served.model)}
    if served.candidate:
        candidate = try_load(settings, served.candidate)
        if isinstance(candidate, str):
            logger.error("cannot load the candidate %s, serving without it: %s", served.candidate.name, candidate)
        else:
            engines[served.candidate] = candidate
    return LoadedModels(served, engines, policies, _load_second(settings))


def _load_second(settings: Settings) -> LoadedModels | None:
    of_second = settings.of_second_model
    try:
        return load_models(of_second) if of_second else None
    except CompiledModelError as error:
        raise CompiledModelError(f"SLUICE_SECOND_MODEL: {error}") from None


@dataclass(frozen=True)
class _Running(Generic[OwnerT]):
    decider: Decider[OwnerT]
    stack: AsyncExitStack


class LiveModels(Generic[OwnerT]):
    """Chooses the decider of each event. Used on one event loop."""

    def __init__(
        self,
        settings: Settings,
        served: ServedModels,
        policies: LivePolicies,
        observe_batch: Callable[[str], BatchObserver[OwnerT]] | None,
        second: "LiveModels[OwnerT] | None" = None,
    ) -> None:
        self.second = SecondModel(second.choose, second.shadow, settings) if second else None
        """Asks the second model; None if there is none."""
        self.second_models = second
        """The second model in service, and the candidate for its place."""
        self.policies = policies
        self._registry = Registry(settings.model)
        self._settings = settings
        self._wanted = served
        self._served = ServedModels(served.model)
        self._observe_batch = observe_batch
        self._loader = ModelLoader(settings)
        self._running: dict[Path, _Running[OwnerT]] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._background = BackgroundTasks()
        self._deployment: Fingerprint | None = None
        self._broken_deployment: str | None = None

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        loaded: LoadedModels,
        settings: Settings,
        observe_batch: BatchObservers[OwnerT] | None = None,
    ) -> AsyncIterator[Self]:
        """Serve `loaded`, then what the registries say. `observe_batch(model_version)` observes a model's batches.

        The end of the block waits for the decisions that are under way.

        Takes the engines out of `loaded`, so that nothing else keeps a model in memory that is no longer served.
        """
        policies = loaded.policies or LivePolicies.load(settings)
        async with AsyncExitStack() as stack:
            second, of_second = None, settings.of_second_model
            if loaded.second and of_second:
                observe = partial(observe_batch, second=True) if observe_batch else None
                second = await stack.enter_async_context(LiveModels.running(loaded.second, of_second, observe))
            live_models = cls(settings, loaded.served, policies, observe_batch, second)
            yield await stack.enter_async_context(live_models._serving(loaded))

    @asynccontextmanager
    async def _serving(self, loaded: LoadedModels) -> AsyncIterator[Self]:
        while loaded.engines:
            await self._start(*loaded.engines.popitem())
        self._swap()
        if is_registry(self._settings.model):
            self._background.start("model follower", self._follow)
        try:
            async with self.policies.following():
                yield self
        finally:
            await self._background.stop()
            for task in self._retiring:
                task.cancel()
            await asyncio.gather(*self._retiring, return_exceptions=True)
            for running in self._running.values():
                await _stop(running)

    @property
    def queue_depth(self) -> int:
        """Queries that wait for an engine of the first model."""
        return sum(running.decider.queue_depth for running in self._running.values())

    @property
    def busy_s(self) -> float:
        """For how long the longest of the engines' present calls has run; 0 without one."""
        return max((running.decider.busy_s for running in self._running.values()), default=0.0)

    def warnings(self) -> list[str]:
        """What has failed in the models in service and will be restarted, one sentence each; not the second model."""
        return [warning for running in self._running.values() for warning in running.decider.warnings()]

    @property
    def in_use(self) -> Decider[OwnerT]:
        """The decider of the model in use."""
        return self._running[self._served.model].decider

    @property
    def folder_in_use(self) -> Path:
        """The folder of the model in use."""
        return self._served.model

    def choose(self, event_id: str) -> Decider[OwnerT]:
        """The decider of this event. Ask it before anything is awaited, or it may be stopped."""
        return self._candidate("canary", event_id) or self.in_use

    def shadow(self, event_id: str) -> Decider[OwnerT] | None:
        """The decider that should decide this event too, for the ledger only."""
        return self._candidate("shadow", event_id)

    @property
    def description(self) -> str:
        """The versions in service, and what could not be put in service, in a few words."""
        served = self._served
        version = self.in_use.engine.manifest.model_version
        trial = [f"{served.mode} {served.candidate.name} {served.share:g}"] if served.candidate else []
        return "; ".join([", ".join([version, *trial]), *self._own_problems(), *self._of_second()])

    def problems(self) -> list[str]:
        """Why the registries' wishes are not all fulfilled, one sentence each. Events are decided all the same."""
        return [*self._own_problems(), *self._problems_of_second()]

    def _of_second(self) -> list[str]:
        if self.second_models is None:
            return []
        return [f"second model {self.second_models.description}", *(self.second.warnings() if self.second else ())]

    def _problems_of_second(self) -> list[str]:
        if self.second_models is None or self.second is None:
            return []
        found = [*self.second_models.problems(), *self.second_models.warnings()]
        return [*(f"second model: {each}" for each in found), *self.second.warnings()]

    def _own_problems(self) -> list[str]:
        return [
            *([self._broken_deployment] if self._broken_deployment else []),
            *(f"refused {version}: {reason}" for version, reason in self._loader.refused.items()),
            *self._background.warnings(),
        ]

    def _candidate(self, mode: str, event_id: str) -> Decider[OwnerT] | None:
        served = self._served
        if served.candidate and served.mode == mode and falls_within(event_id, served.share):
            return self._running[served.candidate].decider
        return None

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self._read_deployment()
            for folder in self._wanted.folders:
                if folder not in self._running:
                    await self._load(folder)
            self._swap()

    async def _read_deployment(self) -> None:
        """Read what is wanted, if its file has changed. A broken file leaves what was wanted before."""
        found = await asyncio.to_thread(fingerprint, self._registry.folder / DEPLOYMENT_FILE)
        if found == self._deployment:
            return
        self._deployment = found
        try:
            self._wanted = await asyncio.to_thread(self._registry.served)
            self._broken_deployment = None
            self._loader.forget_all_but(self._wanted.folders)
        except (CompiledModelError, OSError, MemoryError) as error:
            if isinstance(error, MemoryError):
                self._deployment = None  # the file is not at fault: read it again
            reason = str(error) or type(error).__name__
            if reason != self._broken_deployment:
                self._log_as_before(reason)
            self._broken_deployment = reason

    async def _load(self, folder: Path) -> None:
        refused_before = self._loader.refused.get(folder.name)
        engine = await self._loader.load(folder)
        if engine is not None:
            await self._start(folder, engine)
            self._swap()  # frees the old model before the next one is loaded
        elif (reason := self._loader.refused.get(folder.name)) and reason != refused_before:
            self._log_as_before(f"cannot load {folder.name}: {reason}")

    def _log_as_before(self, reason: str) -> None:
        logger.error("serving %s as before: %s", self.in_use.engine.manifest.model_version, reason)

    def _swap(self) -> None:
        """Serve what is wanted as far as it is loaded, and stop what is not served any more."""
        wanted = self._wanted
        model = wanted.model if wanted.model in self._running else self._served.model
        served = ServedModels(model)
        if wanted.candidate and wanted.candidate in self._running and wanted.candidate != model:
            served = ServedModels(model, wanted.candidate, wanted.mode, wanted.share)
        if served == self._served:
            return
        self._served = served
        for folder in self._running.keys() - set(served.folders):
            self._retire(self._running.pop(folder))
        logger.info("serving %s", self.description)

    async def _start(self, folder: Path, engine: Judge) -> None:
        stack = AsyncExitStack()
        observe = self._observe_batch(engine.manifest.model_version) if self._observe_batch else None
        decider = await stack.enter_async_context(
            Decider.running(engine, self._settings, observe, self.policies, self.second)
        )
        self._running[folder] = _Running(decider, stack)

    def _retire(self, running: _Running[OwnerT]) -> None:
        task = asyncio.create_task(_stop_and_free([running]), name="retiring model")
        self._retiring.add(task)
        task.add_done_callback(self._retired)

    def _retired(self, task: asyncio.Task[None]) -> None:
        self._retiring.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a model that is no longer served could not be stopped: %s: %s", type(error).__name__, error)


async def _stop_and_free(running: list[_Running[OwnerT]]) -> None:
    """Let the one model in `running` end its decisions, stop it, and give its memory back to the system."""
    engine = weakref.ref(running[0].decider.engine)
    await _stop(running.pop())
    for _ in range(_FREED_WITHIN_S):
        if engine() is None:
            break
        await asyncio.sleep(1)  # an event that it decided is still being published
    await asyncio.to_thread(release_memory)


async def _stop(running: _Running[OwnerT]) -> None:
    try:
        await running.decider.idle()
    finally:
        await running.stack.aclose()
