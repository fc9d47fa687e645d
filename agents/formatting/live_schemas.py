"""The schemas in service: they follow their folder while actions are formatted.

    a file changes ──► unchanged for one more look ──► the whole folder is read and checked ──► in use

A folder with a broken file changes nothing: the schemas in use stay, the log says once what is wrong, and so do the
probes until it is corrected.
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
from sluicegate.agents.formatting.schema_folder import SchemaFolder
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.schemas.errors import ConfigurationError, SchemaUnknown

logger = logging.getLogger(__name__)


class LiveSchemas:
    """Finds the schema that an action names. Used on one event loop."""

    def __init__(self, folder: Path | None) -> None:
        """Read the schemas in `folder`; None: there are none. Blocks.

        Raises:
            ConfigurationError: the folder cannot be read, or a file in it is refused.
        """
        self._folder = folder
        self._settled = SettledFiles(self._look, self._take)
        self._schemas = SchemaFolder.read(folder) if folder else SchemaFolder({})
        self._refused: str | None = None
        self._background = BackgroundTasks()

    @asynccontextmanager
    async def following(self) -> AsyncIterator[Self]:
        """Follow the folder until the end of the block."""
        if self._folder:
            self._background.start("schema follower", self._settled.follow)
        try:
            yield self
        finally:
            await self._background.stop()

    def find(self, schema_id: str, version: str | None) -> FormatSchema:
        """The schema `schema_id`, in its newest version unless `version` is given.

        Raises:
            SchemaUnknown: there is none.
        """
        if self._folder is None:
            raise SchemaUnknown("no schema has a name here: send the schema itself, or set SLUICE_FORMAT_SCHEMAS")
        return self._schemas.find(schema_id, version)

    @property
    def description(self) -> str:
        """How many there are, in a few words."""
        return f"{len(self._schemas)} schemas"

    def warnings(self) -> list[str]:
        """Why the folder is not in use as it is, one sentence each. Actions are formatted all the same."""
        return [*([f"refused the schemas: {self._refused}"] if self._refused else []), *self._background.warnings()]

    async def _take(self) -> None:
        if self._folder is None:
            return
        try:
            self._schemas = await asyncio.to_thread(SchemaFolder.read, self._folder)
        except (ConfigurationError, MemoryError) as error:
            self._refused = str(error) or type(error).__name__
            logger.error("formatting by the schemas as before: %s", self._refused)
            return
        self._refused = None
        logger.info("formatting by %s", self.description)

    def _look(self) -> dict[str, Fingerprint]:
        """The state of the folder and of the folders in it."""
        if self._folder is None:
            return {}
        folders = [self._folder, *(path for path in _entries(self._folder) if path.is_dir())]
        return {str(folder): fingerprint(folder) for folder in folders}


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
