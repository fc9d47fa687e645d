"""Which versions of a registry are served: the file ``deployment.json``, for models and for policies alike.

It is replaced as a whole, so a reader sees one state or the next. Commands that change it run one at a time.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from sluicegate.models.artifacts.files import read_json_bytes, write_atomically
from sluicegate.models.artifacts.manifest import NAME_PATTERN
from sluicegate.schemas.errors import ConfigurationError, ContractError

DEPLOYMENT_FILE: Final = "deployment.json"

_LOCK_FILE: Final = ".lock"

Version: TypeAlias = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN.removesuffix(r"\Z") + r"@[0-9a-f]{12}\Z")]
"""A `model_version` or `policy_version`. The pattern keeps a path, such as ``../other``, out of the folder names."""

CandidateMode: TypeAlias = Literal["canary", "shadow"]


class Candidate(msgspec.Struct, frozen=True):
    """A version that is tried on a share of the events, always the same ones, since a time.

    `canary`: it decides them in place of the version in use. `shadow`: it decides them too, for the ledger only.
    """

    version: Version
    mode: CandidateMode
    share: Annotated[float, msgspec.Meta(gt=0, le=1)]
    since: datetime | None = None


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is served: `versions` were put in use in this order. The last one is in use, since a time."""

    versions: Annotated[tuple[Version, ...], msgspec.Meta(min_length=1)]
    candidate: Candidate | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class DeploymentFile:
    """The file of the registry in `folder`.

    `what` is served, as in "model". A broken file raises `error`, which names `command`: it makes a new registry.
    """

    folder: Path
    what: str
    command: str
    error: type[ConfigurationError]

    def read(self) -> Deployment:
        """What is served.

        Raises:
            ConfigurationError: the folder is not a registry, or its file is broken; names the field. It is an `error`.
        """
        path = self.folder / DEPLOYMENT_FILE
        try:
            return msgspec.json.decode(read_json_bytes(path), type=Deployment)
        except OSError as error:
            raise self.error(
                f"{self.folder} is not a registry: cannot read {DEPLOYMENT_FILE} ({error.strerror or error}). "
                f"Make one with `{self.command}`."
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.error(f"{path}: {error}. Correct that field.") from None

    def read_or_none(self) -> Deployment | None:
        """What is served; None if nothing was ever put in use."""
        return self.read() if (self.folder / DEPLOYMENT_FILE).exists() else None

    def put_in_use(self, version: str) -> None:
        """Put `version` in use. Ends a trial of it. Call it inside `changing`."""
        before = self.read_or_none()
        if before and before.versions[-1] == version:
            versions, since = before.versions, before.since
        else:
            versions = (*(each for each in (before.versions if before else ()) if each != version), version)
            since = _now()
        candidate = before.candidate if before else None
        if candidate and candidate.version == version:
            candidate = None
        self._write(Deployment(versions, candidate, since))

    def try_out(self, version: str, mode: CandidateMode, share: float) -> None:
        """Try `version` on a share of the events. Call it inside `changing`.

        Raises:
            ContractError: it is in use.
        """
        before = self.read()
        if version == before.versions[-1]:
            raise ContractError(f"{version} is the {self.what} in use: try another version")
        self._write(Deployment(before.versions, Candidate(version, mode, share, _now()), before.since))

    def roll_back(self, check: Callable[[str], object]) -> str:
        """End the trial. Without one, put the version before back in use, once `check` has not refused it.

        Returns the version in use. Call it inside `changing`.

        Raises:
            ContractError: there is nothing to go back to.
        """
        before = self.read()
        if before.candidate:
            self._write(Deployment(before.versions, None, before.since))
            return before.versions[-1]
        if len(before.versions) < 2:
            raise ContractError(f"{before.versions[-1]} is the only version that was ever in use")
        check(before.versions[-2])
        self._write(Deployment(before.versions[:-1], None, _now()))
        return before.versions[-2]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the registry's lock: a second command waits, here or on another machine that shares the folder."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / _LOCK_FILE).open("ab")
        except OSError as error:
            raise ConfigurationError(f"cannot write in {self.folder}: {error.strerror or error}") from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in self.folder.glob(".*.partial"):  # of a command that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            yield

    def _write(self, deployment: Deployment) -> None:
        content = msgspec.json.format(msgspec.json.encode(deployment), indent=2) + b"\n"
        write_atomically(self.folder / DEPLOYMENT_FILE, content)


def is_registry(folder: Path) -> bool:
    """Whether `folder` is a registry, in which something was put in use."""
    return (folder / DEPLOYMENT_FILE).is_file()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
