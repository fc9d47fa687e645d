"""Whether this version of Sluicegate can serve a compiled model, without loading it."""

from pathlib import Path

from sluicegate.models.artifacts.manifest import Manifest, read_manifest, verify_files
from sluicegate.models.inference.labels import LABELS_VERSION
from sluicegate.models.inference.prompts import PROMPT_VERSIONS
from sluicegate.schemas.errors import CompiledModelError


def check_servable(folder: Path) -> Manifest:
    """The manifest of the model in `folder`, once its files and versions are checked.

    Raises:
        CompiledModelError: a file is missing or changed, or the model was compiled for other labels or prompts.
    """
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    supported = (LABELS_VERSION, PROMPT_VERSIONS[manifest.prompt_style])
    if (manifest.labels_version, manifest.prompt_version) != supported:
        raise CompiledModelError(
            f"{folder} was compiled for labels {manifest.labels_version} and prompt {manifest.prompt_version}. "
            f"This version of Sluicegate supports {' and '.join(supported)}. Compile the model again."
        )
    return manifest
