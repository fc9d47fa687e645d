"""What ``sluice eval cascade`` does: judge files of rows with a screen and a second model, as the worker would."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sluicegate.agents.cli.eval_apply import apply_policy
from sluicegate.agents.cli.eval_moderation import ModerationFiles
from sluicegate.agents.cli.progress import show_progress
from sluicegate.agents.deciding.decider import load_engine
from sluicegate.agents.settings import Settings
from sluicegate.models.artifacts.manifest import read_manifest
from sluicegate.models.artifacts.registry import served_from
from sluicegate.models.evaluation.cascade import CascadeScores, JudgedRows, score_cascade
from sluicegate.models.evaluation.judging import judge_again, judge_in_full
from sluicegate.models.evaluation.policy_outcome import PlainLimits
from sluicegate.models.evaluation.report import Report
from sluicegate.models.evaluation.thresholds import reason_to_refuse
from sluicegate.models.inference.cascade import CascadeRule
from sluicegate.models.profile import Profile
from sluicegate.schemas.errors import ConfigurationError, ContractError


@dataclass(frozen=True)
class Profiles:
    """What `sluice calibrate` wrote for each model; None where throughput is not to be planned."""

    screen: Path | None
    second: Path | None


def second_settings(settings: Settings) -> Settings:
    """The settings of the second model.

    Raises:
        ConfigurationError: there is none.
    """
    of_second = settings.of_second_model
    if of_second is None:
        raise ConfigurationError("there is no second model: name one with --second, or set SLUICE_SECOND_MODEL")
    return of_second


def evaluate_cascade(
    files: ModerationFiles,
    settings: Settings,
    of_second: Settings,
    *,
    plain_sources: Sequence[str],
    limits: PlainLimits,
    profiles: Profiles,
) -> tuple[Report, CascadeScores]:
    """Score the model of `settings` as a screen with that of `of_second` behind it. Holds one of them at a time.

    Raises:
        ConfigurationError: a model or profile cannot be used.
    """
    screen_profile = Profile.read(profiles.screen) if profiles.screen else None
    second_profile = Profile.read(profiles.second) if profiles.second else None
    screen = load_engine(settings)
    with show_progress(screen.manifest.name) as progress:
        texts = judge_in_full(screen, [row.text for row in files.rows], progress)
    length = round(float(np.mean([text.tokens for text in texts])))
    screened = JudgedRows(
        screen.manifest.model_version,
        [text.readings for text in texts],
        screen.policy,
        screen_profile.rate_of(length) if screen_profile else None,
    )
    del screen
    second = load_engine(of_second)
    with show_progress(second.manifest.name) as progress:
        again = judge_again(second, screened.rows, progress)
    rate = second_profile.rate_of(length) if second_profile else None
    scores = score_cascade(
        files.rows,
        screened,
        JudgedRows(second.manifest.model_version, again, second.policy, rate),
        CascadeRule(settings.second_confirms, settings.second_may_block),
        plain_sources=plain_sources,
        limits=limits,
    )
    return Report("cascade", files.name, len(files.rows), {"cascade": scores}), scores


def reason_against(scores: CascadeScores, labels: Sequence[str]) -> str | None:
    """Why the thresholds that the rows chose should not be used; None if they may."""
    return reason_to_refuse(scores.now, scores.chosen, np.array(labels))


def apply_to_second(
    scores: CascadeScores, labels: Sequence[str], second: Path, out: Path | None, *, force: bool
) -> str:
    """Make a new version of the second model with the thresholds that the rows chose: see `apply_policy`.

    Raises:
        ContractError: the rows are too few, or the choice is worse than the thresholds in force, and not `force`.
        ConfigurationError: the new folder cannot be written.
    """
    reason = reason_against(scores, labels)
    if reason and not force:
        raise ContractError(f"nothing was applied: {reason}. Apply it all the same with --force.")
    return apply_policy(second, scores.chosen, read_manifest(served_from(second).model).temperature, out)
