"""``sluice``: every command, thin. Each imports what it needs when it runs, so that ``--help`` is quick.

Exit codes: 0 done, 2 wrong usage, 130 interrupted, and those of sysexits.h: 65 wrong input, 69 broker unavailable,
70 our fault, 78 wrong configuration.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.console import Console
from rich.table import Column, Table

from agents.cli.options import Brokers
from agents.cli.replay_app import replay
from models.manifest import Profile, Quantization
from schemas.errors import ConfigurationError, SluicegateError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Moderate, understand and rewrite raw queries before search, recommendation and ads see them.\n\n"
    "Start with `sluice up`; every setting is an environment variable, see `sluice config show`.",
)
topics = typer.Typer(no_args_is_help=True, help="The Kafka topics that the worker reads and writes.")
models = typer.Typer(no_args_is_help=True, help="Compiled models: fetch, compile, look at, put in service.")
schemas = typer.Typer(no_args_is_help=True, help="The contracts of the events.")
evaluate = typer.Typer(
    no_args_is_help=True,
    help="Measure compiled models, and honest baselines beside them, on JSON Lines files. Needs the extra `eval`.",
)
learn = typer.Typer(
    no_args_is_help=True,
    help="Make Qwen3-0.6B better with rows of your own: data, LoRA, then `models compile`, `eval` and `models use`.",
)
config = typer.Typer(no_args_is_help=True, help="The settings.")
app.add_typer(topics, name="topics")
app.add_typer(models, name="models")
app.add_typer(schemas, name="schemas")
app.add_typer(evaluate, name="eval")
app.add_typer(learn, name="learn")
app.add_typer(replay, name="replay")
app.add_typer(config, name="config")

Rows = Annotated[Path, typer.Argument(help="JSON Lines file of the fields above; others are ignored.")]
Models = Annotated[
    list[Path] | None, typer.Option("--model", help="Folder of a compiled model; repeat to compare. Else SLUICE_MODEL.")
]
Train = Annotated[Path | None, typer.Option("--train", help="Rows to fit the TF-IDF baseline on; without, none.")]
Split = Annotated[str | None, typer.Option("--split", help="Only rows whose `split` is this.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write all numbers here, as JSON.")]
Model = Annotated[str, typer.Argument(help="A version of the registry, or the folder of a model to copy into it.")]
Share = Annotated[float, typer.Option("--share", min=0.0001, max=1.0, help="Share of the events, keyed by event_id.")]
RegistryFolder = Annotated[
    Path | None, typer.Option("--registry", help="Folder of the registry; `use` makes it. Else SLUICE_MODEL.")
]
Html = Annotated[Path | None, typer.Option("--html", help="Write tables and plots here, as one page.")]


_FEW_ROWS: Final = 500


def main() -> None:
    """Run a command; an error of ours ends in one line on standard error and its exit code."""
    try:
        app()
    except SluicegateError as error:
        sys.stderr.write(f"sluice: {error}\n")
        sys.exit(error.exit_code)


def _require(command: str, extra: str, *modules: str) -> None:
    if any(find_spec(module) is None for module in modules):
        raise ConfigurationError(f"`sluice {command}` needs the extra `{extra}`: pip install 'sluicegate[{extra}]'")


def _version(wanted: bool) -> None:
    if wanted:
        from schemas.version import VERSION

        sys.stdout.write(f"sluicegate {VERSION}\n")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of `sluice` itself."""


@app.command()
def up(
    keep: Annotated[bool, typer.Option("--keep", help="Then leave broker and worker running until Ctrl-C.")] = False,
) -> None:
    """Show everything at work: a broker, the worker and a sample of raw queries, live in this terminal."""
    from agents.local.up import show

    show(Console(), keep=keep)


@app.command()
def worker(brokers: Brokers = None) -> None:
    """Run the gate agent until SIGTERM or Ctrl-C, which finish and commit what is in flight."""
    from agents.process_environment import ensure
    from agents.settings import load_settings
    from agents.worker import run_worker

    ensure()
    run_worker(load_settings(bootstrap_servers=brokers))


