"""What ``sluice eval`` does but for moderation: run each model and the baseline on a file's rows, and report."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.table import Column, Table
from rich.text import Text

from sluicegate.agents.cli.progress import show_progress
from sluicegate.agents.cli.table_console import table_console
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import load_settings
from sluicegate.models.data.rows import ExpansionRow, IntentRow, QueryRow, read_rows
from sluicegate.models.evaluation.baselines import DictionarySpeller, TfidfClassifier
from sluicegate.models.evaluation.expansions import expected_kinds, score_expansions
from sluicegate.models.evaluation.harm import harmless_queries
from sluicegate.models.evaluation.html_report import write_html
from sluicegate.models.evaluation.intent import expected_intents, score_intents
from sluicegate.models.evaluation.judging import judge_all
from sluicegate.models.evaluation.report import Report, tables, write_json
from sluicegate.models.evaluation.report_table import ReportTable
from sluicegate.models.evaluation.rewrite import pairs_of, score_rewrites
from sluicegate.models.evaluation.shadow import LedgerLine, score_shadow
from sluicegate.models.inference.judge import Judge, ModelResult
from sluicegate.models.inference.policy import Verdict
from sluicegate.schemas.errors import ContractError, StreamFailed


def evaluate_intent(file: Path, folders: Sequence[Path], train: Path | None, split: str | None) -> Report:
    """Score the models in `folders`, and TF-IDF fitted on the rows of `train` that `file` lacks, on intent rows."""
    rows = read_rows(file, IntentRow, split=split)
    texts = [row.text for row in rows]
    systems = {}
    expected_intents(rows)
    for name, engine in engines_in(folders).items():
        judged = judge_texts(engine, texts)
        systems[name] = score_intents(rows, [_intent(model_result) for model_result in judged])
    if train:
        held_out = set(texts)
        known = [row for row in read_rows(train, IntentRow) if row.split != "test" and row.text not in held_out]
        baseline = TfidfClassifier([row.text for row in known], [intent.value for intent in expected_intents(known)])
        answers: list[str | None] = [*baseline.predict(texts)]
        systems[baseline.name] = score_intents(rows, answers)
    return Report("intent", str(file), len(rows), systems)


def evaluate_rewrite(file: Path, folders: Sequence[Path], split: str | None) -> Report:
    """Score the models in `folders` and a dictionary speller on queries, misspelt and clean."""
    rows = read_rows(file, QueryRow, split=split)
    pairs = pairs_of(rows)
    if not pairs:
        raise ContractError(f"{file} has no query that can be misspelt: it needs a word of at least four letters")
    harmless = harmless_queries(rows)
    systems = {}
    for name, engine in engines_in(folders).items():
        systems[name] = score_rewrites(pairs, _rewriter(engine), harmless)
    speller = DictionarySpeller()
    systems[speller.name] = score_rewrites(pairs, speller.rewrite, harmless)
    return Report("rewrite", str(file), len(rows), systems)


def evaluate_expansions(file: Path, folders: Sequence[Path], split: str | None) -> Report:
    """Score what the models in `folders` offer for product queries."""
    rows = read_rows(file, ExpansionRow, split=split)
    expected_kinds(rows)
    systems = {
        name: score_expansions(rows, [each.expansions for each in judge_texts(engine, [row.written for row in rows])])
        for name, engine in engines_in(folders).items()
    }
    return Report("expansions", str(file), len(rows), systems)


def evaluate_shadow(file: Path) -> Report:
    """Compare the model in use with its shadows on the lines of a ledger."""
    records = [line.value for line in read_rows(file, LedgerLine)]
    return Report("shadow", str(file), len(records), score_shadow(records))


def publish(report: Report, json: Path | None, html: Path | None) -> None:
    """Write the report where asked, then print it: the reader of the output may leave early.

    Raises:
        StreamFailed: a file cannot be written.
    """
    for path, write in ((json, write_json), (html, write_html)):
        try:
            if path:
                write(report, path)
        except OSError as error:
            raise StreamFailed(f"cannot write {path}: {error.strerror or error}") from None
    console = table_console()
    with console.capture() as shown:  # rich would end the process if the reader had left
        console.print(_plain(f"{report.part} on {report.file}, {report.rows} rows\n"))
        for table in tables(report):
            console.print(_terminal_table(table))
    sys.stdout.write(shown.get())


def _terminal_table(table: ReportTable) -> Table:
    columns = [Column(_plain(name), justify="right", overflow="fold") for name in table.columns]
    shown = Table(Column("", overflow="fold"), *columns, title=_plain(table.title), title_justify="left")
    for heading, cells in table.rows:
        shown.add_row(_plain(heading), *map(_plain, cells))
    return shown


def _plain(text: str) -> Text:
    """Text from a file, for a terminal: without markup and control codes."""
    return Text("".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text))


def engines_in(folders: Sequence[Path]) -> dict[str, Judge]:
    """The engines by their versions, and by their folders too where two have the same weights."""
    settings = [load_settings(model=folder) for folder in folders] or [load_settings()]
    engines = [load_engine(each) for each in settings]
    versions = [engine.manifest.model_version for engine in engines]
    return {
        version if versions.count(version) == 1 else f"{version} in {each.model}": engine
        for version, each, engine in zip(versions, settings, engines, strict=True)
    }


def judge_texts(engine: Judge, texts: Sequence[str]) -> list[ModelResult]:
    with show_progress(engine.manifest.name) as progress:
        return judge_all(engine, texts, progress)


def _rewriter(engine: Judge) -> Callable[[Sequence[str]], Sequence[str]]:
    return lambda queries: [model_result.lexical for model_result in judge_texts(engine, queries)]


def _intent(model_result: ModelResult) -> str | None:
    return None if model_result.policy_result.verdict is Verdict.BLOCK else model_result.intent
