"""Fetching a stock Qwen3 checkpoint from the Hugging Face hub and compiling it."""

import re
from pathlib import Path
from typing import Final

import httpx  # the hub library's own client: its errors escape from there
from huggingface_hub import errors, snapshot_download

from sluicegate.models.artifacts.manifest import DEFAULT_QUANTIZATION, Manifest, Quantization
from sluicegate.models.compiler.compile import check_destination, compile_checkpoint
from sluicegate.models.progress import Progress
from sluicegate.schemas.errors import CheckpointError, ConfigurationError

_SIZES: Final = ("0.6B", "1.7B", "4B", "8B", "14B", "32B")

_GUARD: Final = "Qwen3Guard-Gen-"
_GUARD_SIZES: Final = ("0.6B", "4B", "8B")

SHORT_NAMES: Final = {
    **{f"qwen3-{size.lower()}": f"Qwen/Qwen3-{size}" for size in _SIZES},
    **{f"qwen3guard-{size.lower()}": f"Qwen/{_GUARD}{size}" for size in _GUARD_SIZES},
}
"""The dense Qwen3 models, and Qwen3Guard. Mixtures of experts and models for vision or speech are built differently."""

_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_FILES: Final = (
    *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    *("*.safetensors", "model.safetensors.index.json"),
)


def hub_id_of(model: str) -> str:
    """The hub id that `model` stands for: itself, or that of a short name such as ``qwen3-0.6b``.

    Raises:
        ConfigurationError: it is neither.
    """
    if model.lower() in SHORT_NAMES:
        return SHORT_NAMES[model.lower()]
    if _HUB_ID.fullmatch(model):
        return model
    raise ConfigurationError(
        f"{model!r} is not a model: give a hub id such as Qwen/Qwen3-0.6B, or one of {', '.join(SHORT_NAMES)}"
    )


def default_folder(model: str) -> Path:
    """Where `model`, a hub id or a short name, is compiled to: a folder of that name, without the owner."""
    return Path(model.rsplit("/", 1)[-1].lower())


def pull(
    hub_id: str,
    destination: Path,
    *,
    revision: str = "main",
    quantization: Quantization = DEFAULT_QUANTIZATION,
    cache: Path | None = None,
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Download a Qwen3 checkpoint, with the hub's own progress bars, and compile it.

    The prompt style is `qwen3guard` for a Qwen3Guard-Gen, else `zero_shot`.

    The download goes to `cache` (by default the hub's usual cache) and is fetched again only if the hub has a newer
    one. Without a network, a complete earlier download is used. The manifest's revision is the commit that `revision`
    stood for. `endpoint` is the hub's address; the default is the library's: HF_ENDPOINT or https://huggingface.co.

    Raises:
        CheckpointError: the hub, the network, the disk or the checkpoint is at fault.
        CompiledModelError: as for `compile_checkpoint`.
    """
    check_destination(destination)  # before a gigabyte is fetched
    where = f"{hub_id} at revision {revision!r}"
    try:
        snapshot = snapshot_download(
            hub_id, revision=revision, allow_patterns=list(_FILES), cache_dir=cache, endpoint=endpoint
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
            f"{where}: the download was interrupted ({_first_line(error)}). Run it again to continue it."
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
        prompt_style="qwen3guard" if _GUARD in hub_id else "zero_shot",
        name=hub_id.rsplit("/", 1)[-1],
        origin=hub_id,
        revision=folder.name,  # the cache names a snapshot after its commit
        progress=progress,
    )


def _first_line(error: Exception) -> str:
    """The hub's messages have several lines."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
