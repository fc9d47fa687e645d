"""A registry of compiled models on disk: which are there, which one is in use, which one is tried.

    registry/
      deployment.json            what is served; replaced as a whole
      qwen3-0.6b@3f2a9c01d4e5/   one compiled model per folder, named by its version; never changed
      .lock                      held while a command changes the registry

A worker whose ``SLUICE_MODEL`` is such a folder serves the model in use and follows ``deployment.json``.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sluicegate.models.artifacts.deployment import CandidateMode, Deployment, DeploymentFile, is_registry
from sluicegate.models.artifacts.files import copy_folder
from sluicegate.models.artifacts.manifest import MANIFEST_FILE, Manifest
from sluicegate.models.artifacts.servable import check_servable
from sluicegate.schemas.errors import CompiledModelError, ConfigurationError, ContractError


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
        self._file = DeploymentFile(folder, "model", "sluice models use", CompiledModelError)

    def models(self) -> list[RegisteredModel]:
        """All models of the registry, oldest first. Verifies each one."""
        versions = {path.parent.name for path in self.folder.glob(f"*/{MANIFEST_FILE}") if path.parent.name[0] != "."}
        if deployment := self._file.read_or_none():
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
        return self._file.read()

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
        with self._file.changing():
            return self._copy_in(source)

    def use(self, model: str) -> str:
        """Put `model`, as for `add`, in use. Ends a trial of it. Returns its version.

        Raises:
            ContractError, CompiledModelError: as for `add`.
        """
        source = self._find(model)
        with self._file.changing():
            version = self._copy_in(source)
            self._file.put_in_use(version)
        return version

    def try_out(self, model: str, mode: CandidateMode, share: float) -> str:
        """Try `model`, as for `add`, on a share of the events. Returns its version.

        Raises:
            ContractError: as for `add`, or it is the model in use.
            CompiledModelError: as for `add`, or nothing is in use yet.
        """
        self.deployment()
        source = self._find(model)
        with self._file.changing():
            version = self._copy_in(source)
            self._file.try_out(version, mode, share)
        return version

    def roll_back(self) -> str:
        """End the trial. Without a trial, put the version that was in use before back in use. Returns the one in use.

        Raises:
            ContractError: there is nothing to go back to.
            CompiledModelError: the folder is not a registry, or the earlier version is missing or damaged.
        """
        self.deployment()
        with self._file.changing():
            return self._file.roll_back(self.check)

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
