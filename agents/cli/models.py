"""``sluice models``: fetch, compile, inspect, and put in use."""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.agents.cli.prompt_style import ProfileAlias, PromptStyleOption, prompt_style_of
from sluicegate.models.artifacts.manifest import DEFAULT_QUANTIZATION, Quantization

models = typer.Typer(no_args_is_help=True, help="Compiled models: fetch, compile, inspect, put in use.")

Model = Annotated[str, typer.Argument(help="A version in the registry, or the folder of a model to copy into it.")]
Share = Annotated[float, typer.Option("--share", min=0.0001, max=1.0, help="Share of the events, keyed by event_id.")]
RegistryFolder = Annotated[
    Path | None, typer.Option("--registry", help="Folder of the registry; `use` creates it. Default: SLUICE_MODEL.")
]
QuantizationOption = Annotated[Quantization, typer.Option(help="Type of the compiled weights.")]


@models.command("pull")
def pull_model(
    model: Annotated[str, typer.Argument(help="A hub id such as Qwen/Qwen3-0.6B, or a short name such as qwen3-0.6b.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the compiled model. Default: the MODEL, here.")] = None,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "main",
    quantization: QuantizationOption = DEFAULT_QUANTIZATION,
) -> None:
    """Fetch a Qwen3 checkpoint from the hub, compile it and verify it.

    Example: `sluice models pull qwen3-1.7b`
    """
    from sluicegate.agents.cli.models_tables import print_model
    from sluicegate.agents.cli.progress import show_progress
    from sluicegate.models.compiler.pull import default_folder, hub_id_of, pull

    hub_id = hub_id_of(model)
    out = out or default_folder(model)
    with show_progress("compiling") as progress:
        manifest = pull(hub_id, out, revision=revision, quantization=quantization, progress=progress)
    print_model(manifest, out)


@models.command("compile")
def compile_model(
    source: Annotated[Path, typer.Argument(help="Folder of a Hugging Face Qwen3 checkpoint.")],
    destination: Annotated[Path, typer.Argument(help="Folder for the compiled model.")],
    quantization: QuantizationOption = DEFAULT_QUANTIZATION,
    prompt_style: PromptStyleOption = None,
    profile: ProfileAlias = None,
    adapter: Annotated[Path | None, typer.Option(help="Folder of a PEFT LoRA adapter to merge.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model. Default: the name of the source folder.")] = None,
) -> None:
    """Compile a checkpoint to CTranslate2, without torch. A compiled model at the destination is replaced at the end.

    Example: `sluice models compile qwen3-0.6b-hf qwen3-ours --adapter adapter`
    """
    from sluicegate.agents.cli.models_tables import print_model
    from sluicegate.agents.cli.progress import show_progress
    from sluicegate.models.compiler.compile import compile_checkpoint
    from sluicegate.models.compiler.lora_merge import read_learnt_prompt

    learnt = read_learnt_prompt(adapter) if adapter else None
    style = prompt_style_of(prompt_style or profile) or (learnt.prompt_style if learnt else "zero_shot")
    with show_progress("compiling") as progress:
        manifest = compile_checkpoint(
            source,
            destination,
            quantization=quantization,
            prompt_style=style,
            name=name,
            adapter=adapter,
            progress=progress,
        )
    print_model(manifest, destination)


@models.command("revise")
def revise_model(
    folder: Annotated[Path, typer.Argument(help="A copy of a compiled model, not in a registry.")],
) -> None:
    """Make a new version of a copy whose `lexicon.txt` you changed. Also upgrades a manifest of format 1.

    Example: `cp -r qwen3-ours ours-2; echo 'aspesi 20000' >> ours-2/lexicon.txt; sluice models revise ours-2`
    """
    from sluicegate.agents.cli.models_tables import print_model
    from sluicegate.models.artifacts.deployment import is_registry
    from sluicegate.models.artifacts.revision import revise
    from sluicegate.schemas.errors import ConfigurationError

    if is_registry(folder.resolve().parent):
        raise ConfigurationError(f"{folder} is in a registry, where versions never change: revise a copy of it")
    print_model(revise(folder), folder)


@models.command("info")
def show_model(
    model: Annotated[
        str | None,
        typer.Argument(help="Folder of a model, or a version in the registry. Default: the model in use."),
    ] = None,
    registry: RegistryFolder = None,
) -> None:
    """Show a compiled model's manifest and policy, after checking its files.

    Example: `sluice models info`
    """
    from sluicegate.agents.cli.models_tables import print_model
    from sluicegate.agents.settings import load_settings
    from sluicegate.models.artifacts.deployment import is_registry
    from sluicegate.models.artifacts.registry import Registry, served_from
    from sluicegate.models.artifacts.servable import check_servable

    home = registry or load_settings().model
    folder = served_from(home).model if model is None else Path(model)
    if model and is_registry(home) and not folder.exists():
        folder = home / model
    manifest = check_servable(folder)
    print_model(manifest, folder, Registry(home).deployment() if is_registry(home) else None)


@models.command("list")
def list_models(registry: RegistryFolder = None) -> None:
    """List a registry's models: which is in use or on trial, since when, its policy, and what cannot be served.

    Example: `sluice models list --registry /srv/models`
    """
    from sluicegate.agents.cli.models_tables import print_registry, registry_at

    print_registry(registry_at(registry))


@models.command("use")
def use_model(model: Model, registry: RegistryFolder = None) -> None:
    """Put a model in use. Running workers load it within seconds and lose nothing. Ends a trial of it.

    Example: `sluice models use qwen3-ours --registry /srv/models`
    """
    from sluicegate.agents.cli.models_tables import print_registry, registry_at

    found = registry_at(registry)
    found.use(model)
    print_registry(found)


@models.command("canary")
def start_canary(model: Model, share: Share, registry: RegistryFolder = None) -> None:
    """Let a model decide a share of the events, always the same ones, in place of the model in use.

    Example: `sluice models canary qwen3-ours --share 0.05 --registry /srv/models`
    """
    from sluicegate.agents.cli.models_tables import print_registry, registry_at

    found = registry_at(registry)
    found.try_out(model, "canary", share)
    print_registry(found)


@models.command("shadow")
def start_shadow(model: Model, share: Share, registry: RegistryFolder = None) -> None:
    """Let a model decide a share of the events too, for the ledger only. `sluice eval shadow` compares.

    Example: `sluice models shadow qwen3-ours --share 0.1 --registry /srv/models`
    """
    from sluicegate.agents.cli.models_tables import print_registry, registry_at

    found = registry_at(registry)
    found.try_out(model, "shadow", share)
    print_registry(found)


@models.command("rollback")
def roll_back(registry: RegistryFolder = None) -> None:
    """End the trial. Without a trial, put the model that was in use before back in use.

    Example: `sluice models rollback --registry /srv/models`
    """
    from sluicegate.agents.cli.models_tables import print_registry, registry_at

    found = registry_at(registry)
    found.roll_back()
    print_registry(found)
