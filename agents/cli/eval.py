"""``sluice eval``: measure models on files of labelled rows."""

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.agents.cli.options import require_extra

evaluate = typer.Typer(
    no_args_is_help=True,
    help="Measure compiled models and baselines on JSON Lines files. Needs the extra `eval`.",
)

Rows = Annotated[Path, typer.Argument(help="JSON Lines file with the fields above. Others are ignored.")]
Models = Annotated[
    list[Path] | None,
    typer.Option("--model", help="Folder of a compiled model; repeat to compare. Default: SLUICE_MODEL."),
]
Train = Annotated[Path | None, typer.Option("--train", help="Rows to fit a TF-IDF baseline on. Default: none.")]
Split = Annotated[str | None, typer.Option("--split", help="Measure only the rows with this `split`.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write all numbers here, as JSON.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write tables, plots and wrong rows here, as one page.")]
Files = Annotated[list[Path], typer.Argument(help="JSON Lines files with the fields above, or folders of them.")]
Plain = Annotated[
    list[str] | None,
    typer.Option(
        "--plain",
        metavar="SOURCE",
        help="A `source` whose safe rows are plain queries, such as ordinary searches. `*` stands for anything; "
        "repeat for several. Default: all sources that have only safe rows; if there are none, every source.",
    ),
]
MaxReview = Annotated[
    float,
    typer.Option(min=0, max=1, help="The chosen thresholds send at most this share of any plain source to review."),
]
MaxBlocked = Annotated[float, typer.Option(min=0, max=1, help="They block at most this share of any plain source.")]
Apply = Annotated[bool, typer.Option("--apply", help="Make a new version of the model with what the rows chose.")]
Out = Annotated[
    Path | None,
    typer.Option(help="With --apply: folder of the new version. Default: in the model's registry, else here."),
]
Force = Annotated[
    bool, typer.Option("--force", help="With --apply: apply even if the rows are few or the result is worse.")
]


@evaluate.callback()
def eval_needs_its_extra() -> None:
    """Refuse in one line if the extra is not installed."""
    require_extra("eval", "eval", "sklearn", "bm25s", "symspellpy")


@evaluate.command("moderation")
def eval_moderation(
    files: Files,
    model: Models = None,
    train: Train = None,
    json: Json = None,
    html: Html = None,
    plain: Plain = None,
    max_review: MaxReview = 0.03,
    max_blocked: MaxBlocked = 0.003,
    robustness: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="ROWS",
            help="Write this many of the caught rows in other ways too (case, emoji, padding, disguises) and count "
            "which of them pass. Each costs 26 judgements.",
        ),
    ] = 0,
    texts: Annotated[bool, typer.Option("--texts", help="Write the texts of wrong rows into JSON and HTML.")] = False,
    apply: Apply = False,
    out: Out = None,
    force: Force = False,
) -> None:
    """Precision, recall, F1, AUPRC, calibration, and the thresholds that the rows would choose.

    Fields: `text`, `label` (allow, review, block), `category` (one of Sluicegate's, or none); optional: `source`.

    The thresholds catch as much as they can while no plain source exceeds --max-review and --max-blocked.
    Sources with fewer than 300 safe rows count as one.

    Example: `sluice eval moderation dev.jsonl more.jsonl --model qwen3-ours --html report.html`
    """
    from sluicegate.agents.cli.eval_moderation import ModerationFiles, apply_choice, evaluate_moderation
    from sluicegate.agents.cli.eval_runs import publish
    from sluicegate.agents.cli.streams import reader_may_leave, require_writable
    from sluicegate.models.evaluation.policy_outcome import PlainLimits

    if apply and len(model or []) > 1:
        raise typer.BadParameter("--apply needs exactly one --model")
    if not apply and (out or force):
        raise typer.BadParameter("--out and --force need --apply")
    require_writable(json, html)
    measured = ModerationFiles.read(files)
    report = evaluate_moderation(
        measured,
        model or [],
        train,
        plain_sources=plain or (),
        limits=PlainLimits(max_review, max_blocked),
        robustness_rows=robustness,
        with_texts=texts,
    )
    with reader_may_leave():
        publish(report, json, html)
    if apply:
        labels = [row.label for row in measured.rows]
        made = apply_choice(report, labels, model[0] if model else None, out, force=force)
        with reader_may_leave():
            typer.echo(made)


