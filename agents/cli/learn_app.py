"""``sluice learn``: its commands, thin as those of `agents.cli.app`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sluicegate.agents.cli.options import require_extra

learn = typer.Typer(
    no_args_is_help=True,
    help="Make Qwen3-0.6B better with rows of your own: data, LoRA, then `models compile`, `eval` and `models use`.",
)


@learn.command("teacher")
def learn_teacher(
    file: Annotated[Path, typer.Argument(help="JSON Lines of queries: `text` or `query`.")],
    out: Annotated[Path, typer.Argument(help="Labelled rows are appended here; what is there is not asked again.")],
    model: Annotated[str, typer.Option(help="Name of the teacher's model.")],
    base_url: Annotated[
        str | None, typer.Option(help="An OpenAI-compatible API, as http://localhost:8000/v1; else OPENAI_BASE_URL.")
    ] = None,
    requests_per_minute: Annotated[float, typer.Option(min=0.1, help="Most requests a minute.")] = 60,
    price_in: Annotated[float, typer.Option(min=0, help="Price of a million tokens read.")] = 0,
    price_out: Annotated[float, typer.Option(min=0, help="Price of a million tokens written.")] = 0,
) -> None:
    """Let a large model label queries (distillation). Stopped and started again, it goes on. Needs the extra `teacher`.

    The key is OPENAI_API_KEY. The queries leave this machine: mind what may.
    """
    require_extra("learn teacher", "teacher", "openai", "aiolimiter")
    from sluicegate.agents.cli.learn_commands import ask_teacher

    ask_teacher(file, out, model, base_url, requests_per_minute, price_in, price_out)


@learn.command("reviewed")
def learn_reviewed(
    file: Annotated[Path, typer.Argument(help="What `sluice tail reviewed --from-beginning` printed.")],
    out: Annotated[Path, typer.Argument(help="File for the rows.")],
) -> None:
    """Turn the reviewers' verdicts into rows to learn from."""
    from sluicegate.agents.cli.learn_commands import take_verdicts

    take_verdicts(file, out)


@learn.command("lora")
def learn_lora(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of a Hugging Face Qwen3 checkpoint.")],
    out: Annotated[Path, typer.Argument(help="Folder for the adapter.")],
    data: Annotated[Path, typer.Option(help="Folder of JSON Lines: text, label, category, domain, clean, synonyms.")],
    text: Annotated[
        Path | None, typer.Option(help="Raw text of your domain, a line each, learnt too (continued pre-training).")
    ] = None,
    profile: Annotated[
        Literal["adapted", "zero_shot"],
        typer.Option(help="How it will be asked: without an instruction, or as the stock model is."),
    ] = "adapted",
    epochs: Annotated[int, typer.Option(min=1, help="Most times that every row is seen.")] = 3,
    learning_rate: Annotated[float, typer.Option(min=0, help="Of AdamW, at its highest.")] = 2e-4,
    rank: Annotated[int, typer.Option(min=1, help="Of the updates.")] = 16,
) -> None:
    """Tune a checkpoint for our prompts with LoRA; ends when rows held out gain no more. Needs the extra `train`.

    Then `sluice models compile CHECKPOINT MODEL --adapter OUT` and `sluice eval moderation FILE --model MODEL --apply`.
    """
    require_extra("learn lora", "train", "peft", "torch", "transformers")
    from sluicegate.agents.cli.learn_commands import tune_checkpoint

    tune_checkpoint(checkpoint, out, data, text, profile, epochs, learning_rate, rank)