@app.command()
def tune(
    out: Annotated[Path, typer.Option(help="Write the profile here: set SLUICE_PROFILE to it.")] = Path("profile.json"),
    model: Annotated[Path | None, typer.Option(help="Folder of a compiled model; else SLUICE_MODEL.")] = None,
    price: Annotated[float, typer.Option(min=0, help="Price of a core for an hour.")] = 0.04,
) -> None:
    """Measure a model on this machine, a minute or two, and write the settings that suit both.

    It tries compute types, threads, replicas and batch sizes, and fits the cost model by which the worker makes up its
    batches and refuses what would be too late. Run it with nothing else running, in the environment of the worker.
    """
    from agents.cli.tune import tune_model
    from agents.settings import load_settings

    tune_model(load_settings(model=model), out, price)


@app.command()
def gate(
    queries: Annotated[list[str] | None, typer.Argument(help="Queries to decide.")] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read JSON lines ({"query": …} or {"text": …}) from standard input.')
    ] = False,
    model: Annotated[Path | None, typer.Option(help="Folder of a compiled model; else SLUICE_MODEL.")] = None,
) -> None:
    """Decide queries without Kafka: JSON lines on standard output, in input order.

    Other fields of a JSON line are passed through; one named like a field of the decision comes back as `input_<name>`.
    """
    from agents.cli.gate_lines import decide_arguments, decide_stdin
    from agents.cli.streams import reader_may_leave
    from agents.settings import load_settings

    if jsonl == bool(queries):
        raise typer.BadParameter("give queries as arguments, or --jsonl and JSON lines on standard input")
    settings = load_settings(model=model)
    failed = 0
    with reader_may_leave():
        failed = decide_stdin(settings) if jsonl else decide_arguments(settings, queries or [])
    if failed:
        raise typer.Exit(65)


@app.command()
def produce(
    queries: Annotated[list[str] | None, typer.Argument(help="Queries to publish.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Publish each line of standard input as it is.")] = False,
    brokers: Brokers = None,
) -> None:
    """Publish raw queries, each with a fresh `traceparent`; prints where each one lies and its trace id."""
    from agents.cli.console import produce_records
    from agents.cli.streams import reader_may_leave
    from agents.settings import load_settings

    if jsonl == bool(queries):
        raise typer.BadParameter("give queries as arguments, or --jsonl and records on standard input")
    with reader_may_leave():
        produce_records(load_settings(bootstrap_servers=brokers), queries or None)


