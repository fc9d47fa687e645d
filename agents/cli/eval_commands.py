"""What ``sluice eval`` does: ask every model and the baseline about a file's rows, score them alike, and report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
from rich.console import Console

from sluicegate.agents.cli.progress import show_progress
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.manifest import read_manifest, write_manifest
from sluicegate.models.artifacts.registry import served_from
from sluicegate.models.data.rows import IntentRow, ModerationRow, QueryRow, read_rows
from sluicegate.models.evaluation.baselines import DictionarySpeller, TfidfClassifier
from sluicegate.models.evaluation.intent import expected_intents, score_intents
from sluicegate.models.evaluation.judging import judge_all
from sluicegate.models.evaluation.moderation import ModerationScores, score_moderation
from sluicegate.models.evaluation.report import Report, tables, write_html, write_json
from sluicegate.models.evaluation.rewrite import pairs_of, score_rewrites
from sluicegate.models.evaluation.shadow import LedgerLine, score_shadow
from sluicegate.models.inference.judge import Judge, ModelResult
from sluicegate.models.inference.labels import LABELS
from sluicegate.models.inference.policy import Policy, Verdict
from sluicegate.schemas.errors import ConfigurationError, ContractError


def evaluate_moderation(file: Path, folders: Sequence[Path], train: Path | None) -> Report:
    """Score the models in `folders`, and TF-IDF fitted on `train`, on moderation rows."""
    rows = read_rows(file, ModerationRow)
    texts = [row.text for row in rows]
    systems = {}
    for name, engine in _engines(folders).items():
        judged = _judge(engine, texts)
        probabilities = np.array([[model_result.probabilities[label] for label in LABELS] for model_result in judged])
        systems[name] = score_moderation(
            rows, probabilities, engine.policy, served_temperature=engine.manifest.temperature
        )
    if train:
        known = read_rows(train, ModerationRow)
        baseline = TfidfClassifier([row.text for row in known], [row.gate_label for row in known])
        systems[baseline.name] = score_moderation(rows, baseline.probabilities(texts, LABELS), Policy.layered())
    return Report("moderation", str(file), len(rows), systems)


def apply_choice(report: Report, folder: Path | None) -> None:
    """Write the temperature and thresholds that the rows chose into the model's manifest: it serves with them then."""
    folder = folder or served_from(load_settings().model).model
    manifest = read_manifest(folder)
    scores = cast(ModerationScores, report.systems[manifest.model_version])
    write_manifest(
        folder,
        msgspec.structs.replace(
            manifest,
            temperature=round(scores.calibration.temperature, 3),
            thresholds=scores.thresholds.thresholds,
        ),
    )


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
        raise ContractError(f"{file} holds no query that is, or could be, misspelt: letters and four of them in a word")
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
    """Print the report, and write it where asked.

    Raises:
        ConfigurationError: a file cannot be written.
    """
    console = Console()
    console.print(f"{report.part} on {report.file}, {report.rows} rows\n", highlight=False)
    for table in tables(report):
        console.print(table)
    for path, write in ((json, write_json), (html, write_html)):
        try:
            if path:
                write(report, path)
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror or error}") from None


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
