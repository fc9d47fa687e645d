"""``sluice eval``: its commands, thin as those of `agents.cli.app`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from sluicegate.agents.cli.options import require_extra

evaluate = typer.Typer(
    no_args_is_help=True,
    help="Measure compiled models, and honest baselines beside them, on JSON Lines files. Needs the extra `eval`.",
)

Rows = Annotated[Path, typer.Argument(help="JSON Lines file of the fields above; others are ignored.")]
Models = Annotated[
    list[Path] | None, typer.Option("--model", help="Folder of a compiled model; repeat to compare. Else SLUICE_MODEL.")
]
Train = Annotated[Path | None, typer.Option("--train", help="Rows to fit the TF-IDF baseline on; without, none.")]
Split = Annotated[str | None, typer.Option("--split", help="Only rows whose `split` is this.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write all numbers here, as JSON.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write tables and plots here, as one page.")]

_FEW_ROWS: Final = 500


@evaluate.callback()
def eval_needs_its_extra() -> None:
    """Refuse in one line where the extra is not installed."""
    require_extra("eval", "eval", "sklearn", "bm25s", "symspellpy")


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
    from sluicegate.agents.cli.eval_commands import apply_choice, evaluate_moderation, publish

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
    from sluicegate.agents.cli.eval_commands import evaluate_intent, publish

    publish(evaluate_intent(file, model or [], train, split), json, html)


@evaluate.command("rewrite")
def eval_rewrite(file: Rows, model: Models = None, split: Split = None, json: Json = None, html: Html = None) -> None:
    """Exact match, character error rate and recall lift, beside a dictionary speller.

    Fields: `query` or `text`; with `clean` it is a misspelling of that, without it is clean and is misspelt by seed.
    """
    from sluicegate.agents.cli.eval_commands import evaluate_rewrite, publish

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
    from sluicegate.agents.cli.eval_commands import evaluate_shadow, publish

    publish(evaluate_shadow(file), json, html)
