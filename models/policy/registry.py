"""A registry of policies on disk: which are there, which one is in use, which one is tried in shadow.

    policies/
      deployment.json            what is served, see `models.artifacts.deployment`
      toy-shop@3f2a9c01d4e5/     one policy per folder, named by its version: policy.toml and its lists; never changed

It is kept as the registry of models is, and a worker whose ``SLUICE_POLICY`` is such a folder follows it in the same
way.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sluicegate.models.artifacts.deployment import Deployment, DeploymentFile
from sluicegate.models.artifacts.files import write_atomically
from sluicegate.models.policy.policy_file import PolicyFile, files_of_policy, read_policy
from sluicegate.schemas.errors import ConfigurationError, ContractError, PolicyFileError

POLICY_FILE: Final = "policy.toml"


@dataclass(frozen=True)
class RegisteredPolicy:
    """A version of a registry. `problem` says why it cannot be served; then there is no file."""

    version: str
    file: PolicyFile | None
    problem: str | None = None


class PolicyRegistry:
    """The registry in a folder. Commands that change it run one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = DeploymentFile(folder, "policy", "sluice policy use", PolicyFileError)

    def deployment(self) -> Deployment:
        """What is served.

        Raises:
            PolicyFileError: the folder is not a registry, or its file is broken; names the field.
        """
        return self._file.read()

    def policies(self) -> list[RegisteredPolicy]:
        """All policies of the registry, by version."""
        versions = {path.parent.name for path in self.folder.glob(f"*/{POLICY_FILE}") if path.parent.name[0] != "."}
        deployment = self.deployment()
        versions |= {*deployment.versions, *([deployment.candidate.version] if deployment.candidate else [])}
        found = []
        for version in sorted(versions):
            try:
                found.append(RegisteredPolicy(version, self.read(version)))
            except PolicyFileError as error:
                found.append(RegisteredPolicy(version, None, str(error)))
        return found

    def read(self, version: str) -> PolicyFile:
        """The policy of a version, which must be the one that its folder is named after.

        Raises:
            PolicyFileError: it is missing, broken or changed.
        """
        path = self.folder / version / POLICY_FILE
        policy = read_policy(path)
        if policy.version != version:
            raise PolicyFileError(
                f"{path} or a list of it was changed: the policy is now {policy.version}. A version in a registry "
                "never changes. Undo the change; then copy the folder, change the copy, and use the copy."
            )
        return policy

    def use(self, policy: str) -> str:
        """Put `policy` in use, a policy file or a version that is in the registry. Ends a trial of it.

        Returns its version.

        Raises:
            ContractError: it is neither.
            PolicyFileError: it, or the registry's copy of it, is broken.
        """
        source = self._find(policy)
        with self._file.changing():
            version = self._copy_in(source)
            self._file.put_in_use(version)
        return version

    def try_out(self, policy: str, share: float) -> str:
        """Let `policy`, as for `use`, decide a share of the events too, for the ledger only. Returns its version.

        Raises:
            ContractError: as for `use`, or it is the policy in use.
            PolicyFileError: as for `use`, or nothing is in use yet.
        """
        self.deployment()
        source = self._find(policy)
        with self._file.changing():
            version = self._copy_in(source)
            self._file.try_out(version, "shadow", share)
        return version

    def roll_back(self) -> str:
        """End the trial. Without a trial, put the version that was in use before back in use. Returns the one in use.

        Raises:
            ContractError: there is nothing to go back to.
            PolicyFileError: the folder is not a registry, or the earlier version is missing or broken.
        """
        self.deployment()
        with self._file.changing():
            return self._file.roll_back(self.read)

    def _find(self, policy: str) -> Path:
        """The policy file of a version here, else the one at a path."""
        here = self.folder / policy / POLICY_FILE
        if here.parent.parent == self.folder and here.is_file():
            self.read(policy)
            return here
        if not Path(policy).is_file():
            raise ContractError(
                f"{policy} is neither a version in {self.folder} nor a policy file. "
                "List the versions with `sluice policy list`."
            )
        return Path(policy)

    def _copy_in(self, source: Path) -> str:
        """Copy the policy file at `source` and its lists here, unless they are here. Check what is here."""
        version = read_policy(source).version
        folder = self.folder / version
        if not folder.exists():
            unfinished = self.folder / f".{version}.partial"
            try:
                unfinished.mkdir()
                for path in files_of_policy(source):
                    name = POLICY_FILE if path == source else path.name
                    write_atomically(unfinished / name, path.read_bytes())
                unfinished.rename(folder)
            except OSError as error:
                raise ConfigurationError(f"cannot copy {source} to {folder}: {error.strerror or error}") from None
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        try:
            self.read(version)
        except PolicyFileError:
            if version not in self._served_versions():
                shutil.rmtree(folder, ignore_errors=True)  # the source changed while it was copied
            raise
        return version

    def _served_versions(self) -> set[str]:
        deployment = self._file.read_or_none()
        if deployment is None:
            return set()
        return {*deployment.versions, *([deployment.candidate.version] if deployment.candidate else [])}
