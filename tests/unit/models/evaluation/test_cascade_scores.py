"""What `sluice eval cascade` counts: each model alone, both, and thresholds for what goes on to the second."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from sluicegate.models.data.rows import ModerationRow
from sluicegate.models.evaluation.cascade import JudgedRows, score_cascade
from sluicegate.models.evaluation.policy_outcome import PlainLimits
from sluicegate.models.inference.cascade import CascadeRule
from sluicegate.models.inference.judge import ModelResult
from sluicegate.models.inference.labels import LABELS, Category
from sluicegate.models.inference.policy import Policy
from sluicegate.models.inference.strictest import JudgedReading
from sluicegate.models.profile import Profile, cascade_rate
from sluicegate.models.text.readings import ReadingName
from sluicegate.schemas.errors import ConfigurationError
from sluicegate.schemas.events import Threshold

POLICY = Policy.layered({Category.ILLICIT: Threshold(allow=0.3, block=0.9)}, sum_bound=0.9)
LIMITS = PlainLimits(review=0.1, blocked=0.0)
ROWS = [
    *[ModerationRow("plain", "allow", source="web")] * 400,
    *[ModerationRow("unsafe", "block", "illicit", source="bad")] * 100,
]


def judged(name: str, unsafe: Sequence[float], *, rate: float | None = None) -> JudgedRows:
    """A model that gives each row a probability of being illicit."""
    rows = []
    for probability in unsafe:
        probabilities = {**dict.fromkeys(LABELS, 0.0), "allow": 1 - probability, "illicit": probability}
        result = ModelResult(POLICY.judge(probabilities), "", "", probabilities=probabilities)
        rows.append([JudgedReading(ReadingName.QUERY, result)])
    return JudgedRows(name, rows, POLICY, rate)


SCREEN = judged("screen", [0.05] * 340 + [0.5] * 60 + [0.5] * 80 + [0.95] * 20)
"""Sends 60 plain rows and 80 unsafe ones to review, and blocks 20."""
SECOND = judged("second", [0.02] * 390 + [0.5] * 10 + [0.95] * 60 + [0.2] * 40)
"""Allows all plain rows but 10, and blocks 60 unsafe ones."""


def test_the_second_model_decides_what_the_screen_would_review_and_nothing_else() -> None:
    scores = score_cascade(ROWS, SCREEN, SECOND, CascadeRule(), limits=LIMITS)
    screen, second, both, _ = scores.outcomes.values()
    assert list(scores.outcomes)[:3] == ["screen alone: screen", "second alone: second", "both"]
    assert (screen.caught.count, screen.reviewed.count, screen.safe_reviewed.count) == (100, 140, 60)
    assert (second.caught.count, second.safe_reviewed.count, second.asked.count) == (60, 10, 0)
    assert (both.caught.count, both.reviewed.count, both.safe_reviewed.count) == (80, 10, 10)
    assert (both.asked.count, both.asked_plain.count, both.asked_for) == (140, 60, {"review": 140})
    assert both.plain["web"].review == pytest.approx(10 / 400)
    assert scores.agreement == {"review → allow": 70, "review → block": 60, "review → review": 10}


def test_the_thresholds_are_chosen_on_what_goes_on_within_the_limits_of_plain_queries() -> None:
    scores = score_cascade(ROWS, SCREEN, SECOND, CascadeRule(), limits=LIMITS)
    fitted = scores.outcomes["both, with the thresholds below"]
    assert scores.chosen.thresholds[Category.ILLICIT].allow <= 0.2 < scores.now.thresholds[Category.ILLICIT].allow
    assert fitted.caught.count == 100
    assert fitted.plain["web"].review <= LIMITS.review
    assert fitted.safe_blocked.count == 0


def test_a_block_that_needs_both_models_goes_on_and_one_that_only_the_screen_gives_is_reviewed() -> None:
    rule = CascadeRule(confirmed=frozenset({Category.ILLICIT}))
    both = score_cascade(ROWS, SCREEN, SECOND, rule, limits=LIMITS).outcomes["both"]
    assert both.asked_for == {"review": 140, "block": 20}
    assert both.caught.count == 80
    assert both.reviewed.count == 10 + 20


def test_a_wider_screen_passes_more_on() -> None:
    wider = judged("screen", [0.05] * 280 + [0.25] * 60 + [0.5] * 60 + [0.5] * 80 + [0.95] * 20)
    widths = score_cascade(ROWS, wider, SECOND, CascadeRule(), limits=LIMITS).widths
    asked = {each.factor: each.outcome.asked.count for each in widths}
    assert (asked[1.0], asked[0.7]) == (140, 200)


def test_the_second_model_is_asked_about_the_readings_that_the_screen_does_not_allow() -> None:
    doubtful, fine = judged("screen", [0.5, 0.05]).rows
    said, unsaid = judged("second", [0.02, 0.95]).rows
    screen = replace(SCREEN, rows=[[*doubtful, *fine]] * len(ROWS))
    second = replace(SECOND, rows=[[*said, *unsaid]] * len(ROWS))
    scores = score_cascade(ROWS, screen, second, CascadeRule(), limits=LIMITS)
    assert scores.outcomes["second alone: second"].caught.count == 100
    assert scores.outcomes["both"].caught.count == 0


def test_the_rate_is_that_of_both_models_on_the_same_cores() -> None:
    screen, second = replace(SCREEN, rate=10_000), replace(SECOND, rate=100)
    rates = [each.rate for each in score_cascade(ROWS, screen, second, CascadeRule(), limits=LIMITS).outcomes.values()]
    assert rates[:2] == [10_000, 100]
    assert rates[2] == pytest.approx(1 / (1 / 10_000 + 60 / 400 / 100))
    assert cascade_rate(10_000, 100, 0.0) == pytest.approx(10_000)
    assert score_cascade(ROWS, screen, SECOND, CascadeRule(), limits=LIMITS).outcomes["both"].rate is None


def test_a_profile_gives_its_rate_for_queries_of_another_length_too(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    cost = {"call": 10.0, "token": 1.0, "step": 0.0, "member": 0.0, "answer": 0.0}
    measured = {"rate": 2 * 10 / 0.05, "tokens": 4}
    file.write_bytes(
        msgspec.json.encode({"threads": 1, "replicas": 2, "batch_size": 10, "batch_cost": cost, **measured})
    )
    assert Profile.read(file).rate_of(4) == pytest.approx(2 * 10 / 0.05)
    assert Profile.read(file).rate_of(14) == pytest.approx(2 * 10 / 0.15)
    file.write_text('{"threads": 1, "replicas": 2}')
    with pytest.raises(ConfigurationError, match=r"is not a profile: .*batch_size.*sluice calibrate"):
        Profile.read(file)
