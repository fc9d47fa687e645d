"""Fetching a stock checkpoint from the Hugging Face hub and compiling it."""

from pathlib import Path

import httpx  # the hub library's own client: its errors escape from there
from huggingface_hub import errors, snapshot_download

from sluicegate.models.artifacts.manifest import Manifest, Quantization
from sluicegate.models.compiler.compile import Progress, check_destination, compile_checkpoint
from sluicegate.schemas.errors import CheckpointError

DEFAULT_REPO = "Qwen/Qwen3-0.6B"
_FILES = (
    *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    *("*.safetensors", "model.safetensors.index.json"),
)


def pull(
    destination: Path,
    *,
    labels_version: str,
    prompt_version: str,
    repo_id: str = DEFAULT_REPO,
    revision: str = "main",
    quantization: Quantization = "int8",
    cache: Path | None = None,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Download a Qwen3 checkpoint, with the hub's own progress bars, and compile it for the zero_shot profile.

    The download goes to `cache` (the hub's usual cache by default) and is not fetched again while the hub has nothing
    new; without a network a complete earlier download is used. The manifest's revision is the commit that `revision`
    stood for. `endpoint` is the hub's address; by default the library's, HF_ENDPOINT or https://huggingface.co.

    Raises CheckpointError when the hub, the network, the disk or the checkpoint is to blame, CompiledModelError as
    `compile_checkpoint` does.
    """
    check_destination(destination)  # before a gigabyte is fetched
    where = f"{repo_id} at revision {revision!r}"
    try:
        snapshot = snapshot_download(
            repo_id, revision=revision, allow_patterns=list(_FILES), cache_dir=cache, endpoint=endpoint
        )
    # The narrowest first: most of the hub's errors are also HTTP errors and OSErrors.
    except errors.GatedRepoError as error:
        raise CheckpointError(f"{where} is gated: accept its licence on the hub and run `hf auth login`.") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{where} was not found on the hub: check the name, or run `hf auth login` if it is private."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(f"{where} was not found on the hub: check the branch, tag or commit.") from error
    except errors.LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"{where}: the hub cannot be reached and there is no earlier download: "
            "check the network, or compile a folder you have with `sluice models compile`."
        ) from error
    except (errors.HfHubHTTPError, httpx.HTTPError) as error:
        raise CheckpointError(
            f"{where}: the download broke off ({_first_line(error)}). Run it again: it continues where it stopped."
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{where} could not be downloaded: {_first_line(error)}. Check free space, permissions and the name."
        ) from error
    folder = Path(snapshot)
    return compile_checkpoint(
        folder,
        destination,
        quantization=quantization,
        profile="zero_shot",
        labels_version=labels_version,
        prompt_version=prompt_version,
        name=repo_id.rsplit("/", 1)[-1],
        origin=repo_id,
        revision=folder.name,  # the cache names a snapshot after its commit
        progress=progress,
    )


def _first_line(error: Exception) -> str:
    """The hub's messages go on for several lines."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
