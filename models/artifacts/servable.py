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
    prompt_version = PROMPT_VERSIONS[manifest.prompt_style]
    if manifest.prompt_style == "adapted" and manifest.prompt_version != prompt_version:
        raise CompiledModelError(f"{folder} {outdated(manifest.prompt_version, prompt_version)}")
    supported = (LABELS_VERSION, prompt_version)
    if (manifest.labels_version, manifest.prompt_version) != supported:
        raise CompiledModelError(
            f"{folder} was compiled for labels {manifest.labels_version} and prompt {manifest.prompt_version}. "
            f"This version of Sluicegate supports {' and '.join(supported)}. Compile the model again."
        )
    return manifest


def outdated(trained_for: str, needed: str) -> str:
    """What is wrong with a model or an adapter that was trained for a prompt that is not asked any more."""
    return f"was trained for {trained_for}; this version needs {needed}: fine-tune again with `sluice learn lora`."
