"""A registry of compiled models on disk: which are there, which one is in use, which one is tried.

    registry/
      deployment.json            what is served; replaced as a whole
      qwen3-0.6b@3f2a9c01d4e5/   one compiled model per folder, named by its version; never changed
      .lock                      held while a command changes the registry

A worker whose ``SLUICE_MODEL`` is such a folder serves the model in use and follows ``deployment.json``.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from sluicegate.models.artifacts.files import copy_folder, read_json_bytes, write_atomically
from sluicegate.models.artifacts.manifest import MANIFEST_FILE, NAME_PATTERN, Manifest
from sluicegate.models.artifacts.servable import check_servable
from sluicegate.schemas.errors import CompiledModelError, ConfigurationError, ContractError

DEPLOYMENT_FILE: Final = "deployment.json"

_LOCK_FILE: Final = ".lock"

Version: TypeAlias = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN.removesuffix(r"\Z") + r"@[0-9a-f]{12}\Z")]
"""A `model_version`. The pattern keeps a path, such as ``../other``, out of the registry's folder names."""

CandidateMode: TypeAlias = Literal["canary", "shadow"]


class Candidate(msgspec.Struct, frozen=True):
    """A version that is tried on a share of the events, always the same ones, since a time.

    `canary`: it decides them in place of the model in use. `shadow`: it decides them too, for the ledger only.
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
class ServedModels:
    """The folders of what is served, from a registry or, without one, from a single compiled model."""

    model: Path
    candidate: Path | None = None
    mode: CandidateMode | None = None
    share: float = 0.0

    @property
    def folders(self) -> list[Path]:
        """The folders of the models that must be loaded."""
        return [self.model, self.candidate] if self.candidate else [self.model]


@dataclass(frozen=True)
class RegisteredModel:
    """A version of a registry. `problem` says why it cannot be served; then there may be no manifest."""

    version: str
    manifest: Manifest | None
    problem: str | None = None


class Registry:
    """The registry in a folder. Commands that change it run one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def models(self) -> list[RegisteredModel]:
        """All models of the registry, oldest first. Verifies each one."""
        versions = {path.parent.name for path in self.folder.glob(f"*/{MANIFEST_FILE}") if path.parent.name[0] != "."}
        if deployment := self._deployment_or_none():
            versions |= {*deployment.versions, *([deployment.candidate.version] if deployment.candidate else [])}
        found = []
        for version in sorted(versions):
            try:
                found.append(RegisteredModel(version, self.check(version)))
            except CompiledModelError as error:
                found.append(RegisteredModel(version, None, str(error)))
        oldest = datetime.min.replace(tzinfo=UTC)
        return sorted(found, key=lambda model: model.manifest.created_at if model.manifest else oldest)

    def check(self, version: str) -> Manifest:
        """The manifest of a version, once the version is known to be servable and unchanged.

        Raises:
            CompiledModelError: it is missing, damaged or changed.
        """
        manifest = check_servable(self.folder / version)
        check_folder_name(self.folder / version, manifest)
        return manifest

    def deployment(self) -> Deployment:
        """What is served.

        Raises:
            CompiledModelError: the folder is not a registry, or its file is broken; names the field.
        """
        path = self.folder / DEPLOYMENT_FILE
        try:
            return msgspec.json.decode(read_json_bytes(path), type=Deployment)
        except OSError as error:
            raise CompiledModelError(
                f"{self.folder} is not a registry: cannot read {DEPLOYMENT_FILE} ({error.strerror or error}). "
                "Make one with `sluice models use`."
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CompiledModelError(f"{path}: {error}. Correct that field.") from None

    def served(self) -> ServedModels:
        """The folders of the model in use and of the candidate.

        Raises:
            CompiledModelError: as `deployment`.
        """
        deployment = self.deployment()
        model, candidate = self.folder / deployment.versions[-1], deployment.candidate
        if candidate is None:
            return ServedModels(model)
        return ServedModels(model, self.folder / candidate.version, candidate.mode, candidate.share)

    def add(self, model: str) -> str:
        """Copy `model`, the folder of a compiled model, into the registry, and return its version.

        `model` may also be a version that is in the registry: then it is only checked.

        Raises:
            ContractError: it is neither.
            CompiledModelError: it, or the registry's copy of it, is damaged.
        """
        source = self._find(model)
        with self._changing():
            return self._copy_in(source)

    def use(self, model: str) -> str:
        """Put `model`, as for `add`, in use. Ends a trial of it. Returns its version.

        Raises:
            ContractError, CompiledModelError: as for `add`.
        """
        source = self._find(model)
        with self._changing():
            version = self._copy_in(source)
            before = self._deployment_or_none()
            if before and before.versions[-1] == version:
                versions, since = before.versions, before.since
            else:
                versions = (*(each for each in (before.versions if before else ()) if each != version), version)
                since = _now()
            candidate = before.candidate if before else None
            if candidate and candidate.version == version:
                candidate = None
            self._write(Deployment(versions, candidate, since))
        return version

    def try_out(self, model: str, mode: CandidateMode, share: float) -> str:
        """Try `model`, as for `add`, on a share of the events. Returns its version.

        Raises:
            ContractError: as for `add`, or it is the model in use.
            CompiledModelError: as for `add`, or nothing is in use yet.
        """
        self.deployment()
        source = self._find(model)
        with self._changing():
            before = self.deployment()
            version = self._copy_in(source)
            if version == before.versions[-1]:
                raise ContractError(f"{version} is the model in use: try another version")
            self._write(Deployment(before.versions, Candidate(version, mode, share, _now()), before.since))
        return version

    def roll_back(self) -> str:
        """End the trial. Without a trial, put the version that was in use before back in use. Returns the one in use.

        Raises:
            ContractError: there is nothing to go back to.
            CompiledModelError: the folder is not a registry, or the earlier version is missing or damaged.
        """
        self.deployment()
        with self._changing():
            before = self.deployment()
            if before.candidate:
                self._write(Deployment(before.versions, None, before.since))
                return before.versions[-1]
            if len(before.versions) < 2:
                raise ContractError(f"{before.versions[-1]} is the only version that was ever in use")
            self.check(before.versions[-2])
            self._write(Deployment(before.versions[:-1], None, _now()))
            return before.versions[-2]

    def _find(self, model: str) -> Path:
        """The folder of `model`, checked: of a version of this registry, else a folder elsewhere."""
        here = self.folder / model
        if here.parent == self.folder and here.is_dir():
            self.check(model)
            return here
        if not (Path(model) / MANIFEST_FILE).is_file():
            raise ContractError(
                f"{model} is neither a version in {self.folder} nor the folder of a compiled model. "
                "List the versions with `sluice models list`."
            )
        check_servable(Path(model))
        return Path(model)

    def _copy_in(self, source: Path) -> str:
        """Copy the model in `source` here, unless it is here. Either way, check what is here."""
        version = check_servable(source).model_version
        folder = self.folder / version
        if not folder.exists():
            try:
                copy_folder(source, folder)
                self.check(version)
            except CompiledModelError:
                shutil.rmtree(folder, ignore_errors=True)  # the source changed while it was copied
                raise
            except OSError as error:
                raise ConfigurationError(f"cannot copy {source} to {folder}: {error.strerror or error}") from None
        else:
            self.check(version)
        return version

    def _deployment_or_none(self) -> Deployment | None:
        return self.deployment() if (self.folder / DEPLOYMENT_FILE).exists() else None

    def _write(self, deployment: Deployment) -> None:
        content = msgspec.json.format(msgspec.json.encode(deployment), indent=2) + b"\n"
        write_atomically(self.folder / DEPLOYMENT_FILE, content)

    @contextmanager
    def _changing(self) -> Iterator[None]:
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


def is_registry(folder: Path) -> bool:
    """Whether `folder` is a registry, not a compiled model."""
    return (folder / DEPLOYMENT_FILE).is_file()


def served_from(folder: Path) -> ServedModels:
    """What is served from `folder`, a registry or one compiled model.

    Raises:
        CompiledModelError: the registry's file is broken.
    """
    return Registry(folder).served() if is_registry(folder) else ServedModels(folder)


def check_folder_name(folder: Path, manifest: Manifest) -> None:
    """Check that a folder of a registry still holds the version that it is named after.

    Raises:
        CompiledModelError: its manifest was changed.
    """
    if manifest.model_version != folder.name:
        raise CompiledModelError(
            f"{folder / MANIFEST_FILE} was changed: the model is now {manifest.model_version}. A version in a registry "
            "never changes. Undo the change; then copy the folder, change the copy, and use the copy."
        )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
