"""What ``sluice eval moderation`` does: score models and a baseline on files of rows, apply what the rows choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import msgspec
import numpy as np

from sluicegate.agents.cli.eval_runs import engines_in, judge_texts
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.deployment import is_registry
from sluicegate.models.artifacts.files import copy_folder
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import Registry, served_from
from sluicegate.models.artifacts.revision import copy_with_policy
from sluicegate.models.data.rows import ModerationRow, read_rows
from sluicegate.models.evaluation.baselines import TfidfClassifier
from sluicegate.models.evaluation.moderation import ModerationScores, RowPlace, score_moderation
from sluicegate.models.evaluation.policy_outcome import PlainLimits
from sluicegate.models.evaluation.report import Report
from sluicegate.models.evaluation.robustness import measure_robustness
from sluicegate.models.evaluation.thresholds import reason_to_refuse
from sluicegate.models.inference.labels import LABELS
from sluicegate.models.inference.policy import Policy
from sluicegate.schemas.errors import ConfigurationError, ContractError, StreamFailed


@dataclass(frozen=True)
class ModerationFiles:
    """The rows of some files, and where each was read. `name` names the files in a report."""

    name: str
    rows: Sequence[ModerationRow]
    places: Sequence[RowPlace]

    @classmethod
    def read(cls, paths: Sequence[Path]) -> "ModerationFiles":
        """The rows of `paths`. A folder stands for its ``.jsonl`` files.

        Raises:
            StreamFailed: a file cannot be read, or a folder has no such file.
            ContractError: a line is not such a row.
        """
        files = [file for path in paths for file in _files_of(path)]
        rows = {file: read_rows(file, ModerationRow) for file in dict.fromkeys(files)}
        return cls(
            ", ".join(map(str, paths)),
            [row for each in rows.values() for row in each],
            [RowPlace(str(file), number) for file, each in rows.items() for number in range(1, len(each) + 1)],
        )


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise StreamFailed(f"the folder {path} has no .jsonl file")
    return files


def evaluate_moderation(
    files: ModerationFiles,
    folders: Sequence[Path],
    train: Path | None,
    *,
    plain_sources: Sequence[str],
    limits: PlainLimits,
    robustness_rows: int,
    with_texts: bool,
) -> Report:
    """Score the models in `folders`, and TF-IDF fitted on `train`, on moderation rows.

    `robustness_rows`: how many caught rows are written in other ways and judged again, see `measure_robustness`.

    `with_texts`: the report contains the texts of the rows that a system got wrong.
    """
    texts = [row.text for row in files.rows]
    systems = {}
    for name, engine in engines_in(folders).items():
        judged = judge_texts(engine, texts)
        scores = score_moderation(
            files.rows,
            np.array([[model_result.probabilities[label] for label in LABELS] for model_result in judged]),
            engine.policy,
            served_temperature=engine.manifest.temperature,
            plain_sources=plain_sources,
            limits=limits,
            places=files.places,
            with_texts=with_texts,
        )
        systems[name] = scores
        if robustness_rows:
            verdicts = [model_result.policy_result.verdict for model_result in judged]
            passed = measure_robustness(files.rows, verdicts, partial(judge_texts, engine), robustness_rows)
            systems[name] = msgspec.structs.replace(scores, robustness=passed)
    if train:
        known = read_rows(train, ModerationRow)
        baseline = TfidfClassifier([row.text for row in known], [row.gate_label for row in known])
        systems[baseline.name] = score_moderation(
            files.rows,
            baseline.probabilities(texts, LABELS),
            Policy.layered(),
            plain_sources=plain_sources,
            limits=limits,
            places=files.places,
            with_texts=with_texts,
        )
    return Report("moderation", files.name, len(files.rows), systems)


def apply_choice(report: Report, labels: Sequence[str], model: Path | None, out: Path | None, *, force: bool) -> str:
    """Make a new version of the model with the temperature and policy that the rows chose. Returns what was made.

    The new version is a folder: `out`, else in the registry that the model is in, else one named by the version here.

    Raises:
        ContractError: the rows are too few, or the choice is worse than the policy in force, and not `force`.
        ConfigurationError: the new folder cannot be written.
    """
    folder = served_from(model or load_settings().model).model
    before = read_manifest(folder)
    scores = cast(ModerationScores, report.systems[before.model_version])
    chosen = scores.thresholds
    reason = reason_to_refuse(scores.served, chosen, np.array(labels))
    if reason and not force:
        raise ContractError(f"nothing was applied: {reason}. Apply it all the same with --force.")
    with TemporaryDirectory(prefix="sluicegate-") as temporary:
        staged = Path(temporary) / "model"
        temperature = scores.calibration.temperature
        version = copy_with_policy(folder, staged, temperature, chosen.thresholds, chosen.sum_bound).model_version
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
