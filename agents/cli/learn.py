"""``sluice learn``: rows from a teacher or from reviewers, and an adapter from rows."""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.agents.cli.options import require_extra
from sluicegate.agents.cli.prompt_style import ProfileAlias, prompt_style_of
from sluicegate.models.artifacts.manifest import MANIFEST_FILE

learn = typer.Typer(
    no_args_is_help=True,
    help="Improve Qwen3 with your own rows: get data, train LoRA, then use `models compile`, `eval` and `models use`.",
)


@learn.command("teacher")
def learn_teacher(
    file: Annotated[Path, typer.Argument(help="JSON Lines of queries: `text` or `query`.")],
    out: Annotated[
        Path,
        typer.Argument(help="Labelled rows are appended here. Queries that it has are not asked again."),
    ],
    model: Annotated[
        str,
        typer.Option(help="Name of the teacher's model, or the folder of a compiled model on this machine."),
    ],
    base_url: Annotated[
        str | None,
        typer.Option(help="OpenAI-compatible API, such as http://localhost:8000/v1. Default: OPENAI_BASE_URL."),
    ] = None,
    requests_per_minute: Annotated[float, typer.Option(min=0.1, help="Maximum number of requests per minute.")] = 60,
    price_in: Annotated[float, typer.Option(min=0, help="Price of a million tokens read.")] = 0,
    price_out: Annotated[float, typer.Option(min=0, help="Price of a million tokens written.")] = 0,
) -> None:
    """Let a large model label queries (distillation). A run that was stopped continues.

    A teacher behind an API needs the extra `teacher`, and its key in OPENAI_API_KEY. The queries leave this machine:
    make sure that they may. A compiled model, such as Qwen3Guard, costs nothing but time, and gives verdicts only.

    Example: `sluice learn teacher queries.jsonl rows/teacher.jsonl --model MODEL --base-url http://localhost:8000/v1`

    Example: `sluice learn teacher queries.jsonl rows/guard.jsonl --model ./qwen3guard-0.6b`
    """
    if (Path(model) / MANIFEST_FILE).is_file():
        if base_url:
            raise typer.BadParameter(f"{model} is a compiled model on this machine", param_hint="--base-url")
        from sluicegate.agents.cli.learn_runs import ask_local_teacher

        ask_local_teacher(file, out, Path(model))
        return
    require_extra("learn teacher", "teacher", "openai", "aiolimiter")
    from sluicegate.agents.cli.learn_runs import ask_teacher

    ask_teacher(file, out, model, base_url, requests_per_minute, price_in, price_out)


@learn.command("reviewed")
def learn_reviewed(
    file: Annotated[Path, typer.Argument(help="What `sluice tail reviewed --until-now` printed.")],
    out: Annotated[Path, typer.Argument(help="File for the rows.")],
) -> None:
    """Turn the reviewers' verdicts and corrections into rows.

    Example: `sluice learn reviewed reviewed.jsonl rows/reviewed.jsonl`
    """
    from sluicegate.agents.cli.learn_runs import take_verdicts

    take_verdicts(file, out)


@learn.command("formatter-rows")
def learn_formatter_rows(
    out: Annotated[Path, typer.Argument(help="File for the rows.")],
    count: Annotated[int, typer.Option(min=1, help="Number of rows.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Another seed gives other rows.")] = 1,
) -> None:
    """Make synthetic rows for a formatter: a schema, a text and the right JSON, each schema another one.

    Example: `sluice learn formatter-rows rows/synthetic.jsonl`
    """
    from sluicegate.agents.cli.learn_runs import make_formatter_rows

    make_formatter_rows(out, count, seed)


@learn.command("lora")
def learn_lora(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of a Hugging Face Qwen3 checkpoint.")],
    out: Annotated[Path, typer.Argument(help="Folder for the adapter.")],
    data: Annotated[
        Path,
        typer.Option(
            help="Folder of JSON Lines: text, label, category, domain, clean, synonyms. For a formatter: text, schema, "
            "value."
        ),
    ],
    text: Annotated[
        Path | None, typer.Option(help="Raw text of your domain, one line each (continued pre-training).")
    ] = None,
    prompt_style: Annotated[
        str,
        typer.Option(
            metavar="adapted|zero_shot|formatter",
            help="Prompt style: a gate without or with the stock instruction, or a formatter.",
        ),
    ] = "adapted",
    profile: ProfileAlias = None,
    epochs: Annotated[int, typer.Option(min=1, help="Maximum number of epochs.")] = 3,
    learning_rate: Annotated[float, typer.Option(min=0, help="Peak learning rate of AdamW.")] = 2e-4,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the LoRA updates.")] = 16,
) -> None:
    """Train a LoRA adapter. It ends when held-out rows no longer improve. Needs the extra `train`.

    The prompt style is `adapted` (no instruction) by default; `zero_shot` uses the prompt of the stock model. Then run
    `sluice models compile CHECKPOINT MODEL --adapter OUT` and `sluice eval moderation FILE --model MODEL`.
    With `formatter` the task is to fill in JSON Schemas; `sluice learn formatter-rows` makes rows for it.

    Example: `sluice learn lora qwen3-0.6b-hf adapter --data rows`
    """
    style = prompt_style_of(profile or prompt_style)
    if style not in ("adapted", "zero_shot", "formatter"):
        raise typer.BadParameter(
            "a Qwen3 checkpoint has adapted, zero_shot or formatter prompts", param_hint="--prompt-style"
        )
    require_extra("learn lora", "train", "peft", "torch", "transformers")
    from sluicegate.agents.cli.learn_runs import train_adapter

    train_adapter(checkpoint, out, data, text, style, epochs, learning_rate, rank)
