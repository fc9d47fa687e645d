"""A registry of compiled models on disk: which are there, which is in use, which is tried beside it.

    registry/
      deployment.json            the order of service, exchanged whole: a reader sees the old one or the new one
      qwen3-0.6b@3f2a9c01d4e5/   compiled models, each in the folder of its `model_version`

A worker whose ``SLUICE_MODEL`` is such a folder serves the model in use and follows ``deployment.json``.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from sluicegate.models.artifacts.manifest import MANIFEST_FILE, Manifest, read_manifest, verify_weights
from sluicegate.schemas.errors import CompiledModelError, ContractError

DEPLOYMENT_FILE: Final = "deployment.json"

CandidateMode = Literal["canary", "shadow"]


class Candidate(msgspec.Struct, frozen=True):
    """A version tried on a share of the events, the same ones always.

    `canary` decides them in place of the model in use; `shadow` decides them too, for the ledger only.
    """

    version: str
    mode: CandidateMode
    share: Annotated[float, msgspec.Meta(gt=0, le=1)]


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is served: `versions` were put in use in this order, the last one is."""

    versions: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    candidate: Candidate | None = None


@dataclass(frozen=True)
class ServedModels:
    """The folders of what is served. Of a registry or, without one, of a single compiled model."""

    model: Path
    candidate: Path | None = None
    mode: CandidateMode | None = None
    share: float = 0.0


class Registry:
    """The registry in a folder. Every change is one exchange of ``deployment.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def models(self) -> list[Manifest]:
        """Every model of the registry, oldest first."""
        manifests = [read_manifest(path.parent) for path in self.folder.glob(f"*/{MANIFEST_FILE}")]
        return sorted(manifests, key=lambda manifest: manifest.created_at)

    def deployment(self) -> Deployment:
        """What is served.

        Raises:
            CompiledModelError: the folder is no registry, or its file is broken; names the field.
        """
        path = self.folder / DEPLOYMENT_FILE
        try:
            return msgspec.json.decode(path.read_bytes(), type=Deployment)
        except OSError as error:
            raise CompiledModelError(
                f"{self.folder} is not a registry: cannot read {DEPLOYMENT_FILE} ({error.strerror or error}). "
                "Make one with `sluice models use`."
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CompiledModelError(f"{path}: {error}. Correct that field.") from None

    def served(self) -> ServedModels:
        """The folders of the model in use and of the candidate."""
        deployment = self.deployment()
        candidate = deployment.candidate
        if candidate is None:
            return ServedModels(self.folder / deployment.versions[-1])
        return ServedModels(
            self.folder / deployment.versions[-1], self.folder / candidate.version, candidate.mode, candidate.share
        )

    def use(self, model: str) -> str:
        """Put `model`, a version here or a folder to copy here, in use; ends a trial of it. Returns its version.

        Raises:
            ContractError: it is neither.
            CompiledModelError: it is damaged.
        """
        version = self._admit(model)
        before = self._deployment_or_none()
        versions = before.versions if before else ()
        candidate = before.candidate if before and before.candidate and before.candidate.version != version else None
        self._write(Deployment((*(each for each in versions if each != version), version), candidate))
        return version

    def try_out(self, model: str, mode: CandidateMode, share: float) -> str:
        """Try `model`, a version here or a folder to copy here, on a share of the events. Returns its version.

        Raises:
            ContractError: it is neither, or it is the one in use.
            CompiledModelError: it is damaged, or nothing is in use yet.
        """
        versions = self.deployment().versions
        version = self._admit(model)
        if version == versions[-1]:
            raise ContractError(f"{version} is in use: try another version beside it")
        self._write(Deployment(versions, Candidate(version, mode, share)))
        return version

    def roll_back(self) -> str:
        """End the trial, or without one put the version in use before back. Returns the version in use.

        Raises:
            ContractError: there is nothing to go back to.
            CompiledModelError: the folder is no registry, or the version before is gone or damaged.
        """
        deployment = self.deployment()
        if deployment.candidate:
            self._write(Deployment(deployment.versions))
            return deployment.versions[-1]
        if len(deployment.versions) < 2:
            raise ContractError(f"{deployment.versions[-1]} is the only version ever in use: nothing to roll back to")
        version = self._admit(deployment.versions[-2])
        self._write(Deployment(deployment.versions[:-1]))
        return version

    def _admit(self, model: str) -> str:
        here = self.folder / model
        source = here if (here / MANIFEST_FILE).is_file() else Path(model)
        if not (source / MANIFEST_FILE).is_file():
            raise ContractError(
                f"{model} is neither a version of {self.folder} nor the folder of a compiled model. "
                "List the versions with `sluice models list`."
            )
        manifest = read_manifest(source)
        verify_weights(source, manifest)
        version = manifest.model_version
        if not (self.folder / version / MANIFEST_FILE).is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = self.folder / f".{version}.partial"
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(source, unfinished)
            unfinished.replace(self.folder / version)
        return version

    def _deployment_or_none(self) -> Deployment | None:
        return self.deployment() if (self.folder / DEPLOYMENT_FILE).exists() else None

    def _write(self, deployment: Deployment) -> None:
        path = self.folder / DEPLOYMENT_FILE
        unfinished = path.with_suffix(".json.partial")
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(deployment), indent=2) + b"\n")
        unfinished.replace(path)


def is_registry(folder: Path) -> bool:
    """Whether `folder` is a registry, not a compiled model."""
    return (folder / DEPLOYMENT_FILE).is_file()


def served_from(folder: Path) -> ServedModels:
    """What is served from `folder`, a registry or one compiled model.

    Raises:
        CompiledModelError: the registry's file is broken.
    """
    return Registry(folder).served() if is_registry(folder) else ServedModels(folder)
