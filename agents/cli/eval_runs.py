"""What ``sluice eval`` does: run each model and the baseline on a file's rows, score them alike, and report."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sluicegate.agents.cli.progress import show_progress
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.files import copy_folder
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import Registry, is_registry, served_from
from sluicegate.models.artifacts.revision import copy_with_policy
from sluicegate.models.data.rows import IntentRow, ModerationRow, QueryRow, read_rows
from sluicegate.models.evaluation.baselines import DictionarySpeller, TfidfClassifier
from sluicegate.models.evaluation.html_report import write_html
from sluicegate.models.evaluation.intent import expected_intents, score_intents
from sluicegate.models.evaluation.judging import judge_all
from sluicegate.models.evaluation.moderation import ModerationScores, score_moderation
from sluicegate.models.evaluation.report import Report, ReportTable, tables, write_json
from sluicegate.models.evaluation.rewrite import pairs_of, score_rewrites
from sluicegate.models.evaluation.shadow import LedgerLine, score_shadow
from sluicegate.models.evaluation.thresholds import reason_to_refuse
from sluicegate.models.inference.judge import Judge, ModelResult
from sluicegate.models.inference.labels import LABELS
from sluicegate.models.inference.policy import Policy, Verdict
from sluicegate.schemas.errors import ConfigurationError, ContractError, StreamFailed


def evaluate_moderation(file: Path, folders: Sequence[Path], train: Path | None, *, with_texts: bool) -> Report:
    """Score the models in `folders`, and TF-IDF fitted on `train`, on moderation rows.

    `with_texts`: the report contains the texts of the rows that a system got wrong.
    """
    rows = read_rows(file, ModerationRow)
    texts = [row.text for row in rows]
    systems = {}
    for name, engine in _engines(folders).items():
        judged = _judge(engine, texts)
        probabilities = np.array([[model_result.probabilities[label] for label in LABELS] for model_result in judged])
        systems[name] = score_moderation(
            rows,
            probabilities,
            engine.policy,
            served_temperature=engine.manifest.temperature,
            with_texts=with_texts,
        )
    if train:
        known = read_rows(train, ModerationRow)
        baseline = TfidfClassifier([row.text for row in known], [row.gate_label for row in known])
        systems[baseline.name] = score_moderation(
            rows, baseline.probabilities(texts, LABELS), Policy.layered(), with_texts=with_texts
        )
    return Report("moderation", str(file), len(rows), systems)


def apply_choice(report: Report, labels: Sequence[str], model: Path | None, out: Path | None, *, force: bool) -> str:
    """Make a new version of the model with the temperature and thresholds that the rows chose. Returns what was made.

    The new version is a folder: `out`, else in the registry that the model is in, else one named by the version here.

    Raises:
        ContractError: the rows are too few, or the choice is worse than the policy in force, and not `force`.
        ConfigurationError: the new folder cannot be written.
    """
    folder = served_from(model or load_settings().model).model
    before = read_manifest(folder)
    scores = cast(ModerationScores, report.systems[before.model_version])
    reason = reason_to_refuse(scores.served, scores.thresholds, np.array(labels))
    if reason and not force:
        raise ContractError(f"nothing was applied: {reason}. Apply it all the same with --force.")
    with TemporaryDirectory(prefix="sluicegate-") as temporary:
        staged = Path(temporary) / "model"
        temperature = round(scores.calibration.temperature, 3)
        version = copy_with_policy(folder, staged, temperature, scores.thresholds.thresholds).model_version
        if version == before.model_version:
            return f"{version} has this temperature and these thresholds already"
        if out is None and is_registry(folder.parent):
            Registry(folder.parent).add(str(staged))
            return f"{version} is in {folder.parent}, not in use: try it with `sluice models canary {version}`"
        destination = out or Path(version)
        if destination.exists():
            raise ConfigurationError(f"{destination} exists: choose another folder with --out")
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            copy_folder(staged, destination)
        except OSError as error:
            raise ConfigurationError(f"cannot write {destination}: {error.strerror or error}") from None
        return f"{version} is in {destination}: put it in use with `sluice models use {destination}`"


def evaluate_intent(file: Path, folders: Sequence[Path], train: Path | None, split: str | None) -> Report:
    """Score the models in `folders`, and TF-IDF fitted on the rows of `train` that `file` lacks, on intent rows."""
    rows = read_rows(file, IntentRow, split=split)
    texts = [row.text for row in rows]
    systems = {}
    expected_intents(rows)
    for name, engine in _engines(folders).items():
        judged = _judge(engine, texts)
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
    systems = {}
    for name, engine in _engines(folders).items():
        systems[name] = score_rewrites(pairs, _rewriter(engine))
    speller = DictionarySpeller()
    systems[speller.name] = score_rewrites(pairs, speller.rewrite)
    return Report("rewrite", str(file), len(rows), systems)


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
    console = Console()
    with console.capture() as shown:  # rich would end the process if the reader had left
        console.print(_plain(f"{report.part} on {report.file}, {report.rows} rows\n"))
        for table in tables(report):
            console.print(_terminal_table(table))
    sys.stdout.write(shown.get())


def _terminal_table(table: ReportTable) -> Table:
    columns = [Column(_plain(name), justify="right") for name in table.columns]
    shown = Table(Column("", overflow="fold"), *columns, title=_plain(table.title), title_justify="left")
    for heading, cells in table.rows:
        shown.add_row(_plain(heading), *map(_plain, cells))
    return shown


def _plain(text: str) -> Text:
    """Text from a file, for a terminal: without markup and control codes."""
    return Text("".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text))


def _engines(folders: Sequence[Path]) -> dict[str, Judge]:
    """The engines by their versions, and by their folders too where two have the same weights."""
    settings = [load_settings(model=folder) for folder in folders] or [load_settings()]
    engines = [load_engine(each) for each in settings]
    versions = [engine.manifest.model_version for engine in engines]
    return {
        version if versions.count(version) == 1 else f"{version} in {each.model}": engine
        for version, each, engine in zip(versions, settings, engines, strict=True)
    }


def _judge(engine: Judge, texts: Sequence[str]) -> list[ModelResult]:
    with show_progress(engine.manifest.name) as progress:
        return judge_all(engine, texts, progress)


def _rewriter(engine: Judge) -> Callable[[Sequence[str]], Sequence[str]]:
    return lambda queries: [model_result.lexical for model_result in _judge(engine, queries)]


def _intent(model_result: ModelResult) -> str | None:
    return None if model_result.policy_result.verdict is Verdict.BLOCK else model_result.intent