@app.command()
def tail(
    names: Annotated[list[str] | None, typer.Argument(help="Events to follow, as recall; else every output.")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Start with the oldest record.")] = False,
    brokers: Brokers = None,
) -> None:
    """Follow the output topics: one JSON line per record, until Ctrl-C."""
    from agents.cli.console import tail_topics
    from agents.cli.streams import reader_may_leave
    from agents.settings import load_settings

    with reader_may_leave():
        tail_topics(load_settings(bootstrap_servers=brokers), names, from_beginning=from_beginning)


@topics.command("create")
def topics_create(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of each topic.")] = 4,
    replication: Annotated[int, typer.Option(min=1, help="Replicas of each partition.")] = 1,
    brokers: Brokers = None,
) -> None:
    """Create the topics that are missing; those that exist are left as they are."""
    from agents.kafka_security import librdkafka_security
    from agents.settings import load_settings
    from agents.topics import create_topics, topic_configs

    settings = load_settings(bootstrap_servers=brokers)
    created = create_topics(
        settings.bootstrap_servers,
        topic_configs(settings.topics),
        partitions,
        replication,
        librdkafka_security(settings),
    )
    for name in settings.topics.values():
        Console().print(f"{name}  [green]created[/]" if name in created else f"{name}  [dim]exists[/]")


@topics.command("describe")
def topics_describe(brokers: Brokers = None) -> None:
    """Show partitions, offsets and the gate group's lag."""
    from agents.kafka_security import librdkafka_security
    from agents.settings import load_settings
    from agents.topics import describe_topics

    settings = load_settings(bootstrap_servers=brokers)
    table = Table("topic", "partitions", "replicas", "records", "lag of " + settings.group_id)
    security = librdkafka_security(settings)
    for topic in describe_topics(settings.bootstrap_servers, settings.topics.values(), settings.group_id, security):
        records = sum(partition.end - partition.beginning for partition in topic.partitions)
        lag = str(topic.lag) if topic.name == settings.topic_raw else "–"
        table.add_row(topic.name, str(len(topic.partitions)), str(topic.replication), str(records), lag)
    Console().print(table)


@models.command("pull")
def models_pull(
    destination: Annotated[Path, typer.Argument(help="Folder for the compiled model.")],
    repo: Annotated[str, typer.Option(help="Hub repository of a Qwen3 checkpoint.")] = "Qwen/Qwen3-0.6B",
    revision: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "main",
    quantization: Annotated[Quantization, typer.Option(help="Type of the compiled weights.")] = "int8_float32",
) -> None:
    """Fetch a Qwen3 checkpoint from the hub, compile it and verify it."""
    from agents.cli.model_commands import describe, pull_with_progress

    describe(pull_with_progress(destination, repo, revision, quantization), destination)


@models.command("compile")
def models_compile(
    source: Annotated[Path, typer.Argument(help="Folder of a Hugging Face Qwen3 checkpoint.")],
    destination: Annotated[Path, typer.Argument(help="Folder for the compiled model.")],
    quantization: Annotated[Quantization, typer.Option(help="Type of the compiled weights.")] = "int8_float32",
    profile: Annotated[
        Profile | None, typer.Option(help="How the model is asked; else as its adapter learnt it, or zero_shot.")
    ] = None,
    adapter: Annotated[Path | None, typer.Option(help="Folder of a PEFT LoRA adapter to merge.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; else the source folder's.")] = None,
) -> None:
    """Compile a checkpoint to CTranslate2, without torch; replaces a compiled model at the destination, at the end."""
    from agents.cli.model_commands import compile_with_progress, describe

    manifest = compile_with_progress(source, destination, quantization, profile, adapter, name)
    describe(manifest, destination)


@models.command("info")
def models_info(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a compiled model; else SLUICE_MODEL.")] = None,
) -> None:
    """Show a compiled model's manifest, after checking its weights against it."""
    from agents.cli.model_commands import describe
    from agents.settings import load_settings
    from models.manifest import read_manifest, verify_weights
    from models.registry import served_from

    folder = folder or served_from(load_settings().model).model
    manifest = read_manifest(folder)
    verify_weights(folder, manifest)
    describe(manifest, folder)


@models.command("list")
def models_list(registry: RegistryFolder = None) -> None:
    """List the models of a registry, and which of them is in use or on trial."""
    from agents.cli.model_commands import list_models, registry_at

    list_models(registry_at(registry))


@models.command("use")
def models_use(model: Model, registry: RegistryFolder = None) -> None:
    """Put a model in use: running workers exchange it within seconds and lose nothing. Ends a trial of it."""
    from agents.cli.model_commands import list_models, registry_at

    found = registry_at(registry)
    found.use(model)
    list_models(found)


@models.command("canary")
def models_canary(model: Model, share: Share, registry: RegistryFolder = None) -> None:
    """Let a model decide a share of the events, the same ones always, in place of the one in use."""
    from agents.cli.model_commands import list_models, registry_at

    found = registry_at(registry)
    found.try_out(model, "canary", share)
    list_models(found)


@models.command("shadow")
def models_shadow(model: Model, share: Share, registry: RegistryFolder = None) -> None:
    """Let a model decide a share of the events too, for the ledger only; `sluice eval shadow` compares."""
    from agents.cli.model_commands import list_models, registry_at

    found = registry_at(registry)
    found.try_out(model, "shadow", share)
    list_models(found)


@models.command("rollback")
def models_rollback(registry: RegistryFolder = None) -> None:
    """End the trial; without one, put the model in use before back in use."""
    from agents.cli.model_commands import list_models, registry_at

    found = registry_at(registry)
    found.roll_back()
    list_models(found)


@evaluate.callback()
def eval_needs_its_extra() -> None:
    """Refuse in one line where the extra is not installed."""
    _require("eval", "eval", "sklearn", "bm25s", "symspellpy")


@evaluate.command("moderation")
def eval_moderation(
    file: Rows,
    model: Models = None,
    train: Train = None,
    json: Json = None,
    html: Html = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the temperature and thresholds chosen into the model's manifest.")
    ] = False,
) -> None:
    """Precision, recall, F1, AUPRC, calibration, and the thresholds that the rows would choose.

    Fields: `text`, `label` (allow, review, block), `category` (one of ours, or none); optional: `source`.
    """
    from agents.cli.eval_commands import apply_choice, evaluate_moderation, publish

    if apply and len(model or []) > 1:
        raise typer.BadParameter("--apply goes with one --model")
    report = evaluate_moderation(file, model or [], train)
    publish(report, json, html)
    if apply:
        apply_choice(report, model[0] if model else None)
        if report.rows < _FEW_ROWS:
            typer.echo(
                f"sluice: applied what {report.rows} rows chose; give it {_FEW_ROWS} or more, most of them safe",
                err=True,
            )


