"""The policies in service: they follow their files while events are decided.

    policy.toml changes ──► unchanged for one more look ──► read and checked whole ──► in use

A broken file changes nothing: the policy in use stays, the log says once what is wrong, and so do the probes until it
is corrected. An event keeps the policy that it began with.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from sluicegate.agents.background import BackgroundTasks
from sluicegate.agents.deciding.fingerprint import Fingerprint, fingerprint
from sluicegate.agents.deciding.settled_files import SettledFiles
from sluicegate.agents.settings import Settings
from sluicegate.models.artifacts.sampling import falls_within
from sluicegate.models.policy.compiled import CompiledPolicy
from sluicegate.models.policy.serving import ServedPolicies, files_that_decide, policies_from
from sluicegate.schemas.errors import PolicyFileError

logger = logging.getLogger(__name__)


class LivePolicies:
    """Chooses the policy of each event. Used on one event loop."""

    def __init__(self, path: Path | None) -> None:
        """Load the policies in `path`, see `load`."""
        self._path = path
        self._files: list[Path] = []
        self._first: Fingerprint | None = None
        self._settled = SettledFiles(self._look, self._take)
        self._served: ServedPolicies = policies_from(path)
        self._refused: str | None = None
        self._background = BackgroundTasks()

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """The policies that `settings` name. Blocks.

        Raises:
            PolicyFileError: a file is missing or wrong.
        """
        return cls(settings.policy)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[Self]:
        """Follow the files until the end of the block."""
        if self._path:
            self._background.start("policy follower", self._settled.follow)
        try:
            yield self
        finally:
            await self._background.stop()

    @property
    def in_use(self) -> CompiledPolicy:
        """The policy that decides."""
        return self._served.in_use

    def shadow(self, event_id: str) -> CompiledPolicy | None:
        """The policy that should decide this event too, for the ledger only."""
        served = self._served
        return served.shadow if served.shadow and falls_within(event_id, served.share) else None

    @property
    def description(self) -> str | None:
        """The versions in service, in a few words; None without a policy file."""
        files = [self._served.in_use.file, self._served.shadow.file if self._served.shadow else None]
        names = [f"{'shadow ' if place else ''}{file.version}" for place, file in enumerate(files) if file]
        return ", ".join(names) or None

    def warnings(self) -> list[str]:
        """Why the files are not in use as they are, one sentence each. Events are decided all the same."""
        return [*([f"refused the policy: {self._refused}"] if self._refused else []), *self._background.warnings()]

    async def _take(self) -> None:
        before = self.description
        try:
            self._served = await asyncio.to_thread(policies_from, self._path)
        except (PolicyFileError, MemoryError) as error:
            self._refused = str(error) or type(error).__name__
            logger.error("deciding by the policy %s as before: %s", before, self._refused)
            return
        self._refused = None
        if self.description != before:
            logger.info("deciding by the policy %s", self.description)

    def _look(self) -> dict[Path, Fingerprint]:
        """The state of every file that decides. The policy file is only read again once it has changed."""
        if self._path is None:
            return {}
        first = fingerprint(self._path)
        if first != self._first:
            self._first, self._files = first, files_that_decide(self._path)
        return {path: fingerprint(path) for path in self._files}
