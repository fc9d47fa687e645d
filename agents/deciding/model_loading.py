"""Loading models while the worker runs: a model that cannot be loaded is remembered, and tried again at the right time.

A refused model is tried again once its files have changed and stopped changing: a copy may have been in progress. If
they do not change, it is tried again after growing pauses, since memory may have been short.
"""

import asyncio
import ctypes
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.deciding.fingerprint import Fingerprint, fingerprint
from sluicegate.agents.settings import Settings
from sluicegate.models.artifacts.deployment import is_registry
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import check_folder_name
from sluicegate.models.inference.judge import Judge
from sluicegate.schemas.errors import SluicegateError

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 30.0
_LONGEST_PAUSE_S: Final = 1800.0


@dataclass
class _Refusal:
    """Why a model was refused, and when to try it again. `latest` are its files as they were at the last look."""

    reason: str
    files: Fingerprint
    latest: Fingerprint
    retry_at: float
    pause_s: float


class ModelLoader:
    """Loads models in a thread. Used on one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._refusals: dict[Path, _Refusal] = {}

    @property
    def refused(self) -> dict[str, str]:
        """Why the models that were refused last could not be loaded, by version."""
        return {folder.name: refusal.reason for folder, refusal in self._refusals.items()}

    def forget_all_but(self, folders: Collection[Path]) -> None:
        """Forget the refusals of all other models."""
        self._refusals = {folder: refusal for folder, refusal in self._refusals.items() if folder in folders}

    async def load(self, folder: Path) -> Judge | None:
        """The model in `folder`, or None if it cannot be loaded, or was refused and is not due yet."""
        files = await asyncio.to_thread(fingerprint, folder)
        refusal = self._refusals.get(folder)
        if refusal and not _is_due(refusal, files):
            refusal.latest = files
            return None
        loaded = await asyncio.to_thread(try_load, self._settings, folder)
        if not isinstance(loaded, str):
            self._refusals.pop(folder, None)
            return loaded
        pause_s = min(2 * refusal.pause_s, _LONGEST_PAUSE_S) if refusal else _FIRST_PAUSE_S
        self._refusals[folder] = _Refusal(loaded, files, files, time.monotonic() + pause_s, pause_s)
        return None


def load_checked(settings: Settings, folder: Path) -> Judge:
    """The model in `folder`. If the folder is in a registry, it must hold the version that it is named after.

    Raises:
        CompiledModelError: the model cannot be served.
    """
    if is_registry(settings.model):
        check_folder_name(folder, read_manifest(folder))
    return load_engine(settings, folder)


def try_load(settings: Settings, folder: Path) -> Judge | str:
    """The model in `folder`, or the reason why it cannot be loaded. A failed attempt leaves nothing in memory."""
    try:
        return load_checked(settings, folder)
    except SluicegateError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - no content of a folder, and no memory shortage, may end the follower
        reason = f"{type(error).__name__}: {error}"
    release_memory()
    return reason


def release_memory() -> None:
    """Return freed memory to the system. Blocks for some milliseconds.

    The worker has glibc keep freed memory (`agents.process.start_environment`); after a model it is too much.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # only glibc has it
        trim(0)


def _is_due(refusal: _Refusal, files: Fingerprint) -> bool:
    if files != refusal.files:
        return files == refusal.latest  # they have changed, and no longer change
    return time.monotonic() >= refusal.retry_at