@evaluate.command("intent")
def eval_intent(
    file: Rows, model: Models = None, train: Train = None, split: Split = None, json: Json = None, html: Html = None
) -> None:
    """Accuracy over domains; a blocked query counts as wrong.

    Fields: `text`, `domain` (one of our intents, or out_of_scope); optional: `split`.
    """
    from agents.cli.eval_commands import evaluate_intent, publish

    publish(evaluate_intent(file, model or [], train, split), json, html)


@evaluate.command("rewrite")
def eval_rewrite(file: Rows, model: Models = None, split: Split = None, json: Json = None, html: Html = None) -> None:
    """Exact match, character error rate and recall lift, beside a dictionary speller.

    Fields: `query` or `text`; with `clean` it is a misspelling of that, without it is clean and is misspelt by seed.
    """
    from agents.cli.eval_commands import evaluate_rewrite, publish

    publish(evaluate_rewrite(file, model or [], split), json, html)


@evaluate.command("shadow")
def eval_shadow(
    file: Annotated[Path, typer.Argument(help="What `sluice tail ledger --from-beginning` printed.")],
    json: Json = None,
    html: Html = None,
) -> None:
    """Compare the model in use with the candidate in its shadow: verdicts, intents, answers, latency.

    Start the trial with `sluice models shadow`; the JSON names events on which they differ.
    """
    from agents.cli.eval_commands import evaluate_shadow, publish

    publish(evaluate_shadow(file), json, html)


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
    _require("learn teacher", "teacher", "openai", "aiolimiter")
    from agents.cli.learn_commands import ask_teacher

    ask_teacher(file, out, model, base_url, requests_per_minute, price_in, price_out)


@learn.command("reviewed")
def learn_reviewed(
    file: Annotated[Path, typer.Argument(help="What `sluice tail reviewed --from-beginning` printed.")],
    out: Annotated[Path, typer.Argument(help="File for the rows.")],
) -> None:
    """Turn the reviewers' verdicts into rows to learn from."""
    from agents.cli.learn_commands import take_verdicts

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
    _require("learn lora", "train", "peft", "torch", "transformers")
    from agents.cli.learn_commands import tune_checkpoint

    tune_checkpoint(checkpoint, out, data, text, profile, epochs, learning_rate, rank)


@schemas.command("export")
def schemas_export(folder: Annotated[Path, typer.Argument(help="Folder to write into.")]) -> None:
    """Write a JSON Schema per event and the AsyncAPI document."""
    from schemas.export import export

    for path in export(folder):
        Console().print(str(path), highlight=False)


@config.command("show")
def config_show() -> None:
    """Show every setting: its environment variable, its value here, its default, its meaning."""
    from agents.settings import describe_settings, load_settings

    folded = (Column(name, overflow="fold") for name in ("value", "default", "meaning"))
    table = Table(Column("variable", no_wrap=True), *folded)
    for row in describe_settings(load_settings()):
        table.add_row(*row)
    Console().print(table)
