"""What ``--apply`` does: a new version of a model, with the temperature and the policy that rows chose."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sluicegate.models.artifacts.deployment import is_registry
from sluicegate.models.artifacts.files import copy_folder
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import Registry, served_from
from sluicegate.models.artifacts.revision import copy_with_policy
from sluicegate.models.evaluation.policy_outcome import PolicyOutcome
from sluicegate.schemas.errors import ConfigurationError


def apply_policy(model: Path, chosen: PolicyOutcome, temperature: float, out: Path | None) -> str:
    """Make a new version of `model`, a folder or a registry, with the thresholds of `chosen`. Returns what was made.

    The new version is a folder: `out`, else in the registry that the model is in, else one named by the version here.

    Raises:
        ConfigurationError: the new folder cannot be written.
    """
    folder = served_from(model).model
    before = read_manifest(folder).model_version
    with TemporaryDirectory(prefix="sluicegate-") as temporary:
        staged = Path(temporary) / "model"
        version = copy_with_policy(folder, staged, temperature, chosen.thresholds, chosen.sum_bound).model_version
        if version == before:
            return f"{version} has this temperature and these thresholds already"
        if out is None and is_registry(folder.parent):
            Registry(folder.parent).add(str(staged))
            return f"{version} is in {folder.parent}, not in use: try it with `sluice models canary {version}`"
        destination = out or Path(version)
        if destination.exists():
            raise ConfigurationError(f"{destination} exists: choose another folder with --out")
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            copy_folder(staged, destination)
        except OSError as error:
            raise ConfigurationError(f"cannot write {destination}: {error.strerror or error}") from None
        return f"{version} is in {destination}: put it in use with `sluice models use {destination}`"