@evaluate.command("cascade")
def eval_cascade(
    files: Files,
    model: Annotated[Path | None, typer.Option(help="The screen. Default: SLUICE_MODEL.")] = None,
    second: Annotated[Path | None, typer.Option(help="The second model. Default: SLUICE_SECOND_MODEL.")] = None,
    screen_profile: Annotated[
        Path | None, typer.Option(help="Profile of the screen from `sluice calibrate`, to expect a throughput.")
    ] = None,
    second_profile: Annotated[Path | None, typer.Option(help="Profile of the second model.")] = None,
    json: Json = None,
    html: Html = None,
    plain: Plain = None,
    max_review: MaxReview = 0.03,
    max_blocked: MaxBlocked = 0.003,
    apply: Apply = False,
    out: Out = None,
    force: Force = False,
) -> None:
    """A screen with a second model: what goes on, the errors of each and of both, and the thresholds to choose.

    Fields: as for `moderation`. Both models judge every row. The rule is the worker's: SLUICE_SECOND_CONFIRMS and
    SLUICE_SECOND_MAY_BLOCK apply.

    The thresholds of the second model are chosen on the rows that the screen sends to review. --apply makes a new
    version of the second model with them.

    Example: `sluice eval cascade dev.jsonl --second qwen3guard-0.6b --plain web --html report.html`
    """
    from sluicegate.agents.cli.eval_cascade import (
        Profiles,
        apply_to_second,
        evaluate_cascade,
        reason_against,
        second_settings,
    )
    from sluicegate.agents.cli.eval_moderation import ModerationFiles
    from sluicegate.agents.cli.eval_runs import publish
    from sluicegate.agents.cli.streams import reader_may_leave, require_writable
    from sluicegate.agents.settings import load_settings
    from sluicegate.models.evaluation.policy_outcome import PlainLimits

    if not apply and (out or force):
        raise typer.BadParameter("--out and --force need --apply")
    require_writable(json, html)
    settings = load_settings(model=model, second_model=second)
    of_second = second_settings(settings)
    measured = ModerationFiles.read(files)
    report, scores = evaluate_cascade(
        measured,
        settings,
        of_second,
        plain_sources=plain or (),
        limits=PlainLimits(max_review, max_blocked),
        profiles=Profiles(screen_profile, second_profile),
    )
    labels = [row.label for row in measured.rows]
    with reader_may_leave():
        publish(report, json, html)
        if reason := reason_against(scores, labels):
            typer.echo(f"Do not use the chosen thresholds: {reason}.")
    if apply:
        made = apply_to_second(scores, labels, of_second.model, out, force=force)
        with reader_may_leave():
            typer.echo(made)


@evaluate.command("intent")
def eval_intent(
    file: Rows, model: Models = None, train: Train = None, split: Split = None, json: Json = None, html: Html = None
) -> None:
    """Accuracy over domains. A blocked query counts as wrong.

    Fields: `text`, `domain` (one of Sluicegate's intents, or out_of_scope); optional: `split`.

    Example: `sluice eval intent dev.jsonl --split dev`
    """
    from sluicegate.agents.cli.eval_runs import evaluate_intent, publish
    from sluicegate.agents.cli.streams import reader_may_leave, require_writable

    require_writable(json, html)
    report = evaluate_intent(file, model or [], train, split)
    with reader_may_leave():
        publish(report, json, html)


@evaluate.command("rewrite")
def eval_rewrite(file: Rows, model: Models = None, split: Split = None, json: Json = None, html: Html = None) -> None:
    """Exact match, character error rate, recall and harm, compared with a dictionary speller.

    Fields: `query` or `text`. A row with `clean` is a misspelling of it. Other rows are correct, and get
    reproducible misspellings. Optional: `kind` (web, question, shopping, name, brand …) and `lang` group the
    correct rows; names, brands and other languages get no misspellings.

    Example: `sluice eval rewrite queries.jsonl`
    """
    from sluicegate.agents.cli.eval_runs import evaluate_rewrite, publish
    from sluicegate.agents.cli.streams import reader_may_leave, require_writable

    require_writable(json, html)
    report = evaluate_rewrite(file, model or [], split)
    with reader_may_leave():
        publish(report, json, html)


@evaluate.command("expansions")
def eval_expansions(
    file: Rows, model: Models = None, split: Split = None, json: Json = None, html: Html = None
) -> None:
    """Precision, coverage and calibration of synonyms and facets, with 95 % intervals.

    Fields: `query` or `text`; `synonyms` and `facets`, lists of all that is right for the query, such as
    `category:boots`. An empty list says that nothing is right. A row without one of them does not count for it.

    Precision and coverage are about the expansions that are used: those with a probability of 0.5 or more.

    Example: `sluice eval expansions products.jsonl`
    """
    from sluicegate.agents.cli.eval_runs import evaluate_expansions, publish
    from sluicegate.agents.cli.streams import reader_may_leave, require_writable

    require_writable(json, html)
    report = evaluate_expansions(file, model or [], split)
    with reader_may_leave():
        publish(report, json, html)


@evaluate.command("shadow")
def eval_shadow(
    file: Annotated[Path, typer.Argument(help="What `sluice tail ledger --until-now` printed.")],
    json: Json = None,
    html: Html = None,
) -> None:
    """Compare the model in use with a candidate that was its shadow: verdicts, intents, answers, latency.

    Start the trial with `sluice models shadow`. The JSON names events on which the two differ.

    Example: `sluice eval shadow ledger.jsonl --json shadow.json`
    """
    from sluicegate.agents.cli.eval_runs import evaluate_shadow, publish
    from sluicegate.agents.cli.streams import reader_may_leave, require_writable

    require_writable(json, html)
    report = evaluate_shadow(file)
    with reader_may_leave():
        publish(report, json, html)
