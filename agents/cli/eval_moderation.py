"""What ``sluice eval moderation`` does: score models and a baseline on files of rows, apply what the rows choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import numpy as np

from sluicegate.agents.cli.eval_apply import apply_policy
from sluicegate.agents.cli.eval_runs import engines_in, judge_texts
from sluicegate.agents.settings import load_settings
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import served_from
from sluicegate.models.data.rows import ModerationRow, read_rows
from sluicegate.models.evaluation.baselines import TfidfClassifier
from sluicegate.models.evaluation.moderation import ModerationScores, RowPlace, score_moderation
from sluicegate.models.evaluation.policy_outcome import PlainLimits
from sluicegate.models.evaluation.report import Report
from sluicegate.models.evaluation.robustness import measure_robustness
from sluicegate.models.evaluation.thresholds import reason_to_refuse
from sluicegate.models.inference.labels import LABELS
from sluicegate.models.inference.policy import Policy
from sluicegate.schemas.errors import ContractError, StreamFailed


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
    """Make a new version of the model with the temperature and policy that the rows chose: see `apply_policy`.

    Raises:
        ContractError: the rows are too few, or the choice is worse than the policy in force, and not `force`.
        ConfigurationError: the new folder cannot be written.
    """
    served = model or load_settings().model
    scores = cast(ModerationScores, report.systems[read_manifest(served_from(served).model).model_version])
    chosen = scores.thresholds
    reason = reason_to_refuse(scores.served, chosen, np.array(labels))
    if reason and not force:
        raise ContractError(f"nothing was applied: {reason}. Apply it all the same with --force.")
    return apply_policy(served, chosen, scores.calibration.temperature, out)
