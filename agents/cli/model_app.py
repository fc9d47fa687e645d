"""``sluice models``: its commands, thin as those of `agents.cli.app`."""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.models.artifacts.manifest import PromptStyleName, Quantization

models = typer.Typer(no_args_is_help=True, help="Compiled models: fetch, compile, look at, put in service.")

Model = Annotated[str, typer.Argument(help="A version of the registry, or the folder of a model to copy into it.")]
Share = Annotated[float, typer.Option("--share", min=0.0001, max=1.0, help="Share of the events, keyed by event_id.")]
RegistryFolder = Annotated[
    Path | None, typer.Option("--registry", help="Folder of the registry; `use` makes it. Else SLUICE_MODEL.")
]


@models.command("pull")
def models_pull(
    destination: Annotated[Path, typer.Argument(help="Folder for the compiled model.")],
    repo: Annotated[str, typer.Option(help="Hub repository of a Qwen3 checkpoint.")] = "Qwen/Qwen3-0.6B",
    revision: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "main",
    quantization: Annotated[Quantization, typer.Option(help="Type of the compiled weights.")] = "int8_float32",
) -> None:
    """Fetch a Qwen3 checkpoint from the hub, compile it and verify it."""
    from sluicegate.agents.cli.model_commands import describe, pull_with_progress

    describe(pull_with_progress(destination, repo, revision, quantization), destination)


@models.command("compile")
def models_compile(
    source: Annotated[Path, typer.Argument(help="Folder of a Hugging Face Qwen3 checkpoint.")],
    destination: Annotated[Path, typer.Argument(help="Folder for the compiled model.")],
    quantization: Annotated[Quantization, typer.Option(help="Type of the compiled weights.")] = "int8_float32",
    profile: Annotated[
        PromptStyleName | None,
        typer.Option(help="How the model is asked; else as its adapter learnt it, or zero_shot."),
    ] = None,
    adapter: Annotated[Path | None, typer.Option(help="Folder of a PEFT LoRA adapter to merge.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; else the source folder's.")] = None,
) -> None:
    """Compile a checkpoint to CTranslate2, without torch; replaces a compiled model at the destination, at the end."""
    from sluicegate.agents.cli.model_commands import compile_with_progress, describe

    manifest = compile_with_progress(source, destination, quantization, profile, adapter, name)
    describe(manifest, destination)


@models.command("info")
def models_info(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a compiled model; else SLUICE_MODEL.")] = None,
) -> None:
    """Show a compiled model's manifest, after checking its weights against it."""
    from sluicegate.agents.cli.model_commands import describe
    from sluicegate.agents.settings import load_settings
    from sluicegate.models.artifacts.manifest import read_manifest, verify_weights
    from sluicegate.models.artifacts.registry import served_from

    folder = folder or served_from(load_settings().model).model
    manifest = read_manifest(folder)
    verify_weights(folder, manifest)
    describe(manifest, folder)


@models.command("list")
def models_list(registry: RegistryFolder = None) -> None:
    """List the models of a registry, and which of them is in use or on trial."""
    from sluicegate.agents.cli.model_commands import list_models, registry_at

    list_models(registry_at(registry))


@models.command("use")
def models_use(model: Model, registry: RegistryFolder = None) -> None:
    """Put a model in use: running workers exchange it within seconds and lose nothing. Ends a trial of it."""
    from sluicegate.agents.cli.model_commands import list_models, registry_at

    found = registry_at(registry)
    found.use(model)
    list_models(found)


@models.command("canary")
def models_canary(model: Model, share: Share, registry: RegistryFolder = None) -> None:
    """Let a model decide a share of the events, the same ones always, in place of the one in use."""
    from sluicegate.agents.cli.model_commands import list_models, registry_at

    found = registry_at(registry)
    found.try_out(model, "canary", share)
    list_models(found)


@models.command("shadow")
def models_shadow(model: Model, share: Share, registry: RegistryFolder = None) -> None:
    """Let a model decide a share of the events too, for the ledger only; `sluice eval shadow` compares."""
    from sluicegate.agents.cli.model_commands import list_models, registry_at

    found = registry_at(registry)
    found.try_out(model, "shadow", share)
    list_models(found)


@models.command("rollback")
def models_rollback(registry: RegistryFolder = None) -> None:
    """End the trial; without one, put the model in use before back in use."""
    from sluicegate.agents.cli.model_commands import list_models, registry_at

    found = registry_at(registry)
    found.roll_back()
    list_models(found)
